//! What `#[derive(DomainEvent)]` makes of events: names, versions, bytes on the wire, old versions.

#[path = "derive/enums.rs"]
mod enums;
#[path = "derive/generics.rs"]
mod generics;
#[path = "derive/keys.rs"]
mod keys;
#[path = "derive/names.rs"]
mod names;
#[path = "derive/upcasts.rs"]
mod upcasts;
#[path = "derive/wire.rs"]
mod wire;

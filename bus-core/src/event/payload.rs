//! What a payload must be able to do.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What serde can write, and read again without borrowing: every event. The derive asks for this before all else.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be written and read",
    label = "serde's traits are missing",
    note = "derive them too: `#[derive(Serialize, Deserialize, DomainEvent)]`"
)]
pub trait Payload {
    /// Evaluated where the trait is asked for.
    #[doc(hidden)]
    const CHECKED: () = ();
}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned> Payload for T {}

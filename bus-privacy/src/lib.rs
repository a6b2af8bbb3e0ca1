//! Personal data in events and states: sealed for the person it is about, and forgotten with that person's key.
//!
//! A field that is [`Personal`] has its data [`Subject`] beside the value. A [`Vault`] seals it with the subject's own key wherever
//! an event is published or stored, and opens it where it is read. [`Vault::forget`] deletes the key: in every topic, table, dead
//! letter and backup the value is lost, and reads as [`Revealed::Erased`]. Where readers need to tell persons apart and not to know them,
//! a field is replaced by a [`Pseudonym`]: `#[event(pseudonym)]`.
//!
//! ```
//! use jitney_core::personal::{Item, Place, Sealer, collect};
//! use jitney_privacy::{MasterKey, MasterKeys, MemoryKeyStore, Personal, Revealed, Subject, Vault};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let master = MasterKeys::new(MasterKey::random("2026-01")?);
//! let vault = Vault::builder(MemoryKeyStore::new(), master).open().await?;
//! let customer = Subject::new("customer/ALFKI")?;
//!
//! // What a bus and a store do with an event:
//! let name = Personal::new(customer.clone(), "Maria Anders".to_owned());
//! let (payload, _) = collect(|| serde_json::to_vec(&name));
//! let id = "evt-1".into();
//! let place = Place { aggregate_type: "Customer", aggregate_id: "ALFKI", item: Item::Event(&id) };
//! let stored = vault.seal(place, payload?.into()).await?;
//! assert!(!stored.windows(5).any(|part| part == b"Maria"));
//!
//! let read = vault.open(place, stored.clone()).await?;
//! let name: Personal<String> = serde_json::from_slice(&read)?;
//! assert!(matches!(name.reveal(), Revealed::Known(name) if name == "Maria Anders"));
//!
//! vault.forget(&customer).await?;
//! let read = vault.open(place, stored).await?;
//! let name: Personal<String> = serde_json::from_slice(&read)?;
//! assert_eq!(name.reveal(), Revealed::Erased);
//! # Ok(()) }
//! ```

mod cipher;
mod error;
#[cfg(feature = "sourcing")]
mod followers;
mod forgetting;
mod key;
mod key_store;
mod master_key;
mod payload;
mod personal;
mod pseudonym;
mod subject;
mod vault;

pub use error::{Error, ErrorKind};
#[cfg(feature = "sourcing")]
pub use followers::{read_models, snapshots};
pub use forgetting::{FollowerError, ForgetReport, Forgetting, follower};
pub use key::{DataKey, KEY_BYTES, KeyId, WrappedKey};
pub use key_store::{Entry, Forget, Forgotten, KeyStore, MemoryKeyStore, Tombstone, Unfinished};
pub use master_key::{KeyManagement, MasterKey, MasterKeys};
pub use personal::{Personal, Revealed};
pub use pseudonym::{Pseudonym, StoredPseudonym, ValueHash};
pub use subject::{MAX_SUBJECT_BYTES, Subject};
pub use vault::{Pseudonyms, Rotated, Vault, VaultBuilder, VaultLayer};

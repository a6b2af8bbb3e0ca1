//! The keys of customers, and what follows when one is forgotten.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use jitney::error_chain;
use jitney::privacy::{MasterKey, MasterKeys, MemoryKeyStore, Vault, VaultBuilder, read_models, snapshots};

use super::recipient::subject;
use super::store::Store;

/// The environment variable with the master keys.
const MASTER_KEYS: &str = "ORDERS_MASTER_KEYS";

/// The vault with its keys at `url`; in memory, and worth nothing behind the end of the process, where there is none.
///
/// # Errors
///
/// When the master keys are not there, or the keys cannot be reached.
pub async fn at(url: Option<&str>) -> Result<VaultBuilder, String> {
    match url {
        None => {
            let master = MasterKey::random("of-this-run").map_err(|error| error_chain(&error))?;
            Ok(Vault::builder(MemoryKeyStore::new(), MasterKeys::new(master)).by("orders"))
        }
        Some(url) => {
            stored(url, MasterKeys::from_env(MASTER_KEYS).map_err(|error| error_chain(&error))?).await
        }
    }
}

/// The vault with its keys at `url`, wrapped by `master`.
///
/// # Errors
///
/// When the keys cannot be reached.
pub async fn stored(url: &str, master: MasterKeys) -> Result<VaultBuilder, String> {
    let scheme = url.split_once(':').map_or(url, |(scheme, _)| scheme);
    let builder = match scheme {
        #[cfg(feature = "sqlite")]
        "sqlite" => {
            let store = jitney::sql::SqliteStore::open(url).await.map_err(|error| error_chain(&error))?;
            Vault::builder(jitney::sql::SqliteKeyStore::of(&store), master)
        }
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => {
            let keys = jitney::sql::PostgresKeyStore::connect(url).await;
            Vault::builder(keys.map_err(|error| error_chain(&error))?, master)
        }
        _ => {
            drop(master);
            return Err(format!(
                "opening the keys: there are none for `{scheme}`; there are `--keys sqlite://keys.db` (with `--features sqlite`) and \
                 `--keys postgres://…` (with `--features postgres`)"
            ));
        }
    };
    Ok(builder.by("orders"))
}

/// Forgets `customer`, with the keys of `vault`, and prints what was done: the key, the snapshots of the customer's orders in `store`,
/// and the phone list there. Other processes let go of the key `within` this time.
///
/// # Errors
///
/// When keys, store or read model do not answer: what is not done then is done by the next call.
pub async fn forget(
    store: &Store,
    vault: VaultBuilder,
    customer: &str,
    within: Duration,
    out: &mut impl Write,
) -> Result<(), String> {
    let subject = subject(customer).map_err(|error| error_chain(&error))?;
    let mut vault = vault.forget_within(within).also(snapshots(Arc::clone(&store.events)));
    if let Some(phones) = &store.phones {
        vault = vault.also(read_models(phones.rebuilds(Arc::clone(&store.events))));
    }
    let vault = vault.open().await.map_err(|error| error_chain(&error))?;
    let report = vault.forget(&subject).await.map_err(|error| error_chain(&error))?;
    write!(out, "{report}").map_err(|error| format!("writing what was done: {error}"))
}

//! Credentials stay where they belong.

use jitney_core::error_chain;
use jitney_sourcing::{Append, Expected, Position};

use super::trial::Trial;
use crate::conformance::failure::{Outcome, ensure};

/// Looks at everything that could end in a log: the description, debug output and errors.
pub(super) async fn keeps_credentials_to_itself(trial: &Trial<'_>) -> Outcome {
    let Some(secret) = trial.fixture.secret() else { return Ok(()) };
    let silent = |place: &str, text: String| {
        ensure!(!text.contains(secret), "{place} contains the password of the URL");
        Ok(())
    };
    let store = trial.store().await?;
    silent("describe()", store.describe())?;
    silent("the store's Debug output", format!("{store:?} {store:#?}"))?;
    let stream = trial.stream();
    trial.append_some(&*store, &stream, 1).await?;
    let refused = [
        trial.try_append(&*store, Append::to(stream.clone(), Expected::Any, [])).await?,
        trial.try_append(&*store, trial.append_of(&stream, Expected::New, 1)).await?,
    ];
    for error in refused.into_iter().filter_map(Result::err) {
        silent("the error of an append", format!("{error:?} {}", error_chain(&error)))?;
    }
    for foreign in [Position::offsets([("conformance-0", 1)]), Position::at([u64::MAX; 3])] {
        if let Err(error) = store.read_all(&foreign, &trial.filter(), 1).await {
            silent("the error of a read", format!("{error:?} {}", error_chain(&error)))?;
        }
    }
    Ok(())
}

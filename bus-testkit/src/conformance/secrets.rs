//! Credentials stay where they belong.

use std::error::Error;

use super::failure::{Outcome, ensure};
use super::trial::Trial;
use crate::history::EventRef;

/// Looks at everything that could end in a log: descriptions, debug output and errors.
pub(super) async fn keeps_credentials_to_itself(trial: &Trial<'_>) -> Outcome {
    let Some(secret) = trial.fixture.secret() else { return Ok(()) };
    let silent = |place: &str, text: String| {
        ensure!(!text.contains(secret), "{place} contains the password of the URL");
        Ok(())
    };
    let transport = trial.transport().await?;
    silent("describe()", transport.describe())?;
    silent("the transport's Debug output", format!("{transport:?} {transport:#?}"))?;
    let no_topics = trial.subscription(&trial.name("group"), &[]);
    if let Err(error) = trial.wait("a subscription", transport.subscribe(no_topics)).await? {
        silent("the error of a subscription", debug_and_display(&error))?;
    }
    trial.wait("closing", transport.close(trial.fixture.patience())).await??;
    silent("the transport's Debug output after close", format!("{transport:?}"))?;
    let message = trial.message(&*transport, &EventRef::new(trial.name("topic"), "late", 1))?;
    if let Err(error) =
        trial.wait("a publish after close", transport.publish_one(message)).await?.into_result()
    {
        silent("the error of a publish after close", debug_and_display(&error))?;
    }
    Ok(())
}

fn debug_and_display(error: &(impl Error + 'static)) -> String {
    format!("{error:?} {}", jitney_core::error_chain(error))
}

//! Personal data in states, compensations and messages: sealed on the way into the store of processes, opened on the way out.

use jitney_core::Id;
use jitney_core::personal::{Place, Sealer, has_open};

use super::engine::Engine;
use super::{Loaded, ProcessChange, ProcessCommit, ProcessManager, StoredProcess};
use crate::Error;
use crate::sealing::{failed, open_state, seal_state, unsealed};

/// The names of what is kept of a process, in the places where sealed values open.
const STATE: &str = "state of a process";
const COMPENSATIONS: &str = "compensations of a process";

impl<P: ProcessManager> Engine<P> {
    /// As [`ProcessStore::load`](super::ProcessStore::load), opened.
    pub(super) async fn load(&self, inputs: &[(String, Id)]) -> Result<Loaded, Error> {
        let mut loaded = self.store.load(P::NAME, inputs).await?;
        for process in &mut loaded.processes {
            open(self.store.sealer(), P::NAME, process).await?;
        }
        Ok(loaded)
    }

    /// As [`ProcessStore::get`](super::ProcessStore::get), opened.
    pub(super) async fn get(&self, key: &str) -> Result<Option<StoredProcess>, Error> {
        let mut process = self.store.get(P::NAME, key).await?;
        if let Some(process) = &mut process {
            open(self.store.sealer(), P::NAME, process).await?;
        }
        Ok(process)
    }

    /// As [`ProcessStore::commit`](super::ProcessStore::commit), sealed before.
    pub(super) async fn commit(&self, commit: ProcessCommit) -> Result<(), Error> {
        let commit = seal(self.store.sealer(), commit).await?;
        self.store.commit(commit).await
    }
}

async fn seal(sealer: Option<&dyn Sealer>, mut commit: ProcessCommit) -> Result<ProcessCommit, Error> {
    let name = commit.process;
    for ProcessChange { process, .. } in &mut commit.changes {
        let StoredProcess { key, state, compensations, .. } = process;
        for (text, item) in [(state, STATE), (compensations, COMPENSATIONS)] {
            if has_open(text.as_bytes()) {
                let what = format!("process `{key}` of `{name}`");
                let sealed =
                    seal_state(sealer, Place::state(name, key, item), &what, text.as_bytes().to_vec());
                *text = into_text(sealed.await?, &what)?;
            }
        }
    }
    if commit.messages.iter().any(|event| event.is_open()) {
        let doing = format!("what a process of `{name}` sends");
        let sealer = sealer.ok_or_else(|| unsealed(&doing))?;
        for event in &mut commit.messages {
            let sealed = event.clone().seal(sealer).await;
            *event =
                sealed.map_err(|error| failed(&format!("sealing the personal data of {doing}"), error))?;
        }
    }
    Ok(commit)
}

async fn open(sealer: Option<&dyn Sealer>, name: &str, process: &mut StoredProcess) -> Result<(), Error> {
    let StoredProcess { key, state, compensations, .. } = process;
    for (text, item) in [(state, STATE), (compensations, COMPENSATIONS)] {
        let what = format!("process `{key}` of `{name}`");
        let stored = std::mem::take(text).into_bytes();
        *text = into_text(open_state(sealer, Place::state(name, key, item), &what, stored).await?, &what)?;
    }
    Ok(())
}

fn into_text(json: Vec<u8>, what: &str) -> Result<String, Error> {
    String::from_utf8(json).map_err(|_| {
        // What it has is not to be told.
        Error::new(
            crate::ErrorKind::Encode,
            format!("sealing or opening the personal data of {what}: what comes out is no text"),
        )
    })
}

//! What cannot be handled is given up as it came: sealed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use jitney::Env;
use jitney::handler::HandlerError;
use jitney::memory::Memory;
use jitney::message::Message;
use jitney::prelude::*;
use jitney::privacy::{
    Entry, Error, ErrorKind, Forget, Forgotten, KeyStore, MemoryKeyStore, Pseudonym, StoredPseudonym,
    Subject, Unfinished, ValueHash, WrappedKey,
};

use super::fixture::{
    PersonMoved, Seen, Setting, assert_tells_nothing, erased, moved, service, setting, subject, text, vault,
    watching,
};

fn reason(letter: &Message) -> String {
    header(letter, "jitney-dead-reason")
}

fn header(letter: &Message, name: &str) -> String {
    let header = letter.headers.iter().find(|header| header.name == name).unwrap();
    String::from_utf8(header.value.to_vec()).unwrap()
}

/// The one dead letter of an event whose handler has failed for good.
async fn given_up(setting: &Setting) -> Arc<Message> {
    let refuse =
        |_: PersonMoved| async { Err::<(), _>(HandlerError::permanent("the bank does not want it")) };
    let app = service(setting.bus.clone(), refuse).await;
    setting.bus.publish(&moved("1")).await.unwrap();
    setting.idle().await;
    app.shutdown().await.unwrap();
    setting.dead_letters().remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_sealed_and_is_handled_when_it_is_put_back() {
    let setting = setting().await;
    let letter = given_up(&setting).await;
    assert_eq!(reason(&letter), "permanent");
    assert_eq!(letter.body, setting.messages()[0].body, "untouched");
    assert_tells_nothing(&text(&letter));

    let (app, seen) = watching(setting.bus.clone()).await;
    setting.inject(&letter).await;
    setting.idle().await;
    assert_eq!(seen.taken(), [moved("1")]);
    app.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_of_somebody_who_is_forgotten_meanwhile_is_erased_when_it_is_put_back() {
    let setting = setting().await;
    let letter = given_up(&setting).await;
    setting.vault.forget(&subject("1")).await.unwrap();
    let (app, seen) = watching(setting.bus.clone()).await;
    setting.inject(&letter).await;
    setting.idle().await;
    assert_eq!(seen.taken(), [erased("1")]);
    app.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_was_tampered_with_is_given_up_as_it_came() {
    let setting = setting().await;
    let (app, seen) = watching(setting.bus.clone()).await;
    setting.bus.publish(&moved("1")).await.unwrap();
    setting.bus.publish(&moved("2")).await.unwrap();
    setting.idle().await;
    seen.taken();
    let body = String::from_utf8(setting.messages()[0].body.to_vec()).unwrap();
    for (from, to, expected) in [
        (r#""aggregateId":"1""#, r#""aggregateId":"2""#, "was changed, or sealed for another field"),
        (r#""street""#, r#""name""#, "was changed, or sealed for another field"),
        (r#""subject":"person/1""#, r#""subject":"person/2""#, "has not the key"),
        (r#""data":""#, r#""data":"-"#, "is not in base64"),
        (r#""alg":"XC20P-1""#, r#""alg":"ROT13""#, "use a newer version"),
    ] {
        let tampered = body.replacen(from, to, 1);
        assert_ne!(tampered, body, "{from}");
        let message = Message { body: tampered.into(), ..Message::clone(&setting.messages()[0]) };
        let before = setting.dead_letters().len();
        setting.inject(&message).await;
        setting.idle().await;
        let letters = setting.dead_letters();
        assert_eq!(letters.len(), before + 1, "{from}");
        assert_eq!((reason(&letters[before]).as_str(), &letters[before].body), ("refused", &message.body));
        let told = header(&letters[before], "jitney-dead-error");
        assert!(told.contains(expected), "{told}");
        assert_eq!(header(&letters[before], "jitney-dead-attempts"), "0");
    }
    assert_eq!(seen.len(), 0, "no handler was called");
    app.shutdown().await.unwrap();
}

/// Keys that are away for a while.
#[derive(Debug, Clone)]
struct Away(MemoryKeyStore, Arc<AtomicBool>);

#[async_trait]
impl KeyStore for Away {
    async fn get(&self, subject: &Subject) -> Result<Option<Entry>, Error> {
        match self.1.load(Ordering::SeqCst) {
            true => Err(Error::new(ErrorKind::Store, "asking the key store: it is away")),
            false => self.0.get(subject).await,
        }
    }

    async fn create(&self, subject: &Subject, key: WrappedKey) -> Result<Entry, Error> {
        self.0.create(subject, key).await
    }

    async fn forget(&self, forgetting: &Forget<'_>) -> Result<Forgotten, Error> {
        self.0.forget(forgetting).await
    }

    async fn followed(&self, subject: &Subject, name: &str) -> Result<(), Error> {
        self.0.followed(subject, name).await
    }

    async fn unfinished(&self, after: Option<&Subject>, limit: usize) -> Result<Vec<Unfinished>, Error> {
        self.0.unfinished(after, limit).await
    }

    async fn wrapped_otherwise(
        &self,
        current: &str,
        after: Option<&Subject>,
        limit: usize,
    ) -> Result<Vec<(Subject, WrappedKey)>, Error> {
        self.0.wrapped_otherwise(current, after, limit).await
    }

    async fn rewrap(&self, subject: &Subject, old: &WrappedKey, new: WrappedKey) -> Result<bool, Error> {
        self.0.rewrap(subject, old, new).await
    }

    async fn pseudonym(&self, new: &StoredPseudonym) -> Result<Option<Pseudonym>, Error> {
        self.0.pseudonym(new).await
    }

    async fn find_pseudonym(&self, pseudonym: &Pseudonym) -> Result<Option<StoredPseudonym>, Error> {
        self.0.find_pseudonym(pseudonym).await
    }

    async fn delete_pseudonyms(
        &self,
        subject: &Subject,
        purpose: &str,
        hash: Option<&ValueHash>,
    ) -> Result<u64, Error> {
        self.0.delete_pseudonyms(subject, purpose, hash).await
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_key_store_is_away_events_are_tried_again_and_nothing_is_erased() {
    let env = Env::seeded(1);
    let memory = Memory::builder().env(env.clone()).build();
    let (keys, away) = (MemoryKeyStore::new(), Arc::new(AtomicBool::new(true)));
    let reading = vault(Away(keys.clone(), Arc::clone(&away))).await;
    let bus = Bus::builder(memory.clone()).env(env.clone()).layer(reading.layer()).build();
    let writing =
        Bus::builder(memory.clone()).env(env.clone()).layer(vault(keys.clone()).await.layer()).build();
    let (app, seen): (_, Seen<PersonMoved>) = watching(bus).await;
    writing.publish(&moved("1")).await.unwrap();
    env.sleep(std::time::Duration::from_millis(10)).await;
    assert_eq!(seen.len(), 0);
    away.store(false, Ordering::SeqCst);
    memory.idle().await;
    assert_eq!(seen.taken(), [moved("1")]);

    // For longer than it is tried: given up sealed, never erased.
    away.store(true, Ordering::SeqCst);
    writing.publish(&moved("2")).await.unwrap();
    memory.idle().await;
    let letters = memory.messages(&jitney::dead_letter::topic("people.take"));
    assert_eq!((letters.len(), reason(&letters[0]).as_str()), (1, "refused"));
    assert_tells_nothing(&text(&letters[0]));
    assert_eq!(seen.len(), 0);
    app.shutdown().await.unwrap();
}

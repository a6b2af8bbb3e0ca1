//! An event with personal data, a service that handles it, and a vault.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jitney::app::RunningApp;
use jitney::handler::{HandlerFn, HandlerSpec};
use jitney::memory::Memory;
use jitney::message::{Message, Outbound};
use jitney::middleware::RetryPolicy;
use jitney::prelude::*;
use jitney::privacy::{KeyStore, MasterKey, MasterKeys, MemoryKeyStore, Personal, Subject, Vault};
use jitney::transport::Transport;
use jitney::{Env, Error, privacy};

pub const TOPIC: &str = "JitneyTestsPerson-events";

/// Texts that are nowhere but in personal values.
pub const SECRETS: [&str; 3] = ["Obere Str. 57", "49300", "Berguvsvägen"];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "JitneyTestsPerson", id = person)]
pub struct PersonMoved {
    pub person: String,
    /// Topics outlive a run.
    pub run: String,
    pub street: Personal<String>,
    pub phones: Vec<Personal<u64>>,
}

pub fn subject(person: &str) -> Subject {
    Subject::of("person", person).unwrap()
}

/// `person` has moved; its data is some of the [`SECRETS`].
pub fn moved(person: &str) -> PersonMoved {
    let about = subject(person);
    PersonMoved {
        person: person.to_owned(),
        run: String::new(),
        street: Personal::new(about.clone(), SECRETS[0].to_owned()),
        phones: vec![Personal::new(about.clone(), 49_300_743), Personal::new(about, 493_001)],
    }
}

/// The same, as it is read when `person` is forgotten.
pub fn erased(person: &str) -> PersonMoved {
    let about = subject(person);
    PersonMoved {
        street: Personal::erased(about.clone()),
        phones: vec![Personal::erased(about.clone()), Personal::erased(about)],
        ..moved(person)
    }
}

pub fn master() -> MasterKeys {
    MasterKeys::new(MasterKey::new("m1", [7; 32]).unwrap())
}

pub async fn vault(keys: impl KeyStore) -> Vault {
    Vault::builder(keys, master()).by("the tests").env(Env::seeded(1)).open().await.unwrap()
}

/// A broker in memory, in virtual time, with a vault in memory.
pub struct Setting {
    pub memory: Memory,
    pub vault: Vault,
    pub bus: Bus,
}

pub async fn setting() -> Setting {
    let memory = Memory::builder().env(Env::seeded(1)).build();
    let vault = vault(MemoryKeyStore::new()).await;
    let bus = Bus::builder(memory.clone()).env(Env::seeded(1)).layer(vault.layer()).build();
    Setting { memory, vault, bus }
}

impl Setting {
    /// A bus of the same broker that knows nothing of the vault.
    pub fn plain_bus(&self) -> Bus {
        Bus::builder(self.memory.clone()).env(Env::seeded(2)).build()
    }

    /// The topic's messages.
    pub fn messages(&self) -> Vec<Arc<Message>> {
        self.memory.messages(TOPIC)
    }

    /// What was given up by the group of [`service`].
    pub fn dead_letters(&self) -> Vec<Arc<Message>> {
        self.memory.messages(&jitney::dead_letter::topic("people.take"))
    }

    pub async fn idle(&self) {
        self.memory.idle().await;
    }

    /// Puts `message` into the topic as it is.
    pub async fn inject(&self, message: &Message) {
        let message = Message { topic: TOPIC.into(), ..message.clone() };
        self.memory.publish_one(Outbound { message, attributes: None }).await.into_result().unwrap();
    }
}

/// What handlers were given.
#[derive(Debug)]
pub struct Seen<T>(Arc<Mutex<Vec<T>>>);

impl<T> Default for Seen<T> {
    fn default() -> Self {
        Seen(Arc::default())
    }
}

impl<T> Clone for Seen<T> {
    fn clone(&self) -> Self {
        Seen(Arc::clone(&self.0))
    }
}

impl<T> Seen<T> {
    pub fn add(&self, one: T) {
        self.0.lock().unwrap().push(one);
    }

    pub fn taken(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// The service `people` with one handler, called `take`, that is tried three times.
pub async fn service<F, Args>(bus: Bus, handler: F) -> RunningApp
where
    F: HandlerFn<Args>,
    Args: Send + 'static,
{
    let seconds = Duration::from_secs;
    let spec = HandlerSpec::new("take").retry(RetryPolicy::attempts(3).between(seconds(1), seconds(2)));
    App::new("people", bus)
        .handlers(HandlerSet::new().handler(spec, handler))
        .keep_buses_open()
        .spawn()
        .await
        .unwrap()
}

/// The service that keeps what it sees.
pub async fn watching(bus: Bus) -> (RunningApp, Seen<PersonMoved>) {
    let seen = Seen::default();
    let log = seen.clone();
    let app = service(bus, move |event: PersonMoved| {
        log.add(event);
        std::future::ready(())
    });
    (app.await, seen)
}

/// The kind of the vault's error that `error` comes from.
pub fn kind(error: &Error) -> privacy::ErrorKind {
    privacy::Error::within(error).unwrap_or_else(|| panic!("{error:?}")).kind()
}

/// Everything of `message`, as text.
pub fn text(message: &Message) -> String {
    let headers = message.headers.iter().map(|header| String::from_utf8_lossy(&header.value).into_owned());
    let body = String::from_utf8_lossy(&message.body).into_owned();
    format!("{:?} {body} {}", message.key, headers.collect::<Vec<_>>().join(" "))
}

pub fn assert_tells_nothing(text: &str) {
    assert!(!SECRETS.iter().any(|secret| text.contains(secret)), "{text}");
}

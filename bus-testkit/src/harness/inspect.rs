//! What an application published and gave up, and assertions about it.

use std::collections::BTreeSet;
use std::fmt::Write;

use jitney_core::dead_letter;
use jitney_core::event::EventType;
use jitney_core::message::Message;
use jitney_core::{DomainEvent, Envelope, Id, RawEvent};

use super::TestApp;

impl TestApp {
    /// Every `E` that was published, in the order of the bus, each event once.
    ///
    /// # Panics
    ///
    /// When one of them cannot be read.
    pub fn published<E: DomainEvent>(&self) -> Vec<Envelope<E>> {
        let topics: BTreeSet<_> = E::accepts().into_iter().map(EventType::topic).collect();
        let names: BTreeSet<_> = E::accepts().into_iter().map(EventType::name).collect();
        let events = topics.into_iter().flat_map(|topic| self.events_of(topic));
        let events = events.filter(|event| names.contains(&*event.head().event_type));
        events
            .map(|event| match event.to_envelope() {
                Ok(envelope) => envelope,
                Err(error) => panic!("reading a published `{}`: {error}", event.head().event_type),
            })
            .collect()
    }

    /// Fails unless an `E` was published for which `holds` is true.
    ///
    /// # Panics
    ///
    /// Where there is none; the message lists what was published instead.
    #[track_caller]
    pub fn assert_published<E: DomainEvent>(&self, holds: impl Fn(&Envelope<E>) -> bool) {
        let published = self.published::<E>();
        if !published.iter().any(holds) {
            let wanted = names::<E>();
            panic!("no `{wanted}` that was published is the expected one\n{}", self.story());
        }
    }

    /// Fails unless `E` was published exactly `times`.
    ///
    /// # Panics
    ///
    /// Where it was not; the message lists what was published instead.
    #[track_caller]
    pub fn assert_published_times<E: DomainEvent>(&self, times: usize) {
        let found = self.published::<E>().len();
        let wanted = names::<E>();
        assert_eq!(found, times, "`{wanted}` was published {found} times and not {times}\n{}", self.story());
    }

    /// The dead letters of all groups, as they are stored.
    pub fn dead_letters(&self) -> Vec<Message> {
        let groups = self.running().stats();
        let topics = groups.keys().map(|group| dead_letter::topic(group));
        topics.flat_map(|topic| self.memory().messages(&topic)).map(|letter| (*letter).clone()).collect()
    }

    /// Fails when there is a dead letter.
    ///
    /// # Panics
    ///
    /// Where there is one; the message says why each was given up.
    #[track_caller]
    pub fn assert_no_dead_letters(&self) {
        let letters = self.dead_letters();
        let counted: u64 = self.running().stats().values().map(|group| group.dead_lettered).sum();
        assert!(
            letters.is_empty() && counted == 0,
            "there are {} dead letters:\n{}",
            counted,
            list_dead_letters(&letters)
        );
    }

    /// Fails unless there is a dead letter for which `holds` is true.
    ///
    /// # Panics
    ///
    /// Where there is none; the message says why each of the others was given up.
    #[track_caller]
    pub fn assert_dead_letter(&self, holds: impl Fn(&Message) -> bool) {
        let letters = self.dead_letters();
        let found = letters.iter().any(holds);
        assert!(found, "no dead letter is the expected one; there are:\n{}", list_dead_letters(&letters));
    }

    /// The events of `topic`, each once: an event that was published again after an unknown outcome is one.
    fn events_of(&self, topic: &str) -> Vec<RawEvent> {
        let mut seen: BTreeSet<Id> = BTreeSet::new();
        let decoded = self.memory().messages(topic).into_iter().filter_map(|message| {
            let decoded = self.bus().codec().decode(&message, None).ok()?;
            Some(RawEvent::new(decoded, message))
        });
        decoded.filter(|event| seen.insert(event.head().event_id.clone())).collect()
    }

    /// Everything that was published, a line each.
    fn story(&self) -> String {
        let mut story = String::from("published were:\n");
        let mut any = false;
        for topic in self.memory().topics() {
            for event in self.events_of(&topic) {
                any = true;
                let (head, payload) = (event.head(), String::from_utf8_lossy(event.payload_json()));
                // Writing into a string cannot fail.
                let _ = writeln!(story, "  {topic}: {} of {} {payload}", head.event_type, head.aggregate_id);
            }
        }
        if any { story } else { "nothing was published".to_owned() }
    }

    /// What is not settled yet, a line each group.
    pub(super) fn pending(&self) -> String {
        let groups = self.running().stats();
        groups.keys().map(|group| format!("  {group}: {} pending\n", self.memory().pending(group))).collect()
    }
}

fn names<E: DomainEvent>() -> String {
    E::TYPES.iter().map(EventType::name).collect::<Vec<_>>().join(" | ")
}

fn list_dead_letters(letters: &[Message]) -> String {
    let text = |letter: &Message, name: &str| letter.header_str(name).unwrap_or("?").to_owned();
    letters
        .iter()
        .map(|letter| {
            format!(
                "  {} in group {}: {}: {}\n",
                letter.header_str("event-type").unwrap_or("an unreadable event"),
                text(letter, "jitney-dead-group"),
                text(letter, "jitney-dead-reason"),
                text(letter, "jitney-dead-error"),
            )
        })
        .collect()
}

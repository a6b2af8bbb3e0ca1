//! What a broker and a network may do to a message, on purpose and by a seed.
//!
//! Whether a fault strikes follows from the seed, the place of the message and how many faults it has had, and not
//! from when tasks run. No message meets more than [`Faults::per_message`] of them in one group, so every run ends.

use std::time::Duration;

/// How often which fault strikes: probabilities from 0 to 1, per delivery, settlement or publish.
///
/// ```
/// use jitney_memory::{Faults, Memory};
///
/// let faults = Faults { duplicate: 0.3, crash: 0.05, ..Faults::none() };
/// let transport = Memory::builder().faults(faults).seed(7).build();
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faults {
    /// A message is delivered twice; to a group that is exactly once, only the delivery from the log has an effect.
    pub duplicate: f64,
    /// A delivery comes up to [`delay_up_to`](Faults::delay_up_to) later; where there is order, all that follow wait.
    pub delay: f64,
    /// The longest of those delays.
    pub delay_up_to: Duration,
    /// A delivery comes behind those that follow it. Only where the rules keep no order: elsewhere nothing happens.
    pub reorder: f64,
    /// Settling says that all is well, and the broker never hears it: the message comes again.
    pub drop_ack: f64,
    /// Publishing is refused, and may be tried again; what is stored as one, as one.
    pub reject: f64,
    /// Publishing is not answered; the message is stored, or it is not; what is stored as one, as one.
    pub unknown: f64,
    /// A member dies after its work and before it settles: what it holds is lost to it, and comes again.
    pub crash: f64,
    /// How many faults a message meets at most, in one group and while it is published.
    pub per_message: u32,
}

impl Faults {
    /// No faults at all.
    pub const fn none() -> Self {
        Faults {
            duplicate: 0.0,
            delay: 0.0,
            delay_up_to: Duration::from_millis(100),
            reorder: 0.0,
            drop_ack: 0.0,
            reject: 0.0,
            unknown: 0.0,
            crash: 0.0,
            per_message: 3,
        }
    }

    /// A bit of everything: what a test under many seeds meets.
    pub const fn some() -> Self {
        Faults {
            duplicate: 0.1,
            delay: 0.1,
            reorder: 0.2,
            drop_ack: 0.05,
            reject: 0.05,
            unknown: 0.05,
            crash: 0.05,
            ..Faults::none()
        }
    }

    fn probability(&self, kind: FaultKind) -> f64 {
        match kind {
            FaultKind::Duplicate => self.duplicate,
            FaultKind::Delay => self.delay,
            FaultKind::Reorder => self.reorder,
            FaultKind::DropAck => self.drop_ack,
            FaultKind::Reject => self.reject,
            FaultKind::Unknown => self.unknown,
            FaultKind::Crash => self.crash,
        }
    }
}

impl Default for Faults {
    fn default() -> Self {
        Faults::none()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    Duplicate,
    Delay,
    Reorder,
    DropAck,
    Reject,
    Unknown,
    Crash,
}

/// Decides whether faults strike.
#[derive(Debug)]
pub(crate) struct Dice {
    seed: u64,
    faults: Faults,
    on_deliveries: bool,
    on_publish: bool,
}

impl Dice {
    pub(crate) fn new(seed: u64, faults: Faults) -> Self {
        let Faults { duplicate, delay, reorder, drop_ack, crash, .. } = faults;
        Dice {
            seed,
            faults,
            on_deliveries: [duplicate, delay, reorder, drop_ack, crash].iter().any(|chance| *chance > 0.0),
            on_publish: faults.reject > 0.0 || faults.unknown > 0.0,
        }
    }

    /// Whether deliveries or settlements may meet faults at all.
    pub(crate) fn on_deliveries(&self) -> bool {
        self.on_deliveries
    }

    /// Whether publishing may meet faults at all.
    pub(crate) fn on_publish(&self) -> bool {
        self.on_publish
    }

    /// Whether `kind` strikes the message known as `identity`, which has met `met` faults, and counts it.
    pub(crate) fn strikes(&self, kind: FaultKind, identity: u64, met: &mut u32) -> bool {
        let probability = self.faults.probability(kind);
        let strikes = *met < self.faults.per_message && probability > 0.0 && {
            let roll = hash(&[self.seed, identity, kind as u64, u64::from(*met)]);
            // 53 bits: all that a double holds
            ((roll >> 11) as f64) < probability * (1_u64 << 53) as f64
        };
        *met += u32::from(strikes);
        strikes
    }

    /// How long a delay takes; at least a millisecond.
    pub(crate) fn delay(&self, identity: u64, met: u32) -> Duration {
        let most = u64::try_from(self.faults.delay_up_to.as_millis()).unwrap_or(u64::MAX).max(1);
        Duration::from_millis(1 + hash(&[self.seed, identity, u64::from(met)]) % most)
    }

    /// A coin: whether a message that is not answered was stored.
    pub(crate) fn coin(&self, identity: u64, met: u32) -> bool {
        hash(&[self.seed, identity, u64::from(met), 1]) & 1 == 1
    }
}

/// Mixes numbers into one (the finalizer of splitmix64 after each).
pub(crate) fn hash(parts: &[u64]) -> u64 {
    parts.iter().fold(0x9e37_79b9_7f4a_7c15, |hash, part| {
        let mixed = (hash ^ part).wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

/// Mixes bytes into a number.
pub(crate) fn hash_bytes(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words = words.iter().map(|word| u64::from_le_bytes(*word));
    let rest = rest.iter().rev().fold(rest.len() as u64, |tail, byte| tail << 8 | u64::from(*byte));
    words.chain([rest]).fold(0, |state, word| hash(&[state, word]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strikes_about_as_often_as_asked_and_never_more_than_the_bound() {
        let dice = Dice::new(7, Faults { duplicate: 0.3, ..Faults::none() });
        let struck = (0..10_000).filter(|id| dice.strikes(FaultKind::Duplicate, *id, &mut 0)).count();
        assert!((2_700..3_300).contains(&struck), "{struck}");

        let always = Dice::new(7, Faults { crash: 1.0, ..Faults::none() });
        let mut met = 0;
        let strikes = (0..10).filter(|_| always.strikes(FaultKind::Crash, 1, &mut met)).count();
        assert_eq!(strikes, 3);
    }

    #[test]
    fn another_seed_gives_other_faults() {
        let struck = |seed| {
            let dice = Dice::new(seed, Faults { duplicate: 0.5, ..Faults::none() });
            (0..64).map(|id| dice.strikes(FaultKind::Duplicate, id, &mut 0)).collect::<Vec<_>>()
        };
        assert_eq!(struck(1), struck(1));
        assert_ne!(struck(1), struck(2));
    }
}

//! What sealing and opening cost beside the bare cipher, and what events without personal data pay for a vault.
//!
//! ```text
//! cargo bench -p jitney-privacy
//! cargo bench -p jitney-privacy -- 2001     # rounds, 501 unless told otherwise
//! ```
//!
//! The contestants take turns; each figure is the median of the rounds. The bare cipher has the same value, the same associated data,
//! and a fresh nonce from the system for each value, as has the vault.

#![allow(clippy::disallowed_methods, reason = "a bench measures: it reads the clock by itself")]

use std::env;
use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use jitney_core::event::Version;
use jitney_core::personal::{Item, Place, Sealer};
use jitney_core::publish::{OutgoingEvent, PublishLayer};
use jitney_core::{Env, Head, Id};
use jitney_privacy::{MasterKey, MasterKeys, MemoryKeyStore, Vault};
use tokio::runtime::Builder;

type Failure = Box<dyn Error + Send + Sync>;

/// So few that most rounds are not interrupted.
const TIMES: u32 = 200;

/// What is sealed: about as long as a name or an address.
const VALUE: &str = "\"Obere Str. 57, 12209 Berlin\"";

/// About 400 bytes of an event, with what is to be sealed at the end, where the whole text has to be passed.
fn payload(personal: &str) -> Bytes {
    let lines: Vec<_> = (0..6)
        .map(|line| format!(r#"{{"product":"Queso Cabrales","quantity":{},"cents":1400}}"#, 10 + line))
        .collect();
    format!(r#"{{"order_id":"10248","customer":"ALFKI","lines":[{}],"address":{personal}}}"#, lines.join(","))
        .into()
}

/// The time of each of [`TIMES`] calls, in nanoseconds.
fn each(elapsed: Duration) -> f64 {
    elapsed.as_secs_f64() * 1e9 / f64::from(TIMES)
}

struct Bare {
    key: Key,
    associated: Vec<u8>,
}

impl Bare {
    fn seal(&self) -> Result<Vec<u8>, Failure> {
        let mut nonce = XNonce::default();
        getrandom::fill(&mut nonce)?;
        let mut out = nonce.to_vec();
        out.extend_from_slice(VALUE.as_bytes());
        let cipher = XChaCha20Poly1305::new(&self.key);
        let tag = cipher
            .encrypt_inout_detached(&nonce, &self.associated, (&mut out[24..]).into())
            .map_err(|_| "the cipher refuses")?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, Failure> {
        let (nonce, rest) = sealed.split_at(24);
        let (text, tag) = rest.split_at(rest.len() - 16);
        let mut out = text.to_vec();
        let cipher = XChaCha20Poly1305::new(&self.key);
        cipher
            .decrypt_inout_detached(
                &nonce.try_into()?,
                &self.associated,
                (&mut out[..]).into(),
                &tag.try_into()?,
            )
            .map_err(|_| "it does not open")?;
        Ok(out)
    }
}

struct Setting {
    bare: Bare,
    vault: Vault,
    id: Id,
    head: Head,
}

impl Setting {
    async fn new() -> Result<Self, Failure> {
        let env = Env::system();
        let (id, version) = (env.new_id(), Version::new(1, 0));
        let head = Head::new(id.clone(), "OrderPlaced", "Order", "10248".to_owned(), env.now(), version);
        let bare = Bare { key: Key::from([7; 32]), associated: vec![b'a'; 190] };
        let master = MasterKeys::new(MasterKey::random("bench")?);
        let vault = Vault::builder(MemoryKeyStore::new(), master).forget_within(Duration::from_secs(3600));
        Ok(Setting { bare, vault: vault.open().await?, id, head })
    }

    fn place(&self) -> Place<'_> {
        Place { aggregate_type: "Order", aggregate_id: "10248", item: Item::Event(&self.id) }
    }

    /// One round of all contestants.
    async fn round(&self) -> Result<Vec<f64>, Failure> {
        let open = payload(&format!(r#"{{"$personal":{{"subject":"customer/ALFKI","value":{VALUE}}}}}"#));
        let plain = payload(VALUE);
        let sealed = self.vault.seal(self.place(), open.clone()).await?;
        let bare_sealed = self.bare.seal()?;
        let mut figures = Vec::new();

        let started = Instant::now();
        for _ in 0..TIMES {
            black_box(self.bare.seal()?);
        }
        figures.push(each(started.elapsed()));

        let started = Instant::now();
        for _ in 0..TIMES {
            black_box(self.vault.seal(self.place(), black_box(open.clone())).await?);
        }
        figures.push(each(started.elapsed()));

        let started = Instant::now();
        for _ in 0..TIMES {
            black_box(self.bare.open(black_box(&bare_sealed))?);
        }
        figures.push(each(started.elapsed()));

        let started = Instant::now();
        for _ in 0..TIMES {
            black_box(self.vault.open(self.place(), black_box(sealed.clone())).await?);
        }
        figures.push(each(started.elapsed()));

        let layer = self.vault.layer();
        let mut event = OutgoingEvent { head: self.head.clone(), payload: plain.clone() };
        let started = Instant::now();
        for _ in 0..TIMES {
            layer.outgoing(black_box(&mut event)).await?;
        }
        figures.push(each(started.elapsed()));

        let started = Instant::now();
        for _ in 0..TIMES {
            black_box(self.vault.open(self.place(), black_box(plain.clone())).await?);
        }
        figures.push(each(started.elapsed()));
        Ok(figures)
    }
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if arguments.is_empty() {
        return Ok(()); // `cargo test --benches`: `cargo bench` says `--bench`
    }
    let rounds = match arguments.iter().find(|argument| *argument != "--bench") {
        None => 501,
        Some(rounds) => rounds.parse().ok().filter(|rounds| *rounds > 0).ok_or_else(|| {
            format!("`{rounds}` is no number of rounds; give one from 1, as in `cargo bench -p jitney-privacy -- 2001`")
        })?,
    };
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let figures = runtime.block_on(async {
        let setting = Setting::new().await?;
        let mut figures = Vec::new();
        for _ in 0..rounds {
            figures.push(setting.round().await?);
        }
        Ok::<_, Failure>(figures)
    })?;
    let of = |column: usize| median(figures.iter().map(|round| round[column]));
    let beyond = |ours: usize, bare: usize| median(figures.iter().map(|round| round[ours] - round[bare]));
    println!("| | bare cipher, ns | vault, ns | beyond, ns |");
    println!("|:--|--:|--:|--:|");
    println!("| seal a field of {} bytes | {:.0} | {:.0} | {:.0} |", VALUE.len(), of(0), of(1), beyond(1, 0));
    println!("| open it | {:.0} | {:.0} | {:.0} |", of(2), of(3), beyond(3, 2));
    println!("| no personal data, outgoing | 0 | {:.0} | {:.0} |", of(4), of(4));
    println!("| no personal data, incoming | 0 | {:.0} | {:.0} |", of(5), of(5));
    Ok(())
}

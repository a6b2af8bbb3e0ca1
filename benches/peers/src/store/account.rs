//! What every contestant stores: deposits of about 300 bytes as JSON, on accounts that add them up.

use jitney::DomainEvent;
use jitney::sourcing::{Aggregate, Events};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The type of the accounts' streams.
pub const AGGREGATE: &str = "Account";

/// What has happened to an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Account")]
pub enum AccountEvent {
    Deposited(Deposit),
}

/// The part of it that all contestants have in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deposit {
    pub cents: u64,
    pub currency: String,
    pub from: String,
    pub reference: String,
    pub note: String,
}

impl Deposit {
    /// The deposit of one cent that all of them make.
    pub fn new() -> Self {
        Deposit {
            cents: 1,
            currency: "EUR".to_owned(),
            from: "DE02 1203 0000 0000 2020 51, Jane Q. Public".to_owned(),
            reference: "7f3c9a52-51f4-4a52-9d0f-3f1f0c0f7c11".to_owned(),
            note: "Rent for the flat on the second floor, with what was left open in the month before; \
                   thank you for your patience, and greetings to all of you"
                .to_owned(),
        }
    }
}

/// An account: the sum of what was deposited.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Account {
    pub cents: u64,
}

impl Account {
    pub fn add(&mut self, deposit: &Deposit) {
        self.cents += deposit.cents;
    }
}

/// Nothing is refused here.
#[derive(Debug, thiserror::Error)]
#[error("refused")]
pub struct Refused;

impl Aggregate for Account {
    type Event = AccountEvent;
    type Command = Deposit;
    type Error = Refused;

    fn decide(&self, deposit: Deposit) -> Result<Events<AccountEvent>, Refused> {
        Ok(AccountEvent::Deposited(deposit).into())
    }

    fn evolve(&mut self, AccountEvent::Deposited(deposit): &AccountEvent) {
        self.add(deposit);
    }
}

//! The aggregate of these tests.

use std::fmt;

use jitney::prelude::*;
use schemars::JsonSchema;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Account")]
pub(crate) enum AccountEvent {
    Opened { owner: String },
    Deposited { cents: u64 },
    Withdrawn { cents: u64 },
}

#[derive(Debug, Clone)]
pub(crate) enum Command {
    Open {
        owner: String,
    },
    Deposit {
        cents: u64,
    },
    /// Pays `cents` in, in so many parts.
    DepositInParts {
        cents: u64,
        parts: u64,
    },
    Withdraw {
        cents: u64,
    },
}

#[derive(Debug, PartialEq)]
pub(crate) enum Refusal {
    AlreadyOpen,
    NotOpen,
    Overdrawn { by: u64 },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::AlreadyOpen => f.write_str("the account is open already"),
            Refusal::NotOpen => f.write_str("the account is not open"),
            Refusal::Overdrawn { by } => write!(f, "the account would be overdrawn by {by} cents"),
        }
    }
}

impl std::error::Error for Refusal {}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Account {
    pub(crate) owner: Option<String>,
    pub(crate) cents: u64,
}

impl Aggregate for Account {
    type Event = AccountEvent;
    type Command = Command;
    type Error = Refusal;

    fn decide(&self, command: Command) -> Result<Events<AccountEvent>, Refusal> {
        match command {
            Command::Open { .. } if self.owner.is_some() => Err(Refusal::AlreadyOpen),
            Command::Open { owner } => Ok(AccountEvent::Opened { owner }.into()),
            _ if self.owner.is_none() => Err(Refusal::NotOpen),
            Command::Deposit { cents: 0 } => Ok(Events::none()),
            Command::Deposit { cents } => Ok(AccountEvent::Deposited { cents }.into()),
            Command::DepositInParts { cents, parts } => Ok((0..parts)
                .map(|_| AccountEvent::Deposited { cents: cents / parts })
                .collect::<Vec<_>>()
                .into()),
            Command::Withdraw { cents } if cents > self.cents => {
                Err(Refusal::Overdrawn { by: cents - self.cents })
            }
            Command::Withdraw { cents } => Ok(AccountEvent::Withdrawn { cents }.into()),
        }
    }

    fn evolve(&mut self, event: &AccountEvent) {
        match event {
            AccountEvent::Opened { owner } => self.owner = Some(owner.clone()),
            AccountEvent::Deposited { cents } => self.cents += cents,
            AccountEvent::Withdrawn { cents } => self.cents -= cents,
        }
    }
}

pub(crate) fn open() -> Command {
    Command::Open { owner: "Ada".to_owned() }
}

pub(crate) fn opened() -> AccountEvent {
    AccountEvent::Opened { owner: "Ada".to_owned() }
}

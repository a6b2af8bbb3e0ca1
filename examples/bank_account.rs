//! An account that is never overdrawn, however many withdraw from it at once: each withdrawal is decided on the newest
//! state, and a salary that is sent twice is paid once.

use std::fmt;

use jitney::prelude::*;
use jitney::sourcing::{AsOf, HandleError, MemoryStore};

#[derive(Debug, Serialize, Deserialize, DomainEvent)]
#[event(aggregate = "Account")]
enum AccountEvent {
    Opened { owner: String },
    Deposited { cents: u64 },
    Withdrawn { cents: u64 },
}

#[derive(Debug, Clone)]
enum Command {
    Open { owner: String },
    Deposit { cents: u64 },
    Withdraw { cents: u64 },
}

#[derive(Debug, PartialEq)]
enum Refusal {
    AlreadyOpen,
    NotOpen,
    Overdrawn { missing: u64 },
    TooMuch,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::AlreadyOpen => f.write_str("the account is open already"),
            Refusal::NotOpen => f.write_str("there is no such account"),
            Refusal::Overdrawn { missing } => write!(f, "{missing} cents are missing"),
            Refusal::TooMuch => f.write_str("that is more than an account can hold"),
        }
    }
}

impl std::error::Error for Refusal {}

#[derive(Debug, Default)]
struct Account {
    owner: Option<String>,
    cents: u64,
}

impl Aggregate for Account {
    type Event = AccountEvent;
    type Command = Command;
    type Error = Refusal;

    fn decide(&self, command: Command) -> Result<Events<AccountEvent>, Refusal> {
        match (command, &self.owner) {
            (Command::Open { .. }, Some(_)) => Err(Refusal::AlreadyOpen),
            (Command::Open { owner }, None) => Ok(AccountEvent::Opened { owner }.into()),
            (_, None) => Err(Refusal::NotOpen),
            (Command::Deposit { cents }, _) => match self.cents.checked_add(cents) {
                Some(_) => Ok(AccountEvent::Deposited { cents }.into()),
                None => Err(Refusal::TooMuch),
            },
            (Command::Withdraw { cents }, _) => match cents.checked_sub(self.cents) {
                Some(missing) if missing > 0 => Err(Refusal::Overdrawn { missing }),
                _ => Ok(AccountEvent::Withdrawn { cents }.into()),
            },
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

#[tokio::main]
async fn main() -> jitney::Result<()> {
    let accounts = Repository::<Account>::new(MemoryStore::new());
    accounts.handle("a-1", Command::Open { owner: "Ada".into() }).await?;
    accounts.handle("a-1", Command::Deposit { cents: 100 }).await?;

    let withdraw = |cents| accounts.handle("a-1", Command::Withdraw { cents });
    match tokio::join!(withdraw(70), withdraw(70)) {
        (Ok(_), Err(HandleError::Rejected(refusal))) | (Err(HandleError::Rejected(refusal)), Ok(_)) => {
            println!("one of two withdrawals was refused: {refusal}");
        }
        outcome => println!("this cannot be: {outcome:?}"),
    }

    let salary = Command::Deposit { cents: 500 };
    for _ in 0..2 {
        let handled = accounts.request().command_id("salary-2026-11").handle("a-1", salary.clone()).await?;
        println!("{} cents; handled before: {}", handled.state.cents, handled.was_handled_before);
    }

    let before = accounts.load_as_of("a-1", AsOf::Sequence(2)).await?;
    println!("{} cents behind the first deposit, of {:?}", before.cents, before.owner);
    Ok(())
}

#[cfg(test)]
mod tests {
    use jitney_testkit::given;

    use super::*;

    fn opened() -> AccountEvent {
        AccountEvent::Opened { owner: "Ada".into() }
    }

    #[test]
    fn what_is_there_can_be_withdrawn_and_no_more() {
        given::<Account>([opened(), AccountEvent::Deposited { cents: 100 }])
            .when(Command::Withdraw { cents: 100 })
            .then([AccountEvent::Withdrawn { cents: 100 }])
            .when(Command::Withdraw { cents: 1 })
            .then_refused(Refusal::Overdrawn { missing: 1 });
    }

    #[test]
    fn a_deposit_that_could_not_be_counted_is_refused() {
        given::<Account>([opened(), AccountEvent::Deposited { cents: 1 }])
            .when(Command::Deposit { cents: u64::MAX })
            .then_refused(Refusal::TooMuch);
    }

    #[test]
    fn nothing_is_done_to_an_account_that_is_not_open() {
        given::<Account>([]).when(Command::Deposit { cents: 1 }).then_refused(Refusal::NotOpen);
        given::<Account>([opened()])
            .when(Command::Open { owner: "Bob".into() })
            .then_refused(Refusal::AlreadyOpen);
    }
}

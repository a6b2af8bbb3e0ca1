//! The command line: from arguments to a run, and from its figures to text.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::sync::Arc;

use indicatif::ProgressBar;
use jitney::prelude::*;
#[cfg(feature = "privacy")]
use jitney::privacy::Vault;
use jitney::{Error, ErrorKind, error_chain};

use super::app::{Views, every_part, parts};
use super::arguments::{Arguments, Query};
use super::audit::Audit;
use super::gather::gather;
use super::history::read_history;
use super::input::{Catalogue, Reject};
use super::processes::serve;
use super::projection::Journal;
use super::rejects::Rejects;
use super::report::Report;
use super::role::Role;
use super::run::{Ending, Work};
use super::scope::Scope;
use super::stock::Stock;
use super::store::{Sealed, Store};
use super::whole::whole;
use super::{follow, progress, query, rebuild};

/// Where the Northwind data are.
pub const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/orders/data");

/// What a process ends with.
pub const FINE: u8 = 0;
/// A failure: of the bus, of a file, or of orders that never reached their end.
pub const FAILED: u8 = 1;
/// All went well but for lines of the input that are no orders.
pub const REJECTED: u8 = 2;
/// Arguments that are wrong, or do not go together: nothing was done.
pub const MISUSED: u8 = 2;

/// What keeps a process from ending well, and what it ends with instead.
struct Failure(u8, String);

impl From<String> for Failure {
    fn from(what: String) -> Self {
        Failure(FAILED, what)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure(FAILED, error_chain(&error))
    }
}

/// Does what `arguments` say. Answers what the process is to end with.
pub async fn perform(
    arguments: &Arguments,
    bar: &ProgressBar,
    out: &mut impl Write,
    err: &mut impl Write,
) -> u8 {
    match attempt(arguments, bar, out, err).await {
        Ok(code) => code,
        Err(Failure(code, error)) => {
            // Nobody is left to be told that the standard error is closed.
            let _ = writeln!(err, "error: {error}");
            code
        }
    }
}

async fn attempt(
    arguments: &Arguments,
    bar: &ProgressBar,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<u8, Failure> {
    if let Some(what) = arguments.misuse() {
        return Err(Failure(MISUSED, what.to_owned()));
    }
    if let Some(query) = &arguments.query {
        return answer(arguments, query, bar, out, err).await;
    }
    let catalogue = Catalogue::read(&Path::new(DATA).join("products.jsonl"))?;
    let history = arguments.history.as_deref().map(read_history).transpose()?.unwrap_or_default();
    let vault = vault(arguments).await?;
    let store = open_store(arguments, &vault).await?;
    let work = Work {
        store: store.as_ref(),
        input: open(arguments.input.as_deref())?,
        catalogue: &catalogue,
        history: &history,
        repeat: arguments.repeat as usize,
    };
    let mut views = Views {
        audit: Audit::new(arguments.follow.clone()),
        stock: Stock::new(catalogue.in_stock()),
        ..Views::default()
    };
    #[cfg(feature = "privacy")]
    if let Some(customers) = &arguments.customers {
        let customers = super::mail::Customers::read(customers)?;
        views.mail = Some(super::mail::Mail { customers, ..Default::default() });
    }
    let mut rejects = Rejects::new(&arguments.rejects);
    let rejected = |reject: Reject| {
        // A closed standard error is no reason to stop.
        bar.suspend(|| drop(writeln!(err, "line {}: {}", reject.number, reject.why)));
        rejects.add(&reject.line);
    };
    let done =
        reach(arguments, vault, &mut views, work, rejected, |done, all| progress::show(bar, done, all)).await;
    bar.finish_and_clear();
    let (ending, report) = done?;

    if let Some(report) = report {
        print(arguments, &views, &report, out, err)
            .map_err(|error| format!("writing the report: {error}"))?;
    }
    let rejected = rejects.finish()?;
    if rejected > 0 {
        let _ =
            writeln!(err, "rejected {rejected} of the lines; they are in {}", arguments.rejects.display());
    }
    match ending {
        Ending::Missing(what) => Err(what.into()),
        Ending::Complete if rejected > 0 => Ok(REJECTED),
        Ending::Complete => Ok(FINE),
    }
}

/// Does what the roles are for, until it is done. Answers the figures, where it has them.
async fn reach<R: BufRead>(
    arguments: &Arguments,
    vault: Option<Vault>,
    views: &mut Views,
    work: Work<'_, R>,
    rejected: impl FnMut(Reject),
    mut progressed: impl FnMut(usize, usize),
) -> Result<(Ending, Option<Report>), Failure> {
    let (ending, report) = match (&*arguments.roles, &arguments.state) {
        ([Role::Report], Some(state)) => {
            gather(Bus::connect("memory://").await?, state, views, progressed).await?
        }
        (roles, Some(state)) => {
            let placed = |_, sent| progressed(sent, sent);
            part(arguments, roles, state, views, work, rejected, placed).await?;
            return Ok((Ending::Complete, None));
        }
        (_, None) => {
            let bus = sealed(connect(arguments).await?, vault);
            whole(bus, views, work, rejected, progressed).await?
        }
    };
    Ok((ending, Some(report)))
}

/// One process of a run of several.
async fn part<R: BufRead>(
    arguments: &Arguments,
    roles: &[Role],
    state: &Path,
    views: &mut Views,
    work: Work<'_, R>,
    rejected: impl FnMut(Reject),
    progressed: impl FnMut(usize, usize),
) -> Result<(), Failure> {
    let bus = connect(arguments).await?;
    if !bus.capabilities().durable {
        let what = format!(
            "`--role` needs a broker, and nobody else can join {}: `--bus kafka://…`, or JITNEY_URL",
            bus.transport().describe()
        );
        return Err(Failure(MISUSED, what));
    }
    views.scope = Scope::shared(bus.env(), state)?;
    let journal = Journal::new(state, bus.env());
    // Of all roles: what one publishes waits for those that have not started.
    every_part(bus.clone(), views).state(journal.clone()).provision().await?;
    let parts = parts(bus, views, roles).state(journal);
    Ok(serve(parts, views, roles, state, work, rejected, progressed).await?)
}

/// Answers `asked`, from what a store has.
async fn answer(
    arguments: &Arguments,
    asked: &Query,
    bar: &ProgressBar,
    out: &mut impl Write,
    err: &mut impl Write,
) -> Result<u8, Failure> {
    let vault = vault(arguments).await?;
    let Some(store) = open_store(arguments, &vault).await? else { return Ok(MISUSED) };
    match asked {
        Query::Replay { aggregate } => query::replay(&store, aggregate, out).await?,
        Query::Book => rebuild::show(&store, out).await?,
        Query::Rebuild => rebuild::rebuild(&store, bar, out).await?,
        #[cfg(feature = "privacy")]
        Query::Phones => super::phone_list::show(&store, out).await?,
        #[cfg(feature = "privacy")]
        Query::Forget { customer, within } => {
            let keys = arguments.keys.as_deref().unwrap_or_default();
            let within = std::time::Duration::from_secs(*within);
            super::keys::forget(&store, super::keys::at(Some(keys)).await?, customer, within, out).await?;
        }
        Query::AsOf { time, aggregate: Some(aggregate) } => {
            query::order_as_of(&store, aggregate, *time, out).await?;
        }
        Query::AsOf { time, aggregate: None } => {
            let views = Views::default();
            let bus = sealed(Bus::connect("memory://").await?, vault);
            let report = query::as_of(bus, &store, *time, &views).await?;
            print(arguments, &views, &report, out, err)
                .map_err(|error| format!("writing the report: {error}"))?;
        }
    }
    Ok(FINE)
}

/// The store that was asked for, where one was.
async fn open_store(arguments: &Arguments, vault: &Option<Vault>) -> Result<Option<Store>, Failure> {
    let Some(url) = &arguments.store else { return Ok(None) };
    let sealer = vault.clone().map(|vault| Arc::new(vault) as Sealed);
    let opened = match arguments.query {
        Some(_) => Store::open_existing(url, sealer).await,
        None => Store::open(url, sealer).await,
    };
    let is_misuse = |error: &Error| error.kind() == ErrorKind::Config;
    opened
        .map(Some)
        .map_err(|error| Failure(if is_misuse(&error) { MISUSED } else { FAILED }, error_chain(&error)))
}

/// What seals the names and phones of customers, where there are any.
#[cfg(feature = "privacy")]
async fn vault(arguments: &Arguments) -> Result<Option<Vault>, Failure> {
    match (&arguments.keys, &arguments.customers) {
        (None, None) => Ok(None),
        (keys, _) => {
            let opened = super::keys::at(keys.as_deref()).await?.open().await;
            Ok(Some(opened.map_err(|error| error_chain(&error))?))
        }
    }
}

#[cfg(feature = "privacy")]
fn sealed(bus: Bus, vault: Option<Vault>) -> Bus {
    match vault {
        Some(vault) => bus.with_layer(vault.layer()),
        None => bus,
    }
}

#[cfg(not(feature = "privacy"))]
type Vault = Sealed;

#[cfg(not(feature = "privacy"))]
async fn vault(_: &Arguments) -> Result<Option<Vault>, Failure> {
    Ok(None)
}

#[cfg(not(feature = "privacy"))]
fn sealed(bus: Bus, _: Option<Vault>) -> Bus {
    bus
}

async fn connect(arguments: &Arguments) -> jitney::Result<Bus> {
    match &arguments.bus {
        Some(url) => Bus::connect(url).await,
        None => Bus::from_env().await,
    }
}

fn open(input: Option<&Path>) -> Result<Box<dyn BufRead>, String> {
    let standard = Path::new(DATA).join("orders.jsonl");
    let path = input.unwrap_or(&standard);
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let file = File::open(path).map_err(|error| format!("opening {}: {error}", path.display()))?;
    Ok(Box::new(BufReader::new(file)))
}

fn print(
    arguments: &Arguments,
    views: &Views,
    report: &Report,
    out: &mut impl Write,
    err: &mut impl Write,
) -> std::io::Result<()> {
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(report)?)?;
    } else {
        writeln!(out, "{report}")?;
        if arguments.roles.is_empty() && arguments.query.is_none() {
            writeln!(out, "notifications {}", views.gateway.sent())?;
            #[cfg(feature = "privacy")]
            if let Some(mail) = &views.mail {
                let letters = mail.letters.written();
                let to_nobody = letters.values().filter(|recipient| recipient.is_none()).count();
                writeln!(
                    out,
                    "letters {}, and {to_nobody} to somebody who is forgotten",
                    letters.len() - to_nobody
                )?;
            }
        }
    }
    if let Some(order_id) = &arguments.follow {
        let tree = follow::tree(order_id, views.audit.followed());
        if arguments.json { write!(err, "{tree}")? } else { write!(out, "\n{tree}")? }
    }
    out.flush()
}

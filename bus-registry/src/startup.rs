//! What happens before an application has its codec: schemas are checked and registered, and it does not start where one is
//! refused.

use std::collections::BTreeMap;

use rapidhash::RapidHashMap;

use crate::codec::Outgoing;
use crate::declared::Declared;
use crate::format::{Compiled, Reader};
use crate::{Compatibility, Error, ErrorKind, Schema, SchemaRegistry, SubjectNaming, Verdict};
use jitney_core::error_chain;

/// How schemas are brought into a registry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) naming: SubjectNaming,
    pub(crate) rule: Option<Compatibility>,
    pub(crate) register: bool,
}

/// What the codec starts with.
#[derive(Debug, Default)]
pub(crate) struct Warm {
    pub(crate) outgoing: RapidHashMap<&'static str, Vec<Outgoing>>,
    pub(crate) readers: RapidHashMap<u32, Reader>,
}

/// An event whose schema is ready for use.
struct Ready {
    declared: Declared,
    schema: Schema,
    subject: String,
    compiled: Compiled,
    id: Option<u32>,
}

/// The problems found so far.
#[derive(Default)]
struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, declared: &Declared, subject: Option<&str>, why: &str) {
        let event_type = declared.event_type;
        self.0.push(match subject {
            Some(subject) => format!("`{event_type}` under the subject `{subject}`: {why}"),
            None => format!("`{event_type}`: {why}"),
        });
    }

    /// Adds what the registry says of one schema; what it says of none, as when it is down, ends the start.
    fn add_error(&mut self, ready: &Ready, error: Error) -> Result<(), Error> {
        match error.kind() {
            ErrorKind::Unavailable | ErrorKind::Unauthorized | ErrorKind::Nonsense => Err(error),
            _ => {
                self.add(&ready.declared, Some(&ready.subject), &error_chain(&error));
                Ok(())
            }
        }
    }

    fn into_result(self, registry: &dyn SchemaRegistry) -> Result<(), Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let what = format!(
            "starting with the schema registry at {}, which then has nothing new:\n  - {}",
            registry.describe(),
            self.0.join("\n  - ")
        );
        Err(Error::new(ErrorKind::Start, what))
    }
}

/// Finds or registers the schema of each of `declared`: of all or, where one is refused, of none.
pub(crate) async fn start(
    registry: &dyn SchemaRegistry,
    declared: Vec<Declared>,
    plan: Plan,
) -> Result<Warm, Error> {
    let mut problems = Problems::default();
    let mut ready = compiled(declared, plan.naming, &mut problems);
    for ready in &mut ready {
        check(registry, ready, plan, &mut problems).await?;
    }
    problems.into_result(registry)?;
    let mut problems = Problems::default();
    for ready in ready.iter_mut().filter(|ready| ready.id.is_none()) {
        match registry.register(&ready.subject, &ready.schema).await {
            Ok(id) => ready.id = Some(id),
            // It was compatible just now, and another one came between.
            Err(error) => problems.add_error(ready, error)?,
        }
    }
    problems.into_result(registry)?;
    Ok(warm(ready))
}

fn compiled(declared: Vec<Declared>, naming: SubjectNaming, problems: &mut Problems) -> Vec<Ready> {
    let mut all: Vec<Ready> = Vec::with_capacity(declared.len());
    let mut subjects: BTreeMap<String, usize> = BTreeMap::new();
    for mut declared in declared {
        let taken = Err(Error::new(ErrorKind::Config, "taken"));
        let ready = std::mem::replace(&mut declared.schema, taken).and_then(|schema| {
            let compiled = Compiled::of(&schema, declared.message.as_deref())?;
            Ok((schema, compiled))
        });
        let (schema, compiled) = match ready {
            Ok(ready) => ready,
            Err(error) => {
                problems.add(&declared, None, &error_chain(&error));
                continue;
            }
        };
        let subject = naming.subject(declared.event_type.topic(), &compiled.record);
        if let Some(&other) = subjects.get(&subject) {
            let other: &Ready = &all[other];
            if other.declared.event_type == declared.event_type && other.schema == schema {
                continue;
            }
            let why = format!(
                "`{}` is under it too; name subjects by records (`SubjectNaming::TopicRecordName`), and records differently",
                other.declared.event_type
            );
            problems.add(&declared, Some(&subject), &why);
            continue;
        }
        subjects.insert(subject.clone(), all.len());
        all.push(Ready { declared, schema, subject, compiled, id: None });
    }
    all
}

/// Finds the schema, or finds out whether it can be registered.
async fn check(
    registry: &dyn SchemaRegistry,
    ready: &mut Ready,
    plan: Plan,
    problems: &mut Problems,
) -> Result<(), Error> {
    match checked(registry, ready, plan).await {
        Ok(None) => Ok(()),
        Ok(Some(why)) => {
            problems.add(&ready.declared, Some(&ready.subject), &why);
            Ok(())
        }
        Err(error) => problems.add_error(ready, error),
    }
}

/// Answers why it cannot be, where it cannot.
async fn checked(
    registry: &dyn SchemaRegistry,
    ready: &mut Ready,
    plan: Plan,
) -> Result<Option<String>, Error> {
    let Ready { subject, schema, .. } = ready;
    ready.id = registry.find(subject, schema).await?;
    if ready.id.is_some() {
        return Ok(None);
    }
    if !plan.register {
        let why = "its schema is not registered; register it before it is deployed, or let the application do so (`auto_register`)";
        return Ok(Some(why.to_owned()));
    }
    if let Some(rule) = plan.rule {
        registry.set_rule(subject, rule).await?;
    }
    match registry.check(subject, schema).await? {
        Verdict::Compatible => Ok(None),
        Verdict::Incompatible(words) if !words.is_empty() => {
            Ok(Some(format!("it is incompatible, the registry says: {}", words.join("; "))))
        }
        // Some registries say why only to whoever wants to register it, which they refuse.
        Verdict::Incompatible(_) => {
            ready.id = Some(registry.register(subject, schema).await?);
            Ok(None)
        }
    }
}

fn warm(all: Vec<Ready>) -> Warm {
    let mut warm = Warm::default();
    for Ready { declared, compiled: Compiled { reader, writer, .. }, id, .. } in all {
        let id = id.expect("what has no id by now is a problem");
        let event_type = declared.event_type;
        warm.readers.insert(id, reader);
        let (aggregate, version) = (event_type.aggregate(), event_type.version());
        let outgoing = Outgoing { aggregate, version, id, writer };
        warm.outgoing.entry(event_type.name()).or_default().push(outgoing);
    }
    // The highest minor version of a major one is found first.
    for versions in warm.outgoing.values_mut() {
        versions.sort_by_key(|outgoing| std::cmp::Reverse(outgoing.version));
    }
    warm
}

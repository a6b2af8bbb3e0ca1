//! An application as data: what goes where, who handles it, and how.

use std::collections::BTreeMap;

use serde::Serialize;

use super::plan::PlannedGroup;
use crate::Capabilities;
use crate::event::EventType;
use crate::handler::Accepts;
use crate::publish::Bus;
use crate::transport::Mode;

/// Everything that an application does, as data.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Description {
    /// The name of the service.
    pub service: String,
    /// The application's bus first, then the named ones.
    pub buses: Vec<BusDescription>,
    /// The groups by name.
    pub groups: Vec<GroupDescription>,
}

/// One bus.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct BusDescription {
    /// Its name; none for the application's own.
    pub name: Option<String>,
    /// Where it leads, without credentials.
    pub transport: String,
    /// What it can do.
    pub capabilities: Capabilities,
}

/// One group.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct GroupDescription {
    /// Its full name.
    pub name: String,
    /// The name of its bus; none for the application's own.
    pub bus: Option<String>,
    /// Whether every process gets every event.
    pub broadcast: bool,
    /// Whether outputs become visible in one transaction with the settling of what caused them.
    pub exactly_once: bool,
    /// So many lanes run at once.
    pub concurrency: usize,
    /// The topics that it reads.
    pub topics: Vec<String>,
    /// Its handlers by name.
    pub handlers: Vec<HandlerDescription>,
}

/// One handler.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct HandlerDescription {
    /// Its name.
    pub name: String,
    /// The event types that it takes, old ones that are upcast included; none where it takes every event.
    pub events: Vec<EventType>,
    /// How often it is tried.
    pub attempts: u32,
    /// Whether it handles each event once.
    pub idempotent: bool,
}

pub(super) fn describe(
    service: &str,
    bus: &Bus,
    named: &BTreeMap<String, Bus>,
    groups: &[PlannedGroup],
) -> Description {
    let describe_bus = |name: Option<&String>, bus: &Bus| BusDescription {
        name: name.cloned(),
        transport: bus.transport().describe(),
        capabilities: bus.capabilities().clone(),
    };
    let others = named.iter().map(|(name, bus)| describe_bus(Some(name), bus));
    Description {
        service: service.to_owned(),
        buses: std::iter::once(describe_bus(None, bus)).chain(others).collect(),
        groups: groups.iter().map(describe_group).collect(),
    }
}

fn describe_group(planned: &PlannedGroup) -> GroupDescription {
    let routes = planned.group.router.routes().into_iter();
    GroupDescription {
        name: planned.group.name.clone(),
        bus: planned.bus.clone(),
        broadcast: planned.subscription.mode == Mode::Broadcast,
        exactly_once: planned.group.exactly_once,
        concurrency: planned.group.limits.concurrency,
        topics: planned.subscription.interests.iter().map(|interest| interest.topic.clone()).collect(),
        handlers: routes
            .map(|route| HandlerDescription {
                name: route.name.clone(),
                events: match &route.accepts {
                    Accepts::Types(types) => types.iter().map(|event_type| **event_type).collect(),
                    Accepts::Everything => Vec::new(),
                },
                attempts: route.retry.attempts,
                idempotent: route.is_idempotent(),
            })
            .collect(),
    }
}

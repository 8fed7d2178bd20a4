//! Who takes part, in what.

use std::path::Path;

use super::server::Server;
use super::{node, unbroken};
use crate::Failure;
use crate::size::Size;
use crate::summary::Run;

/// A way to store the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The real binary with a real configuration.
    Unbroken,
    /// Node with one transaction per event.
    NodeOne,
    /// Node with transactions of up to 1,000 events.
    NodeBatch,
    /// Node that writes lines and never syncs.
    NodeNdjson,
}

/// One contestant: a way to store, and the conditions.
#[derive(Clone, Debug)]
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) tls: bool,
    pub(crate) agents: usize,
    pub(crate) events: usize,
    /// Frames per second; 0: as fast as it can.
    pub(crate) rate: usize,
}

/// Where the programs are, and where files may be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    pub(crate) unbroken: &'a Path,
    pub(crate) node: &'a Path,
    pub(crate) dir: &'a Path,
}

/// All of them.
pub(crate) fn entrants(size: &Size) -> Vec<Entrant> {
    let fast =
        |name, kind, tls, events| Entrant { name, kind, tls, agents: size.agents, events, rate: 0 };
    let paced = |name, kind| Entrant {
        name,
        kind,
        tls: false,
        agents: size.agents,
        events: size.events_paced,
        rate: size.rate,
    };
    let many = Entrant {
        agents: size.agents_many,
        ..fast("unbroken-many-agents", Kind::Unbroken, false, size.events)
    };
    vec![
        fast("unbroken", Kind::Unbroken, false, size.events),
        fast("node-one", Kind::NodeOne, false, size.events_one_by_one),
        fast("node-batch", Kind::NodeBatch, false, size.events),
        fast("node-ndjson", Kind::NodeNdjson, false, size.events),
        fast("unbroken-tls", Kind::Unbroken, true, size.events),
        fast("node-batch-tls", Kind::NodeBatch, true, size.events),
        fast("unbroken-twice", Kind::Unbroken, false, size.events * 2),
        many,
        paced("unbroken-paced", Kind::Unbroken),
        paced("node-batch-paced", Kind::NodeBatch),
    ]
}

impl Entrant {
    /// Runs it once; what it has stored is checked.
    pub(crate) fn run(&self, server: &mut Server, places: Places<'_>) -> Result<Run, Failure> {
        let run = match self.kind {
            Kind::Unbroken => unbroken::run(self, server, places),
            _ => node::run(self, server, places),
        };
        run.map_err(|failure| format!("{}: {failure}", self.name).into())
    }
}

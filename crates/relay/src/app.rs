//! What every call may use.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::access::{Gate, Sessions};
use crate::dialect::Dialects;
use crate::feed::Feed;
use crate::host::Host;
use crate::http::problem::KINDS;
use crate::http::{Names, Problem};
use crate::settings::RelayConfig;

/// Reads of the store at the same time: each has a connection and a thread of its own.
pub(crate) const STORE_READS_MAX: usize = 4;

/// A snapshot that is being written is whole within a moment; state is looked at so often …
pub(crate) const SETTLE_LOOKS: u32 = 40;
/// … and so far apart.
pub(crate) const SETTLE_WAIT: Duration = Duration::from_millis(25);

/// See the module.
pub(crate) struct App {
    pub(crate) feed: Feed,
    pub(crate) host: Arc<dyn Host>,
    /// The store's file.
    pub(crate) store: PathBuf,
    pub(crate) store_reads: Semaphore,
    pub(crate) settings: RelayConfig,
    pub(crate) names: Names,
    pub(crate) gate: Gate,
    pub(crate) sessions: Sessions,
    pub(crate) figures: Figures,
    pub(crate) dialects: Dialects,
}

/// Counts since the start.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) connections: Gauge,
    pub(crate) streams: Gauge,
    pub(crate) refused: AtomicU64,
    pub(crate) stalled: AtomicU64,
    pub(crate) events: AtomicU64,
    pub(crate) problems: Problems,
    pub(crate) dialect_refusals: AtomicU64,
}

/// How often clients were told of each kind of problem, in the order of [`KINDS`].
#[derive(Debug)]
pub(crate) struct Problems(Vec<AtomicU64>);

impl Default for Problems {
    fn default() -> Self {
        Self(KINDS.iter().map(|_| AtomicU64::default()).collect())
    }
}

impl Problems {
    /// A client is told of this one.
    pub(crate) fn note(&self, problem: &Problem) {
        let mut counts = KINDS.iter().zip(&self.0);
        if let Some((_, count)) = counts.find(|(kind, _)| **kind == problem.kind) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each kind's name, and how often it was told.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = KINDS.iter().zip(&self.0);
        counts.map(|(kind, count)| (kind.name, count.load(Ordering::Relaxed)))
    }
}

/// How many there are right now.
#[derive(Debug, Default)]
pub(crate) struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// One more, until it is dropped.
    pub(crate) fn enter(&self) -> Entered {
        self.0.fetch_add(1, Ordering::Relaxed);
        Entered(Arc::clone(&self.0))
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// One of a gauge's count.
#[derive(Debug)]
pub(crate) struct Entered(Arc<AtomicU64>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

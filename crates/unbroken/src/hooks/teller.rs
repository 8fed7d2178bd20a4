//! Tells the hooks: decides what is worth a notice, and empties each hook's queue in a task.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tracing::{debug, warn};
use unbroken_core::machine::Report;
use unbroken_core::record::Record;
use unbroken_core::time::UnixMicros;

use super::blocked::BlockedStreams;
use super::config::HooksConfig;
use super::error::HookError;
use super::hook::Hook;
use super::notice::Notice;
use super::queue::Queue;

/// Hooks that were checked and run not yet.
#[derive(Debug, Default)]
pub struct PreparedHooks {
    on_gap: Option<Hook>,
    on_blocked: Option<Hook>,
}

impl PreparedHooks {
    /// Checks everything that can be checked without running a hook.
    ///
    /// # Errors
    /// If a URL or its trust cannot be used.
    pub fn new(config: &HooksConfig) -> Result<Self, HookError> {
        let gap = config.on_gap.as_ref().map(|config| Hook::new("on_gap", config));
        let blocked = config.on_blocked.as_ref().map(|config| Hook::new("on_blocked", config));
        Ok(Self { on_gap: gap.transpose()?, on_blocked: blocked.transpose()? })
    }

    /// Starts a task for each. Must be called inside a tokio runtime.
    pub fn start(self) -> Hooks {
        let counters = Arc::new(Counters::default());
        let line = |name, hook: Option<Hook>| hook.map(|hook| Line::start(name, hook, &counters));
        Hooks {
            on_gap: line("on_gap", self.on_gap),
            on_blocked: line("on_blocked", self.on_blocked),
            blocked: Mutex::default(),
            counters,
        }
    }
}

/// Running hooks. Dropping them ends their tasks and kills their programs.
#[derive(Debug)]
pub struct Hooks {
    on_gap: Option<Line>,
    on_blocked: Option<Line>,
    blocked: Mutex<BlockedStreams>,
    counters: Arc<Counters>,
}

/// What hooks have come to since the process started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HookCounts {
    /// Notices that were told.
    pub done: u64,
    /// Notices that could not be told.
    pub failed: u64,
    /// Notices that were pushed out by newer ones; the next one told said how many.
    pub coalesced: u64,
}

#[derive(Debug, Default)]
struct Counters {
    done: AtomicU64,
    failed: AtomicU64,
    coalesced: AtomicU64,
}

#[derive(Debug)]
struct Line {
    queue: Arc<Queue>,
    counters: Arc<Counters>,
    task: JoinHandle<()>,
}

impl Hooks {
    /// These records are durable.
    pub fn durable<'a>(&self, rows: impl Iterator<Item = &'a Record>) {
        if let Some(line) = &self.on_gap {
            rows.filter_map(Notice::of_row).for_each(|notice| line.push(notice));
        }
    }

    /// A machine reported something.
    pub fn reported(&self, at: UnixMicros, report: &Report) {
        let Some(line) = &self.on_blocked else { return };
        let mut blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(notice) = blocked.note(at, report) {
            line.push(notice);
        }
    }

    /// What they have come to.
    pub fn counts(&self) -> HookCounts {
        HookCounts {
            done: self.counters.done.load(Ordering::Relaxed),
            failed: self.counters.failed.load(Ordering::Relaxed),
            coalesced: self.counters.coalesced.load(Ordering::Relaxed),
        }
    }
}

impl Line {
    fn start(name: &'static str, hook: Hook, counters: &Arc<Counters>) -> Self {
        let queue = Arc::new(Queue::default());
        let task = tokio::spawn(empty(name, hook, Arc::clone(&queue), Arc::clone(counters)));
        Self { queue, counters: Arc::clone(counters), task }
    }

    fn push(&self, notice: Notice) {
        if self.queue.push(notice) {
            self.counters.coalesced.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn empty(name: &'static str, hook: Hook, queue: Arc<Queue>, counters: Arc<Counters>) {
    loop {
        let notice = queue.next().await;
        let (event, stream) = (notice.event(), notice.stream());
        match hook.tell(&notice).await {
            Ok(()) => {
                debug!(hook = name, event, stream, "hook told");
                counters.done.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                let todo = error.hint();
                warn!(hook = name, event, stream, %error, cause, todo, "hook failed");
                counters.failed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

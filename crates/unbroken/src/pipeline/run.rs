//! A running pipeline: watches over its parts, and brings them to an end in order.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;
use tracing::{error, info, warn};
use unbroken_core::machine::{Halt, Input};
use unbroken_journal::{CommitHandle, Committed, JournalError};
use unbroken_relay::Relay;

use super::acks::Failure;
use super::error::PipelineError;
use super::handle::Handle;
use super::observe::{Observe, Unobserved};
use super::sinks::Sinks;
use super::start::start;
use super::store_keeper::StoreKeeper;
use crate::config::Config;
use crate::crash::{self, Point};
use crate::policy::{self, Course, Fault};
use crate::render::wall_now;
use crate::words;

/// How long drivers may take to unsubscribe and to see their last records durable. A process that
/// is told to stop is gone within 5 s; what is left is for the last sync of journal and store.
const DRAIN_MAX: Duration = Duration::from_millis(3_500);

/// See the module.
#[derive(Debug)]
pub struct Pipeline {
    pub(super) handle: Handle,
    pub(super) drivers: JoinSet<Halt>,
    /// Which source each of them is for: one that fails cannot say so any more.
    pub(super) names: HashMap<Id, String>,
    pub(super) control: tokio::task::JoinHandle<()>,
    pub(super) relay: Option<Relay>,
    pub(super) stopping: watch::Receiver<bool>,
    pub(super) journal: CommitHandle,
    pub(super) committer: JoinHandle<Result<Committed, Arc<JournalError>>>,
    pub(super) store: StoreKeeper,
    pub(super) sinks: Sinks,
    pub(super) failure: Arc<Failure>,
}

/// How a pipeline ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Every source had said that all it had is durable before it stopped. If not, the next start
    /// resumes from what is durable; nothing is lost either way.
    pub drained: bool,
    /// The offset after the last record.
    pub end_offset: u64,
}

impl Pipeline {
    /// Runs until `shutdown` is ready, the control socket says stop, or it cannot go on.
    ///
    /// # Errors
    /// See [`PipelineError`].
    pub async fn run(
        config: Config,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Stopped, PipelineError> {
        Self::start(config, rand_seed(), Arc::new(Unobserved))?.until(shutdown).await
    }

    /// Starts everything and returns. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// See [`PipelineError`].
    pub fn start(
        config: Config,
        seed: u64,
        observer: Arc<dyn Observe>,
    ) -> Result<Self, PipelineError> {
        start(config, seed, observer)
    }

    /// What can be asked of it from outside.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Runs on until `shutdown` is ready, somebody says stop, or it cannot go on.
    ///
    /// # Errors
    /// See [`PipelineError`].
    pub async fn until(
        mut self,
        shutdown: impl Future<Output = ()>,
    ) -> Result<Stopped, PipelineError> {
        tokio::pin!(shutdown);
        let mut stopping = self.stopping.clone();
        let must_stop = loop {
            tokio::select! {
                () = &mut shutdown => break false,
                _ = stopping.wait_for(|stop| *stop) => break false,
                Some(ended) = self.drivers.join_next_with_id() => {
                    if self.note_end(ended) == Course::Stop {
                        break true;
                    }
                }
                else => break true,
            }
        };
        let stopped = self.stop().await?;
        if must_stop { Err(PipelineError::NoSourceLeft) } else { Ok(stopped) }
    }

    /// Notes that a driver has ended by itself. One source alone does not stop the others; the
    /// journal or the last source does.
    fn note_end(&self, ended: Result<(Id, Halt), JoinError>) -> Course {
        let (id, policy, why) = match ended {
            Ok((id, halt)) => (id, policy::of_halt(&halt), words::halt(&halt)),
            // What a panic said may hold what a vendor sent.
            Err(failure) => {
                let why = "its driver has failed, which is a defect of this program".to_owned();
                (failure.id(), policy::of_fault(Fault::DriverEnded), why)
            }
        };
        let source = self.names.get(&id).map_or("", String::as_str);
        error!(source, why, todo = policy.todo, "source has stopped");
        self.handle.board().source_stopped(source, &why, policy.todo, wall_now());
        let course = policy.course;
        if self.drivers.is_empty() { Course::Stop } else { course }
    }

    async fn stop(mut self) -> Result<Stopped, PipelineError> {
        info!("stopping: unsubscribing and committing");
        // Clients hear of it at once: what is still committed they get from the next process.
        let relay = self.relay.take();
        let relay = tokio::task::spawn_blocking(move || relay.map(Relay::stop));
        let sources = &self.handle.shared.sources;
        let drivers = &mut self.drivers;
        // One whose ear is full for so long does not keep the others from stopping.
        let drained = timeout(DRAIN_MAX, async {
            for source in sources {
                // A driver that is gone needs not be told.
                let _ = source.inputs.send(Input::Shutdown).await;
            }
            while drivers.join_next().await.is_some() {}
        });
        let drained = drained.await.is_ok();
        if !drained {
            warn!("a source did not drain in time; the next start resumes from what is durable");
            self.drivers.shutdown().await;
        }
        self.control.abort();
        // An error says that it has ended, too.
        let _ = relay.await;
        crash::pass(Point::Drained);
        let Self { handle, journal, committer, store, sinks, failure, .. } = self;
        let ended = tokio::task::spawn_blocking(move || {
            journal.stop();
            let closed = committer.join();
            crash::pass(Point::LogClosed);
            sinks.tell_to_stop();
            store.stop();
            sinks.stop();
            crash::pass(Point::StoreClosed);
            closed
        });
        let end_offset = match ended.await {
            Ok(Ok(Ok(committed))) => committed.end_offset,
            Ok(Ok(Err(error))) => return Err(PipelineError::WriteJournal(error)),
            Ok(Err(_)) | Err(_) => handle.board().offsets().1,
        };
        if let Some(error) = failure.take() {
            return Err(PipelineError::WriteJournal(error));
        }
        info!(end_offset, "stopped");
        Ok(Stopped { drained, end_offset })
    }
}

/// Spreads retries of many processes; not a secret.
fn rand_seed() -> u64 {
    fastrand::u64(..)
}

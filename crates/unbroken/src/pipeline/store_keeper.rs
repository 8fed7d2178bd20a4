//! Keeps the store fed. The log is safe without it, so whatever befalls the store is told, and
//! tried again, and stops nobody.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::{error, info};
use unbroken_journal::Consumers;
use unbroken_store::{Feeder, FeederTiming, StoreError, open_or_build};

use super::error::PipelineError;
use crate::board::Board;
use crate::feed::JournalLog;
use crate::policy::{Fault, of_fault};

/// How often the store's progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// First and longest delay before the store is opened again.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// A quarter of the time for the store while the log has more for it.
const REST_ON_ONE_CORE: u32 = 3;

/// The store's name among the journal's consumers.
const CONSUMER: &str = "store";

/// See the module.
#[derive(Debug)]
pub(super) struct StoreKeeper {
    stop: Sender<()>,
    thread: JoinHandle<()>,
}

struct Keeping {
    path: PathBuf,
    log: JournalLog,
    consumers: Consumers,
    board: Arc<Board>,
    stopped: Receiver<()>,
}

impl StoreKeeper {
    pub(super) fn start(
        path: PathBuf,
        log: JournalLog,
        consumers: Consumers,
        board: Arc<Board>,
    ) -> Result<Self, PipelineError> {
        let (stop, stopped) = mpsc::channel();
        let keeping = Keeping { path, log, consumers, board, stopped };
        let thread = thread::Builder::new()
            .name("store-keeper".to_owned())
            .spawn(move || keeping.run())
            .map_err(|error| PipelineError::Thread("store", error))?;
        Ok(Self { stop, thread })
    }

    /// Lets the store take in what the log holds by now, then stops.
    pub(super) fn stop(self) {
        // Both errors say that the thread has ended, which is what is asked for.
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

/// On one core the store takes a part of it, and the log has the rest: what is not durable yet can
/// be lost, what is not in the store yet cannot. With more cores each has its own.
fn timing() -> FeederTiming {
    let is_alone = thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    FeederTiming { rest: if is_alone { REST_ON_ONE_CORE } else { 0 }, ..FeederTiming::default() }
}

impl Keeping {
    fn run(self) {
        let mut delay = RETRY.0;
        loop {
            match self.keep() {
                Ok(()) => return,
                Err(error) => {
                    let todo = error.hint().unwrap_or(of_fault(Fault::StoreWrite).todo);
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    error!(%error, cause, todo, retry_after = ?delay, "store is not fed");
                }
            }
            if self.is_stopped_within(delay) {
                return;
            }
            delay = (delay * 2).min(RETRY.1);
        }
    }

    /// Feeds until told to stop, or until something fails.
    fn keep(&self) -> Result<(), StoreError> {
        let store = open_or_build(&self.path, &self.log)?;
        let offset = store.checkpoint().next_offset;
        info!(offset, "store opened");
        let feeder = Feeder::start(store, self.log.clone(), timing())?;
        loop {
            self.note(&feeder);
            if feeder.has_failed() {
                return feeder.stop().map(drop);
            }
            if self.is_stopped_within(LOOK_EVERY) {
                let checkpoint = feeder.stop()?;
                self.board.stored(checkpoint.next_offset);
                return Ok(());
            }
        }
    }

    fn note(&self, feeder: &Feeder) {
        self.board.stored(feeder.next_offset());
        self.consumers.checkpoint(CONSUMER, feeder.synced_offset());
    }

    fn is_stopped_within(&self, time: Duration) -> bool {
        !matches!(self.stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }
}

//! Keeps the store fed. The log is safe without it, so whatever befalls the store is told, and
//! tried again, and stops nobody.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing::{error, info};
use unbroken_journal::Consumers;
use unbroken_journal::courtesy::{self, give_way};
use unbroken_store::{Feeder, FeederTiming, StoreError, open_or_build};

use super::error::PipelineError;
use crate::board::Board;
use crate::feed::JournalLog;
use crate::policy::{Fault, of_fault};
use crate::render::wall_now;

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
        // The feeder's thread is started by this one, and takes after it.
        give_way(courtesy::STORE);
        // What the log holds already is not in the store before it is opened, or made anew.
        self.board.stored(0, wall_now());
        let mut delay = RETRY.0;
        loop {
            match self.keep() {
                Ok(()) => return,
                Err(error) => {
                    self.board.store_failed(wall_now());
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
                self.board.stored(checkpoint.next_offset, wall_now());
                return Ok(());
            }
            // One that fails as soon as it is opened was not fed.
            if !feeder.has_failed() {
                self.board.store_fed();
            }
        }
    }

    fn note(&self, feeder: &Feeder) {
        self.board.stored(feeder.next_offset(), wall_now());
        self.consumers.checkpoint(CONSUMER, feeder.synced_offset());
    }

    fn is_stopped_within(&self, time: Duration) -> bool {
        !matches!(self.stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    use unbroken_core::time::UnixMicros;
    use unbroken_journal::{Options, open};

    use super::StoreKeeper;
    use crate::board::Board;
    use crate::feed::JournalLog;
    use crate::render::wall_now;

    fn wait_until(what: &str, is_so: impl Fn() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    #[test]
    fn a_store_that_cannot_be_written_is_in_doubt_until_it_is_fed_again() {
        let dir = tempfile::tempdir().expect("a directory");
        let opened = open(Options::new(dir.path().join("journal"))).expect("a journal");
        let (board, log) = (Arc::new(Board::new(opened.next_offset)), JournalLog(opened.reader));
        let missing = dir.path().join("missing");
        let path = missing.join("store.sqlite");
        let keeper = StoreKeeper::start(path, log, opened.consumers, Arc::clone(&board));
        let keeper = keeper.expect("a thread");
        let why = || board.store_doubt(UnixMicros(wall_now().0 + 11_000_000)).map(|(_, why)| why);
        wait_until("it fails", || board.store_failures() > 0);
        assert_eq!(why(), Some("it cannot be written"));
        std::fs::create_dir(missing).expect("the disk is back");
        wait_until("it is fed again", || why().is_none());
        keeper.stop();
    }
}

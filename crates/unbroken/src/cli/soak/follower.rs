//! Reads the service's log as it grows, for the judge.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use unbroken::place::journal_dir;
use unbroken_journal::{JournalError, Reader};

use crate::cli::error::CliError;
use crate::cli::judgement::Witnesses;

/// How long one wait for more lasts.
const WAIT: Duration = Duration::from_millis(100);

/// A thread that reads.
#[derive(Debug)]
pub(super) struct Follower {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<Result<Witnesses, JournalError>>,
}

impl Follower {
    /// Begins at the log's beginning; the log has to be there.
    pub(super) fn start(data_dir: PathBuf) -> Result<Self, CliError> {
        let ended = Arc::new(AtomicBool::new(false));
        let is_ended = Arc::clone(&ended);
        let thread = thread::Builder::new()
            .name("follower".to_owned())
            .spawn(move || follow(data_dir, &is_ended))
            .map_err(|source| CliError::Io { what: "starting a thread", source })?;
        Ok(Self { ended, thread })
    }

    /// The service has ended: reads the rest.
    pub(super) fn finish(self) -> Result<Witnesses, CliError> {
        self.ended.store(true, Ordering::Release);
        let read = self.thread.join().map_err(|_| CliError::Task("the follower".to_owned()))?;
        Ok(read?)
    }
}

fn follow(data_dir: PathBuf, is_ended: &AtomicBool) -> Result<Witnesses, JournalError> {
    let reader = Reader::open(journal_dir(&data_dir))?;
    let mut batches = reader.batches(0)?;
    let mut witnesses = Witnesses::default();
    loop {
        let was_ended = is_ended.load(Ordering::Acquire);
        while let Some(batch) = batches.next_batch()? {
            for (offset, record) in batch.entries() {
                witnesses.add(offset, record);
            }
            for mark in &batch.marks {
                witnesses.mark(mark);
            }
        }
        if was_ended {
            return Ok(witnesses);
        }
        batches.wait(WAIT)?;
    }
}

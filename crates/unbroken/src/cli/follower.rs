//! Reads the service's log as it grows, for the judge: retention deletes behind it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use unbroken::place::journal_dir;
use unbroken_core::time::UnixMicros;
use unbroken_journal::{JournalError, Reader};

use super::error::CliError;
use super::judgement::{Naming, Witnesses};

/// How long one wait for more lasts.
const WAIT: Duration = Duration::from_millis(100);

/// A thread that reads.
#[derive(Debug)]
pub(crate) struct Follower {
    told: Arc<Told>,
    thread: JoinHandle<Result<Witnesses, JournalError>>,
}

/// What is said to the thread.
#[derive(Debug, Default)]
struct Told {
    ended: AtomicBool,
    /// When processes that wrote the log were killed.
    deaths: Mutex<Vec<UnixMicros>>,
    /// How far the thread has come while the vendor's history is not to be asked about any row; at
    /// other times 0.
    settled: AtomicU64,
}

impl Told {
    /// Takes the deaths up to this time.
    fn deaths_until(&self, until: UnixMicros) -> usize {
        let mut deaths = self.deaths.lock().unwrap_or_else(PoisonError::into_inner);
        let before = deaths.len();
        deaths.retain(|death| *death > until);
        before - deaths.len()
    }
}

impl Follower {
    /// Begins at the log's beginning, as soon as there is a log. `naming`: what the vendor's ledger
    /// calls the keys.
    pub(crate) fn start(data_dir: PathBuf, naming: Naming) -> Result<Self, CliError> {
        let told = Arc::new(Told::default());
        let hears = Arc::clone(&told);
        let thread = thread::Builder::new()
            .name("follower".to_owned())
            .spawn(move || follow(&data_dir, naming, &hears))
            .map_err(|source| CliError::Io { what: "starting a thread", source })?;
        Ok(Self { told, thread })
    }

    /// The service was killed at this time, and the next has not started yet.
    #[cfg(feature = "proof")]
    pub(crate) fn died(&self, at: UnixMicros) {
        self.told.deaths.lock().unwrap_or_else(PoisonError::into_inner).push(at);
    }

    /// Whether everything below `offset` was read, and the vendor's history owes no answer.
    pub(crate) fn is_settled(&self, offset: u64) -> bool {
        self.told.settled.load(Ordering::Acquire) >= offset
    }

    /// The service has ended: reads the rest.
    pub(crate) fn finish(self) -> Result<Witnesses, CliError> {
        self.told.ended.store(true, Ordering::Release);
        let read = self.thread.join().map_err(|_| CliError::Task("the follower".to_owned()))?;
        Ok(read?)
    }
}

fn follow(data_dir: &Path, naming: Naming, told: &Told) -> Result<Witnesses, JournalError> {
    let reader = loop {
        match Reader::open(journal_dir(data_dir)) {
            Err(JournalError::NotAJournal { .. }) if !told.ended.load(Ordering::Acquire) => {
                thread::sleep(WAIT);
            }
            opened => break opened?,
        }
    };
    let mut batches = reader.batches(0)?;
    let mut witnesses = Witnesses::naming(naming);
    loop {
        let was_ended = told.ended.load(Ordering::Acquire);
        while let Some(batch) = batches.next_batch()? {
            for _ in 0..told.deaths_until(batch.written_at) {
                witnesses.died();
            }
            for (offset, record) in batch.entries() {
                witnesses.add(offset, record);
            }
            for mark in &batch.marks {
                witnesses.mark(mark);
            }
        }
        let settled = if witnesses.owes_history() { 0 } else { batches.next_offset() };
        told.settled.store(settled, Ordering::Release);
        if was_ended {
            return Ok(witnesses);
        }
        batches.wait(WAIT)?;
    }
}

//! The thread that keeps the store close behind the log.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::log::Groups;
use crate::writer::{Checkpoint, Store};
use crate::{Log, StoreError, rebuild};

/// How far behind the log the store may be, and how often it is synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeederTiming {
    /// At most one transaction per this time while records keep coming; the first one after a quiet
    /// time is written at once.
    pub feed_interval: Duration,
    /// How often the store is made safe from a power cut, so that retention may count on it.
    pub sync_interval: Duration,
    /// While there is more to feed, the thread rests so many times as long as its last transaction
    /// took. For a machine of one core, which the log needs more.
    pub rest: u32,
}

impl Default for FeederTiming {
    /// 250 ms: a person looking at the store sees now; at 50,000 events/s it still makes groups of
    /// more than 10,000 rows. 5 s: a sync costs about as much as ten transactions.
    fn default() -> Self {
        Self {
            feed_interval: Duration::from_millis(250),
            sync_interval: Duration::from_secs(5),
            rest: 0,
        }
    }
}

/// A running feeder. Dropping it stops the thread without waiting for it.
#[derive(Debug)]
pub struct Feeder {
    stop: Sender<Stop>,
    thread: JoinHandle<Result<Checkpoint, StoreError>>,
    progress: Arc<Progress>,
}

#[derive(Debug, Default)]
struct Progress {
    next_offset: AtomicU64,
    synced_offset: AtomicU64,
}

/// Opens the store for a log, or builds it if there is no file yet.
///
/// # Errors
/// As [`Store::open`] and [`rebuild()`].
pub fn open_or_build(path: &Path, log: &impl Log) -> Result<Store, StoreError> {
    if !path.exists() {
        rebuild(path, log)?;
    }
    Store::open(path, &log.extent().map_err(StoreError::Log)?)
}

impl Feeder {
    /// Feeds the store from the log until it is stopped or something fails.
    ///
    /// # Errors
    /// [`StoreError::File`] if no thread can be started.
    pub fn start(
        store: Store,
        log: impl Log + Send + 'static,
        timing: FeederTiming,
    ) -> Result<Self, StoreError> {
        let (stop, stopped) = mpsc::channel();
        let progress = Arc::new(Progress::default());
        progress.next_offset.store(store.checkpoint().next_offset, Ordering::Release);
        let path = store.path().to_owned();
        let feeding = Feeding { store, log, timing, stopped, progress: Arc::clone(&progress) };
        let thread = thread::Builder::new()
            .name("store-feeder".to_owned())
            .spawn(move || feeding.run())
            .map_err(|source| StoreError::File { path, what: "starting its feeder", source })?;
        Ok(Self { stop, thread, progress })
    }

    /// Every record before this offset can be read from the store.
    pub fn next_offset(&self) -> u64 {
        self.progress.next_offset.load(Ordering::Acquire)
    }

    /// Every record before this offset is safe in the store from a power cut. Retention may count
    /// on this one only.
    pub fn synced_offset(&self) -> u64 {
        self.progress.synced_offset.load(Ordering::Acquire)
    }

    /// The thread has ended by itself: [`Feeder::stop`] says why.
    pub fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Feeds what the log holds by now, syncs and ends.
    ///
    /// # Errors
    /// What had ended the feeder before, or what went wrong now.
    pub fn stop(self) -> Result<Checkpoint, StoreError> {
        drop(self.stop);
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Never sent: that the sender is gone is the signal.
#[derive(Debug)]
enum Stop {}

struct Feeding<L> {
    store: Store,
    log: L,
    timing: FeederTiming,
    stopped: Receiver<Stop>,
    progress: Arc<Progress>,
}

impl<L: Log> Feeding<L> {
    fn run(mut self) -> Result<Checkpoint, StoreError> {
        let mut fed_at = None;
        let mut synced_at = Instant::now();
        loop {
            let next_offset = self.store.checkpoint().next_offset;
            self.log.wait(next_offset, self.timing.feed_interval).map_err(StoreError::Log)?;
            let since = fed_at.map_or(Duration::MAX, |at: Instant| at.elapsed());
            let stopping = self.is_stopped_within(self.timing.feed_interval.saturating_sub(since));
            self.feed(!stopping)?;
            if self.store.checkpoint().next_offset > next_offset {
                fed_at = Some(Instant::now());
            }
            if stopping || synced_at.elapsed() >= self.timing.sync_interval {
                self.sync()?;
                synced_at = Instant::now();
            }
            if stopping {
                return Ok(self.store.checkpoint().clone());
            }
        }
    }

    /// Waits so long; a stop ends the wait.
    fn is_stopped_within(&self, time: Duration) -> bool {
        match self.stopped.recv_timeout(time) {
            Ok(never) => match never {},
            Err(RecvTimeoutError::Timeout) => false,
            Err(RecvTimeoutError::Disconnected) => true,
        }
    }

    fn feed(&mut self, mut rests: bool) -> Result<(), StoreError> {
        let mut groups = Groups::new(&self.log, self.store.checkpoint().next_offset)?;
        let mut worked = Duration::ZERO;
        loop {
            rests = rests && !self.is_stopped_within(worked.saturating_mul(self.timing.rest));
            let began = Instant::now();
            let Some(group) = groups.next_group()? else { return Ok(()) };
            self.store.feed(&group)?;
            worked = began.elapsed();
            let next_offset = self.store.checkpoint().next_offset;
            self.progress.next_offset.store(next_offset, Ordering::Release);
        }
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        if let Some(offset) = self.store.sync()? {
            self.progress.synced_offset.store(offset, Ordering::Release);
        }
        Ok(())
    }
}

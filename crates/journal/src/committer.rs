//! The thread between several sources and the one writer: whatever arrived while the last sync ran
//! becomes the next batch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TryRecvError, TrySendError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use unbroken_core::ids::AppendId;
use unbroken_core::record::{Append, Body};

use crate::{Committed, JournalError, Writer};

/// Which source a unit came from, so that its answer finds the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceTag(pub u32);

/// How units are gathered into batches.
#[derive(Clone, Copy, Debug)]
pub struct Gathering {
    /// Units that may wait for the writer; when there are as many, submitting blocks or is refused.
    pub waiting_max: usize,
    /// Most units of one batch.
    pub units_max: usize,
    /// A batch is closed when its payloads have come to this, in bytes.
    pub batch_bytes: usize,
    /// How long a batch stays open for more after its first unit. Zero: only for as long as there
    /// is more already.
    pub linger: Duration,
    /// How long a batch of nothing but `Progress` stays open, instead of forcing a sync of its own.
    pub progress_linger: Duration,
}

impl Default for Gathering {
    fn default() -> Self {
        Self {
            waiting_max: 4_096,
            units_max: 4_096,
            batch_bytes: 8 * 1024 * 1024,
            linger: Duration::ZERO,
            progress_linger: Duration::from_millis(200),
        }
    }
}

/// The answer to submitted units. Cumulative: it stands for every earlier unit of the same source.
#[derive(Clone, Debug)]
pub enum Ack {
    /// They are durable.
    Appended {
        /// The source.
        tag: SourceTag,
        /// Its highest durable unit.
        append: AppendId,
        /// The durable end of the log.
        end_offset: u64,
    },
    /// They are not, as far as is known, and nothing more will be.
    Failed {
        /// The source.
        tag: SourceTag,
        /// Its lowest unit that is not known to be durable.
        append: AppendId,
        /// Why.
        error: Arc<JournalError>,
    },
}

/// What the committer's thread ends with: the durable end, or what stopped it.
pub type Stopped = Result<Committed, Arc<JournalError>>;

/// `None` asks to stop.
type Submission = Option<(SourceTag, Append)>;

/// Hands units to the committer. Clones are other hands on the same channel.
#[derive(Clone, Debug)]
pub struct CommitHandle {
    channel: SyncSender<Submission>,
}

/// Why a unit was not taken.
#[derive(Debug)]
pub enum Refused {
    /// As many units as may wait are waiting: read less. The unit is given back.
    Full(Append),
    /// The committer has stopped.
    Stopped,
}

impl CommitHandle {
    /// Submits a unit; blocks while as many as may wait are waiting.
    pub fn submit(&self, tag: SourceTag, append: Append) -> Result<(), Refused> {
        self.channel.send(Some((tag, append))).map_err(|_| Refused::Stopped)
    }

    /// Submits a unit, or gives it back at once.
    pub fn try_submit(&self, tag: SourceTag, append: Append) -> Result<(), Refused> {
        self.channel.try_send(Some((tag, append))).map_err(|refused| match refused {
            TrySendError::Full(Some((_, append))) => Refused::Full(append),
            _ => Refused::Stopped,
        })
    }

    /// Asks for a clean stop: everything submitted before is committed and answered, then the
    /// writer is closed. What others submit after it is answered with `Failed` or refused.
    pub fn stop(&self) {
        // An error says that it has stopped already.
        let _ = self.channel.send(None);
    }
}

/// See the module.
#[derive(Debug)]
pub struct Committer<F> {
    writer: Writer,
    channel: Receiver<Submission>,
    gathering: Gathering,
    ack: F,
}

/// One batch being gathered, and whose units are in it.
#[derive(Debug, Default)]
struct Gathered {
    units: Vec<Append>,
    payload_bytes: usize,
    progress_only: bool,
    /// Lowest and highest unit of each source.
    sources: BTreeMap<SourceTag, (AppendId, AppendId)>,
    /// Nothing comes after this batch.
    last: bool,
}

impl<F: Fn(Ack) + Send + 'static> Committer<F> {
    /// Starts the thread. It ends, with the writer closed, on [`CommitHandle::stop`] or when the
    /// last handle is dropped, and on the first failure. `ack` is called on that thread and must
    /// not block.
    pub fn spawn(
        writer: Writer,
        gathering: Gathering,
        ack: F,
    ) -> Result<(CommitHandle, JoinHandle<Stopped>), JournalError> {
        let (sender, channel) = mpsc::sync_channel(gathering.waiting_max);
        let committer = Self { writer, channel, gathering, ack };
        let thread = thread::Builder::new()
            .name("journal".into())
            .spawn(move || committer.run())
            .map_err(JournalError::NoThread)?;
        Ok((CommitHandle { channel: sender }, thread))
    }

    fn run(mut self) -> Stopped {
        let mut gathered = Gathered::default();
        loop {
            self.gather(&mut gathered);
            match self.writer.commit_kept(&mut gathered.units) {
                Ok(committed) => {
                    for (tag, (_, append)) in &gathered.sources {
                        let (tag, append) = (*tag, *append);
                        let end_offset = committed.end_offset;
                        (self.ack)(Ack::Appended { tag, append, end_offset });
                    }
                }
                Err(error) => return Err(self.fail(gathered, error)),
            }
            if gathered.last {
                return self.close();
            }
        }
    }

    fn gather(&self, gathered: &mut Gathered) {
        gathered.clear();
        match self.channel.recv() {
            Ok(Some((tag, append))) => gathered.add(tag, append),
            Ok(None) | Err(_) => gathered.last = true,
        }
        let begun = Instant::now();
        while !gathered.last
            && gathered.units.len() < self.gathering.units_max
            && gathered.payload_bytes < self.gathering.batch_bytes
        {
            let linger = if gathered.progress_only {
                self.gathering.progress_linger
            } else {
                self.gathering.linger
            };
            match self.next_within(linger, begun) {
                Ok(Some((tag, append))) => gathered.add(tag, append),
                Ok(None) | Err(RecvTimeoutError::Disconnected) => gathered.last = true,
                Err(RecvTimeoutError::Timeout) => return,
            }
        }
    }

    /// The next submission, if it is there already or comes before the linger is over.
    fn next_within(
        &self,
        linger: Duration,
        begun: Instant,
    ) -> Result<Submission, RecvTimeoutError> {
        match self.channel.try_recv() {
            Ok(submission) => Ok(submission),
            Err(TryRecvError::Disconnected) => Err(RecvTimeoutError::Disconnected),
            Err(TryRecvError::Empty) if linger.is_zero() => Err(RecvTimeoutError::Timeout),
            Err(TryRecvError::Empty) => {
                self.channel.recv_timeout(linger.saturating_sub(begun.elapsed()))
            }
        }
    }

    fn close(self) -> Stopped {
        let closed = self.writer.close().map_err(Arc::new);
        let late = Gathered::default();
        refuse_rest(&self.channel, &self.ack, late, &Arc::new(JournalError::Stopped));
        closed
    }

    fn fail(self, gathered: Gathered, error: JournalError) -> Arc<JournalError> {
        let error = Arc::new(error);
        tracing::error!(error = %error, "journal writer stopped");
        refuse_rest(&self.channel, &self.ack, gathered, &error);
        error
    }
}

/// Answers `Failed` for what was gathered and for what still waits, once for each source.
fn refuse_rest(
    channel: &Receiver<Submission>,
    ack: &impl Fn(Ack),
    mut gathered: Gathered,
    error: &Arc<JournalError>,
) {
    while let Ok(submission) = channel.try_recv() {
        if let Some((tag, append)) = submission {
            gathered.sources.entry(tag).or_insert((append.id, append.id));
        }
    }
    for (tag, (append, _)) in gathered.sources {
        ack(Ack::Failed { tag, append, error: Arc::clone(error) });
    }
}

impl Gathered {
    fn clear(&mut self) {
        self.units.clear();
        self.sources.clear();
        self.payload_bytes = 0;
        self.progress_only = true;
    }

    fn add(&mut self, tag: SourceTag, append: Append) {
        for record in &append.records {
            self.payload_bytes += record.body.payload_len();
            self.progress_only &= matches!(record.body, Body::Progress { .. });
        }
        let range = self.sources.entry(tag).or_insert((append.id, append.id));
        range.1 = range.1.max(append.id);
        self.units.push(append);
    }
}

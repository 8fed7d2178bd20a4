//! From the log into one sink, whatever befalls it.

use std::error::Error as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tracing::{error, info, warn};
use unbroken_core::backoff::Jitter;
use unbroken_core::record::Body;
use unbroken_journal::{JournalError, Reader};
use unbroken_render::wall_now;

use crate::crash::pass;
use crate::gather::{Cut, Fed, Feed, Wish};
use crate::progress::Doing;
use crate::share::Share;
use crate::{
    Batch, Blocked, Checkpoint, Claim, Fence, Fields, Lapse, Progress, Selection, Sink, SinkError,
    StartAt,
};

/// When a target that failed is tried again: any time up to a delay that doubles with each try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The first delay.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
    /// The delay where a person must help.
    pub blocked: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        let longest = Duration::from_secs(30);
        Self { first: Duration::from_millis(250), longest, blocked: longest }
    }
}

/// So many rows refused, one after the other with none taken between them, are hardly bad rows: the
/// target or its configuration is at fault, and no more than one is put aside with each try.
const REFUSED_MAX: u32 = 100;

/// How often a sink is given time for what it has to do beside the log.
const TEND_EVERY: Duration = Duration::from_secs(1);

/// A target that asks to be left alone is believed up to this.
const BUSY_MAX: Duration = Duration::from_secs(3_600);

/// What a pump is told.
#[derive(Clone, Debug)]
pub struct PumpConfig {
    /// The sink's name.
    pub name: String,
    /// Where it begins if it has no checkpoint.
    pub start: StartAt,
    /// A checkpoint that this log cannot go on from (of another log, or beyond its end) is given
    /// up, and the sink begins as a new one does.
    pub adopt: bool,
    /// Which records it is given.
    pub selection: Arc<Selection>,
    /// Which parts of their payloads.
    pub fields: Fields,
    /// How batches are cut.
    pub cut: Cut,
    /// When a target that failed is tried again.
    pub retry: Retry,
    /// How many sinks the service has, this one among them: the more they are, the less of a
    /// processor each takes beside a thread that records. 0: nothing is recorded in this process.
    pub sinks: usize,
}

/// See the module.
#[derive(Debug)]
pub struct Pump<S> {
    sink: S,
    reader: Reader,
    config: PumpConfig,
    progress: Arc<Progress>,
    share: Arc<Share>,
    stop: watch::Receiver<bool>,
    /// Rows put aside since one was taken.
    refused: u32,
    /// Before the batch that is being committed.
    failed_at: Option<Checkpoint>,
    /// Where the log ended when this began, until the sink was opened once. A log that is shorter
    /// than what its target holds was put back from a backup: that it has grown to that length
    /// meanwhile, with other records, makes it no other.
    ended_at: Option<u64>,
    /// A lapse that the target was told, and the checkpoint that it then has: the answer may not
    /// have come.
    lapsing: Option<(Checkpoint, Lapse)>,
}

/// How a pump ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It was asked to.
    Stopped,
    /// Another instance has the sink.
    Fenced,
}

impl<S: Sink> Pump<S> {
    /// Of a log into a sink. Runs when [`Pump::run`] is awaited.
    pub fn new(
        sink: S,
        reader: Reader,
        config: PumpConfig,
        progress: Arc<Progress>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        progress.promises(sink.guarantee());
        // What cannot be read is read again when the sink is opened, and told there.
        let ended_at = reader.end_offset().ok();
        let share = Arc::new(Share::new(config.sinks, stop.clone()));
        let (refused, failed_at, lapsing) = (0, None, None);
        Self { sink, reader, config, progress, share, stop, refused, failed_at, ended_at, lapsing }
    }

    /// Runs until it is told to stop and has given what the log held then, or until another
    /// instance has the sink.
    pub async fn run(mut self) -> Ended {
        let mut jitter = Jitter::new(seed_of(&self.config.name));
        let (mut attempt, retry) = (0, self.config.retry);
        loop {
            let committed_before = self.progress.counts().batches;
            let failure = match self.session().await {
                Ok(()) => {
                    self.progress.stops();
                    return Ended::Stopped;
                }
                Err(failure) => failure,
            };
            if self.progress.counts().batches > committed_before {
                attempt = 0;
            }
            let [first, longest] =
                [retry.first, retry.longest].map(|delay| delay.as_millis() as u64);
            let drawn = Duration::from_millis(jitter.delay_ms(attempt, first, longest));
            let delay = match &failure {
                SinkError::Blocked(_) => retry.blocked,
                SinkError::Busy { after, .. } => drawn.max(*after).min(BUSY_MAX),
                _ => drawn,
            };
            attempt += 1;
            self.tell(&failure, delay);
            if matches!(failure, SinkError::Fenced) {
                return Ended::Fenced;
            }
            // An error says that nobody can say stop any more.
            let stopped = self.stop.wait_for(|stop| *stop);
            if tokio::time::timeout(delay, stopped).await.is_ok() {
                self.progress.stops();
                return Ended::Stopped;
            }
        }
    }

    fn tell(&self, failure: &SinkError, delay: Duration) {
        let (sink, todo) = (self.config.name.as_str(), failure.todo());
        let cause = causes(failure);
        let doing = match failure {
            SinkError::Fenced => Doing::Fenced,
            SinkError::Blocked(_) => Doing::Blocked,
            _ => Doing::Retrying,
        };
        match doing {
            Doing::Retrying => warn!(sink, %failure, cause, retry_after = ?delay, "sink failed"),
            _ => error!(sink, %failure, cause, todo, "sink does not go on"),
        }
        let why = cause.map_or_else(|| failure.to_string(), |cause| format!("{failure}: {cause}"));
        self.progress.fails(doing, wall_now(), why, todo.to_owned());
    }

    /// From opening the sink until something fails, or it is time to stop.
    async fn session(&mut self) -> Result<(), SinkError> {
        let claim = self.claim()?;
        let opened = self.sink.open(&claim).await?;
        let fence = opened.fence;
        self.tell_lapse(opened.checkpoint);
        let mut checkpoint = self.begin(fence, &claim, opened.checkpoint).await?;
        self.ended_at = None;
        let mut until = opened.until.filter(|_| Some(checkpoint) == opened.checkpoint);
        self.progress.is_at(&checkpoint);
        // Of a commit that failed it is not known yet whether it fails again.
        if self.failed_at != Some(checkpoint) {
            self.progress.runs();
        }
        info!(sink = self.config.name, %checkpoint, "sink opened");
        let mut tended_at = Instant::now();
        'feed: loop {
            let mut feed = match Feed::at(&self.reader, &checkpoint, &self.config.selection).await {
                Ok(feed) => feed,
                // An image that is older than it should be may want more of the log than is needed.
                Err(JournalError::PastRetention { oldest, .. })
                    if oldest > checkpoint.needed_from() =>
                {
                    // Some of a batch that was begun may be there: not again with what follows.
                    let begun = until.take().filter(|_| opened.keeps_parts);
                    let begun = begun.map_or(0, |until| until.needed_from());
                    checkpoint = self.lapse(fence, checkpoint, oldest.max(begun)).await?;
                    continue 'feed;
                }
                Err(error) => return Err(unreadable(error)),
            };
            loop {
                let wish = Wish {
                    reader: &self.reader,
                    selection: &self.config.selection,
                    fields: &self.config.fields,
                    cut: self.config.cut,
                    share: &self.share,
                    until,
                    stop: &self.stop,
                };
                let batch = match feed.next(checkpoint, &wish).await {
                    Ok(Fed::Over) => return Ok(()),
                    Ok(Fed::Quiet) => {
                        self.tend(fence, &mut tended_at).await?;
                        continue;
                    }
                    Ok(Fed::Batch(batch)) => *batch,
                    Err(JournalError::PastRetention { .. }) => continue 'feed,
                    Err(error) => return Err(unreadable(error)),
                };
                let next = batch.next;
                self.failed_at = batch.base;
                self.deliver(fence, batch).await?;
                (self.failed_at, until) = (None, None);
                self.tend(fence, &mut tended_at).await?;
                let has_phase_changed = next.phase != checkpoint.phase;
                checkpoint = next;
                self.progress.runs();
                if has_phase_changed {
                    continue 'feed;
                }
            }
        }
    }

    /// Behind a batch, so that it holds none up.
    async fn tend(&mut self, fence: Fence, tended_at: &mut Instant) -> Result<(), SinkError> {
        if tended_at.elapsed() >= TEND_EVERY {
            *tended_at = Instant::now();
            self.sink.tend(fence).await?;
        }
        Ok(())
    }

    fn claim(&self) -> Result<Claim, SinkError> {
        Ok(Claim {
            sink: self.config.name.clone(),
            journal: self.reader.journal(),
            end_offset: match self.ended_at {
                Some(ended_at) => ended_at,
                None => self.reader.end_offset().map_err(unreadable)?,
            },
            adopt: self.config.adopt,
        })
    }

    /// The checkpoint to go on from: the sink's own, or a first one, which is committed.
    async fn begin(
        &mut self,
        fence: Fence,
        claim: &Claim,
        held: Option<Checkpoint>,
    ) -> Result<Checkpoint, SinkError> {
        claim.accept(held.as_ref())?;
        if let Some(held) = held.filter(|held| claim.fault(held).is_none()) {
            return Ok(held);
        }
        let first = self.first_checkpoint(claim.end_offset)?;
        // The log may have grown since this pump was made. If the answer is lost, what is found
        // there is no checkpoint of a longer log.
        self.ended_at = self.ended_at.map(|end| end.max(first.needed_from()));
        let batch = Batch::of_nothing(held, first);
        pass("first-given", "the target is about to be told where it begins");
        self.sink.commit(fence, &batch).await?;
        Ok(first)
    }

    fn first_checkpoint(&self, end: u64) -> Result<Checkpoint, SinkError> {
        let journal = self.reader.journal();
        let at = |offset| Checkpoint::in_log(journal, offset);
        Ok(match self.config.start {
            StartAt::Beginning => at(self.reader.oldest_offset().map_err(unreadable)?),
            StartAt::Now => at(end),
            StartAt::Cursor(cursor) if cursor.journal == journal && cursor.offset <= end => {
                at(cursor.offset)
            }
            StartAt::Cursor(cursor) => {
                let what = format!("`start`: the cursor {cursor} is not of this log");
                return Err(SinkError::blocked(what, "give one that this log has given out"));
            }
            StartAt::State => match self.reader.newest_image().map_err(unreadable)? {
                Some((until, _)) => Checkpoint::in_image(journal, until),
                None => at(self.reader.oldest_offset().map_err(unreadable)?),
            },
        })
    }

    /// Retention has overtaken the sink: it begins again with state as far as the log has been
    /// deleted, and goes on with what is left of the log. Its target says what it never had.
    async fn lapse(
        &mut self,
        fence: Fence,
        base: Checkpoint,
        oldest: u64,
    ) -> Result<Checkpoint, SinkError> {
        let next = Checkpoint::in_image(base.journal, oldest);
        let from_offset = base.needed_from();
        let mut batch = Batch::of_nothing(Some(base), next);
        let lapse = Lapse { from_offset, to_offset: oldest };
        (batch.lapse, self.lapsing) = (Some(lapse), Some((next, lapse)));
        pass("lapse-given", "the target is about to be told what it never had");
        self.sink.commit(fence, &batch).await?;
        self.tell_lapse(Some(next));
        Ok(next)
    }

    /// Once the target is known to have it: also where the answer to its commit was lost.
    fn tell_lapse(&mut self, held: Option<Checkpoint>) {
        let Some((next, Lapse { from_offset, to_offset })) = self.lapsing.take() else { return };
        if held == Some(next) {
            let (sink, records) = (self.config.name.as_str(), to_offset - from_offset);
            error!(sink, from_offset, records, "sink lapsed: it begins from state");
            self.progress.lapsed(records);
        }
    }

    /// Commits a batch, and puts aside what the target does not take.
    async fn deliver(&mut self, fence: Fence, batch: Batch) -> Result<(), SinkError> {
        // The next one last.
        let mut waiting = vec![batch];
        while let Some(batch) = waiting.pop() {
            pass("batch-given", "a batch is about to be given");
            let (offset, why) = match self.sink.commit(fence, &batch).await {
                Ok(()) => {
                    let records = batch.entries().count() as u64;
                    if records > 0 {
                        self.refused = 0;
                    }
                    self.progress.committed(&batch.next, records, batch.parked.len() as u64);
                    continue;
                }
                Err(SinkError::Refused { offset, why }) => (offset, why),
                Err(SinkError::TooMuch { from }) => {
                    let parts = batch.split_at(from).ok_or(SinkError::TooMuch { from })?;
                    let [first, second] = parts;
                    waiting.extend([second, first]);
                    continue;
                }
                Err(error) => return Err(error),
            };
            let named = offset.filter(|named| batch.entries().any(|(offset, _)| offset == *named));
            // What is before a bad row is taken first: bad rows among good ones are no row of them.
            let parts = match named {
                Some(offset) => batch.split_at(offset),
                None => batch.halves(),
            };
            if let Some([first, second]) = parts {
                waiting.extend([second, first]);
                continue;
            }
            let (aside, rest) = self.park(batch, why)?;
            waiting.extend(rest);
            waiting.push(aside);
        }
        Ok(())
    }

    fn park(&mut self, batch: Batch, why: String) -> Result<(Batch, Option<Batch>), SinkError> {
        let Some((offset, record)) = batch.entries().next() else {
            return Err(refuses_nothing(why));
        };
        if record.body.key().is_none() && !matches!(record.body, Body::Quarantined(_)) {
            return Err(refuses_the_ledger(offset, &why));
        }
        self.refused += 1;
        if self.refused > REFUSED_MAX {
            // Those may have been bad all the same: one is put aside with each try.
            self.refused = REFUSED_MAX - 1;
            let what = format!("target refuses row after row, the last one so: {why}");
            let todo = "mend the target or its table; meanwhile one row is put aside every 30 s";
            return Err(SinkError::blocked(what, todo));
        }
        warn!(sink = self.config.name, offset, why, "record put aside: the target refuses it");
        Ok(batch.park_first(why))
    }
}

/// What is underneath, and underneath that. Libraries often tell no more than what they did.
fn causes(failure: &SinkError) -> Option<String> {
    let mut told: Option<String> = None;
    let mut cause = failure.source();
    while let Some(error) = cause {
        let text = error.to_string();
        told = Some(match told {
            // Others tell what is underneath themselves.
            Some(told) if told.contains(&text) => told,
            Some(told) => format!("{told}: {text}"),
            None => text,
        });
        cause = error.source();
    }
    told
}

/// Without the end of a snapshot, a gap, a turn of a connection, what is there would be taken for
/// true.
fn refuses_the_ledger(offset: u64, why: &str) -> SinkError {
    SinkError::blocked(
        format!("target refuses the ledger's record at offset {offset}: {why}"),
        "mend the target: without this record what it holds would be taken for current",
    )
}

fn refuses_nothing(why: String) -> SinkError {
    SinkError::blocked(
        format!("target refuses its own checkpoint: {why}"),
        "look at the target's log; its tables may have been changed",
    )
}

fn unreadable(error: JournalError) -> SinkError {
    SinkError::Blocked(Blocked {
        what: "log cannot be read".to_owned(),
        todo: "run `unbroken verify`".to_owned(),
        source: Some(Box::new(error)),
    })
}

/// Sinks of one service that fail together need not come back together; repeats for a name.
fn seed_of(name: &str) -> u64 {
    unbroken_core::record::digest(name.as_bytes()) as u64
}

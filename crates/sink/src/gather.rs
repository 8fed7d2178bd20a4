//! Batches for one sink: out of a state image, then out of the log.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use unbroken_core::ids::StreamId;
use unbroken_core::record::{GapOpened, Record};
use unbroken_core::time::UnixMicros;
use unbroken_journal::{Batches, JournalError, Reader, SharedBatch};
use unbroken_render::wall_now;

use crate::blocking::blocking;
use crate::image::Image;
use crate::share::{Share, Spell};
use crate::{Batch, Checkpoint, Fields, Phase, Selection};

/// How batches are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Most records of one batch.
    pub records_max: usize,
    /// A batch is closed when its payloads have come to this, in bytes.
    pub bytes: usize,
    /// How long it stays open for more, while the sink has caught up.
    pub linger: Duration,
}

impl Cut {
    /// A target for which batches stay open for long pays for each commit.
    fn nothing_every(&self) -> Duration {
        NOTHING_EVERY.max(self.linger)
    }
}

/// How long one wait for more records lasts: a stop is heard after it.
const WAIT: Duration = Duration::from_millis(100);

/// How often a batch that stays open is looked at for whether it is full.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long nothing at all comes before the sink may do something else.
const QUIET: Duration = Duration::from_secs(1);

/// While nothing passes `where`, the checkpoint alone is committed so often, unless batches stay
/// open longer.
const NOTHING_EVERY: Duration = Duration::from_secs(10);

/// Of a batch of the log from which one record is wanted, all are held until it is committed: so
/// many times the bytes of a batch at the most.
const HELD: usize = 8;

/// A record without its payload, in memory, in bytes (rounded up).
const RECORD_BYTES: usize = 256;

/// A place from which a sink is fed.
#[derive(Debug)]
pub(crate) enum Feed {
    Image(ImageFeed),
    Log(Box<LogFeed>),
}

/// What a feed has.
#[derive(Debug)]
pub(crate) enum Fed {
    Batch(Box<Batch>),
    /// Nothing has come for a while.
    Quiet,
    /// It is time to stop, and nothing more is there.
    Over,
}

/// See [`Feed`].
#[derive(Debug)]
pub(crate) struct ImageFeed {
    rows: VecDeque<(u64, Record)>,
    open_gaps: Vec<(StreamId, GapOpened)>,
    stale: Vec<(StreamId, (u64, UnixMicros))>,
    until: u64,
}

/// See [`Feed`].
#[derive(Debug)]
pub(crate) struct LogFeed {
    batches: Batches,
    /// What was too large for one batch, and the offset of its next record.
    rest: Option<(SharedBatch, u64)>,
}

/// What is asked of a feed.
pub(crate) struct Wish<'a> {
    pub(crate) reader: &'a Reader,
    pub(crate) selection: &'a Arc<Selection>,
    pub(crate) fields: &'a Fields,
    pub(crate) cut: Cut,
    pub(crate) share: &'a Arc<Share>,
    /// Where the batch has to end, however large it is.
    pub(crate) until: Option<Checkpoint>,
    pub(crate) stop: &'a watch::Receiver<bool>,
}

impl Feed {
    /// From a checkpoint on. A state image may take long: this does not hold up the thread.
    pub(crate) async fn at(
        reader: &Reader,
        checkpoint: &Checkpoint,
        selection: &Arc<Selection>,
    ) -> Result<Self, JournalError> {
        let Checkpoint { next_offset, phase, .. } = *checkpoint;
        let Phase::Image { until } = phase else {
            let batches = reader.batches(next_offset)?;
            return Ok(Self::Log(Box::new(LogFeed { batches, rest: None })));
        };
        let (reader, selection) = (reader.clone(), Arc::clone(selection));
        let image = blocking(move || Image::of(&reader, next_offset..until, &selection)).await?;
        let Image { rows, open_gaps, stale } = image;
        Ok(Self::Image(ImageFeed { rows: rows.into(), open_gaps, stale, until }))
    }

    /// The next batch.
    pub(crate) async fn next(
        &mut self,
        base: Checkpoint,
        wish: &Wish<'_>,
    ) -> Result<Fed, JournalError> {
        let fed = match self {
            Self::Image(image) => Fed::Batch(Box::new(image.next(base, wish))),
            Self::Log(log) => log.next(base, wish).await?,
        };
        Ok(match fed {
            Fed::Batch(batch) => {
                let is_cut = !wish.fields.is_all() || wish.selection.is_of_some_keys();
                let batch = if is_cut { batch.of(wish.fields) } else { *batch };
                Fed::Batch(Box::new(batch.sharing(wish.share)))
            }
            fed => fed,
        })
    }
}

impl ImageFeed {
    /// So many rows make a batch: one at least, if there is one.
    fn room_for(&self, cut: &Cut) -> usize {
        let mut bytes = 0;
        let rows = self.rows.iter().take(cut.records_max).take_while(|(_, record)| {
            let has_room = bytes < cut.bytes;
            bytes += record.body.payload_len();
            has_room
        });
        rows.count()
    }

    fn next(&mut self, base: Checkpoint, wish: &Wish<'_>) -> Batch {
        let count = match wish.until {
            Some(Checkpoint { phase: Phase::Log, .. }) => self.rows.len(),
            Some(until) => self.rows.partition_point(|(offset, _)| *offset < until.next_offset),
            None => self.room_for(&wish.cut),
        };
        let rows: Vec<_> = self.rows.drain(..count).collect();
        let as_of = rows.last().map(|(_, record)| record.received_at);
        let selection = Arc::clone(wish.selection);
        // What has been written since the image was made is not among the rows any more.
        let begun = wish.until.filter(|until| until.phase == base.phase);
        let first = self.rows.front().map(|(offset, _)| *offset);
        if let Some(next_offset) = begun.map(|until| until.next_offset).or(first) {
            let next = Checkpoint { next_offset, ..base };
            let mut batch = Batch::of_rows(Some(base), next, rows, selection);
            batch.as_of = as_of;
            return batch;
        }
        let next = Checkpoint::in_log(base.journal, self.until);
        let mut batch = Batch::of_rows(Some(base), next, rows, selection);
        batch.open_gaps = std::mem::take(&mut self.open_gaps);
        batch.stale = std::mem::take(&mut self.stale);
        batch.as_of = as_of;
        batch
    }
}

impl LogFeed {
    async fn next(&mut self, base: Checkpoint, wish: &Wish<'_>) -> Result<Fed, JournalError> {
        let mut gathered = Gathered { next: base.next_offset, ..Gathered::default() };
        let begun = Instant::now();
        let (mut waiting_since, mut ended_at) = (None, None);
        while !gathered.is_full(wish) {
            // A long backlog of which little is wanted is committed piece by piece.
            let is_piece = gathered.next > base.next_offset && wish.until.is_none();
            if is_piece && begun.elapsed() >= wish.cut.nothing_every() {
                break;
            }
            // A long backlog never waits for anything: a stop that is overdue is heard here.
            tokio::task::yield_now().await;
            let spell = Spell::begin();
            // What is written between this and the look is not of this time.
            let looked_at = wall_now();
            if let Some(batch) = self.read()? {
                let next = gathered.take(&batch, wish);
                if next < batch.end_offset() {
                    self.rest = Some((batch, next));
                }
                if let Some(rest) = wish.share.rest_after(spell) {
                    tokio::time::sleep(rest).await;
                }
                ended_at = None;
                continue;
            }
            ended_at = Some(looked_at);
            let is_empty = gathered.next == base.next_offset;
            let open_for = match gathered.passed {
                0 => wish.cut.nothing_every(),
                _ => wish.cut.linger,
            };
            let wait = if is_empty {
                WAIT
            } else {
                open_for.saturating_sub(waiting_since.get_or_insert_with(Instant::now).elapsed())
            };
            if *wish.stop.borrow() || wait.is_zero() {
                break;
            }
            if is_empty && begun.elapsed() >= QUIET {
                return Ok(Fed::Quiet);
            }
            if is_empty {
                wait_for_more(wish.reader, gathered.next, wait).await?;
            } else {
                // Not woken by each append: the batch stays open in any case.
                tokio::time::sleep(wait.min(LOOK_AGAIN)).await;
            }
        }
        let next = Checkpoint::in_log(base.journal, gathered.next);
        if next == base {
            return Ok(Fed::Over);
        }
        let selection = Arc::clone(wish.selection);
        let mut batch = Batch::of_log(Some(base), next, gathered.batches, selection);
        batch.as_of = ended_at.or(gathered.last_at);
        Ok(Fed::Batch(Box::new(batch)))
    }

    fn read(&mut self) -> Result<Option<SharedBatch>, JournalError> {
        match self.rest.take() {
            Some((batch, _)) => Ok(Some(batch)),
            None => self.batches.next_shared(),
        }
    }
}

/// Waits until there is a record at an offset, not much longer than a time; and not so long that a
/// stop is not heard.
async fn wait_for_more(reader: &Reader, offset: u64, time: Duration) -> Result<(), JournalError> {
    let reader = reader.clone();
    let time = time.clamp(Duration::from_millis(1), WAIT);
    blocking(move || reader.wait(offset, time).map(drop)).await
}

#[derive(Debug, Default)]
struct Gathered {
    batches: Vec<SharedBatch>,
    next: u64,
    passed: usize,
    bytes: usize,
    /// Of all records of the batches that are held.
    held_bytes: usize,
    /// When the last of them came.
    last_at: Option<UnixMicros>,
}

impl Gathered {
    fn is_full(&self, wish: &Wish<'_>) -> bool {
        let cut = &wish.cut;
        if let Some(until) = wish.until {
            return self.next >= until.next_offset;
        }
        self.passed >= cut.records_max
            || self.bytes >= cut.bytes
            || self.held_bytes >= cut.bytes.saturating_mul(HELD)
    }

    /// Takes of a batch what there is room for. Returns the offset of its next record.
    fn take(&mut self, batch: &SharedBatch, wish: &Wish<'_>) -> u64 {
        let (passed_before, mut looked_at) = (self.passed, 0);
        for (offset, record) in batch.entries_from(self.next) {
            if self.is_full(wish) {
                break;
            }
            self.next = offset + 1;
            self.last_at = Some(record.received_at);
            looked_at += record.body.payload_len() + RECORD_BYTES;
            if wish.selection.accepts(record) {
                self.passed += 1;
                self.bytes += record.body.payload_len();
            }
        }
        if self.passed > passed_before {
            self.batches.push(batch.clone());
            self.held_bytes += looked_at;
        }
        self.next
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Cut;

    #[test]
    fn no_batch_is_closed_before_it_has_lingered() {
        let [quick, slow] = [1, 3_600].map(Duration::from_secs);
        let of = |linger| Cut { records_max: 1, bytes: 1, linger }.nothing_every();
        assert_eq!((of(quick), of(slow)), (Duration::from_secs(10), slow));
    }
}

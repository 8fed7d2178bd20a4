//! Reading what is durable, from any process.

use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use unbroken_core::fold::Fold;

use crate::local::batch::Batch;
use crate::local::chain::{Chain, Step, Trust};
use crate::local::disk::{Disk, RealDisk};
use crate::local::home::Home;
use crate::local::place::Place;
use crate::local::recent::{SharedBatch, Written};
use crate::local::recover::{newest_image, recover};
use crate::local::segment::Segment;
use crate::local::shared::Shared;
use crate::local::{nameplate, published};
use crate::{Cursor, JournalError, JournalId};

/// How often a reader in another process looks for more.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// `published` may be read while it is being overwritten; then it reads as torn, for a moment.
const PUBLISHED_TRIES: u32 = 16;

/// Reads the journal. Cheap to clone; never blocks the writer.
#[derive(Clone, Debug)]
pub struct Reader {
    home: Home,
    journal: JournalId,
    shared: Option<Arc<Shared>>,
    /// Where the log ends as far as its batches say, where nobody has published it.
    unpublished: Arc<OnceLock<Place>>,
}

impl Reader {
    /// Opens a journal for reading alone, also while another process writes it. Takes no lock and
    /// changes nothing.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, JournalError> {
        Self::open_on(Arc::new(RealDisk), dir)
    }

    /// The same on another disk.
    pub fn open_on(disk: Arc<dyn Disk>, dir: impl AsRef<Path>) -> Result<Self, JournalError> {
        let home = Home::new(disk, dir.as_ref());
        let Some(journal) = nameplate::read(&home)? else {
            return Err(JournalError::NotAJournal { dir: home.dir });
        };
        Ok(Self { home, journal, shared: None, unpublished: Arc::default() })
    }

    pub(crate) fn of_writer(home: Home, journal: JournalId, shared: Arc<Shared>) -> Self {
        Self { home, journal, shared: Some(shared), unpublished: Arc::default() }
    }

    /// Which journal this is.
    pub fn journal(&self) -> JournalId {
        self.journal
    }

    /// The oldest offset that can be read.
    pub fn oldest_offset(&self) -> Result<u64, JournalError> {
        Ok(self.oldest()?.offset)
    }

    /// The durable end: the offset that the next record will get.
    pub fn end_offset(&self) -> Result<u64, JournalError> {
        Ok(self.end()?.offset)
    }

    /// The cursor for a consumer that has consumed everything below `offset`.
    pub fn cursor(&self, offset: u64) -> Cursor {
        Cursor { journal: self.journal, offset }
    }

    /// The batches after a cursor that was given out before.
    pub fn batches_after(&self, cursor: Cursor) -> Result<Batches, JournalError> {
        if cursor.journal != self.journal {
            return Err(JournalError::AnotherJournal { cursor, journal: self.journal });
        }
        self.batches(cursor.offset)
    }

    /// The batches from an offset on. The first one is shortened to begin there.
    pub fn batches(&self, from_offset: u64) -> Result<Batches, JournalError> {
        let end = self.end()?;
        if from_offset > end.offset {
            return Err(JournalError::BeyondEnd { offset: from_offset, end: end.offset });
        }
        let mut nearest = self.shared.as_ref().and_then(|shared| shared.nearest(from_offset));
        loop {
            let start = match nearest.take() {
                Some(place) => place,
                None => self.segment_of(from_offset)?,
            };
            // The place may lie in a segment that retention has deleted, also where the offset is
            // the first that is kept.
            if let Some(chain) = Chain::at_existing(&self.home, start, Trust::Checksums)? {
                return Ok(Batches { reader: self.clone(), chain, from_offset });
            }
        }
    }

    /// Waits until the log has grown beyond `offset`, or the time is up; gives the durable end.
    pub fn wait(&self, offset: u64, timeout: Duration) -> Result<u64, JournalError> {
        Ok(self.wait_until(|end| end.offset > offset, timeout)?.offset)
    }

    /// The newest whole image: its offset and what the log below it adds up to.
    pub fn newest_image(&self) -> Result<Option<(u64, Fold)>, JournalError> {
        let (image, _) = newest_image(&self.home, &self.home.list()?)?;
        Ok(image.map(|image| (image.place.offset, image.fold)))
    }

    fn wait_until(
        &self,
        until: impl Fn(&Place) -> bool,
        timeout: Duration,
    ) -> Result<Place, JournalError> {
        if let Some(shared) = &self.shared {
            return Ok(shared.wait(until, timeout));
        }
        let deadline = Instant::now() + timeout;
        loop {
            let end = self.end()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if until(&end) || left.is_zero() {
                return Ok(end);
            }
            thread::sleep(LOOK_EVERY.min(left));
        }
    }

    fn end(&self) -> Result<Place, JournalError> {
        if let Some(shared) = &self.shared {
            return Ok(shared.end());
        }
        for _ in 0..PUBLISHED_TRIES {
            if let Some(place) = published::read(&self.home)? {
                return Ok(place);
            }
            if let Some(place) = self.unpublished.get() {
                return Ok(*place);
            }
            thread::yield_now();
        }
        // Every open writes it anew before anything else can be written, so nobody is writing, and
        // the end stays where it is.
        let place = recover(&self.home, &self.home.list()?, true)?.place;
        Ok(*self.unpublished.get_or_init(|| place))
    }

    fn oldest(&self) -> Result<Place, JournalError> {
        loop {
            let Some(id) = self.home.list()?.segments.first().copied() else {
                return Err(JournalError::NotAJournal { dir: self.home.dir.clone() });
            };
            // Retention may be quicker than we are.
            if let Some(segment) = Segment::open_existing(&self.home, id)? {
                return Ok(segment.header.start());
            }
        }
    }

    /// The beginning of a segment from which every batch for an offset can be reached: batches of
    /// marks alone at the offset may still lie in the segment before the one that begins there.
    fn segment_of(&self, offset: u64) -> Result<Place, JournalError> {
        for id in self.home.list()?.segments.into_iter().rev() {
            let Some(segment) = Segment::open_existing(&self.home, id)? else { break };
            let start = segment.header.start();
            if start.offset < offset {
                return Ok(start);
            }
        }
        let oldest = self.oldest()?;
        if oldest.offset <= offset {
            return Ok(oldest);
        }
        Err(JournalError::PastRetention { offset, oldest: oldest.offset })
    }

    /// A segment that is not there was deleted by retention, unless it should be.
    fn explain(&self, offset: u64, error: JournalError) -> JournalError {
        match self.oldest() {
            Ok(oldest) if oldest.offset > offset => {
                JournalError::PastRetention { offset, oldest: oldest.offset }
            }
            _ => error,
        }
    }
}

/// Batch after batch, up to the durable end and on from there when it has moved.
#[derive(Debug)]
pub struct Batches {
    reader: Reader,
    chain: Chain,
    from_offset: u64,
}

impl Batches {
    /// The next batch, or `None` at the durable end; call again later.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, JournalError> {
        if let Some(written) = self.next_recent()? {
            return Ok(Some(written.batch(self.from_offset)));
        }
        self.next_from_disk()
    }

    /// The same for who looks at the records alone and needs no marks: what this process has just
    /// written is not copied.
    pub fn next_shared(&mut self) -> Result<Option<SharedBatch>, JournalError> {
        if let Some(written) = self.next_recent()? {
            return Ok(Some(SharedBatch::new(written, self.from_offset)));
        }
        Ok(self.next_from_disk()?.map(SharedBatch::from))
    }

    fn next_from_disk(&mut self) -> Result<Option<Batch>, JournalError> {
        let end = self.reader.end()?;
        loop {
            let step = self.chain.step(Some(&end));
            let (raw, position) = match step {
                Ok(Step::Batch(raw, position)) => (raw, position),
                Ok(Step::End(_)) if self.chain.place.number >= end.number => return Ok(None),
                Ok(Step::End(fault)) => {
                    let place = self.chain.place;
                    let what = fault.describe();
                    let error = self.chain.segment.corrupt(place.position, place.offset, what);
                    return Err(self.reader.explain(place.offset, error));
                }
                // A segment that was passed over in memory may have been deleted since.
                Err(error) => return Err(self.reader.explain(self.chain.place.offset, error)),
            };
            let header = raw.header;
            // A batch of marks alone at the very offset is still ahead of its consumer.
            let is_consumed = header.end_offset() < self.from_offset
                || (header.end_offset() == self.from_offset && header.encoded.records > 0);
            if is_consumed {
                continue;
            }
            let mut batch = raw.decode().map_err(|fault| {
                self.chain.segment.corrupt(position, header.first_offset, fault.describe())
            })?;
            let consumed = self.from_offset.saturating_sub(batch.first_offset);
            batch.records.drain(..consumed as usize);
            batch.first_offset += consumed;
            return Ok(Some(batch));
        }
    }

    /// The next batch, if this process has just written it.
    fn next_recent(&mut self) -> Result<Option<Arc<Written>>, JournalError> {
        let Some(shared) = &self.reader.shared else { return Ok(None) };
        while let Some((place, written)) = shared.recent(self.chain.place.number) {
            self.chain.skip_to(place)?;
            if !written.is_consumed(self.from_offset) {
                return Ok(Some(written));
            }
        }
        Ok(None)
    }

    /// Waits until there is another batch, or the time is up.
    pub fn wait(&self, timeout: Duration) -> Result<bool, JournalError> {
        let next = self.chain.place.number;
        Ok(self.reader.wait_until(|end| end.number > next, timeout)?.number > next)
    }

    /// The offset of the next record.
    pub fn next_offset(&self) -> u64 {
        self.chain.place.offset.max(self.from_offset)
    }

    /// The cursor of a consumer that has consumed everything so far.
    pub fn cursor(&self) -> Cursor {
        self.reader.cursor(self.next_offset())
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, JournalError>;

    /// Ends at the durable end; the same value goes on when that has moved.
    fn next(&mut self) -> Option<Self::Item> {
        self.next_batch().transpose()
    }
}

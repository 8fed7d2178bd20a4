//! The one writer: a batch is written, synced, and only then told to anybody.

use std::io;
use std::sync::Arc;

use unbroken_core::fold::Fold;
use unbroken_core::record::Append;
use unbroken_core::time::UnixMicros;

use crate::codec::record::Encoded;
use crate::local::batch::{self, BATCH_BYTES_MAX, Header};
use crate::local::disk::{DiskFile, LockGuard};
use crate::local::home::{Home, segment_name};
use crate::local::image;
use crate::local::imaging::{Imaging, Work};
use crate::local::open::{ImagePolicy, Options};
use crate::local::place::{Hash, Place};
use crate::local::published::{self, Published};
use crate::local::recent::Written;
use crate::local::recover::Recovered;
use crate::local::retain::Consumers;
use crate::local::segment::{self, SEGMENT_HEADER_BYTES, SegmentHeader};
use crate::local::shared::Shared;
use crate::local::state;
use crate::mutant::{Mutant, mutated};
use crate::{JournalError, JournalId};

/// The buffer is used again and again; after a batch beyond this it is given back.
const BUFFER_BYTES_KEPT: usize = 16 * 1024 * 1024;

/// Writes the journal. There is one, and it is not `Clone`; dropping it without
/// [`close`](Writer::close) is what a crash does.
#[derive(Debug)]
pub struct Writer {
    home: Home,
    /// The last seal's image, while it is being written. Before the lock: it is dropped first.
    imaging: Option<Imaging>,
    _lock: Box<dyn LockGuard>,
    options: Options,
    journal: JournalId,
    file: Box<dyn DiskFile>,
    salt: u32,
    place: Place,
    /// The segment is zeros from `place.position` to here.
    allocated: u64,
    /// Number of the newest image.
    image: Option<u64>,
    fold: Fold,
    buffer: Vec<u8>,
    shared: Arc<Shared>,
    published: Published,
    consumers: Consumers,
    stopped: bool,
}

/// What a commit made durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The offset of the first record.
    pub first_offset: u64,
    /// The offset of the record after the last.
    pub end_offset: u64,
}

impl Writer {
    /// Writes all units as one batch, durable when this returns. After an error of the disk the
    /// writer is stopped: what a failed sync has left on the disk is unknown, so it is never tried
    /// again, and whatever remains half-written is cut by the next open.
    pub fn commit(&mut self, appends: &[Append]) -> Result<Committed, JournalError> {
        let (committed, written_at) = self.make_durable(appends)?;
        if written_at.is_some() {
            self.shared.publish(self.place, None);
        }
        Ok(committed)
    }

    /// The same; the units are then kept for the readers of this process, for as long as there is
    /// room, and are given back if there is an error alone.
    pub(crate) fn commit_kept(
        &mut self,
        units: &mut Vec<Append>,
    ) -> Result<Committed, JournalError> {
        let (committed, written_at) = self.make_durable(units)?;
        if let Some(written_at) = written_at {
            let written = Written::new(committed, written_at, std::mem::take(units));
            self.shared.publish(self.place, Some(written));
        }
        Ok(committed)
    }

    /// All but telling the readers; the time at which it was written, if there was anything.
    fn make_durable(
        &mut self,
        appends: &[Append],
    ) -> Result<(Committed, Option<UnixMicros>), JournalError> {
        if self.stopped {
            return Err(JournalError::Stopped);
        }
        if self.imaging.as_ref().is_some_and(Imaging::is_done) {
            self.finish_imaging().inspect_err(|_| self.stopped = true)?;
        }
        let encoded = batch::encode_contents(&mut self.buffer, appends);
        if self.buffer.len() > BATCH_BYTES_MAX {
            let bytes = self.buffer.len() as u64;
            return Err(JournalError::BatchTooLarge { bytes, max: BATCH_BYTES_MAX as u64 });
        }
        let first_offset = self.place.offset;
        let mut written_at = None;
        if encoded != Encoded::default() {
            // Set back only if every step succeeds.
            self.stopped = true;
            written_at = Some(self.write(encoded)?);
            self.apply(first_offset, appends);
            self.stopped = false;
        }
        if self.buffer.capacity() > BUFFER_BYTES_KEPT {
            self.buffer = Vec::new();
        }
        Ok((Committed { first_offset, end_offset: self.place.offset }, written_at))
    }

    /// The offset that the next record will get.
    pub fn next_offset(&self) -> u64 {
        self.place.offset
    }

    /// What the log adds up to, with payloads.
    pub fn state(&self) -> &Fold {
        &self.fold
    }

    /// Whether an earlier failure has stopped the writer.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// A clean stop: an image, if the policy says so, and the zeros written ahead are given back.
    pub fn close(mut self) -> Result<Committed, JournalError> {
        if self.stopped {
            return Err(JournalError::Stopped);
        }
        self.finish_imaging()?;
        if self.options.images == ImagePolicy::SealAndClose {
            self.write_image()?;
        }
        if self.allocated > self.place.position {
            self.truncate("cut")?;
        }
        Ok(Committed { first_offset: self.place.offset, end_offset: self.place.offset })
    }

    fn write(&mut self, encoded: Encoded) -> Result<UnixMicros, JournalError> {
        let len = self.buffer.len() as u64;
        let is_full = self.place.position + len > self.options.segment_bytes;
        if is_full && self.place.newest != 0 {
            self.roll()?;
        }
        self.allocate(self.place.position + len)?;
        let place = self.place;
        let header = Header {
            segment: place.segment,
            number: place.number,
            first_offset: place.offset,
            encoded,
            written_at: (self.options.wall_clock)(),
            synced: place.number,
            previous: place.hash,
        };
        let hash = batch::seal(&mut self.buffer, &header, self.salt);
        let fail = |action| {
            let path = self.home.path(&segment_name(place.segment));
            move |error| JournalError::io(action, &path, error)
        };
        self.file.write_at(place.position, &self.buffer).map_err(fail("write"))?;
        if !mutated(Mutant::ToldBeforeSync) {
            self.file.sync_data().map_err(fail("sync"))?;
        }
        self.place = Place {
            segment: place.segment,
            position: place.position + len,
            newest: place.position,
            number: place.number + 1,
            offset: header.end_offset(),
            hash,
        };
        self.published.write(&self.place)?;
        Ok(header.written_at)
    }

    fn apply(&mut self, first_offset: u64, appends: &[Append]) {
        let records = appends.iter().flat_map(|append| &append.records);
        for (offset, record) in (first_offset..).zip(records) {
            self.fold.apply(offset, record);
        }
        let marks = appends.iter().filter_map(|append| append.mark.as_ref());
        state::apply_marks(&mut self.fold, marks);
    }

    /// Seals the segment and begins the next one, with an image at its beginning. If the image of
    /// the seal before is not there yet, this waits for it: there is one at a time in memory.
    fn roll(&mut self) -> Result<(), JournalError> {
        self.finish_imaging()?;
        self.truncate("seal")?;
        let now = (self.options.wall_clock)();
        let header = next_segment(self.journal, &self.place, now);
        let ahead = self.ahead(SEGMENT_HEADER_BYTES + 1) - SEGMENT_HEADER_BYTES;
        let (file, allocated) = segment::create(&self.home, &header, ahead)?;
        self.file = file;
        self.salt = header.salt;
        self.allocated = allocated;
        self.place = header.start();
        self.image = Some(self.place.number);
        let work = Work {
            home: self.home.clone(),
            place: self.place,
            fold: self.fold.clone(),
            now,
            retention: self.options.retention,
            consumers: self.consumers.clone(),
        };
        if !self.options.images_beside {
            return work.perform();
        }
        self.imaging = Some(Imaging::begin(work)?);
        Ok(())
    }

    fn finish_imaging(&mut self) -> Result<(), JournalError> {
        self.imaging.take().map_or(Ok(()), Imaging::finish)
    }

    fn allocate(&mut self, needed: u64) -> Result<(), JournalError> {
        if needed <= self.allocated {
            return Ok(());
        }
        let to = self.ahead(needed);
        let file = self.file.as_ref();
        segment::fill_with_zeros(&self.home, self.place.segment, file, self.allocated, to)?;
        self.allocated = to;
        Ok(())
    }

    /// How far to write zeros if `needed` bytes are needed.
    fn ahead(&self, needed: u64) -> u64 {
        let step = self.options.preallocated_bytes.max(1);
        needed.div_ceil(step).saturating_mul(step).min(self.options.segment_bytes).max(needed)
    }

    fn truncate(&mut self, action: &'static str) -> Result<(), JournalError> {
        let path = self.home.path(&segment_name(self.place.segment));
        let fail = |error| JournalError::io(action, &path, error);
        self.file.set_len(self.place.position).map_err(fail)?;
        self.file.sync_data().map_err(fail)?;
        self.allocated = self.place.position;
        Ok(())
    }

    fn write_image(&mut self) -> Result<(), JournalError> {
        if self.image != Some(self.place.number) {
            let now = (self.options.wall_clock)();
            image::write(&self.home, &self.place, &self.fold, now)?;
            self.image = Some(self.place.number);
        }
        Ok(())
    }
}

/// Takes over from recovery: cuts what is torn, and makes durable what recovery has read, which
/// after a crash of the process alone may be in the system's memory only.
pub(crate) fn start(
    home: Home,
    lock: Box<dyn LockGuard>,
    options: Options,
    journal: JournalId,
    recovered: Recovered,
    consumers: Consumers,
) -> Result<(Writer, Arc<Shared>), JournalError> {
    let place = recovered.place;
    let name = segment_name(place.segment);
    let salt = segment::Segment::open(&home, place.segment)?.header.salt;
    let file = home.open(&name, true)?;
    let fail = |action| {
        let path = home.path(&name);
        move |error| JournalError::io(action, &path, error)
    };
    if recovered.torn.is_some() {
        file.set_len(place.position).map_err(fail("cut"))?;
    }
    if published::read(&home)?.is_none_or(|published| published.number < place.number) {
        write_again(file.as_ref(), &place).map_err(fail("write"))?;
    }
    file.sync_data().map_err(fail("sync"))?;
    let allocated = file.len().map_err(fail("stat"))?;
    let published = Published::create(&home, &place)?;
    let shared = Arc::new(Shared::new(place));
    let writer = Writer {
        home,
        imaging: None,
        _lock: lock,
        options,
        journal,
        file,
        salt,
        place,
        allocated,
        image: recovered.image.filter(|number| *number == place.number),
        fold: recovered.fold,
        buffer: Vec::new(),
        shared: Arc::clone(&shared),
        published,
        consumers,
        stopped: false,
    };
    Ok((writer, shared))
}

/// The newest batch once more, of which it is not known that its sync succeeded. After a sync that
/// failed the system calls clean what it could not write: it can be read, and a further sync passes
/// it over, until the power goes. All batches before it are durable, or it would not be there.
fn write_again(file: &dyn DiskFile, place: &Place) -> io::Result<()> {
    if place.newest == 0 {
        return Ok(());
    }
    let len = usize::try_from(place.position - place.newest).map_err(io::Error::other)?;
    let mut batch = vec![0; len];
    let read = file.read_at(place.newest, &mut batch)?;
    file.write_at(place.newest, batch.get(..read).unwrap_or_default())
}

pub(crate) fn create_first_segment(
    home: &Home,
    journal: JournalId,
    now: UnixMicros,
) -> Result<(), JournalError> {
    let nothing =
        Place { segment: 0, position: 0, newest: 0, number: 0, offset: 0, hash: Hash::default() };
    segment::create(home, &next_segment(journal, &nothing, now), 0).map(drop)
}

fn next_segment(journal: JournalId, place: &Place, now: UnixMicros) -> SegmentHeader {
    let id = place.segment + 1;
    let mut hasher = blake3::Hasher::new();
    hasher.update(journal.as_bytes());
    hasher.update(&id.to_le_bytes());
    hasher.update(&place.hash);
    let salt = hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default();
    SegmentHeader {
        id,
        first_number: place.number,
        first_offset: place.offset,
        created_at: now,
        salt: u32::from_le_bytes(salt),
        previous: place.hash,
    }
}

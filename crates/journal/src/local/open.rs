//! Opening the journal for writing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use unbroken_core::fold::Fold;
use unbroken_core::time::UnixMicros;

use crate::local::disk::{Disk, RealDisk};
use crate::local::home::{Home, Listing, image_name, segment_name};
use crate::local::nameplate;
use crate::local::reader::Reader;
use crate::local::recover::{Recovered, recover};
use crate::local::retain::{Consumers, Retention};
use crate::local::segment;
use crate::local::writer::{self, Writer};
use crate::mutant::{Mutant, mutated};
use crate::{JournalError, JournalId};

/// Large enough that seals and images are rare, small enough that retention is fine-grained.
pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Zeros written ahead at once: a few milliseconds every so many bytes, instead of a tenth of a
/// second for a whole segment.
pub const PREALLOCATED_BYTES: u64 = 4 * 1024 * 1024;

/// When state images are written, besides the seal of each segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ImagePolicy {
    /// Also on a clean stop: the next open reads no log.
    #[default]
    SealAndClose,
    /// At seals only.
    Seal,
}

/// How to open a journal.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data directory; made if need be.
    pub dir: PathBuf,
    /// The seam to the file system.
    pub disk: Arc<dyn Disk>,
    /// The wall clock, recorded with batches and compared by `Retention::age_ms`.
    pub wall_clock: fn() -> UnixMicros,
    /// Makes the id of a new journal. It goes into every checksum, so a simulation that is to leave
    /// the same bytes makes the same ids.
    pub new_id: fn() -> JournalId,
    /// A segment is sealed before it grows beyond this, in bytes.
    pub segment_bytes: u64,
    /// Zeros written ahead, in bytes; see [`PREALLOCATED_BYTES`].
    pub preallocated_bytes: u64,
    /// When images are written.
    pub images: ImagePolicy,
    /// Images of seals are written by a thread, while commits go on. Without it a seal's commit
    /// waits for its image, and what happens on the disk happens in one order.
    pub images_beside: bool,
    /// How long the log is kept.
    pub retention: Retention,
    /// Offsets that consumers have synced as consumed. A log that ends before one of them has lost
    /// something and is refused.
    pub checkpoints: Vec<u64>,
    /// The directory comes from a backup: take a new id, so that cursors given out since are
    /// refused and not misread, and do not ask for what was published after the backup.
    pub restored_from_backup: bool,
}

impl Options {
    /// The defaults, on the real file system.
    pub fn new(dir: impl AsRef<Path>) -> Self {
        Self {
            dir: dir.as_ref().to_path_buf(),
            disk: Arc::new(RealDisk),
            wall_clock: system_clock,
            new_id: JournalId::fresh,
            segment_bytes: SEGMENT_BYTES,
            preallocated_bytes: PREALLOCATED_BYTES,
            images: ImagePolicy::default(),
            images_beside: true,
            retention: Retention::default(),
            checkpoints: Vec::new(),
            restored_from_backup: false,
        }
    }
}

/// The system's wall clock.
pub fn system_clock() -> UnixMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMicros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}

/// An open journal.
#[derive(Debug)]
pub struct Opened {
    /// The one writer.
    pub writer: Writer,
    /// A reader that sees what the writer has made durable, at once.
    pub reader: Reader,
    /// Where consumers leave the checkpoints that retention must not pass.
    pub consumers: Consumers,
    /// What the log adds up to, with payloads. A snapshot bracket that was open is still staged:
    /// the machine aborts it.
    pub restored: Fold,
    /// The offset that the next record will get.
    pub next_offset: u64,
    /// The journal.
    pub journal: JournalId,
    /// What was found and done.
    pub report: OpenReport,
}

/// What was found and done while opening.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenReport {
    /// There was no journal; it was made.
    pub created: bool,
    /// The torn tail that was cut, if there was one.
    pub cut: Option<Cut>,
    /// The offset of the image that was used.
    pub image_offset: Option<u64>,
    /// Images that were not whole, and were deleted.
    pub images_discarded: Vec<String>,
    /// Batches read after the image.
    pub batches_replayed: u64,
    /// Records in them.
    pub records_replayed: u64,
}

/// A torn tail: a batch that was being written when the process or the machine stopped. Nobody was
/// told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The segment.
    pub file: String,
    /// Where the cut was made, in bytes.
    pub position: u64,
    /// What was cut, in bytes.
    pub bytes: u64,
}

/// Opens or makes the journal and takes its lock.
pub fn open(options: Options) -> Result<Opened, JournalError> {
    let home = Home::new(Arc::clone(&options.disk), &options.dir);
    home.disk
        .create_dir(&home.dir)
        .map_err(|error| JournalError::io("create", &home.dir, error))?;
    let lock = home.lock()?;
    let known = nameplate::read(&home)?;
    let mut journal = match known {
        Some(journal) => journal,
        None => create(&home, &options)?,
    };
    let listing = home.list()?;
    let trust_published = !options.restored_from_backup;
    let recovered = recover(&home, &listing, trust_published)?;
    check_checkpoints(&home, &recovered, &options.checkpoints)?;
    if options.restored_from_backup && !mutated(Mutant::BackupKeepsId) {
        journal = (options.new_id)();
        nameplate::write(&home, journal)?;
    }
    let mut report = OpenReport { created: known.is_none(), ..OpenReport::default() };
    tidy(&home, &listing, &recovered)?;
    report.cut = recovered.torn.map(|bytes| Cut {
        file: segment_name(recovered.place.segment),
        position: recovered.place.position,
        bytes,
    });
    report.image_offset = recovered.image_offset;
    report.images_discarded = recovered.damaged_images.iter().copied().map(image_name).collect();
    report.batches_replayed = recovered.batches;
    report.records_replayed = recovered.records;
    let consumers = Consumers::default();
    let restored = recovered.fold.clone();
    let next_offset = recovered.place.offset;
    let (writer, shared) =
        writer::start(home.clone(), lock, options, journal, recovered, consumers.clone())?;
    let reader = Reader::of_writer(home, journal, shared);
    Ok(Opened { writer, reader, consumers, restored, next_offset, journal, report })
}

/// The first segment, then the nameplate: what has no nameplate is not yet a journal.
fn create(home: &Home, options: &Options) -> Result<JournalId, JournalError> {
    let listing = home.list()?;
    for id in &listing.segments {
        let mut segment = segment::Segment::open(home, *id)?;
        let start = segment.header.start();
        let len = segment.len()?;
        if start.number != 0 || segment.batch_at(start.position, len)?.is_ok() {
            let what = "segments hold records, but the file `journal` is gone".into();
            return Err(segment.corrupt(start.position, start.offset, what));
        }
    }
    for id in listing.segments.iter().rev() {
        home.remove(&segment_name(*id))?;
    }
    let id = (options.new_id)();
    let now = (options.wall_clock)();
    writer::create_first_segment(home, id, now)?;
    nameplate::write(home, id)?;
    Ok(id)
}

/// A consumer cannot be further than the log.
pub(crate) fn check_checkpoints(
    home: &Home,
    recovered: &Recovered,
    checkpoints: &[u64],
) -> Result<(), JournalError> {
    let place = recovered.place;
    match checkpoints.iter().copied().find(|checkpoint| *checkpoint > place.offset) {
        None => Ok(()),
        Some(_) if mutated(Mutant::CheckpointIgnored) => Ok(()),
        Some(checkpoint) => Err(JournalError::Corrupt {
            path: home.path(&segment_name(place.segment)),
            position: place.position,
            offset: place.offset,
            what: format!("the log ends here, but a consumer has a checkpoint at {checkpoint}"),
        }),
    }
}

/// Deletes what an interrupted run left unfinished, and images that are not whole.
fn tidy(home: &Home, listing: &Listing, recovered: &Recovered) -> Result<(), JournalError> {
    for name in &listing.unfinished {
        home.remove(name)?;
    }
    for number in &recovered.damaged_images {
        home.remove(&image_name(*number))?;
    }
    Ok(())
}

//! A damaged log: `<edit>…`, each a file, a place in it, and what is done there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use unbroken_core::record::Record;
use unbroken_core::time::UnixMicros;
use unbroken_journal::simdisk::SimDisk;
use unbroken_journal::verify::{VerifyOptions, verify};
use unbroken_journal::{ImagePolicy, JournalError, Options, Reader, open};

use crate::history::unit;

const DIR: &str = "/log";
/// Segments of a few batches, so that seals, images and their order are all there.
const SEGMENT_BYTES: u64 = 1_024;
const BATCHES: u64 = 12;
const EDIT_BYTES: usize = 5;
/// A file that is as long is not made longer: each edit could double it.
const FILE_BYTES_MAX: usize = 16 * 1_024;

/// A whole log and what it says.
struct Whole {
    disk: SimDisk,
    files: Vec<String>,
    records: Vec<Record>,
}

static WHOLE: LazyLock<Whole> = LazyLock::new(|| {
    made().unwrap_or_else(|error| panic!("a log on a disk without faults: {error}"))
});

/// However the files were damaged: opening, reading and verifying end without a panic, and what is
/// read is what was written, each record at its offset. Opening does not read what lies before the
/// newest image: damage there is told to whoever reads it, and the log goes on.
pub fn check(input: &[u8]) -> bool {
    let whole = &*WHOLE;
    let disk = whole.disk.copy();
    for edit in input.chunks_exact(EDIT_BYTES) {
        damage(&disk, whole, edit);
    }
    let _ = verify(&VerifyOptions { disk: Arc::new(disk.clone()), ..VerifyOptions::new(DIR) });
    let _ = read(&disk, "read");
    let Ok(opened) = open(options(&disk)) else { return false };
    let end = opened.next_offset;
    drop(opened);
    if let Ok(last) = read(&disk, "opened") {
        assert!(last.is_none_or(|last| last + 1 == end), "opened at {end}, read to {last:?}");
    }
    true
}

fn damage(disk: &SimDisk, whole: &Whole, edit: &[u8]) {
    let &[file, high, low, how, value] = edit else { return };
    let name = &whole.files[usize::from(file) % whole.files.len()];
    let path = path(name);
    let Some(mut bytes) = disk.contents(&path) else { return };
    if bytes.is_empty() {
        return;
    }
    let at = usize::from(u16::from_be_bytes([high, low])) % bytes.len();
    match how % 6 {
        0 => bytes[at] = value,
        1 => bytes[at] ^= 1 << (value % 8),
        2 => bytes.truncate(at),
        3 => bytes[at..].fill(0),
        4 if bytes.len() < FILE_BYTES_MAX => bytes.extend_from_within(at..),
        4 => return,
        _ => return disk.delete(&path),
    }
    disk.replace(&path, bytes);
}

fn made() -> Result<Whole, JournalError> {
    let disk = SimDisk::new();
    let mut writer = open(options(&disk))?.writer;
    let mut records = Vec::new();
    for number in 1..=BATCHES {
        let append = unit(number);
        records.extend(append.records.clone());
        writer.commit(&[append])?;
    }
    // Not closed: the process ends in the middle.
    drop(writer);
    disk.kill();
    let files = disk.names(Path::new(DIR));
    Ok(Whole { disk, files, records })
}

fn options(disk: &SimDisk) -> Options {
    Options {
        disk: Arc::new(disk.clone()),
        wall_clock: || UnixMicros(1_700_000_000_000_000),
        segment_bytes: SEGMENT_BYTES,
        preallocated_bytes: 256,
        images: ImagePolicy::Seal,
        images_beside: false,
        ..Options::new(DIR)
    }
}

/// Reads all that can be read, compares it with what was written, and gives the last offset.
fn read(disk: &SimDisk, how: &str) -> Result<Option<u64>, JournalError> {
    let reader = Reader::open_on(Arc::new(disk.clone()), DIR)?;
    let mut batches = reader.batches(reader.oldest_offset()?)?;
    let mut last = None;
    while let Some(batch) = batches.next_batch()? {
        for (offset, record) in batch.entries() {
            let written = WHOLE.records.get(offset as usize);
            assert_eq!(written, Some(record), "{how}: another record at offset {offset}");
            assert!(last.is_none_or(|last| last + 1 == offset), "{how}: a hole before {offset}");
            last = Some(offset);
        }
    }
    Ok(last)
}

fn path(name: &str) -> PathBuf {
    Path::new(DIR).join(name)
}

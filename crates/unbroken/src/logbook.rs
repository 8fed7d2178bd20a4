//! What the log adds up to, read without the lock: a service may be writing it meanwhile.

use unbroken_core::fold::Fold;
use unbroken_journal::{JournalError, Reader};

/// The log's end as read, and the state of all its streams there.
///
/// # Errors
/// The log cannot be read.
pub fn read(reader: &Reader) -> Result<(u64, Fold), JournalError> {
    let (from, mut fold) = match reader.newest_image()? {
        Some((offset, fold)) => (offset, fold),
        None => (reader.oldest_offset()?, Fold::new(false)),
    };
    let mut batches = reader.batches(from)?;
    while let Some(batch) = batches.next_batch()? {
        for (offset, record) in batch.entries().filter(|(offset, _)| *offset >= from) {
            fold.apply(offset, record);
        }
        batch.marks.iter().for_each(|mark| fold.mark(mark));
    }
    Ok((batches.next_offset(), fold))
}

//! The fold that becomes the next image.

use bytes::Bytes;
use unbroken_core::fold::Fold;
use unbroken_core::record::{Body, Change, Mark, Record};

use crate::Batch;

/// Adds one record, with a copy of its payload: a slice would keep the whole read buffer that it
/// was cut from in memory for as long as its key is unchanged.
pub(crate) fn apply_record(fold: &mut Fold, offset: u64, record: &Record) {
    match &record.body {
        Body::Change(change) if !change.payload.is_empty() => {
            let body = Body::Change(detached(change));
            fold.apply(offset, &with_body(record, body));
        }
        Body::SnapshotItem { snapshot, change } if !change.payload.is_empty() => {
            let body = Body::SnapshotItem { snapshot: *snapshot, change: detached(change) };
            fold.apply(offset, &with_body(record, body));
        }
        _ => fold.apply(offset, record),
    }
}

/// Adds a batch: all its records, then its marks.
pub(crate) fn apply_batch(fold: &mut Fold, batch: &Batch) {
    for (offset, record) in batch.entries() {
        apply_record(fold, offset, record);
    }
    apply_marks(fold, &batch.marks);
}

pub(crate) fn apply_marks<'a>(fold: &mut Fold, marks: impl IntoIterator<Item = &'a Mark>) {
    for mark in marks {
        fold.mark(mark);
    }
}

fn detached(change: &Change) -> Change {
    Change { payload: Bytes::copy_from_slice(&change.payload), ..change.clone() }
}

fn with_body(record: &Record, body: Body) -> Record {
    Record { stream: record.stream.clone(), received_at: record.received_at, body }
}

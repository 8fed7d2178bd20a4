//! The fold that becomes the next image.

use unbroken_core::fold::Fold;
use unbroken_core::record::Mark;

use crate::Batch;

/// Adds a batch: all its records, then its marks.
pub(crate) fn apply_batch(fold: &mut Fold, batch: &Batch) {
    for (offset, record) in batch.entries() {
        fold.apply(offset, record);
    }
    apply_marks(fold, &batch.marks);
}

pub(crate) fn apply_marks<'a>(fold: &mut Fold, marks: impl IntoIterator<Item = &'a Mark>) {
    for mark in marks {
        fold.mark(mark);
    }
}

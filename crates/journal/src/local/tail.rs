//! What lies behind the last good batch.

use crate::JournalError;
use crate::local::batch::{self, MAGIC, Raw};
use crate::local::place::Place;
use crate::local::segment::Segment;
use crate::mutant::{Mutant, mutated};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// Nothing.
    Clean,
    /// A batch that was being written when the power went: nobody was told of it.
    Torn {
        /// Up to the last byte that is not zero.
        bytes: u64,
    },
    /// A later batch says that the bad one was durable.
    Damaged {
        /// Where that later one begins.
        witness: u64,
    },
}

/// Looks behind `place`, where the log's last segment holds no batch.
pub(crate) fn examine(segment: &Segment, place: &Place) -> Result<Tail, JournalError> {
    let rest = segment.rest(place.position)?;
    let Some(last) = rest.iter().rposition(|byte| *byte != 0) else { return Ok(Tail::Clean) };
    let mut from = 1;
    while let Some((at, raw)) = next_batch(segment, &rest, from) {
        if raw.header.synced > place.number && !mutated(Mutant::DamageCut) {
            return Ok(Tail::Damaged { witness: place.position + at as u64 });
        }
        from = at + 1;
    }
    Ok(Tail::Torn { bytes: last as u64 + 1 })
}

/// The first whole batch of this segment in `rest`, at or behind `from`.
pub(crate) fn next_batch(
    segment: &Segment,
    rest: &bytes::Bytes,
    from: usize,
) -> Option<(usize, Raw)> {
    let mut at = from;
    loop {
        let window = rest.get(at..)?;
        at += window.windows(MAGIC.len()).position(|bytes| bytes == MAGIC)?;
        let candidate = rest.slice(at..);
        if let Ok(length) = batch::claimed_length(&candidate, candidate.len() as u64)
            && let Ok(raw) = Raw::check(candidate.slice(..length), segment.header.salt)
            && raw.header.segment == segment.header.id
        {
            return Some((at, raw));
        }
        at += 1;
    }
}

//! The vendor's numbers behind a stream's own, where its positions are declared opaque: the
//! simulator's bookmarks are its numbers, written as texts.

use std::collections::BTreeMap;

use unbroken_core::bookmark::Bookmark;
use unbroken_core::position::Position;
use unbroken_sim::verdict::{Evidence, LedgerRow, Place};

/// By stream and epoch: our number and the vendor's, of everything that had a bookmark.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<(String, u32), BTreeMap<u64, u64>>);

impl Places {
    pub(super) fn add(&mut self, stream: &str, position: Position, bookmark: &Bookmark) {
        let number = std::str::from_utf8(bookmark.as_bytes()).ok().and_then(|n| n.parse().ok());
        if let Some(number) = number {
            let of_stream = self.0.entry((stream.to_owned(), position.epoch.0)).or_default();
            of_stream.insert(position.sequence, number);
        }
    }

    /// Puts the vendor's numbers in the place of ours. Of a numbered stream nothing changes.
    pub(super) fn translate(&self, evidence: &mut Evidence) {
        for stored in &mut evidence.stored {
            if let (Some(sequence), Some(numbers)) =
                (stored.sequence, self.0.get(&(stored.stream.clone(), stored.epoch)))
            {
                stored.sequence = Some(at_or_below(numbers, sequence));
            }
        }
        for row in &mut evidence.ledger {
            let LedgerRow { stream, after, through, .. } = row;
            let numbers = |place: &Place| self.0.get(&(stream.clone(), place.epoch));
            if let Some(place) = after
                && let Some(numbers) = numbers(place)
            {
                place.sequence = at_or_below(numbers, place.sequence);
            }
            if let Some(place) = through
                && let Some(numbers) = numbers(place)
            {
                place.sequence = up_to(numbers, place.sequence);
            }
        }
    }
}

fn at_or_below(numbers: &BTreeMap<u64, u64>, sequence: u64) -> u64 {
    numbers.range(..=sequence).next_back().map_or(0, |(_, number)| *number)
}

/// The end of an interval is what has that number, or lies before the next that has one.
fn up_to(numbers: &BTreeMap<u64, u64>, sequence: u64) -> u64 {
    match numbers.range(sequence..).next() {
        Some((at, number)) if *at == sequence => *number,
        Some((_, number)) => number.saturating_sub(1),
        None => u64::MAX,
    }
}

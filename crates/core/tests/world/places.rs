//! The vendor's places, where its positions are opaque and the numbers are ours.

use unbroken_core::bookmark::{After, Bookmark};
use unbroken_core::connector::Numbering;
use unbroken_core::position::Position;
use unbroken_core::record::{Body, Change, Record};

use super::{World, body};

/// The vendor's own way to name a place.
pub fn bookmark(place: u64) -> Bookmark {
    Bookmark::new(format!("place {place}").as_bytes()).expect("a short text")
}

pub(super) fn place_of(after: &After) -> u64 {
    match after {
        After::Sequence(sequence) => *sequence,
        After::Bookmark(bookmark) => {
            let text = std::str::from_utf8(bookmark.as_bytes()).expect("ours");
            text["place ".len()..].parse().expect("ours")
        }
    }
}

impl World {
    /// The vendor's place of one of the stream's positions: the same, unless positions are opaque
    /// and the numbers are ours.
    pub fn place(&self, position: Position) -> u64 {
        if self.rules.caps.position != Numbering::Opaque {
            return position.sequence;
        }
        let upto = |(at, _): &(u64, u64)| *at <= position.sequence;
        self.booked().into_iter().filter(upto).map(|(_, place)| place).max().unwrap_or(0)
    }

    /// Our numbers and the vendor's places that their bookmarks name.
    pub fn booked(&self) -> Vec<(u64, u64)> {
        let read = |record: &'_ Record| match &record.body {
            Body::Change(change) => Some((change.position?.sequence, change.bookmark.clone()?)),
            Body::Progress { position, bookmark } => Some((position.sequence, bookmark.clone()?)),
            _ => None,
        };
        let booked = self.records().into_iter().filter_map(read);
        booked.map(|(at, bookmark)| (at, place_of(&After::Bookmark(bookmark)))).collect()
    }

    /// The vendor's place of an event in the log.
    pub fn place_of_change(&self, change: &Change) -> Option<u64> {
        if self.rules.caps.position != Numbering::Opaque {
            return change.position.map(|position| position.sequence);
        }
        let made = self.events.iter().find(|made| body(made) == change.payload);
        made.map(|made| made.sequence)
    }

    /// The vendor's places inside `(after, through]`, as exclusive and inclusive bounds. An end
    /// that has no bookmark of its own lies below the next that has one.
    pub fn interval(&self, after: Option<Position>, through: Option<Position>) -> (u64, u64) {
        let after = after.map_or(0, |after| self.place(after));
        let Some(through) = through else { return (after, 0) };
        if self.rules.caps.position != Numbering::Opaque {
            return (after, through.sequence);
        }
        let booked = self.booked();
        let exact = booked.iter().find(|(at, _)| *at == through.sequence);
        let next = booked.iter().filter(|(at, _)| *at > through.sequence).map(|(_, at)| *at).min();
        let before_next = next.map_or(u64::MAX, |next| next.saturating_sub(1));
        (after, exact.map_or(before_next, |(_, place)| *place))
    }
}

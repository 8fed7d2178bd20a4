//! Opaque positions: bytes that the vendor gives and takes back, and that are compared for equality
//! only.
//!
//! The order in which events arrived is counted here instead: an opaque stream's sequences are
//! ours, dense from 1, and a bookmark names one of them. What is known of bookmarks is a window of
//! the last [`BOOKMARKS_MAX`]. **A bookmark outside of it proves nothing**: it may be new, or older
//! than all of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Most bookmarks that are remembered: more than a vendor repeats after a reconnection or in a
/// hand-over, few enough to be written into each image of the log.
pub const BOOKMARKS_MAX: usize = 1_024;

/// Longest bookmark in bytes. Tokens in use are far shorter (a resume token of a database has some
/// hundred bytes); the window must stay small whatever comes.
pub const BOOKMARK_BYTES_MAX: usize = 4_096;

/// A place in the vendor's stream that only the vendor can read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bookmark(Arc<[u8]>);

impl Bookmark {
    /// Wraps the vendor's bytes; `None` if they are longer than [`BOOKMARK_BYTES_MAX`] or empty.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let fits = !bytes.is_empty() && bytes.len() <= BOOKMARK_BYTES_MAX;
        fits.then(|| Self(bytes.into()))
    }

    /// The vendor's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Bookmark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bookmark({})", self.0.escape_ascii())
    }
}

/// Where a subscription is to begin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum After {
    /// After this number of the vendor's.
    Sequence(u64),
    /// After this bookmark.
    Bookmark(Bookmark),
}

impl After {
    /// The number, where it is one.
    pub fn sequence(&self) -> Option<u64> {
        match self {
            Self::Sequence(sequence) => Some(*sequence),
            Self::Bookmark(_) => None,
        }
    }
}

/// The last bookmarks of a stream and the sequences they name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Bookmarks {
    by_sequence: BTreeMap<u64, Bookmark>,
    by_bookmark: BTreeMap<Bookmark, u64>,
}

impl Bookmarks {
    /// Remembers a bookmark; the lowest is forgotten for it. One that is known keeps its place, and
    /// a sequence its first bookmark: places never move.
    pub fn insert(&mut self, sequence: u64, bookmark: Bookmark) {
        if self.by_bookmark.contains_key(&bookmark) || self.by_sequence.contains_key(&sequence) {
            return;
        }
        self.by_sequence.insert(sequence, bookmark.clone());
        self.by_bookmark.insert(bookmark, sequence);
        while self.by_sequence.len() > BOOKMARKS_MAX {
            if let Some((_, oldest)) = self.by_sequence.pop_first() {
                self.by_bookmark.remove(&oldest);
            }
        }
    }

    /// The sequence that a bookmark names, if it is known.
    pub fn sequence_of(&self, bookmark: &Bookmark) -> Option<u64> {
        self.by_bookmark.get(bookmark).copied()
    }

    /// The bookmark of exactly this sequence, if it is known.
    pub fn at(&self, sequence: u64) -> Option<&Bookmark> {
        self.by_sequence.get(&sequence)
    }

    /// The highest sequence that has a bookmark.
    pub fn last_sequence(&self) -> Option<u64> {
        self.by_sequence.keys().next_back().copied()
    }

    /// All of them, lowest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u64, &Bookmark)> {
        self.by_sequence.iter().map(|(sequence, bookmark)| (*sequence, bookmark))
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.by_sequence.clear();
        self.by_bookmark.clear();
    }
}

//! Identities of events that are in the log although they lie above the position.

use crate::ids::Key;
use crate::position::Position;

/// Position, key, ordinal.
pub type Identity = (Position, Key, u16);

/// Identities in order. Almost all come in order and go soon, so they stand in a row: adding one is
/// a push, and moving the position over all of them frees nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ahead(Vec<Identity>);

impl Ahead {
    /// Adds one, unless it is there.
    pub fn insert(&mut self, identity: Identity) {
        if self.0.last().is_none_or(|last| *last < identity) {
            return self.0.push(identity);
        }
        if let Err(at) = self.0.binary_search(&identity) {
            self.0.insert(at, identity);
        }
    }

    /// Whether one is there.
    pub fn contains(&self, identity: &Identity) -> bool {
        self.0.binary_search(identity).is_ok()
    }

    /// The position has come so far: what is not above it is forgotten.
    pub fn advance(&mut self, position: Position) {
        if self.last().is_none_or(|last| last <= position) {
            return self.0.clear();
        }
        self.0.retain(|(above, _, _)| *above > position);
    }

    /// The highest position.
    pub fn last(&self) -> Option<Position> {
        self.0.last().map(|(position, _, _)| *position)
    }

    /// The highest position for which this holds.
    pub fn last_where(&self, holds: impl Fn(&Position) -> bool) -> Option<Position> {
        self.0.iter().rev().map(|(position, _, _)| *position).find(holds)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, lowest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Identity> {
        self.0.iter()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

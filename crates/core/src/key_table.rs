//! A map from keys whose look-ups cost the same however many keys there are.
//!
//! Each event looks its key up several times, and a tree of ten thousand texts costs more than all
//! the rest of the fold. **Nothing depends on the order in which the table keeps its entries**: it
//! is the order of the history that made it, the same in every run, and what is read in an order is
//! read in the order of keys. So two tables with equal entries are equal, and hash equally.
//!
//! Texts are hashed without a secret, because the core has no randomness: a vendor that wanted to
//! could make keys that collide, and would slow its own stream down.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Index;

use xxhash_rust::xxh3::xxh3_64;

use crate::ids::Key;

/// Fewest slots of a table that has any.
const SLOTS_MIN: usize = 8;

/// See the module.
#[derive(Clone)]
pub struct KeyTable<V> {
    /// A power of two, at most three quarters taken; found by linear probing.
    slots: Vec<Slot>,
    entries: Vec<(Key, V)>,
}

/// Where an entry is.
#[derive(Clone, Copy, Default)]
struct Slot {
    /// The key's hash, so that few keys have to be compared, and none to grow.
    hash: u32,
    /// The entry's index plus 1; 0: the slot is free.
    entry: u32,
}

impl<V> Default for KeyTable<V> {
    fn default() -> Self {
        Self { slots: Vec::new(), entries: Vec::new() }
    }
}

impl<V> KeyTable<V> {
    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a key.
    pub fn get(&self, key: &Key) -> Option<&V> {
        let slot = self.slots[self.find(hash(key), key)?];
        self.entries.get(slot.index()).map(|(_, value)| value)
    }

    /// Whether the key has a value.
    pub fn contains_key(&self, key: &Key) -> bool {
        self.get(key).is_some()
    }

    /// Sets the value of a key; gives the one before.
    pub fn insert(&mut self, key: Key, value: V) -> Option<V> {
        let hash = hash(&key);
        if let Some(at) = self.find(hash, &key) {
            let held = self.entries.get_mut(self.slots[at].index());
            return held.map(|(_, held)| std::mem::replace(held, value));
        }
        self.entries.push((key, value));
        // The index of an entry fits: four thousand million keys are beyond any memory.
        let slot = Slot { hash, entry: self.entries.len() as u32 };
        if self.entries.len() * 4 > self.slots.len() * 3 {
            self.grow();
        }
        self.place(slot);
        None
    }

    /// Removes a key; gives its value.
    pub fn remove(&mut self, key: &Key) -> Option<V> {
        let at = self.find(hash(key), key)?;
        let entry = self.slots[at].entry;
        self.free(at);
        // The last entry takes the place of the removed one.
        let last = self.entries.len() as u32;
        if entry != last {
            let moved = hash(&self.entries.last()?.0);
            let at = self.probe(moved, |slot| slot.entry == last)?;
            self.slots[at].entry = entry;
        }
        Some(self.entries.swap_remove(entry as usize - 1).1)
    }

    /// All entries in the order of their keys. Sorts: not for the way of each event.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &V)> {
        let mut sorted: Vec<(&Key, &V)> = self.iter_unordered().collect();
        sorted.sort_unstable_by_key(|(key, _)| *key);
        sorted.into_iter()
    }

    /// All keys in order. Sorts.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Key> {
        self.iter().map(|(key, _)| key)
    }

    /// All entries, for what does not depend on their order.
    pub fn iter_unordered(&self) -> impl ExactSizeIterator<Item = (&Key, &V)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// All values, in no order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// All values, in no order.
    pub fn values_mut(&mut self) -> impl ExactSizeIterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// The slot of a key.
    fn find(&self, hash: u32, key: &Key) -> Option<usize> {
        self.probe(hash, |slot| {
            let held = self.entries.get(slot.index());
            slot.hash == hash && held.is_some_and(|(held, _)| held == key)
        })
    }

    /// The first slot from a hash's own on that is as wanted, with no free one before it.
    fn probe(&self, hash: u32, is_wanted: impl Fn(Slot) -> bool) -> Option<usize> {
        let mask = self.slots.len().checked_sub(1)?;
        let mut at = hash as usize & mask;
        while self.slots[at].entry != 0 {
            if is_wanted(self.slots[at]) {
                return Some(at);
            }
            at = (at + 1) & mask;
        }
        None
    }

    /// Puts a slot into the first free place.
    fn place(&mut self, slot: Slot) {
        let mask = self.slots.len() - 1;
        let mut at = slot.hash as usize & mask;
        while self.slots[at].entry != 0 {
            at = (at + 1) & mask;
        }
        self.slots[at] = slot;
    }

    fn grow(&mut self) {
        let size = (self.slots.len() * 2).max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![Slot::default(); size]);
        for slot in old.into_iter().filter(|slot| slot.entry != 0) {
            self.place(slot);
        }
    }

    /// Frees a slot; those that were pushed on by it move back, so that no search ends before them.
    fn free(&mut self, mut hole: usize) {
        let mask = self.slots.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let slot = self.slots[at];
            if slot.entry == 0 {
                break;
            }
            let home = slot.hash as usize & mask;
            let (from_home, from_hole) =
                (at.wrapping_sub(home) & mask, at.wrapping_sub(hole) & mask);
            if from_home >= from_hole {
                self.slots[hole] = slot;
                hole = at;
            }
        }
        self.slots[hole] = Slot::default();
    }
}

impl Slot {
    fn index(self) -> usize {
        (self.entry as usize).wrapping_sub(1)
    }
}

fn hash(key: &Key) -> u32 {
    xxh3_64(key.as_str().as_bytes()) as u32
}

/// As in the standard library's maps: a key that must be there. Only tests can be so sure.
impl<V> Index<&Key> for KeyTable<V> {
    type Output = V;

    fn index(&self, key: &Key) -> &V {
        let at = self.find(hash(key), key).map(|at| self.slots[at].index());
        &self.entries[at.unwrap_or(usize::MAX)].1
    }
}

impl<V: fmt::Debug> fmt::Debug for KeyTable<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<V: PartialEq> PartialEq for KeyTable<V> {
    fn eq(&self, other: &Self) -> bool {
        let holds = |(key, value): (&Key, &V)| other.get(key) == Some(value);
        self.len() == other.len() && self.iter_unordered().all(holds)
    }
}

impl<V: Eq> Eq for KeyTable<V> {}

impl<V: Hash> Hash for KeyTable<V> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        self.iter().for_each(|entry| entry.hash(state));
    }
}

impl<V> FromIterator<(Key, V)> for KeyTable<V> {
    fn from_iter<I: IntoIterator<Item = (Key, V)>>(entries: I) -> Self {
        let mut table = Self::default();
        for (key, value) in entries {
            table.insert(key, value);
        }
        table
    }
}

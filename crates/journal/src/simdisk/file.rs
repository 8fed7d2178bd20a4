//! One file: what a process sees, and what the medium holds.

use std::collections::BTreeSet;

use crate::simdisk::Dice;

/// What a disk writes whole or not at all, mostly.
const SECTOR: usize = 512;

#[derive(Clone, Debug, Default)]
pub(crate) struct SimContents {
    /// What a process sees.
    pub(crate) seen: Vec<u8>,
    durable: Vec<u8>,
    /// Sectors that may differ between the two and that a sync will write.
    dirty: BTreeSet<usize>,
    /// Sectors that a failed sync has forgotten: no later sync will write them.
    forgotten: BTreeSet<usize>,
}

impl SimContents {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self { seen: bytes.clone(), durable: bytes, ..Self::default() }
    }

    pub(crate) fn write(&mut self, position: usize, bytes: &[u8]) {
        let end = position + bytes.len();
        if self.seen.len() < end {
            self.set_len(end);
        }
        if let Some(slot) = self.seen.get_mut(position..end) {
            slot.copy_from_slice(bytes);
        }
        self.touch(position, end);
    }

    pub(crate) fn set_len(&mut self, len: usize) {
        let (from, to) = (len.min(self.seen.len()), len.max(self.seen.len()));
        self.seen.resize(len, 0);
        self.touch(from, to);
    }

    fn touch(&mut self, from: usize, to: usize) {
        if from < to {
            for sector in from / SECTOR..=(to - 1) / SECTOR {
                self.dirty.insert(sector);
                self.forgotten.remove(&sector);
            }
        }
    }

    pub(crate) fn sync(&mut self) {
        self.durable.resize(self.seen.len(), 0);
        for sector in std::mem::take(&mut self.dirty) {
            copy_sector(&mut self.durable, &self.seen, sector);
        }
    }

    /// The system drops what it could not write and calls it clean.
    pub(crate) fn fail_sync(&mut self) {
        self.forgotten.append(&mut self.dirty);
    }

    /// Any subset of what was not synced survives.
    pub(crate) fn power_cut(&mut self, dice: &mut Dice, keep_percent: u64) {
        let (old, new) = (self.durable.len(), self.seen.len());
        let len = match dice.below(3) {
            0 => old,
            1 => new,
            _ => {
                let (low, high) = (old.min(new), old.max(new));
                let sectors = (high - low) / SECTOR;
                low + dice.below(sectors as u64 + 1) as usize * SECTOR
            }
        };
        let mut after = std::mem::take(&mut self.durable);
        after.resize(len, 0);
        let dirty = std::mem::take(&mut self.dirty);
        self.forgotten.clear();
        for sector in dirty {
            if !dice.chance(keep_percent) {
                continue;
            }
            if dice.chance(10) {
                tear_sector(&mut after, &self.seen, sector, dice);
            } else {
                copy_sector(&mut after, &self.seen, sector);
            }
        }
        self.seen.clone_from(&after);
        self.durable = after;
    }
}

/// Copies what both have of a sector; what `from` has not is zeros.
fn copy_sector(to: &mut [u8], from: &[u8], sector: usize) {
    copy_range(to, from, sector * SECTOR, (sector + 1) * SECTOR);
}

/// One side of a random byte is new, the other is old.
fn tear_sector(to: &mut [u8], from: &[u8], sector: usize, dice: &mut Dice) {
    let (start, end) = (sector * SECTOR, (sector + 1) * SECTOR);
    let middle = start + dice.below(SECTOR as u64) as usize;
    if dice.chance(50) {
        copy_range(to, from, start, middle);
    } else {
        copy_range(to, from, middle, end);
    }
}

fn copy_range(to: &mut [u8], from: &[u8], start: usize, end: usize) {
    let end = end.min(to.len());
    let Some(to) = to.get_mut(start..end) else { return };
    let from = from.get(start..end.min(from.len())).unwrap_or_default();
    let (copied, zeros) = to.split_at_mut(from.len());
    copied.copy_from_slice(from);
    zeros.fill(0);
}

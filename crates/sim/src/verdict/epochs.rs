//! Which of the vendor's numberings the client means by its own numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::input::{Evidence, Place};
use crate::truth::Truth;

/// The client's epoch numbers as indices into [`Truth::epochs`].
#[derive(Debug, Default)]
pub(super) struct EpochMap(BTreeMap<u32, u32>);

impl EpochMap {
    /// Names decide where the client knows them. The rest are matched in order of appearance with
    /// the numberings that the client was ever served (one that came and went unseen has no number
    /// at the client).
    pub(super) fn new(truth: &Truth, evidence: &Evidence) -> Self {
        let mut map = BTreeMap::new();
        let named = evidence
            .stored
            .iter()
            .filter_map(|stored| stored.epoch_name.as_deref().map(|name| (stored.epoch, name)));
        let listed = evidence.epoch_names.iter().map(|(epoch, name)| (*epoch, name.as_str()));
        for (epoch, name) in named.chain(listed) {
            if map.contains_key(&epoch) {
                continue;
            }
            if let Some(index) = truth.epochs.iter().position(|known| known == name) {
                map.insert(epoch, u32::try_from(index).unwrap_or(u32::MAX));
            }
        }
        let taken: BTreeSet<u32> = map.values().copied().collect();
        let seen: BTreeSet<u32> = truth.subscriptions.iter().map(|served| served.epoch).collect();
        let mut free = seen.into_iter().filter(|index| !taken.contains(index));
        for epoch in client_epochs(evidence) {
            if !map.contains_key(&epoch)
                && let Some(index) = free.next()
            {
                map.insert(epoch, index);
            }
        }
        Self(map)
    }

    pub(super) fn index(&self, epoch: u32) -> Option<u32> {
        self.0.get(&epoch).copied()
    }

    /// The client's place as (epoch index, sequence), which is in order of time.
    pub(super) fn place(&self, place: Place) -> Option<(u32, u64)> {
        self.index(place.epoch).map(|index| (index, place.sequence))
    }
}

/// Every epoch number that the client uses for a position, rising.
fn client_epochs(evidence: &Evidence) -> BTreeSet<u32> {
    let stored = evidence.stored.iter().filter(|stored| stored.sequence.is_some());
    let rows = evidence.ledger.iter().flat_map(|row| [row.after, row.through]);
    stored.map(|stored| stored.epoch).chain(rows.flatten().map(|place| place.epoch)).collect()
}

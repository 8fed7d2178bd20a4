//! Every event once and in order, by what the records say of themselves.

use std::collections::{BTreeMap, HashSet};

use unbroken_core::ids::StreamId;
use unbroken_core::position::{Epoch, Position};
use unbroken_core::record::{Body, Change, Effect, Origin, Record, digest};

use crate::verify::FindingKind;

/// What was seen of the events so far.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// Digests of the identities; whole ones would be the log again.
    identities: HashSet<u128>,
    highest: BTreeMap<(StreamId, Epoch), Position>,
    scratch: Vec<u8>,
}

impl Events {
    pub(crate) fn check(&mut self, record: &Record, found: &mut impl FnMut(FindingKind, String)) {
        let Body::Change(change) = &record.body else { return };
        let Some(position) = change.position else { return };
        if !matches!(change.origin, Origin::Live | Origin::Replay) {
            return;
        }
        let identity = self.identity(&record.stream, change, position);
        if !self.identities.insert(identity) {
            let text = format!("{} has position {position} twice for one key", record.stream);
            found(FindingKind::EventDuplicated, text);
        }
        if change.effect != Effect::State {
            return;
        }
        let highest =
            self.highest.entry((record.stream.clone(), position.epoch)).or_insert(position);
        if position < *highest {
            let text = format!("{} has position {position} after {highest}", record.stream);
            found(FindingKind::EventOutOfOrder, text);
        }
        *highest = position.max(*highest);
    }

    fn identity(&mut self, stream: &StreamId, change: &Change, position: Position) -> u128 {
        self.scratch.clear();
        for text in [stream.as_str(), change.key.as_str()] {
            self.scratch.extend_from_slice(&(text.len() as u64).to_le_bytes());
            self.scratch.extend_from_slice(text.as_bytes());
        }
        self.scratch.extend_from_slice(&position.epoch.0.to_le_bytes());
        self.scratch.extend_from_slice(&position.sequence.to_le_bytes());
        self.scratch.extend_from_slice(&change.ordinal.to_le_bytes());
        digest(&self.scratch)
    }
}

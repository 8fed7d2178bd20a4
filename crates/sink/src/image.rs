//! The present value of every key as records, for a sink that begins with state.

use std::ops::Range;

use unbroken_core::fold::{Fold, KeyState};
use unbroken_core::ids::{Key, StreamId};
use unbroken_core::record::{Body, Change, Effect, GapOpened, Origin, Record};

/// What a log adds up to.
#[derive(Debug)]
pub(crate) struct Image {
    /// Rows that were written in the interval asked for, in the order of their offsets.
    pub(crate) rows: Vec<(u64, Record)>,
    /// The open rows of the ledger.
    pub(crate) open_gaps: Vec<(StreamId, GapOpened)>,
}

impl Image {
    /// What a log adds up to, of what was written in an interval of its offsets.
    pub(crate) fn of(fold: Fold, written: Range<u64>) -> Self {
        let (mut rows, mut open_gaps) = (Vec::new(), Vec::new());
        for (id, stream) in fold.streams {
            for (key, value) in stream.keys.iter_unordered() {
                rows.push((value.offset, row(&id, key, value, Body::Change)));
            }
            if let Some(staged) = stream.staged {
                let snapshot = staged.snapshot;
                let item = |change| Body::SnapshotItem { snapshot, change };
                for (key, value) in &staged.items {
                    rows.push((value.offset, row(&id, key, value, item)));
                }
            }
            open_gaps.extend(stream.open_gaps.into_values().map(|gap| (id.clone(), gap.opened)));
        }
        rows.retain(|(at, _)| written.contains(at));
        rows.sort_unstable_by_key(|(at, _)| *at);
        Self { rows, open_gaps }
    }
}

/// The fold keeps of a change what makes state: neither the vendor's id of the event nor its kind.
fn row(stream: &StreamId, key: &Key, value: &KeyState, body: impl Fn(Change) -> Body) -> Record {
    let change = Change {
        key: key.clone(),
        position: value.version,
        bookmark: None,
        ordinal: 0,
        event_id: None,
        kind: None,
        deleted: !value.present,
        origin: Origin::Snapshot,
        effect: Effect::State,
        occurred_at: value.occurred_at,
        digest: value.digest,
        payload: value.payload.clone(),
    };
    Record { stream: stream.clone(), received_at: value.received_at, body: body(change) }
}

//! From the records of one stream to what a client of a vendor is told, in the order of the log.
//!
//! A vendor's client knows events only. So what the log learned otherwise, by a snapshot, is told
//! in the form of events as well: at the end of the bracket one for each item, under the item's own
//! offset. A bracket is whole in its stream, so these offsets lie above all that was told before
//! and below all that comes after, and each of them can be resumed from.

use unbroken_core::ids::SnapshotId;
use unbroken_core::record::{Body, Change, Effect, Origin, Record};
use unbroken_core::time::UnixMicros;

/// One thing that a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// Where it stands in the log.
    pub(crate) offset: u64,
    /// When its cause reached us.
    pub(crate) received_at: UnixMicros,
    /// The value.
    pub(crate) change: Change,
}

/// What the records of one stream have brought so far. See the module.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    bracket: Option<Bracket>,
}

#[derive(Debug)]
struct Bracket {
    snapshot: SnapshotId,
    /// Its first offset, as far as it was seen.
    from: u64,
    items: Vec<Told>,
    /// Events that were written inside it: they wait, so that offsets never fall.
    events: Vec<Told>,
}

impl Staging {
    /// Takes the next record of the stream, and gives what is to be told now.
    pub(crate) fn apply(&mut self, offset: u64, record: &Record) -> Vec<Told> {
        let told = |change: &Change| Told {
            offset,
            received_at: record.received_at,
            change: change.clone(),
        };
        match &record.body {
            Body::Change(change) if is_event(change) => match &mut self.bracket {
                Some(bracket) => bracket.events.push(told(change)),
                None => return vec![told(change)],
            },
            Body::SnapshotBegin(begin) => return self.open(begin.snapshot, offset),
            Body::SnapshotItem { snapshot, change } => {
                // Who resumes in the middle of a bracket has not seen its beginning.
                let is_other = |bracket: &Bracket| bracket.snapshot != *snapshot;
                let mut before = Vec::new();
                if self.bracket.as_ref().is_none_or(is_other) {
                    before = self.open(*snapshot, offset);
                }
                if let Some(bracket) = &mut self.bracket {
                    bracket.items.push(told(change));
                }
                return before;
            }
            Body::SnapshotEnd(end) => {
                let publishes = |bracket: &Bracket| bracket.snapshot == end.snapshot;
                let Some(bracket) = self.bracket.take() else { return Vec::new() };
                return if publishes(&bracket) { bracket.publish() } else { bracket.events };
            }
            Body::SnapshotAbort { .. } => {
                return self.bracket.take().map_or_else(Vec::new, |bracket| bracket.events);
            }
            _ => {}
        }
        Vec::new()
    }

    /// The first offset of what waits for a bracket's end: who goes away has to come back there.
    pub(crate) fn waits_from(&self) -> Option<u64> {
        self.bracket.as_ref().map(|bracket| bracket.from)
    }

    /// A bracket opens; one that was still open will not end.
    fn open(&mut self, snapshot: SnapshotId, from: u64) -> Vec<Told> {
        let bracket = Bracket { snapshot, from, items: Vec::new(), events: Vec::new() };
        self.bracket.replace(bracket).map_or_else(Vec::new, |before| before.events)
    }
}

impl Bracket {
    /// Items, but those that a later event of their key has overtaken, and events, in order.
    fn publish(self) -> Vec<Told> {
        let Self { items, events, .. } = self;
        let is_current = |item: &Told| {
            let is_later = |event: &&Told| {
                event.change.key == item.change.key && event.change.effect == Effect::State
            };
            !events.iter().filter(is_later).any(|event| event.offset > item.offset)
        };
        let mut told: Vec<Told> = items.into_iter().filter(is_current).collect();
        told.extend(events);
        told.sort_by_key(|told| told.offset);
        told
    }
}

/// Facts of the vendor's history (`backfill`) are no events and have another shape.
fn is_event(change: &Change) -> bool {
    matches!(change.origin, Origin::Live | Origin::Replay | Origin::Synthetic)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use unbroken_core::record::{SnapshotBegin, SnapshotEnd, Witness};

    use super::*;

    fn change(key: &str, origin: Origin) -> Change {
        Change {
            key: key.into(),
            position: None,
            bookmark: None,
            ordinal: 0,
            event_id: None,
            kind: None,
            deleted: false,
            origin,
            effect: Effect::State,
            occurred_at: None,
            digest: 1,
            payload: Bytes::from_static(b"{}"),
        }
    }

    fn event(key: &str) -> Body {
        Body::Change(change(key, Origin::Live))
    }

    fn item(snapshot: u64, key: &str) -> Body {
        let change = change(key, Origin::Snapshot);
        Body::SnapshotItem { snapshot: SnapshotId(snapshot), change }
    }

    fn begin(snapshot: u64) -> Body {
        Body::SnapshotBegin(SnapshotBegin {
            snapshot: SnapshotId(snapshot),
            tag: None,
            rows_are_state: true,
            keys: None,
        })
    }

    fn end(snapshot: u64) -> Body {
        Body::SnapshotEnd(SnapshotEnd {
            snapshot: SnapshotId(snapshot),
            count: 0,
            rows: 0,
            digest: 0,
            tag: None,
            rows_are_state: true,
            keyed: false,
            converging_until: None,
            witness: Witness::Assumed,
        })
    }

    /// What is told, record by record, from an offset on.
    fn told_from(from: u64, bodies: Vec<Body>) -> Vec<Vec<(u64, String)>> {
        let mut staging = Staging::default();
        let apply = |(offset, body): (u64, Body)| {
            let record = Record { stream: "v/a".into(), received_at: UnixMicros(0), body };
            let told = staging.apply(offset, &record);
            told.iter().map(|one| (one.offset, one.change.key.to_string())).collect()
        };
        (from..).zip(bodies).map(apply).collect()
    }

    fn flat(told: Vec<Vec<(u64, String)>>) -> Vec<(u64, String)> {
        told.into_iter().flatten().collect()
    }

    fn at(told: &[(u64, &str)]) -> Vec<(u64, String)> {
        told.iter().map(|(offset, key)| (*offset, (*key).to_owned())).collect()
    }

    #[test]
    fn items_are_told_at_the_end_of_their_bracket_under_their_own_offsets() {
        let bodies = vec![event("a"), begin(1), item(1, "b"), item(1, "c"), end(1), event("d")];
        let told = told_from(10, bodies);
        assert_eq!(told[3], []);
        assert_eq!(told[4], at(&[(12, "b"), (13, "c")]));
        assert_eq!(flat(told), at(&[(10, "a"), (12, "b"), (13, "c"), (15, "d")]));
    }

    #[test]
    fn offsets_never_fall_and_what_was_overtaken_is_not_told() {
        let bodies = vec![begin(1), item(1, "a"), event("a"), item(1, "b"), event("c"), end(1)];
        assert_eq!(flat(told_from(0, bodies)), at(&[(2, "a"), (3, "b"), (4, "c")]));
    }

    #[test]
    fn a_bracket_that_never_ends_tells_nothing_but_its_events() {
        let bodies = vec![begin(1), item(1, "a"), Body::SnapshotAbort { snapshot: SnapshotId(1) }];
        assert_eq!(flat(told_from(0, bodies)), []);
        let bodies = vec![begin(1), item(1, "a"), event("b"), begin(2), item(2, "c"), end(2)];
        assert_eq!(flat(told_from(0, bodies)), at(&[(2, "b"), (4, "c")]));
    }

    #[test]
    fn what_waits_for_the_end_of_a_bracket_is_not_told_yet() {
        let mut staging = Staging::default();
        let mut waits = Vec::new();
        let bodies = [event("a"), begin(1), item(1, "b"), end(1)];
        for (offset, body) in (7..).zip(bodies) {
            let record = Record { stream: "v/a".into(), received_at: UnixMicros(0), body };
            staging.apply(offset, &record);
            waits.push(staging.waits_from());
        }
        assert_eq!(waits, [None, Some(8), Some(8), None]);
    }

    #[test]
    fn who_resumes_inside_a_bracket_is_told_the_rest_of_it() {
        let bodies = vec![item(1, "b"), item(1, "c"), end(1)];
        assert_eq!(flat(told_from(5, bodies)), at(&[(5, "b"), (6, "c")]));
        assert_eq!(flat(told_from(5, vec![end(1), event("a")])), at(&[(6, "a")]));
    }

    #[test]
    fn facts_of_the_vendor_s_history_are_no_events() {
        let bodies = vec![Body::Change(change("a", Origin::Backfill)), event("b")];
        assert_eq!(flat(told_from(0, bodies)), at(&[(1, "b")]));
    }
}

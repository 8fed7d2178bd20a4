//! What was recorded, and whether it is what happened.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use unbroken_core::ids::GapId;
use unbroken_core::record::{Body, Effect, GapCause, GapClosed, GapOutcome, Origin};
use unbroken_journal::Reader;
use unbroken_sim::Truth;

/// A fact of the vendor's history.
#[derive(Debug)]
pub(crate) struct Fact {
    pub(crate) id: String,
    pub(crate) origin: Origin,
    pub(crate) began_us: i64,
}

/// The log, read from its beginning.
#[derive(Debug, Default)]
pub(crate) struct Recorded {
    /// Bodies of the events of each key, in order; keys as the vendor's ledger names them.
    pub(crate) events: BTreeMap<String, Vec<Vec<u8>>>,
    /// The keys that state shows at the end, with their stream.
    pub(crate) present: BTreeSet<(String, String)>,
    /// Facts, in order.
    pub(crate) facts: Vec<Fact>,
    /// Rows that are open, with their stream.
    pub(crate) open: Vec<(String, GapCause)>,
    /// The last form of each row that was ended, with its stream.
    pub(crate) rows: Vec<(String, GapClosed)>,
}

impl Recorded {
    pub(crate) fn read(data_dir: &Path) -> Self {
        let reader = Reader::open(data_dir.join("journal")).unwrap();
        let mut recorded = Self::default();
        let mut open: BTreeMap<(String, GapId), GapCause> = BTreeMap::new();
        let mut closed: BTreeMap<(String, GapId), GapClosed> = BTreeMap::new();
        for batch in reader.batches(0).unwrap() {
            for record in batch.unwrap().records {
                let stream = record.stream.to_string();
                recorded.note_state(&stream, &record.body);
                match record.body {
                    Body::Change(change) if change.origin != Origin::Backfill => {
                        let key = ledger_key(&stream, change.key.as_str());
                        recorded.events.entry(key).or_default().push(change.payload.to_vec());
                    }
                    Body::Change(change) => recorded.facts.push(Fact {
                        id: change.event_id.unwrap().to_string(),
                        origin: change.origin,
                        began_us: change.occurred_at.unwrap().0,
                    }),
                    Body::GapOpened(gap) => drop(open.insert((stream, gap.gap), gap.cause)),
                    Body::GapClosed(gap) => {
                        open.remove(&(stream.clone(), gap.gap));
                        closed.insert((stream, gap.gap), gap);
                    }
                    Body::Quarantined(bytes) => panic!("not understood: {bytes:?}"),
                    _ => {}
                }
            }
        }
        recorded.open = open.into_iter().map(|((stream, _), cause)| (stream, cause)).collect();
        recorded.rows = closed.into_iter().map(|((stream, _), row)| (stream, row)).collect();
        recorded
    }

    fn note_state(&mut self, stream: &str, body: &Body) {
        let (key, is_there) = match body {
            Body::Change(change) if change.effect == Effect::State => {
                (&change.key, !change.deleted)
            }
            Body::SnapshotItem { change, .. } => (&change.key, !change.deleted),
            Body::Forgotten { key } => (key, false),
            _ => return,
        };
        let named = (stream.to_owned(), key.to_string());
        if is_there {
            self.present.insert(named);
        } else {
            self.present.remove(&named);
        }
    }

    /// Rows beside those of the first start.
    pub(crate) fn losses(&self) -> Vec<&(String, GapClosed)> {
        self.rows.iter().filter(|(_, row)| row.cause != GapCause::Start).collect()
    }

    /// Rows of a stream that ended so.
    pub(crate) fn rows_of(&self, stream: &str, outcome: GapOutcome) -> Vec<&GapClosed> {
        let of = self.rows.iter().filter(|(one, row)| one == stream && row.outcome == outcome);
        of.map(|(_, row)| row).collect()
    }

    /// Every event of every key since it was first covered is recorded, once and in order. Gives
    /// how many there are.
    pub(crate) fn assert_whole(&self, truth: &Truth) -> usize {
        let mut count = 0;
        for (key, happened) in happened(truth) {
            let none = Vec::new();
            let held = self.events.get(&key).unwrap_or(&none);
            count += happened.len();
            assert_eq!(held.len(), happened.len(), "{key}: events recorded, and made");
            assert!(*held == happened, "{key}: the same events in another order");
        }
        count
    }
}

/// What the vendor's ledger calls a key.
fn ledger_key(stream: &str, key: &str) -> String {
    let name = stream.split_once('/').map_or(stream, |(_, name)| name);
    // `adherence-2` is one of several that share the topics of a kind.
    let kind = name.split('-').next().unwrap_or(name);
    let kind = match kind {
        "conversations" => "conversation",
        "routing_status" => "routing",
        kind => kind,
    };
    format!("{kind}/{key}")
}

/// Bodies of the events of each key since it was first covered.
fn happened(truth: &Truth) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut first: BTreeMap<&str, u64> = BTreeMap::new();
    for subscription in &truth.subscriptions {
        for key in subscription.agents.iter().flatten() {
            first.entry(key).or_insert(subscription.first);
        }
    }
    let mut events: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for event in &truth.events {
        let is_covered = first.get(&*event.agent).is_some_and(|first| event.index >= *first);
        if is_covered {
            events.entry(event.agent.to_string()).or_default().push(event.body.to_vec());
        }
    }
    events
}

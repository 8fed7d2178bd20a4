//! One socket, as a machine without input or output: which records are told, and how far it has
//! come.

use std::collections::{BTreeMap, HashMap};

use unbroken_core::ids::StreamId;
use unbroken_core::record::Record;

use super::frame::Fact;
use super::topic::{Kind, Topics};
use crate::dialect::owed::Owed;
use crate::dialect::probe::Probe;
use crate::dialect::staging::{Staging, Told};

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    journal: String,
    source: String,
    stagings: HashMap<StreamId, Staging>,
    probe: Probe,
    /// By kind: an agent has a value of each.
    owed: BTreeMap<Kind, Owed>,
}

impl Session {
    /// A socket whose application has everything below `next`.
    pub(crate) fn new(journal: String, source: String, next: u64) -> Self {
        let (stagings, owed) = (HashMap::new(), BTreeMap::new());
        Self { journal, source, stagings, probe: Probe::new(next), owed }
    }

    /// What is current, everything below `next` included, ordered by offset.
    pub(crate) fn show_state<'a>(
        &mut self,
        facts: impl IntoIterator<Item = Fact<'a>>,
        topics: &Topics,
        next: u64,
    ) -> Vec<String> {
        let journal = &self.journal;
        let says: Vec<String> =
            facts.into_iter().flat_map(|fact| fact.frames(journal, topics)).collect();
        self.probe.advance(next, !says.is_empty());
        says
    }

    /// The next record of the source.
    pub(crate) fn handle_record(
        &mut self,
        offset: u64,
        record: &Record,
        topics: &Topics,
    ) -> Vec<String> {
        let Some(kind) = Kind::of_stream(record.stream.as_str(), &self.source) else {
            return Vec::new();
        };
        if !self.stagings.contains_key(&record.stream) {
            self.stagings.insert(record.stream.clone(), Staging::default());
        }
        let staging = self.stagings.get_mut(&record.stream);
        let told = staging.map_or_else(Vec::new, |staging| staging.apply(offset, record));
        let mut says = Vec::new();
        for told in &told {
            let frames = fact(told, kind).frames(&self.journal, topics);
            if !frames.is_empty() {
                self.owed.entry(kind).or_default().note(told);
            }
            says.extend(frames);
        }
        self.handle_passed_by(offset + 1, !says.is_empty());
        says
    }

    /// Whether values have to be told again.
    pub(crate) fn owes(&self) -> bool {
        self.owed.values().any(|owed| owed.count() > 0)
    }

    /// What is current: told again, of those for whom it has to be.
    pub(crate) fn repay<'a>(
        &mut self,
        facts: impl IntoIterator<Item = Fact<'a>>,
        topics: &Topics,
    ) -> Vec<String> {
        let is_owed =
            |fact: &Fact<'_>| self.owed.get(&fact.kind).is_some_and(|owed| owed.contains(fact.key));
        let owed = facts.into_iter().filter(is_owed);
        let says: Vec<String> = owed.flat_map(|fact| fact.frames(&self.journal, topics)).collect();
        self.owed.values_mut().for_each(Owed::clear);
        says
    }

    /// There is nothing more of the source below `next`.
    pub(crate) fn handle_passed(&mut self, next: u64) {
        self.handle_passed_by(next, false);
    }

    fn handle_passed_by(&mut self, next: u64, was_sent: bool) {
        let waits = self.stagings.values().filter_map(Staging::waits_from).min();
        self.probe.advance(waits.map_or(next, |from| from.min(next)), was_sent);
    }

    /// What was sent, and what of it was read.
    pub(crate) fn probe(&mut self) -> &mut Probe {
        &mut self.probe
    }
}

fn fact(told: &Told, kind: Kind) -> Fact<'_> {
    Fact {
        offset: told.offset,
        kind,
        key: told.change.key.as_str(),
        payload: &told.change.payload,
        origin: Some(told.change.origin),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use unbroken_core::ids::SnapshotId;
    use unbroken_core::record::{Body, Change, Effect, Origin, SnapshotBegin};
    use unbroken_core::time::UnixMicros;

    use super::super::topic::Topic;
    use super::*;

    fn topics() -> Topics {
        let mut topics = Topics::default();
        for text in ["v2.users.u.presence", "v2.users.u.workforcemanagement.adherence"] {
            topics.insert(Topic::parse(text).unwrap(), text.to_owned());
        }
        topics
    }

    fn record(stream: &str, body: Body) -> Record {
        Record { stream: stream.into(), received_at: UnixMicros(0), body }
    }

    fn change(key: &str) -> Change {
        Change {
            key: key.into(),
            position: None,
            bookmark: None,
            ordinal: 0,
            event_id: None,
            kind: None,
            deleted: false,
            origin: Origin::Live,
            effect: Effect::State,
            occurred_at: None,
            digest: 0,
            payload: Bytes::from_static(b"{}"),
        }
    }

    fn session() -> Session {
        Session::new("j".to_owned(), "gen".to_owned(), 10)
    }

    #[test]
    fn what_is_subscribed_to_is_told_of_every_stream() {
        let mut session = session();
        let mut tell = |offset, stream: &str, key: &str| {
            let record = record(stream, Body::Change(change(key)));
            session.handle_record(offset, &record, &topics()).len()
        };
        assert_eq!(tell(10, "gen/presence", "u"), 1);
        assert_eq!(tell(11, "gen/adherence-2", "u"), 1);
        assert_eq!(tell(12, "gen/presence", "v"), 0);
        assert_eq!(tell(13, "gen/activity", "u"), 0);
        assert_eq!(tell(14, "gen/unheard-of", "u"), 0);
    }

    #[test]
    fn behind_an_event_that_came_late_what_is_current_is_told_again() {
        let mut session = session();
        let late = Change { effect: Effect::History, ..change("u") };
        let late = record("gen/presence", Body::Change(late));
        assert_eq!(session.handle_record(10, &late, &topics()).len(), 1);
        assert!(session.owes());
        let fact = |kind, key| Fact { offset: 9, kind, key, payload: b"{}", origin: None };
        let rows = [(Kind::Adherence, "u"), (Kind::Presence, "u"), (Kind::Presence, "v")];
        let says = session.repay(rows.map(|(kind, key)| fact(kind, key)), &topics());
        assert_eq!(says.len(), 1);
        assert!(says[0].contains("presence") && !session.owes());
    }

    #[test]
    fn a_bracket_of_one_stream_holds_back_the_place_and_not_the_others() {
        let mut session = session();
        let begin = Body::SnapshotBegin(SnapshotBegin {
            snapshot: SnapshotId(1),
            tag: None,
            rows_are_state: true,
            keys: None,
        });
        session.handle_record(10, &record("gen/adherence", begin), &topics());
        let presence = record("gen/presence", Body::Change(change("u")));
        assert_eq!(session.handle_record(11, &presence, &topics()).len(), 1);
        session.handle_passed(20);
        let ping = session.probe().poll_ping(0).unwrap();
        session.probe().handle_pong(&ping);
        assert_eq!(session.probe().confirmed(), 10);
    }
}

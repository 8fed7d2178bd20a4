//! One client's stream, as a machine without input or output: what comes in, and what is said.

use unbroken_core::record::Record;

use super::frame::{self, Fact, Subject};
use super::message::Wish;
use crate::dialect::beginning::{Asked, Beginning, Bounds, Why, beginning};
use crate::dialect::owed::Owed;
use crate::dialect::probe::Probe;
use crate::dialect::sequence::{Meaning, Numbers};
use crate::dialect::staging::Staging;

/// See the module.
#[derive(Debug)]
pub(crate) struct Session {
    epoch: String,
    numbers: Numbers,
    resource: String,
    /// Of subscriptions of this process: ids are never used twice.
    name: String,
    count: u64,
    subscription: Option<Subscription>,
}

/// What is served.
#[derive(Debug)]
struct Subscription {
    id: String,
    wish: Wish,
    staging: Staging,
    probe: Probe,
    /// Everything below was told.
    told: u64,
    /// The offset after the last one under which something was told.
    numbered: u64,
    owed: Owed,
}

/// What a subscribe message leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Start {
    /// What is said first.
    pub(crate) says: Vec<String>,
    /// From where the log is to be read, or that state is to be shown first.
    pub(crate) beginning: Beginning,
}

impl Session {
    /// A stream that was just opened. `name` is unlike that of any other.
    pub(crate) fn new(epoch: String, resource: String, name: String) -> Self {
        let numbers = Numbers::of(&epoch);
        Self { epoch, numbers, resource, name, count: 0, subscription: None }
    }

    /// A subscribe message. `place` is where the client was, if it does not say so itself and we
    /// know. A second one replaces the first.
    pub(crate) fn subscribe(&mut self, wish: Wish, place: Option<u64>, bounds: Bounds) -> Start {
        let is_elsewhere = wish.epoch.as_ref().is_some_and(|epoch| *epoch != self.epoch);
        let asked = match wish.sequence.map(|number| self.numbers.read(number)) {
            Some(Meaning::Next(_) | Meaning::Foreign) if is_elsewhere => Asked::Elsewhere,
            Some(meaning) => Asked::After(meaning),
            None => Asked::Nothing(place),
        };
        let beginning = beginning(asked, bounds);
        self.count += 1;
        let id = format!("{}-{}", self.name, self.count);
        let mut says = Vec::new();
        let (begins, next, place) = match beginning {
            Beginning::At(next) => (Ok(next), next, next),
            // Until it has seen what is current, its place is the one that it came with.
            Beginning::State(why) => {
                if why == Why::Ahead {
                    // The numbers that come are below the client's own: one that drops what it
                    // takes for repetitions has to begin anew, and this is how the vendor says so.
                    says.push(frame::error(why.word()));
                }
                (Err(why), 0, place.unwrap_or(0))
            }
        };
        let begins = begins.map(|next| self.numbers.of_reader(next));
        says.push(frame::subscribed(&id, &self.epoch, begins));
        self.subscription = Some(Subscription {
            id,
            wish,
            staging: Staging::default(),
            probe: Probe::new(place),
            told: next,
            numbered: next,
            owed: Owed::default(),
        });
        Start { says, beginning }
    }

    /// What is current, everything below `next` included, ordered by offset: told as events.
    pub(crate) fn show_state<'a>(
        &mut self,
        rows: impl IntoIterator<Item = Fact<'a>>,
        next: u64,
    ) -> Vec<String> {
        let (epoch, numbers, resource) = (&self.epoch, self.numbers, &self.resource);
        let Some(subscription) = &mut self.subscription else { return Vec::new() };
        let subject = Subject { subscription: &subscription.id, epoch, numbers, resource };
        let wanted = rows.into_iter().filter(|fact| subscription.wish.covers(fact.key));
        let mut says: Vec<String> = wanted.map(|fact| frame::event(subject, fact)).collect();
        says.push(frame::heartbeat(Some(numbers.of_reader(next))));
        subscription.told = next;
        subscription.numbered = next;
        subscription.probe.advance(next, true);
        says
    }

    /// Whether values have to be told again, and can be: each needs a number of its own, which no
    /// event has or will have. Records that are not told, of whatever kind and stream, leave one.
    pub(crate) fn owes(&self) -> bool {
        let owes = |subscription: &Subscription| {
            let (count, free) = (subscription.owed.count() as u64, subscription.free());
            count > 0 && count <= free
        };
        self.subscription.as_ref().is_some_and(owes)
    }

    /// What is current: told again, of those for whom it has to be.
    pub(crate) fn repay<'a>(&mut self, rows: impl IntoIterator<Item = Fact<'a>>) -> Vec<String> {
        let (epoch, numbers, resource) = (&self.epoch, self.numbers, &self.resource);
        let Some(subscription) = &mut self.subscription else { return Vec::new() };
        let subject = Subject { subscription: &subscription.id, epoch, numbers, resource };
        let owed = rows.into_iter().filter(|fact| subscription.owed.contains(fact.key));
        let numbered = (subscription.numbered..subscription.told).zip(owed);
        let renumbered = numbered.map(|(offset, fact)| Fact { offset, ..fact });
        let says: Vec<String> = renumbered.map(|fact| frame::event(subject, fact)).collect();
        subscription.numbered += says.len() as u64;
        subscription.owed.clear();
        subscription.probe.advance(subscription.told, !says.is_empty());
        says
    }

    /// The next record of the subscribed stream.
    pub(crate) fn handle_record(&mut self, offset: u64, record: &Record) -> Vec<String> {
        let (epoch, numbers, resource) = (&self.epoch, self.numbers, &self.resource);
        let Some(subscription) = &mut self.subscription else { return Vec::new() };
        let subject = Subject { subscription: &subscription.id, epoch, numbers, resource };
        let told = subscription.staging.apply(offset, record);
        let mut says = Vec::new();
        for told in told.iter().filter(|told| subscription.wish.covers(told.change.key.as_str())) {
            says.push(frame::event(subject, told.into()));
            subscription.owed.note(told);
            subscription.numbered = told.offset + 1;
        }
        subscription.pass(offset + 1, !says.is_empty());
        says
    }

    /// There is nothing more of the stream below `next`.
    pub(crate) fn handle_passed(&mut self, next: u64) {
        if let Some(subscription) = &mut self.subscription {
            subscription.pass(next, false);
        }
    }

    /// The client does not want to be served any more.
    pub(crate) fn unsubscribe(&mut self) -> String {
        let subscription = self.subscription.take();
        frame::unsubscribed(subscription.as_ref().map(|subscription| &*subscription.id))
    }

    /// The ping that is due.
    pub(crate) fn poll_ping(&mut self, now_ms: u64) -> Option<[u8; 8]> {
        self.subscription.as_mut()?.probe.poll_ping(now_ms)
    }

    /// An answer to a ping.
    pub(crate) fn handle_pong(&mut self, payload: &[u8]) {
        if let Some(subscription) = &mut self.subscription {
            subscription.probe.handle_pong(payload);
        }
    }

    /// How long a ping has gone without an answer, in milliseconds.
    pub(crate) fn silent_ms(&self, now_ms: u64) -> u64 {
        let subscription = self.subscription.as_ref();
        subscription.map_or(0, |subscription| subscription.probe.silent_ms(now_ms))
    }

    /// The heartbeat that is due.
    pub(crate) fn heartbeat(&self) -> String {
        let told = self.subscription.as_ref().map(|subscription| subscription.told);
        frame::heartbeat(told.map(|next| self.numbers.of_reader(next)))
    }

    /// Whether the client says where it was when it comes again, as it did this time. Of one that
    /// does not, every event has to be confirmed.
    pub(crate) fn is_numbered(&self) -> bool {
        self.subscription.as_ref().is_some_and(|it| it.wish.sequence.is_some())
    }

    /// Where the client is: everything below was read by it. `None`: it is not subscribed, or has
    /// not seen what is current yet.
    pub(crate) fn place(&self) -> Option<u64> {
        let confirmed = self.subscription.as_ref()?.probe.confirmed();
        (confirmed > 0).then_some(confirmed)
    }

    /// Everything below was told to it on this socket. `None`: it is not subscribed.
    pub(crate) fn told(&self) -> Option<u64> {
        self.subscription.as_ref().map(|subscription| subscription.told)
    }

    /// Since when a ping has gone without an answer.
    pub(crate) fn silent_since_ms(&self) -> Option<u64> {
        self.subscription.as_ref()?.probe.silent_since_ms()
    }
}

impl Subscription {
    /// Numbers that nothing is told under.
    fn free(&self) -> u64 {
        self.told.saturating_sub(self.numbered)
    }

    /// Everything below `next` was looked at; what waits for the end of a bracket was not told.
    fn pass(&mut self, next: u64, was_sent: bool) {
        let told = self.staging.waits_from().map_or(next, |from| from.min(next));
        self.told = self.told.max(told);
        self.probe.advance(self.told, was_sent);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::Value;
    use unbroken_core::ids::SnapshotId;
    use unbroken_core::record::{Body, Change, Effect, Origin, SnapshotBegin};
    use unbroken_core::time::UnixMicros;

    use super::*;

    const BOUNDS: Bounds = Bounds { oldest: 10, next: 100 };

    fn session() -> Session {
        Session::new("j1".to_owned(), "adherence".to_owned(), "s".to_owned())
    }

    fn after(offset: u64) -> Wish {
        Wish { sequence: Some(Numbers::of("j1").of_offset(offset)), ..Wish::default() }
    }

    fn only(agents: &[&str]) -> Wish {
        let agents = agents.iter().map(|agent| (*agent).to_owned()).collect();
        Wish { agents: Some(agents), ..Wish::default() }
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

    fn record(body: Body) -> Record {
        Record { stream: "v/adherence".into(), received_at: UnixMicros(0), body }
    }

    fn event(session: &mut Session, offset: u64, key: &str) -> Vec<Value> {
        parsed(&session.handle_record(offset, &record(Body::Change(change(key)))))
    }

    fn parsed(says: &[String]) -> Vec<Value> {
        says.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    fn numbers(says: &[Value]) -> Vec<u64> {
        says.iter()
            .filter_map(|say| say["sequenceId"].as_u64())
            .map(|n| n - Numbers::of("j1").of_offset(0))
            .collect()
    }

    #[test]
    fn a_position_is_honoured_and_named_in_the_confirmation() {
        let mut session = session();
        let start = session.subscribe(after(41), None, BOUNDS);
        assert_eq!(start.beginning, Beginning::At(42));
        let says = parsed(&start.says);
        assert_eq!((says[0]["type"].as_str(), numbers(&says)), (Some("subscribed"), vec![41]));
        assert_eq!(numbers(&event(&mut session, 42, "a")), [42]);
        assert_eq!(numbers(&parsed(&[session.heartbeat()])), [42]);
    }

    #[test]
    fn without_a_position_it_goes_on_where_it_was() {
        let mut first = session();
        assert_eq!(first.subscribe(only(&["a"]), None, BOUNDS).beginning, Beginning::At(100));
        assert_eq!(event(&mut first, 100, "a").len(), 1);
        let ping = first.poll_ping(0).unwrap();
        assert_eq!(event(&mut first, 101, "a").len(), 1);
        first.handle_pong(&ping);
        let next = first.place().unwrap();
        assert_eq!(next, 101);
        let bounds = Bounds { next: 200, ..BOUNDS };
        assert_eq!(
            session().subscribe(only(&["a"]), Some(next), bounds).beginning,
            Beginning::At(101)
        );
    }

    #[test]
    fn a_vendor_s_own_number_is_answered_with_what_is_current() {
        let mut session = session();
        let wish = Wish { sequence: Some(4_711), ..only(&["a", "b"]) };
        let start = session.subscribe(wish, None, BOUNDS);
        assert_eq!(start.beginning, Beginning::State(Why::VendorNumber));
        assert_eq!(numbers(&parsed(&start.says)), [0_u64; 0]);
        assert_eq!(session.place(), None);
        let says = parsed(&session.show_state([row(3, "a"), row(5, "c"), row(90, "b")], 100));
        // Two rows, and the heartbeat that says that all below is told.
        assert_eq!(numbers(&says), [3, 90, 99]);
        assert_eq!(numbers(&event(&mut session, 100, "b")), [100]);
    }

    #[test]
    fn a_position_in_the_future_is_also_an_error_of_the_vendor_s() {
        let mut session = session();
        let start = session.subscribe(after(500), None, BOUNDS);
        assert_eq!(start.beginning, Beginning::State(Why::Ahead));
        let says = parsed(&start.says);
        assert_eq!(says[0]["code"], "unknown_sequence");
        assert_eq!(says[1]["type"], "subscribed");
    }

    #[test]
    fn another_numbering_is_answered_from_state() {
        let other = Wish { epoch: Some("j0".to_owned()), ..after(50) };
        let start = session().subscribe(other, None, BOUNDS);
        assert_eq!(start.beginning, Beginning::State(Why::OtherNumbering));
        let ours = Wish { epoch: Some("j1".to_owned()), ..after(50) };
        assert_eq!(session().subscribe(ours, None, BOUNDS).beginning, Beginning::At(51));
    }

    fn row(offset: u64, key: &str) -> Fact<'_> {
        let (at, position) = (UnixMicros(0), None);
        Fact { offset, key, is_deleted: false, at, payload: b"{}", origin: None, position }
    }

    #[test]
    fn behind_an_event_that_came_late_what_is_current_is_told_again() {
        let mut session = session();
        session.subscribe(Wish::default(), None, BOUNDS);
        event(&mut session, 100, "a");
        let late = Change { effect: Effect::History, ..change("a") };
        let says = session.handle_record(101, &record(Body::Change(late.clone())));
        assert_eq!(numbers(&parsed(&says)), [101]);
        assert!(!session.owes(), "there is no number for it");
        // Another source's records leave some.
        session.handle_passed(105);
        assert!(session.owes());
        let says = parsed(&session.repay([row(100, "a"), row(50, "b")]));
        assert_eq!(numbers(&says), [102]);
        assert_eq!(says[0]["unbroken"]["origin"], "state");
        assert!(!session.owes());
        // A newer event of the agent repays it as well.
        session.handle_record(105, &record(Body::Change(late)));
        assert_eq!(numbers(&event(&mut session, 106, "a")), [106]);
        session.handle_passed(120);
        assert!(!session.owes());
    }

    #[test]
    fn other_agents_are_passed_over_and_the_place_moves_on() {
        let mut session = session();
        session.subscribe(only(&["a"]), None, BOUNDS);
        assert_eq!(event(&mut session, 100, "b"), [] as [Value; 0]);
        assert_eq!(numbers(&parsed(&[session.heartbeat()])), [100]);
        session.handle_passed(150);
        assert_eq!(session.place().unwrap(), 150);
    }

    #[test]
    fn who_goes_in_the_middle_of_a_bracket_comes_back_before_it() {
        let mut session = session();
        session.subscribe(Wish::default(), None, BOUNDS);
        let begin =
            SnapshotBegin { snapshot: SnapshotId(1), tag: None, rows_are_state: true, keys: None };
        session.handle_record(100, &record(Body::SnapshotBegin(begin)));
        let item = Body::SnapshotItem { snapshot: SnapshotId(1), change: change("a") };
        assert_eq!(session.handle_record(101, &record(item)), [] as [String; 0]);
        assert_eq!(session.place().unwrap(), 100);
        assert_eq!(numbers(&parsed(&[session.heartbeat()])), [99]);
    }

    #[test]
    fn who_goes_before_it_has_seen_what_is_current_comes_back_for_it() {
        let mut session = session();
        let start = session.subscribe(Wish::default(), Some(5), BOUNDS);
        assert_eq!(start.beginning, Beginning::State(Why::Expired));
        assert_eq!(session.place(), Some(5));
        session.show_state([row(90, "a")], 100);
        assert_eq!(session.place(), Some(5), "nothing says that it was read");
        let ping = session.poll_ping(0).unwrap();
        session.handle_pong(&ping);
        assert_eq!(session.place(), Some(100));
    }

    #[test]
    fn after_unsubscribe_nothing_is_told_and_no_place_is_kept() {
        let mut session = session();
        assert!(session.unsubscribe().contains("not_subscribed"));
        session.subscribe(Wish::default(), None, BOUNDS);
        assert!(session.unsubscribe().contains("\"s-1\""));
        assert_eq!(event(&mut session, 100, "a"), [] as [Value; 0]);
        assert_eq!((session.place(), session.poll_ping(0)), (None, None));
        let again = session.subscribe(Wish::default(), None, BOUNDS);
        assert!(again.says[0].contains("\"s-2\""));
    }
}

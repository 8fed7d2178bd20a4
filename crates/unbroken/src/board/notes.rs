//! The board itself: notes down what the machines report and what has become durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use unbroken_core::ids::{GapId, StreamId};
use unbroken_core::machine::{Phase, Report};
use unbroken_core::position::Position;
use unbroken_core::record::Mark;
use unbroken_core::time::UnixMicros;

use super::store::StoreNote;
use super::{SourceCounts, SourceStatus, StreamStatus};
use crate::{policy, words};

/// See the module. Shared by every task of the process; held only for moments.
#[derive(Debug, Default)]
pub struct Board {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    streams: BTreeMap<String, StreamStatus>,
    gaps_open: BTreeSet<(StreamId, GapId)>,
    /// Each source; of one that has stopped, why, and what a person should do.
    stopped: BTreeMap<String, Option<(String, &'static str)>>,
    store: StoreNote,
    next_offset: u64,
}

/// What a unit of one stream has changed now that it is durable.
#[derive(Clone, Debug, Default)]
pub struct Durable {
    /// The stream.
    pub stream: Option<StreamId>,
    /// Events in it.
    pub events: u64,
    /// The vendor's time of the newest of them.
    pub event_at: Option<UnixMicros>,
    /// What was not understood in it.
    pub quarantined: u64,
    /// Its size in memory, in bytes, about.
    pub bytes: u64,
    /// Where a resume may start now.
    pub mark: Option<Mark>,
}

impl Board {
    /// Of a process whose log ends at `next_offset`.
    pub fn new(next_offset: u64) -> Self {
        let inner = Inner { next_offset, ..Inner::default() };
        Self { inner: Mutex::new(inner) }
    }

    /// Adds a source with its streams and the gaps of each that the log holds open.
    pub fn add_source(&self, name: &str, streams: &[(StreamId, Vec<GapId>)], now: UnixMicros) {
        let mut inner = self.lock();
        inner.stopped.insert(name.to_owned(), None);
        for (stream, gaps) in streams {
            let mut status = StreamStatus::new(stream.as_str(), now);
            status.gaps_open = u64::try_from(gaps.len()).unwrap_or(u64::MAX);
            inner.streams.insert(stream.to_string(), status);
            inner.gaps_open.extend(gaps.iter().map(|gap| (stream.clone(), *gap)));
        }
    }

    /// What the log held at the start says where a stream's resume would begin. No unit says so
    /// again before something new has come, which on a quiet stream may take long.
    pub fn restored(&self, stream: &StreamId, position: Position) {
        if let Some(status) = self.lock().streams.get_mut(stream.as_str()) {
            status.position = Some(position.to_string());
        }
    }

    /// A source has stopped: why, and what a person should do. Its streams are not live any more,
    /// whatever they were.
    pub fn source_stopped(&self, name: &str, why: &str, todo: &'static str, now: UnixMicros) {
        let mut inner = self.lock();
        inner.stopped.insert(name.to_owned(), Some((why.to_owned(), todo)));
        for status in inner.streams.values_mut().filter(|status| is_of(status, name)) {
            note_phase(status, now, &Phase::Idle);
        }
    }

    /// Whether every source has stopped.
    pub fn all_stopped(&self) -> bool {
        self.lock().stopped.values().all(Option::is_some)
    }

    /// A machine reported something.
    pub fn reported(&self, now: UnixMicros, report: &Report) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let Some(status) = inner.streams.get_mut(stream_of(report)) else { return };
        match report {
            Report::Phase { phase, .. } => note_phase(status, now, phase),
            Report::Rung { rung, .. } => status.rung = Some(words::rung(*rung).to_owned()),
            Report::Lost { failure, .. } => {
                status.lost += 1;
                count(&mut status.lost_by, words::class(failure.class));
            }
            Report::GapOpened { stream, gap, cause } => {
                status.gaps_opened += 1;
                count(&mut status.gaps_opened_by, words::cause(*cause));
                status.gaps_open += u64::from(inner.gaps_open.insert((stream.clone(), *gap)));
            }
            Report::GapClosed { stream, gap, outcome } => {
                // A closed row may be closed again, narrower.
                if inner.gaps_open.remove(&(stream.clone(), *gap)) {
                    status.gaps_closed += 1;
                    count(&mut status.gaps_closed_by, words::outcome(*outcome));
                    status.gaps_open = status.gaps_open.saturating_sub(1);
                }
            }
            Report::Installed { .. } => status.snapshots += 1,
            Report::Duplicates { count, .. } => status.duplicates += count,
            Report::OverBudget { allowance, wait_ms, .. } => {
                count(&mut status.over_budget_by, words::allowance(*allowance));
                let wait_us = i64::try_from(*wait_ms).unwrap_or(i64::MAX).saturating_mul(1_000);
                status.over_budget_until = Some(UnixMicros(now.0.saturating_add(wait_us)));
            }
            Report::Foreign { count, .. } => status.foreign += count,
            Report::Alarm { what, .. } => status.alarm = Some(what.to_string()),
            Report::SchemaChanged { strange, frames, .. } => {
                status.schema_changed_at.get_or_insert(now);
                status.alarm = Some(words::schema_changed(*strange, *frames));
            }
            Report::SchemaKnown { .. } => {
                status.schema_changed_at = None;
                status.alarm = None;
            }
            Report::Proved { .. }
            | Report::Stale { .. }
            | Report::SnapshotRefused { .. }
            | Report::Unknown { .. } => {}
        }
    }

    /// Units have become durable; the log now ends at `end_offset`.
    pub fn committed<'a>(
        &self,
        end_offset: u64,
        units: impl Iterator<Item = &'a Durable>,
        now: UnixMicros,
    ) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.next_offset = inner.next_offset.max(end_offset);
        inner.store.look(inner.next_offset, now);
        for unit in units {
            let stream = unit.stream.as_ref().or(unit.mark.as_ref().map(|mark| &mark.stream));
            let Some(status) = stream.and_then(|id| inner.streams.get_mut(id.as_str())) else {
                continue;
            };
            status.events += unit.events;
            status.quarantined += unit.quarantined;
            status.event_at = status.event_at.max(unit.event_at);
            if let Some(mark) = &unit.mark {
                status.position = Some(mark.position.to_string());
            }
        }
    }

    /// The store holds every record below this offset.
    pub fn stored(&self, offset: u64, now: UnixMicros) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.store.offset = offset;
        inner.store.look(inner.next_offset, now);
    }

    /// Feeding the store has failed; it will be tried again.
    pub fn store_failed(&self, now: UnixMicros) {
        self.lock().store.fail(now);
    }

    /// The store is fed.
    pub fn store_fed(&self) {
        self.lock().store.recover();
    }

    /// How often feeding the store has failed.
    pub fn store_failures(&self) -> u64 {
        self.lock().store.failures
    }

    /// Since when what the store holds is old, if it is, and why.
    pub fn store_doubt(&self, now: UnixMicros) -> Option<(UnixMicros, &'static str)> {
        self.lock().store.doubt(now)
    }

    /// The store's offset, and the log's next one.
    pub fn offsets(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.store.offset, inner.next_offset)
    }

    /// One stream.
    pub fn stream(&self, stream: &str) -> Option<StreamStatus> {
        self.lock().streams.get(stream).cloned()
    }

    /// Everything.
    pub fn sources(&self) -> Vec<SourceStatus> {
        let inner = self.lock();
        let of = |name: &str| {
            inner.streams.values().filter(|status| is_of(status, name)).cloned().collect()
        };
        inner
            .stopped
            .iter()
            .map(|(name, stopped)| SourceStatus {
                name: name.clone(),
                stopped: stopped.as_ref().map(|(why, _)| why.clone()),
                todo: stopped.as_ref().map(|(_, todo)| (*todo).to_owned()),
                counts: SourceCounts::default(),
                streams: of(name),
            })
            .collect()
    }

    /// A panic elsewhere leaves at worst a stale note behind.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An outage that is over before needs no person.
const WAIT_LONG_US: i64 = 60_000_000;

fn has_waited_long(status: &StreamStatus, now: UnixMicros) -> bool {
    status.doubted_since.is_some_and(|since| now.0.saturating_sub(since.0) >= WAIT_LONG_US)
}

fn is_of(status: &StreamStatus, source: &str) -> bool {
    status.stream.strip_prefix(source).is_some_and(|rest| rest.starts_with('/'))
}

fn note_phase(status: &mut StreamStatus, now: UnixMicros, phase: &Phase) {
    if matches!(phase, Phase::Live { .. }) && !status.is_live() {
        note_recovery(status, now);
        status.live_count += 1;
        status.was_paused = false;
    }
    status.was_paused |= matches!(phase, Phase::Paused { .. });
    let word = words::phase(phase);
    status.doubted_since = match phase {
        Phase::Live { .. } => None,
        _ => status.doubted_since.or(Some(now)),
    };
    if status.phase != word {
        status.since = now;
        word.clone_into(&mut status.phase);
    }
    if let Phase::Paused { since, .. } = phase {
        status.since = *since;
    }
    status.why = match phase {
        Phase::Waiting { why, .. } => Some(why.to_string()),
        Phase::Blocked { why } => Some(words::blocked(why)),
        Phase::Paused { by, .. } => Some(format!("paused by {by}")),
        _ => None,
    };
    status.todo = match phase {
        Phase::Blocked { why } => Some(policy::of_blocked(why).todo.to_owned()),
        Phase::Waiting { .. } if has_waited_long(status, now) => {
            Some(policy::of_long_wait().todo.to_owned())
        }
        _ => None,
    };
}

/// What a person did is no outage, and a stream that was never live had none.
fn note_recovery(status: &mut StreamStatus, now: UnixMicros) {
    let since = status.doubted_since.filter(|_| status.live_count > 0 && !status.was_paused);
    if let Some(since) = since {
        // A clock that was set back has no time to tell.
        status.recoveries.note(u64::try_from(now.0.saturating_sub(since.0)).unwrap_or(0));
    }
}

fn count(by: &mut BTreeMap<String, u64>, word: &str) {
    *by.entry(word.to_owned()).or_default() += 1;
}

fn stream_of(report: &Report) -> &str {
    match report {
        Report::Phase { stream, .. }
        | Report::Rung { stream, .. }
        | Report::Lost { stream, .. }
        | Report::Proved { stream, .. }
        | Report::Stale { stream, .. }
        | Report::GapOpened { stream, .. }
        | Report::GapClosed { stream, .. }
        | Report::Installed { stream, .. }
        | Report::SnapshotRefused { stream, .. }
        | Report::Duplicates { stream, .. }
        | Report::OverBudget { stream, .. }
        | Report::Foreign { stream, .. }
        | Report::Unknown { stream, .. }
        | Report::SchemaChanged { stream, .. }
        | Report::SchemaKnown { stream }
        | Report::Alarm { stream, .. } => stream.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use unbroken_core::machine::{Phase, Report};
    use unbroken_core::time::{Millis, UnixMicros};

    use super::Board;

    fn phase(phase: Phase) -> Report {
        Report::Phase { stream: "a/s".into(), phase }
    }

    #[test]
    fn a_stream_that_stays_live_became_live_once() {
        let board = Board::default();
        board.add_source("a", &[("a/s".into(), Vec::new())], UnixMicros(0));
        board.reported(UnixMicros(5), &phase(Phase::Live { handover: false }));
        board.reported(UnixMicros(6), &phase(Phase::Live { handover: true }));
        let status = board.stream("a/s").expect("it was added");
        assert_eq!((status.live_count, status.since), (1, UnixMicros(5)));
        board.reported(UnixMicros(7), &phase(Phase::Connecting));
        board.reported(UnixMicros(8), &phase(Phase::Live { handover: false }));
        assert_eq!(board.stream("a/s").expect("it was added").live_count, 2);
    }

    #[test]
    fn an_outage_is_timed_and_neither_the_start_nor_a_pause_is_one() {
        let board = Board::default();
        board.add_source("a", &[("a/s".into(), Vec::new())], UnixMicros(0));
        let live = phase(Phase::Live { handover: false });
        let recoveries = || board.stream("a/s").expect("it was added").recoveries;
        board.reported(UnixMicros(5), &live);
        assert_eq!(recoveries().count, 0);
        board.reported(UnixMicros(10), &phase(Phase::Connecting));
        board.reported(UnixMicros(20), &phase(Phase::Subscribing));
        board.reported(UnixMicros(40), &live);
        assert_eq!((recoveries().count, recoveries().sum_us, recoveries().within[0]), (1, 30, 1));
        board.reported(
            UnixMicros(50),
            &phase(Phase::Paused { since: UnixMicros(50), by: "anna".into() }),
        );
        board.reported(UnixMicros(60), &phase(Phase::Connecting));
        board.reported(UnixMicros(70), &live);
        assert_eq!(recoveries().count, 1);
        board.reported(UnixMicros(80), &phase(Phase::Connecting));
        board.reported(UnixMicros(90), &live);
        assert_eq!((recoveries().count, recoveries().sum_us), (2, 40));
    }

    #[test]
    fn a_person_is_asked_for_only_when_an_outage_lasts() {
        let board = Board::default();
        board.add_source("a", &[("a/s".into(), Vec::new())], UnixMicros(0));
        let waiting = phase(Phase::Waiting { until: Millis(1), why: "refused".into() });
        let todo = || board.stream("a/s").expect("it was added").todo;
        board.reported(UnixMicros(59_999_999), &waiting);
        assert_eq!(todo(), None);
        board.reported(UnixMicros(60_000_000), &waiting);
        assert!(todo().is_some_and(|todo| todo.contains("unbroken check")));
        board.reported(UnixMicros(60_000_001), &phase(Phase::Live { handover: false }));
        assert_eq!(todo(), None);
        board.reported(UnixMicros(99_000_000), &waiting);
        assert_eq!(todo(), None, "a new outage has just begun");
    }

    #[test]
    fn a_source_s_streams_are_its_own() {
        let board = Board::default();
        board.add_source("a", &[("a/s".into(), Vec::new())], UnixMicros(0));
        board.add_source("ab", &[("ab/s".into(), Vec::new())], UnixMicros(0));
        board.reported(UnixMicros(5), &phase(Phase::Live { handover: false }));
        board.source_stopped("a", "told to", "start again", UnixMicros(6));
        let sources = board.sources();
        assert_eq!(sources[0].streams.len(), 1);
        assert_eq!(sources[0].stopped.as_deref(), Some("told to"));
        assert_eq!(sources[0].todo.as_deref(), Some("start again"));
        assert!(!sources[0].streams[0].is_live());
        assert_eq!(sources[0].streams[0].doubted_since, Some(UnixMicros(6)));
        assert_eq!((&sources[1].stopped, &sources[1].todo), (&None, &None));
        assert!(!board.all_stopped());
    }
}

//! The truth of a polled vendor, and what a client's record is worth by it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use crate::verdict::{Evidence, Example, LiveInterval, Origin, Outcome, Verdict};

/// One state that an agent was ever in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Its place among all, from 0.
    pub index: u64,
    /// Wall clock, microseconds since 1970.
    pub wall_us: i64,
    /// Whose.
    pub agent: String,
    /// The row, byte for byte as on the wire; `None`: the agent was removed.
    pub row: Option<Bytes>,
    /// A client has certainly read it in an answer to a poll.
    pub is_read: bool,
}

/// Every state, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PollTruth {
    /// The states.
    pub states: Vec<Shown>,
}

impl PollTruth {
    pub(crate) fn of(all: Vec<(u64, i64, String, Option<Bytes>)>, read: &BTreeSet<u64>) -> Self {
        let states = all.into_iter().map(|(index, wall_us, agent, row)| Shown {
            index,
            wall_us,
            agent,
            row,
            is_read: read.contains(&index),
        });
        Self { states: states.collect() }
    }

    /// States that a client has certainly read.
    pub fn read_count(&self) -> u64 {
        self.states.iter().filter(|state| state.is_read).count() as u64
    }

    fn last_by_agent(&self) -> BTreeMap<&str, &Shown> {
        self.states.iter().map(|state| (state.agent.as_str(), state)).collect()
    }
}

/// Judges a client of the polled vendor; to be asked after quiescence. A state that the client has
/// read must be in its record (`lost`), no state may be an event twice or one that never was
/// (`duplicated`), the states of an agent stand in their order (`out_of_order`), what it holds at
/// the end is what the vendor has (`stale_keys`), and no row of its ledger is open. That an agent
/// was removed is told by no answer: it may be an event never, but must be known in the end.
pub fn judge_poll(truth: &PollTruth, evidence: &Evidence) -> Verdict {
    let mut verdict = Verdict { events_emitted: truth.read_count(), ..Verdict::default() };
    let of_row: HashMap<(&str, &[u8]), usize> = truth
        .states
        .iter()
        .enumerate()
        .filter_map(|(at, state)| Some(((state.agent.as_str(), state.row.as_deref()?), at)))
        .collect();
    let mut removals: HashMap<&str, Vec<usize>> = HashMap::new();
    for (at, state) in truth.states.iter().enumerate().filter(|(_, state)| state.row.is_none()) {
        removals.entry(state.agent.as_str()).or_default().push(at);
    }
    let mut stored_by: Vec<bool> = vec![false; truth.states.len()];
    let mut last: HashMap<&str, usize> = HashMap::new();
    // When a state of the agent, or a later one, was first held.
    let mut held: BTreeMap<&str, Vec<(usize, i64)>> = BTreeMap::new();
    for stored in &evidence.stored {
        let is_event = matches!(stored.origin, Origin::Live | Origin::Replay);
        verdict.events_stored += u64::from(is_event);
        let example = |figure, reason: &str| Example {
            figure,
            position: None,
            agent: stored.key.clone(),
            at_us: stored.received_us,
            reason: reason.to_owned(),
        };
        let before = last.get(stored.key.as_str()).copied();
        let shown = match stored.deleted {
            // The last removal by then, behind what the record has of the agent.
            true => removals.get(stored.key.as_str()).and_then(|all| {
                let by_then = |at: &usize| truth.states[*at].wall_us <= stored.received_us;
                let last = all.iter().copied().rev().find(by_then);
                last.filter(|at| before.is_none_or(|before| *at > before))
            }),
            false => of_row.get(&(stored.key.as_str(), stored.payload.as_ref())).copied(),
        };
        let Some(at) = shown else {
            verdict.duplicated += 1;
            verdict.keep_example(example("duplicated", "the vendor never showed this"));
            continue;
        };
        if is_event && stored_by[at] {
            verdict.duplicated += 1;
            verdict.keep_example(example("duplicated", "it was in the record already"));
        }
        stored_by[at] = true;
        let state = &truth.states[at];
        last.insert(state.agent.as_str(), at);
        if before.is_some_and(|before| before > at) {
            verdict.out_of_order += 1;
            verdict.keep_example(example("out_of_order", "a later state came before it"));
        }
        held.entry(state.agent.as_str()).or_default().push((at, stored.received_us));
    }
    for (state, is_stored) in truth.states.iter().zip(&stored_by) {
        if state.is_read && !is_stored {
            verdict.lost += 1;
            verdict.keep_example(of_state("lost", state, "read in an answer and not recorded"));
        }
    }
    judge_state(&mut verdict, truth, evidence);
    verdict.stale_live_ms_max = stale_live_ms_max(truth, &removals, &held, &evidence.live);
    let open = evidence.ledger.iter().filter(|row| row.outcome == Outcome::Open);
    verdict.gaps_open = open.count() as u64;
    verdict
}

fn judge_state(verdict: &mut Verdict, truth: &PollTruth, evidence: &Evidence) {
    let held: HashMap<&str, Option<&Bytes>> =
        evidence.state.iter().map(|value| (value.key.as_str(), value.payload.as_ref())).collect();
    let last = truth.last_by_agent();
    for (agent, state) in &last {
        if held.get(agent).copied().flatten() != state.row.as_ref() {
            verdict.stale_keys += 1;
            verdict.keep_example(of_state("stale_keys", state, "the client holds another"));
        }
    }
    let unknown = held.iter().filter(|(key, row)| row.is_some() && !last.contains_key(*key));
    verdict.stale_keys += unknown.count() as u64;
}

/// The longest that an agent's state was not held while the client said Live, in milliseconds. Of
/// an agent who is removed before the client has seen him, holding nothing is right again.
fn stale_live_ms_max(
    truth: &PollTruth,
    removals: &HashMap<&str, Vec<usize>>,
    held: &BTreeMap<&str, Vec<(usize, i64)>>,
    live: &[LiveInterval],
) -> u64 {
    let mut worst_us = 0;
    for (at, state) in truth.states.iter().enumerate() {
        let agent = state.agent.as_str();
        let receipts = held.get(agent).map_or(&[][..], Vec::as_slice);
        let soonest = receipts.iter().filter(|(shown, _)| *shown >= at).map(|(_, us)| *us).min();
        let removed = removals.get(agent).and_then(|all| all.iter().find(|gone| **gone >= at));
        let removed = removed.map(|gone| truth.states[*gone].wall_us).filter(|gone_us| {
            let last = receipts.iter().rev().find(|(_, us)| us <= gone_us);
            last.is_none_or(|(shown, _)| truth.states[*shown].row.is_none())
        });
        let until_us = soonest.unwrap_or(i64::MAX).min(removed.unwrap_or(i64::MAX));
        for live in live.iter().filter(|live| live.to_us > state.wall_us) {
            worst_us = worst_us.max(until_us.min(live.to_us) - state.wall_us.max(live.from_us));
        }
    }
    u64::try_from(worst_us / 1_000).unwrap_or(0)
}

fn of_state(figure: &'static str, state: &Shown, reason: &str) -> Example {
    Example {
        figure,
        position: None,
        agent: state.agent.clone(),
        at_us: state.wall_us,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{FinalValue, LedgerRow, Stored};

    /// `(agent, row, read)`, one a second; without a row the agent is gone.
    fn truth(states: &[(&str, &'static str, bool)]) -> PollTruth {
        let state = |(index, (agent, row, is_read)): (u64, &(&str, &'static str, bool))| Shown {
            index,
            wall_us: index as i64 * 1_000_000,
            agent: (*agent).to_owned(),
            row: (!row.is_empty()).then(|| Bytes::from_static(row.as_bytes())),
            is_read: *is_read,
        };
        PollTruth { states: (0..).zip(states).map(state).collect() }
    }

    fn stored(agent: &str, row: &'static str, origin: Origin, received_s: i64) -> Stored {
        Stored {
            stream: "x/states".into(),
            epoch: 0,
            epoch_name: None,
            sequence: None,
            key: agent.to_owned(),
            ordinal: 0,
            deleted: row.is_empty(),
            payload: Bytes::from_static(row.as_bytes()),
            origin,
            is_state: true,
            occurred_us: None,
            received_us: received_s * 1_000_000,
            offset: 0,
        }
    }

    fn evidence(stored: Vec<Stored>, state: &[(&str, &'static str)]) -> Evidence {
        let value = |(agent, row): &(&str, &'static str)| FinalValue {
            key: (*agent).to_owned(),
            payload: (!row.is_empty()).then(|| Bytes::from_static(row.as_bytes())),
            is_marked_stale: false,
        };
        Evidence { stored, state: state.iter().map(value).collect(), ..Evidence::default() }
    }

    fn failures(truth: &PollTruth, evidence: &Evidence) -> Vec<(&'static str, u64)> {
        judge_poll(truth, evidence).failures(0)
    }

    const LIVE: Origin = Origin::Live;

    #[test]
    fn a_record_of_all_that_was_read_is_clean_whatever_nobody_read() {
        let truth = truth(&[("1", "a", false), ("1", "b", false), ("1", "c", true)]);
        let snapshot = stored("1", "a", Origin::Snapshot, 0);
        let held = evidence(vec![snapshot, stored("1", "c", LIVE, 2)], &[("1", "c")]);
        assert_eq!(failures(&truth, &held), []);
    }

    #[test]
    fn what_was_read_and_is_nowhere_is_lost() {
        let truth = truth(&[("1", "a", true), ("1", "b", true)]);
        let held = evidence(vec![stored("1", "b", LIVE, 2)], &[("1", "b")]);
        assert_eq!(failures(&truth, &held), [("lost", 1)]);
    }

    #[test]
    fn an_event_twice_or_of_a_state_that_a_snapshot_brought_is_one_too_many() {
        let truth = truth(&[("1", "a", true), ("2", "b", true)]);
        let twice = vec![
            stored("1", "a", Origin::Snapshot, 0),
            stored("1", "a", LIVE, 1),
            stored("2", "b", LIVE, 1),
            stored("2", "b", LIVE, 2),
            stored("2", "z", LIVE, 3),
        ];
        let held = evidence(twice, &[("1", "a"), ("2", "b")]);
        assert_eq!(failures(&truth, &held), [("duplicated", 3)]);
    }

    #[test]
    fn a_state_that_was_turned_back_is_out_of_order_and_stale() {
        let truth = truth(&[("1", "a", false), ("1", "b", true)]);
        let stored = vec![stored("1", "b", LIVE, 1), stored("1", "a", LIVE, 2)];
        let held = evidence(stored, &[("1", "a")]);
        assert_eq!(failures(&truth, &held), [("out_of_order", 1), ("stale_keys", 1)]);
    }

    #[test]
    fn an_agent_that_was_removed_is_gone_in_the_end_and_no_sooner() {
        let truth = truth(&[("1", "a", true), ("1", "", false), ("2", "b", true)]);
        let came = || vec![stored("1", "a", LIVE, 0), stored("2", "b", LIVE, 2)];
        let removed = || stored("1", "", Origin::Snapshot, 3);
        let whole = [came(), vec![removed()]].concat();
        assert_eq!(failures(&truth, &evidence(whole.clone(), &[("1", ""), ("2", "b")])), []);
        let kept = evidence(came(), &[("1", "a"), ("2", "b")]);
        assert_eq!(failures(&truth, &kept), [("stale_keys", 1)]);
        let other = [whole.clone(), vec![stored("2", "", Origin::Snapshot, 3)]].concat();
        let other = evidence(other, &[("2", "")]);
        assert_eq!(failures(&truth, &other), [("duplicated", 1), ("stale_keys", 1)], "2 was not");
        let twice = evidence([whole, vec![removed()]].concat(), &[("2", "b")]);
        assert_eq!(failures(&truth, &twice), [("duplicated", 1)], "it was removed once");
        let mut late = evidence([came(), vec![removed()]].concat(), &[("2", "b")]);
        late.live = vec![LiveInterval { stream: "x/states".into(), from_us: 0, to_us: 9_000_000 }];
        assert_eq!(failures(&truth, &late), [("stale_live_ms_max", 2_000)], "held for two seconds");
    }

    #[test]
    fn who_came_and_went_unseen_was_never_wrong_and_the_last_removal_counts() {
        let states = [("1", "a", false), ("1", "", false), ("1", "b", false), ("1", "", false)];
        let truth = truth(&states);
        let mut unseen = evidence(Vec::new(), &[]);
        let live = LiveInterval { stream: "x/states".into(), from_us: 0, to_us: 99_000_000 };
        unseen.live = vec![live.clone()];
        assert_eq!(failures(&truth, &unseen), [("stale_live_ms_max", 1_000)], "while he was there");
        // Read at once, and found to be gone when it had come and gone a second time.
        let seen = vec![stored("1", "a", LIVE, 0), stored("1", "", Origin::Snapshot, 4)];
        let mut seen = evidence(seen, &[("1", "")]);
        seen.live = vec![live];
        assert_eq!(failures(&truth, &seen), [("stale_live_ms_max", 3_000)]);
    }

    #[test]
    fn time_in_which_a_live_client_was_wrong_counts_and_an_open_row_fails() {
        let truth = truth(&[("1", "a", true), ("1", "b", true)]);
        let stored = vec![stored("1", "a", LIVE, 0), stored("1", "b", LIVE, 4)];
        let mut held = evidence(stored, &[("1", "b")]);
        let stream = "x/states".to_owned();
        held.live = vec![LiveInterval { stream: stream.clone(), from_us: 0, to_us: 9_000_000 }];
        held.ledger = vec![LedgerRow {
            stream,
            after: None,
            through: None,
            wall_from_us: 0,
            wall_to_us: None,
            outcome: Outcome::Open,
            cause: "refused".into(),
        }];
        let figures = failures(&truth, &held);
        assert_eq!(figures, [("gaps_open", 1), ("stale_live_ms_max", 3_000)]);
    }
}

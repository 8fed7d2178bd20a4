//! Whether state is the vendor's, at the end and while it was said to be.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;

use super::input::Evidence;
use super::lost::Losses;
use super::pairing::{Pairing, body_of};
use super::streams::Streams;
use crate::genesys::normal::normal;
use crate::settings::Body;
use crate::truth::{FirstCoverages, Truth, TruthEvent, TruthRow};

/// A key that differs from the vendor at the end.
pub(super) struct StaleKey {
    pub(super) agent: String,
    pub(super) at_us: i64,
    /// It says so, and no baseline could have put it right.
    pub(super) is_excused: bool,
    pub(super) reason: &'static str,
}

/// Keys whose last value is not the vendor's. Where the baseline carries no state, only keys that
/// the client holds or was told of can be asked for, and not by an event that passed it by in
/// silence. What it was last told to be gone it need not hold: that it came back unseen is a matter
/// of the ledger.
pub(super) fn stale_keys(truth: &Truth, evidence: &Evidence, losses: &Losses<'_>) -> Vec<StaleKey> {
    let first = truth.first_coverages();
    let scope = truth.subscribed_agents();
    let mut last: BTreeMap<&str, &TruthEvent> = BTreeMap::new();
    for event in truth.events.iter().filter(|event| scope.contains(&*event.agent)) {
        last.insert(&event.agent, event);
    }
    let held: BTreeMap<&str, _> =
        evidence.state.iter().map(|value| (value.key.as_str(), value)).collect();
    let mut told: BTreeSet<&str> = BTreeSet::new();
    for stored in &evidence.stored {
        match stored.deleted {
            true => told.remove(stored.key.as_str()),
            false => told.insert(&stored.key),
        };
    }
    told.extend(held.keys());
    let keys: BTreeSet<&str> = last.keys().chain(held.keys()).copied().collect();
    let mut stale = Vec::new();
    for key in keys {
        let theirs = last.get(key).filter(|event| !event.deleted);
        let ours = held.get(key).and_then(|value| value.payload.as_ref()).map(body_of);
        let is_askable = theirs.is_none_or(|event| is_asked(truth, event)) || told.contains(key);
        let reason = match (theirs, ours) {
            (None, None) => continue,
            (Some(event), Some(body)) if event.is_shown_by(&body) => continue,
            (Some(event), _) if !is_asked(truth, event) && losses.is_unknowable(event) => continue,
            (Some(event), None) if !is_askable || is_unseen(truth, event, &first) => continue,
            (Some(_), Some(_)) => "another value than the vendor's",
            (Some(_), None) => "the vendor has this agent, the client has not",
            (None, Some(_)) => "the client has this agent, the vendor has not",
        };
        stale.push(StaleKey {
            agent: key.to_owned(),
            at_us: last.get(key).map_or(0, |event| event.wall_us),
            is_excused: held.get(key).is_some_and(|value| value.is_marked_stale)
                && last.get(key).is_some_and(|event| !is_asked(truth, event)),
            reason,
        });
    }
    stale
}

/// Whether the baseline tells what the event said.
fn is_asked(truth: &Truth, event: &TruthEvent) -> bool {
    truth.body == Body::State && event.row != TruthRow::Absent
}

/// An agent that a baseline without state and a stream since the first coverage never showed.
fn is_unseen(truth: &Truth, event: &TruthEvent, first: &FirstCoverages<'_>) -> bool {
    !is_asked(truth, event) && first.is_before(event)
}

/// The longest time that a key was wrong while Live.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct StaleLive {
    pub(super) ms: u64,
    pub(super) agent: String,
    pub(super) at_us: i64,
}

/// For each of the vendor's events: from its emission to the receipt of the first record that shows
/// it or a later one, as far as that lies in one Live interval.
pub(super) fn stale_live_max(
    truth: &Truth,
    evidence: &Evidence,
    pairing: &Pairing,
    streams: &Streams<'_>,
) -> StaleLive {
    let shown = shown_by_agent(truth, evidence, pairing);
    let scope = truth.subscribed_agents();
    let mut worst = StaleLive::default();
    let mut by_agent: HashMap<&str, Vec<&TruthEvent>> = HashMap::new();
    for event in truth.events.iter().filter(|event| scope.contains(&*event.agent)) {
        by_agent.entry(&event.agent).or_default().push(event);
    }
    let mut agents: Vec<_> = by_agent.into_iter().collect();
    agents.sort_unstable_by_key(|(agent, _)| *agent);
    for (agent, events) in agents {
        let none = Vec::new();
        let shown = shown.get(agent).unwrap_or(&none);
        if shown.is_empty() && !events.iter().any(|event| is_asked(truth, event)) {
            continue;
        }
        let live = streams.live(agent);
        let mut receipts = shown.iter().rev().peekable();
        let mut soonest_us = i64::MAX;
        for event in events.iter().rev() {
            while let Some((_, received_us)) = receipts.next_if(|(index, _)| *index >= event.index)
            {
                soonest_us = soonest_us.min(*received_us);
            }
            let is_excused =
                !is_asked(truth, event) && pairing.stored_of[event.index as usize].is_none();
            let ms = longest_within(&live, event.wall_us, soonest_us);
            if !is_excused && ms > worst.ms {
                worst = StaleLive { ms, agent: agent.to_owned(), at_us: event.wall_us };
            }
        }
    }
    worst
}

/// By agent: (index of the event that a state record shows, when it came), rising by index.
fn shown_by_agent<'a>(
    truth: &'a Truth,
    evidence: &Evidence,
    pairing: &Pairing,
) -> HashMap<&'a str, Vec<(u64, i64)>> {
    let mut by_value: HashMap<(&str, Bytes), Vec<&TruthEvent>> = HashMap::new();
    for event in &truth.events {
        by_value.entry((&event.agent, value(event.deleted, &event.body))).or_default().push(event);
        if let TruthRow::Other(row) = &event.row {
            by_value.entry((&event.agent, value(event.deleted, row))).or_default().push(event);
        }
    }
    let mut shown: HashMap<&str, Vec<(u64, i64)>> = HashMap::new();
    let mut held: HashMap<&str, Vec<(i64, Bytes)>> = HashMap::new();
    for (stored, paired) in evidence.stored.iter().zip(&pairing.event_of) {
        if !stored.is_state {
            continue;
        }
        let said = value(stored.deleted, &body_of(&stored.payload));
        let paired = paired.map(|event| &truth.events[event]);
        let event = paired.or_else(|| {
            let candidates = by_value.get(&(stored.key.as_str(), said.clone()))?;
            candidates.iter().rev().find(|event| event.wall_us <= stored.received_us).copied()
        });
        if let Some(event) = event {
            shown.entry(&event.agent).or_default().push((event.index, stored.received_us));
        }
        held.entry(&stored.key).or_default().push((stored.received_us, said));
    }
    show_held(truth, held, &mut shown);
    shown.values_mut().for_each(|events| events.sort_unstable());
    shown
}

/// Whoever holds what an event says shows it at the moment it happens: there is no record to wait
/// for. So it is with a removal of what is not held, and with a state that comes back while the one
/// between went by unseen.
fn show_held<'a>(
    truth: &'a Truth,
    mut held: HashMap<&str, Vec<(i64, Bytes)>>,
    shown: &mut HashMap<&'a str, Vec<(u64, i64)>>,
) {
    held.values_mut().for_each(|values| values.sort_by_key(|(received_us, _)| *received_us));
    for event in &truth.events {
        let values = held.get(&*event.agent).map_or(&[][..], Vec::as_slice);
        let before = values.partition_point(|(received_us, _)| *received_us <= event.wall_us);
        let now = before.checked_sub(1).and_then(|last| values.get(last));
        let is_held = match now {
            Some((_, now)) => *now == value(event.deleted, &event.body),
            None => event.deleted,
        };
        if is_held {
            shown.entry(&event.agent).or_default().push((event.index, event.wall_us));
        }
    }
}

/// What is compared: of adherence what it says, of all else the bytes. Removals are all alike,
/// whatever the client keeps of them.
fn value(deleted: bool, body: &Bytes) -> Bytes {
    if deleted { Bytes::new() } else { normal(body).unwrap_or_else(|| body.clone()) }
}

/// The longest part of `[from, to)` within one Live interval, in milliseconds.
fn longest_within(live: &[(i64, i64)], from_us: i64, to_us: i64) -> u64 {
    let begin = live.partition_point(|(_, end)| *end <= from_us);
    let parts = live[begin..].iter().take_while(|(start, _)| *start < to_us);
    let longest = parts.map(|(start, end)| to_us.min(*end) - from_us.max(*start)).max();
    u64::try_from(longest.unwrap_or(0) / 1_000).unwrap_or(0)
}

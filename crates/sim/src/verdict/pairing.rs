//! Which stored record is which of the vendor's events.

use std::collections::HashMap;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::epochs::EpochMap;
use super::input::{Evidence, Origin, Stored};
use super::subsequence::{Element, SKEW_US, longest_common, may_be};
use crate::truth::Truth;

/// The match between M and J.
#[derive(Debug, Default)]
pub(super) struct Pairing {
    /// By the index of the event: the stored record, if any.
    pub(super) stored_of: Vec<Option<usize>>,
    /// By the index in the evidence: the event, if any. A second copy points to its event too.
    pub(super) event_of: Vec<Option<usize>>,
    /// Records beyond the match, and why.
    pub(super) extra: Vec<(usize, &'static str)>,
    /// Records that do not stand in the vendor's order for their key (vendors without positions).
    pub(super) inverted: Vec<usize>,
}

/// Whether a record belongs to J.
pub(super) fn is_in_j(stored: &Stored) -> bool {
    matches!(stored.origin, Origin::Live | Origin::Replay)
}

/// The vendor's object in a stored payload, which may be a whole frame or row around it.
pub(crate) fn body_of(payload: &Bytes) -> Bytes {
    #[derive(Deserialize)]
    struct Around<'a> {
        #[serde(borrow, alias = "eventBody")]
        adherence: Option<&'a RawValue>,
    }
    match serde_json::from_slice::<Around<'_>>(payload) {
        Ok(Around { adherence: Some(body) }) => payload.slice_ref(body.get().as_bytes()),
        _ => payload.clone(),
    }
}

pub(super) fn pair(truth: &Truth, evidence: &Evidence, epochs: &EpochMap) -> Pairing {
    let mut pairing = Pairing {
        stored_of: vec![None; truth.events.len()],
        event_of: vec![None; evidence.stored.len()],
        ..Pairing::default()
    };
    if truth.numbering.is_positioned() {
        pair_by_position(&mut pairing, truth, evidence, epochs);
    } else {
        pair_by_body(&mut pairing, truth, evidence);
    }
    pair_backfill(&mut pairing, evidence);
    pairing
}

fn pair_by_position(pairing: &mut Pairing, truth: &Truth, evidence: &Evidence, epochs: &EpochMap) {
    let events: HashMap<(u32, u64), usize> = truth
        .events
        .iter()
        .enumerate()
        .filter_map(|(at, event)| event.sequence.map(|sequence| ((event.epoch, sequence), at)))
        .collect();
    for (at, stored) in evidence.stored.iter().enumerate().filter(|(_, stored)| is_in_j(stored)) {
        let place = stored
            .sequence
            .and_then(|sequence| epochs.index(stored.epoch).map(|epoch| (epoch, sequence)));
        let Some(event_at) = place.and_then(|place| events.get(&place).copied()) else {
            pairing.extra.push((at, "the vendor has no event at this position"));
            continue;
        };
        let event = &truth.events[event_at];
        let is_same = event.agent.as_ref() == stored.key
            && event.deleted == stored.deleted
            && stored.ordinal == 0
            && (event.deleted || body_of(&stored.payload) == event.body);
        if !is_same {
            pairing.extra.push((at, "differs from the vendor's event at this position"));
            continue;
        }
        pairing.event_of[at] = Some(event_at);
        match &mut pairing.stored_of[event_at] {
            Some(_) => pairing.extra.push((at, "stored twice")),
            free => *free = Some(at),
        }
    }
}

fn pair_by_body(pairing: &mut Pairing, truth: &Truth, evidence: &Evidence) {
    type Value = (bool, u128);
    let mut sent: HashMap<&str, Vec<(usize, Element<Value>)>> = HashMap::new();
    let first = truth.first_coverages();
    for (at, event) in truth.events.iter().enumerate().filter(|(_, event)| !first.is_before(event))
    {
        let value = (event.deleted, value_of(event.deleted, &event.body));
        let element = Element { value, at_us: event.wall_us };
        sent.entry(&event.agent).or_default().push((at, element));
    }
    let mut held: HashMap<&str, Vec<(usize, Element<Value>)>> = HashMap::new();
    for (at, stored) in evidence.stored.iter().enumerate().filter(|(_, stored)| is_in_j(stored)) {
        let value = (stored.deleted, value_of(stored.deleted, &body_of(&stored.payload)));
        let element = Element { value, at_us: stored.received_us };
        held.entry(&stored.key).or_default().push((at, element));
    }
    let mut keys: Vec<&str> = held.keys().copied().collect();
    keys.sort_unstable();
    for key in keys {
        let held = held.remove(key).unwrap_or_default();
        let is_late = |at: usize| !evidence.stored[at].is_state;
        pair_key(pairing, sent.get(key).map_or(&[], Vec::as_slice), &held, is_late);
    }
    pairing.extra.sort_unstable();
}

fn pair_key<T: Copy + Eq + std::hash::Hash>(
    pairing: &mut Pairing,
    sent: &[(usize, Element<T>)],
    held: &[(usize, Element<T>)],
    is_late: impl Fn(usize) -> bool,
) {
    let elements = |side: &[(usize, Element<T>)]| -> Vec<Element<T>> {
        side.iter().map(|(_, element)| *element).collect()
    };
    let late: Vec<bool> = held.iter().map(|(at, _)| is_late(*at)).collect();
    for (sent_at, held_at) in in_order_but(&elements(sent), &elements(held), &late) {
        pairing.stored_of[sent[sent_at].0] = Some(held[held_at].0);
        pairing.event_of[held[held_at].0] = Some(sent[sent_at].0);
    }
    let mut unmatched: Vec<T> = sent
        .iter()
        .filter(|(event, _)| pairing.stored_of[*event].is_none())
        .map(|(_, element)| element.value)
        .collect();
    for (at, element) in held {
        if pairing.event_of[*at].is_some() {
            continue;
        }
        pairing.extra.push((*at, "beyond the match with the vendor's events"));
        // Sent and held, but not in the common order.
        if let Some(found) = unmatched.iter().position(|value| *value == element.value) {
            unmatched.swap_remove(found);
            pairing.inverted.push(*at);
        }
    }
}

/// The longest common order, of all records or, where that matches more, of those that are not
/// late: a late one, of which the client itself says that it came behind newer ones, may stand
/// anywhere behind its event. A log cannot take it back to its place, and without it the event
/// would be lost.
fn in_order_but<T: Copy + Eq + std::hash::Hash>(
    sent: &[Element<T>],
    held: &[Element<T>],
    late: &[bool],
) -> Vec<(usize, usize)> {
    let whole = longest_common(sent, held);
    if whole.len() == held.len() || !late.contains(&true) {
        return whole;
    }
    let (late, timely): (Vec<usize>, Vec<usize>) = (0..held.len()).partition(|at| late[*at]);
    let kept: Vec<Element<T>> = timely.iter().map(|at| held[*at]).collect();
    let mut pairs = longest_common(sent, &kept);
    for (_, held_at) in &mut pairs {
        *held_at = timely[*held_at];
    }
    let mut is_free = vec![true; sent.len()];
    for (sent_at, _) in &pairs {
        is_free[*sent_at] = false;
    }
    let timely = pairs.clone();
    for held_at in late {
        let is_early = |at: usize| timely.iter().any(|pair| pair.0 < at && pair.1 > held_at);
        let is_its = |at: &usize| {
            is_free[*at] && may_be(&sent[*at], &held[held_at], SKEW_US) && !is_early(*at)
        };
        if let Some(sent_at) = (0..sent.len()).rev().find(is_its) {
            is_free[sent_at] = false;
            pairs.push((sent_at, held_at));
        }
    }
    if pairs.len() > whole.len() { pairs } else { whole }
}

/// Bodies are compared by a 128-bit digest; removals by being removals.
fn value_of(deleted: bool, body: &Bytes) -> u128 {
    if deleted {
        return 0;
    }
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
    let half = |salt: u8| {
        u128::from(BuildHasherDefault::<DefaultHasher>::default().hash_one((salt, body)))
    };
    half(0) << 64 | half(1)
}

/// History that is stored twice, or that the stream had brought already.
fn pair_backfill(pairing: &mut Pairing, evidence: &Evidence) {
    let identity = |stored: &Stored| {
        let body = if stored.sequence.is_some() { Bytes::new() } else { body_of(&stored.payload) };
        (stored.epoch, stored.sequence, stored.key.clone(), stored.ordinal, body)
    };
    let is_history = |stored: &Stored| stored.origin == Origin::Backfill;
    if !evidence.stored.iter().any(is_history) {
        return;
    }
    let live = evidence.stored.iter().filter(|stored| is_in_j(stored)).map(identity);
    let mut known: std::collections::HashSet<_> = live.collect();
    for (at, stored) in evidence.stored.iter().enumerate().filter(|(_, s)| is_history(s)) {
        if !known.insert(identity(stored)) {
            pairing.extra.push((at, "history stored twice"));
        }
    }
}

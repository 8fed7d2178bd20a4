//! Whether a missing event could have been had, and whether its absence could have been seen.

use std::collections::{BTreeMap, HashMap};

use super::coverage::Coverage;
use super::deaths::Deaths;
use super::input::{Evidence, LedgerRow, Origin, Outcome};
use super::pairing::{Pairing, is_in_j};
use super::streams::Streams;
use crate::settings::{Body, Numbering};
use crate::truth::{SubscriptionEnd, Truth, TruthEvent, TruthPage, TruthRow, TruthSubscription};

/// What is needed to judge a missing event.
pub(super) struct Losses<'a> {
    truth: &'a Truth,
    pairing: &'a Pairing,
    /// By epoch: every position at which the client is known to have stood, rising.
    stood: BTreeMap<u32, Vec<u64>>,
    /// By agent: its events, rising.
    by_agent: HashMap<&'a str, Vec<usize>>,
    /// By agent: from when on the vendor's frames were said to be covered again, and when the
    /// snapshot that ended the outage was published, which spoke of the agent.
    mended: HashMap<&'a str, Vec<(i64, i64)>>,
    /// What the ledger admits of times without a subscription.
    outages: Vec<&'a LedgerRow>,
    streams: &'a Streams<'a>,
    deaths: &'a Deaths<'a>,
    /// By subscription: whether it had something to bring while it was there.
    had_something: Vec<bool>,
}

impl<'a> Losses<'a> {
    pub(super) fn new(
        evidence: &'a Evidence,
        pairing: &'a Pairing,
        coverage: &Coverage<'a>,
        streams: &'a Streams<'a>,
        deaths: &'a Deaths<'a>,
    ) -> Self {
        let truth = coverage.truth();
        let mut stood: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
        for (stored, event) in evidence.stored.iter().zip(&pairing.event_of) {
            let event = event.filter(|_| is_in_j(stored)).map(|event| &truth.events[event]);
            let place = event.and_then(|e| Some((e.epoch, e.sequence?)));
            if let Some((epoch, sequence)) = place {
                stood.entry(epoch).or_default().push(sequence);
            }
        }
        for (epoch, sequence) in coverage.ends() {
            stood.entry(epoch).or_default().push(sequence);
        }
        if let Some(first) = truth.subscriptions.first() {
            stood.entry(first.epoch).or_default().push(first.asked.unwrap_or(first.head));
        }
        stood.values_mut().for_each(|positions| positions.sort_unstable());
        let mut by_agent: HashMap<&str, Vec<usize>> = HashMap::new();
        for (at, event) in truth.events.iter().enumerate() {
            by_agent.entry(&event.agent).or_default().push(at);
        }
        let mended = mended(evidence, streams);
        let rows = evidence.ledger.iter();
        let outages = rows.filter(|row| row.outcome != Outcome::Repaired && !row.is_drift());
        let outages = outages.collect();
        let had_something = truth.subscriptions.iter().map(|served| {
            let begins = truth.events.partition_point(|made| made.index < served.first);
            let first = truth.events.get(begins);
            first.zip(served.ended_us).is_some_and(|(made, us)| made.wall_us <= us)
        });
        let had_something = had_something.collect();
        Self { truth, pairing, stood, by_agent, mended, outages, streams, deaths, had_something }
    }

    /// Why the missing event is lost, if it is: it was read on an orderly socket by a process that
    /// did not take it with it in its death, or the first acceptance after it was withheld would
    /// have served it. What a repair may have cut was withheld then.
    ///
    /// A subscription that should have served the event and broke (or was muted, or sent it in a
    /// form that cannot be read) before the client had certainly read it withholds it once more:
    /// then the next acceptance decides. Twice unreadable is enough: nobody asks a third time for
    /// what comes again as it came; and so is twice accepted and seen to bring nothing, after which
    /// nobody believes that the position is served until something comes: neither what was due then
    /// nor what was made since. What was passed over in silence where numbers have holes that mean
    /// nothing gives nobody a reason to ask for it.
    pub(super) fn lost(&self, event: &TruthEvent) -> Option<&'static str> {
        let served = || self.truth.subscriptions.iter();
        let was_dropped = served().any(|served| served.dropped.contains(&event.index));
        if was_dropped && self.truth.numbering != Numbering::Contiguous {
            return None;
        }
        let mut garbled = 0;
        let mut doubt = Doubt::default();
        for (served, had_something) in served().zip(&self.had_something) {
            let was_given_up = doubt.is_given_up();
            doubt.weigh(served, *had_something && was_due(served, event));
            let is_over = served.ended_us.is_some_and(|ended_us| ended_us < event.wall_us);
            if is_over || !served.covers(&event.agent) || self.deaths.was_cut(served, event) {
                continue;
            }
            if !served.muted && was_read(served, event) && !self.deaths.took(served, event) {
                return Some("read on an orderly socket");
            }
            if served.accepted_us > event.wall_us {
                if !self.would_serve(served, event) {
                    return None;
                }
                if served.first > event.index {
                    let reason = "kept by the vendor, but asked for from behind it";
                    return (!was_given_up).then_some(reason);
                }
            }
            garbled += u8::from(served.garbled.contains(&event.index));
            if garbled > 1 {
                return None;
            }
        }
        None
    }

    /// Whether the vendor, as it was when it accepted this subscription, would have accepted one
    /// from where the client stood below the event, and served the event on it. Where it stood
    /// nowhere (a new numbering) there was no position to ask from.
    fn would_serve(&self, served: &TruthSubscription, event: &TruthEvent) -> bool {
        let Some(sequence) = event.sequence else { return false };
        if served.epoch != event.epoch || !served.replay {
            return false;
        }
        let positions = self.stood.get(&event.epoch).map_or(&[][..], Vec::as_slice);
        let below = positions.partition_point(|position| *position < sequence);
        let Some(stood) = below.checked_sub(1).map(|last| positions[last]) else { return false };
        served.floor <= stood && (!served.exact_head || stood == served.head)
    }

    /// Whether the missing event says what the client's last record of the agent says, and all
    /// between them was dropped in silence: it could only be taken for a repetition.
    pub(super) fn is_echo(&self, event: &TruthEvent) -> bool {
        let events = self.by_agent.get(event.agent.as_ref()).map_or(&[][..], Vec::as_slice);
        let before = events.partition_point(|at| self.truth.events[*at].index < event.index);
        for at in events[..before].iter().rev() {
            let earlier = &self.truth.events[*at];
            if self.pairing.stored_of[*at].is_some() {
                return earlier.body == event.body && earlier.deleted == event.deleted;
            }
            let served = &self.truth.subscriptions;
            if !served.iter().any(|served| served.dropped.contains(&earlier.index)) {
                return false;
            }
        }
        false
    }

    /// Whether the event is missing and nobody could have known of it.
    pub(super) fn is_unknowable(&self, event: &TruthEvent) -> bool {
        let at = usize::try_from(event.index).unwrap_or(usize::MAX);
        let is_missing = self.pairing.stored_of.get(at).is_some_and(Option::is_none);
        is_missing && self.is_undetectable(event)
    }

    /// Whether the client left the subscription while another one went on: no row speaks of an
    /// outage then.
    fn was_relieved(&self, served: &TruthSubscription, agent: &str) -> bool {
        let Some(ended_us) = served.ended_us else { return false };
        let is_in = |row: &&&LedgerRow| {
            row.wall_from_us <= ended_us
                && row.wall_to_us.is_none_or(|to_us| ended_us <= to_us)
                && self.streams.may_speak(&row.stream, agent)
        };
        served.end == SubscriptionEnd::Left && !self.outages.iter().any(|row| is_in(&row))
    }

    /// Whether the missing event was dropped on a socket that stayed up, on a stream that is not
    /// contiguous, and the next audit could not show it, because by then the agent had a newer
    /// state that the client holds. A muted stream brings nothing more, so one look shows it. Of a
    /// single event an audit is three looks at most: the first may find the agent just touched, and
    /// where the stream goes on only two running looks that differ prove anything. Looks are those
    /// of a client that says Live: what is fetched to become it leaves touched agents to the
    /// stream. If the vendor ends a subscription meanwhile, or the client dies, or leaves it for an
    /// outage that the ledger admits, later looks show what an outage may have changed.
    pub(super) fn is_undetectable(&self, event: &TruthEvent) -> bool {
        let served = || self.truth.subscriptions.iter();
        let was_dropped = served().any(|served| served.dropped.contains(&event.index));
        let was_muted = served().any(|served| {
            served.muted
                && served.accepted_us <= event.wall_us
                && served.ended_us.is_none_or(|ended_us| ended_us >= event.wall_us)
                && served.covers(&event.agent)
        });
        if self.truth.numbering == Numbering::Contiguous || !(was_muted || was_dropped) {
            return false;
        }
        if self.truth.body == Body::Schedules || event.row == TruthRow::Absent {
            return true;
        }
        let agent = event.agent.as_ref();
        // What an outage changed and what was dropped behind its end look alike on the snapshot
        // that mends both: no later look can tell.
        let mended = self.mended.get(agent).map_or(&[][..], Vec::as_slice);
        let is_within = |(from, to): &(i64, i64)| (*from..*to).contains(&event.wall_us);
        if was_dropped && mended.iter().any(is_within) {
            return true;
        }
        let ended_us = served()
            .filter(|served| was_dropped && !self.was_relieved(served, agent))
            .filter_map(|served| served.ended_us.filter(|ended_us| *ended_us > event.wall_us))
            .chain(self.deaths.after(event.wall_us).filter(|_| was_dropped))
            .min();
        let looks = self.truth.pages.iter().filter(|page| {
            (!was_dropped || self.streams.is_live_at(agent, page.served_us)) && !is_head(page)
        });
        // Of a client that never looks, nothing is hidden by the end of a subscription.
        let has_looked = looks.clone().next().is_some();
        let looks = looks.filter(|page| page.as_of > event.index);
        // An agent that has left is on no page; that it is on none shows all the same.
        let is_listed = looks.clone().any(|page| page.covers(agent));
        let audits = looks.filter(|page| !is_listed || page.covers(agent));
        let looks_before = if was_dropped { 2 } else { 0 };
        // Where the client left before the third look, a newer state at the last one is what every
        // later one would have shown.
        let last = || audits.clone().last().filter(|_| ended_us.is_none());
        let audit = match audits.clone().nth(looks_before).or_else(last) {
            Some(audit) if ended_us.is_none_or(|ended_us| audit.served_us < ended_us) => audit,
            _ => return ended_us.is_some() && has_looked,
        };
        let events = self.by_agent.get(agent).map_or(&[][..], Vec::as_slice);
        let count = events.partition_point(|at| self.truth.events[*at].index < audit.as_of);
        // A newer state that came before the look was the end of this difference, whatever was
        // dropped behind it.
        let newer = events[..count].iter().rev();
        newer
            .take_while(|at| self.truth.events[**at].index > event.index)
            .any(|at| self.pairing.stored_of[*at].is_some())
    }
}

/// How often a client saw since it was last brought something that a subscription brought nothing
/// although something was due. One may be a restart of the vendor's, or an accident; and so is it
/// with one that stays open: the two are not added up.
#[derive(Debug, Default)]
struct Doubt {
    closed: u8,
    left: u8,
}

impl Doubt {
    /// The vendor closed it in good order before anything came, or it was mute until the client
    /// left. A break says nothing of what was under way, nor does leaving one that was not mute.
    fn weigh(&mut self, served: &TruthSubscription, was_due: bool) {
        let is_idle = was_due && served.delivered <= served.first;
        match served.end {
            SubscriptionEnd::Closed if is_idle => self.closed = self.closed.saturating_add(1),
            SubscriptionEnd::Left if is_idle && served.muted => {
                self.left = self.left.saturating_add(1);
            }
            _ if served.first < served.confirmed => *self = Self::default(),
            _ => {}
        }
    }

    fn is_given_up(&self) -> bool {
        self.closed > 1 || self.left > 1
    }
}

/// Of each agent that a snapshot changed at the end of an outage that the ledger admits: from the
/// end of the row to the snapshot, unless the stream was Live between the two.
fn mended<'a>(evidence: &'a Evidence, streams: &Streams<'_>) -> HashMap<&'a str, Vec<(i64, i64)>> {
    let mut mended: HashMap<&str, Vec<(i64, i64)>> = HashMap::new();
    for item in evidence.stored.iter().filter(|stored| stored.origin == Origin::Snapshot) {
        let admits = |outcome| !matches!(outcome, Outcome::Open | Outcome::Repaired);
        let rows = evidence.ledger.iter();
        let rows = rows.filter(|row| row.stream == item.stream && admits(row.outcome));
        let ends = rows.filter_map(|row| row.wall_to_us.filter(|to_us| *to_us < item.received_us));
        let Some(from_us) = ends.max() else { continue };
        let was_live = streams
            .live(&item.key)
            .iter()
            .any(|(live_us, to_us)| *live_us < item.received_us && *to_us > from_us);
        if !was_live {
            mended.entry(&item.key).or_default().push((from_us, item.received_us));
        }
    }
    mended
}

/// Whether the page was asked for its position alone: the first row, of more.
fn is_head(page: &TruthPage) -> bool {
    page.offset == 0 && page.rows <= 1 && page.total != 1
}

/// Whether the event is of this subscription's numbering, and not from before it.
fn was_due(served: &TruthSubscription, event: &TruthEvent) -> bool {
    served.epoch == event.epoch && served.first <= event.index
}

/// Whether the client has certainly read the event on this subscription, and ended it orderly.
fn was_read(served: &TruthSubscription, event: &TruthEvent) -> bool {
    served.end != SubscriptionEnd::Broken
        && !served.dropped.contains(&event.index)
        && !served.garbled.contains(&event.index)
        && served.first <= event.index
        && event.index < served.confirmed
}

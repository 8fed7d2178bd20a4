//! What processes took with them, what they had read and their disk had not, and what repairs cut.
//!
//! No time is guessed for how long something may be on its way to the disk. A client hands over
//! what it reads in the order in which it reads it, so the record itself says how far a process had
//! come when it died: whatever lies in front of something that is recorded was to be recorded too.
//! Where numbers show a hole, what comes behind it is not recorded before the vendor has been asked
//! for what is missing, and a process that is told to end meanwhile leaves that to the next one.

use std::borrow::Cow;

use super::input::{Death, Evidence, Outcome};
use super::pairing::{Pairing, is_in_j};
use super::streams::Streams;
use crate::settings::Numbering;
use crate::truth::{Truth, TruthEvent, TruthSubscription};

/// The lives that ended by themselves or by force, with what they had recorded.
pub(super) struct Deaths<'a> {
    lives: Vec<Life>,
    /// As one life from the beginning to the repair, of which the log has what it still has.
    repairs: Vec<Life>,
    truth: &'a Truth,
    pairing: &'a Pairing,
    streams: &'a Streams<'a>,
}

struct Life {
    death: Death,
    /// Events that it recorded, by place in the ledger, the last of the vendor's first, and when
    /// each was received.
    recorded: Vec<(usize, i64)>,
}

impl<'a> Deaths<'a> {
    pub(super) fn new(
        truth: &'a Truth,
        evidence: &Evidence,
        pairing: &'a Pairing,
        streams: &'a Streams<'a>,
    ) -> Self {
        let life = |death: Death| {
            let mut recorded: Vec<(usize, i64)> = evidence
                .stored
                .iter()
                .zip(&pairing.event_of)
                .filter(|(stored, _)| is_in_j(stored) && death.saw(stored.received_us))
                .filter_map(|(stored, event)| Some(((*event)?, stored.received_us)))
                .collect();
            recorded.sort_unstable_by(|one, other| other.cmp(one));
            Life { death, recorded }
        };
        let repairs = evidence.repairs.iter();
        let cut = |died_us| Death { born_us: i64::MIN, died_us, is_orderly: false };
        let repairs = repairs.copied().map(cut);
        Self {
            lives: evidence.deaths.iter().copied().map(life).collect(),
            repairs: repairs.map(life).collect(),
            truth,
            pairing,
            streams,
        }
    }

    /// When processes died after this time.
    pub(super) fn after(&self, at_us: i64) -> impl Iterator<Item = i64> + '_ {
        self.lives.iter().map(|life| life.death.died_us).filter(move |died_us| *died_us > at_us)
    }

    /// Whether an event that was read on this subscription went with the process: it died, and
    /// before that its disk had nothing that shows it to have come past the event. That is a later
    /// event that the subscription serves too, or the claim to be Live again, made after the
    /// subscription had ended, which would say that nothing was on its way any more.
    pub(super) fn took(&self, served: &TruthSubscription, event: &TruthEvent) -> bool {
        let Some(life) = self.lives.iter().find(|life| life.death.saw(served.accepted_us)) else {
            return false;
        };
        let was_live_again = |ended_us: i64| {
            let behind_us = ended_us.saturating_add(1)..=life.death.died_us;
            self.streams.has_become_live(&event.agent, behind_us)
        };
        (!life.death.is_orderly || self.is_behind_a_hole(served, event))
            && !self.has_come_past(life, served, event, served.accepted_us)
            && !served.ended_us.is_some_and(was_live_again)
    }

    /// Whether numbers showed the client that the vendor had left out an event before this one,
    /// which has not come since.
    fn is_behind_a_hole(&self, served: &TruthSubscription, event: &TruthEvent) -> bool {
        let mut withheld = served.dropped.iter().chain(&served.garbled);
        let is_missing = |index: &u64| {
            let at = self.truth.events.partition_point(|made| made.index < *index);
            self.pairing.stored_of.get(at).is_some_and(Option::is_none)
        };
        self.truth.numbering == Numbering::Contiguous
            && withheld.any(|index| *index < event.index && is_missing(index))
    }

    /// Whether the event may have been recorded when the vendor accepted this subscription, and
    /// cut by a repair since: nothing in the log from before the repair lies behind it.
    pub(super) fn was_cut(&self, served: &TruthSubscription, event: &TruthEvent) -> bool {
        let later = |life: &&Life| {
            life.death.died_us > served.accepted_us && life.death.died_us > event.wall_us
        };
        let mut repairs = self.repairs.iter().filter(later);
        repairs.any(|life| !self.has_come_past(life, served, event, i64::MIN))
    }

    /// Whether an event behind this one that the subscription serves too was received from then on
    /// and recorded.
    fn has_come_past(
        &self,
        life: &Life,
        served: &TruthSubscription,
        event: &TruthEvent,
        from_us: i64,
    ) -> bool {
        let events = &self.truth.events;
        let mut later = life.recorded.iter().take_while(|(at, _)| events[*at].index > event.index);
        later.any(|(at, received_us)| *received_us >= from_us && served.covers(&events[*at].agent))
    }
}

/// The ledger as far as there was anybody who could know of it: a process that died before its
/// first place was on the disk has left nobody behind who could tell that it was there.
pub(super) fn since_the_record<'a>(truth: &'a Truth, evidence: &Evidence) -> Cow<'a, Truth> {
    let stored = evidence.stored.iter().map(|stored| stored.received_us);
    let rows = evidence.ledger.iter().filter(|row| row.outcome != Outcome::Open);
    let began_us = stored.chain(rows.filter_map(|row| row.wall_to_us)).min();
    let is_before = |died_us: &i64| began_us.is_none_or(|began_us| *died_us <= began_us);
    let deaths = evidence.deaths.iter().map(|death| death.died_us);
    let Some(died_us) = deaths.filter(is_before).max() else { return Cow::Borrowed(truth) };
    let mut truth = truth.clone();
    truth.subscriptions.retain(|served| served.accepted_us > died_us);
    Cow::Owned(truth)
}

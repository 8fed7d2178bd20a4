//! Which ledger row speaks of a missing event.

use std::collections::HashMap;

use super::epochs::EpochMap;
use super::input::{Evidence, LedgerRow, Outcome, Stored};
use super::pairing::{Pairing, is_in_j};
use super::streams::Streams;
use crate::truth::{Truth, TruthEvent};

/// A client's frames may have been waiting in its buffers for so long, beyond the latency of the
/// road, when it noted the last moment that was covered.
const IN_FLIGHT_US_MAX: i64 = 1_000_000;

/// The ledger, ready to be asked.
pub(super) struct Coverage<'a> {
    truth: &'a Truth,
    epochs: &'a EpochMap,
    rows: Vec<(&'a LedgerRow, i64)>,
    streams: &'a Streams<'a>,
    /// A record may have reached the client so much earlier than it says.
    told_late_us: i64,
}

/// What the ledger says of a missing event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// In no row that admits a loss.
    Uncovered,
    /// Events may be missing.
    Unproven,
    /// Events are missing.
    Unrecoverable,
}

impl<'a> Coverage<'a> {
    pub(super) fn new(
        truth: &'a Truth,
        evidence: &'a Evidence,
        epochs: &'a EpochMap,
        pairing: &Pairing,
        streams: &'a Streams<'a>,
    ) -> Self {
        // By stream: (received, emitted) of the matched events, in order of receipt. What came on
        // another socket says nothing of what was under way on this one.
        let mut matched: HashMap<&str, Vec<(i64, i64)>> = HashMap::new();
        for (stored, event) in evidence.stored.iter().zip(&pairing.event_of) {
            if let Some(event) = event.filter(|_| is_in_j(stored)) {
                let of_stream = matched.entry(&stored.stream).or_default();
                of_stream.push((stored.received_us, truth.events[event].wall_us));
            }
        }
        matched.values_mut().for_each(|of_stream| of_stream.sort_unstable());
        let slack_us = latency_us(truth) + IN_FLIGHT_US_MAX;
        let rows = evidence.ledger.iter().map(|row| {
            let matched = matched.get(row.stream.as_str()).map_or(&[][..], Vec::as_slice);
            let before = matched.partition_point(|(received, _)| *received <= row.wall_from_us);
            let last = before.checked_sub(1).map_or(i64::MIN, |last| matched[last].1);
            (row, last.min(row.wall_from_us).max(row.wall_from_us - slack_us))
        });
        Self { truth, epochs, rows: rows.collect(), streams, told_late_us: evidence.told_late_us }
    }

    /// The most definite thing that the ledger says. A `repaired` row says nothing is missing, so
    /// it covers nothing; a row of another stream than the agent's speaks of other agents.
    pub(super) fn standing(&self, event: &TruthEvent) -> Standing {
        let mut standing = Standing::Uncovered;
        for (row, from_us) in &self.rows {
            let is_of_stream = self.streams.may_speak(&row.stream, &event.agent);
            let is_silent = row.outcome == Outcome::Repaired || !is_of_stream;
            if is_silent || !self.covers(row, *from_us, event) {
                continue;
            }
            match row.outcome {
                Outcome::Unrecoverable | Outcome::Summarised => return Standing::Unrecoverable,
                _ => standing = Standing::Unproven,
            }
        }
        standing
    }

    /// Whether the event lies in the row's interval. On a vendor without positions the lower bound
    /// is the emission of the last event received before the row's, as far back as frames can wait.
    fn covers(&self, row: &LedgerRow, from_us: i64, event: &TruthEvent) -> bool {
        let Some(sequence) = event.sequence else {
            return event.wall_us > from_us && is_until(row, event.wall_us);
        };
        let place = (event.epoch, sequence);
        let is_above = match row.after {
            Some(after) => match self.epochs.place(after) {
                Some(after) => place > after,
                None => event.wall_us > from_us,
            },
            None => true,
        };
        let is_below = match row.through.map(|through| self.epochs.place(through)) {
            Some(Some(through)) => place <= through,
            _ => is_until(row, event.wall_us),
        };
        is_above && is_below
    }

    /// Whether a stored record lies in a row that says that events are missing there; strictly
    /// inside where the row is by wall clock, because there the bounds themselves are moments of
    /// receipt.
    pub(super) fn overclaims(&self, stored: &Stored, event: &TruthEvent) -> bool {
        let received_us = stored.received_us;
        self.rows.iter().any(|(row, from_us)| {
            row.outcome == Outcome::Unrecoverable
                && row.stream == stored.stream
                && if event.sequence.is_some() && row.through.is_some() {
                    self.covers(row, *from_us, event)
                } else {
                    received_us - self.told_late_us > row.wall_from_us
                        && row.wall_to_us.is_none_or(|to_us| received_us < to_us)
                        && self.is_above(row, event)
                }
        })
    }

    fn is_above(&self, row: &LedgerRow, event: &TruthEvent) -> bool {
        let after = row.after.and_then(|after| self.epochs.place(after));
        match (event.sequence, after) {
            (Some(sequence), Some(after)) => (event.epoch, sequence) > after,
            _ => true,
        }
    }

    /// Positions of an epoch up to which the ledger has come: a row's end is where the client
    /// stands. Not where a comparison found a drift: there it reaches to the page's position, while
    /// the client goes on standing where the stream has brought it.
    pub(super) fn ends(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.rows
            .iter()
            .filter(|(row, _)| row.outcome != Outcome::Open && !row.is_drift())
            .filter_map(|(row, _)| self.epochs.place(row.through?))
    }

    pub(super) fn truth(&self) -> &'a Truth {
        self.truth
    }
}

fn is_until(row: &LedgerRow, wall_us: i64) -> bool {
    row.wall_to_us.is_none_or(|to_us| wall_us <= to_us)
}

fn latency_us(truth: &Truth) -> i64 {
    i64::try_from(truth.latency_ms).unwrap_or(i64::MAX / 2_000).saturating_mul(1_000)
}

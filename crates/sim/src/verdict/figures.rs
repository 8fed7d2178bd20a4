//! The figures of a verdict.

use serde::Serialize;

/// Most examples that are kept for one figure.
pub(super) const EXAMPLES_MAX: usize = 20;

/// One case behind a figure, without any payload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The figure it belongs to.
    pub figure: &'static str,
    /// The position, `epoch name:sequence`, where there is one.
    pub position: Option<String>,
    /// The agent.
    pub agent: String,
    /// Wall clock, microseconds since 1970: of the vendor's event, else of the client's record.
    pub at_us: i64,
    /// Why it counts.
    pub reason: String,
}

/// What a client's record is worth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// |M|: events of subscribed agents from the first coverage on.
    pub events_emitted: u64,
    /// |J|: change records of origin live or replay.
    pub events_stored: u64,
    /// Missing, although a client that obeys the published rules would have been served it at the
    /// first request accepted after it was withheld, or had read it on an orderly socket and lived
    /// to record it.
    pub lost: u64,
    /// Missing, dropped on a socket that stayed up, on a stream that is not contiguous, and
    /// invisible to the next audit; without positions also what came behind such a one and said
    /// what had been said before it. Reported, not failed.
    pub undetectable: u64,
    /// Missing, not undetectable, and in no ledger row.
    pub uncovered: u64,
    /// Missing, in a row that says events may be missing (also `drift` and rows still open).
    pub unproven: u64,
    /// Missing, in a row that says events are missing (also `summarised`).
    pub unrecoverable: u64,
    /// Stored records inside an `unrecoverable` row: no hiding behind wide rows. (A `summarised`
    /// one may have been `unproven` before, as of a subscription that left some keys out.)
    pub overclaimed: u64,
    /// Stored beyond the match (twice, never made, or altered), and history stored twice.
    pub duplicated: u64,
    /// Neighbours of one stream and epoch with a lower position; without positions, records of
    /// events that do not stand in the vendor's order for their agent, but for those of which the
    /// client itself says that they came behind newer ones (`effect` is not `state`).
    pub out_of_order: u64,
    /// Keys that differ from the vendor at the end. That one is marked stale excuses it only where
    /// the baseline does not tell of it ([`Verdict::stale_marked_keys`]): else it could have been
    /// put right.
    pub stale_keys: u64,
    /// Keys that differ from the vendor at the end and say so, of those that no baseline tells of
    /// (a stream without a snapshot): after a gap nobody can know their state before the stream
    /// brings their next event. Reported, not failed.
    pub stale_marked_keys: u64,
    /// The longest that a key was wrong while its stream said Live, in milliseconds.
    pub stale_live_ms_max: u64,
    /// Ledger rows that never ended.
    pub gaps_open: u64,
    /// Up to 20 cases for each figure that fails.
    pub examples: Vec<Example>,
}

impl Verdict {
    /// Whether nothing failed; `stale_live_ms_bound` is the audit interval plus the grace.
    pub fn is_clean(&self, stale_live_ms_bound: u64) -> bool {
        self.failures(stale_live_ms_bound).is_empty()
    }

    /// The figures that fail, with their values.
    pub fn failures(&self, stale_live_ms_bound: u64) -> Vec<(&'static str, u64)> {
        let mut failures: Vec<_> = [
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("out_of_order", self.out_of_order),
            ("uncovered", self.uncovered),
            ("overclaimed", self.overclaimed),
            ("stale_keys", self.stale_keys),
            ("gaps_open", self.gaps_open),
        ]
        .into_iter()
        .filter(|(_, value)| *value > 0)
        .collect();
        if self.stale_live_ms_max > stale_live_ms_bound {
            failures.push(("stale_live_ms_max", self.stale_live_ms_max));
        }
        failures
    }

    /// Keeps a case as an example unless its figure has enough of them.
    pub(crate) fn keep_example(&mut self, example: Example) {
        let kept = self.examples.iter().filter(|kept| kept.figure == example.figure).count();
        if kept < EXAMPLES_MAX {
            self.examples.push(example);
        }
    }
}

//! What the vendor's history has made of the ledger: facts in place of events that are lost.

use serde_json::{Value, json};
use unbroken_sim::Truth;
use unbroken_sim::verdict::{FactVerdict, LedgerRow, Outcome, StoredFact, judge_facts};

/// Rows of streams whose intervals history can tell something about, and the facts.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// Of the intervals that are said to be summarised.
    pub(crate) verdict: FactVerdict,
    /// Facts in the record.
    pub(crate) held: u64,
    /// Rows that ended so.
    pub(crate) summarised: u64,
    /// Rows that ended with events missing, and no facts in their place: the vendor's answers did
    /// not come, or did not agree. What was before the record began is none of them.
    pub(crate) left: u64,
}

impl History {
    pub(super) fn of(truth: &Truth, rows: &[&LedgerRow], held: &[StoredFact]) -> Self {
        let is_summarised = |row: &&&LedgerRow| row.outcome == Outcome::Summarised;
        let is_left = |row: &&&LedgerRow| {
            matches!(row.outcome, Outcome::Unproven | Outcome::Unrecoverable)
                && row.cause != "start"
        };
        let intervals: Vec<(i64, i64)> = rows
            .iter()
            .filter(is_summarised)
            .filter_map(|row| Some((row.wall_from_us, row.wall_to_us?)))
            .collect();
        let count = |rows: usize| u64::try_from(rows).unwrap_or(u64::MAX);
        Self {
            verdict: judge_facts(truth, &intervals, held),
            held: count(held.len()),
            summarised: count(rows.iter().filter(is_summarised).count()),
            left: count(rows.iter().filter(is_left).count()),
        }
    }

    /// The figures, as one object.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "rows_summarised": self.summarised,
            "rows_left": self.left,
            "held": self.held,
            "required": self.verdict.required,
            "missing": self.verdict.missing,
            "duplicated": self.verdict.duplicated,
            "unknown": self.verdict.unknown,
        })
    }
}

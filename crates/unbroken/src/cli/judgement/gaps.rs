//! The gap ledger in sum: how many rows of which cause came to which outcome.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use unbroken::render::{Table, count};
use unbroken_sim::verdict::{Evidence, Outcome};

/// Rows by cause and outcome.
#[derive(Debug, Default)]
pub(crate) struct GapTally {
    rows: BTreeMap<(String, &'static str), u64>,
}

impl GapTally {
    pub(crate) fn of(evidence: &Evidence) -> Self {
        let mut tally = Self::default();
        for row in &evidence.ledger {
            *tally.rows.entry((row.cause.clone(), outcome_word(row.outcome))).or_default() += 1;
        }
        tally
    }

    /// Rows in all.
    pub(crate) fn total(&self) -> u64 {
        self.rows.values().sum()
    }

    /// Rows that came to this.
    pub(crate) fn ended_as(&self, outcome: Outcome) -> u64 {
        let word = outcome_word(outcome);
        let rows = self.rows.iter().filter(|((_, outcome), _)| *outcome == word);
        rows.map(|(_, rows)| rows).sum()
    }

    /// Rows for people; `plainly` says a cause in whole words.
    pub(crate) fn table(&self, plainly: impl Fn(&str) -> String) -> String {
        let mut table = Table::new(&["rows", "outcome", "cause"]);
        for ((cause, outcome), rows) in &self.rows {
            table.row([count(*rows), (*outcome).to_owned(), plainly(cause)]);
        }
        table.render()
    }

    /// `[{cause, outcome, rows}]`.
    pub(crate) fn to_json(&self) -> Value {
        let rows = self.rows.iter();
        let entries = rows.map(
            |((cause, outcome), rows)| json!({ "cause": cause, "outcome": outcome, "rows": rows }),
        );
        Value::Array(entries.collect())
    }
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Open => "open",
        Outcome::Repaired => "repaired",
        Outcome::Summarised => "summarised",
        Outcome::Unproven => "unproven",
        Outcome::Unrecoverable => "unrecoverable",
        Outcome::Drift => "drift",
    }
}

//! The result as one JSON document. `docs/guides/conformance.md` has its fields.

use serde_json::{Value, json};
use unbroken_sim::conformance::{Kind, Scenario};

use super::suite::{Outcome, Suite};

/// Changes when a field changes its meaning or goes.
const SCHEMA: &str = "unbroken-conformance/1";

pub(super) fn document(suite: &Suite, outcomes: &[Outcome]) -> Value {
    let count = |word| outcomes.iter().filter(|outcome| outcome.word() == word).count();
    let command: Vec<_> = suite.command.iter().map(|word| word.to_string_lossy()).collect();
    json!({
        "schema": SCHEMA,
        "version": env!("CARGO_PKG_VERSION"),
        "vendor": suite.kind.name(),
        "seed": suite.seed,
        "command": command,
        "clean": count("clean"),
        "findings": count("findings"),
        "could_not_run": count("could-not-run"),
        "scenarios": outcomes.iter().map(scenario).collect::<Vec<_>>(),
    })
}

/// What could be played.
pub(super) fn listing(kind: Kind, scenarios: &[&Scenario]) -> Value {
    let told = scenarios.iter().map(|scenario| {
        json!({
            "name": scenario.name,
            "happens": scenario.happens,
            "expected": scenario.expected,
            "faults": scenario.faults().map(|fault| fault.name()).collect::<Vec<_>>(),
            "kills": scenario.kill_count(),
        })
    });
    json!({ "schema": SCHEMA, "vendor": kind.name(), "scenarios": told.collect::<Vec<_>>() })
}

fn scenario(outcome: &Outcome) -> Value {
    let mut value = match &outcome.played {
        // Every field is a plain one.
        Ok(report) => serde_json::to_value(report).unwrap_or_default(),
        Err(error) => json!({
            "name": outcome.scenario.name,
            "happens": outcome.scenario.happens,
            "expected": outcome.scenario.expected,
            "error": error.to_string(),
        }),
    };
    value["result"] = json!(outcome.word());
    value
}

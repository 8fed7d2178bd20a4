//! Puts the figures together.

use std::collections::HashMap;

use super::coverage::{Coverage, Standing};
use super::epochs::EpochMap;
use super::figures::{Example, Verdict};
use super::input::{Evidence, Outcome, Stored};
use super::lost::Losses;
use super::pairing::{Pairing, is_in_j, pair};
use super::stale::{StaleLive, stale_keys, stale_live_max};
use super::streams::Streams;
use crate::settings::Numbering;
use crate::truth::{Truth, TruthEvent};

/// Judges what a client holds by what the vendor did. To be asked after quiescence: the vendor has
/// stopped making events, and the client has had time to read them all.
pub fn judge(truth: &Truth, evidence: &Evidence) -> Verdict {
    let epochs = EpochMap::new(truth, evidence);
    let pairing = pair(truth, evidence, &epochs);
    let streams = Streams::new(evidence);
    let coverage = Coverage::new(truth, evidence, &epochs, &pairing, &streams);
    let losses = Losses::new(evidence, &pairing, &coverage, &streams);
    let mut verdict = Verdict {
        events_stored: evidence.stored.iter().filter(|stored| is_in_j(stored)).count() as u64,
        gaps_open: evidence.ledger.iter().filter(|row| row.outcome == Outcome::Open).count() as u64,
        ..Verdict::default()
    };
    judge_missing(&mut verdict, truth, &pairing, &coverage, &losses);
    judge_stored(&mut verdict, truth, evidence, &pairing, &coverage);
    judge_order(&mut verdict, evidence);
    judge_state(&mut verdict, truth, evidence, &losses);
    judge_live(&mut verdict, &stale_live_max(truth, evidence, &pairing, &streams));
    for row in evidence.ledger.iter().filter(|row| row.outcome == Outcome::Open) {
        verdict.keep_example(Example {
            figure: "gaps_open",
            position: row.after.map(|after| format!("{}:{}", after.epoch, after.sequence)),
            agent: String::new(),
            at_us: row.wall_from_us,
            reason: format!("opened for '{}' and never closed", row.cause),
        });
    }
    verdict
}

fn judge_missing(
    verdict: &mut Verdict,
    truth: &Truth,
    pairing: &Pairing,
    coverage: &Coverage<'_>,
    losses: &Losses<'_>,
) {
    let first = truth.first_coverages();
    let scope = truth.subscribed_agents();
    for (event, stored) in truth.events.iter().zip(&pairing.stored_of) {
        if first.is_before(event) || !scope.contains(&*event.agent) {
            continue;
        }
        verdict.events_emitted += 1;
        if stored.is_some() {
            continue;
        }
        if truth.numbering == Numbering::None && losses.is_echo(event) {
            verdict.undetectable += 1;
            continue;
        }
        if let Some(reason) = losses.lost(event) {
            verdict.lost += 1;
            verdict.keep_example(of_event("lost", truth, event, reason));
        }
        if losses.is_undetectable(event) {
            verdict.undetectable += 1;
            continue;
        }
        match coverage.standing(event) {
            Standing::Uncovered => {
                verdict.uncovered += 1;
                let reason = "missing and in no ledger row that admits it";
                verdict.keep_example(of_event("uncovered", truth, event, reason));
            }
            Standing::Unproven => verdict.unproven += 1,
            Standing::Unrecoverable => verdict.unrecoverable += 1,
        }
    }
}

fn judge_stored(
    verdict: &mut Verdict,
    truth: &Truth,
    evidence: &Evidence,
    pairing: &Pairing,
    coverage: &Coverage<'_>,
) {
    for (at, reason) in &pairing.extra {
        verdict.duplicated += 1;
        verdict.keep_example(of_stored("duplicated", &evidence.stored[*at], reason));
    }
    for at in &pairing.inverted {
        verdict.out_of_order += 1;
        let reason = "not in the vendor's order for its agent";
        verdict.keep_example(of_stored("out_of_order", &evidence.stored[*at], reason));
    }
    for (stored, event) in evidence.stored.iter().zip(&pairing.event_of) {
        let Some(event) = event.filter(|_| is_in_j(stored)) else { continue };
        if coverage.overclaims(stored, &truth.events[event]) {
            verdict.overclaimed += 1;
            let reason = "stored, and in a row that says it cannot be had";
            verdict.keep_example(of_stored("overclaimed", stored, reason));
        }
    }
}

/// Neighbours of one stream and epoch with a lower position.
fn judge_order(verdict: &mut Verdict, evidence: &Evidence) {
    let mut last: HashMap<(&str, u32), u64> = HashMap::new();
    for stored in evidence.stored.iter().filter(|stored| is_in_j(stored)) {
        let Some(sequence) = stored.sequence else { continue };
        let before = last.insert((stored.stream.as_str(), stored.epoch), sequence);
        if before.is_some_and(|before| sequence < before) {
            verdict.out_of_order += 1;
            let reason = "its neighbour has a higher position";
            verdict.keep_example(of_stored("out_of_order", stored, reason));
        }
    }
}

fn judge_state(verdict: &mut Verdict, truth: &Truth, evidence: &Evidence, losses: &Losses<'_>) {
    for key in stale_keys(truth, evidence, losses) {
        if key.is_excused {
            verdict.stale_marked_keys += 1;
            continue;
        }
        verdict.stale_keys += 1;
        verdict.keep_example(Example {
            figure: "stale_keys",
            position: None,
            agent: key.agent,
            at_us: key.at_us,
            reason: key.reason.to_owned(),
        });
    }
}

fn judge_live(verdict: &mut Verdict, worst: &StaleLive) {
    verdict.stale_live_ms_max = worst.ms;
    if worst.ms > 0 {
        verdict.keep_example(Example {
            figure: "stale_live_ms_max",
            position: None,
            agent: worst.agent.clone(),
            at_us: worst.at_us,
            reason: format!("wrong for {} ms while Live", worst.ms),
        });
    }
}

fn of_event(figure: &'static str, truth: &Truth, event: &TruthEvent, reason: &str) -> Example {
    let epoch = truth.epochs.get(event.epoch as usize).map_or("", String::as_str);
    Example {
        figure,
        position: event.sequence.map(|sequence| format!("{epoch}:{sequence}")),
        agent: event.agent.to_string(),
        at_us: event.wall_us,
        reason: reason.to_owned(),
    }
}

fn of_stored(figure: &'static str, stored: &Stored, reason: &str) -> Example {
    Example {
        figure,
        position: stored.sequence.map(|sequence| format!("{}:{sequence}", stored.epoch)),
        agent: stored.key.clone(),
        at_us: stored.received_us,
        reason: reason.to_owned(),
    }
}

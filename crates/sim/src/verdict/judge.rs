//! Puts the figures together.

use std::collections::HashMap;

use super::coverage::{Coverage, Standing};
use super::deaths::{Deaths, since_the_record};
use super::epochs::EpochMap;
use super::figures::{Example, Verdict};
use super::input::{Evidence, Outcome, Stored};
use super::lost::Losses;
use super::pairing::{Pairing, is_in_j, pair};
use super::stale::{StaleLive, stale_keys, stale_live_max};
use super::streams::Streams;
use crate::settings::Numbering;
use crate::truth::{Truth, TruthEvent};

/// A verdict, and which of the vendor's events it is about.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    /// Indices of the events that the client should have.
    pub(crate) due: Vec<usize>,
    /// Those of them that are missing.
    pub(crate) missing: Vec<Missing>,
    /// By the index of the event: the place of its record in the evidence, if there is one.
    pub(crate) stored_of: Vec<Option<usize>>,
    /// Places in the evidence of records beyond the match.
    pub(crate) extra: Vec<usize>,
}

/// An event that the client should have and has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// Its index.
    pub(crate) event: usize,
    /// It could have been had.
    pub(crate) is_lost: bool,
    /// What the client says of it; `None`: nobody could have known of it.
    pub(crate) standing: Option<Standing>,
}

/// Judges what a client holds by what the vendor did. To be asked after quiescence: the vendor has
/// stopped making events, and the client has had time to read them all.
pub fn judge(truth: &Truth, evidence: &Evidence) -> Verdict {
    judge_closely(truth, evidence).verdict
}

/// As [`judge`], event by event.
pub(crate) fn judge_closely(truth: &Truth, evidence: &Evidence) -> Judged {
    let truth = &*since_the_record(truth, evidence);
    let epochs = EpochMap::new(truth, evidence);
    let pairing = pair(truth, evidence, &epochs);
    let streams = Streams::new(evidence);
    let coverage = Coverage::new(truth, evidence, &epochs, &pairing, &streams);
    let deaths = Deaths::new(truth, evidence, &pairing, &streams);
    let losses = Losses::new(evidence, &pairing, &coverage, &streams, &deaths);
    let mut verdict = Verdict {
        events_stored: evidence.stored.iter().filter(|stored| is_in_j(stored)).count() as u64,
        gaps_open: evidence.ledger.iter().filter(|row| row.outcome == Outcome::Open).count() as u64,
        ..Verdict::default()
    };
    let (due, missing) = judge_missing(&mut verdict, truth, &pairing, &coverage, &losses);
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
    let extra = pairing.extra.iter().map(|(at, _)| *at).collect();
    Judged { verdict, due, missing, stored_of: pairing.stored_of, extra }
}

fn judge_missing(
    verdict: &mut Verdict,
    truth: &Truth,
    pairing: &Pairing,
    coverage: &Coverage<'_>,
    losses: &Losses<'_>,
) -> (Vec<usize>, Vec<Missing>) {
    let first = truth.first_coverages();
    let scope = truth.subscribed_agents();
    let (mut due, mut all) = (Vec::new(), Vec::new());
    for (at, (event, stored)) in truth.events.iter().zip(&pairing.stored_of).enumerate() {
        if first.is_before(event) || !scope.contains(&*event.agent) {
            continue;
        }
        verdict.events_emitted += 1;
        due.push(at);
        if stored.is_some() {
            continue;
        }
        let missing = missing(verdict, truth, at, coverage, losses);
        match missing.standing {
            None => verdict.undetectable += 1,
            Some(Standing::Uncovered) => {
                verdict.uncovered += 1;
                let reason = "missing and in no ledger row that admits it";
                verdict.keep_example(of_event("uncovered", truth, event, reason));
            }
            Some(Standing::Unproven) => verdict.unproven += 1,
            Some(Standing::Unrecoverable) => verdict.unrecoverable += 1,
        }
        all.push(missing);
    }
    (due, all)
}

fn missing(
    verdict: &mut Verdict,
    truth: &Truth,
    at: usize,
    coverage: &Coverage<'_>,
    losses: &Losses<'_>,
) -> Missing {
    let event = &truth.events[at];
    if truth.numbering == Numbering::None && losses.is_echo(event) {
        return Missing { event: at, is_lost: false, standing: None };
    }
    let lost = losses.lost(event);
    if let Some(reason) = lost {
        verdict.lost += 1;
        verdict.keep_example(of_event("lost", truth, event, reason));
    }
    let standing = (!losses.is_undetectable(event)).then(|| coverage.standing(event));
    Missing { event: at, is_lost: lost.is_some(), standing }
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

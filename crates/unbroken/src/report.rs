//! One log line for each thing a machine reports: fields, never payload.
//!
//! WARN: surprising, but nothing is lost by it. ERROR: something is lost, or a person is needed.

use std::collections::BTreeMap;

use tracing::{debug, error, info, warn};
use unbroken_core::ids::{GapId, StreamId};
use unbroken_core::machine::{Blocked, Phase, Report};
use unbroken_core::record::{GapCause, GapOutcome};

use crate::policy;
use crate::render::wall;
use crate::words;

/// Writes the lines of one source. Remembers why gaps were opened, because a record that begins is
/// no loss.
#[derive(Debug, Default)]
pub struct ReportLog {
    causes: BTreeMap<(StreamId, GapId), GapCause>,
}

impl ReportLog {
    /// Writes the line.
    pub fn write(&mut self, report: &Report) {
        match report {
            Report::GapOpened { stream, gap, cause } => {
                self.causes.insert((stream.clone(), *gap), *cause);
                log_gap_opened(stream, *gap, *cause);
            }
            Report::GapClosed { stream, gap, outcome } => {
                let begins = self.causes.get(&(stream.clone(), *gap)) == Some(&GapCause::Start);
                log_gap_closed(stream, *gap, *outcome, begins);
            }
            other => log_other(other),
        }
    }
}

fn log_other(report: &Report) {
    match report {
        Report::GapOpened { .. } | Report::GapClosed { .. } => {}
        Report::Phase { stream, phase } => log_phase(stream.as_str(), phase),
        Report::Rung { stream, rung, after } => {
            info!(%stream, rung = words::rung(*rung), after, "recovering");
        }
        Report::Lost { stream, conn, failure } => {
            warn!(%stream, %conn, code = failure.code, why = %failure.what, "connection lost");
        }
        Report::Proved { stream, proof } => {
            info!(%stream, proof = words::proof(*proof), "proved that nothing is missing");
        }
        Report::Stale { stream, what } => warn!(%stream, why = %what, "position refused"),
        Report::Installed { stream, snapshot, rows, changed, deleted, tag, witness } => {
            let tag = tag.map(|tag| tag.to_string());
            let witness = words::witness(*witness);
            info!(%stream, %snapshot, rows, changed, deleted, tag, witness, "snapshot published");
        }
        Report::SnapshotRefused { stream, why } => {
            warn!(%stream, %why, "snapshot refused, asking again");
        }
        Report::Duplicates { stream, count } => debug!(%stream, count, "duplicates dropped"),
        Report::Foreign { stream, count } => {
            warn!(%stream, count, "frames of another subscription dropped");
        }
        Report::OverBudget { stream, allowance, until, .. } => {
            let budget = words::allowance(*allowance);
            debug!(%stream, budget, until_ms = until.0, "waiting for the source's budget");
        }
        Report::Unknown { stream, count } => {
            debug!(%stream, count, "frames that the profile does not know");
        }
        Report::SchemaChanged { stream, strange, frames } => {
            let todo = policy::SCHEMA_ADVICE;
            error!(%stream, strange, frames, todo, "the vendor's frames are not understood");
        }
        Report::SchemaKnown { stream } => {
            info!(%stream, "the vendor's frames are understood again");
        }
        Report::Alarm { stream, what } => error!(%stream, what = %what, "alarm"),
    }
}

fn log_phase(stream: &str, phase: &Phase) {
    match phase {
        Phase::Live { handover: false } => info!(stream, "live"),
        Phase::Live { handover: true } => info!(stream, "live, bringing up a second connection"),
        Phase::Waiting { why, .. } => warn!(stream, %why, "waiting before the next attempt"),
        Phase::Blocked { why } => log_blocked(stream, why),
        Phase::Draining => info!(stream, "draining"),
        Phase::Paused { since, by } => {
            let since = wall(*since);
            info!(stream, since, %by, "paused: nothing is asked of the vendor");
        }
        Phase::Idle
        | Phase::Authorizing
        | Phase::Fetching
        | Phase::Connecting
        | Phase::Subscribing
        | Phase::CatchingUp => debug!(stream, phase = words::phase(phase), "phase"),
    }
}

fn log_blocked(stream: &str, why: &Blocked) {
    let todo = policy::of_blocked(why).todo;
    error!(stream, why = words::blocked(why), todo, "blocked until a person helps");
}

fn log_gap_opened(stream: &StreamId, gap: GapId, cause: GapCause) {
    match cause {
        GapCause::Start => info!(%stream, "the record begins: what was before is not known"),
        _ => warn!(%stream, %gap, cause = words::cause(cause), "gap opened"),
    }
}

fn log_gap_closed(stream: &StreamId, gap: GapId, outcome: GapOutcome, begins: bool) {
    let outcome_word = words::outcome(outcome);
    match outcome {
        _ if begins => debug!(%stream, %gap, outcome = outcome_word, "gap closed"),
        GapOutcome::Repaired | GapOutcome::Drift => {
            info!(%stream, %gap, outcome = outcome_word, "gap closed");
        }
        GapOutcome::Summarised | GapOutcome::Unproven => {
            warn!(%stream, %gap, outcome = outcome_word, "gap closed");
        }
        GapOutcome::Unrecoverable => {
            error!(%stream, %gap, outcome = outcome_word, "gap closed: the vendor lost events");
        }
    }
}

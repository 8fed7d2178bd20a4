//! From what was played to what the client is worth.

use std::collections::HashSet;

use super::recovery::{Recovery, recovery};
use super::report::{Case, FaultTold, Figures, Finding, Life, LifeEnd, Report, Totals};
use super::session::FaultSeen;
use super::testimony::Testimony;
use super::timeline::{Span, timeline};
use super::{Kind, Scenario};
use crate::truth::Truth;
use crate::verdict::{Evidence, Judged, Stored, body_of, judge_closely};
use crate::{Load, Verdict};

/// How long a value may be wrong while it is called live, in milliseconds: an audit every eight
/// heartbeats, and one heartbeat of grace.
const STALE_LIVE_MS_MAX: u64 = 2_250;

/// A scenario that is over.
#[derive(Debug)]
pub(super) struct Played {
    pub(super) kind: Kind,
    pub(super) scenario: &'static Scenario,
    pub(super) truth: Truth,
    pub(super) evidence: Evidence,
    pub(super) testimony: Testimony,
    /// Who had to be followed.
    pub(super) agents: Vec<String>,
    pub(super) faults: Vec<FaultSeen>,
    pub(super) lives: Vec<Life>,
    pub(super) load: Vec<Load>,
    pub(super) began_us: i64,
    pub(super) ended_us: i64,
    pub(super) stderr: String,
}

impl Played {
    pub(super) fn since_ms(&self, at_us: i64) -> u64 {
        u64::try_from((at_us - self.began_us) / 1_000).unwrap_or(0)
    }

    /// When something first happened to the client.
    fn effect_us(&self) -> Option<i64> {
        let killed = self.lives.iter().filter(|life| life.end != LifeEnd::Stopped);
        let killed_us = killed.map(|life| {
            self.began_us + i64::try_from(life.to_ms).unwrap_or(0).saturating_mul(1_000)
        });
        self.faults.iter().map(|seen| seen.began_us).chain(killed_us).min()
    }
}

/// What fails of a verdict.
pub(super) fn failures(verdict: &Verdict, tells_state: bool) -> Vec<(&'static str, u64)> {
    let mut failures = verdict.failures(STALE_LIVE_MS_MAX);
    failures.retain(|(figure, _)| tells_state || !figure.starts_with("stale"));
    failures
}

pub(super) fn score(played: Played) -> Report {
    let judged = judge_closely(&played.truth, &played.evidence);
    let unfollowed = unfollowed(&played);
    let invented = invented(&played, &judged);
    let recovered = recovery(&played.truth, &played.evidence, &judged, played.effect_us());
    let figures = figures(&played, &judged, unfollowed.len() as u64, invented, recovered);
    let span = match (recovered, played.effect_us()) {
        (Recovery::At(at_us), Some(from_us)) => {
            Some(Span { from_ms: played.since_ms(from_us), to_ms: played.since_ms(at_us) })
        }
        _ => None,
    };
    let findings = findings(&played, &figures);
    let mut examples: Vec<Case> = judged
        .verdict
        .examples
        .iter()
        .filter(|example| played.testimony.tells_state || !example.figure.starts_with("stale"))
        .map(|example| Case {
            figure: example.figure,
            key: example.agent.clone(),
            position: example.position.clone(),
            at_ms: played.since_ms(example.at_us),
            reason: example.reason.clone(),
        })
        .collect();
    examples.extend(unfollowed.into_iter().take(20));
    let load = played.load.iter().fold(Totals::default(), |sum, load| Totals {
        connections: sum.connections + load.connections,
        handshakes: sum.handshakes + load.handshakes,
        rest_calls: sum.rest_calls + load.rest_calls,
        token_calls: sum.token_calls + load.token_calls,
    });
    let strange = played.testimony.strange.iter();
    Report {
        name: played.scenario.name,
        happens: played.scenario.happens,
        expected: played.scenario.expected,
        is_clean: findings.is_empty(),
        findings,
        figures,
        load,
        faults: faults(&played),
        examples,
        strange_lines: strange
            .map(|line| format!("at {} ms: {}", played.since_ms(line.at_us), line.why))
            .collect(),
        elapsed_ms: played.since_ms(played.ended_us),
        timeline: timeline(&played, &judged, span),
        lives: played.lives,
        stderr: played.stderr,
    }
}

/// Events of agents that had to be followed and that the client never asked for: silence is loss.
fn unfollowed(played: &Played) -> Vec<Case> {
    let followed = played.truth.subscribed_agents();
    let wanted: HashSet<String> = played
        .agents
        .iter()
        .map(|agent| match played.kind {
            Kind::Cxone => agent.clone(),
            Kind::Genesys => format!("adherence/{agent}"),
        })
        .collect();
    let nobody = played.truth.subscriptions.is_empty();
    let events = played.truth.events.iter().filter(|event| event.wall_us >= played.began_us);
    let missed = events.filter(|event| {
        wanted.contains(&*event.agent) && (nobody || !followed.contains(&*event.agent))
    });
    let case = |event: &crate::truth::TruthEvent| Case {
        figure: "lost",
        key: event.agent.to_string(),
        position: event.sequence.map(|sequence| {
            let epoch = played.truth.epochs.get(event.epoch as usize);
            format!("{}:{sequence}", epoch.map_or("", String::as_str))
        }),
        at_ms: played.since_ms(event.wall_us),
        reason: "the client never subscribed to it".to_owned(),
    };
    missed.map(case).collect()
}

/// Events that were told and that the vendor never made, or not so.
fn invented(played: &Played, judged: &Judged) -> u64 {
    let is_made = |stored: &Stored| {
        let body = body_of(&stored.payload);
        played.truth.events.iter().any(|event| {
            *event.agent == *stored.key
                && event.deleted == stored.deleted
                && (event.deleted || event.body == body)
                && (event.sequence.is_none() || event.sequence == stored.sequence)
        })
    };
    let extra = judged.extra.iter().filter_map(|at| played.evidence.stored.get(*at));
    extra.filter(|stored| !is_made(stored)).count() as u64
}

fn figures(
    played: &Played,
    judged: &Judged,
    unfollowed: u64,
    invented: u64,
    recovered: Recovery,
) -> Figures {
    let verdict = &judged.verdict;
    let tells_state = played.testimony.tells_state;
    let effect_us = played.effect_us().unwrap_or(0);
    Figures {
        events_due: verdict.events_emitted + unfollowed,
        events_told: verdict.events_stored,
        lost: verdict.lost + unfollowed,
        uncovered: verdict.uncovered,
        duplicated: verdict.duplicated.saturating_sub(invented),
        invented,
        out_of_order: verdict.out_of_order,
        overclaimed: verdict.overclaimed,
        gaps_open: verdict.gaps_open,
        unknown_lines: played.testimony.strange_count,
        unrecoverable: verdict.unrecoverable,
        unproven: verdict.unproven,
        undetectable: verdict.undetectable,
        stale_keys: tells_state.then_some(verdict.stale_keys),
        stale_live_ms: tells_state.then_some(verdict.stale_live_ms_max),
        recovery_ms: match recovered {
            Recovery::At(at_us) => Some(u64::try_from((at_us - effect_us) / 1_000).unwrap_or(0)),
            Recovery::None | Recovery::Never => None,
        },
        is_recovered: recovered != Recovery::Never,
    }
}

fn findings(played: &Played, figures: &Figures) -> Vec<Finding> {
    let events = |n: u64| if n == 1 { "1 event".to_owned() } else { format!("{n} events") };
    let mut findings = Vec::new();
    let mut find = |figure, value: u64, words: String| {
        if value > 0 {
            findings.push(Finding { figure, value, words });
        }
    };
    if figures.events_told == 0 {
        find("silent", 1, "it told no event at all".to_owned());
    }
    for life in played.lives.iter().filter(|life| life.end == LifeEnd::Exited) {
        let how = life.code.map_or("by a signal".to_owned(), |code| format!("with code {code}"));
        find("exited", 1, format!("it exited {how} after {} ms", life.to_ms - life.from_ms));
    }
    let lost = "which it had been served, or would have been for the asking";
    find("lost", figures.lost, format!("{} lost, {lost}", events(figures.lost)));
    let uncovered = format!("{} missing without a word", events(figures.uncovered));
    find("uncovered", figures.uncovered, uncovered);
    find("duplicated", figures.duplicated, format!("{} told twice", events(figures.duplicated)));
    let invented = format!("{} told that the vendor never made", events(figures.invented));
    find("invented", figures.invented, invented);
    let order = format!("{} out of order", events(figures.out_of_order));
    find("out_of_order", figures.out_of_order, order);
    let claimed = format!("{} told and called lost as well", events(figures.overclaimed));
    find("overclaimed", figures.overclaimed, claimed);
    find("gaps_open", figures.gaps_open, format!("{} gaps never closed", figures.gaps_open));
    let stale_keys = figures.stale_keys.unwrap_or(0);
    let stale = format!("{stale_keys} keys with another value than the vendor's at the end");
    find("stale_keys", stale_keys, stale);
    let stale_ms = figures.stale_live_ms.filter(|ms| *ms > STALE_LIVE_MS_MAX).unwrap_or(0);
    find("stale_live_ms", stale_ms, format!("a value wrong for {stale_ms} ms while called live"));
    let lines = format!("{} lines on stdout that say nothing of it", figures.unknown_lines);
    find("unknown_lines", figures.unknown_lines, lines);
    findings
}

fn faults(played: &Played) -> Vec<FaultTold> {
    let mut seen: Vec<&FaultSeen> = played.faults.iter().collect();
    let told = |fault: crate::Fault, seen: Option<&FaultSeen>| FaultTold {
        name: fault.name(),
        from_ms: seen.map(|seen| played.since_ms(seen.began_us)),
        met_ms: seen.and_then(|seen| seen.fired_us).map(|at_us| played.since_ms(at_us)),
        to_ms: seen.and_then(|seen| seen.ended_us).map(|at_us| played.since_ms(at_us)),
    };
    played
        .scenario
        .faults()
        .map(|fault| {
            let at = seen.iter().position(|seen| seen.fault == fault);
            told(fault, at.map(|at| seen.remove(at)))
        })
        .collect()
}

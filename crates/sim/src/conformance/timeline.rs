//! When what happened, to be drawn. Times are in milliseconds since the client was first started.

use serde::Serialize;

use super::score::Played;
use crate::Load;
use crate::truth::Truth;
use crate::verdict::{Judged, Outcome, Standing};

/// Events are counted by so many milliseconds.
const STEP_MS: i64 = 100;
/// Missing events that are no further apart are drawn as one interval, in milliseconds.
const JOIN_MS: i64 = 150;

/// See the module.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Timeline {
    /// The end of it all.
    pub end_ms: u64,
    /// Events made in each tenth of a second.
    pub made: Vec<u32>,
    /// Events told in each tenth of a second.
    pub told: Vec<u32>,
    /// When the vendor served a subscription.
    pub subscribed: Vec<Span>,
    /// Events that are missing and should not be.
    pub lost: Vec<Span>,
    /// Events that are missing, as the client says.
    pub recorded: Vec<Span>,
    /// Gaps that the client wrote down.
    pub gaps: Vec<Span>,
    /// From the first effect to being up to date for good.
    pub recovery: Option<Span>,
    /// What was asked of the vendor, second by second.
    pub load: Vec<Load>,
}

/// From then to then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// Begin.
    pub from_ms: u64,
    /// End.
    pub to_ms: u64,
}

pub(super) fn timeline(played: &Played, judged: &Judged, recovery: Option<Span>) -> Timeline {
    let Played { truth, evidence, began_us, ended_us, .. } = played;
    let span = |from_us: i64, to_us: i64| Span {
        from_ms: played.since_ms(from_us),
        to_ms: played.since_ms(to_us.min(*ended_us)),
    };
    let steps = usize::try_from((ended_us - began_us) / 1_000 / STEP_MS + 1).unwrap_or(1);
    let counted = |times: &mut dyn Iterator<Item = i64>| {
        let mut counts = vec![0; steps];
        for at_us in times {
            // What was before the client is none of its course.
            let step = usize::try_from((at_us - began_us).div_euclid(1_000 * STEP_MS));
            if let Some(count) = step.ok().and_then(|step| counts.get_mut(step)) {
                *count += 1;
            }
        }
        counts
    };
    let told = evidence.stored.iter().filter(|stored| !stored.is_state);
    let served = truth.subscriptions.iter();
    let gaps = evidence.ledger.iter().filter(|row| row.outcome != Outcome::Repaired);
    Timeline {
        end_ms: played.since_ms(*ended_us),
        made: counted(&mut truth.events.iter().map(|event| event.wall_us)),
        told: counted(&mut told.map(|stored| stored.received_us)),
        subscribed: served
            .map(|one| span(one.accepted_us, one.ended_us.unwrap_or(*ended_us)))
            .collect(),
        lost: spans(played, truth, judged, |standing, is_lost| {
            is_lost || standing == Some(Standing::Uncovered)
        }),
        recorded: spans(played, truth, judged, |standing, is_lost| {
            !is_lost && standing != Some(Standing::Uncovered)
        }),
        gaps: gaps.map(|row| span(row.wall_from_us, row.wall_to_us.unwrap_or(*ended_us))).collect(),
        recovery,
        load: played.load.clone(),
    }
}

fn spans(
    played: &Played,
    truth: &Truth,
    judged: &Judged,
    is_of: impl Fn(Option<Standing>, bool) -> bool,
) -> Vec<Span> {
    let mut spans: Vec<(i64, i64)> = Vec::new();
    let missing = judged.missing.iter().filter(|one| is_of(one.standing, one.is_lost));
    for at_us in missing.map(|one| truth.events[one.event].wall_us) {
        match spans.last_mut() {
            Some(last) if at_us - last.1 <= JOIN_MS * 1_000 => last.1 = at_us,
            _ => spans.push((at_us, at_us)),
        }
    }
    let drawn = |(from_us, to_us)| Span {
        from_ms: played.since_ms(from_us),
        to_ms: played.since_ms(to_us),
    };
    spans.into_iter().map(drawn).collect()
}

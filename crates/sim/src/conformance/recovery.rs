//! How long a client took to have everything again that was to be had.

use crate::truth::Truth;
use crate::verdict::{Evidence, Judged};

/// An event that is told within so long after it was made was told as it happened, microseconds.
const LATE_US: i64 = 100_000;

/// From the first effect of the scenario to the moment at which the client was up to date for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recovery {
    /// Nothing happened that had to be recovered from.
    None,
    /// At this wall time.
    At(i64),
    /// It was not up to date again.
    Never,
}

/// The client is up to date as soon as every event that it ever tells, and that was made until
/// then, is told, and from then on each is told within a tenth of a second. An event that it never
/// tells is behind it when it tells one that was made later; whether it should have told it is
/// another question.
pub(super) fn recovery(
    truth: &Truth,
    evidence: &Evidence,
    judged: &Judged,
    effect_us: Option<i64>,
) -> Recovery {
    let Some(effect_us) = effect_us else { return Recovery::None };
    let told_us = |event: usize| {
        let stored = judged.stored_of.get(event).copied().flatten()?;
        evidence.stored.get(stored).map(|stored| stored.received_us)
    };
    let unknowable = |event: usize| {
        judged.missing.iter().any(|missing| missing.event == event && missing.standing.is_none())
    };
    let mut at_us = effect_us;
    // When the next event that was made later is told, looked at from behind.
    let mut next_us: Option<i64> = None;
    for event in judged.due.iter().rev().copied() {
        let made_us = truth.events[event].wall_us;
        let told = told_us(event);
        if let Some(told) = told {
            next_us = Some(next_us.map_or(told, |next| next.min(told)));
        }
        if made_us < effect_us - LATE_US {
            continue;
        }
        match told.or(next_us) {
            Some(done_us) if done_us - made_us > LATE_US => at_us = at_us.max(done_us),
            Some(_) => {}
            None if unknowable(event) => {}
            None => return Recovery::Never,
        }
    }
    Recovery::At(at_us)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::settings::{Body, Numbering};
    use crate::truth::{TruthEvent, TruthRow};
    use crate::verdict::{Missing, Origin, Standing, Stored};

    /// Events made at these milliseconds, with those at which they are told.
    fn recovered(events: &[(i64, Option<i64>)], effect_ms: Option<i64>) -> Recovery {
        let made = |(index, (made_ms, _)): (usize, &(i64, Option<i64>))| TruthEvent {
            index: index as u64,
            wall_us: made_ms * 1_000,
            epoch: 0,
            sequence: Some(index as u64),
            agent: "a".into(),
            deleted: false,
            body: Bytes::new(),
            row: TruthRow::Body,
        };
        let truth = Truth {
            seed: 0,
            numbering: Numbering::Contiguous,
            body: Body::State,
            latency_ms: 0,
            epochs: Vec::new(),
            events: events.iter().enumerate().map(made).collect(),
            subscriptions: Vec::new(),
            pages: Vec::new(),
            facts: Vec::new(),
            history_pages: Vec::new(),
        };
        let mut evidence = Evidence::default();
        let mut judged = Judged::default();
        for (event, (_, told_ms)) in events.iter().enumerate() {
            judged.due.push(event);
            judged.stored_of.push(told_ms.map(|_| evidence.stored.len()));
            match told_ms {
                Some(told_ms) => evidence.stored.push(stored(told_ms * 1_000)),
                None => judged.missing.push(Missing {
                    event,
                    is_lost: true,
                    standing: Some(Standing::Uncovered),
                }),
            }
        }
        recovery(&truth, &evidence, &judged, effect_ms.map(|ms| ms * 1_000))
    }

    fn stored(received_us: i64) -> Stored {
        Stored {
            stream: String::new(),
            epoch: 0,
            epoch_name: None,
            sequence: None,
            key: String::new(),
            ordinal: 0,
            deleted: false,
            payload: Bytes::new(),
            origin: Origin::Live,
            is_state: false,
            occurred_us: None,
            received_us,
            offset: 0,
        }
    }

    #[test]
    fn it_is_over_with_the_last_event_that_came_late() {
        let events = [
            (1_000, Some(1_010)),
            (2_000, Some(4_000)),
            (2_100, Some(4_100)),
            (4_200, Some(4_210)),
        ];
        assert_eq!(recovered(&events, Some(1_900)), Recovery::At(4_100_000));
        assert_eq!(recovered(&events, None), Recovery::None);
    }

    #[test]
    fn what_is_never_told_is_over_with_the_next_that_is() {
        let events = [(1_000, Some(1_010)), (2_000, None), (2_500, None), (4_200, Some(4_210))];
        assert_eq!(recovered(&events, Some(1_900)), Recovery::At(4_210_000));
        assert_eq!(recovered(&events[..3], Some(1_900)), Recovery::Never);
    }

    #[test]
    fn who_was_never_late_needed_no_time() {
        let events = [(1_000, Some(1_010)), (2_000, Some(2_080)), (2_100, Some(2_190))];
        assert_eq!(recovered(&events, Some(1_900)), Recovery::At(1_900_000));
    }
}

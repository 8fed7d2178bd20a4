//! Whether a subscription at an older position brings the events after it again.

use std::time::Duration;

use unbroken_core::bookmark::After;
use unbroken_core::connector::{Class, Event, Failure, Item, Replay};

use crate::probe::asking::Token;
use crate::probe::observe::Teller;
use crate::probe::sightings::{ReplaySeen, Sightings};
use crate::probe::step::{Blame, Step};
use crate::probe::talk::Talk;
use crate::source::Source;

/// Asks for events that have come already, on a connection of its own after the first was closed:
/// nothing that another client has is touched.
pub(super) async fn replay(
    source: &Source,
    token: &Token,
    seen: &mut Sightings,
    teller: &mut Teller<'_>,
) {
    teller.begin();
    if source.capabilities().replay == Replay::None {
        return teller.tell(Step::skipped("replay", "the source declares none"));
    }
    let Some((after, expected)) = older(seen) else {
        let why = "no event came that could be asked for again (listen longer with --for)";
        return teller.tell(Step::skipped("replay", why));
    };
    let limit = source.timing().subscribe_ms + source.timing().prove_ms;
    let limit = Duration::from_millis(limit);
    let asked = async {
        let mut talk = Talk::open(source, Some(&after), token.secret()).await?;
        talk.subscribe(Some(after.clone()))?;
        let came = talk.hear_until(limit, |decoded| {
            decoded.items.iter().find_map(|item| match item {
                Item::Event(event) => Some(Ok(judge(event, expected))),
                Item::Refusal(failure) => Some(Err(failure.clone())),
                _ => None,
            })
        });
        let came = came.await?.transpose()?;
        talk.leave().await;
        Ok::<_, Failure>(came.unwrap_or(ReplaySeen::Nothing))
    };
    let place = match &after {
        After::Sequence(at) => format!("after {at}"),
        After::Bookmark(_) => "after the first event".to_owned(),
    };
    teller.tell(match asked.await {
        Ok(came) => {
            seen.replay = Some(came);
            told(&place, came)
        }
        Err(failure) if matches!(failure.class, Class::Stale { .. }) => {
            seen.replay = Some(ReplaySeen::Refused);
            told(&place, ReplaySeen::Refused)
        }
        Err(failure) => Step::failed("replay", &failure),
    });
}

/// A position that was good before, and the event that must come first after it.
fn older(seen: &Sightings) -> Option<(After, (Option<u64>, u128))> {
    if let Some((bookmark, Some(digest))) = &seen.bookmark {
        return Some((After::Bookmark(bookmark.clone()), (None, *digest)));
    }
    let (sequence, digest) = seen.first_event?;
    let before = seen.asked.or(seen.ack.flatten())?;
    Some((After::Sequence(before), (Some(sequence?), digest)))
}

fn judge(event: &Event, (sequence, digest): (Option<u64>, u128)) -> ReplaySeen {
    if event.digest == digest && (sequence.is_none() || event.sequence == sequence) {
        ReplaySeen::Again
    } else {
        ReplaySeen::Later(event.sequence)
    }
}

fn told(place: &str, came: ReplaySeen) -> Step {
    let hint = "a short outage will cost events: each is written into the ledger";
    let bad = |what: &str| {
        Step::bad("replay", format!("asked again {place}: {what}"), Blame::Vendor, hint)
    };
    match came {
        ReplaySeen::Again => {
            Step::good("replay", format!("asked again {place}: the same events came"))
        }
        ReplaySeen::Refused => bad("refused as too old"),
        ReplaySeen::Later(_) => bad("other events came first"),
        ReplaySeen::Nothing => bad("nothing came"),
    }
}

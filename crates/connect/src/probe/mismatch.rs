//! Where a source does something else than it declares. Pure: from what was declared and seen.

use unbroken_core::connector::{
    Ack, Capabilities, Connections, Coverage, Numbering, Paging, Replay, SnapshotBody, SnapshotKind,
};
use unbroken_core::machine::Timing;

use crate::probe::sightings::{ReplaySeen, SecondSeen, Sightings, SnapshotSeen};

/// So many events without a hole make it likely that there are none.
const EVENTS_CONVINCE: u64 = 50;

/// A row may be newer than its key's last event that was heard; so many at once are not.
const ROWS_CONVINCE: u64 = 3;

/// A declaration that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The key, as it stands in the profile or the configuration.
    pub key: &'static str,
    /// What is declared.
    pub declared: String,
    /// What was seen.
    pub seen: String,
    /// What to declare, or what follows.
    pub advice: String,
    /// How bad it is.
    pub weight: Weight,
}

/// How bad a mismatch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// More is declared than was seen: recovery would rely on what is not there.
    Wrong,
    /// Less is declared than was seen: safe, but recovery could be better.
    Modest,
}

impl Mismatch {
    /// Whether recovery would be misled.
    pub fn is_wrong(&self) -> bool {
        self.weight == Weight::Wrong
    }
}

/// All of them, in the order of the declarations.
pub fn mismatches(declared: &Capabilities, timing: &Timing, seen: &Sightings) -> Vec<Mismatch> {
    let mut found = Found(Vec::new());
    positions(declared, seen, &mut found);
    replays(declared, seen, &mut found);
    subscriptions(declared, seen, &mut found);
    names(declared, seen, &mut found);
    if let Some(snapshot) = &seen.snapshot {
        snapshots(declared, snapshot, &mut found);
    }
    coverage(declared, seen, &mut found);
    times(declared, timing, seen, &mut found);
    found.0
}

struct Found(Vec<Mismatch>);

impl Found {
    fn wrong(&mut self, key: &'static str, declared: &str, seen: String, advice: &str) {
        self.push(Weight::Wrong, key, declared, seen, advice);
    }

    fn modest(&mut self, key: &'static str, declared: &str, seen: String, advice: &str) {
        self.push(Weight::Modest, key, declared, seen, advice);
    }

    fn push(&mut self, weight: Weight, key: &'static str, declared: &str, seen: String, to: &str) {
        let (declared, advice) = (declared.to_owned(), to.to_owned());
        self.0.push(Mismatch { key, declared, seen, advice, weight });
    }
}

fn positions(declared: &Capabilities, seen: &Sightings, found: &mut Found) {
    let numbered = matches!(declared.position, Numbering::Contiguous | Numbering::Increasing);
    let word = match declared.position {
        Numbering::Contiguous => "\"contiguous\"",
        Numbering::Increasing => "\"increasing\"",
        Numbering::Opaque => "\"opaque\"",
        Numbering::None => "\"none\"",
    };
    let of_frames = declared.position == Numbering::Opaque && seen.booked;
    if declared.position != Numbering::None && seen.unplaced > 0 && !of_frames {
        let what = format!("{} of {} events had no position", seen.unplaced, seen.events);
        found.wrong("position", word, what, "declare \"none\", or correct `frames.event`");
    }
    if let Some((before, after)) = seen.backwards.filter(|_| numbered) {
        let what = format!("after {before} came {after}");
        found.wrong("position", word, what, "numbers that fall prove nothing: declare \"none\"");
    }
    match (declared.position, seen.hole) {
        (Numbering::Contiguous, Some((before, after))) => {
            let what = format!("after {before} came {after}");
            let advice = "if nothing was lost between them, declare \"increasing\"";
            found.wrong("position", word, what, advice);
        }
        (Numbering::Increasing, None)
            if seen.events >= EVENTS_CONVINCE && declared.coverage == Coverage::Full =>
        {
            let what = format!("{} events without a hole", seen.events);
            let advice = "if that is promised, \"contiguous\" would show every lost event";
            found.modest("position", word, what, advice);
        }
        _ => {}
    }
    if let Some(at) = seen.shared.filter(|_| numbered && declared.position_unique) {
        let what = format!("two events had the position {at}");
        found.wrong("position_unique", "true", what, "declare false");
    }
}

fn replays(declared: &Capabilities, seen: &Sightings, found: &mut Found) {
    let head_only = declared.replay == Replay::HeadOnly || seen.fresh_refused > 0;
    if seen.fresh_refused > 0 && declared.replay == Replay::FromPosition {
        let what =
            format!("a position that it had just issued was refused {} times", seen.fresh_refused);
        found.wrong("replay", "\"from_position\"", what, "declare \"head_only\"");
    }
    if head_only && !declared.subscribe_without_position {
        let what = "it accepts only its exact head, which moves with every event".to_owned();
        let advice = "it cannot be promised Live under load: find a way to subscribe without a \
                      position";
        found.wrong("subscribe_without_position", "false", what, advice);
    }
    let from_position = declared.replay == Replay::FromPosition;
    match seen.replay.filter(|_| from_position && seen.fresh_refused == 0) {
        Some(ReplaySeen::Refused) => {
            let what = "a position of some seconds ago was refused".to_owned();
            let advice = "it accepts only its head: declare \"head_only\"";
            found.wrong("replay", "\"from_position\"", what, advice);
        }
        Some(ReplaySeen::Later(at)) => {
            let at = at.map_or_else(String::new, |at| format!(" at {at}"));
            let what = format!("asked for an older position, it began later{at}");
            let advice = "it passes over what it should replay: declare \"none\"";
            found.wrong("replay", "\"from_position\"", what, advice);
        }
        Some(ReplaySeen::Nothing) => {
            let what = "asked for an older position, it sent nothing".to_owned();
            let advice = "it may not replay: if that stays so, declare \"none\"";
            found.wrong("replay", "\"from_position\"", what, advice);
        }
        Some(ReplaySeen::Again) | None => {}
    }
    if declared.replay == Replay::HeadOnly && seen.replay == Some(ReplaySeen::Again) {
        let what = "events after an older position came again".to_owned();
        let advice = "\"from_position\" would bring back what an outage hides";
        found.modest("replay", "\"head_only\"", what, advice);
    }
}

fn subscriptions(declared: &Capabilities, seen: &Sightings, found: &mut Found) {
    match (declared.ack, seen.ack) {
        (Ack::WithPosition, Some(None)) if !seen.ack_booked => {
            let what = "the confirmation named no position".to_owned();
            let advice = "declare \"plain\": a resume must be proved in another way";
            found.wrong("ack", "\"with_position\"", what, advice);
        }
        (Ack::WithPosition | Ack::Plain, None) if seen.events > 0 => {
            let word = if declared.ack == Ack::Plain { "\"plain\"" } else { "\"with_position\"" };
            let what = "events came and no confirmation".to_owned();
            found.wrong("ack", word, what, "declare \"none\", or correct `frames.kinds`");
        }
        (Ack::Plain, Some(Some(at))) => {
            let what = format!("the confirmation named the position {at}");
            let advice = "\"with_position\" would prove each resume at once";
            found.modest("ack", "\"plain\"", what, advice);
        }
        (Ack::None, Some(_)) => {
            let what = "the subscription was confirmed".to_owned();
            found.modest("ack", "\"none\"", what, "declare \"plain\" or \"with_position\"");
        }
        _ => {}
    }
    match (declared.connections, seen.second) {
        (Connections::Many, Some(ended)) if ended != SecondSeen::Both => {
            let what = match ended {
                SecondSeen::Refused => "a second connection was refused",
                _ => "a second connection ended the first",
            };
            found.wrong("connections", "\"many\"", what.to_owned(), "declare \"one\"");
        }
        (Connections::One | Connections::Unknown, Some(SecondSeen::Both)) => {
            let word = match declared.connections {
                Connections::One => "\"one\"",
                _ => "\"unknown\"",
            };
            let what = "two connections lived side by side".to_owned();
            let advice = "with \"many\", planned closes are handed over without an outage";
            found.modest("connections", word, what, advice);
        }
        _ => {}
    }
}

fn names(declared: &Capabilities, seen: &Sightings, found: &mut Found) {
    let pages = seen.snapshot.as_ref().map_or((0, 0), |snapshot| snapshot.epochs);
    let named = seen.epochs.0 + pages.0 > 0;
    if declared.epoch_named && !named && seen.epochs.1 + pages.1 > 0 {
        let what = "neither frames nor pages named an epoch".to_owned();
        let advice = "declare false: a new numbering would not be noticed";
        found.wrong("epoch_named", "true", what, advice);
    }
    if !declared.epoch_named && named && declared.position != Numbering::None {
        let what = "an epoch was named".to_owned();
        found.modest("epoch_named", "false", what, "declare true: a new numbering shows at once");
    }
    if declared.subscription_named && seen.subscriptions.1 > 0 {
        let (with, without) = seen.subscriptions;
        let what = format!("{without} of {} frames named no subscription", with + without);
        let advice = "declare false, or correct `frames.subscription`";
        found.wrong("subscription_named", "true", what, advice);
    }
}

fn snapshots(declared: &Capabilities, seen: &SnapshotSeen, found: &mut Found) {
    let (paging, word) = match declared.paging {
        Paging::None => (false, "\"none\""),
        Paging::Offset => (true, "\"offset\""),
        Paging::Keyed => (true, "\"keyed\""),
        Paging::SnapshotId => (true, "\"snapshot_id\""),
    };
    match seen.total {
        Some(total) if !paging && total > seen.rows => {
            let what = format!("{} rows of {total} came", seen.rows);
            found.wrong("paging", word, what, "there are more pages: declare how to ask for them");
        }
        _ => {}
    }
    let frozen = declared.paging == Paging::SnapshotId;
    if seen.torn && frozen {
        let what = "pages belonged to different snapshots".to_owned();
        found.wrong("paging", word, what, "declare \"offset\" or \"keyed\"");
    }
    if seen.repeated > 0 && (frozen || declared.paging == Paging::Keyed) {
        let what = format!("{} rows came twice", seen.repeated);
        found.wrong("paging", word, what, "rows move between pages: declare \"offset\"");
    }
    let bound_ms = declared.snapshot_staleness_ms_max;
    if seen.is_stale && seen.fresh_after_ms.is_none_or(|after_ms| after_ms > bound_ms) {
        let what = match seen.fresh_after_ms {
            Some(after_ms) => format!("a snapshot was {after_ms} ms behind its own head"),
            None => "a snapshot stayed behind its own head for longer than that".to_owned(),
        };
        let advice = "raise it: a snapshot from a cache is waited for only so long";
        found.wrong("snapshot_staleness_ms_max", &bound_ms.to_string(), what, advice);
    }
    if declared.snapshot == SnapshotKind::Unpositioned && seen.tags.is_some() {
        let what = "the snapshot names a position".to_owned();
        found.modest("snapshot", "\"unpositioned\"", what, "declare \"positioned\"");
    }
}

fn coverage(declared: &Capabilities, seen: &Sightings, found: &mut Found) {
    if let Some((head, false)) = seen.reached.filter(|_| declared.coverage == Coverage::Full) {
        let last = seen.last.map_or_else(|| "nothing".to_owned(), |last| last.to_string());
        let what = format!("REST showed the head {head}, the stream had come to {last}");
        let advice = "the numbering counts what is not sent to us: declare \"filtered\" (or the \
                      subscription is mute)";
        found.wrong("coverage", "\"full\"", what, advice);
    }
    let state = declared.snapshot_body == SnapshotBody::State;
    if let Some((0, differ @ ROWS_CONVINCE..)) = seen.rows_equal.filter(|_| state) {
        let what = format!("no row equalled its key's last event ({differ} were compared)");
        let advice = "rows and events are not the same thing: declare \"other\", or name in \
                      `digest` what both have";
        found.wrong("snapshot_body", "\"state\"", what, advice);
    }
}

fn times(declared: &Capabilities, timing: &Timing, seen: &Sightings, found: &mut Found) {
    let longest_ms = seen.silence_ms_max;
    if longest_ms > timing.idle_ms {
        let what = format!("silence of {longest_ms} ms on a socket that lived");
        let advice = "each such silence would cost a connection: raise it, or name a `ping`";
        found.wrong("timing.idle_ms", &timing.idle_ms.to_string(), what, advice);
    }
    let skew_ms = declared.clock_skew_ms_max;
    if seen.ahead_ms > skew_ms {
        let what = format!("events came {} ms before their own time", seen.ahead_ms);
        let advice = "set this machine's clock, or raise it";
        found.wrong("clock_skew_ms_max", &skew_ms.to_string(), what, advice);
    }
}

#[cfg(test)]
mod tests {
    use unbroken_core::connector::Floor;

    use super::*;

    /// A source that can do everything, and of which exactly that was seen.
    fn able() -> (Capabilities, Sightings) {
        let declared = Capabilities {
            position: Numbering::Contiguous,
            replay: Replay::FromPosition,
            floor: Floor::Unknown,
            ack: Ack::WithPosition,
            connections: Connections::Many,
            epoch_named: true,
            subscription_named: true,
            snapshot: SnapshotKind::Positioned,
            paging: Paging::SnapshotId,
            ..Capabilities::default()
        };
        let snapshot = SnapshotSeen {
            pages: 2,
            rows: 9,
            total: Some(9),
            tags: Some((4, 5)),
            epochs: (2, 0),
            ..SnapshotSeen::default()
        };
        let seen = Sightings {
            snapshot: Some(snapshot),
            asked: Some(4),
            ack: Some(Some(4)),
            events: 60,
            first: Some(5),
            last: Some(64),
            epochs: (60, 0),
            subscriptions: (60, 0),
            reached: Some((64, true)),
            rows_equal: Some((3, 6)),
            replay: Some(ReplaySeen::Again),
            second: Some(SecondSeen::Both),
            ..Sightings::default()
        };
        (declared, seen)
    }

    fn keys(declared: &Capabilities, seen: &Sightings) -> Vec<(&'static str, bool)> {
        let found = mismatches(declared, &Timing::default(), seen);
        found.iter().map(|mismatch| (mismatch.key, mismatch.is_wrong())).collect()
    }

    #[test]
    fn what_is_seen_as_declared_is_no_finding() {
        let (declared, seen) = able();
        assert_eq!(keys(&declared, &seen), []);
        let nothing = Sightings::default();
        assert_eq!(keys(&declared, &nothing), [], "what was not seen proves nothing");
    }

    #[test]
    fn each_claim_that_was_seen_broken_is_a_finding_of_its_own() {
        type Change = fn(&mut Capabilities, &mut Sightings);
        let changes: [(&str, Change); 22] = [
            ("position", |_, seen| seen.hole = Some((6, 9))),
            ("position", |_, seen| seen.backwards = Some((6, 2))),
            ("position", |_, seen| seen.unplaced = 1),
            ("position_unique", |_, seen| seen.shared = Some(7)),
            ("replay", |_, seen| seen.replay = Some(ReplaySeen::Refused)),
            ("replay", |_, seen| seen.replay = Some(ReplaySeen::Later(Some(80)))),
            ("replay", |_, seen| seen.replay = Some(ReplaySeen::Nothing)),
            ("replay", |_, seen| seen.fresh_refused = 3),
            ("subscribe_without_position", |declared, _| {
                declared.replay = Replay::HeadOnly;
                declared.subscribe_without_position = false;
            }),
            ("ack", |_, seen| seen.ack = Some(None)),
            ("ack", |_, seen| seen.ack = None),
            ("connections", |_, seen| seen.second = Some(SecondSeen::FirstEnded)),
            ("connections", |_, seen| seen.second = Some(SecondSeen::Refused)),
            ("epoch_named", |_, seen| {
                seen.epochs = (0, 60);
                seen.snapshot.get_or_insert_default().epochs = (0, 2);
            }),
            ("subscription_named", |_, seen| seen.subscriptions = (59, 1)),
            ("paging", |_, seen| seen.snapshot.get_or_insert_default().torn = true),
            ("paging", |_, seen| seen.snapshot.get_or_insert_default().repeated = 1),
            ("snapshot_staleness_ms_max", |_, seen| {
                seen.snapshot.get_or_insert_default().is_stale = true;
            }),
            ("coverage", |_, seen| seen.reached = Some((70, false))),
            ("snapshot_body", |_, seen| seen.rows_equal = Some((0, 3))),
            ("timing.idle_ms", |_, seen| seen.silence_ms_max = 40_000),
            ("clock_skew_ms_max", |_, seen| seen.ahead_ms = 1),
        ];
        let guide = include_str!("../../../../docs/guides/check.md");
        for (key, change) in changes {
            assert!(guide.contains(&format!("| `{key}` |")), "the guide does not name {key}");
            let (mut declared, mut seen) = able();
            change(&mut declared, &mut seen);
            let found = keys(&declared, &seen);
            assert!(found.contains(&(key, true)), "{key}: {found:?}");
            assert_eq!(found.iter().filter(|(_, wrong)| *wrong).count(), 1, "{key}: {found:?}");
        }
        let (mut declared, mut seen) = able();
        declared.paging = Paging::None;
        seen.snapshot.get_or_insert_default().total = Some(90);
        assert_eq!(keys(&declared, &seen), [("paging", true)]);
        let (declared, mut seen) = able();
        seen.rows_equal = Some((0, 2));
        assert_eq!(keys(&declared, &seen), [], "two rows may well be newer than their events");
    }

    #[test]
    fn a_source_that_takes_its_exact_head_alone_cannot_be_promised_live() {
        let (mut declared, mut seen) = able();
        declared.subscribe_without_position = false;
        seen.fresh_refused = 3;
        let found = mismatches(&declared, &Timing::default(), &seen);
        assert!(found.iter().any(|found| found.advice.contains("cannot be promised Live")));
        assert_eq!(keys(&declared, &seen).len(), 2);
    }

    #[test]
    fn to_declare_too_little_is_told_and_not_wrong() {
        let (able, seen) = able();
        let declared = Capabilities {
            position: Numbering::Increasing,
            replay: Replay::HeadOnly,
            ack: Ack::Plain,
            connections: Connections::Unknown,
            epoch_named: false,
            snapshot: SnapshotKind::Unpositioned,
            ..able
        };
        let found = keys(&declared, &seen);
        let expected = ["position", "replay", "ack", "connections", "epoch_named", "snapshot"];
        assert_eq!(found, expected.map(|key| (key, false)));
    }
}

//! A sink that ends at each of its crash points while its target is told of a lapse and given
//! state.

use std::collections::BTreeSet;

use unbroken_core::ids::GapId;
use unbroken_core::record::{Body, Change, GapCause, GapOpened, Origin, digest};
use unbroken_core::time::UnixMicros;
use unbroken_journal::Retention;
use unbroken_sink::{Ended, Lapse, PumpConfig};

use crate::house::{House, quick};
use crate::instance::{Fate, Instance, Point, Strike};
use crate::shelf::{Held, Shelf, Target, state};

/// Records of a batch: state comes in two of them.
const RECORDS_MAX: usize = 8;

/// Keys that are written once in each round, and have a later record behind which they are state.
const QUIET: u64 = 8;

/// Some segments.
pub(crate) fn small() -> Retention {
    Retention { age_ms: None, bytes_max: Some(160 * 1024) }
}

/// A log that overtakes every reader, round by round, and a target in memory that is given the
/// same.
struct Overtaken {
    house: House,
    shelf: Shelf,
    rounds: u64,
}

impl Overtaken {
    fn new() -> Self {
        Self { house: House::with(small()), shelf: Shelf::default(), rounds: 0 }
    }

    fn config() -> PumpConfig {
        let mut config = quick();
        config.cut.records_max = RECORDS_MAX;
        config.cut.bytes = 8 << 20;
        config
    }

    /// State that is never told by the log to whoever was there before, one key of it as it was in
    /// the round before; a row of the ledger that stays open; and more than is kept behind them.
    async fn grow(&mut self) {
        self.rounds += 1;
        let quiet = |n: u64| {
            let key = format!("quiet-{n}").as_str().into();
            Body::Change(Change { key, ..change_of(self.rounds, 10) })
        };
        let first = u64::from(self.rounds > 1);
        let (gap, wall_from) = (GapId(self.rounds), UnixMicros(self.rounds as i64));
        let opened = GapOpened { gap, after: None, wall_from, cause: GapCause::Mute };
        let told: Vec<Body> = (first..QUIET).map(quiet).chain([Body::GapOpened(opened)]).collect();
        self.house.append(told);
        for n in 0..10 {
            self.house.append((0..2).map(|_| Body::Change(change_of(n, 20_000))));
        }
        let pump = self.house.drain(self.shelf.clone(), Self::config()).await;
        assert_eq!(pump.stop().await, Ended::Stopped);
    }

    /// All that an instance passes that is told to end with what there is.
    async fn drain(&self, target: &impl Target, what: &str) -> Vec<Point> {
        let instance = Instance::start(target, &self.house, Self::config(), None);
        let (points, ended) = instance.ended().await;
        assert_eq!(ended, Some(Ended::Stopped), "{what}");
        points
    }

    fn is_there(&self, target: &impl Target, what: &str) {
        let (there, expected) = (target.whole(), target.like(&self.shelf.held()));
        let differ = there.iter().zip(&expected).find(|(one, other)| one != other);
        assert_eq!((differ, there.len()), (None, expected.len()), "{what}");
    }
}

/// What tables hold beside the records.
pub(crate) const NO_RECORDS: &str = "\
    SELECT 'lapse ' || from_offset || ' ' || to_offset FROM lapses UNION ALL \
    SELECT 'gap ' || gap FROM gaps UNION ALL \
    SELECT 'state ' || key || ' ' || log_offset FROM state";

/// Each once, whatever was given again.
pub(crate) fn in_tables(held: &Held) -> Vec<String> {
    let ids: BTreeSet<&String> = held.ids.iter().collect();
    let lapse = |it: &Lapse| format!("lapse {} {}", it.from_offset, it.to_offset);
    let gaps: BTreeSet<GapId> = held.open_gaps.iter().map(|(_, opened)| opened.gap).collect();
    let state = state(&held.entries).into_iter();
    in_order(
        (ids.into_iter().cloned())
            .chain(held.lapses.iter().map(lapse))
            .chain(gaps.into_iter().map(|gap| format!("gap {gap}")))
            .chain(state.map(|(key, offset)| format!("state {key} {offset}"))),
    )
}

/// As a reader has it who can tell by the id what came again.
pub(crate) fn each_once(held: &Held) -> Vec<String> {
    let mut seen = BTreeSet::new();
    held.told.iter().filter(|id| seen.insert(*id)).cloned().collect()
}

/// Files of rows, each of which has an offset.
pub(crate) fn in_files(held: &Held) -> Vec<String> {
    let row = |told: &String| told.splitn(3, ':').take(2).collect::<Vec<_>>().join(":");
    in_order(held.told.iter().map(row))
}

/// Of text.
pub(crate) fn in_order(rows: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut rows: Vec<String> = rows.into_iter().collect();
    rows.sort();
    rows
}

/// Nothing that would be smaller if it was compressed.
pub(crate) fn change_of(number: u64, bytes: usize) -> Change {
    let mut rng = fastrand::Rng::new();
    let text: String = (0..bytes).map(|_| rng.alphanumeric()).collect();
    let payload = format!("\"{text}\"").into_bytes();
    let known = crate::house::change(number, Origin::Live);
    Change { digest: digest(&payload), payload: payload.into(), ..known }
}

/// Each point, as a lapse is told and as the last part of the state is given: an instance that ends
/// in the part before goes on from the same place as one that ends behind the lapse.
fn strikes(points: &[Point]) -> Vec<Strike> {
    let lapse = points.iter().position(|(name, _)| *name == "lapse-given").expect("it lapsed");
    let count = |range: &[Point], name| range.iter().filter(|(it, _)| *it == name).count();
    let strike = |at: usize| {
        let name = points[at].0;
        let is_struck = [0, 2].contains(&count(&points[lapse..at], name));
        is_struck.then(|| Strike { name, nth: count(&points[..=at], name) })
    };
    (lapse..points.len()).filter_map(strike).collect()
}

/// Wherever it ends, its target is told of each lapse once, and has state once behind it: as one
/// that nothing befell.
pub(crate) async fn ends_in_a_lapse(target: &impl Target) {
    let mut course = Overtaken::new();
    let mut passed = Vec::new();
    // What is made is made in the first ones.
    for round in ["the first", "the second", "the third"] {
        course.grow().await;
        passed = course.drain(target, round).await;
    }
    course.is_there(target, "nothing befell it");
    for strike in strikes(&passed) {
        let what = format!("{strike:?}");
        course.grow().await;
        let fate = Some((strike, Fate::Ends));
        let instance = Instance::start(target, &course.house, Overtaken::config(), fate);
        let (points, ended) = instance.ended().await;
        assert_eq!(ended, None, "{what} in {points:?}");
        course.drain(target, &what).await;
        course.is_there(target, &what);
    }
    let held = course.shelf.held();
    assert_eq!(held.lapses.len() as u64, course.rounds - 1);
    // What is struck behind the lapse is the last of two parts of the state.
    let is = |what: &'static str| move |told: &String| told.contains(what);
    let lapse = held.told.iter().rposition(is(":lapse:")).expect("it lapsed");
    let state = held.told[lapse + 1..].iter().position(is(":gap:")).expect("one is open");
    assert!((RECORDS_MAX + 1..=2 * RECORDS_MAX).contains(&state), "{state} rows");
    assert!(held.open_gaps.len() as u64 > course.rounds, "{:?}", held.open_gaps);
}

macro_rules! lapses {
    ($name:ident, $target:expr) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn whoever_ends_in_a_lapse_is_gone_on_from() {
                $crate::overtaken::ends_in_a_lapse(&$target).await;
            }
        }
    };
}

pub(crate) use lapses;

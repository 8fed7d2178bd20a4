//! A sink that ends at each of its crash points, or stands still there while another instance takes
//! it over.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use unbroken_core::ids::SnapshotId;
use unbroken_core::record::{Body, Origin, SnapshotBegin};
use unbroken_sink::{Ended, Progress, PumpConfig};

use crate::house::{House, PATIENCE, change, quick, snapshot_end};
use crate::instance::{Fate, Instance, Point, Strike, strikes};
use crate::shelf::Target;

/// A log that grows by a little of everything, and what of it may be put aside.
struct Course {
    house: House,
    size: Size,
    odd: Vec<u64>,
    snapshots: u64,
}

/// How much is given at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Events between two strikes.
    pub(crate) events: u64,
    /// Records of a batch.
    pub(crate) records_max: usize,
    /// Whether something is among them for which not every target has room.
    pub(crate) has_odd: bool,
    /// How often each point is struck: more than once where it lies on the way of opening and on
    /// that of a commit.
    pub(crate) times: usize,
}

/// Little, in some batches.
pub(crate) const SMALL: Size = Size { events: 6, records_max: 8, has_odd: true, times: 2 };

/// Where each step has a name of its own.
pub(crate) const ONCE: Size = Size { times: 1, ..SMALL };

impl Course {
    fn new(size: Size) -> Self {
        Self { house: House::new(), size, odd: Vec::new(), snapshots: 0 }
    }

    fn config(&self) -> PumpConfig {
        let mut config = quick();
        config.cut.records_max = self.size.records_max;
        config.cut.bytes = 8 << 20;
        config
    }

    /// More than a batch, with an item of a snapshot, and an event for which not every target has
    /// room.
    fn grow(&mut self, target: &impl Target) {
        self.house.events(self.size.events / 2);
        self.snapshots += 1;
        let odd = target.odd(change(self.snapshots, Origin::Live));
        let snapshot = SnapshotId(self.snapshots);
        let begin = SnapshotBegin { snapshot, tag: None, rows_are_state: true, keys: None };
        let item = self.house.item(self.snapshots);
        self.house.append([Body::SnapshotBegin(begin), item]);
        self.house.append([snapshot_end(snapshot, 1)]);
        if self.size.has_odd {
            self.odd.push(self.house.end_offset());
            self.house.append([Body::Change(odd)]);
        }
        self.house.events(self.size.events / 2);
    }

    /// The target has everything once, in order, but for what it has put aside.
    fn is_there(&self, target: &impl Target) {
        let (ids, mut all) = (target.ids(), self.house.ids_from(0));
        if ids.len() < all.len() {
            let aside = target.aside();
            assert!(aside.is_none_or(|aside| aside == self.odd.len()), "{aside:?}");
            for offset in self.odd.iter().rev() {
                all.remove(*offset as usize);
            }
        }
        let differ = ids.iter().zip(&all).find(|(one, other)| one != other);
        assert_eq!((differ, ids.len()), (None, all.len()));
    }

    /// An instance gives what there is, and is told to end with that. All that it passes.
    async fn drain(&self, target: &impl Target, what: &str) -> Vec<Point> {
        let instance = Instance::start(target, &self.house, self.config(), None);
        let progress = Arc::clone(&instance.progress);
        let (points, ended) = instance.ended().await;
        assert_eq!(ended, Some(Ended::Stopped), "{what}");
        assert_eq!(progress.counts().next_offset, self.house.end_offset(), "{what}: {progress:?}");
        points
    }

    /// Has instances end, each at its point, and another one go on. All that it passes.
    async fn end_at(&mut self, target: &impl Target, strikes: &[Strike]) -> Vec<Point> {
        self.grow(target);
        for (n, strike) in strikes.iter().enumerate() {
            let instance =
                Instance::start(target, &self.house, self.config(), Some((*strike, Fate::Ends)));
            let (points, ended) = instance.ended().await;
            // Of a later one it depends on how quick the target was whether it comes there.
            assert!(ended.is_none() || n > 0, "{strike:?} in {points:?}");
        }
        self.drain(target, &format!("behind {strikes:?}")).await
    }
}

/// Rows of the reference: points, each once, in the order in which they were passed first.
#[derive(Default)]
struct Known(Vec<(&'static str, String)>);

/// It depends on how quick the target was whether there is anything to go on with so.
const BEHIND: &str = " (only where another instance ended) |";

impl Known {
    /// Returns those that were not known.
    fn add(&mut self, sink: &str, passed: &[Point], ends: &str) -> Vec<Strike> {
        let mut new = Vec::new();
        for (name, edge) in passed {
            if self.0.iter().all(|(known, _)| known != name) {
                self.0.push((name, format!("| {sink} | `{name}` | {edge}{ends}")));
                new.push(Strike { name, nth: 1 });
            }
        }
        new
    }
}

/// Whatever an instance was about when it ended, the next one goes on as if nothing had been.
pub(crate) async fn ends_at_each_point<T: Target>(sink: &str, size: Size, fresh: impl Fn() -> T) {
    let (target, mut course, mut known) = (fresh(), Course::new(size), Known::default());
    course.grow(&target);
    let first = course.drain(&target, "the first").await;
    // What is made is made by whoever comes first.
    let begun = first.iter().position(|(name, _)| *name == "first-given").expect("it is begun");
    course.grow(&target);
    let passed = course.drain(&target, "the next").await;
    let is_passed = |strike: &Strike| passed.iter().any(|(name, _)| *name == strike.name);
    let mut made = strikes(&first[..=begun], size.times);
    made.extend(strikes(&first[begun + 1..], 1).into_iter().filter(|strike| !is_passed(strike)));
    for strike in made {
        let (target, mut course) = (fresh(), Course::new(size));
        course.end_at(&target, &[strike]).await;
        course.is_there(&target);
    }
    known.add(sink, &[first, passed.clone()].concat(), " |");
    for strike in strikes(&passed, size.times) {
        let recovered = course.end_at(&target, &[strike]).await;
        // What only those pass that go on where another one ended.
        for new in known.add(sink, &recovered, BEHIND) {
            course.end_at(&target, &[strike, new]).await;
        }
    }
    course.is_there(&target);
    let rows: Vec<String> = known.0.into_iter().map(|(_, row)| row).collect();
    page_says(sink, &rows);
}

/// The reference has these rows about a sink, and no others but of points that were not come to.
fn page_says(sink: &str, rows: &[String]) {
    static WRITING: Mutex<()> = Mutex::new(());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/crash-points.md");
    let _one_at_a_time = WRITING.lock();
    let page = fs::read_to_string(&path).expect("the reference");
    let begins = format!("| {sink} | ");
    if std::env::var_os("UPDATE_TABLE").is_some() {
        let mut lines: Vec<&str> = page.lines().collect();
        let at = lines.iter().position(|line| line.starts_with(&begins)).unwrap_or(lines.len());
        let is_known = |line: &str| line.ends_with(BEHIND) && rows.iter().all(|row| row != line);
        lines.retain(|line| !line.starts_with(&begins) || is_known(line));
        lines.splice(at..at, rows.iter().map(String::as_str));
        return fs::write(&path, lines.join("\n") + "\n").expect("the reference");
    }
    let is_meant = |line: &&str| {
        let is_there = rows.iter().any(|row| row == line);
        line.starts_with(&begins) && (is_there || !line.ends_with(BEHIND))
    };
    let told: Vec<&str> = page.lines().filter(is_meant).collect();
    assert_eq!(told, rows, "`make guarantees` writes it anew");
}

/// Whoever stands still in the middle of anything, while another instance takes the sink over, has
/// lost it: what it goes on with then is nowhere.
pub(crate) async fn stands_still_at_each_point(size: Size, target: &impl Target) {
    let mut course = Course::new(size);
    course.grow(target);
    course.drain(target, "the first").await;
    course.grow(target);
    let begun = Instant::now();
    let passed = course.drain(target, "the next").await;
    // Where it has something that has to be waited for, the other one comes no further.
    let given_up = 2 * begun.elapsed();
    let mut overtaken = 0;
    for strike in strikes(&passed, 1) {
        course.grow(target);
        overtaken += u32::from(stands_still_at(target, &mut course, strike, given_up).await);
    }
    course.is_there(target);
    assert!(overtaken > 0, "{passed:?}");
}

/// What one has locked that stands still for long, the server gives to the next one.
pub(crate) async fn is_given_up_by_the_server(target: &impl Target, name: &'static str) {
    let mut course = Course::new(SMALL);
    course.grow(target);
    course.drain(target, "the first").await;
    course.grow(target);
    let strike = Strike { name, nth: 1 };
    assert!(stands_still_at(target, &mut course, strike, PATIENCE).await);
    course.is_there(target);
}

/// Returns whether the newer instance had everything before the older one went on.
async fn stands_still_at(
    target: &impl Target,
    course: &mut Course,
    strike: Strike,
    given_up: Duration,
) -> bool {
    let what = strike.name;
    let older =
        Instance::start(target, &course.house, course.config(), Some((strike, Fate::StandsStill)));
    older.until(what, Instance::is_held).await;
    let newer = course.house.pump(target.sink(), course.config());
    let (begun, end) = (Instant::now(), course.house.end_offset());
    let has_all = || newer.progress.counts().next_offset == end;
    // There it has nothing yet that anybody would wait for.
    let given_up = if what == "batch-given" { PATIENCE } else { given_up };
    while begun.elapsed() < given_up && !has_all() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let is_overtaken = has_all();
    let is_open = |it: &Progress| it.needed_from().is_some();
    let was_open = is_open(&older.progress) && is_open(&newer.progress);
    older.go_on();
    // Both are open, or over, before the log grows beyond what they know of it.
    older.until(what, |it| it.thread.is_finished() || is_open(&it.progress)).await;
    newer.until(what, |it| newer.has_ended() || is_open(it)).await;
    let begun = Instant::now();
    while !older.thread.is_finished() && !newer.has_ended() {
        assert!(begun.elapsed() < PATIENCE, "{what}: {:?}", older.progress);
        course.house.events(10);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // It may not have had it yet, and take it as soon as it goes on.
    assert!(!newer.has_ended() || !was_open, "{what}: the newer one lost it");
    if newer.has_ended() {
        assert_eq!(newer.ended().await, Ended::Fenced, "{what}");
        assert_eq!(older.ended().await.1, Some(Ended::Stopped), "{what}");
    } else {
        assert_eq!(older.ended().await.1, Some(Ended::Fenced), "{what}");
        assert_eq!(newer.stop().await, Ended::Stopped, "{what}");
    }
    is_overtaken
}

macro_rules! points {
    ($name:ident, $sink:literal, $size:expr, $target:expr) => {
        mod $name {
            use super::*;

            #[tokio::test]
            async fn whoever_ends_at_a_point_is_gone_on_from() {
                $crate::points::ends_at_each_point($sink, $size, || $target).await;
            }

            #[tokio::test]
            async fn whoever_stands_still_at_a_point_has_lost_it() {
                $crate::points::stands_still_at_each_point($size, &$target).await;
            }
        }
    };
}

pub(crate) use points;

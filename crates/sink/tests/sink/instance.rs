//! An instance of a sink that passes its crash points, and what befalls it there.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use unbroken_sink::crash::Watcher;
use unbroken_sink::{Ended, Progress, PumpConfig};

use crate::house::{House, PATIENCE};
use crate::shelf::Target;

/// What befalls an instance at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Ends,
    StandsStill,
}

/// When it befalls it: as it passes the point for the nth time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Strike {
    pub(crate) name: &'static str,
    pub(crate) nth: usize,
}

/// A name, and what is so then.
pub(crate) type Point = (&'static str, &'static str);

#[derive(Default)]
struct Seen {
    points: Vec<Point>,
    is_held: bool,
    goes_on: bool,
}

/// On a thread of its own, as in a service.
pub(crate) struct Instance {
    seen: Arc<(Mutex<Seen>, Condvar)>,
    pub(crate) progress: Arc<Progress>,
    stop: tokio::sync::watch::Sender<bool>,
    /// `None`: it was ended at a point.
    pub(crate) thread: thread::JoinHandle<Option<Ended>>,
}

impl Instance {
    pub(crate) fn start(
        target: &impl Target,
        house: &House,
        config: PumpConfig,
        strike: Option<(Strike, Fate)>,
    ) -> Self {
        let (pump, progress, stop) = house.pump_of(target.sink(), config);
        let seen = Arc::new((Mutex::new(Seen::default()), Condvar::new()));
        let passed = Arc::clone(&seen);
        let watcher = Watcher::new(move |name, edge| {
            let (lock, condvar) = &*passed;
            let mut seen = lock.lock().expect("nobody panics with it");
            seen.points.push((name, edge));
            let so_far = seen.points.iter().filter(|(known, _)| *known == name).count();
            let is_struck =
                |(strike, _): &(Strike, Fate)| (strike.name, strike.nth) == (name, so_far);
            let Some((_, fate)) = strike.filter(is_struck) else { return };
            if fate == Fate::Ends {
                drop(seen);
                resume_unwind(Box::new("it ends here"));
            }
            seen.is_held = true;
            while !seen.goes_on {
                seen = condvar.wait(seen).expect("nobody panics with it");
            }
        });
        let thread = thread::spawn(move || {
            watcher.watch();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime");
            let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(pump.run())));
            runtime.shutdown_background();
            ended.ok()
        });
        Self { seen, progress, stop, thread }
    }

    pub(crate) fn is_held(&self) -> bool {
        self.seen.0.lock().expect("nobody panics with it").is_held
    }

    pub(crate) fn go_on(&self) {
        self.seen.0.lock().expect("nobody panics with it").goes_on = true;
        self.seen.1.notify_all();
    }

    pub(crate) fn points(&self) -> Vec<Point> {
        self.seen.0.lock().expect("nobody panics with it").points.clone()
    }

    pub(crate) async fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let begun = Instant::now();
        while !is_so(self) {
            let points = self.points();
            assert!(begun.elapsed() < PATIENCE, "{what}: {:?} {points:?}", self.progress);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    pub(crate) async fn ended(self) -> (Vec<Point>, Option<Ended>) {
        self.stop.send_replace(true);
        self.until("it ends", |it| it.thread.is_finished()).await;
        (self.points(), self.thread.join().expect("it is caught"))
    }
}

/// Each point is struck as it is passed for the first time, and up to so many times more.
pub(crate) fn strikes(points: &[Point], times: usize) -> Vec<Strike> {
    let mut strikes: Vec<Strike> = Vec::new();
    for (name, _) in points {
        let nth = 1 + strikes.iter().filter(|strike| strike.name == *name).count();
        if nth <= times {
            strikes.push(Strike { name, nth });
        }
    }
    strikes
}

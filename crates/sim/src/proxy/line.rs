//! A connection as orders reach it: its two lanes, and whether it is over.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::counts::Counters;
use super::fault::{Break, Fault, Moment, Way};
use super::lane::{Cut, Lane};

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With an RST to both sides.
    Reset,
    /// With a FIN to both sides.
    Finish,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Line {
    up: Mutex<Lane>,
    down: Mutex<Lane>,
    ending: watch::Sender<Option<Ending>>,
    is_marked: AtomicBool,
    counters: Arc<Counters>,
}

impl Line {
    /// A connection's seed chooses what is left to chance on it.
    pub(crate) fn new(seed: u64, counters: Arc<Counters>) -> Self {
        Self {
            up: Mutex::new(Lane::new(seed)),
            down: Mutex::new(Lane::new(!seed)),
            ending: watch::Sender::new(None),
            is_marked: AtomicBool::new(false),
            counters,
        }
    }

    pub(crate) fn lane(&self, way: Way) -> MutexGuard<'_, Lane> {
        let lane = match way {
            Way::Up => &self.up,
            Way::Down => &self.down,
        };
        lane.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    pub(crate) fn mark(&self) {
        self.is_marked.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.is_marked.load(Ordering::SeqCst)
    }

    /// Whether one way or both have fallen silent.
    pub(crate) fn is_silent(&self) -> bool {
        self.lane(Way::Up).is_silent() || self.lane(Way::Down).is_silent()
    }

    /// What was ordered.
    pub(crate) fn strike(&self, fault: Fault) {
        match fault.moment {
            Moment::Now => self.end_by(fault.how),
            Moment::After { way, bytes } => self.lane(way).arm(Cut::After(bytes), fault.how),
            Moment::Within { way } => self.lane(way).arm(Cut::Within, fault.how),
        }
    }

    /// It breaks.
    pub(crate) fn end_by(&self, how: Break) {
        let is_new = match how {
            Break::Reset => self.end(Ending::Reset),
            Break::Finish => self.end(Ending::Finish),
            Break::Silence => self.lane(Way::Up).silence() | self.lane(Way::Down).silence(),
            Break::Mute(way) => self.lane(way).silence(),
        };
        if is_new {
            self.counters.count_break(how);
        }
    }

    /// Whether it was not over yet.
    fn end(&self, ending: Ending) -> bool {
        self.ending.send_if_modified(|now| {
            let is_first = now.is_none();
            now.get_or_insert(ending);
            is_first
        })
    }

    /// Ends it without counting: the proxy is gone.
    pub(crate) fn drop_it(&self) {
        self.ending.send_replace(Some(Ending::Reset));
    }

    /// Waits until it breaks.
    pub(crate) async fn until_ended(&self) -> Ending {
        let mut ending = self.ending.subscribe();
        let ended = ending.wait_for(Option::is_some).await.ok().and_then(|ending| *ending);
        // The sender is ours: it cannot be gone.
        ended.unwrap_or(Ending::Reset)
    }
}

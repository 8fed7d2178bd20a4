//! The faults in force, those that wait, and the count of all.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::broadcast;

use super::{Fault, FaultCounts, FaultNews, Stage};
use crate::settings::Settings;
use crate::world::Clock;

/// The second of two faults begins at the latest so long after the first, in milliseconds: within
/// most scenarios, and within the recovery from the shortest.
const SECOND_MS_MAX: u64 = 250;

/// A scenario in force.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) id: u64,
    pub(crate) fault: Fault,
    /// When its stage was last set.
    pub(crate) began_ms: u64,
    pub(crate) deadline_ms: u64,
    pub(crate) is_fired: bool,
    /// How often the behaviour was shown.
    pub(crate) count: u32,
    /// The streams it plays on.
    pub(crate) conns: Vec<u64>,
    /// When its present part ends.
    pub(crate) until_ms: Option<u64>,
    /// The old subscription (id, cursor) that will haunt the next one.
    pub(crate) ghost: Option<(String, u64)>,
    /// A walk through the baseline's pages has begun.
    pub(crate) is_walking: bool,
    /// Which of two forms the fault takes.
    pub(crate) is_second_form: bool,
    /// The one event that it is about.
    pub(crate) event: Option<u64>,
}

/// A fault that follows another one.
#[derive(Debug)]
pub(crate) struct Follower {
    id: u64,
    fault: Fault,
    not_after_ms: u64,
    deadline_ms: u64,
}

/// All faults. Those that were asked for together are in force together, the others wait.
#[derive(Debug)]
pub(crate) struct FaultBoard {
    pub(crate) rng: fastrand::Rng,
    waiting: VecDeque<Vec<(u64, Fault)>>,
    followers: Vec<Follower>,
    pub(crate) actives: Vec<Active>,
    counts: BTreeMap<Fault, FaultCounts>,
    news: broadcast::Sender<FaultNews>,
    clock: Clock,
    scenario_ms_max: u64,
    id_last: u64,
    ended_ms: u64,
}

impl FaultBoard {
    pub(crate) fn new(settings: &Settings, clock: Clock) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(settings.seed ^ 0xfa17),
            scenario_ms_max: settings.scenario_ms_max,
            waiting: VecDeque::new(),
            followers: Vec::new(),
            actives: Vec::new(),
            counts: BTreeMap::new(),
            news: broadcast::channel(1_024).0,
            clock,
            id_last: 0,
            ended_ms: 0,
        }
    }

    pub(crate) fn listen(&self) -> broadcast::Receiver<FaultNews> {
        self.news.subscribe()
    }

    pub(crate) fn counts(&self) -> BTreeMap<Fault, FaultCounts> {
        self.counts.clone()
    }

    /// Puts faults in line that are to be in force together; returns their numbers.
    pub(crate) fn enqueue(&mut self, faults: &[Fault]) -> Vec<u64> {
        let numbered: Vec<(u64, Fault)> =
            (self.id_last + 1..).zip(faults.iter().copied()).collect();
        self.id_last += numbered.len() as u64;
        let ids = numbered.iter().map(|(id, _)| *id).collect();
        self.waiting.push_back(numbered);
        ids
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.actives.is_empty() && self.followers.is_empty() && self.waiting.is_empty()
    }

    /// Forgets those that have not begun.
    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.followers.clear();
    }

    /// When the last scenario ended.
    pub(crate) fn ended_ms(&self) -> u64 {
        self.ended_ms
    }

    pub(crate) fn is_active(&self, fault: Fault) -> bool {
        self.actives.iter().any(|active| active.fault == fault)
    }

    pub(crate) fn active_as(&mut self, fault: Fault) -> Option<&mut Active> {
        self.actives.iter_mut().find(|active| active.fault == fault)
    }

    pub(crate) fn has_fired(&self, fault: Fault) -> bool {
        self.actives.iter().any(|active| active.fault == fault && active.is_fired)
    }

    /// The faults in force.
    pub(crate) fn in_force(&self) -> Vec<Fault> {
        self.actives.iter().map(|active| active.fault).collect()
    }

    /// The fault whose turn it is: the first of those in line if none is in force, or one that
    /// follows the one in force. What plays on a stream needs one to be up.
    pub(crate) fn take_next(&mut self, is_up: bool) -> Option<Fault> {
        let now_ms = self.clock.now_ms();
        if self.actives.is_empty() && self.followers.is_empty() {
            let together = if is_up { self.waiting.pop_front()? } else { return None };
            let deadline_ms = now_ms + self.scenario_ms_max * together.len() as u64;
            let not_after_ms = if self.rng.bool() { now_ms } else { now_ms + SECOND_MS_MAX };
            self.followers = together
                .into_iter()
                .map(|(id, fault)| Follower { id, fault, not_after_ms, deadline_ms })
                .collect();
            let first = self.followers.remove(0);
            return Some(self.begin(&first));
        }
        let is_shown = self.actives.iter().all(|active| active.is_fired);
        let at = self.followers.iter().position(|follower| {
            (is_shown || now_ms >= follower.not_after_ms)
                && (is_up || !follower.fault.needs_stream())
        })?;
        let follower = self.followers.remove(at);
        Some(self.begin(&follower))
    }

    fn begin(&mut self, next: &Follower) -> Fault {
        let is_second_form = self.rng.bool();
        self.actives.push(Active {
            id: next.id,
            fault: next.fault,
            began_ms: self.clock.now_ms(),
            deadline_ms: next.deadline_ms,
            is_fired: false,
            count: 0,
            conns: Vec::new(),
            until_ms: None,
            ghost: None,
            is_walking: false,
            is_second_form,
            event: None,
        });
        self.tell(next.id, next.fault, Stage::Injected);
        next.fault
    }

    /// The behaviour was seen on the wire (told once per scenario). Returns how often so far.
    pub(crate) fn fire(&mut self, fault: Fault) -> u32 {
        let Some(active) = self.active_as(fault) else { return 0 };
        active.count += 1;
        let (id, count, is_first) = (active.id, active.count, !active.is_fired);
        active.is_fired = true;
        if is_first {
            self.tell(id, fault, Stage::Fired);
        }
        count
    }

    /// Fires from the first call on for so long; `None` when that is over, or without the fault.
    pub(crate) fn fire_for(&mut self, fault: Fault, for_ms: u64) -> Option<()> {
        let now_ms = self.clock.now_ms();
        let active = self.active_as(fault)?;
        let until_ms = *active.until_ms.get_or_insert(now_ms + for_ms);
        if now_ms >= until_ms {
            return None;
        }
        self.fire(fault);
        Some(())
    }

    /// The published rule is in force again.
    pub(crate) fn finish(&mut self, fault: Fault) {
        let Some(at) = self.actives.iter().position(|active| active.fault == fault) else { return };
        let active = self.actives.remove(at);
        self.ended_ms = self.clock.now_ms();
        let stage = if active.is_fired { Stage::Ended } else { Stage::Missed };
        self.tell(active.id, fault, stage);
    }

    fn tell(&mut self, id: u64, fault: Fault, stage: Stage) {
        let counts = self.counts.entry(fault).or_default();
        match stage {
            Stage::Injected => counts.injected += 1,
            Stage::Fired => counts.fired += 1,
            Stage::Ended => counts.ended += 1,
            Stage::Missed => counts.missed += 1,
        }
        // Nobody listening is fine: the counts say the same.
        let _ = self.news.send(FaultNews { id, fault, stage, at_us: self.clock.wall_us() });
    }
}

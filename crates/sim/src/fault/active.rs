//! The fault in force, those that wait, and the count of all.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::broadcast;

use super::{Fault, FaultCounts, FaultNews, Stage};
use crate::settings::Settings;
use crate::world::Clock;

/// The scenario in force.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) id: u64,
    pub(crate) fault: Fault,
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
}

/// All faults. One scenario is in force at a time, the others wait for it.
#[derive(Debug)]
pub(crate) struct FaultBoard {
    pub(crate) rng: fastrand::Rng,
    pub(crate) waiting: VecDeque<(u64, Fault)>,
    pub(crate) active: Option<Active>,
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
            active: None,
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

    pub(crate) fn enqueue(&mut self, fault: Fault) -> u64 {
        self.id_last += 1;
        self.waiting.push_back((self.id_last, fault));
        self.id_last
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.active.is_none() && self.waiting.is_empty()
    }

    /// When the last scenario ended.
    pub(crate) fn ended_ms(&self) -> u64 {
        self.ended_ms
    }

    pub(crate) fn is_active(&self, fault: Fault) -> bool {
        self.active.as_ref().is_some_and(|active| active.fault == fault)
    }

    pub(crate) fn active_as(&mut self, fault: Fault) -> Option<&mut Active> {
        self.active.as_mut().filter(|active| active.fault == fault)
    }

    pub(crate) fn begin(&mut self, id: u64, fault: Fault) {
        let now_ms = self.clock.now_ms();
        self.active = Some(Active {
            id,
            fault,
            began_ms: now_ms,
            deadline_ms: now_ms.saturating_add(self.scenario_ms_max),
            is_fired: false,
            count: 0,
            conns: Vec::new(),
            until_ms: None,
            ghost: None,
            is_walking: false,
        });
        self.tell(id, fault, Stage::Injected);
    }

    /// The behaviour was seen on the wire (told once per scenario).
    pub(crate) fn fire(&mut self) {
        let Some(active) = self.active.as_mut() else { return };
        active.count += 1;
        if !active.is_fired {
            active.is_fired = true;
            let (id, fault) = (active.id, active.fault);
            self.tell(id, fault, Stage::Fired);
        }
    }

    /// The published rules are in force again.
    pub(crate) fn finish(&mut self) {
        let Some(active) = self.active.take() else { return };
        self.ended_ms = self.clock.now_ms();
        let stage = if active.is_fired { Stage::Ended } else { Stage::Missed };
        self.tell(active.id, active.fault, stage);
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

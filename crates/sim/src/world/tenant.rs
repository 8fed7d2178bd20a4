//! The tenant: its numbering, its history, its emission.

use std::sync::Arc;

use super::clock::Clock;
use super::event::{Event, Fact};
use super::roster::Roster;
use crate::SimError;
use crate::settings::{Numbering, Settings};
use crate::truth::{Recorder, Truth, TruthEvent, TruthRow};

/// Most events made in one tick: after a stall the world catches up in steps, so that nobody waits
/// for the lock much longer than usual.
const TICK_EVENTS_MAX: u64 = 2_000;

/// One page of the baseline, before it is written.
pub(crate) struct Page {
    /// Events with a lower index are what the page shows.
    pub(crate) as_of: u64,
    pub(crate) sequence: u64,
    pub(crate) total: u64,
    /// (slot, index of the last event) of each row.
    pub(crate) rows: Vec<(u32, u32)>,
}

/// The vendor's world.
#[derive(Debug)]
pub(crate) struct World {
    settings: Arc<Settings>,
    clock: Clock,
    rng: fastrand::Rng,
    pub(crate) roster: Roster,
    pub(crate) events: Vec<Event>,
    pub(crate) epochs: Vec<String>,
    /// Index of the first event of the present epoch.
    epoch_first: u64,
    pub(crate) head: u64,
    pub(crate) floor: u64,
    pub(crate) recorder: Recorder,
    /// What the vendor's clock is off by, in microseconds. The ledger's never is.
    pub(crate) told_offset_us: i64,
    emitting: bool,
    began_us: i64,
    paced: u64,
    churned_us: i64,
}

impl World {
    pub(crate) fn new(settings: Arc<Settings>, clock: Clock) -> Result<Self, SimError> {
        let recorder = Recorder::new(&settings)?;
        let mut world = Self {
            rng: fastrand::Rng::with_seed(settings.seed),
            roster: Roster::default(),
            events: Vec::new(),
            epochs: Vec::new(),
            epoch_first: 0,
            head: 0,
            floor: 0,
            recorder,
            told_offset_us: 0,
            emitting: true,
            began_us: clock.wall_us(),
            paced: 0,
            churned_us: clock.wall_us(),
            clock,
            settings,
        };
        world.name_epoch();
        for _ in 0..world.settings.agents {
            world.join();
        }
        world.roster.expect(world.settings.agents_to_come, &mut world.rng);
        world.purge();
        Ok(world)
    }

    /// Makes the events that are due by now.
    pub(crate) fn tick(&mut self) {
        if !self.emitting {
            return;
        }
        let now_us = self.clock.wall_us();
        let elapsed = (now_us - self.began_us) as f64 / 1_000_000.0;
        let due = (elapsed * self.settings.rate) as u64;
        let count = due.saturating_sub(self.paced).min(TICK_EVENTS_MAX);
        self.paced += count;
        self.burst(count);
        if count > 0 && self.settings.numbering == Numbering::Increasing && self.rng.u8(0..5) == 0 {
            self.head += 1;
        }
        let churn_us = i64::try_from(self.settings.churn_ms).unwrap_or(i64::MAX) * 1_000;
        if churn_us > 0 && now_us - self.churned_us >= churn_us {
            self.churned_us = now_us;
            self.change_agents(1);
        }
        self.retire();
    }

    /// Stops events for good (agents no longer come or go either).
    pub(crate) fn stop(&mut self) {
        self.emitting = false;
    }

    /// Events of the pacing so far; falls behind `rate × time` if the machine is too slow.
    pub(crate) fn backlog(&self) -> u64 {
        let elapsed = (self.clock.wall_us() - self.began_us) as f64 / 1_000_000.0;
        ((elapsed * self.settings.rate) as u64).saturating_sub(self.paced)
    }

    /// So many agents take their next step.
    pub(crate) fn burst(&mut self, count: u64) {
        for _ in 0..count {
            let Some(slot) = self.roster.pick(&mut self.rng) else { return };
            self.roster.agent_mut(slot).life.step(&mut self.rng);
            self.record(slot, false);
        }
    }

    /// So many agents leave, and as many join.
    pub(crate) fn change_agents(&mut self, count: usize) {
        for _ in 0..count {
            // Nobody leaves a team that is all but gone: an empty vendor shows nothing.
            if self.roster.present_count() > 2 {
                let leaver = self.roster.pick(&mut self.rng);
                self.leave(leaver);
            }
            self.join();
        }
    }

    /// So many agents join, and as many leave: none of them is back at once.
    pub(crate) fn replace_agents(&mut self, count: usize) {
        for _ in 0..count {
            self.join();
        }
        for _ in 0..count {
            let leaver = self.roster.pick(&mut self.rng);
            self.leave(leaver);
        }
    }

    /// One of the first agents in the order of ids leaves: every row behind it moves up.
    pub(crate) fn leave_among_first(&mut self, count: usize) {
        let leaver = self.roster.pick_among_first(count, &mut self.rng);
        self.leave(leaver);
    }

    /// Forgets all history: the floor becomes the head.
    pub(crate) fn purge(&mut self) {
        self.floor = self.head;
    }

    /// Forgets history but for the last events, as far as they are of this numbering.
    pub(crate) fn keep_last(&mut self, count: u64) {
        let oldest = self.len().saturating_sub(count).max(self.epoch_first);
        if oldest > self.epoch_first {
            self.floor = self.floor.max(self.events[oldest as usize - 1].sequence);
        }
    }

    /// Begins another numbering.
    pub(crate) fn reset(&mut self) {
        self.head = 0;
        self.floor = 0;
        self.epoch_first = self.len();
        self.name_epoch();
    }

    pub(crate) fn len(&self) -> u64 {
        self.events.len() as u64
    }

    pub(crate) fn epoch(&self) -> u32 {
        u32::try_from(self.epochs.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    pub(crate) fn epoch_name(&self) -> &str {
        self.epochs.last().map_or("", String::as_str)
    }

    pub(crate) fn epoch_first(&self) -> u64 {
        self.epoch_first
    }

    /// Index of the first event of the present epoch with a higher position.
    pub(crate) fn index_after(&self, sequence: u64) -> u64 {
        let present = &self.events[self.epoch_first as usize..];
        let below = present.partition_point(|event| event.sequence <= sequence);
        self.epoch_first + below as u64
    }

    /// The position up to which a subscription that stands before event `cursor` has been served.
    pub(crate) fn served_through(&self, cursor: u64) -> u64 {
        if cursor >= self.len() {
            return self.head;
        }
        let before = cursor.checked_sub(1).filter(|last| *last >= self.epoch_first);
        before.map_or(0, |last| self.events[last as usize].sequence)
    }

    /// Number of events made up to this wall time, but never before the present epoch began.
    pub(crate) fn as_of(&self, wall_us: i64) -> u64 {
        let made = self.events.partition_point(|event| event.wall_us <= wall_us) as u64;
        made.max(self.epoch_first)
    }

    /// Rows of the baseline as of an event index.
    pub(crate) fn page(&self, as_of: u64, offset: u64, limit: u64) -> Page {
        let mut rows = Vec::new();
        let mut total = 0;
        for (slot, last) in self.roster.as_of(as_of) {
            if self.events[last as usize].deleted {
                continue;
            }
            if total >= offset && total < offset.saturating_add(limit) {
                rows.push((slot, last));
            }
            total += 1;
        }
        Page { as_of, sequence: self.served_through(as_of), total, rows }
    }

    /// Slot and index of the last event of every agent, as of an event index, but of those who are
    /// gone.
    pub(crate) fn last_events(&self, as_of: u64) -> impl Iterator<Item = (u32, u64)> + '_ {
        let last = self.roster.as_of(as_of);
        last.map(|(slot, last)| (slot, u64::from(last)))
            .filter(|(_, last)| !self.events[*last as usize].deleted)
    }

    /// The schedule part of an agent's row.
    pub(crate) fn shift(&self, slot: u32) -> &str {
        &self.roster.agent(slot).shift
    }

    pub(crate) fn truth(&self) -> Truth {
        let events = self.events.iter().enumerate();
        let events = events.map(|(index, event)| self.truth_of(index as u64, event));
        Truth {
            seed: self.settings.seed,
            numbering: self.settings.numbering,
            body: self.settings.body,
            latency_ms: self.settings.latency_ms,
            epochs: self.epochs.clone(),
            events: events.collect(),
            subscriptions: self.recorder.subscriptions.clone(),
            pages: self.recorder.pages.clone(),
            facts: Vec::new(),
            history_pages: Vec::new(),
        }
    }

    fn truth_of(&self, index: u64, event: &Event) -> TruthEvent {
        TruthEvent {
            index,
            wall_us: event.wall_us,
            epoch: event.epoch,
            sequence: self.settings.numbering.is_positioned().then_some(event.sequence),
            agent: Arc::clone(&self.roster.agent(event.agent).id),
            deleted: event.deleted,
            body: event.body(),
            row: TruthRow::Body,
        }
    }

    fn join(&mut self) {
        let slot = self.roster.join(&mut self.rng);
        self.record(slot, false);
    }

    fn leave(&mut self, slot: Option<u32>) {
        if let Some(slot) = slot {
            self.roster.leave(slot);
            self.record(slot, true);
        }
    }

    fn record(&mut self, slot: u32, deleted: bool) {
        self.head += 1;
        if self.settings.numbering == Numbering::Increasing && self.rng.u8(0..5) < 2 {
            self.head += self.rng.u64(1..=3);
        }
        let positioned = self.settings.numbering.is_positioned();
        let last_us = self.events.last().map_or(i64::MIN, |event| event.wall_us);
        let agent = self.roster.agent(slot);
        let wall_us = self.clock.wall_us().max(last_us.saturating_add(1));
        let event = Event::write(&Fact {
            wall_us,
            told_us: wall_us + self.told_offset_us,
            position: positioned.then_some((self.epoch_name(), self.head)),
            epoch: self.epoch(),
            slot,
            agent: &agent.id,
            moment: (!deleted).then_some(agent.life.now()),
        });
        let index = self.len();
        let noted = self.truth_of(index, &event);
        self.recorder.event(&noted);
        self.events.push(event);
        self.roster.agent_mut(slot).events.push(u32::try_from(index).unwrap_or(u32::MAX));
    }

    /// Moves the floor up when more than the retention is kept.
    fn retire(&mut self) {
        self.keep_last(self.settings.retention_events);
    }

    fn name_epoch(&mut self) {
        let name = format!("e{}-{:06x}", self.epochs.len() + 1, self.rng.u32(0..1 << 24));
        self.recorder.epoch(&name);
        self.epochs.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(numbering: Numbering) -> World {
        let settings = Settings { numbering, agents: 20, ..Settings::default() };
        World::new(Arc::new(settings), Clock::new()).unwrap()
    }

    #[test]
    fn who_joins_is_one_of_those_who_were_named_before() {
        let settings = Settings { agents: 5, agents_to_come: 3, ..Settings::default() };
        let mut world = World::new(Arc::new(settings), Clock::new()).unwrap();
        let named = world.roster.ids();
        assert_eq!(named.len(), 8);
        for _ in 0..3 {
            world.join();
        }
        assert_eq!(world.roster.ids(), named);
        world.join();
        assert_eq!(world.roster.ids().len(), 9);
    }

    #[test]
    fn the_same_seed_makes_the_same_events() {
        let shape = |world: &World| -> Vec<_> {
            world.events.iter().map(|event| (event.agent, event.sequence, event.deleted)).collect()
        };
        let (mut one, mut two) = (world(Numbering::Increasing), world(Numbering::Increasing));
        for world in [&mut one, &mut two] {
            world.burst(500);
            world.change_agents(3);
        }
        assert_eq!(shape(&one), shape(&two));
    }

    #[test]
    fn contiguous_numbers_have_no_holes_and_increasing_ones_do() {
        let mut tight = world(Numbering::Contiguous);
        tight.burst(200);
        assert_eq!(tight.head, tight.len());
        let mut loose = world(Numbering::Increasing);
        loose.burst(200);
        assert!(loose.head > loose.len());
        assert!(loose.events.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    }

    #[test]
    fn neighbouring_bodies_of_an_agent_differ() {
        let mut world = world(Numbering::None);
        world.burst(2_000);
        for slot in 0..20 {
            let bodies: Vec<_> = world.roster.agent(slot).events.iter().collect();
            for pair in bodies.windows(2) {
                let of = |index: &u32| world.events[*index as usize].body();
                assert_ne!(of(pair[0]), of(pair[1]));
            }
        }
    }

    #[test]
    fn a_page_shows_the_moment_it_is_asked_for() {
        let mut world = world(Numbering::Contiguous);
        let before = world.len();
        world.change_agents(4);
        let old = world.page(before, 0, 100);
        assert_eq!((old.total, old.sequence), (20, 20));
        assert!(old.rows.iter().all(|(_, last)| u64::from(*last) < before));
        let now = world.page(world.len(), 5, 7);
        assert_eq!((now.total, now.rows.len(), now.sequence), (20, 7, world.head));
    }

    #[test]
    fn a_reset_begins_again_at_one_and_keeps_the_agents() {
        let mut world = world(Numbering::Contiguous);
        world.burst(10);
        world.reset();
        assert_eq!((world.head, world.floor, world.epoch()), (0, 0, 1));
        assert_eq!(world.page(world.len(), 0, 100).total, 20);
        world.burst(1);
        assert_eq!(world.events.last().unwrap().sequence, 1);
        assert_eq!(world.index_after(0), world.len() - 1);
    }
}

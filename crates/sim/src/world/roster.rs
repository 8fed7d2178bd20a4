//! Who works here, and who worked here as of any moment.

use std::fmt::Write;
use std::sync::Arc;

use super::life::{DAY, Life};

/// One agent that works here or ever did.
#[derive(Debug)]
pub(crate) struct Agent {
    pub(crate) id: Arc<str>,
    pub(super) life: Life,
    /// The schedule part of a baseline row, `"shift":{…}`.
    pub(super) shift: Box<str>,
    /// Indices of this agent's events, rising: the state as of any moment is found by bisection.
    pub(super) events: Vec<u32>,
    /// Where it stands in [`Roster::present`], while it works here.
    place: Option<usize>,
}

/// All agents, by slot; slots are never given up.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    agents: Vec<Agent>,
    /// Slots by agent id.
    order: Vec<u32>,
    /// Slots of those who work here, in no order.
    present: Vec<u32>,
    /// Slots of those who left and may come back.
    gone: Vec<u32>,
    /// Ids of those who have not joined yet.
    to_come: Vec<String>,
}

impl Roster {
    pub(crate) fn agent(&self, slot: u32) -> &Agent {
        &self.agents[slot as usize]
    }

    pub(super) fn agent_mut(&mut self, slot: u32) -> &mut Agent {
        &mut self.agents[slot as usize]
    }

    pub(super) fn present_count(&self) -> usize {
        self.present.len()
    }

    pub(super) fn pick(&self, rng: &mut fastrand::Rng) -> Option<u32> {
        if self.present.is_empty() {
            return None;
        }
        Some(self.present[rng.usize(0..self.present.len())])
    }

    /// One who works here among the first in the order of ids.
    pub(super) fn pick_among_first(&self, count: usize, rng: &mut fastrand::Rng) -> Option<u32> {
        let present = self.order.iter().filter(|slot| self.agent(**slot).place.is_some());
        let first: Vec<u32> = present.take(count).copied().collect();
        if first.is_empty() { None } else { Some(first[rng.usize(0..first.len())]) }
    }

    /// Somebody joins: now and then one who had left, else a new one with an id anywhere in the
    /// order.
    pub(super) fn join(&mut self, rng: &mut fastrand::Rng) -> u32 {
        if !self.gone.is_empty() && rng.u8(0..3) == 0 {
            let slot = self.gone.swap_remove(rng.usize(0..self.gone.len()));
            self.agent_mut(slot).life = Life::begin(rng);
            self.make_present(slot);
            return slot;
        }
        let id = self.to_come.pop().unwrap_or_else(|| self.new_id(rng));
        let slot = u32::try_from(self.agents.len()).unwrap_or(u32::MAX);
        let at = self.place_in_order(&id).unwrap_or_else(|at| at);
        self.order.insert(at, slot);
        self.agents.push(Agent {
            id: id.into(),
            life: Life::begin(rng),
            shift: shift_json(rng).into(),
            events: Vec::new(),
            place: None,
        });
        self.make_present(slot);
        slot
    }

    /// So many more ids are given out before those they are for join.
    pub(super) fn expect(&mut self, count: u32, rng: &mut fastrand::Rng) {
        for _ in 0..count {
            let id = self.new_id(rng);
            self.to_come.push(id);
        }
    }

    /// Ids of all who work here, did, or will, rising.
    pub(crate) fn ids(&self) -> Vec<String> {
        let known = self.order.iter().map(|slot| self.agent(*slot).id.to_string());
        let mut ids: Vec<String> = known.chain(self.to_come.iter().cloned()).collect();
        ids.sort_unstable();
        ids
    }

    fn new_id(&self, rng: &mut fastrand::Rng) -> String {
        loop {
            let id = format!("agent-{:06}", rng.u32(0..1_000_000));
            if self.place_in_order(&id).is_err() && !self.to_come.contains(&id) {
                return id;
            }
        }
    }

    pub(super) fn leave(&mut self, slot: u32) {
        let Some(place) = self.agent_mut(slot).place.take() else { return };
        self.present.swap_remove(place);
        if let Some(moved) = self.present.get(place).copied() {
            self.agent_mut(moved).place = Some(place);
        }
        self.gone.push(slot);
    }

    /// Slots with their last event below `as_of`, in order of ids, as many as have one.
    pub(super) fn as_of(&self, as_of: u64) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.order.iter().filter_map(move |slot| {
            let events = &self.agent(*slot).events;
            let count = events.partition_point(|index| u64::from(*index) < as_of);
            count.checked_sub(1).map(|last| (*slot, events[last]))
        })
    }

    fn make_present(&mut self, slot: u32) {
        let place = self.present.len();
        self.present.push(slot);
        self.agent_mut(slot).place = Some(place);
    }

    fn place_in_order(&self, id: &str) -> Result<usize, usize> {
        self.order.binary_search_by(|slot| self.agent(*slot).id.as_ref().cmp(id))
    }
}

fn shift_json(rng: &mut fastrand::Rng) -> String {
    let mut minute = rng.u16(24..44) * 15;
    let mut text = String::from("\"shift\":{\"timeZone\":\"UTC\",\"activities\":[");
    for (at, (activity, _, minutes)) in DAY.iter().take(DAY.len() - 1).enumerate() {
        let end = minute + minutes;
        let _ = write!(
            text,
            "{}{{\"activity\":\"{}\",\"start\":\"{:02}:{:02}\",\"end\":\"{:02}:{:02}\"}}",
            if at == 0 { "" } else { "," },
            activity.name(),
            minute / 60 % 24,
            minute % 60,
            end / 60 % 24,
            end % 60
        );
        minute = end;
    }
    text.push_str("]}");
    text
}

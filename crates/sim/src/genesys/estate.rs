//! This vendor as its handle holds it.

use super::hub::State;
use crate::estate::Estate;
use crate::fault::FaultBoard;
use crate::truth::{Recorder, Truth};
use crate::world::Clock;
use crate::{Account, Fault, Load};

impl Estate for State {
    fn clock(&self) -> Clock {
        self.clock.clone()
    }

    fn tick(&mut self) {
        self.world.tick();
        self.cover_new_conversations();
        self.tick_channels();
        self.tick_faults();
    }

    fn knows(&self, fault: Fault) -> bool {
        Fault::GENESYS.contains(&fault)
    }

    fn faults(&mut self) -> &mut FaultBoard {
        &mut self.faults
    }

    fn end_scenarios(&mut self) {
        self.end_scenarios();
    }

    fn recorder(&mut self) -> &mut Recorder {
        &mut self.world.recorder
    }

    fn flush(&mut self) {
        let open = self.sessions.values().filter_map(|session| session.subscription);
        for number in open.collect::<Vec<_>>() {
            self.world.recorder.save_subscription(number);
        }
        self.world.recorder.flush();
    }

    fn stop_emission(&mut self) {
        self.world.stop();
    }

    fn truth(&self) -> Truth {
        self.world.truth()
    }

    fn event_count(&self) -> u64 {
        self.world.len()
    }

    fn newest_event_us(&self) -> Option<i64> {
        self.world.events.last().map(|event| event.wall_us)
    }

    fn backlog(&self) -> u64 {
        self.world.backlog()
    }

    fn live_count(&self) -> usize {
        self.live().count()
    }

    fn load(&self) -> Vec<Load> {
        self.load.series(self.clock.now_ms())
    }

    fn account(&self) -> Account {
        let roster = &self.world.roster;
        let ids = |agents: &mut dyn Iterator<Item = usize>| -> Vec<String> {
            agents.map(|agent| roster.agents[agent].id.clone()).collect()
        };
        let units = roster.units.iter().enumerate();
        let teams = roster.teams.iter().enumerate();
        Account {
            users: ids(&mut (0..roster.agents.len())),
            units: units
                .map(|(at, unit)| (unit.id.clone(), ids(&mut roster.in_unit(at))))
                .collect(),
            teams: teams
                .map(|(at, team)| (team.id.clone(), ids(&mut roster.in_team(at))))
                .collect(),
            queues: roster.queues.clone(),
        }
    }
}

//! This vendor as its handle holds it.

use super::hub::State;
use super::session::Session;
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
        self.tick_faults();
    }

    fn knows(&self, fault: Fault) -> bool {
        fault.applies_with(self.settings.numbering, self.settings.body)
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
        self.sessions.values().filter(|session| Session::is_live(session)).count()
    }

    fn load(&self) -> Vec<Load> {
        self.load.series(self.clock.now_ms())
    }

    fn account(&self) -> Account {
        Account { users: self.world.roster.ids(), ..Account::default() }
    }
}

//! How scenarios begin, and how time ends them.

use super::Fault;
use crate::cxone::hub::State;
use crate::cxone::message;
use crate::cxone::session::Command;

/// Events made in the moment of a cut, so that there is something to miss.
const MISSED_EVENTS: u64 = 3;
/// How long frames are repeated or reordered, in milliseconds.
const WINDOW_MS: u64 = 1_500;
/// Close code of a vendor that restarts.
const RESTART: u16 = 1012;

impl State {
    /// Begins the next scenario if a stream is up to show it, and ends what has lasted long enough.
    pub(crate) fn tick_faults(&mut self) {
        let now_ms = self.clock.now_ms();
        let Some(active) = self.faults.active.as_mut() else {
            if self.sessions.values().any(|session| session.is_live())
                && let Some((id, fault)) = self.faults.waiting.pop_front()
            {
                self.faults.begin(id, fault);
                self.begin_scenario(fault);
            }
            return;
        };
        let is_due = active.until_ms.is_some_and(|until_ms| now_ms >= until_ms);
        match active.fault {
            Fault::HalfOpen => {
                let silent_ms = 2 * self.settings.heartbeat_ms;
                if !active.is_fired && now_ms >= active.began_ms + silent_ms {
                    self.faults.fire();
                }
            }
            Fault::PlannedClose if is_due => {
                active.until_ms = None;
                for conn in active.conns.clone() {
                    self.cut(conn, Command::Close { code: 1001, reason: "planned" });
                }
            }
            Fault::ZombieContext | Fault::TornSnapshot | Fault::StaleSnapshot if is_due => {
                self.faults.finish();
            }
            Fault::Duplicates | Fault::Reordering
                if active.is_fired && now_ms >= active.began_ms + WINDOW_MS =>
            {
                self.faults.finish();
            }
            _ => {}
        }
        if self.faults.active.as_ref().is_some_and(|active| now_ms >= active.deadline_ms) {
            self.end_scenario();
        }
    }

    /// Puts the published rules in force again, whatever the scenario was about to do.
    pub(crate) fn end_scenario(&mut self) {
        let Some(active) = self.faults.active.as_ref() else { return };
        let conns = active.conns.clone();
        match active.fault {
            Fault::HalfOpen => {
                for conn in conns {
                    self.cut(conn, Command::Reset { mid_frame: false });
                }
            }
            Fault::MuteAfterReconnect | Fault::PlannedClose => {
                for conn in conns {
                    self.cut(conn, Command::Close { code: RESTART, reason: "restart" });
                }
            }
            Fault::ZombieContext => {
                for session in self.sessions.values_mut() {
                    session.zombie = None;
                }
            }
            _ => {}
        }
        self.faults.finish();
    }

    fn begin_scenario(&mut self, fault: Fault) {
        let live: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.is_live())
            .map(|(conn, _)| *conn)
            .collect();
        let mid_frame = self.faults.rng.bool();
        match fault {
            Fault::CleanClose => {
                self.play_on(live, &Command::Close { code: RESTART, reason: "restart" });
            }
            Fault::TcpReset => self.play_on(live, &Command::Reset { mid_frame }),
            Fault::HalfOpen => self.play_on(live, &Command::HalfOpen),
            Fault::TokenRevokedEarly => {
                self.tokens.revoke_all();
                let told = Command::Say(message::error("unauthorized", None));
                for session in self.sessions.values_mut() {
                    session.commands.push_back(told.clone());
                }
                self.play_on(live, &Command::Close { code: 4401, reason: "token revoked" });
            }
            Fault::SequenceReset => {
                self.play_on(live, &Command::Reset { mid_frame: false });
                self.world.reset();
                self.world.burst(MISSED_EVENTS);
            }
            Fault::PlannedClose => self.announce(live),
            Fault::Duplicates | Fault::Reordering => {}
            _ => self.begin_outage(fault, &live),
        }
    }

    /// Ends streams; the scenario then watches those on which events were served.
    fn play_on(&mut self, live: Vec<u64>, command: &Command) {
        for conn in self.sessions.keys().copied().collect::<Vec<_>>() {
            if self.sessions.get(&conn).is_some_and(|session| !session.is_cut) {
                self.cut(conn, command.clone());
            }
        }
        if let Some(active) = self.faults.active.as_mut() {
            active.conns = live;
        }
    }

    fn announce(&mut self, live: Vec<u64>) {
        let notice_ms = self.settings.closing_notice_ms;
        let until_ms = self.clock.now_ms() + notice_ms;
        for conn in &live {
            if let Some(session) = self.sessions.get_mut(conn) {
                session.commands.push_back(Command::Say(message::closing(notice_ms)));
            }
        }
        if let Some(active) = self.faults.active.as_mut() {
            active.conns = live;
            active.until_ms = Some(until_ms);
        }
    }

    /// Cuts every stream, makes events that nobody is there to receive, and sets the stage.
    fn begin_outage(&mut self, fault: Fault, live: &[u64]) {
        if fault == Fault::ZombieContext
            && let Some(active) = self.faults.active.as_mut()
            && let Some(session) = live.first().and_then(|conn| self.sessions.get(conn))
        {
            active.ghost = Some((session.id.clone(), session.cursor));
        }
        for conn in live {
            let command = if self.faults.rng.bool() {
                Command::Reset { mid_frame: false }
            } else {
                Command::Close { code: RESTART, reason: "restart" }
            };
            self.cut(*conn, command);
        }
        self.world.burst(MISSED_EVENTS);
        match fault {
            Fault::HandshakeRefusedStale
            | Fault::SubscribeRefusedStale
            | Fault::SilentClamp
            | Fault::TornSnapshot
            | Fault::StaleSnapshot => self.world.purge(),
            Fault::TokenExpiredInOutage => self.tokens.expire_all(self.clock.now_ms()),
            Fault::AgentsChangedInOutage => {
                let count = (self.settings.agents as usize / 50).clamp(2, 10);
                self.world.change_agents(count);
            }
            _ => {}
        }
    }
}

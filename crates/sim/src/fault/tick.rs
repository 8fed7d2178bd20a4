//! How scenarios begin, and how time ends them.

use super::Fault;
use crate::cxone::hub::State;
use crate::cxone::message;
use crate::cxone::schedules;
use crate::server::house::Command;

/// Events made in the moment of a cut, so that there is something to miss.
const MISSED_EVENTS: u64 = 3;
/// Events made while nobody can connect, and those of them that history still keeps.
const OUTAGE_EVENTS: u64 = 300;
const KEPT_EVENTS: u64 = 50;
/// How long frames are bent or reordered, and the clock is wrong, in milliseconds.
const WINDOW_MS: u64 = 1_500;
/// How long nobody can connect, in milliseconds.
const DOWN_MS: u64 = 1_200;
/// How far the clock goes back, in microseconds.
const HOUR_US: i64 = 3_600_000_000;
/// A scenario that has not shown itself on a stream that is up is staged again after so long, in
/// milliseconds: what another fault had done to the stream kept it from being seen.
const RESTAGE_MS: u64 = 2_000;
/// Close code of a vendor that restarts.
const RESTART: u16 = 1012;

impl State {
    /// Begins scenarios that are due, and ends what has lasted long enough.
    pub(crate) fn tick_faults(&mut self) {
        let is_up = self.sessions.values().any(|session| session.is_live());
        if let Some(fault) = self.faults.take_next(is_up) {
            self.begin_scenario(fault);
        }
        for fault in self.faults.in_force() {
            self.tick_fault(fault, is_up);
        }
    }

    fn tick_fault(&mut self, fault: Fault, is_up: bool) {
        let now_ms = self.clock.now_ms();
        let heartbeat_ms = self.settings.heartbeat_ms;
        let Some(active) = self.faults.active_as(fault) else { return };
        let is_due = active.until_ms.is_some_and(|until_ms| now_ms >= until_ms);
        let since_ms = now_ms - active.began_ms;
        if now_ms >= active.deadline_ms {
            return self.end_scenario(fault);
        }
        match fault {
            Fault::HalfOpen if !active.conns.is_empty() => {
                if !active.is_fired && since_ms >= 2 * heartbeat_ms {
                    self.faults.fire(fault);
                }
                return;
            }
            Fault::PlannedClose if is_due => {
                active.until_ms = None;
                for conn in active.conns.clone() {
                    self.cut(conn, Command::Close { code: 1001, reason: "planned" });
                }
            }
            Fault::OutageBeyondRetention if is_due => {
                active.until_ms = None;
                self.world.keep_last(KEPT_EVENTS);
            }
            Fault::Flapping if is_due => return self.flap(),
            Fault::VendorOutage => {}
            _ if is_due && active.is_fired => return self.end_scenario(fault),
            Fault::Reordering if active.is_fired && since_ms >= WINDOW_MS => {
                return self.end_scenario(fault);
            }
            _ if fault.bends_frames() && active.is_fired && since_ms >= WINDOW_MS => {
                return self.end_scenario(fault);
            }
            _ => {}
        }
        let Some(active) = self.faults.active_as(fault) else { return };
        if !active.is_fired && is_up && since_ms >= RESTAGE_MS {
            active.began_ms = now_ms;
            self.begin_scenario(fault);
        }
    }

    /// Puts the published rules in force again, whatever the scenarios were about to do.
    pub(crate) fn end_scenarios(&mut self) {
        for fault in self.faults.in_force() {
            self.end_scenario(fault);
        }
    }

    fn end_scenario(&mut self, fault: Fault) {
        let Some(active) = self.faults.active_as(fault) else { return };
        let conns = active.conns.clone();
        match fault {
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
            Fault::MissingScope => self.tokens.withhold(None),
            Fault::ClockSetBack => self.world.told_offset_us = 0,
            Fault::VendorOutage | Fault::OutageBeyondRetention => self.down_until_ms = None,
            _ => {}
        }
        self.faults.finish(fault);
    }

    fn begin_scenario(&mut self, fault: Fault) {
        let now_ms = self.clock.now_ms();
        let live: Vec<u64> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.is_live())
            .map(|(conn, _)| *conn)
            .collect();
        let mid_frame = self.faults.rng.bool();
        match fault {
            Fault::CleanClose => {
                self.play_on(fault, live, &Command::Close { code: RESTART, reason: "restart" });
            }
            Fault::TcpReset => self.play_on(fault, live, &Command::Reset { mid_frame }),
            Fault::HalfOpen => self.play_on(fault, live, &Command::HalfOpen),
            Fault::TokenRevokedEarly => {
                self.tokens.revoke_all();
                let told = Command::Say(message::error("unauthorized", None));
                for session in self.sessions.values_mut() {
                    session.commands.push_back(told.clone());
                }
                self.play_on(fault, live, &Command::Close { code: 4401, reason: "token revoked" });
            }
            Fault::SequenceReset => {
                self.play_on(fault, live, &Command::Reset { mid_frame: false });
                self.world.reset();
                self.world.burst(MISSED_EVENTS);
            }
            Fault::PlannedClose => self.announce(live),
            Fault::SlowConsumer => {
                self.world.burst(self.settings.narrow_events);
                if let Some(active) = self.faults.active_as(fault) {
                    active.conns = live;
                }
            }
            Fault::Flapping => self.flap(),
            Fault::ClockSetBack => {
                self.world.told_offset_us = -HOUR_US;
                if let Some(active) = self.faults.active_as(fault) {
                    active.until_ms = Some(now_ms + WINDOW_MS);
                }
            }
            _ if fault.needs_stream() => {}
            _ => self.begin_outage(fault, &live),
        }
    }

    /// Ends streams; the scenario then watches those on which events were served.
    fn play_on(&mut self, fault: Fault, live: Vec<u64>, command: &Command) {
        self.cut_all(command);
        if let Some(active) = self.faults.active_as(fault) {
            active.conns = live;
        }
    }

    /// Cuts all sockets, again and again.
    fn flap(&mut self) {
        let fault = Fault::Flapping;
        let (cuts_max, within_ms) = (self.settings.flapping_cuts.max(1), self.settings.flapping_ms);
        let now_ms = self.clock.now_ms();
        let command = if self.faults.rng.bool() {
            Command::Reset { mid_frame: false }
        } else {
            Command::Close { code: RESTART, reason: "restart" }
        };
        self.cut_all(&command);
        let Some(active) = self.faults.active_as(fault) else { return };
        active.deadline_ms = active.deadline_ms.max(active.began_ms + 2 * within_ms);
        active.until_ms = Some(now_ms + within_ms / u64::from(cuts_max));
        if self.faults.fire(fault) >= cuts_max {
            self.faults.finish(fault);
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
        if let Some(active) = self.faults.active_as(Fault::PlannedClose) {
            active.conns = live;
            active.until_ms = Some(until_ms);
        }
    }

    /// Cuts every stream, makes events that nobody is there to receive, and sets the stage.
    fn begin_outage(&mut self, fault: Fault, live: &[u64]) {
        if fault == Fault::ZombieContext
            && let Some(active) = self.faults.active_as(fault)
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
        self.set_stage(fault);
    }

    fn set_stage(&mut self, fault: Fault) {
        let now_ms = self.clock.now_ms();
        match fault {
            Fault::HandshakeRefusedStale
            | Fault::SubscribeRefusedStale
            | Fault::SilentClamp
            | Fault::ClosedAfterAccept
            | Fault::TornSnapshot
            | Fault::StaleSnapshot
            | Fault::SlowRest
            | Fault::TruncatedPage
            | Fault::WrongTotal
            | Fault::EmptySnapshot
            | Fault::ThrottledRest
            | Fault::Unavailable => self.world.purge(),
            Fault::TokenExpiredInOutage | Fault::ThrottledToken | Fault::TokenEndpointDown => {
                self.tokens.expire_all(now_ms);
            }
            Fault::MissingScope => {
                self.world.purge();
                self.tokens.expire_all(now_ms);
                self.tokens.withhold(Some(schedules::SCOPE));
            }
            Fault::AgentsChangedInOutage => {
                let count = (self.settings.agents as usize / 50).clamp(2, 10);
                self.world.change_agents(count);
            }
            Fault::VendorOutage => self.go_down(now_ms),
            Fault::OutageBeyondRetention => {
                self.go_down(now_ms);
                self.world.burst(OUTAGE_EVENTS);
                if let Some(active) = self.faults.active_as(fault) {
                    active.until_ms = Some(now_ms + DOWN_MS);
                }
            }
            _ => {}
        }
    }

    /// Everything breaks, and nobody can connect for a while.
    fn go_down(&mut self, now_ms: u64) {
        self.down_until_ms = self.down_until_ms.max(Some(now_ms + DOWN_MS));
        self.cut_all(&Command::Reset { mid_frame: false });
    }

    fn cut_all(&mut self, command: &Command) {
        for conn in self.sessions.keys().copied().collect::<Vec<_>>() {
            if self.sessions.get(&conn).is_some_and(|session| !session.is_cut) {
                self.cut(conn, command.clone());
            }
        }
    }
}

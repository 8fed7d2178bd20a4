//! How scenarios begin on this vendor, and how time ends them. What each is: [`Fault`].

use super::hub::State;
use super::wire;
use crate::fault::Fault;
use crate::server::house::Command;

/// Steps taken in the moment of a cut, so that there is something to miss.
const MISSED_STEPS: u64 = 5;
/// How long frames are repeated or dropped, in milliseconds.
const WINDOW_MS: u64 = 1_500;
/// How long nobody can connect, in milliseconds.
const DOWN_MS: u64 = 1_200;
/// A scenario that has not shown itself while sockets are up is staged again after so long, in
/// milliseconds.
const RESTAGE_MS: u64 = 2_000;
/// Frames are held back so long at most, in milliseconds, when two channels cross.
const HELD_MS_MAX: u64 = 80;
/// A socket that is not held back is in one tick of so many.
const HELD_ONE_IN: u8 = 16;
/// Close code of a vendor that restarts.
const RESTART: u16 = 1012;
const CLOSE: Command = Command::Close { code: RESTART, reason: "restart" };

impl State {
    /// Begins scenarios that are due, and ends what has lasted long enough.
    pub(super) fn tick_faults(&mut self) {
        let is_up = self.live().next().is_some();
        if let Some(fault) = self.faults.take_next(is_up) {
            self.begin_scenario(fault);
        }
        for fault in self.faults.in_force() {
            self.tick_fault(fault, is_up);
        }
    }

    fn tick_fault(&mut self, fault: Fault, is_up: bool) {
        let now_ms = self.clock.now_ms();
        let Some(active) = self.faults.active_as(fault) else { return };
        let is_due = active.until_ms.is_some_and(|until_ms| now_ms >= until_ms);
        let since_ms = now_ms - active.began_ms;
        if now_ms >= active.deadline_ms {
            return self.end_scenario(fault);
        }
        match fault {
            Fault::PlannedClose | Fault::CrossedChannels if is_due => {
                active.until_ms = None;
                for conn in active.conns.clone() {
                    self.cut(conn, Command::Close { code: 1001, reason: "planned" });
                }
            }
            Fault::HalfOpen if !active.conns.is_empty() => {
                if !active.is_fired && since_ms >= 2 * self.settings.vendor.heartbeat_ms {
                    self.faults.fire(fault);
                }
                return;
            }
            Fault::VendorOutage => {}
            _ if is_due && active.is_fired => return self.end_scenario(fault),
            _ if fault.bends_frames() && active.is_fired && since_ms >= WINDOW_MS => {
                return self.end_scenario(fault);
            }
            _ => {}
        }
        if fault == Fault::CrossedChannels {
            self.cross(now_ms);
        }
        let Some(active) = self.faults.active_as(fault) else { return };
        let is_waiting = active.conns.is_empty() && !active.is_fired;
        if is_waiting && is_up && since_ms >= RESTAGE_MS {
            active.began_ms = now_ms;
            self.begin_scenario(fault);
        }
    }

    /// Puts the published rules in force again, whatever the scenarios were about to do.
    pub(super) fn end_scenarios(&mut self) {
        for fault in self.faults.in_force() {
            self.end_scenario(fault);
        }
    }

    fn end_scenario(&mut self, fault: Fault) {
        let Some(active) = self.faults.active_as(fault) else { return };
        let conns = active.conns.clone();
        let farewell = match fault {
            Fault::HalfOpen | Fault::HeartbeatStop | Fault::ChannelEvicted => {
                Some(Command::Reset { mid_frame: false })
            }
            Fault::MuteAfterReconnect
            | Fault::DeadSubscription
            | Fault::PlannedClose
            | Fault::CrossedChannels => Some(CLOSE),
            _ => None,
        };
        if let Some(farewell) = farewell {
            for conn in conns {
                self.cut(conn, farewell.clone());
            }
        }
        match fault {
            Fault::VendorOutage => self.down_until_ms = None,
            Fault::HandshakeGone => self.doomed.clear(),
            _ => {}
        }
        self.faults.finish(fault);
    }

    fn begin_scenario(&mut self, fault: Fault) {
        let live: Vec<u64> = self.live().collect();
        let mid_frame = self.faults.rng.bool();
        match fault {
            Fault::CleanClose => self.play_on(fault, live, &CLOSE),
            Fault::TcpReset => self.play_on(fault, live, &Command::Reset { mid_frame }),
            Fault::HalfOpen => self.play_on(fault, live, &Command::HalfOpen),
            Fault::TokenRevokedEarly => {
                self.tokens.revoke_all();
                for conn in &live {
                    let channel = self.sessions.get(conn).map(|session| session.channel.clone());
                    let channel = channel.unwrap_or_default();
                    let text = wire::system("token_revoked", &channel, "user_tokens_revoked");
                    self.say(*conn, text);
                }
                self.play_on(fault, live, &Command::Close { code: 1008, reason: "token revoked" });
            }
            Fault::PlannedClose | Fault::CrossedChannels => self.announce(fault, live),
            Fault::ChannelEvicted => self.evict_one(&live),
            Fault::ChannelExpired => {
                self.watch(fault, &live);
                for channel in self.channels_of(&live) {
                    self.expire_channel(&channel);
                }
            }
            Fault::HeartbeatStop => {
                self.watch(fault, &live);
                for conn in live {
                    self.abandon(conn);
                }
            }
            Fault::DeadSubscription => {
                self.watch(fault, &live);
                for conn in live {
                    self.mute(conn);
                }
            }
            _ if fault.needs_stream() => {}
            _ => self.begin_outage(fault, &live),
        }
    }

    fn watch(&mut self, fault: Fault, conns: &[u64]) {
        if let Some(active) = self.faults.active_as(fault) {
            active.conns = conns.to_vec();
        }
    }

    fn play_on(&mut self, fault: Fault, live: Vec<u64>, command: &Command) {
        for conn in &live {
            self.cut(*conn, command.clone());
        }
        self.watch(fault, &live);
    }

    fn announce(&mut self, fault: Fault, live: Vec<u64>) {
        let until_ms = self.clock.now_ms() + self.settings.vendor.closing_notice_ms;
        for conn in &live {
            self.say(*conn, wire::socket_closing());
        }
        self.watch(fault, &live);
        if let Some(active) = self.faults.active_as(fault) {
            active.until_ms = Some(until_ms);
        }
    }

    fn channels_of(&self, conns: &[u64]) -> Vec<String> {
        let sessions = conns.iter().filter_map(|conn| self.sessions.get(conn));
        sessions.map(|session| session.channel.clone()).collect()
    }

    /// From now on a socket is passed over in silence, but for its heartbeats.
    pub(super) fn mute(&mut self, conn: u64) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.is_muted = true;
        let noted = session
            .subscription
            .and_then(|number| self.world.recorder.subscriptions.get_mut(number));
        if let Some(noted) = noted {
            noted.muted = true;
        }
    }

    /// Another instance makes channels until one of ours is gone, and then gives its own up.
    fn evict_one(&mut self, live: &[u64]) {
        let fault = Fault::ChannelEvicted;
        for _ in 0..=2 * self.settings.channels_max {
            self.make_channel(true);
            let now: Vec<u64> = self.live().collect();
            let gone: Vec<u64> = live.iter().filter(|conn| !now.contains(conn)).copied().collect();
            if !gone.is_empty() {
                self.watch(fault, &gone);
                self.faults.fire(fault);
                break;
            }
        }
        self.channels.retain(|_, channel| !channel.is_foreign);
    }

    /// While two channels are open together, frames of either come late.
    fn cross(&mut self, now_ms: u64) {
        let Some(active) = self.faults.active_as(Fault::CrossedChannels) else { return };
        let old = active.conns.clone();
        let live: Vec<u64> = self.live().collect();
        let is_crossed = live.iter().any(|conn| old.contains(conn))
            && live.iter().any(|conn| !old.contains(conn));
        if !is_crossed {
            return;
        }
        for conn in live {
            let is_held = self.faults.rng.u8(0..HELD_ONE_IN) == 0;
            let held_ms = self.faults.rng.u64(1..=HELD_MS_MAX);
            if let Some(session) = self.sessions.get_mut(&conn)
                && is_held
                && now_ms >= session.held_until_ms
            {
                session.held_until_ms = now_ms + held_ms;
            }
        }
        self.faults.fire(Fault::CrossedChannels);
    }

    /// Cuts every socket, makes events that nobody is there to receive, and sets the stage.
    fn begin_outage(&mut self, fault: Fault, live: &[u64]) {
        let channels = self.channels_of(live);
        for conn in live {
            let is_reset = self.faults.rng.bool();
            self.cut(*conn, if is_reset { Command::Reset { mid_frame: false } } else { CLOSE });
        }
        self.burst(MISSED_STEPS);
        let now_ms = self.clock.now_ms();
        match fault {
            Fault::TokenExpiredInOutage | Fault::ThrottledToken | Fault::TokenEndpointDown => {
                self.tokens.expire_all(now_ms);
            }
            Fault::PartialSubscribe => {
                for channel in channels {
                    self.channels.remove(&channel);
                }
            }
            Fault::HandshakeGone => self.doomed.extend(channels),
            Fault::AgentsChangedInOutage => {
                let count = (self.world.roster.agents.len() / 50).clamp(2, 10);
                self.world.change_agents(count);
            }
            Fault::VendorOutage => {
                self.down_until_ms = self.down_until_ms.max(Some(now_ms + DOWN_MS));
                for conn in self.sessions.keys().copied().collect::<Vec<_>>() {
                    self.cut(conn, Command::Reset { mid_frame: false });
                }
            }
            _ => {}
        }
    }
}

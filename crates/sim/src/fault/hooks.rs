//! Where a fault bends a rule: one function for each moment at which the vendor decides.

use super::Fault;
use crate::cxone::hub::State;
use crate::cxone::session::Zombie;
use crate::cxone::subscribe::Start;
use crate::cxone::token::Denied;
use crate::server::house::Command;

/// Why a subscription is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// History does not reach back so far.
    Stale,
    /// The position is above the head.
    Unknown,
}

/// Handshakes refused as stale before the vendor relents.
const HANDSHAKES_REFUSED_MAX: u32 = 3;
/// Old events in a flood.
const FLOOD_EVENTS: u64 = 200;
/// How long an old subscription haunts a new socket, in milliseconds.
const HAUNT_MS: u64 = 1_500;
/// Groups in another order that make a scenario.
const REPEATS: u32 = 25;
/// How long a scope is missing once the client has been told, in milliseconds.
const SCOPE_MS: u64 = 500;

impl State {
    /// Whether the handshake is to be refused as stale.
    pub(crate) fn fault_on_handshake(&mut self) -> bool {
        let fault = Fault::HandshakeRefusedStale;
        let Some(active) = self.faults.active_as(fault) else { return false };
        if active.count >= HANDSHAKES_REFUSED_MAX {
            self.faults.finish(fault);
            return false;
        }
        self.world.purge();
        self.faults.fire(fault);
        true
    }

    /// What becomes of a subscription; `None`: the published rule decides. Of several faults the
    /// one that began first has its way.
    pub(crate) fn fault_on_subscribe(
        &mut self,
        asked: Option<u64>,
    ) -> Option<Result<Start, Refusal>> {
        let position = asked.filter(|position| *position <= self.world.head)?;
        self.faults.in_force().into_iter().find_map(|fault| self.bend_rule(fault, position))
    }

    fn bend_rule(&mut self, fault: Fault, position: u64) -> Option<Result<Start, Refusal>> {
        let (head, floor) = (self.world.head, self.world.floor);
        match fault {
            Fault::SubscribeRefusedStale if position < floor => {
                self.faults.fire(fault);
                self.faults.finish(fault);
                Some(Err(Refusal::Stale))
            }
            Fault::ExactHeadOnly if position < head => {
                self.world.purge();
                if position >= floor {
                    self.faults.fire(fault);
                }
                Some(Err(Refusal::Stale))
            }
            Fault::ExactHeadOnly => {
                Some(Ok(Start { exact_head: true, ..self.start_after(position) }))
            }
            Fault::SilentClamp if position < floor => {
                self.faults.fire(fault);
                Some(Ok(self.start_after(floor)))
            }
            Fault::ClosedAfterAccept if position < floor => Some(Ok(self.start_after(floor))),
            Fault::NoReplay => {
                self.world.purge();
                if position < head {
                    self.faults.fire(fault);
                }
                Some(Ok(Start { replay: false, ..self.start_now() }))
            }
            Fault::OutageBeyondRetention if position < floor => {
                self.faults.fire(fault);
                self.faults.finish(fault);
                Some(Err(Refusal::Stale))
            }
            _ => None,
        }
    }

    /// A subscription was accepted.
    pub(crate) fn fault_on_accepted(&mut self, conn: u64, asked: Option<u64>, start: u64) {
        for fault in self.faults.in_force() {
            let has_fired = self.faults.has_fired(fault);
            match fault {
                Fault::SubscribeRefusedStale
                | Fault::ExactHeadOnly
                | Fault::SilentClamp
                | Fault::NoReplay
                | Fault::TokenExpiredInOutage
                | Fault::VendorOutage
                    if has_fired =>
                {
                    self.faults.finish(fault);
                }
                Fault::AgentsChangedInOutage => {
                    self.faults.fire(fault);
                    self.faults.finish(fault);
                }
                Fault::OutageBeyondRetention if asked.is_none() => {
                    self.faults.fire(fault);
                    self.faults.finish(fault);
                }
                Fault::ClosedAfterAccept if asked.is_some_and(|asked| asked < start) => {
                    if let Some(active) = self.faults.active_as(fault) {
                        active.conns.push(conn);
                    }
                    self.cut(conn, Command::Close { code: 1000, reason: "" });
                }
                Fault::ClosedAfterAccept if has_fired => self.faults.finish(fault),
                Fault::MuteAfterReconnect => self.begin_muting(conn),
                Fault::HistoryFlood => self.begin_flood(conn, asked),
                Fault::ZombieContext => self.begin_haunting(conn),
                _ => {}
            }
        }
    }

    fn begin_muting(&mut self, conn: u64) {
        let Some(active) = self.faults.active_as(Fault::MuteAfterReconnect) else { return };
        if !active.conns.is_empty() {
            return;
        }
        active.conns.push(conn);
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.is_muted = true;
        }
    }

    fn begin_flood(&mut self, conn: u64, asked: Option<u64>) {
        let oldest = self.world.epoch_first();
        let Some(active) = self.faults.active_as(Fault::HistoryFlood) else { return };
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        let from = session.first.saturating_sub(FLOOD_EVENTS).max(oldest);
        if asked.is_none() || from >= session.first || !active.conns.is_empty() {
            return;
        }
        session.cursor = from;
        active.conns.push(conn);
    }

    fn begin_haunting(&mut self, conn: u64) {
        let until_ms = self.clock.now_ms() + HAUNT_MS;
        let Some(active) = self.faults.active_as(Fault::ZombieContext) else { return };
        let Some((id, cursor)) = active.ghost.take() else { return };
        active.conns.push(conn);
        active.until_ms = Some(until_ms);
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.zombie = Some(Zombie { id, cursor, until_ms });
        }
    }

    /// A bearer was not accepted.
    pub(crate) fn fault_on_denied(&mut self, denied: Denied) {
        let now_ms = self.clock.now_ms();
        match denied {
            Denied::Expired => {
                self.faults.fire(Fault::TokenExpiredInOutage);
                self.faults.finish(Fault::TokenExpiredInOutage);
            }
            Denied::Revoked => self.faults.finish(Fault::TokenRevokedEarly),
            Denied::Scope(_) => {
                if let Some(active) = self.faults.active_as(Fault::MissingScope) {
                    active.until_ms.get_or_insert(now_ms + SCOPE_MS);
                    self.faults.fire(Fault::MissingScope);
                }
            }
            Denied::Missing | Denied::Unknown => {}
        }
    }

    /// A token was given.
    pub(crate) fn fault_on_granted(&mut self) {
        if self.faults.has_fired(Fault::TokenRevokedEarly) {
            self.faults.finish(Fault::TokenRevokedEarly);
        }
    }

    /// A heartbeat goes out.
    pub(crate) fn fault_on_heartbeat(&mut self, conn: u64) {
        let fault = Fault::MuteAfterReconnect;
        let Some(active) = self.faults.active_as(fault) else { return };
        let first = self.sessions.get(&conn).map(|session| session.first);
        if active.conns.contains(&conn) && first.is_some_and(|first| first < self.world.len()) {
            self.faults.fire(fault);
        }
    }

    /// Frames were written to a stream.
    pub(crate) fn fault_on_delivered(&mut self, conn: u64) {
        let Some(session) = self.sessions.get(&conn).filter(|session| session.is_live()) else {
            return;
        };
        let (cursor, first) = (session.cursor, session.first);
        let shown = cursor.checked_sub(1).and_then(|at| self.world.events.get(at as usize));
        if shown.is_some_and(|event| event.is_set_back) {
            self.faults.fire(Fault::ClockSetBack);
        }
        let flood = Fault::HistoryFlood;
        if self.faults.active_as(flood).is_some_and(|active| active.conns.contains(&conn)) {
            self.faults.fire(flood);
            if cursor >= first {
                self.faults.finish(flood);
            }
        }
    }

    /// A group of frames was put in another order.
    pub(crate) fn fault_on_reordered(&mut self) {
        if self.faults.fire(Fault::Reordering) >= REPEATS {
            self.faults.finish(Fault::Reordering);
        }
    }

    /// So many frames of an old subscription were written to a new socket.
    pub(crate) fn fault_on_haunted(&mut self, count: u64) {
        if count > 0 {
            self.faults.fire(Fault::ZombieContext);
        }
    }

    /// A command was carried out on a stream.
    pub(crate) fn fault_on_performed(&mut self, conn: u64, command: &Command) {
        for fault in self.faults.in_force() {
            let Some(active) = self.faults.active_as(fault) else { continue };
            if !active.conns.contains(&conn) {
                continue;
            }
            let is_it = match fault {
                Fault::CleanClose | Fault::PlannedClose | Fault::ClosedAfterAccept => {
                    matches!(command, Command::Close { .. })
                }
                Fault::TcpReset | Fault::SequenceReset => matches!(command, Command::Reset { .. }),
                Fault::TokenRevokedEarly => matches!(command, Command::Close { code: 4401, .. }),
                Fault::SlowConsumer => matches!(command, Command::Close { code: 1008, .. }),
                _ => false,
            };
            if !is_it {
                continue;
            }
            active.conns.retain(|other| *other != conn);
            let goes_on = matches!(fault, Fault::TokenRevokedEarly | Fault::ClosedAfterAccept);
            let is_over = active.conns.is_empty() && !goes_on;
            self.faults.fire(fault);
            if is_over {
                self.faults.finish(fault);
            }
        }
    }

    /// A stream is gone.
    pub(crate) fn fault_on_gone(&mut self, conn: u64) {
        for fault in self.faults.in_force() {
            let Some(active) = self.faults.active_as(fault) else { continue };
            if !active.conns.contains(&conn) {
                continue;
            }
            active.conns.retain(|other| *other != conn);
            if !active.conns.is_empty() {
                continue;
            }
            match fault {
                Fault::TokenRevokedEarly | Fault::ClosedAfterAccept => continue,
                // The client left of its own accord between notice and close: the notice did its
                // work.
                Fault::PlannedClose => {
                    self.faults.fire(fault);
                }
                // Gone before it could be shown: it is staged again.
                _ if !active.is_fired => continue,
                _ => {}
            }
            self.faults.finish(fault);
        }
    }
}

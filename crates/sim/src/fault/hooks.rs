//! Where a fault bends a rule: one function for each moment at which the vendor decides.

use super::Fault;
use crate::cxone::hub::State;
use crate::cxone::session::{Command, Zombie};
use crate::cxone::subscribe::Start;
use crate::cxone::token::Denied;

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
/// Writes with repeated frames, and groups in another order, that make a scenario.
const REPEATS: u32 = 25;
/// How often pages are torn.
const TEARS: u32 = 2;
/// How long pages may be torn, and answers stale, after the first one, in milliseconds.
const BASELINE_MS: u64 = 2_000;

impl State {
    /// Whether the handshake is to be refused as stale.
    pub(crate) fn fault_on_handshake(&mut self) -> bool {
        let Some(active) = self.faults.active_as(Fault::HandshakeRefusedStale) else {
            return false;
        };
        if active.count >= HANDSHAKES_REFUSED_MAX {
            self.faults.finish();
            return false;
        }
        self.world.purge();
        self.faults.fire();
        true
    }

    /// What becomes of a subscription; `None`: the published rule decides.
    pub(crate) fn fault_on_subscribe(
        &mut self,
        asked: Option<u64>,
    ) -> Option<Result<Start, Refusal>> {
        let fault = self.faults.active.as_ref()?.fault;
        let position = asked.filter(|position| *position <= self.world.head)?;
        let (head, floor) = (self.world.head, self.world.floor);
        match fault {
            Fault::SubscribeRefusedStale if position < floor => {
                self.faults.fire();
                self.faults.finish();
                Some(Err(Refusal::Stale))
            }
            Fault::ExactHeadOnly if position < head => {
                self.world.purge();
                if position >= floor {
                    self.faults.fire();
                }
                Some(Err(Refusal::Stale))
            }
            Fault::ExactHeadOnly => {
                Some(Ok(Start { exact_head: true, ..self.start_after(position) }))
            }
            Fault::SilentClamp if position < floor => {
                self.faults.fire();
                Some(Ok(self.start_after(floor)))
            }
            Fault::NoReplay => {
                self.world.purge();
                if position < head {
                    self.faults.fire();
                }
                Some(Ok(Start { replay: false, ..self.start_now() }))
            }
            _ => None,
        }
    }

    /// A subscription was accepted.
    pub(crate) fn fault_on_accepted(&mut self, conn: u64, asked: Option<u64>) {
        let Some(active) = self.faults.active.as_mut() else { return };
        match active.fault {
            Fault::SubscribeRefusedStale
            | Fault::ExactHeadOnly
            | Fault::SilentClamp
            | Fault::NoReplay
            | Fault::TokenExpiredInOutage => self.faults.finish(),
            Fault::AgentsChangedInOutage => {
                self.faults.fire();
                self.faults.finish();
            }
            Fault::MuteAfterReconnect if active.conns.is_empty() => {
                active.conns.push(conn);
                if let Some(session) = self.sessions.get_mut(&conn) {
                    session.is_muted = true;
                }
            }
            Fault::HistoryFlood => self.begin_flood(conn, asked),
            Fault::ZombieContext => self.begin_haunting(conn),
            _ => {}
        }
    }

    fn begin_flood(&mut self, conn: u64, asked: Option<u64>) {
        let oldest = self.world.epoch_first();
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        let from = session.first.saturating_sub(FLOOD_EVENTS).max(oldest);
        if asked.is_none() || from >= session.first {
            self.faults.finish();
            return;
        }
        session.cursor = from;
        if let Some(active) = self.faults.active.as_mut() {
            active.conns.push(conn);
        }
    }

    fn begin_haunting(&mut self, conn: u64) {
        let until_ms = self.clock.now_ms() + HAUNT_MS;
        let Some(active) = self.faults.active.as_mut() else { return };
        let Some((id, cursor)) = active.ghost.take() else { return };
        active.conns.push(conn);
        active.until_ms = Some(until_ms);
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.zombie = Some(Zombie { id, cursor, until_ms });
        }
    }

    /// A bearer was not accepted.
    pub(crate) fn fault_on_denied(&mut self, denied: Denied) {
        let Some(active) = self.faults.active.as_ref() else { return };
        match (active.fault, denied) {
            (Fault::TokenExpiredInOutage, Denied::Expired) => {
                self.faults.fire();
                self.faults.finish();
            }
            (Fault::TokenRevokedEarly, Denied::Revoked) => self.faults.finish(),
            _ => {}
        }
    }

    /// A token was given.
    pub(crate) fn fault_on_granted(&mut self) {
        if self.faults.active_as(Fault::TokenRevokedEarly).is_some_and(|active| active.is_fired) {
            self.faults.finish();
        }
    }

    /// As of which event a page is, and how many rows it may have.
    pub(crate) fn fault_on_page(&mut self, offset: u64, limit: u64) -> (u64, u64) {
        match self.faults.active.as_ref().map(|active| active.fault) {
            Some(Fault::TornSnapshot) => {
                let size = self.tear(offset, limit);
                (self.world.len(), limit.min(size))
            }
            Some(Fault::StaleSnapshot) => (self.stale_as_of(), limit),
            _ => (self.world.len(), limit),
        }
    }

    /// Lets agents leave from pages already served; returns the size of pages while it tears.
    fn tear(&mut self, offset: u64, limit: u64) -> u64 {
        let total = self.world.page(self.world.len(), 0, 0).total;
        let size = total.div_ceil(3).max(1);
        let now_ms = self.clock.now_ms();
        let Some(active) = self.faults.active.as_mut() else { return limit };
        if offset == 0 {
            active.is_walking = limit > 1;
        } else if active.is_walking && offset < total {
            active.is_walking = false;
            active.until_ms.get_or_insert(now_ms + BASELINE_MS);
            let served = usize::try_from(offset).unwrap_or(usize::MAX);
            self.world.leave_among_first(served);
            self.world.leave_among_first(served);
            self.faults.fire();
            if self.faults.active.as_ref().is_some_and(|active| active.count >= TEARS) {
                self.faults.finish();
            }
        }
        size
    }

    /// As of which event the cache is.
    fn stale_as_of(&mut self) -> u64 {
        let age_us = i64::try_from(self.settings.staleness_ms).unwrap_or(i64::MAX) * 1_000;
        let as_of = self.world.as_of(self.clock.wall_us() - age_us);
        let now_ms = self.clock.now_ms();
        if as_of < self.world.len() {
            if let Some(active) = self.faults.active.as_mut() {
                active.until_ms.get_or_insert(now_ms + BASELINE_MS / 2);
            }
            self.faults.fire();
        }
        as_of
    }

    /// A page was served.
    pub(crate) fn fault_on_page_served(&mut self) {
        let refused = self.faults.active_as(Fault::HandshakeRefusedStale);
        if refused.is_some_and(|active| active.count > 0) {
            self.faults.finish();
        }
    }

    /// A heartbeat goes out.
    pub(crate) fn fault_on_heartbeat(&mut self, conn: u64) {
        let Some(active) = self.faults.active_as(Fault::MuteAfterReconnect) else { return };
        let first = self.sessions.get(&conn).map(|session| session.first);
        if active.conns.contains(&conn) && first.is_some_and(|first| first < self.world.len()) {
            self.faults.fire();
        }
    }

    /// Frames were written to a stream.
    pub(crate) fn fault_on_delivered(&mut self, conn: u64) {
        let Some(active) = self.faults.active_as(Fault::HistoryFlood) else { return };
        if !active.conns.contains(&conn) {
            return;
        }
        let is_over =
            self.sessions.get(&conn).is_none_or(|session| session.cursor >= session.first);
        self.faults.fire();
        if is_over {
            self.faults.finish();
        }
    }

    /// So many frames were repeated in one write.
    pub(crate) fn fault_on_repeated(&mut self, repeats: u32) {
        if repeats > 0 {
            self.fire_up_to(REPEATS);
        }
    }

    /// A group of frames was put in another order.
    pub(crate) fn fault_on_reordered(&mut self) {
        self.fire_up_to(REPEATS);
    }

    fn fire_up_to(&mut self, count_max: u32) {
        self.faults.fire();
        if self.faults.active.as_ref().is_some_and(|active| active.count >= count_max) {
            self.faults.finish();
        }
    }

    /// So many frames of an old subscription were written to a new socket.
    pub(crate) fn fault_on_haunted(&mut self, count: u64) {
        if count > 0 && self.faults.is_active(Fault::ZombieContext) {
            self.faults.fire();
        }
    }

    /// A command was carried out on a stream.
    pub(crate) fn fault_on_performed(&mut self, conn: u64, command: &Command) {
        let Some(active) = self.faults.active.as_mut() else { return };
        if !active.conns.contains(&conn) {
            return;
        }
        let is_it = match active.fault {
            Fault::CleanClose | Fault::PlannedClose => matches!(command, Command::Close { .. }),
            Fault::TcpReset | Fault::SequenceReset => matches!(command, Command::Reset { .. }),
            Fault::TokenRevokedEarly => matches!(command, Command::Close { code: 4401, .. }),
            _ => false,
        };
        if !is_it {
            return;
        }
        active.conns.retain(|other| *other != conn);
        let is_over = active.conns.is_empty() && active.fault != Fault::TokenRevokedEarly;
        self.faults.fire();
        if is_over {
            self.faults.finish();
        }
    }

    /// A stream is gone.
    pub(crate) fn fault_on_gone(&mut self, conn: u64) {
        let Some(active) = self.faults.active.as_mut() else { return };
        if !active.conns.contains(&conn) {
            return;
        }
        active.conns.retain(|other| *other != conn);
        let is_over = active.conns.is_empty();
        match active.fault {
            // The client left of its own accord between notice and close: the notice did its work.
            Fault::PlannedClose => self.faults.fire(),
            Fault::TokenRevokedEarly => return,
            _ => {}
        }
        if is_over {
            self.faults.finish();
        }
    }
}

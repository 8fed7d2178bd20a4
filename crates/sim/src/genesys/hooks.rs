//! Where a fault bends a rule of this vendor: one function for each moment at which it decides.

use super::hub::State;
use super::refusal::{refusal, too_many};
use super::token::Denied;
use crate::fault::Fault;
use crate::load::Call;
use crate::server::house::Command;
use crate::server::http::Response;

/// What `Retry-After` names, in seconds, and how long it is meant, in milliseconds.
const RETRY_AFTER_S: u64 = 1;
const RETRY_AFTER_MS: u64 = 1_000;
/// How long 503 is answered, and the token endpoint is down, in milliseconds.
const UNAVAILABLE_MS: u64 = 600;
const TOKEN_DOWN_MS: u64 = 1_200;
/// How long answers are stale, late or cut after the first one that was, in milliseconds.
const WHILE_MS: u64 = 1_500;
/// Delays of a slow answer, in milliseconds.
const SLOW_MS: std::ops::Range<u64> = 200..1_800;
/// Answers that are bent.
const BENT_MAX: u32 = 3;
/// Frames that are repeated or dropped make a scenario.
const REPEATS_MAX: u32 = 60;
const DROPS_MAX: u32 = 3;
/// One frame in so many is.
const ONE_IN: u8 = 8;
/// One topic in so many is rejected.
const REJECTED_ONE_IN: usize = 3;
/// A wrong total is off by so many.
const TOTAL_OFF: u64 = 7;

impl State {
    /// Whether every connection is reset as it arrives.
    pub(super) fn is_down(&self) -> bool {
        self.down_until_ms.is_some_and(|until_ms| self.clock.now_ms() < until_ms)
    }

    /// A connection arrives: whether it is turned away.
    pub(super) fn turn_away(&mut self) -> bool {
        let is_down = self.is_down();
        if is_down {
            self.faults.fire(Fault::VendorOutage);
        }
        is_down
    }

    /// The answer to a request, if a fault gives it.
    pub(super) fn fault_on_request(&mut self, call: Call) -> Option<Response> {
        self.faults.in_force().into_iter().find_map(|fault| match (fault, call) {
            (Fault::ThrottledToken, Call::Token) | (Fault::ThrottledRest, Call::Rest) => {
                self.faults.fire_for(fault, RETRY_AFTER_MS)?;
                Some(too_many(RETRY_AFTER_S))
            }
            (Fault::Unavailable, Call::Rest | Call::Handshake) => {
                self.faults.fire_for(fault, UNAVAILABLE_MS)?;
                Some(unavailable())
            }
            (Fault::TokenEndpointDown, Call::Token) => {
                self.faults.fire_for(fault, TOKEN_DOWN_MS)?;
                Some(unavailable())
            }
            (Fault::VendorOutage, _) => {
                self.faults.fire_for(fault, RETRY_AFTER_MS)?;
                Some(unavailable().retry_after(RETRY_AFTER_S))
            }
            _ => None,
        })
    }

    /// A bearer was not accepted.
    pub(super) fn fault_on_denied(&mut self, denied: Denied) {
        match denied {
            Denied::Expired => {
                self.faults.fire(Fault::TokenExpiredInOutage);
                self.faults.finish(Fault::TokenExpiredInOutage);
            }
            Denied::Revoked => self.faults.finish(Fault::TokenRevokedEarly),
            Denied::Unknown | Denied::TooOften(_) => {}
        }
    }

    /// A token was given.
    pub(super) fn fault_on_granted(&mut self) {
        if self.faults.has_fired(Fault::TokenRevokedEarly) {
            self.faults.finish(Fault::TokenRevokedEarly);
        }
    }

    /// Cuts the text of an answer.
    pub(super) fn fault_on_answer(&mut self, mut response: Response) -> Response {
        let fault = Fault::TruncatedPage;
        if self.faults.is_active(fault) && response.status == 200 && response.body.len() > 2 {
            response.body.truncate(response.body.len() * 2 / 3);
            self.bend_a_few(fault, BENT_MAX);
        }
        response
    }

    /// How long an answer is held back, in milliseconds.
    pub(super) fn fault_on_pace(&mut self) -> u64 {
        if self.faults.is_active(Fault::SlowRest) { self.faults.rng.u64(SLOW_MS) } else { 0 }
    }

    /// An answer that was held back is on its way.
    pub(super) fn fault_on_paced(&mut self) {
        self.bend_a_few(Fault::SlowRest, BENT_MAX);
    }

    /// Fires, for a while and so often at most.
    fn bend_a_few(&mut self, fault: Fault, count_max: u32) {
        let until_ms = self.clock.now_ms() + WHILE_MS;
        if let Some(active) = self.faults.active_as(fault) {
            active.until_ms.get_or_insert(until_ms);
        }
        if self.faults.fire(fault) >= count_max {
            self.faults.finish(fault);
        }
    }

    /// Whether the handshake is answered as if the channel were gone.
    pub(super) fn fault_on_handshake(&mut self, channel: &str) -> bool {
        let is_doomed =
            self.faults.is_active(Fault::HandshakeGone) && self.doomed.contains(channel);
        if is_doomed {
            self.faults.fire(Fault::HandshakeGone);
        }
        is_doomed
    }

    /// A socket was opened.
    pub(super) fn fault_on_opened(&mut self, conn: u64) {
        if self.faults.has_fired(Fault::HandshakeGone) {
            self.doomed.clear();
            self.faults.finish(Fault::HandshakeGone);
        }
        if self.faults.is_active(Fault::AgentsChangedInOutage) {
            self.faults.fire(Fault::AgentsChangedInOutage);
            self.faults.finish(Fault::AgentsChangedInOutage);
        }
        if self.faults.has_fired(Fault::VendorOutage) {
            self.faults.finish(Fault::VendorOutage);
        }
        let Some(active) = self.faults.active_as(Fault::MuteAfterReconnect) else { return };
        if active.conns.is_empty() {
            active.conns.push(conn);
            self.mute(conn);
        }
    }

    /// Whether the topic at this place of a request is rejected.
    pub(super) fn fault_on_topic(&mut self, place: usize) -> bool {
        let fault = Fault::PartialSubscribe;
        let is_rejected = self.faults.is_active(fault) && place % REJECTED_ONE_IN == 1;
        if is_rejected {
            self.faults.fire(fault);
        }
        is_rejected
    }

    /// A request for topics was answered.
    pub(super) fn fault_on_subscribed(&mut self) {
        if self.faults.has_fired(Fault::PartialSubscribe) {
            self.faults.finish(Fault::PartialSubscribe);
        }
    }

    /// As of which event rows are.
    pub(super) fn fault_on_rows(&mut self) -> u64 {
        let fault = Fault::StaleSnapshot;
        if !self.faults.is_active(fault) {
            return self.world.len();
        }
        let age_us = i64::try_from(self.settings.vendor.staleness_ms).unwrap_or(0) * 1_000;
        // What the account began with is always known.
        let least = self.world.roster.agents.len() as u64;
        let as_of = self.world.as_of(self.clock.wall_us() - age_us).max(least);
        if as_of < self.world.len() {
            self.bend_a_few(fault, u32::MAX);
        }
        as_of
    }

    /// Whether a listing comes as a download.
    pub(super) fn fault_on_listing(&mut self) -> bool {
        let fault = Fault::DownloadUrl;
        let is_active = self.faults.is_active(fault);
        if is_active {
            self.bend_a_few(fault, 1);
        }
        is_active
    }

    /// How far history lags behind, in milliseconds.
    pub(super) fn fault_on_history_lag(&mut self) -> u64 {
        let fault = Fault::LateHistory;
        if !self.faults.is_active(fault) {
            return self.settings.history_lag_ms;
        }
        self.bend_a_few(fault, u32::MAX);
        self.settings.history_lag_ms_max()
    }

    /// Changes a page of history; returns the total that it tells.
    pub(super) fn fault_on_history(&mut self, page: &mut Vec<usize>, total: u64) -> u64 {
        if self.faults.is_active(Fault::LostHistory) && !page.is_empty() {
            page.clear();
            self.bend_a_few(Fault::LostHistory, 2);
        }
        let fault = Fault::WrongHistoryTotal;
        let Some(active) = self.faults.active_as(fault) else { return total };
        let is_more = active.count % 2 == 0 || total == 0;
        self.bend_a_few(fault, BENT_MAX);
        if is_more { total + TOTAL_OFF } else { total.saturating_sub(TOTAL_OFF) }
    }

    /// Whether an event is passed over on a socket that stays up.
    pub(super) fn fault_on_event(&mut self, index: u64) -> bool {
        let fault = Fault::DroppedFrames;
        // The same event on every socket: what one channel lacks no other gives away.
        let is_it = index % u64::from(ONE_IN) == 1;
        if is_it && self.faults.fire(fault) >= DROPS_MAX {
            self.faults.finish(fault);
        }
        is_it
    }

    /// How often a frame is sent once more.
    pub(super) fn repeats(&mut self, conn: u64) -> u32 {
        let is_crossed = self.faults.has_fired(Fault::CrossedChannels);
        let is_doubled = self.faults.is_active(Fault::Duplicates);
        if !(is_crossed || is_doubled) || self.faults.rng.u8(0..ONE_IN) >= ONE_IN / 4 {
            return 0;
        }
        if is_doubled && self.sessions.contains_key(&conn) {
            let fault = Fault::Duplicates;
            if self.faults.fire(fault) >= REPEATS_MAX {
                self.faults.finish(fault);
            }
        }
        1
    }

    /// A heartbeat goes out on a socket whose events are passed over.
    pub(super) fn fault_on_heartbeat(&mut self, conn: u64) {
        let session = self.sessions.get(&conn);
        let is_behind = session.is_some_and(|session| {
            session.is_muted && session.subscription.is_some() && session.cursor < self.world.len()
        });
        for fault in [Fault::MuteAfterReconnect, Fault::DeadSubscription] {
            let active = self.faults.active_as(fault);
            if is_behind && active.is_some_and(|active| active.conns.contains(&conn)) {
                self.faults.fire(fault);
            }
        }
    }

    /// A heartbeat is due and left out.
    pub(super) fn fault_on_quiet(&mut self, conn: u64) {
        let fault = Fault::HeartbeatStop;
        if self.faults.active_as(fault).is_some_and(|active| active.conns.contains(&conn)) {
            self.faults.fire(fault);
        }
    }

    /// A command was carried out on a socket.
    pub(super) fn fault_on_performed(&mut self, conn: u64, command: &Command) {
        let is_close = matches!(command, Command::Close { .. });
        for fault in self.faults.in_force() {
            let Some(active) = self.faults.active_as(fault) else { continue };
            let is_it = match fault {
                Fault::CleanClose | Fault::PlannedClose | Fault::ChannelExpired => is_close,
                Fault::TcpReset => matches!(command, Command::Reset { .. }),
                Fault::TokenRevokedEarly => matches!(command, Command::Close { code: 1008, .. }),
                _ => false,
            };
            if !is_it || !active.conns.contains(&conn) {
                continue;
            }
            active.conns.retain(|other| *other != conn);
            let is_over = active.conns.is_empty() && fault != Fault::TokenRevokedEarly;
            self.faults.fire(fault);
            if is_over {
                self.faults.finish(fault);
            }
        }
    }

    /// A socket is gone.
    pub(super) fn fault_on_gone(&mut self, conn: u64) {
        for fault in self.faults.in_force() {
            let Some(active) = self.faults.active_as(fault) else { continue };
            if !active.conns.contains(&conn) {
                continue;
            }
            active.conns.retain(|other| *other != conn);
            if !active.conns.is_empty() || fault == Fault::TokenRevokedEarly {
                continue;
            }
            if fault == Fault::PlannedClose {
                // The client left between notice and close: the notice did its work.
                self.faults.fire(fault);
            }
            if self.faults.has_fired(fault) {
                self.faults.finish(fault);
            }
        }
    }
}

fn unavailable() -> Response {
    refusal(503, "service.unavailable", "The service is unavailable")
}

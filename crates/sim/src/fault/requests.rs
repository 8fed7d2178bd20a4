//! Where a fault answers a request before the vendor looks at it.

use super::Fault;
use crate::cxone::hub::State;
use crate::cxone::token::refusal;
use crate::load::Call;
use crate::server::http::Response;

/// What `Retry-After` names, in seconds, and how long it is meant, in milliseconds.
const RETRY_AFTER_S: u64 = 1;
const RETRY_AFTER_MS: u64 = 1_000;
/// How long 503 is answered, in milliseconds.
const UNAVAILABLE_MS: u64 = 600;
/// How long the token endpoint is down, in milliseconds.
const TOKEN_DOWN_MS: u64 = 1_200;

impl State {
    /// The answer to a request, if a fault gives it.
    pub(crate) fn fault_on_request(&mut self, call: Call) -> Option<Response> {
        self.faults.in_force().into_iter().find_map(|fault| match (fault, call) {
            (Fault::ThrottledToken, Call::Token)
            | (Fault::ThrottledRest, Call::Rest)
            | (Fault::ThrottledHandshake, Call::Handshake) => {
                self.faults.fire_for(fault, RETRY_AFTER_MS)?;
                let told = refusal(429, "too_many_requests", "ask again later");
                Some(told.retry_after(RETRY_AFTER_S))
            }
            (Fault::Unavailable, Call::Rest | Call::Handshake) => {
                self.faults.fire_for(fault, UNAVAILABLE_MS)?;
                Some(refusal(503, "unavailable", "try again"))
            }
            (Fault::TokenEndpointDown, Call::Token) => {
                self.faults.fire_for(fault, TOKEN_DOWN_MS)?;
                Some(refusal(503, "unavailable", "no token service"))
            }
            (Fault::VendorOutage, _) if !self.is_down() => {
                self.faults.fire_for(fault, RETRY_AFTER_MS)?;
                let told = refusal(503, "unavailable", "everybody is here at once");
                Some(told.retry_after(RETRY_AFTER_S))
            }
            _ => None,
        })
    }

    /// Whether every connection is reset as it arrives.
    pub(crate) fn is_down(&self) -> bool {
        self.down_until_ms.is_some_and(|until_ms| self.clock.now_ms() < until_ms)
    }

    /// A connection was turned away.
    pub(crate) fn fault_on_turned_away(&mut self) {
        self.faults.fire(Fault::VendorOutage);
    }
}

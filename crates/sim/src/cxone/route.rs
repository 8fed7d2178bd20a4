//! What each request leads to.

use super::hub::State;
use super::token::refusal;
use crate::load::Call;
use crate::server::http::{Request, Response};

/// What an answer leads to.
pub(crate) enum Answer {
    /// After a delay in milliseconds.
    Plain(Response, u64),
    /// Nobody answers any more.
    Gone,
    /// The handshake is accepted: the connection and the key that it asked with.
    Stream(u64, String),
}

impl State {
    /// Answers a request.
    pub(crate) fn route(&mut self, request: &Request) -> Answer {
        let call = match request.path.as_str() {
            "/token" => Call::Token,
            "/api/v2/wfm/schedules" => Call::Rest,
            "/notifications/v1/stream" => Call::Handshake,
            _ => return Answer::Plain(refusal(404, "not_found", "no such path"), 0),
        };
        let now_ms = self.clock.now_ms();
        self.load.count(now_ms, call);
        if self.is_down() {
            return Answer::Gone;
        }
        if let Some(refused) = self.fault_on_request(call) {
            return Answer::Plain(refused, 0);
        }
        match call {
            Call::Token if request.method != "POST" => {
                Answer::Plain(refusal(405, "method_not_allowed", "only POST"), 0)
            }
            Call::Token => {
                let response = self.tokens.grant(request, now_ms);
                if response.status == 200 {
                    self.fault_on_granted();
                }
                Answer::Plain(response, 0)
            }
            Call::Rest => {
                let response = self.schedules(request);
                let delay_ms = self.fault_on_pace();
                Answer::Plain(response, delay_ms)
            }
            Call::Handshake | Call::Connection => self.shake_hands(request, now_ms),
        }
    }

    fn shake_hands(&mut self, request: &Request, now_ms: u64) -> Answer {
        let key = request.header("sec-websocket-key").filter(|_| request.wants_websocket());
        let Some(key) = key else {
            return Answer::Plain(refusal(426, "upgrade_required", "only websocket"), 0);
        };
        if let Err(denied) = self.tokens.check(request.bearer(), None, now_ms) {
            self.fault_on_denied(denied);
            return Answer::Plain(denied.response(), 0);
        }
        if self.fault_on_handshake() {
            let told = refusal(410, "stale_sequence", "read a baseline, then connect again");
            return Answer::Plain(told, 0);
        }
        Answer::Stream(self.open_session(), key.to_owned())
    }
}

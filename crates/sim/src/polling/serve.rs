//! One connection: requests one after another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;

use super::fault::PollFault;
use super::states::{Answer, States, refusal};
use crate::server::http::{Request, Response, read_request};
use crate::server::wire::Wire;

/// The shared state.
pub(crate) type Shared = Arc<Mutex<States>>;

/// Delays of a slow answer, in milliseconds.
const SLOW_MS: [u64; 3] = [150, 400, 1_300];

/// A panic elsewhere does not make it unusable: every change to it is small.
pub(crate) fn lock(states: &Shared) -> MutexGuard<'_, States> {
    states.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What is done with an answer.
enum Way {
    /// After so many milliseconds.
    Whole(u64),
    /// Only the first half of its body arrives.
    Half,
    /// Nothing of it arrives.
    Lost,
}

/// Serves a connection until it is gone.
pub(crate) async fn serve(states: Shared, mut wire: Wire) {
    let mut buffer = BytesMut::new();
    let mut shown = Vec::new();
    loop {
        let Ok(Some(request)) = read_request(&mut wire, &mut buffer).await else { break };
        // Who asks on has read what was said before.
        lock(&states).read.extend(std::mem::take(&mut shown));
        let (answer, way) = route(&states, &request);
        let told_us = lock(&states).clock.wall_us();
        let mut out = BytesMut::new();
        answer.response.write(told_us, &mut out);
        match way {
            Way::Lost => return wire.reset(),
            Way::Half => {
                let half = out.len() - answer.response.body.len() / 2;
                // Whoever is gone does not hear it.
                let _ = wire.write_all(&out[..half]).await;
                let _ = wire.flush().await;
                break;
            }
            Way::Whole(delay_ms) => {
                tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                let written = wire.write_all(&out).await.is_ok() && wire.flush().await.is_ok();
                if !written || request.wants_close() {
                    break;
                }
                shown = answer.shown;
            }
        }
    }
    // A client that has gone does not hear the end.
    let _ = wire.shutdown().await;
}

fn route(states: &Shared, request: &Request) -> (Answer, Way) {
    let mut states = lock(states);
    if states.is_active(PollFault::VendorOutage) {
        states.fire(PollFault::VendorOutage);
        return (refusal(503, "gone").into(), Way::Lost);
    }
    match request.path.as_str() {
        "/authentication/v1/token/access-key" if request.method == "POST" => {
            if states.is_active(PollFault::TokenDown) {
                states.fire(PollFault::TokenDown);
                return (refusal(503, "no token service").into(), Way::Whole(0));
            }
            let now_ms = states.clock.now_ms();
            (states.tokens.grant_access_key(request, now_ms).into(), Way::Whole(0))
        }
        "/InContactAPI/services/v28.0/agents/states" if request.method == "GET" => {
            asked(&mut states, request)
        }
        _ => (refusal(404, "no such path").into(), Way::Whole(0)),
    }
}

fn asked(states: &mut States, request: &Request) -> (Answer, Way) {
    let now_ms = states.clock.now_ms();
    if states.tokens.check(request.bearer(), None, now_ms).is_err() {
        states.fire(PollFault::TokenRevoked);
        return (refusal(401, "token is not valid").into(), Way::Whole(0));
    }
    let fault = states.active.as_ref().map(|active| (active.fault, active.count));
    match fault {
        Some((fault @ PollFault::Throttled, _)) => {
            states.fire(fault);
            (refusal(429, "too many requests").retry_after(1).into(), Way::Whole(0))
        }
        Some((fault @ PollFault::Unavailable, _)) => {
            states.fire(fault);
            (refusal(503, "try again").into(), Way::Whole(0))
        }
        Some((fault @ PollFault::LostAnswer, _)) => {
            let answer = states.states(request);
            states.fire(fault);
            (answer, Way::Lost)
        }
        Some((fault @ PollFault::TruncatedAnswer, count)) => {
            let Answer { response, shown } = states.states(request);
            if response.body.is_empty() {
                return (Answer { response, shown }, Way::Whole(0));
            }
            states.fire(fault);
            if count % 2 == 0 {
                return (response.into(), Way::Half);
            }
            let mut body = response.body;
            body.truncate(body.len() * 2 / 3);
            (Response::new(200, body).into(), Way::Whole(0))
        }
        Some((fault @ PollFault::SlowAnswer, count)) => {
            let answer = states.states(request);
            states.fire(fault);
            let delay = SLOW_MS.iter().cycle().nth(usize::try_from(count % 3).unwrap_or(0));
            (answer, Way::Whole(delay.copied().unwrap_or(0)))
        }
        _ => (states.states(request), Way::Whole(0)),
    }
}

//! Access tokens: given, checked, counted.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::refusal::{refusal, too_many};
use crate::Credentials;
use crate::server::http::{Request, Response, parse_form};

/// Why a bearer is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// There is none, or it is not one of ours.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// It has asked too often; seconds until it may ask again.
    TooOften(u64),
}

impl Denied {
    pub(super) fn response(self) -> Response {
        match self {
            Self::TooOften(seconds) => too_many(seconds),
            _ => refusal(401, "bad.credentials", "Invalid login credentials."),
        }
    }
}

#[derive(Debug)]
struct Token {
    expires_ms: u64,
    is_revoked: bool,
    /// The present window: its begin, and the requests in it.
    window_ms: u64,
    asked: u32,
}

/// All tokens ever given.
#[derive(Debug)]
pub(super) struct Tokens {
    credentials: Credentials,
    life_ms: u64,
    rate_max: u32,
    rate_window_ms: u64,
    rng: fastrand::Rng,
    given: HashMap<String, Token>,
}

impl Tokens {
    pub(super) fn new(credentials: Credentials, settings: &super::Settings) -> Self {
        Self {
            credentials,
            life_ms: settings.vendor.token_life_ms,
            rate_max: settings.rate_max,
            rate_window_ms: settings.rate_window_ms.max(1),
            // Not from the vendor's seed: a token must not be guessable from a seed in a log.
            rng: fastrand::Rng::new(),
            given: HashMap::new(),
        }
    }

    /// Answers `POST /oauth/token`.
    pub(super) fn grant(&mut self, request: &Request, now_ms: u64) -> Response {
        let form = parse_form(&String::from_utf8_lossy(&request.body));
        let ours = (self.credentials.client_id.clone(), self.credentials.client_secret.clone());
        if basic(request) != Some(ours) {
            return oauth_error("invalid_client", "client not found or secret invalid", 401);
        }
        let grant = form.iter().find(|(key, _)| key == "grant_type");
        if grant.map(|(_, value)| value.as_str()) != Some("client_credentials") {
            return oauth_error("unsupported_grant_type", "not offered to this client", 400);
        }
        let token = format!("sim-{:032x}", self.rng.u128(..));
        let seconds = (self.life_ms / 1_000).max(1);
        let body = format!(
            "{{\"access_token\":\"{token}\",\"token_type\":\"bearer\",\"expires_in\":{seconds}}}"
        );
        let expires_ms = now_ms.saturating_add(self.life_ms);
        self.given
            .insert(token, Token { expires_ms, is_revoked: false, window_ms: now_ms, asked: 0 });
        Response::new(200, body)
    }

    /// Looks at a request's bearer and counts the request.
    pub(super) fn check(&mut self, bearer: Option<&str>, now_ms: u64) -> Result<(), Denied> {
        let (rate_max, rate_window_ms) = (self.rate_max, self.rate_window_ms);
        let token = bearer.and_then(|bearer| self.given.get_mut(bearer)).ok_or(Denied::Unknown)?;
        if token.is_revoked {
            return Err(Denied::Revoked);
        }
        if now_ms >= token.expires_ms {
            return Err(Denied::Expired);
        }
        if now_ms >= token.window_ms + rate_window_ms {
            (token.window_ms, token.asked) = (now_ms, 0);
        }
        token.asked = token.asked.saturating_add(1);
        if token.asked > rate_max {
            let left_ms = token.window_ms + rate_window_ms - now_ms;
            return Err(Denied::TooOften(left_ms.div_ceil(1_000)));
        }
        Ok(())
    }

    /// All tokens given so far are over.
    pub(super) fn expire_all(&mut self, now_ms: u64) {
        for token in self.given.values_mut() {
            token.expires_ms = token.expires_ms.min(now_ms);
        }
    }

    /// All tokens given so far are revoked.
    pub(super) fn revoke_all(&mut self) {
        for token in self.given.values_mut() {
            token.is_revoked = true;
        }
    }
}

fn oauth_error(error: &str, description: &str, status: u16) -> Response {
    let body = format!("{{\"error\":\"{error}\",\"description\":\"{description}\"}}");
    Response::new(status, body)
}

fn basic(request: &Request) -> Option<(String, String)> {
    let (scheme, encoded) = request.header("authorization")?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

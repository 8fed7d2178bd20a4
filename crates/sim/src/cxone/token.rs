//! Access tokens: given, checked, expired, revoked.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::server::http::{Request, Response, parse_form};
use crate::vendor::Credentials;

/// Why a bearer is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// There is none.
    Missing,
    /// Not one of ours.
    Unknown,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
    /// It lacks the scope.
    Scope(&'static str),
}

impl Denied {
    pub(crate) fn response(self) -> Response {
        let (status, error, description) = match self {
            Self::Missing => (401, "invalid_token", "no bearer token".to_owned()),
            Self::Unknown => (401, "invalid_token", "token unknown".to_owned()),
            Self::Expired => (401, "invalid_token", "token expired".to_owned()),
            Self::Revoked => (401, "invalid_token", "token revoked".to_owned()),
            Self::Scope(scope) => (403, "insufficient_scope", format!("needs scope {scope}")),
        };
        refusal(status, error, &description)
    }
}

/// `{"error":…,"error_description":…}`.
pub(crate) fn refusal(status: u16, error: &str, description: &str) -> Response {
    let body = format!("{{\"error\":\"{error}\",\"error_description\":\"{description}\"}}");
    Response::new(status, body)
}

#[derive(Debug)]
struct Token {
    expires_ms: u64,
    scopes: Vec<String>,
    is_revoked: bool,
}

/// All tokens ever given.
#[derive(Debug)]
pub(crate) struct Tokens {
    credentials: Credentials,
    life_ms: u64,
    scopes: Vec<String>,
    withheld: Option<&'static str>,
    rng: fastrand::Rng,
    given: HashMap<String, Token>,
}

impl Tokens {
    pub(crate) fn new(
        credentials: Credentials,
        life_ms: u64,
        scopes: Vec<String>,
        rng: fastrand::Rng,
    ) -> Self {
        Self { credentials, life_ms, scopes, withheld: None, rng, given: HashMap::new() }
    }

    /// Answers `POST /token`.
    pub(crate) fn grant(&mut self, request: &Request, now_ms: u64) -> Response {
        let form = parse_form(&String::from_utf8_lossy(&request.body));
        let field =
            |name: &str| form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let client = basic(request)
            .or_else(|| Some((field("client_id")?.into(), field("client_secret")?.into())));
        let ours = &self.credentials;
        if client.as_ref() != Some(&(ours.client_id.clone(), ours.client_secret.clone())) {
            return refusal(401, "invalid_client", "client unknown");
        }
        match field("grant_type") {
            Some("client_credentials") => {}
            Some("password") => {
                let user = (field("username"), field("password"));
                if user != (Some(&*ours.username), Some(&*ours.password)) {
                    return refusal(400, "invalid_grant", "user unknown");
                }
            }
            _ => return refusal(400, "unsupported_grant_type", "not offered"),
        }
        let asked: Vec<String> = match field("scope").map(str::trim).filter(|text| !text.is_empty())
        {
            Some(text) => text.split_whitespace().map(str::to_owned).collect(),
            None => self.scopes.clone(),
        };
        if asked.iter().any(|scope| !self.scopes.contains(scope)) {
            return refusal(400, "invalid_scope", "scope not granted to this client");
        }
        self.issue(asked, now_ms)
    }

    /// Answers a request for a token by an access key: JSON in place of a form.
    pub(crate) fn grant_access_key(&mut self, request: &Request, now_ms: u64) -> Response {
        let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let field = |name: &str| body.get(name).and_then(serde_json::Value::as_str);
        let shown = (field("accessKeyId"), field("accessKeySecret"));
        let ours = &self.credentials;
        if shown != (Some(&*ours.username), Some(&*ours.password)) {
            return refusal(401, "invalid_access_key", "access key unknown");
        }
        self.issue(self.scopes.clone(), now_ms)
    }

    fn issue(&mut self, mut scopes: Vec<String>, now_ms: u64) -> Response {
        scopes.retain(|scope| self.withheld != Some(scope.as_str()));
        let token = format!("sim-{:032x}", self.rng.u128(..));
        let (seconds, scope) = ((self.life_ms / 1_000).max(1), scopes.join(" "));
        let body = format!(
            "{{\"access_token\":\"{token}\",\"token_type\":\"Bearer\",\
             \"expires_in\":{seconds},\"scope\":\"{scope}\"}}"
        );
        let expires_ms = now_ms.saturating_add(self.life_ms);
        self.given.insert(token, Token { expires_ms, scopes, is_revoked: false });
        Response::new(200, body)
    }

    /// Looks at a request's bearer.
    pub(crate) fn check(
        &self,
        bearer: Option<&str>,
        scope: Option<&'static str>,
        now_ms: u64,
    ) -> Result<(), Denied> {
        let token = self.given.get(bearer.ok_or(Denied::Missing)?).ok_or(Denied::Unknown)?;
        if token.is_revoked {
            return Err(Denied::Revoked);
        }
        if now_ms >= token.expires_ms {
            return Err(Denied::Expired);
        }
        match scope {
            Some(scope) if !token.scopes.iter().any(|own| own == scope) => {
                Err(Denied::Scope(scope))
            }
            _ => Ok(()),
        }
    }

    /// Tokens are given without this scope from now on.
    pub(crate) fn withhold(&mut self, scope: Option<&'static str>) {
        self.withheld = scope;
    }

    /// All tokens given so far are over.
    pub(crate) fn expire_all(&mut self, now_ms: u64) {
        for token in self.given.values_mut() {
            token.expires_ms = token.expires_ms.min(now_ms);
        }
    }

    /// All tokens given so far are revoked.
    pub(crate) fn revoke_all(&mut self) {
        for token in self.given.values_mut() {
            token.is_revoked = true;
        }
    }
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

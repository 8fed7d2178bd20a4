//! `POST` and `DELETE /v1/session`: a browser's cookie in place of the token.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::reply::empty;
use crate::access::{COOKIE, Identity, LIFE};
use crate::app::App;
use crate::http::problem::{BODY_INVALID, STOPPING, UNAUTHORIZED};
use crate::http::{Answer, Answering, Call, Problem, cookie};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    token: SecretText,
}

/// A text that is in no `Debug`.
#[derive(Deserialize)]
#[serde(from = "String")]
struct SecretText(SecretString);

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(SecretString::from(text))
    }
}

pub(crate) fn begin(app: Arc<App>, call: Call) -> Answering {
    Box::pin(std::future::ready(login(&app, &call)))
}

pub(crate) fn end(app: Arc<App>, call: Call) -> Answering {
    if let Some(cookie) = cookie(&call.parts) {
        app.sessions.end(cookie);
    }
    Box::pin(std::future::ready(set_cookie(&app, "", 0)))
}

fn login(app: &App, call: &Call) -> Answer {
    // What serde says of it may hold the token.
    let login: Login = serde_json::from_slice(&call.body)
        .map_err(|_| Problem::new(&BODY_INVALID, "the body is not `{\"token\": TEXT}`"))?;
    let caller = app.gate.by_token(login.token.0.expose_secret());
    let Some(Identity::Token(token)) = caller.map(|caller| caller.identity) else {
        return Err(Problem::new(&UNAUTHORIZED, "the token is not good"));
    };
    let value = app.sessions.begin(token);
    let value = value.ok_or_else(|| Problem::new(&STOPPING, "there is no randomness"))?;
    set_cookie(app, &value, LIFE.as_secs())
}

fn set_cookie(app: &App, value: &str, age_s: u64) -> Answer {
    let is_secure = app.settings.is_tls() || app.settings.behind_proxy;
    let secure = if is_secure { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age_s}{secure}");
    let mut response = empty(StatusCode::NO_CONTENT);
    if let Ok(mut cookie) = HeaderValue::try_from(cookie) {
        cookie.set_sensitive(true);
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

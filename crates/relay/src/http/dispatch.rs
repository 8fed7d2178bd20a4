//! From a request to its answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method as HttpMethod, Request, Response, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::time::timeout;

use super::call::{Call, Query};
use super::operation::{Answer, Method, Operation, Right};
use super::problem::{
    BODY_INVALID, BODY_TOO_LARGE, FORBIDDEN, METHOD_NOT_ALLOWED, NOT_FOUND, Problem, TOO_MANY,
    UNAUTHORIZED,
};
use super::table::OPERATIONS;
use crate::access::{COOKIE, Caller, Identity, Permit, Scope};
use crate::app::App;

/// By which road a request has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Road {
    /// TCP, in the clear.
    Tcp,
    /// TCP with TLS.
    Tls,
    /// The Unix socket, which only its owner can open.
    Unix,
}

/// The connection that a request has come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) road: Road,
    /// Our port.
    pub(crate) port: u16,
}

/// Answers a request that has passed the guard.
pub(crate) async fn dispatch(app: Arc<App>, request: Request<Body>) -> Response<Body> {
    let mut response = match answer(Arc::clone(&app), request).await {
        Ok(response) => response,
        Err(problem) => {
            app.figures.problems.note(&problem);
            problem.into_response()
        }
    };
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn answer(app: Arc<App>, request: Request<Body>) -> Answer {
    let (parts, body) = request.into_parts();
    if let Some(dialect) = app.dialects.of(parts.uri.path()) {
        let limits = &app.settings;
        let body = read(body, limits.body_bytes_max, limits.head_ms).await?;
        let answer = dialect.answer(Arc::clone(&app), parts, body).await;
        // Each dialect has words of its own for what goes wrong; that it does is common to them.
        if answer.status().is_client_error() || answer.status().is_server_error() {
            app.figures.dialect_refusals.fetch_add(1, Ordering::Relaxed);
        }
        return Ok(answer);
    }
    let (operation, varying) = find(&parts)?;
    let text = parts.uri.query().unwrap_or_default();
    // What is wrong with a query is told to those who may ask, but for a token in it.
    let query = match Query::read(operation, text) {
        Err(problem) if problem.kind == &super::problem::TOKEN_IN_QUERY => return Err(problem),
        query => query,
    };
    let caller = admit(&app, operation, &parts)?;
    let query = query?;
    let limits = &app.settings;
    let body = match operation.body {
        None => Bytes::new(),
        Some(_) => read(body, limits.body_bytes_max, limits.head_ms).await?,
    };
    (operation.act)(app, Call { parts, body, query, varying, caller }).await
}

fn find(parts: &Parts) -> Result<(&'static Operation, Vec<String>), Problem> {
    let path = parts.uri.path();
    let mut methods = Vec::new();
    for operation in OPERATIONS {
        let Some(varying) = operation.matches(path) else { continue };
        let is_asked = match operation.method {
            Method::Get => matches!(parts.method, HttpMethod::GET | HttpMethod::HEAD),
            method => parts.method.as_str() == method.name(),
        };
        if is_asked {
            return Ok((operation, varying));
        }
        methods.push(operation.method.name());
        if operation.method == Method::Get {
            methods.push("HEAD");
        }
    }
    if methods.is_empty() {
        return Err(Problem::new(&NOT_FOUND, "there is no such address"));
    }
    let detail = format!("it takes {}", methods.join(", "));
    Err(Problem::new(&METHOD_NOT_ALLOWED, detail).allowing(methods.join(", ")))
}

/// Who asks, if they may.
fn admit(
    app: &App,
    operation: &Operation,
    parts: &Parts,
) -> Result<Option<(Caller, Permit)>, Problem> {
    let caller = recognise(app, parts);
    let Right::Scope(needed) = operation.right else {
        // Nobody is counted where anybody may ask.
        let permit = |caller: Caller| app.gate.permit(&caller).map(|permit| (caller, permit));
        return Ok(caller.ok().and_then(permit));
    };
    let caller = caller?;
    if caller.scope < needed {
        let what = if caller.by_cookie { "a browser's session" } else { "it" };
        let detail = format!("{what} is of scope `{}`, and `{needed}` is needed", caller.scope);
        return Err(Problem::new(&FORBIDDEN, detail));
    }
    let permit = app.gate.permit(&caller).ok_or_else(|| {
        Problem::new(&TOO_MANY, "as many requests are under way as one token may have")
    })?;
    Ok(Some((caller, permit)))
}

fn recognise(app: &App, parts: &Parts) -> Result<Caller, Problem> {
    let is_unix = |peer: &Peer| peer.road == Road::Unix;
    if parts.extensions.get::<Peer>().is_some_and(is_unix) {
        let identity = Identity::Socket;
        return Ok(Caller { identity, scope: Scope::Admin, by_cookie: false });
    }
    let unknown = |detail: &str| Problem::new(&UNAUTHORIZED, detail);
    if let Some(authorization) = parts.headers.get(header::AUTHORIZATION) {
        let words = authorization.to_str().ok().and_then(|text| text.split_once(' '));
        let token = words.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let (_, token) = token.ok_or_else(|| unknown("`Authorization` names no bearer"))?;
        let caller = app.gate.by_token(token.trim());
        return caller.ok_or_else(|| unknown("the token is not good"));
    }
    let cookie = cookie(parts).ok_or_else(|| unknown("no token was sent"))?;
    let token = app.sessions.token(cookie);
    let caller = token.and_then(|token| app.gate.by_session(token));
    caller.ok_or_else(|| unknown("the session has ended"))
}

/// The session's cookie, if there is one.
pub(crate) fn cookie(parts: &Parts) -> Option<&str> {
    let lines = parts.headers.get_all(header::COOKIE).iter();
    let pairs = lines.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(';'));
    let mut named = pairs.filter_map(|pair| pair.trim().split_once('='));
    named.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

async fn read(body: Body, bytes_max: usize, time_ms: u64) -> Result<Bytes, Problem> {
    let reading = Limited::new(body, bytes_max).collect();
    match timeout(Duration::from_millis(time_ms), reading).await {
        Err(_) => Err(Problem::new(&BODY_INVALID, "the body did not come in time")),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Problem::new(&BODY_TOO_LARGE, format!("more than {bytes_max} bytes")))
        }
        Ok(Err(_)) => Err(Problem::new(&BODY_INVALID, "the body was cut short")),
    }
}

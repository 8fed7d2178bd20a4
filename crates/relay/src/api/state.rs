//! `GET /v1/state`: one read of the store.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use serde_json::value::RawValue;

use super::reply::{empty, json};
use super::stored::{self, StateWish};
use crate::access::Digest;
use crate::app::App;
use crate::http::{Answer, Answering, Call, Query};

#[derive(Serialize)]
struct Told<'a> {
    cursor: &'a str,
    rows: &'a [Box<RawValue>],
}

pub(crate) fn answer(app: Arc<App>, call: Call) -> Answering {
    Box::pin(state(app, call))
}

async fn state(app: Arc<App>, call: Call) -> Answer {
    let doubted_since = app.host.store_doubt().map(|doubt| doubt.since);
    if let Some(known) = call.header("if-none-match").filter(|_| doubted_since.is_none()) {
        // Nothing that could change state has come since.
        let offset = stored::checkpoint(&app).await?;
        let tag = tag(&app, offset, &call.query);
        if known.split(',').any(|known| matches!(known.trim(), "*") || known.trim() == tag) {
            return Ok(tagged(empty(StatusCode::NOT_MODIFIED), &tag));
        }
    }
    let live = match call.query.text("status") {
        Some("live") => Some(true),
        Some("stale") => Some(false),
        _ => None,
    };
    let tombstones = call.query.is_set("tombstones");
    let wish = StateWish { filter: call.query.filter(), live, tombstones, doubted_since };
    let state = stored::state(&app, wish).await?;
    let cursor = app.feed.cursor(state.offset).to_string();
    let answer = json(StatusCode::OK, &Told { cursor: &cursor, rows: &state.rows });
    if doubted_since.is_some() {
        // The cursor alone would not say when the doubt has ended.
        return Ok(answer);
    }
    Ok(tagged(answer, &tag(&app, state.exact_at, &call.query)))
}

/// Names the place that the rows are exact at, and what was asked. Not the cursor: while a bracket
/// is open, that stays and rows change.
fn tag(app: &App, offset: u64, query: &Query) -> String {
    let asked = Digest::of(&query.canonical()).to_text();
    format!("\"{}-{}\"", app.feed.cursor(offset), asked.get(..12).unwrap_or_default())
}

fn tagged(mut response: Response<Body>, tag: &str) -> Response<Body> {
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

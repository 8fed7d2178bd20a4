//! `POST /v1/sources/{source}/resync`: a fresh snapshot.

use std::sync::Arc;

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tracing::info;

use super::reply::json;
use crate::app::App;
use crate::host::ResyncError;
use crate::http::problem::{BODY_INVALID, RESYNC_REFUSED, SOURCE_UNKNOWN};
use crate::http::{Answer, Answering, Call, Problem};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    keys: Option<Vec<String>>,
}

pub(crate) fn answer(app: Arc<App>, call: Call) -> Answering {
    Box::pin(std::future::ready(resync(&app, &call)))
}

fn resync(app: &App, call: &Call) -> Answer {
    let asked = if call.body.is_empty() {
        Asked::default()
    } else {
        serde_json::from_slice::<Asked>(&call.body)
            .map_err(|_| Problem::new(&BODY_INVALID, "the body is not `{\"keys\": [TEXT, …]}`"))?
    };
    if asked.keys.as_ref().is_some_and(|keys| keys.iter().any(String::is_empty)) {
        return Err(Problem::new(&BODY_INVALID, "a key is empty"));
    }
    let source = call.varying.first().map(String::as_str).unwrap_or_default();
    let told = app.host.resync(source, asked.keys.as_deref());
    let streams = told.map_err(|error| {
        let kind = match error {
            ResyncError::Unknown(_) => &SOURCE_UNKNOWN,
            ResyncError::Refused(_) => &RESYNC_REFUSED,
        };
        Problem::new(kind, error.to_string())
    })?;
    info!(source, keys = asked.keys.map(|keys| keys.len()), "snapshot asked for by the relay");
    Ok(json(StatusCode::ACCEPTED, &json!({ "streams": streams })))
}

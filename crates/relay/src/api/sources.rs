//! `GET /v1/sources`: how the sources do.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;

use super::reply::json;
use crate::app::App;
use crate::http::{Answering, Call};

pub(crate) fn answer(app: Arc<App>, _call: Call) -> Answering {
    let sources = app.host.sources();
    Box::pin(std::future::ready(Ok(json(StatusCode::OK, &json!({ "sources": sources })))))
}

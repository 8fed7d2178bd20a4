//! `GET /openapi.json`.

use std::sync::Arc;

use axum::http::StatusCode;

use super::reply::json;
use crate::app::App;
use crate::http::{Answering, Call, description};

pub(crate) fn answer(_app: Arc<App>, _call: Call) -> Answering {
    Box::pin(std::future::ready(Ok(json(StatusCode::OK, &description()))))
}

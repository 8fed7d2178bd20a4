//! `GET /v1/gaps`: the ledger.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;

use super::reply::json;
use super::stored;
use crate::app::App;
use crate::http::{Answering, Call};

pub(crate) fn answer(app: Arc<App>, call: Call) -> Answering {
    Box::pin(async move {
        let rows = stored::gaps(&app, call.query.filter(), call.query.is_set("open")).await?;
        Ok(json(StatusCode::OK, &json!({ "gaps": rows })))
    })
}

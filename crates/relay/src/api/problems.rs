//! `GET /problems/NAME`: what a kind of problem is.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::json;

use super::reply::json;
use crate::app::App;
use crate::http::problem::{KINDS, NOT_FOUND};
use crate::http::{Answer, Answering, Call, Problem};

pub(crate) fn answer(_app: Arc<App>, call: Call) -> Answering {
    Box::pin(std::future::ready(explain(&call)))
}

fn explain(call: &Call) -> Answer {
    let wanted = call.varying.first().map(String::as_str).unwrap_or_default();
    let kind = KINDS.iter().find(|kind| kind.name == wanted);
    let kind = kind.ok_or_else(|| Problem::new(&NOT_FOUND, "there is no problem of this name"))?;
    let value = json!({
        "type": format!("/problems/{}", kind.name), "title": kind.title, "status": kind.status,
        "hint": kind.hint,
    });
    Ok(json(StatusCode::OK, &value))
}

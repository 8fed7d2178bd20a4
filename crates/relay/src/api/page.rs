//! `GET /`: the live page, which asks the API like any other client.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};

use super::reply::typed;
use crate::app::App;
use crate::http::problem::NOT_FOUND;
use crate::http::{Answering, Call, Problem};

/// Its files: name, media type, content. They are part of the binary.
const FILES: &[(&str, &str, &str)] = &[
    ("index.html", "text/html; charset=utf-8", include_str!("../../page/index.html")),
    ("page.css", "text/css; charset=utf-8", include_str!("../../page/page.css")),
    ("page.js", SCRIPT, include_str!("../../page/page.js")),
    ("held.js", SCRIPT, include_str!("../../page/held.js")),
    ("paint.js", SCRIPT, include_str!("../../page/paint.js")),
    ("service.js", SCRIPT, include_str!("../../page/service.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../page/icon.svg")),
];

const SCRIPT: &str = "text/javascript; charset=utf-8";

/// It runs its own scripts alone, and speaks with its own service alone.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' \
                      data:; connect-src 'self'; base-uri 'none'; form-action 'self'; \
                      frame-ancestors 'none'";

pub(crate) fn index(_app: Arc<App>, _call: Call) -> Answering {
    Box::pin(std::future::ready(find("index.html")))
}

pub(crate) fn file(_app: Arc<App>, call: Call) -> Answering {
    let name = call.varying.first().map(String::as_str).unwrap_or_default();
    Box::pin(std::future::ready(find(name)))
}

fn find(name: &str) -> Result<Response<Body>, Problem> {
    let file = FILES.iter().find(|(known, _, _)| *known == name);
    let (_, media, content) =
        file.ok_or_else(|| Problem::new(&NOT_FOUND, "the page has no such file"))?;
    let mut response = typed(StatusCode::OK, media, *content);
    let policy = HeaderValue::from_static(POLICY);
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    Ok(response)
}

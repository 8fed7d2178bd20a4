//! Which request is answered by what.

use std::collections::HashMap;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts as _;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::request::Parts;
use axum::http::{Method, Response};
use serde_json::json;
use unbroken_core::ids::StreamId;
use unbroken_render::wall_now;

use super::baseline::{Baseline, Part, Row};
use super::stream;
use crate::access::Permit;
use crate::app::App;
use crate::dialect::context::Contexts;
use crate::dialect::credential::Fingerprint;
use crate::dialect::ground::{self, Ground, Unavailable, lock};
use crate::dialect::settings::CxoneDialect;
use crate::dialect::wire;

/// Where the vendor's clients ask for a token: the profile's path, that of OpenID, and that for
/// access keys.
const TOKEN: [&str; 3] = ["/token", "/auth/token", "/authentication/v1/token/access-key"];
const BASELINE: &str = "/api/v2/wfm/schedules";
const STREAM: &str = "/notifications/v1/stream";

/// The pages that a client asks for one after the other are of one moment; it has so long for them,
/// in microseconds.
const BASELINE_KEPT_US: i64 = 60_000_000;
/// Most baselines that are kept.
const BASELINES_MAX: usize = 64;

/// The dialect.
#[derive(Debug)]
pub(crate) struct Cxone {
    pub(super) ground: Ground,
    /// The stream of the record, and its resource's name.
    pub(super) stream: StreamId,
    pub(super) resource: String,
    pub(super) contexts: Mutex<Contexts>,
    /// By bearer and by the page's size: processes that share credentials have tokens of their own.
    baselines: Mutex<HashMap<(Fingerprint, usize), Arc<Baseline>>>,
    /// How many sockets each client has.
    sockets: Mutex<HashMap<usize, Arc<AtomicUsize>>>,
}

impl Cxone {
    pub(crate) fn new(settings: &CxoneDialect) -> Self {
        let credentials = settings.credentials.clone();
        let ground = Ground::new(settings.source.clone(), credentials, settings.token_life_ms);
        Self {
            ground,
            stream: StreamId::new(format!("{}/{}", settings.source, settings.resource)),
            resource: settings.resource.clone(),
            contexts: Mutex::new(Contexts::new(settings.resume_ms)),
            baselines: Mutex::default(),
            sockets: Mutex::default(),
        }
    }

    /// Whether a path is one of the dialect's.
    pub(crate) fn has(path: &str) -> bool {
        TOKEN.contains(&path) || path == BASELINE || path == STREAM
    }

    /// Answers a request.
    pub(crate) async fn answer(
        self: Arc<Self>,
        app: Arc<App>,
        parts: Parts,
        body: Bytes,
    ) -> Response<Body> {
        let path = parts.uri.path();
        let expected = if TOKEN.contains(&path) { Method::POST } else { Method::GET };
        if parts.method != expected {
            return refusal(405, "method_not_allowed", &format!("only {expected}"));
        }
        if expected == Method::POST {
            return self.token(&parts, &body);
        }
        let Some((client, bearer)) = self.ground.caller_of(&parts) else {
            return refusal(401, "invalid_token", "token unknown or expired");
        };
        if path == BASELINE {
            let page = self.baseline(&app, bearer, &parts).await;
            return page.map_or_else(unavailable, |page| wire::json(200, page));
        }
        self.open_stream(app, client, parts).await
    }

    fn token(&self, parts: &Parts, body: &[u8]) -> Response<Body> {
        match self.ground.grant(parts, body) {
            Ok((token, life_s)) => {
                let body = json!({
                    "access_token": token, "token_type": "Bearer", "expires_in": life_s,
                    "scope": "wfm:schedule:read",
                });
                wire::json(200, body.to_string())
            }
            Err((status, error)) => refusal(status, error, "see `[relay.dialect.cxone]`"),
        }
    }

    async fn open_stream(
        self: Arc<Self>,
        app: Arc<App>,
        client: usize,
        mut parts: Parts,
    ) -> Response<Body> {
        let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await else {
            return refusal(426, "upgrade_required", "only websocket");
        };
        let count = Arc::clone(lock(&self.sockets).entry(client).or_default());
        let Some(permit) = Permit::take(&count, app.settings.connections_per_token_max) else {
            return refusal(429, "too_many_requests", "close the sockets that are not needed");
        };
        let bytes_max = app.settings.frame_bytes_max;
        let upgrade = upgrade.max_message_size(bytes_max).max_frame_size(bytes_max);
        upgrade.on_upgrade(move |socket| async move {
            stream::serve(app, self, client, socket).await;
            drop(permit);
        })
    }

    async fn baseline(
        &self,
        app: &Arc<App>,
        bearer: Fingerprint,
        parts: &Parts,
    ) -> Result<String, Unavailable> {
        let number = |name| wire::query_number(parts, name);
        let part = Part::new(number("offset"), number("limit"));
        let of = (bearer, part.limit);
        let now = wall_now();
        let kept = lock(&self.baselines).get(&of).cloned();
        let kept =
            kept.filter(|kept| part.offset > 0 && now.0 - kept.made_at().0 < BASELINE_KEPT_US);
        let baseline = match kept {
            Some(baseline) => baseline,
            None => {
                let current = ground::current(app, self.stream.as_str(), false).await?;
                let row = |row: unbroken_store::StateRow| Row {
                    key: row.key.to_string(),
                    payload: row.payload,
                };
                let rows = current.rows.into_iter().map(row).collect();
                let made = Arc::new(Baseline::new(rows, current.next, now));
                let mut baselines = lock(&self.baselines);
                baselines.retain(|_, kept| now.0 - kept.made_at().0 < BASELINE_KEPT_US);
                if baselines.len() < BASELINES_MAX {
                    baselines.insert(of, Arc::clone(&made));
                }
                made
            }
        };
        Ok(baseline.page(&app.feed.journal().to_string(), part))
    }
}

fn refusal(status: u16, error: &str, description: &str) -> Response<Body> {
    let body = json!({ "error": error, "error_description": description });
    wire::json(status, body.to_string())
}

fn unavailable(_: Unavailable) -> Response<Body> {
    refusal(503, "unavailable", "the record cannot be read right now")
}

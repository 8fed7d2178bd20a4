//! Which request is answered by what.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use axum::body::{Body, Bytes};
use axum::extract::FromRequestParts as _;
use axum::extract::ws::WebSocketUpgrade;
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use unbroken_core::time::UnixMicros;
use unbroken_render::wall;
use unbroken_store::StateRow;

use super::channel::{Channels, TOPICS_MAX};
use super::topic::{Kind, Topic, Topics};
use super::{frame, shape, stream};
use crate::app::App;
use crate::dialect::ground::{self, Ground, Unavailable, lock};
use crate::dialect::settings::GenesysDialect;
use crate::dialect::wire;
use crate::http::{Peer, Road};

const TOKEN: &str = "/oauth/token";
const CHANNELS: &str = "/api/v2/notifications/channels";
const WORKFORCE: &str = "/api/v2/workforcemanagement";
/// Where sockets connect: the id behind it is the secret.
const SOCKETS: &str = "/channels/";
/// Most users of one request, as the vendor documents it.
const USERS_MAX: usize = 100;

/// The dialect.
#[derive(Debug)]
pub(crate) struct Genesys {
    pub(super) ground: Ground,
    pub(super) channels: Mutex<Channels>,
}

/// An answer, or a refusal.
type Answer = Result<Response<Body>, Refusal>;

/// In the vendor's form.
struct Refusal(u16, &'static str, String);

impl From<Unavailable> for Refusal {
    fn from(_: Unavailable) -> Self {
        let message = "The record cannot be read right now";
        Self(503, "service.unavailable", message.to_owned())
    }
}

fn bad_request(message: impl Into<String>) -> Refusal {
    Refusal(400, "bad.request", message.into())
}

fn not_found() -> Refusal {
    Refusal(404, "not.found", "It could not be found".to_owned())
}

impl Genesys {
    pub(crate) fn new(settings: &GenesysDialect) -> Self {
        let credentials = settings.credentials.clone();
        let ground = Ground::new(settings.source.clone(), credentials, settings.token_life_ms);
        Self { ground, channels: Mutex::default() }
    }

    /// Whether a path is one of the dialect's.
    pub(crate) fn has(path: &str) -> bool {
        let under = |base: &str| {
            path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        path == TOKEN || under(CHANNELS) || under(WORKFORCE) || path.starts_with(SOCKETS)
    }

    /// Answers a request.
    pub(crate) async fn answer(
        self: Arc<Self>,
        app: Arc<App>,
        parts: Parts,
        body: Bytes,
    ) -> Response<Body> {
        let answer = self.find(app, parts, body).await;
        answer.unwrap_or_else(|Refusal(status, code, message)| {
            wire::json(status, frame::refusal(status, code, &message))
        })
    }

    async fn find(self: Arc<Self>, app: Arc<App>, parts: Parts, body: Bytes) -> Answer {
        let path = parts.uri.path().to_owned();
        if path == TOKEN {
            return self.token(&parts, &body);
        }
        if let Some(id) = path.strip_prefix(SOCKETS) {
            let id = id.to_owned();
            return self.open_socket(app, id, parts).await;
        }
        let client = self.ground.client_of(&parts).ok_or_else(|| {
            Refusal(401, "bad.credentials", "Invalid login credentials.".to_owned())
        })?;
        if let Some(rest) = path.strip_prefix(CHANNELS) {
            return self.channels(&app, client, rest, &parts, &body).await;
        }
        match path.strip_prefix(WORKFORCE) {
            Some(rest) if parts.method == Method::GET => self.adherence(&app, rest, &parts).await,
            Some(_) => Err(not_allowed()),
            None => Err(not_found()),
        }
    }

    fn token(&self, parts: &Parts, body: &[u8]) -> Answer {
        if parts.method != Method::POST {
            return Err(not_allowed());
        }
        Ok(match self.ground.grant(parts, body) {
            Ok((token, life_s)) => {
                let body = json!({
                    "access_token": token, "token_type": "bearer", "expires_in": life_s,
                });
                wire::json(200, body.to_string())
            }
            Err((status, error)) => {
                let description = "see `[relay.dialect.genesys]`";
                let body = json!({ "error": error, "description": description });
                wire::json(status, body.to_string())
            }
        })
    }

    async fn open_socket(self: Arc<Self>, app: Arc<App>, id: String, mut parts: Parts) -> Answer {
        let Ok(upgrade) = WebSocketUpgrade::from_request_parts(&mut parts, &()).await else {
            return Err(Refusal(426, "upgrade.required", "Only a WebSocket".to_owned()));
        };
        if !lock(&self.channels).has(&id, self.ground.now_ms()) {
            return Err(not_found());
        }
        let bytes_max = app.settings.frame_bytes_max;
        let upgrade = upgrade.max_message_size(bytes_max).max_frame_size(bytes_max);
        Ok(upgrade.on_upgrade(move |socket| stream::serve(app, self, id, socket)))
    }

    async fn channels(
        &self,
        app: &Arc<App>,
        client: usize,
        rest: &str,
        parts: &Parts,
        body: &[u8],
    ) -> Answer {
        let now_ms = self.ground.now_ms();
        let parts_of: Vec<&str> = rest.split('/').skip(1).collect();
        match (parts_of.as_slice(), &parts.method) {
            ([], &Method::POST) => {
                let secret = ground::secret_text().ok_or(Unavailable)?;
                let id = format!("streaming-{secret}");
                lock(&self.channels).create(client, id.clone(), now_ms);
                let made = lock(&self.channels).list(client, now_ms);
                let made = made.into_iter().find(|(own, _)| *own == id).ok_or(Unavailable)?;
                Ok(wire::json(200, self.view(app, parts, &made).to_string()))
            }
            ([], &Method::GET) => {
                let own = lock(&self.channels).list(client, now_ms);
                let views = own.iter().map(|one| self.view(app, parts, one)).collect();
                Ok(wire::json(200, frame::listing(views)))
            }
            ([id], &Method::HEAD | &Method::GET) => {
                let own = lock(&self.channels).topics(client, id, now_ms);
                own.map(|_| wire::empty(StatusCode::OK)).ok_or_else(not_found)
            }
            ([id, "subscriptions"], method) => {
                self.subscriptions(app, client, id, method, parts, body).await
            }
            ([] | [_], _) => Err(not_allowed()),
            _ => Err(not_found()),
        }
    }

    fn view(&self, app: &App, parts: &Parts, (id, expires_ms): &(String, u64)) -> Value {
        let left_ms = expires_ms.saturating_sub(self.ground.now_ms());
        let left_us = i64::try_from(left_ms).unwrap_or(0).saturating_mul(1_000);
        let expires = UnixMicros(unbroken_render::wall_now().0.saturating_add(left_us));
        let is_tls = parts.extensions.get::<Peer>().is_some_and(|peer| peer.road == Road::Tls);
        let scheme = if is_tls || app.settings.behind_proxy { "wss" } else { "ws" };
        let host = parts.headers.get(header::HOST).and_then(|host| host.to_str().ok());
        json!({
            "connectUri": format!("{scheme}://{}{SOCKETS}{id}", host.unwrap_or_default()),
            "id": id,
            "expires": wall(expires),
        })
    }

    async fn subscriptions(
        &self,
        app: &Arc<App>,
        client: usize,
        id: &str,
        method: &Method,
        parts: &Parts,
        body: &[u8],
    ) -> Answer {
        let now_ms = self.ground.now_ms();
        let held = lock(&self.channels).topics(client, id, now_ms).ok_or_else(not_found)?;
        let mut topics = match *method {
            Method::GET => {
                let rows = held.texts().map(|text| row(id, text)).collect();
                return Ok(wire::json(200, frame::listing(rows)));
            }
            Method::DELETE => {
                lock(&self.channels).set_topics(id, Topics::default(), 0, now_ms);
                return Ok(wire::empty(StatusCode::NO_CONTENT));
            }
            Method::PUT => Topics::default(),
            Method::POST => Topics::clone(&held),
            _ => return Err(not_allowed()),
        };
        let ignores = wire::query_all(parts, "ignoreErrors").iter().any(|value| value == "true");
        let wanted: Vec<Wanted> = serde_json::from_slice(body)
            .map_err(|_| bad_request("The request body is not a list of topics"))?;
        let mut rows = Vec::with_capacity(wanted.len());
        for Wanted { id: text } in wanted {
            let mut told = row(id, &text);
            let topic = Topic::parse(&text);
            if ignores {
                told["state"] = json!(if topic.is_some() { "Permitted" } else { "Rejected" });
            }
            match topic {
                Some(topic) => topics.insert(topic, text),
                None if ignores => told["rejectionReason"] = json!("no such topic here"),
                None => return Err(bad_request(format!("The topic {text} is not valid"))),
            }
            rows.push(told);
        }
        self.set(app, id, topics).await?;
        Ok(wire::json(200, frame::listing(rows)))
    }

    /// Gives a channel other topics.
    async fn set(&self, app: &Arc<App>, id: &str, topics: Topics) -> Result<(), Refusal> {
        if topics.count() > TOPICS_MAX {
            return Err(bad_request(format!("A channel can have {TOPICS_MAX} topics at most")));
        }
        let bounds = ground::bounds(app).await?;
        lock(&self.channels).set_topics(id, topics, bounds.next, self.ground.now_ms());
        Ok(())
    }

    /// Adds topics to a channel, or takes some away, on its socket's word. False: one of them
    /// cannot be had, and nothing has changed.
    pub(super) async fn change(
        &self,
        app: &Arc<App>,
        line: (&str, u64),
        texts: &[String],
        is_added: bool,
    ) -> bool {
        let (id, conn) = line;
        let now_ms = self.ground.now_ms();
        let Some(standing) = lock(&self.channels).standing(id, conn, now_ms) else { return false };
        let mut topics = Topics::clone(&standing.topics);
        for text in texts {
            let Some(topic) = Topic::parse(text) else { return false };
            if is_added {
                topics.insert(topic, text.clone());
            } else {
                topics.remove(&topic);
            }
        }
        self.set(app, id, topics).await.is_ok()
    }

    /// Agents' adherence: of users, of a unit, or of a team.
    async fn adherence(&self, app: &Arc<App>, rest: &str, parts: &Parts) -> Answer {
        let path: Vec<&str> = rest.split('/').skip(1).collect();
        let rows = |rows: Vec<StateRow>| {
            let of_source = rows.into_iter().filter(|row| self.is_adherence(row));
            of_source.filter_map(|row| members(&row)).map(shape::row).collect::<Vec<_>>()
        };
        match path.as_slice() {
            ["adherence"] => {
                let asked = wire::query_all(parts, "userId");
                let users: BTreeSet<&str> =
                    asked.iter().flat_map(|value| value.split(',')).collect();
                if users.is_empty() || users.len() > USERS_MAX {
                    return Err(bad_request(format!("userId: 1 to {USERS_MAX} are needed")));
                }
                let mut current = ground::current(app, &self.ground.source, false).await?.rows;
                current.retain(|row| users.contains(row.key.as_str()));
                let rows = rows(current).into_iter().map(Value::Object).collect();
                Ok(wire::json(200, Value::Array(rows).to_string()))
            }
            ["managementunits" | "teams", id, "adherence"] => {
                let group = if path[0] == "teams" { "team" } else { "managementUnit" };
                let current = ground::current(app, &self.ground.source, false).await?.rows;
                let mut rows = rows(current);
                rows.retain(|row| row.get(group).and_then(|one| one.get("id")) == Some(&json!(id)));
                let rows = rows.into_iter().map(Value::Object).collect();
                Ok(wire::json(200, frame::listing(rows)))
            }
            _ => Err(not_found()),
        }
    }

    fn is_adherence(&self, row: &StateRow) -> bool {
        Kind::of_stream(row.stream.as_str(), &self.ground.source) == Some(Kind::Adherence)
    }
}

#[derive(Deserialize)]
struct Wanted {
    id: String,
}

fn members(row: &StateRow) -> Option<Map<String, Value>> {
    serde_json::from_slice(&row.payload).ok()
}

fn row(channel: &str, topic: &str) -> Value {
    json!({ "id": topic, "selfUri": format!("{CHANNELS}/{channel}/subscriptions/{topic}") })
}

fn not_allowed() -> Refusal {
    Refusal(405, "method.not.allowed", "This method is not offered".to_owned())
}

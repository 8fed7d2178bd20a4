//! A client of few words: it shares nothing with the vendor but the published rules.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use unbroken_sim::Vendor;
use unbroken_sim::genesys::Settings;
use unbroken_sim::{Fault, FaultNews, News, Stage};

/// Far above anything that the tests wait for: only a broken vendor gets here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A lively little vendor: heartbeats each 60 ms.
pub(crate) fn settings() -> Settings {
    let mut settings = Settings {
        units: 2,
        teams_per_unit: 2,
        queues: 2,
        rate_max: 100_000,
        history_lag_ms: 100,
        job_ms: 50,
        ..Settings::default()
    };
    settings.vendor.agents = 24;
    settings.vendor.rate = 300.0;
    settings.vendor.heartbeat_ms = 60;
    settings.vendor.closing_notice_ms = 300;
    settings
}

/// Waits for it, with patience.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("nothing came")
}

/// An answer: status, `Retry-After`, body (a text that is no JSON becomes a string).
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Value,
    pub(crate) text: String,
}

/// Somebody with a token.
pub(crate) struct Caller {
    pub(crate) base: String,
    token: String,
    http: reqwest::Client,
}

impl Caller {
    pub(crate) async fn new(vendor: &Vendor) -> Self {
        Self::try_new(vendor).await.unwrap()
    }

    /// Of a vendor that may be out of order.
    pub(crate) async fn try_new(vendor: &Vendor) -> Option<Self> {
        let token = Self::try_token(vendor).await?;
        Some(Self { base: vendor.http_url.clone(), token, http: reqwest::Client::new() })
    }

    async fn try_token(vendor: &Vendor) -> Option<String> {
        let ours = &vendor.credentials;
        let response = reqwest::Client::new()
            .post(format!("{}/oauth/token", vendor.http_url))
            .basic_auth(&ours.client_id, Some(&ours.client_secret))
            .form(&[("grant_type", "client_credentials")])
            .send();
        let response = within(response).await.ok()?;
        let body: Value = within(response.json()).await.ok()?;
        Some(body["access_token"].as_str()?.to_owned())
    }

    /// Status 0: nobody answered.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Told {
        let mut request =
            self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let nobody = Told { status: 0, retry_after: None, body: Value::Null, text: String::new() };
        let Ok(response) = within(request.send()).await else { return nobody };
        let status = response.status().as_u16();
        let retry_after = response.headers().get("retry-after");
        let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let Ok(text) = within(response.text()).await else { return nobody };
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text.clone()));
        Told { status, retry_after, body, text }
    }

    pub(crate) async fn get(&self, path: &str) -> Told {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Told {
        self.call(Method::POST, path, Some(body)).await
    }

    /// A new channel: its id and its address.
    pub(crate) async fn channel(&self) -> (String, String) {
        let told = self.post("/api/v2/notifications/channels", json!({})).await;
        assert_eq!(told.status, 200, "{told:?}");
        let text = |name: &str| told.body[name].as_str().unwrap().to_owned();
        (text("id"), text("connectUri"))
    }

    pub(crate) async fn put(&self, channel: &str, topics: &[String], query: &str) -> Told {
        let path = format!("/api/v2/notifications/channels/{channel}/subscriptions{query}");
        self.call(Method::PUT, &path, Some(wishes(topics))).await
    }

    /// The topics of a channel.
    pub(crate) async fn topics(&self, channel: &str) -> Vec<String> {
        let path = format!("/api/v2/notifications/channels/{channel}/subscriptions");
        let told = self.get(&path).await;
        let rows = told.body["entities"].as_array().unwrap().clone();
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Whether the channel is there.
    pub(crate) async fn head(&self, channel: &str) -> u16 {
        let path = format!("/api/v2/notifications/channels/{channel}");
        self.call(Method::HEAD, &path, None).await.status
    }

    /// A socket on a new channel with these topics.
    pub(crate) async fn subscribed(&self, topics: &[String]) -> (String, Socket) {
        let (id, uri) = self.channel().await;
        let told = self.put(&id, topics, "").await;
        assert_eq!(told.status, 200, "{told:?}");
        (id, Socket::open(&uri).await.unwrap())
    }
}

pub(crate) fn wishes(topics: &[String]) -> Value {
    topics.iter().map(|topic| json!({"id": topic})).collect()
}

/// The adherence topics of a vendor's management units.
pub(crate) fn unit_topics(vendor: &Vendor) -> Vec<String> {
    let units = vendor.account().units;
    let topic = |id: &String| format!("v2.workforcemanagement.managementunits.{id}.adherence");
    units.iter().map(|(id, _)| topic(id)).collect()
}

/// Every topic of an account: adherence by unit, all else by user.
pub(crate) fn all_topics(vendor: &Vendor) -> Vec<String> {
    const KINDS: [&str; 4] = ["presence", "routingStatus", "activity", "conversations"];
    let users = vendor.account().users.into_iter();
    let of_user = |user: String| KINDS.map(|kind| format!("v2.users.{user}.{kind}"));
    unit_topics(vendor).into_iter().chain(users.flat_map(of_user)).collect()
}

/// What an event is about, as the ledger names it.
pub(crate) fn key_of(message: &Value) -> String {
    let topic = message["topicName"].as_str().unwrap();
    let body = &message["eventBody"];
    let id = |id: &Value| id.as_str().unwrap().to_owned();
    match topic.rsplit('.').next().unwrap() {
        "adherence" => format!("adherence/{}", id(&body["user"]["id"])),
        "conversations" => format!("conversation/{}", id(&body["id"])),
        kind => {
            let user = topic.split('.').nth(2).unwrap();
            format!("{}/{user}", if kind == "routingStatus" { "routing" } else { kind })
        }
    }
}

/// How a socket came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Close(u16),
    Broken,
}

/// One open socket.
pub(crate) struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// The socket, or the status of the refusal (0: none).
    pub(crate) async fn open(uri: &str) -> Result<Self, u16> {
        match within(connect_async(uri)).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tungstenite::Error::Http(response)) => Err(response.status().as_u16()),
            Err(_) => Err(0),
        }
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// The next message, or the end.
    pub(crate) async fn next(&mut self) -> Result<Value, End> {
        self.next_text().await.map(|text| serde_json::from_str(&text).unwrap())
    }

    /// The next message as it came, or the end.
    pub(crate) async fn next_text(&mut self) -> Result<String, End> {
        loop {
            match within(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(text.to_string()),
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map_or(1005, |frame| u16::from(frame.code));
                    // Reading on sends the answer to the close frame.
                    while let Some(Ok(_)) = within(self.0.next()).await {}
                    return Err(End::Close(code));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(End::Broken),
            }
        }
    }

    /// The next message of a topic.
    pub(crate) async fn next_of(&mut self, topic: &str) -> Value {
        loop {
            let message = self.next().await.unwrap();
            if message["topicName"] == topic {
                return message;
            }
        }
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Value {
        loop {
            let message = self.next().await.unwrap();
            if message["metadata"].is_object() {
                return message;
            }
        }
    }

    /// Whether nothing at all comes for so long.
    pub(crate) async fn is_silent_for(&mut self, ms: u64) -> bool {
        timeout(Duration::from_millis(ms), self.next()).await.is_err()
    }

    /// Reads until the end; returns what came before it.
    pub(crate) async fn drain(&mut self) -> (Vec<Value>, End) {
        let mut messages = Vec::new();
        loop {
            match self.next().await {
                Ok(message) => messages.push(message),
                Err(end) => return (messages, end),
            }
        }
    }
}

/// Waits until a fault has come to a stage.
pub(crate) async fn until(news: &mut News, fault: Fault, stage: Stage) -> FaultNews {
    loop {
        let told = within(news.next()).await.unwrap();
        assert!(told.fault != fault || told.stage != Stage::Missed, "{fault} never fired");
        if told.fault == fault && told.stage == stage {
            return told;
        }
    }
}

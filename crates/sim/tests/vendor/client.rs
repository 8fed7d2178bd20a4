//! A client of few words, for the vendor's own tests: it shares nothing with the vendor but the
//! published rules.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use unbroken_sim::{Fault, FaultNews, News, Settings, Stage, Vendor};

/// Far above anything that the tests wait for: only a broken vendor gets here.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Between two tries of a client that was refused.
pub(crate) const AGAIN: Duration = Duration::from_millis(50);

/// Largest message that the client takes.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// A lively little vendor.
pub(crate) fn settings() -> Settings {
    Settings {
        agents: 30,
        rate: 300.0,
        heartbeat_ms: 60,
        churn_ms: 0,
        flapping_ms: 1_000,
        ..Settings::default()
    }
}

/// Waits for it, with patience.
pub(crate) async fn within<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("nothing came")
}

pub(crate) async fn token(vendor: &Vendor) -> String {
    let ours = &vendor.credentials;
    let response = reqwest::Client::new()
        .post(format!("{}/token", vendor.http_url))
        .basic_auth(&ours.client_id, Some(&ours.client_secret))
        .form(&[("grant_type", "client_credentials")])
        .send();
    let body: Value = within(response).await.unwrap().json().await.unwrap();
    body["access_token"].as_str().unwrap().to_owned()
}

/// A token from a vendor that may be out of order.
pub(crate) async fn token_at_last(vendor: &Vendor) -> String {
    let ours = &vendor.credentials;
    let ask = || {
        reqwest::Client::new()
            .post(format!("{}/token", vendor.http_url))
            .basic_auth(&ours.client_id, Some(&ours.client_secret))
            .form(&[("grant_type", "client_credentials")])
            .send()
    };
    loop {
        if let Ok(response) = within(ask()).await
            && response.status().is_success()
        {
            let body: Value = response.json().await.unwrap();
            return body["access_token"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Status and body of a page of the baseline.
pub(crate) async fn page(vendor: &Vendor, token: &str, query: &str) -> (u16, Value) {
    let url = format!("{}/api/v2/wfm/schedules{query}", vendor.http_url);
    let response = reqwest::Client::new().get(url).bearer_auth(token).send();
    let Ok(response) = within(response).await else { return (0, Value::Null) };
    let status = response.status().as_u16();
    // A text that is no JSON is told from every answer.
    let text = response.text().await.unwrap();
    (status, json_or_text(&text))
}

/// One open stream.
pub(crate) struct Stream(pub(crate) WebSocketStream<MaybeTlsStream<TcpStream>>);

/// How a stream came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum End {
    Close(u16),
    Reset,
    Eof,
}

impl Stream {
    /// The stream, or the status and body of the refusal.
    pub(crate) async fn try_open(vendor: &Vendor, token: &str) -> Result<Self, (u16, Value)> {
        let mut request =
            format!("{}/notifications/v1/stream", vendor.ws_url).into_client_request().unwrap();
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let config = WebSocketConfig::default().max_message_size(Some(FRAME_BYTES_MAX));
        match within(connect_async_with_config(request, Some(config), false)).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(tungstenite::Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or(b"null");
                Err((response.status().as_u16(), serde_json::from_slice(body).unwrap()))
            }
            // Turned away without a word.
            Err(_) => Err((0, Value::Null)),
        }
    }

    pub(crate) async fn open(vendor: &Vendor, token: &str) -> Self {
        Self::try_open(vendor, token).await.unwrap()
    }

    /// A stream with a subscription, after a position if one is given.
    pub(crate) async fn subscribed(
        vendor: &Vendor,
        token: &str,
        after: Option<u64>,
    ) -> (Self, Value) {
        let mut stream = Self::open(vendor, token).await;
        let answer = stream.subscribe(after).await;
        assert_eq!(answer["type"], "subscribed", "{answer}");
        (stream, answer)
    }

    pub(crate) async fn say(&mut self, message: Value) {
        self.0.send(Message::text(message.to_string())).await.unwrap();
    }

    /// Says something to a socket that may be gone.
    pub(crate) async fn try_say(&mut self, message: Value) -> Option<()> {
        self.0.send(Message::text(message.to_string())).await.ok()
    }

    /// Subscribes; returns the answer.
    pub(crate) async fn subscribe(&mut self, after: Option<u64>) -> Value {
        let payload = match after {
            Some(sequence) => json!({"sequenceId": sequence, "resources": ["adherence"]}),
            None => json!({"resources": ["adherence"]}),
        };
        self.say(json!({"action": "subscribe", "resource": "adherence", "payload": payload})).await;
        self.next_of(&["subscribed", "error"]).await
    }

    /// The next message, or the end.
    pub(crate) async fn next(&mut self) -> Result<Value, End> {
        loop {
            match within(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(json_or_text(&text)),
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map_or(1005, |frame| u16::from(frame.code));
                    // Reading on sends the answer to the close frame.
                    while let Some(Ok(_)) = within(self.0.next()).await {}
                    return Err(End::Close(code));
                }
                Some(Ok(_)) => {}
                Some(Err(tungstenite::Error::Io(error)))
                    if error.kind() == std::io::ErrorKind::ConnectionReset =>
                {
                    return Err(End::Reset);
                }
                Some(Err(_)) | None => return Err(End::Eof),
            }
        }
    }

    /// The next message of one of these types.
    pub(crate) async fn next_of(&mut self, kinds: &[&str]) -> Value {
        loop {
            let message = self.next().await.unwrap();
            if kinds.iter().any(|kind| message["type"] == *kind) {
                return message;
            }
        }
    }

    /// So many events (removals count), in order of arrival.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<Value> {
        let mut events = Vec::with_capacity(count);
        while events.len() < count {
            events.push(self.next_of(&["event", "removed"]).await);
        }
        events
    }

    /// 1 if the next message is an event; looks at no more than its beginning.
    pub(crate) async fn count_events(&mut self) -> u64 {
        match self.0.next().await {
            Some(Ok(Message::Text(text))) => u64::from(text.starts_with("{\"type\":\"event\"")),
            Some(Ok(_)) => 0,
            other => panic!("{other:?}"),
        }
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

/// What is no JSON becomes a text.
fn json_or_text(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

pub(crate) fn sequence(message: &Value) -> u64 {
    message["sequenceId"].as_u64().unwrap()
}

pub(crate) fn sequences(messages: &[Value]) -> Vec<u64> {
    messages.iter().filter(|message| is_event(message)).map(sequence).collect()
}

pub(crate) fn is_event(message: &Value) -> bool {
    message["type"] == "event" || message["type"] == "removed"
}

/// Waits until a fault has come to a stage.
pub(crate) async fn until(news: &mut News, fault: Fault, stage: Stage) -> FaultNews {
    loop {
        let told = within(news.next()).await.unwrap();
        assert!(
            told.fault != fault || stage == Stage::Missed || told.stage != Stage::Missed,
            "{fault} never fired"
        );
        if told.fault == fault && told.stage == stage {
            return told;
        }
    }
}

//! `GET /v1/ws`: events over a WebSocket.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::FromRequestParts as _;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::header;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};

use super::ending;
use super::opening::{Opening, open};
use super::reply::text;
use super::wish::Said;
use crate::access::{Caller, Permit};
use crate::app::{App, Entered};
use crate::feed::{Feed, FeedError, Run, Tail};
use crate::http::problem::{BODY_INVALID, ORIGIN_NOT_ALLOWED, UPGRADE_REQUIRED};
use crate::http::{Answer, Answering, Call, Problem};

/// How long a client may take to say what it wants.
const SUBSCRIBE_MAX: Duration = Duration::from_secs(10);

/// Rows of state in one message.
const ROWS: usize = 256;

/// How often a token is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// RFC 6455: the service restarts (1012), a failure of ours (1011).
const RESTART: u16 = 1012;
const FAILURE: u16 = 1011;

#[derive(Serialize)]
struct State<'a> {
    rows: &'a [Box<RawValue>],
    #[serde(rename = "type")]
    kind: &'static str,
}

pub(crate) fn answer(app: Arc<App>, call: Call) -> Answering {
    Box::pin(upgrade(app, call))
}

async fn upgrade(app: Arc<App>, mut call: Call) -> Answer {
    let is_browser = call.caller.as_ref().is_some_and(|(caller, _)| caller.by_cookie);
    // Every browser sends it; the guard has looked at what it says.
    if is_browser && !call.parts.headers.contains_key(header::ORIGIN) {
        return Err(Problem::new(&ORIGIN_NOT_ALLOWED, "a cookie without `Origin`"));
    }
    let upgrade = WebSocketUpgrade::from_request_parts(&mut call.parts, &()).await;
    let upgrade = upgrade.map_err(|_| Problem::new(&UPGRADE_REQUIRED, "this is no handshake"))?;
    let bytes_max = app.settings.frame_bytes_max;
    let upgrade = upgrade.max_message_size(bytes_max).max_frame_size(bytes_max);
    Ok(upgrade.on_upgrade(move |socket| converse(app, socket, call.caller)))
}

async fn converse(app: Arc<App>, socket: WebSocket, caller: Option<(Caller, Permit)>) {
    let (sink, messages) = socket.split();
    let streams = app.figures.streams.enter();
    let mut session = Session { app, sink, tail: None, caller, _streams: streams };
    if let Err(End::Problem(problem)) = session.run(messages).await {
        session.close(&problem).await;
    }
}

struct Session {
    app: Arc<App>,
    sink: SplitSink<WebSocket, Message>,
    tail: Option<Tail>,
    caller: Option<(Caller, Permit)>,
    _streams: Entered,
}

/// Why a conversation ended.
enum End {
    /// The client is gone.
    Gone,
    /// It is to be told why.
    Problem(Problem),
}

impl From<Problem> for End {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// What is to be done next.
enum Turn {
    Said(Option<Result<Message, axum::Error>>),
    Run(Result<Run, FeedError>),
    Heartbeat,
    Look,
}

impl Session {
    async fn run(&mut self, mut messages: SplitStream<WebSocket>) -> Result<(), End> {
        self.begin(&mut messages).await?;
        let mut heartbeat = every(Duration::from_millis(self.app.settings.heartbeat_ms));
        let mut look = every(LOOK_EVERY);
        loop {
            let turn = tokio::select! {
                message = messages.next() => Turn::Said(message),
                run = next(&mut self.tail) => Turn::Run(run),
                _ = heartbeat.tick() => Turn::Heartbeat,
                _ = look.tick() => Turn::Look,
            };
            match turn {
                Turn::Said(message) => self.hear(message).await?,
                Turn::Run(Ok(run)) => {
                    heartbeat.reset();
                    self.send_events(&run).await?;
                }
                Turn::Run(Err(failure)) => return Err(self.ended(&failure).into()),
                Turn::Heartbeat => {
                    let cursor = self.cursor();
                    self.send(&json!({ "type": "heartbeat", "cursor": cursor })).await?;
                }
                Turn::Look if self.is_welcome() => {}
                Turn::Look => {
                    let sent = self.tail.as_ref().map(Tail::position);
                    return Err(ending::of_token(&self.app, sent).into());
                }
            }
        }
    }

    /// Waits for the first subscription.
    async fn begin(&mut self, messages: &mut SplitStream<WebSocket>) -> Result<(), End> {
        let first = async {
            while self.tail.is_none() {
                let message = messages.next().await;
                self.hear(message).await?;
            }
            Ok(())
        };
        timeout(SUBSCRIBE_MAX, first).await.unwrap_or_else(|_| {
            let detail = "no `subscribe` came within 10 s";
            Err(Problem::new(&BODY_INVALID, detail).into())
        })
    }

    async fn hear(&mut self, message: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let text = match message {
            None | Some(Err(_) | Ok(Message::Close(_))) => return Err(End::Gone),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Ok(()),
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Binary(_))) => {
                return Err(Problem::new(&BODY_INVALID, "messages are text").into());
            }
        };
        let Some(wish) = Said::read(&text)?.wish()? else {
            return self.send(&json!({ "type": "pong" })).await;
        };
        let Opening { rows, tail } = open(&self.app, wish).await?;
        self.tail = Some(tail);
        let cursor = self.cursor();
        self.send(&json!({ "type": "subscribed", "cursor": cursor })).await?;
        if let Some(rows) = rows {
            for rows in rows.chunks(ROWS) {
                self.send(&State { kind: "state", rows }).await?;
            }
            self.send(&json!({ "type": "synced", "cursor": cursor })).await?;
        }
        Ok(())
    }

    async fn send_events(&mut self, run: &Run) -> Result<(), End> {
        let count = run.count() as u64;
        self.app.figures.events.fetch_add(count, Ordering::Relaxed);
        let make = || frame(&self.app.feed, run);
        let bytes = match run.whole() {
            Some(chunk) => chunk.frame(make),
            None => make(),
        };
        let text = Utf8Bytes::try_from(bytes).map_err(|_| End::Gone)?;
        self.sink.send(Message::Text(text)).await.map_err(|_| End::Gone)
    }

    async fn send(&mut self, value: &impl Serialize) -> Result<(), End> {
        self.sink.send(Message::Text(text(value).into())).await.map_err(|_| End::Gone)
    }

    async fn close(&mut self, problem: &Problem) {
        self.app.figures.problems.note(problem);
        let told = json!({ "type": "error", "problem": problem.to_json() });
        if self.send(&told).await.is_ok() {
            let frame = CloseFrame { code: code(problem), reason: problem.kind.name.into() };
            // A client that is gone needs no close.
            let _ = self.sink.send(Message::Close(Some(frame))).await;
        }
    }

    fn cursor(&self) -> Option<String> {
        let position = self.tail.as_ref().map(Tail::position)?;
        Some(self.app.feed.cursor(position).to_string())
    }

    fn ended(&self, failure: &FeedError) -> Problem {
        match &self.tail {
            Some(tail) => ending::of_tail(&self.app, tail, failure),
            None => ending::of_feed(failure),
        }
    }

    fn is_welcome(&self) -> bool {
        self.caller.as_ref().is_none_or(|(caller, _)| self.app.gate.is_good(caller))
    }
}

async fn next(tail: &mut Option<Tail>) -> Result<Run, FeedError> {
    match tail {
        Some(tail) => tail.next().await,
        None => pending().await,
    }
}

/// Ticks from one period on.
fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    ticks
}

/// The close code of a problem: 4000 and its status, but for those that are ours.
fn code(problem: &Problem) -> u16 {
    match problem.kind.status {
        500 => FAILURE,
        503 => RESTART,
        status => 4000 + status,
    }
}

fn frame(feed: &Feed, run: &Run) -> Bytes {
    let mut text = BytesMut::new();
    let head = format!(
        "{{\"type\":\"events\",\"cursor\":\"{}\",\"events\":[",
        feed.cursor(run.end_offset)
    );
    text.put_slice(head.as_bytes());
    for (at, entry) in run.entries().enumerate() {
        if at > 0 {
            text.put_u8(b',');
        }
        text.put_slice(entry.event());
    }
    text.put_slice(b"]}");
    text.freeze()
}

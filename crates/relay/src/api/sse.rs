//! `GET /v1/events/stream`: Server-Sent Events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::StatusCode;
use bytes::{BufMut as _, Bytes, BytesMut};
use futures_util::stream;
use serde_json::json;
use serde_json::value::RawValue;
use tokio::time::timeout;

use super::ending;
use super::opening::{Opening, open};
use super::reply::typed;
use super::wish::Wish;
use crate::access::{Caller, Permit};
use crate::app::{App, Entered};
use crate::feed::{After, Entry, Feed, Run, Tail};
use crate::http::problem::CURSOR_INVALID;
use crate::http::{Answer, Answering, Call, Problem};

/// How long a browser waits before it connects again, in milliseconds.
const RETRY: &str = "retry: 1000\n\n";

/// Rows of state are sent in pieces of about this size, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// How often a token is looked at while its stream is busy.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(crate) fn answer(app: Arc<App>, call: Call) -> Answering {
    Box::pin(open_stream(app, call))
}

async fn open_stream(app: Arc<App>, call: Call) -> Answer {
    let mut wish = Wish::of_query(&call.query)?;
    if let Some(last) = call.parts.headers.get("last-event-id").filter(|last| !last.is_empty()) {
        let last = last.to_str().ok().and_then(|last| After::parse(last).ok());
        wish.after = last.ok_or_else(|| {
            Problem::new(&CURSOR_INVALID, "`Last-Event-ID` is not a cursor of this service")
        })?;
        // A client that comes again with a place has its state already.
        wish.from_state = false;
    }
    let Opening { rows, tail } = open(&app, wish).await?;
    let mut ready = VecDeque::from([Bytes::from_static(RETRY.as_bytes())]);
    if let Some(rows) = rows {
        ready.extend(state(&rows));
        let cursor = app.feed.cursor(tail.position()).to_string();
        ready.push_back(message("unbroken.synced", Some(&cursor), json!({ "cursor": cursor })));
    }
    let streams = app.figures.streams.enter();
    let heartbeat = Duration::from_millis(app.settings.heartbeat_ms);
    let looked_at = Instant::now();
    let caller = call.caller;
    let source =
        Source { app, tail, ready, caller, heartbeat, looked_at, ended: false, _streams: streams };
    let pieces = stream::unfold(source, |mut source| async move {
        let piece = source.next().await?;
        Some((Ok::<Bytes, Infallible>(piece), source))
    });
    Ok(typed(StatusCode::OK, "text/event-stream", Body::from_stream(pieces)))
}

struct Source {
    app: Arc<App>,
    tail: Tail,
    /// What is to be sent before the next events.
    ready: VecDeque<Bytes>,
    caller: Option<(Caller, Permit)>,
    heartbeat: Duration,
    looked_at: Instant,
    ended: bool,
    _streams: Entered,
}

impl Source {
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(ready) = self.ready.pop_front() {
            return Some(ready);
        }
        if self.ended {
            return None;
        }
        let sent = self.tail.position();
        let next = timeout(self.heartbeat, self.tail.next()).await;
        if !self.is_welcome() {
            return Some(self.end(&ending::of_token(&self.app, Some(sent))));
        }
        Some(match next {
            Ok(Ok(run)) => {
                let count = run.count() as u64;
                self.app.figures.events.fetch_add(count, Ordering::Relaxed);
                events(&self.app.feed, &run)
            }
            Ok(Err(failure)) => self.end(&ending::of_tail(&self.app, &self.tail, &failure)),
            Err(_) => {
                let cursor = self.app.feed.cursor(self.tail.position()).to_string();
                message("unbroken.heartbeat", Some(&cursor), json!({ "cursor": cursor }))
            }
        })
    }

    fn is_welcome(&mut self) -> bool {
        if self.looked_at.elapsed() < LOOK_EVERY.min(self.heartbeat) {
            return true;
        }
        self.looked_at = Instant::now();
        self.caller.as_ref().is_none_or(|(caller, _)| self.app.gate.is_good(caller))
    }

    fn end(&mut self, problem: &Problem) -> Bytes {
        self.ended = true;
        self.app.figures.problems.note(problem);
        message("unbroken.end", None, problem.to_json())
    }
}

fn events(feed: &Feed, run: &Run) -> Bytes {
    let make = || {
        let mut lines = BytesMut::new();
        for entry in run.entries() {
            put_event(&mut lines, feed, entry);
        }
        lines.freeze()
    };
    match run.whole() {
        Some(chunk) => chunk.lines(make),
        None => make(),
    }
}

fn put_event(lines: &mut BytesMut, feed: &Feed, entry: &Entry) {
    let cursor = feed.cursor(entry.offset + 1);
    let head = format!("id: {cursor}\nevent: unbroken.{}\ndata: ", entry.kind);
    lines.put_slice(head.as_bytes());
    // JSON without a line's end in it.
    lines.put_slice(entry.event());
    lines.put_slice(b"\n\n");
}

fn message(kind: &str, id: Option<&str>, data: impl Display) -> Bytes {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    Bytes::from(format!("{id}event: {kind}\ndata: {data}\n\n"))
}

fn state(rows: &[Box<RawValue>]) -> VecDeque<Bytes> {
    let mut pieces = VecDeque::new();
    let mut piece = BytesMut::new();
    for row in rows {
        piece.put_slice(&message("unbroken.state", None, row));
        if piece.len() >= PIECE_BYTES {
            pieces.push_back(piece.split().freeze());
        }
    }
    if !piece.is_empty() {
        pieces.push_back(piece.freeze());
    }
    pieces
}

//! `GET /v1/events`: a page, and with `wait` a long poll.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::StatusCode;
use bytes::{BufMut as _, Bytes, BytesMut};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use super::ending;
use super::opening::{Opening, open};
use super::reply::{json, typed};
use super::wish::Wish;
use crate::app::App;
use crate::feed::{FeedError, Run};
use crate::http::{Answer, Answering, Call};

/// Events in an answer where the client does not say.
const LIMIT: u64 = 1_000;

/// An answer ends when it has come to this, in bytes: it is in memory until it is sent.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// The answer to who wants state first.
#[derive(Serialize)]
struct Begun<'a> {
    cursor: &'a str,
    events: [(); 0],
    state: &'a [Box<RawValue>],
}

pub(crate) fn answer(app: Arc<App>, call: Call) -> Answering {
    Box::pin(page(app, call))
}

async fn page(app: Arc<App>, call: Call) -> Answer {
    let wish = Wish::of_query(&call.query)?;
    let limit = usize::try_from(call.query.whole("limit", LIMIT)).unwrap_or(usize::MAX);
    let wait = Duration::from_millis(call.query.whole("wait", 0));
    let Opening { rows, mut tail } = open(&app, wish).await?;
    let mut page = Page::default();
    if let Some(rows) = rows {
        let cursor = app.feed.cursor(tail.position()).to_string();
        let begun = Begun { cursor: &cursor, events: [], state: &rows };
        return Ok(json(StatusCode::OK, &begun));
    }
    let failed = |error: FeedError| ending::of_feed(&error);
    let end = app.feed.end_offset().map_err(|error| failed(FeedError::Journal(error)))?;
    let mut place = None;
    while place.is_none() {
        match tail.next_below(end).await.map_err(failed)? {
            Some(run) => place = page.take(&run, limit),
            None => break,
        }
    }
    let deadline = Instant::now() + wait;
    if page.count == 0 && !wait.is_zero() {
        match timeout_at(deadline, tail.next()).await {
            Ok(Ok(run)) => place = page.take(&run, limit),
            // The service stops: the client asks again, and gets an answer from the next one.
            Ok(Err(FeedError::Stopped)) | Err(_) => {}
            Ok(Err(error)) => return Err(failed(error)),
        }
    }
    app.figures.events.fetch_add(page.count as u64, Ordering::Relaxed);
    let cursor = app.feed.cursor(place.unwrap_or_else(|| tail.position())).to_string();
    Ok(typed(StatusCode::OK, "application/json", page.finish(&cursor)))
}

/// Events put together.
#[derive(Default)]
struct Page {
    events: BytesMut,
    count: usize,
}

impl Page {
    /// Takes events until the page is full; then tells the offset after the last one.
    fn take(&mut self, run: &Run, limit: usize) -> Option<u64> {
        let mut entries = run.entries().peekable();
        while let Some(entry) = entries.next() {
            if self.count > 0 {
                self.events.put_u8(b',');
            }
            self.events.put_slice(entry.event());
            self.count += 1;
            if self.count >= limit || self.events.len() >= PAGE_BYTES {
                let next = entries.peek().is_some();
                return Some(if next { entry.offset + 1 } else { run.end_offset });
            }
        }
        None
    }

    fn finish(self, cursor: &str) -> Bytes {
        let mut text = BytesMut::with_capacity(self.events.len() + 128);
        text.put_slice(b"{\"cursor\":\"");
        text.put_slice(cursor.as_bytes());
        text.put_slice(b"\",\"events\":[");
        text.put_slice(&self.events);
        text.put_slice(b"]}");
        text.freeze()
    }
}

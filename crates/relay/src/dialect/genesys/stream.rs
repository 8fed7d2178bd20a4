//! One application's socket: what comes in goes to the session, what the session says goes out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use unbroken_render::Filter;
use unbroken_store::StateRow;

use super::frame::{self, Fact, Said};
use super::route::Genesys;
use super::session::Session;
use super::topic::Kind;
use crate::app::App;
use crate::dialect::beginning::Bounds;
use crate::dialect::ground::{self, lock};
use crate::dialect::probe::PINGS_MAX;
use crate::feed::{FeedError, Run, Tail};

/// RFC 6455: the service restarts (1012), goes away (1001).
const RESTART: u16 = 1012;
const AWAY: u16 = 1001;

/// How long is listened to who has gone. What it said before is there already.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// How often a socket looks whether its channel is still its own.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The end of a channel is announced so long before, as the vendor does.
const NOTICE_MS: u64 = 60_000;

/// A socket and its channel.
struct Line {
    /// The channel.
    id: String,
    /// The socket's number.
    conn: u64,
    /// Everything below was read by the application.
    place: u64,
    /// Which offsets there are.
    bounds: Bounds,
}

impl Line {
    /// Connects a socket to its channel. Not before there is a socket: of a client that gives up
    /// during the handshake nobody would say that it has gone, and its place would be nobody's.
    async fn connect(app: &Arc<App>, dialect: &Genesys, id: String) -> Option<Self> {
        let bounds = ground::bounds(app).await.ok()?;
        let (conn, now_ms) = (dialect.ground.next_conn(), dialect.ground.now_ms());
        let place = lock(&dialect.channels).connect(&id, conn, bounds.next, now_ms)?;
        Some(Self { id, conn, place, bounds })
    }
}

/// The socket is gone, or is to go.
struct Over;

/// Serves an application until it or we go; where it was is kept in its channel.
pub(super) async fn serve(app: Arc<App>, dialect: Arc<Genesys>, id: String, socket: WebSocket) {
    let (mut sink, mut messages) = socket.split();
    let Some(line) = Line::connect(&app, &dialect, id).await else {
        return close(&mut sink, RESTART).await;
    };
    let journal = app.feed.journal().to_string();
    let source = dialect.ground.source.clone();
    let session = Session::new(journal, source.clone(), line.place);
    let streams = app.figures.streams.enter();
    let mut heartbeat = every(Duration::from_millis(app.settings.heartbeat_ms));
    let mut look = every(LOOK_EVERY);
    let mut stream =
        Stream { app, dialect, line, session, sink, is_closing: false, silent_since_ms: None };
    if let Ok(from) = stream.begin().await {
        let filter = Filter { source: Some(source), ..Filter::default() };
        let mut tail = stream.app.feed.subscribe(from, filter);
        loop {
            let done = tokio::select! {
                // Answers to pings first: while they wait, nothing more is confirmed.
                biased;
                message = messages.next() => match message {
                    Some(Ok(message)) => stream.hear(message).await,
                    Some(Err(_)) | None => break,
                },
                run = tail.next() => stream.take(run).await,
                _ = heartbeat.tick() => stream.beat(&tail).await,
                _ = look.tick() => stream.look().await,
            };
            if done.is_err() || stream.ping().await.is_err() || stream.flush().await.is_err() {
                break;
            }
            stream.note();
        }
    }
    // What it answered before it went.
    while let Ok(Some(Ok(Message::Pong(payload)))) = timeout(LAST_WORDS, messages.next()).await {
        stream.session.probe().handle_pong(&payload);
    }
    stream.leave();
    drop(streams);
}

struct Stream {
    app: Arc<App>,
    dialect: Arc<Genesys>,
    line: Line,
    session: Session,
    sink: SplitSink<WebSocket, Message>,
    /// The end of the channel was announced.
    is_closing: bool,
    /// What was noted last.
    silent_since_ms: Option<u64>,
}

impl Stream {
    /// Returns from where events follow. Where the place is older than what is kept, what is
    /// current is told first.
    async fn begin(&mut self) -> Result<u64, Over> {
        if self.line.place >= self.line.bounds.oldest {
            return Ok(self.line.place.min(self.line.bounds.next));
        }
        let source = &self.dialect.ground.source;
        let Ok(mut current) = ground::current(&self.app, source, true).await else {
            self.close(RESTART).await;
            return Err(Over);
        };
        let Some(topics) = self.topics() else { return Err(Over) };
        current.rows.sort_unstable_by_key(|row| row.offset);
        let source = &self.dialect.ground.source;
        let facts = current.rows.iter().filter_map(|row| fact(row, source));
        let says = self.session.show_state(facts, &topics, current.next);
        self.say(says).await?;
        Ok(current.next)
    }

    fn topics(&self) -> Option<Arc<super::topic::Topics>> {
        let now_ms = self.dialect.ground.now_ms();
        let mut channels = lock(&self.dialect.channels);
        let standing = channels.standing(&self.line.id, self.line.conn, now_ms)?;
        Some(standing.topics)
    }

    async fn hear(&mut self, message: Message) -> Result<(), Over> {
        let text = match &message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
            Message::Pong(payload) => {
                self.session.probe().handle_pong(payload);
                let confirmed = self.session.probe().confirmed();
                lock(&self.dialect.channels).confirm(&self.line.id, confirmed);
                return Ok(());
            }
            Message::Ping(_) => return Ok(()),
            Message::Close(_) => return Err(Over),
        };
        let (texts, correlation_id, is_added) = match frame::decode(text) {
            Said::Ping => return self.say([frame::metadata("pong")]).await,
            Said::Subscribe(texts, id) => (texts, id, true),
            Said::Unsubscribe(texts, id) => (texts, id, false),
            // The vendor's socket does not answer what it does not understand.
            Said::Unknown => return Ok(()),
        };
        let line = (self.line.id.as_str(), self.line.conn);
        let is_done = self.dialect.change(&self.app, line, &texts, is_added).await;
        let (result, status) = match (is_done, is_added) {
            (true, true) => (200, "subscribed"),
            (true, false) => (200, "unsubscribed"),
            (false, _) => (400, "failure"),
        };
        self.say([frame::answered(result, status, correlation_id.as_deref())]).await
    }

    async fn take(&mut self, run: Result<Run, FeedError>) -> Result<(), Over> {
        let (Ok(run), Some(topics)) = (run, self.topics()) else {
            self.close(RESTART).await;
            return Err(Over);
        };
        // Pings are spread over what comes at once.
        let stride = run.count().div_ceil(PINGS_MAX).max(1);
        for (at, entry) in run.entries().enumerate() {
            for text in self.session.handle_record(entry.offset, &entry.record, &topics) {
                self.feed(Message::text(text)).await?;
                self.app.figures.events.fetch_add(1, Ordering::Relaxed);
            }
            if at % stride == 0 {
                self.ping().await?;
            }
        }
        self.session.handle_passed(run.end_offset);
        self.flush().await?;
        if !self.session.owes() {
            return Ok(());
        }
        let source = &self.dialect.ground.source;
        let Ok(current) = ground::current(&self.app, source, true).await else {
            self.close(RESTART).await;
            return Err(Over);
        };
        let facts = current.rows.iter().filter_map(|row| fact(row, source));
        let says = self.session.repay(facts, &topics);
        self.say(says).await
    }

    async fn beat(&mut self, tail: &Tail) -> Result<(), Over> {
        self.session.handle_passed(tail.position());
        let silent_ms = self.session.probe().silent_ms(self.dialect.ground.now_ms());
        if silent_ms >= self.app.settings.stall_ms {
            return Err(Over);
        }
        self.feed(Message::Ping(Bytes::new())).await?;
        self.say([frame::metadata("WebSocket Heartbeat")]).await
    }

    /// Whether the channel is still this socket's, and for how long.
    async fn look(&mut self) -> Result<(), Over> {
        let now_ms = self.dialect.ground.now_ms();
        let (id, conn) = (&self.line.id, self.line.conn);
        let standing = lock(&self.dialect.channels).standing(id, conn, now_ms);
        let Some(standing) = standing else {
            self.close(AWAY).await;
            return Err(Over);
        };
        let is_near = standing.expires_ms <= now_ms.saturating_add(NOTICE_MS);
        let is_news = is_near && !self.is_closing;
        self.is_closing = is_near;
        if is_news { self.say([frame::socket_closing()]).await } else { Ok(()) }
    }

    /// What was sent is followed by a ping, whose answer says that it was read.
    async fn ping(&mut self) -> Result<(), Over> {
        let now_ms = self.dialect.ground.now_ms();
        let Some(payload) = self.session.probe().poll_ping(now_ms) else { return Ok(()) };
        let ping = Message::Ping(Bytes::copy_from_slice(&payload));
        self.feed(ping).await
    }

    async fn flush(&mut self) -> Result<(), Over> {
        self.sink.flush().await.map_err(|_| Over)
    }

    async fn say(&mut self, says: impl IntoIterator<Item = String>) -> Result<(), Over> {
        for text in says {
            self.feed(Message::text(text)).await?;
        }
        self.flush().await
    }

    async fn feed(&mut self, message: Message) -> Result<(), Over> {
        self.sink.feed(message).await.map_err(|_| Over)
    }

    async fn close(&mut self, code: u16) {
        close(&mut self.sink, code).await;
    }

    /// Notes whether the application is still heard, for when it comes by another channel.
    fn note(&mut self) {
        let since_ms = self.session.probe().silent_since_ms();
        if since_ms != self.silent_since_ms {
            self.silent_since_ms = since_ms;
            lock(&self.dialect.channels).note(&self.line.id, self.line.conn, since_ms);
        }
    }

    fn leave(&mut self) {
        let confirmed = self.session.probe().confirmed();
        let mut channels = lock(&self.dialect.channels);
        channels.confirm(&self.line.id, confirmed);
        channels.leave(&self.line.id, self.line.conn);
    }
}

fn fact<'a>(row: &'a StateRow, source: &str) -> Option<Fact<'a>> {
    Some(Fact {
        offset: row.offset,
        kind: Kind::of_stream(row.stream.as_str(), source)?,
        key: row.key.as_str(),
        payload: &row.payload,
        origin: None,
    })
}

async fn close(sink: &mut SplitSink<WebSocket, Message>, code: u16) {
    let close = CloseFrame { code, reason: "come again".into() };
    // An application that is gone needs no close.
    let _ = sink.send(Message::Close(Some(close))).await;
}

/// Ticks from one period on.
fn every(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks.reset();
    ticks
}

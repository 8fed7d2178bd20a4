//! One client's socket: what comes in goes to the session, what the session says goes out.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use bytes::Bytes;
use futures_util::stream::SplitSink;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio::time::{MissedTickBehavior, interval, timeout};
use unbroken_core::time::UnixMicros;
use unbroken_render::Filter;
use unbroken_store::StateRow;

use super::frame::{self, Fact};
use super::message::{self, Message as Said, Wish};
use super::route::Cxone;
use super::session::Session;
use crate::app::App;
use crate::dialect::beginning::Beginning;
use crate::dialect::context::{Owner, Standing};
use crate::dialect::ground::{self, lock};
use crate::dialect::probe::PINGS_MAX;
use crate::feed::{FeedError, Run, Tail};

/// RFC 6455: the service restarts.
const RESTART: u16 = 1012;

/// How long is listened to who has gone. What it said before is there already.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// The kinds of records that a client is told of.
const KINDS: [&str; 5] =
    ["change", "snapshot_begin", "snapshot_item", "snapshot_end", "snapshot_abort"];

/// Serves a client until it or we go; where it was is kept for when it comes again.
pub(super) async fn serve(app: Arc<App>, dialect: Arc<Cxone>, client: usize, socket: WebSocket) {
    let conn = dialect.ground.next_conn();
    let name = format!("sub-{conn}");
    let journal = app.feed.journal().to_string();
    let (sink, mut messages) = socket.split();
    let session = Session::new(journal, dialect.resource.clone(), name);
    let mut stream =
        Stream { app, dialect, client, conn, session, sink, tail: None, owner: None, noted: None };
    let mut heartbeat = interval(Duration::from_millis(stream.app.settings.heartbeat_ms));
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat.reset();
    let streams = stream.app.figures.streams.enter();
    loop {
        let done = tokio::select! {
            // Answers to pings first: while they wait, nothing more is confirmed.
            biased;
            message = messages.next() => match message {
                Some(Ok(message)) => stream.hear(message).await,
                Some(Err(_)) | None => break,
            },
            run = next(&mut stream.tail) => stream.take(run).await,
            _ = heartbeat.tick() => stream.beat().await,
        };
        if done.is_err() || stream.ping().await.is_err() || stream.flush().await.is_err() {
            break;
        }
        stream.note();
    }
    // What it answered before it went.
    while let Ok(Some(Ok(Message::Pong(payload)))) = timeout(LAST_WORDS, messages.next()).await {
        stream.session.handle_pong(&payload);
    }
    stream.note();
    let now_ms = stream.dialect.ground.now_ms();
    lock(&stream.dialect.contexts).leave(conn, now_ms);
    drop(streams);
}

/// The socket is gone, or is to go.
struct Over;

struct Stream {
    app: Arc<App>,
    dialect: Arc<Cxone>,
    client: usize,
    conn: u64,
    session: Session,
    sink: SplitSink<WebSocket, Message>,
    tail: Option<Tail>,
    owner: Option<Owner>,
    /// What was noted last of where the client is.
    noted: Option<Standing>,
}

impl Stream {
    async fn hear(&mut self, message: Message) -> Result<(), Over> {
        let text = match &message {
            Message::Text(text) => text.as_bytes(),
            Message::Binary(bytes) => bytes,
            Message::Pong(payload) => {
                self.session.handle_pong(payload);
                return Ok(());
            }
            Message::Ping(_) => return Ok(()),
            Message::Close(_) => return Err(Over),
        };
        match message::decode(text, &self.dialect.resource) {
            Said::Subscribe(wish) => self.subscribe(wish).await,
            Said::Unsubscribe => {
                self.tail = None;
                let says = self.session.unsubscribe();
                self.say([says]).await
            }
            Said::Ping => self.say([frame::pong()]).await,
            Said::Refused(code) => self.say([frame::error(code)]).await,
        }
    }

    async fn subscribe(&mut self, wish: Wish) -> Result<(), Over> {
        self.tail = None;
        let owner = Owner { client: self.client, scope: wish.scope() };
        self.owner = Some(owner);
        // Who says where it was leaves the places to those who do not; who was just told something
        // on this socket goes on behind it.
        let place = match (wish.sequence, self.session.told()) {
            (Some(_), _) => None,
            (None, Some(told)) => Some(told),
            (None, None) => {
                let now_ms = self.dialect.ground.now_ms();
                lock(&self.dialect.contexts).take(owner, now_ms)
            }
        };
        let Ok(bounds) = ground::bounds(&self.app).await else { return self.fail().await };
        let start = self.session.subscribe(wish, place, bounds);
        self.say(start.says).await?;
        let from = match start.beginning {
            Beginning::At(next) => next,
            Beginning::State(_) => self.show_state().await?,
        };
        let filter = Filter {
            source: Some(self.dialect.stream.to_string()),
            kinds: KINDS.map(str::to_owned).into(),
            ..Filter::default()
        };
        self.tail = Some(self.app.feed.subscribe(from, filter));
        Ok(())
    }

    /// Tells what is current; returns the offset after which events follow.
    async fn show_state(&mut self) -> Result<u64, Over> {
        let stream = self.dialect.stream.as_str();
        let Ok(mut current) = ground::current(&self.app, stream, true).await else {
            self.fail().await?;
            return Err(Over);
        };
        current.rows.sort_unstable_by_key(|row| row.offset);
        let facts = current.rows.iter().map(fact);
        let says = self.session.show_state(facts, current.next);
        self.say(says).await?;
        Ok(current.next)
    }

    async fn take(&mut self, run: Result<Run, FeedError>) -> Result<(), Over> {
        let Ok(run) = run else { return self.fail().await };
        // Pings are spread over what comes at once.
        let stride = run.count().div_ceil(PINGS_MAX).max(1);
        for (at, entry) in run.entries().enumerate() {
            for says in self.session.handle_record(entry.offset, &entry.record) {
                self.feed(Message::text(says)).await?;
                self.app.figures.events.fetch_add(1, Ordering::Relaxed);
            }
            if !self.session.is_numbered() && at % stride == 0 {
                self.ping().await?;
            }
        }
        self.session.handle_passed(run.end_offset);
        self.ping().await?;
        self.flush().await?;
        self.repay().await
    }

    /// Tells what is current again, where something older was told behind it.
    async fn repay(&mut self) -> Result<(), Over> {
        if !self.session.owes() {
            return Ok(());
        }
        let stream = self.dialect.stream.as_str();
        let Ok(current) = ground::current(&self.app, stream, true).await else {
            return self.fail().await;
        };
        let says = self.session.repay(current.rows.iter().map(fact));
        self.say(says).await
    }

    async fn beat(&mut self) -> Result<(), Over> {
        if let Some(tail) = &self.tail {
            self.session.handle_passed(tail.position());
        }
        self.repay().await?;
        let silent_ms = self.session.silent_ms(self.dialect.ground.now_ms());
        if silent_ms >= self.app.settings.stall_ms {
            return Err(Over);
        }
        let says = self.session.heartbeat();
        self.feed(Message::Ping(Bytes::new())).await?;
        self.say([says]).await
    }

    /// What was sent is followed by a ping, whose answer says that it was read.
    async fn ping(&mut self) -> Result<(), Over> {
        let Some(payload) = self.session.poll_ping(self.dialect.ground.now_ms()) else {
            return Ok(());
        };
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

    /// We cannot go on: the client has to come again.
    async fn fail(&mut self) -> Result<(), Over> {
        self.say([frame::closing()]).await?;
        let close = CloseFrame { code: RESTART, reason: "come again".into() };
        // A client that is gone needs no close.
        let _ = self.sink.send(Message::Close(Some(close))).await;
        Err(Over)
    }

    /// Notes where the client is, for when it is gone.
    fn note(&mut self) {
        let silent_since_ms = self.session.silent_since_ms();
        let place = self.owner.zip(self.session.place());
        let standing = place.map(|(owner, next)| Standing { owner, next, silent_since_ms });
        if standing != self.noted {
            self.noted = standing;
            lock(&self.dialect.contexts).note(self.conn, standing);
        }
    }
}

async fn next(tail: &mut Option<Tail>) -> Result<Run, FeedError> {
    match tail {
        Some(tail) => tail.next().await,
        None => pending().await,
    }
}

fn fact(row: &StateRow) -> Fact<'_> {
    let at: UnixMicros = row.occurred_at.unwrap_or(row.received_at);
    Fact {
        offset: row.offset,
        key: row.key.as_str(),
        is_deleted: !row.present,
        at,
        payload: &row.payload,
        origin: None,
        position: row.version,
    }
}

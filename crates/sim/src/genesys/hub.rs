//! All that the vendor's parts share, behind one lock.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use tokio::sync::watch;

use super::Settings;
use super::bulk::Job;
use super::channel::Channel;
use super::serve;
use super::token::Tokens;
use super::topic::Topic;
use super::world::World;
use crate::estate::{Estate, Share};
use crate::fault::FaultBoard;
use crate::load::{Call, Counter};
use crate::server::house::{Command, House};
use crate::server::wire::Wire;
use crate::truth::SubscriptionEnd;
use crate::world::Clock;
use crate::{Credentials, SimError};

/// The vendor, shared.
pub(crate) struct Hub {
    pub(super) settings: Arc<Settings>,
    pub(super) clock: Clock,
    /// Where it is reached: HTTP and WebSocket, without a trailing slash.
    pub(super) http_url: String,
    pub(super) ws_url: String,
    state: Arc<Mutex<State>>,
    /// Wakes every stream: there may be events or commands.
    wake: watch::Sender<()>,
}

impl Hub {
    pub(crate) fn new(
        settings: Settings,
        credentials: Credentials,
        http_url: String,
        ws_url: String,
    ) -> Result<Self, SimError> {
        let settings = Arc::new(settings);
        let clock = Clock::new();
        let state = State {
            world: World::new(Arc::clone(&settings), clock.clone())?,
            tokens: Tokens::new(credentials, &settings),
            faults: FaultBoard::new(&settings.vendor, clock.clone()),
            channels: BTreeMap::new(),
            sessions: BTreeMap::new(),
            served: BTreeMap::new(),
            jobs: VecDeque::new(),
            downloads: VecDeque::new(),
            doomed: BTreeSet::new(),
            load: Counter::default(),
            down_until_ms: None,
            secrets: fastrand::Rng::new(),
            uses: 0,
            conn_last: 0,
            settings: Arc::clone(&settings),
            clock: clock.clone(),
        };
        let (wake, _) = watch::channel(());
        Ok(Self { settings, clock, http_url, ws_url, state: Arc::new(Mutex::new(state)), wake })
    }

    /// The state. A panic elsewhere does not make it unusable: every change to it is small.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A share in it, for its handle.
    pub(crate) fn share(&self) -> Share {
        // Typed, since the state's own type is to be forgotten here.
        let estate: Arc<Mutex<dyn Estate>> = Arc::<Mutex<State>>::clone(&self.state);
        Share::new(estate, self.wake.clone())
    }
}

impl House for Hub {
    fn latency_ms(&self) -> u64 {
        self.settings.vendor.latency_ms
    }

    fn heartbeat_ms(&self) -> u64 {
        self.settings.vendor.heartbeat_ms
    }

    fn admit(&self) -> bool {
        let mut state = self.lock();
        state.load.count(self.clock.now_ms(), Call::Connection);
        !state.turn_away()
    }

    async fn serve(self: Arc<Self>, wire: Wire) {
        serve::serve(self, wire).await;
    }

    fn sleeper(&self) -> watch::Receiver<()> {
        self.wake.subscribe()
    }

    fn fill(&self, conn: u64, out: &mut BytesMut) -> (Option<Command>, bool) {
        let mut state = self.lock();
        let command =
            state.sessions.get_mut(&conn).and_then(|session| session.commands.pop_front());
        (command, state.fill(conn, out))
    }

    fn must_break(&self, conn: u64) -> bool {
        let state = self.lock();
        state.sessions.get(&conn).is_some_and(|session| {
            session.commands.iter().any(|command| !matches!(command, Command::Say(_)))
        })
    }

    fn delivered(&self, conn: u64) {
        self.lock().delivered(conn);
    }

    fn heartbeat(&self, conn: u64) -> Option<(String, [u8; 16])> {
        self.lock().heartbeat(conn)
    }

    fn pong(&self, payload: &[u8]) {
        self.lock().pong(payload);
    }

    fn answer(&self, conn: u64, payload: &[u8]) -> Option<String> {
        self.lock().answer(conn, payload)
    }

    fn performed(&self, conn: u64, command: &Command) {
        self.lock().fault_on_performed(conn, command);
    }

    fn closed(&self, conn: u64, end: SubscriptionEnd) {
        self.lock().close_session(conn, end);
    }
}

/// One open socket.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// The channel it is connected to.
    pub(super) channel: String,
    /// Number of the present subscription in the ledger.
    pub(super) subscription: Option<usize>,
    /// Index of the next event to look at.
    pub(super) cursor: u64,
    /// Events are passed over.
    pub(super) is_muted: bool,
    /// No heartbeat is sent and no ping is answered.
    pub(super) is_quiet: bool,
    /// Nothing more is served: it is being closed, reset or left hanging.
    pub(super) is_cut: bool,
    /// Frames are held back until then, in milliseconds of the vendor's clock.
    pub(super) held_until_ms: u64,
    pub(super) commands: VecDeque<Command>,
}

impl Session {
    /// Whether events are being served on it.
    pub(super) fn is_live(&self) -> bool {
        self.subscription.is_some() && !self.is_cut && !self.is_muted
    }
}

/// What is behind the lock.
pub(super) struct State {
    pub(super) settings: Arc<Settings>,
    pub(super) clock: Clock,
    pub(super) world: World,
    pub(super) tokens: Tokens,
    pub(super) faults: FaultBoard,
    pub(super) channels: BTreeMap<String, Channel>,
    /// Open sockets by connection.
    pub(super) sessions: BTreeMap<u64, Session>,
    /// The first subscription in the ledger that ever covered a topic of conversations.
    pub(super) served: BTreeMap<Topic, usize>,
    pub(super) jobs: VecDeque<Job>,
    /// Texts to be downloaded, with the last part of their address.
    pub(super) downloads: VecDeque<(String, String)>,
    /// Channels that are found and cannot be connected to.
    pub(super) doomed: BTreeSet<String>,
    pub(super) load: Counter,
    /// Until then every connection is reset as it arrives.
    pub(super) down_until_ms: Option<u64>,
    /// For what must not be guessable.
    pub(super) secrets: fastrand::Rng,
    /// Counts the uses of channels.
    pub(super) uses: u64,
    conn_last: u64,
}

impl State {
    /// Sockets on which events are served.
    pub(super) fn live(&self) -> impl Iterator<Item = u64> + '_ {
        self.sessions.iter().filter(|(_, session)| session.is_live()).map(|(conn, _)| *conn)
    }

    /// A socket was opened on a channel; one that was open on it before is closed. (Whether the
    /// real vendor allows two is not published.)
    pub(super) fn open_session(&mut self, channel: &str) -> u64 {
        self.conn_last += 1;
        let conn = self.conn_last;
        let before = self.channels.get_mut(channel).and_then(|channel| channel.conn.replace(conn));
        if let Some(before) = before {
            self.cut(before, Command::Close { code: 1001, reason: "another connection" });
        }
        let session = Session { channel: channel.to_owned(), ..Session::default() };
        self.sessions.insert(conn, session);
        self.use_channel(channel);
        self.fault_on_opened(conn);
        self.begin_serving(conn);
        conn
    }

    /// Says a text on a socket.
    pub(super) fn say(&mut self, conn: u64, text: String) {
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.commands.push_back(Command::Say(text));
        }
    }

    /// Ends what a socket serves, now; how it ended is known when the socket is gone.
    pub(super) fn cut(&mut self, conn: u64, command: Command) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.is_cut = true;
        session.commands.push_back(command);
        if let Some(number) = session.subscription {
            self.note_end(number, SubscriptionEnd::Broken);
        }
    }

    /// The socket stays open, and nothing comes on it any more, not even a heartbeat.
    pub(super) fn abandon(&mut self, conn: u64) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.is_quiet = true;
        if let Some(number) = session.subscription.take() {
            self.note_end(number, SubscriptionEnd::Broken);
        }
    }

    /// A socket is gone.
    pub(super) fn close_session(&mut self, conn: u64, end: SubscriptionEnd) {
        let Some(session) = self.sessions.remove(&conn) else { return };
        if let Some(number) = session.subscription {
            self.end_subscription(number, end);
        }
        if let Some(channel) = self.channels.get_mut(&session.channel)
            && channel.conn == Some(conn)
        {
            channel.conn = None;
        }
        self.fault_on_gone(conn);
    }

    /// A subscription of the ledger is over.
    pub(super) fn end_subscription(&mut self, number: usize, end: SubscriptionEnd) {
        if end == SubscriptionEnd::Closed
            && let Some(noted) = self.world.recorder.subscriptions.get_mut(number)
        {
            noted.confirmed = noted.delivered;
        }
        self.note_end(number, end);
    }

    fn note_end(&mut self, number: usize, end: SubscriptionEnd) {
        let now_us = self.clock.wall_us();
        let recorder = &mut self.world.recorder;
        if let Some(noted) = recorder.subscriptions.get_mut(number) {
            noted.ended_us.get_or_insert(now_us);
            noted.end = end;
        }
        recorder.save_subscription(number);
    }

    /// Events are made out of turn.
    pub(super) fn burst(&mut self, count: u64) {
        self.world.burst(count);
        self.cover_new_conversations();
    }
}

//! All that the vendor's parts share, behind one lock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::BytesMut;
use tokio::sync::watch;

use super::message::{self, ClientMessage, Place};
use super::serve;
use super::session::Session;
use super::token::Tokens;
use crate::SimError;
use crate::estate::{Estate, Share};
use crate::fault::FaultBoard;
use crate::load::{Call, Counter};
use crate::server::house::{Command, House};
use crate::server::wire::Wire;
use crate::settings::Settings;
use crate::truth::SubscriptionEnd;
use crate::vendor::Credentials;
use crate::world::{Clock, World};

/// The vendor, shared.
pub(crate) struct Hub {
    pub(crate) settings: Arc<Settings>,
    pub(crate) clock: Clock,
    state: Arc<Mutex<State>>,
    /// Wakes every stream: there may be events or commands.
    wake: watch::Sender<()>,
}

impl Hub {
    pub(crate) fn new(settings: Settings, credentials: Credentials) -> Result<Self, SimError> {
        let settings = Arc::new(settings);
        let clock = Clock::new();
        // Not from the vendor's seed: a token must not be guessable from a seed in a log.
        let rng = fastrand::Rng::new();
        let state = State::new(Arc::clone(&settings), credentials, clock.clone(), rng)?;
        let (wake, _) = watch::channel(());
        Ok(Self { settings, clock, state: Arc::new(Mutex::new(state)), wake })
    }

    /// The state. A panic elsewhere does not make it unusable: every change to it is small.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
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
        self.settings.latency_ms
    }

    fn heartbeat_ms(&self) -> u64 {
        self.settings.heartbeat_ms
    }

    fn admit(&self) -> bool {
        self.lock().admit()
    }

    async fn serve(self: Arc<Self>, wire: Wire) {
        serve::serve(self, wire).await;
    }

    fn sleeper(&self) -> watch::Receiver<()> {
        self.wake.subscribe()
    }

    fn fill(&self, conn: u64, out: &mut BytesMut) -> (Option<Command>, bool) {
        let mut state = self.lock();
        let command = state.take_command(conn);
        (command, state.fill(conn, out))
    }

    fn must_break(&self, conn: u64) -> bool {
        self.lock().must_break(conn)
    }

    fn delivered(&self, conn: u64) {
        self.lock().delivered(conn);
    }

    fn heartbeat(&self, conn: u64) -> Option<(String, [u8; 16])> {
        Some(self.lock().heartbeat(conn))
    }

    fn pong(&self, payload: &[u8]) {
        self.lock().pong(payload);
    }

    fn answer(&self, conn: u64, payload: &[u8]) -> Option<String> {
        Some(self.lock().answer(conn, payload))
    }

    fn performed(&self, conn: u64, command: &Command) {
        self.lock().fault_on_performed(conn, command);
    }

    fn closed(&self, conn: u64, end: SubscriptionEnd) {
        self.lock().close_session(conn, end);
    }
}

/// What is behind the lock.
pub(crate) struct State {
    pub(crate) settings: Arc<Settings>,
    pub(crate) clock: Clock,
    pub(crate) world: World,
    pub(crate) tokens: Tokens,
    pub(crate) faults: FaultBoard,
    /// Open streams by connection.
    pub(crate) sessions: BTreeMap<u64, Session>,
    pub(crate) load: Counter,
    /// Until then every connection is reset as it arrives.
    pub(crate) down_until_ms: Option<u64>,
    conn_last: u64,
}

impl State {
    /// A vendor at the beginning of its life. `rng` makes tokens.
    pub(crate) fn new(
        settings: Arc<Settings>,
        credentials: Credentials,
        clock: Clock,
        rng: fastrand::Rng,
    ) -> Result<Self, SimError> {
        let (life_ms, scopes) = (settings.token_life_ms, settings.scopes.clone());
        Ok(Self {
            world: World::new(Arc::clone(&settings), clock.clone())?,
            tokens: Tokens::new(credentials, life_ms, scopes, rng),
            faults: FaultBoard::new(&settings, clock.clone()),
            sessions: BTreeMap::new(),
            load: Counter::default(),
            down_until_ms: None,
            conn_last: 0,
            settings,
            clock,
        })
    }

    /// A connection arrives; `false`: it is reset.
    pub(crate) fn admit(&mut self) -> bool {
        self.load.count(self.clock.now_ms(), Call::Connection);
        let is_down = self.is_down();
        if is_down {
            self.fault_on_turned_away();
        }
        !is_down
    }

    /// The answer to a client's message.
    pub(crate) fn answer(&mut self, conn: u64, payload: &[u8]) -> String {
        match message::decode(payload) {
            ClientMessage::Subscribe(wish) => self.subscribe(conn, wish),
            ClientMessage::Unsubscribe => message::unsubscribed(self.unsubscribe(conn).as_deref()),
            ClientMessage::Ping => "{\"type\":\"pong\"}".to_owned(),
            ClientMessage::Refused(code) => message::error(code, None),
        }
    }

    /// A stream was opened.
    pub(crate) fn open_session(&mut self) -> u64 {
        self.conn_last += 1;
        self.sessions.insert(self.conn_last, Session::default());
        self.conn_last
    }

    /// The next thing to do with a stream.
    pub(crate) fn take_command(&mut self, conn: u64) -> Option<Command> {
        self.sessions.get_mut(&conn)?.commands.pop_front()
    }

    /// Whether there is something to do with a stream that cannot wait for a slow reader.
    pub(crate) fn must_break(&self, conn: u64) -> bool {
        let commands = self.sessions.get(&conn).map(|session| &session.commands);
        commands.is_some_and(|commands| {
            commands.iter().any(|command| !matches!(command, Command::Say(_)))
        })
    }

    /// Ends what a stream serves, now; how it ended is known when the socket is gone.
    pub(crate) fn cut(&mut self, conn: u64, command: Command) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        session.is_cut = true;
        session.commands.push_back(command);
        if let Some(number) = session.subscription {
            let now_us = self.clock.wall_us();
            let subscription = &mut self.world.recorder.subscriptions[number];
            subscription.ended_us = Some(now_us);
            subscription.end = SubscriptionEnd::Broken;
            self.world.recorder.save_subscription(number);
        }
    }

    /// A stream's subscription ended by the client's will.
    pub(crate) fn unsubscribe(&mut self, conn: u64) -> Option<String> {
        let session = self.sessions.get_mut(&conn)?;
        let number = session.subscription.take()?;
        let id = std::mem::take(&mut session.id);
        self.end_subscription(number, SubscriptionEnd::Left);
        Some(id)
    }

    /// A stream's socket is gone.
    pub(crate) fn close_session(&mut self, conn: u64, end: SubscriptionEnd) {
        let Some(session) = self.sessions.remove(&conn) else { return };
        if let Some(number) = session.subscription {
            self.end_subscription(number, end);
        }
        self.fault_on_gone(conn);
    }

    fn end_subscription(&mut self, number: usize, end: SubscriptionEnd) {
        let now_us = self.clock.wall_us();
        let recorder = &mut self.world.recorder;
        let subscription = &mut recorder.subscriptions[number];
        subscription.ended_us.get_or_insert(now_us);
        subscription.end = end;
        if end == SubscriptionEnd::Closed {
            subscription.confirmed = subscription.delivered;
        }
        recorder.save_subscription(number);
    }

    /// The heartbeat of a stream, and the payload of the ping that follows it.
    pub(crate) fn heartbeat(&mut self, conn: u64) -> (String, [u8; 16]) {
        let Some(session) = self.sessions.get(&conn) else {
            return (message::heartbeat(None), [0; 16]);
        };
        let number = session.subscription.unwrap_or(usize::MAX) as u64;
        let mut served = None;
        if session.subscription.is_some() && self.settings.numbering.is_positioned() {
            let is_before = session.is_muted || session.cursor < session.first;
            served = Some(if is_before {
                session.start
            } else {
                self.world.served_through(session.cursor).max(session.start)
            });
        }
        let mut payload = [0; 16];
        payload[..8].copy_from_slice(&number.to_be_bytes());
        payload[8..].copy_from_slice(&session.cursor.to_be_bytes());
        self.fault_on_heartbeat(conn);
        (message::heartbeat(served), payload)
    }

    /// The client answered a ping: it has read everything before it.
    pub(crate) fn pong(&mut self, payload: &[u8]) {
        let Some((number, cursor)) = payload.split_first_chunk::<8>() else { return };
        let Ok(cursor) = cursor.try_into().map(u64::from_be_bytes) else { return };
        let number = usize::try_from(u64::from_be_bytes(*number)).unwrap_or(usize::MAX);
        if let Some(subscription) = self.world.recorder.subscriptions.get_mut(number) {
            let read = cursor.min(subscription.delivered);
            subscription.confirmed = subscription.confirmed.max(read);
        }
    }

    /// How a position is told on this vendor.
    pub(crate) fn place(&self, sequence: Option<u64>) -> Place<'_> {
        self.settings.numbering.is_positioned().then(|| (self.world.epoch_name(), sequence))
    }
}

//! A Genesys Cloud account as a source: opens, asks and reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use unbroken_core::connector::{
    Capabilities, Connector, Decoded, Failure, HistoryPage, Item, Page, Paging, SnapshotKind,
};
use unbroken_core::ids::{Key, StreamId};
use unbroken_core::machine::{Fetch, Past};

use crate::genesys::channel::{Channel, Subscribed};
use crate::genesys::client::{Client, NOT_FOUND, fatal, retry};
use crate::genesys::config::GenesysConfig;
use crate::genesys::conversation::{Wanted, queues_of};
use crate::genesys::evictions::Evictions;
use crate::genesys::line::{Line, Look, Seat};
use crate::genesys::pool::Pool;
use crate::genesys::roster::{Post, Roster, RosterError};
use crate::genesys::topic::Kind;
use crate::genesys::{bulk, conversation, event, snapshot};
use crate::polling::status;
use crate::secret::Secret;
use crate::source_keys::SourceHandle;
use crate::transport::{Dialer, Origin, Socket, SocketLimits, TransportError};

/// Calls beside the handshake: the channel is made (or looked at), its subscriptions are looked at,
/// and the one before it is given up. One more for each part of the topics.
const CALLS_BESIDE: usize = 3;

/// A channel is left when this part of its life is over, in percent; the streams of a source leave
/// one after another, between this …
const ROTATE_PERCENT: u32 = 75;
/// … and so many percent later. What is left is far more than the minute that the vendor gives.
const STAGGER_PERCENT: u32 = 15;

/// What it is put together from.
pub(crate) struct Parts<'a> {
    pub(crate) name: &'a str,
    pub(crate) config: GenesysConfig,
    pub(crate) client: Client,
    pub(crate) dialer: Dialer,
    pub(crate) stream_origin: Origin,
    pub(crate) limits: SocketLimits,
    pub(crate) keys: SourceHandle,
}

/// See the module.
pub(crate) struct Genesys {
    config: GenesysConfig,
    client: Client,
    dialer: Dialer,
    stream_origin: Origin,
    limits: SocketLimits,
    keys: SourceHandle,
    roster: Mutex<Roster>,
    pool: Pool,
    evictions: Mutex<Evictions>,
}

impl Genesys {
    /// Lays the topics out.
    ///
    /// # Errors
    /// See [`RosterError`].
    pub(crate) fn new(parts: Parts<'_>) -> Result<Self, RosterError> {
        let Parts { name, config, client, dialer, stream_origin, limits, keys } = parts;
        let roster = Roster::new(name, &config, &keys.keys())?;
        let window = Duration::from_millis(config.evictions_window_ms);
        let evictions = Mutex::new(Evictions::new(config.evictions_max, window));
        let (roster, pool) = (Mutex::new(roster), Pool::default());
        Ok(Self { config, client, dialer, stream_origin, limits, keys, roster, pool, evictions })
    }

    /// Its streams.
    pub(crate) fn streams(&self) -> Vec<StreamId> {
        self.roster().posts().iter().map(|post| post.stream.clone()).collect()
    }

    /// The first of each kind.
    pub(crate) fn kinds(&self) -> Vec<StreamId> {
        let roster = self.roster();
        let mut posts: Vec<&Post> = roster.posts().iter().collect();
        posts.dedup_by_key(|post| post.kind);
        posts.into_iter().map(|post| post.stream.clone()).collect()
    }

    /// What each of them can do.
    pub(crate) fn capabilities(&self) -> BTreeMap<StreamId, Capabilities> {
        let roster = self.roster();
        let of = |post: &Post| {
            let mut capabilities = self.client.connector.capabilities().clone();
            capabilities.history = self.config.history_of(post.kind);
            if post.kind != Kind::Adherence {
                capabilities.snapshot = SnapshotKind::None;
            } else if post.is_by_listing() {
                // Agents may move from one listing to the other between two answers.
                let is_one = post.topics().len() == 1;
                capabilities.paging = if is_one { Paging::None } else { Paging::Offset };
            }
            (post.stream.clone(), capabilities)
        };
        roster.posts().iter().map(of).collect()
    }

    /// Whether these agents could be recorded in place of those of now.
    ///
    /// # Errors
    /// See [`RosterError`].
    pub(crate) fn weigh(&self, keys: &[Key]) -> Result<(), RosterError> {
        self.roster().weigh(&self.config, keys)
    }

    /// Requests that opening a socket takes.
    pub(crate) fn requests_per_handshake(&self) -> u32 {
        let parts = |post: &Post| post.topics().len().div_ceil(self.config.topics_per_request_max);
        let parts = self.roster().posts().iter().map(parts).max().unwrap_or_default();
        u32::try_from(CALLS_BESIDE + parts).unwrap_or(u32::MAX)
    }

    /// Requests that a snapshot of every stream takes.
    pub(crate) fn requests_per_audit(&self) -> usize {
        let users_max = self.config.users_per_request_max;
        let asked = |post: &Post| match post.kind {
            Kind::Adherence if post.is_by_listing() => post.topics().len(),
            Kind::Adherence => post.keys().len().div_ceil(users_max),
            _ => 0,
        };
        self.roster().posts().iter().map(asked).sum()
    }

    /// Reads a frame of a stream.
    pub(crate) fn decode(&self, stream: &StreamId, frame: &Bytes) -> Decoded {
        let kind = self.roster().post(stream).map(|post| post.kind);
        let Some(kind) = kind else { return Decoded::default() };
        let is_wanted = |key: &Key| self.is_wanted(kind, key);
        let mut decoded = event::decode(&self.client.connector, kind, frame, is_wanted);
        for item in &mut decoded.items {
            if let Item::Closing { within_ms } = item {
                within_ms.get_or_insert(self.config.closing_notice_ms);
            }
        }
        decoded
    }

    /// Of agents, those that are listed, if any are; conversations are chosen by their topics.
    fn is_wanted(&self, kind: Kind, key: &Key) -> bool {
        let keys = self.keys.keys();
        kind == Kind::Conversations || keys.is_empty() || keys.binary_search(key).is_ok()
    }

    /// Opens a socket on a channel that is subscribed to the stream's topics.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub(crate) async fn open(
        self: &Arc<Self>,
        stream: &StreamId,
        token: Option<&Secret>,
    ) -> Result<Line, Failure> {
        self.evictions().weigh(stream, Instant::now())?;
        let room = self.pool.room(stream, self.config.channels_max);
        let _room = room.ok_or_else(|| retry("all channels are in use: others hand over"))?;
        let topics = self.topics(stream)?;
        let (seat, subscribed) = match self.known_channel(stream, &topics, token).await? {
            Some(known) => known,
            None => self.new_channel(stream, &topics, token).await?,
        };
        let socket = self.socket(stream, &seat).await?;
        let left_out = self.roster().left_out(stream);
        let missing = subscribed.missing + left_out;
        let why = subscribed.why.or_else(|| {
            (left_out > 0).then(|| "no room in the channels: restart to lay them out anew".into())
        });
        let dark = (missing > 0).then_some(Item::Dark { keys: missing, why });
        let confirms = dark.into_iter().chain([Item::Ack { position: None }]).collect();
        let rotation = Box::pin(tokio::time::sleep(self.rotation(stream, seat.channel())));
        Ok(Line {
            socket,
            stream: stream.clone(),
            seat,
            genesys: Arc::clone(self),
            token: token.cloned(),
            confirms: Some(confirms),
            rotation: Some(rotation),
            topics: (missing == 0).then(|| topics.into()),
            look: self.rest(),
        })
    }

    /// A channel whose socket was lost, if it is still what it was.
    async fn known_channel(
        &self,
        stream: &StreamId,
        topics: &[String],
        token: Option<&Secret>,
    ) -> Result<Option<(Seat, Subscribed)>, Failure> {
        let Some(channel) = self.pool.idle(stream) else { return Ok(None) };
        let seat = Seat::take(&channel);
        let has = match channel.is_there(&self.client, token).await? {
            true if !channel.is_reusable() => {
                self.pool.forget(stream, &channel);
                return Ok(None);
            }
            true => channel.has(&self.client, topics, token).await?,
            // Also of one that could not be used again: somebody may be taking them away.
            false => None,
        };
        match has {
            Some(true) => Ok(Some((seat, Subscribed::default()))),
            Some(false) => {
                let subscribed = self.subscribe(stream, &channel, topics, token).await?;
                Ok(Some((seat, subscribed)))
            }
            None => {
                self.note_gone(stream, &channel);
                self.evictions().weigh(stream, Instant::now())?;
                Ok(None)
            }
        }
    }

    async fn new_channel(
        &self,
        stream: &StreamId,
        topics: &[String],
        token: Option<&Secret>,
    ) -> Result<(Seat, Subscribed), Failure> {
        let life_max = Duration::from_millis(self.config.channel_life_ms);
        let made = Channel::make(&self.client, &self.stream_origin, life_max, token).await?;
        let channel = Arc::new(made);
        let seat = Seat::take(&channel);
        self.pool.add(stream, &channel);
        let subscribed = self.subscribe(stream, &channel, topics, token).await?;
        Ok((seat, subscribed))
    }

    async fn subscribe(
        &self,
        stream: &StreamId,
        channel: &Arc<Channel>,
        topics: &[String],
        token: Option<&Secret>,
    ) -> Result<Subscribed, Failure> {
        let per_request = self.config.topics_per_request_max;
        let subscribed = channel.subscribe(&self.client, topics, per_request, token).await;
        match subscribed {
            Err(failure) if failure.code == Some(NOT_FOUND) => {
                self.note_gone(stream, channel);
                Err(retry("channel is gone before it was used"))
            }
            other => other,
        }
    }

    async fn socket(&self, stream: &StreamId, seat: &Seat) -> Result<Socket, Failure> {
        const UNAUTHORIZED: u16 = 401;
        let channel = seat.channel();
        let opened =
            Socket::open(&self.dialer, &channel.origin, &channel.handshake, &[], self.limits);
        let opened = self.client.tally.handshake(opened.await);
        // The address is a secret: only the origin is told.
        let place = format!("a channel at {}", channel.origin);
        let error = match opened {
            Ok(socket) => {
                channel.note_open();
                return Ok(socket);
            }
            Err(error) => error,
        };
        let TransportError::Refused { status: code, retry_after_ms, body } = &error else {
            return Err(error.failure_at(&place));
        };
        match *code {
            NOT_FOUND => {
                self.note_gone(stream, channel);
                Err(retry("channel is gone (HTTP 404 at the handshake)"))
            }
            code => {
                if code == UNAUTHORIZED {
                    self.pool.forget(stream, channel);
                }
                let failure = status(&self.client.connector, code, *retry_after_ms, body);
                Err(Failure {
                    what: format!("{} of {place}", failure.what).as_str().into(),
                    ..failure
                })
            }
        }
    }

    /// The streams leave their channels one after another.
    fn rotation(&self, stream: &StreamId, channel: &Channel) -> Duration {
        let roster = self.roster();
        let count = u32::try_from(roster.posts().len()).unwrap_or(1).max(1);
        let at = roster.posts().iter().position(|post| post.stream == *stream).unwrap_or_default();
        let at = u32::try_from(at).unwrap_or_default();
        channel.until(ROTATE_PERCENT + STAGGER_PERCENT * at / count)
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Until a channel is looked at again.
    pub(super) fn rest(&self) -> Look {
        let rest = Duration::from_millis(self.config.channel_look_ms);
        Look::Resting(Box::pin(tokio::time::sleep(rest)))
    }

    /// Gives a channel up.
    pub(super) async fn release(
        &self,
        stream: &StreamId,
        channel: &Arc<Channel>,
        token: Option<&Secret>,
    ) {
        self.pool.forget(stream, channel);
        if !channel.release(&self.client, token).await && channel.is_due() {
            self.evictions().note(stream, Instant::now());
        }
    }

    pub(super) fn note_gone(&self, stream: &StreamId, channel: &Arc<Channel>) {
        self.pool.forget(stream, channel);
        if channel.is_due() {
            self.evictions().note(stream, Instant::now());
        }
    }

    /// Gets a page of a stream's snapshot; where `only` some are asked for, of those.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub(crate) async fn fetch(
        &self,
        stream: &StreamId,
        what: &Fetch,
        only: Option<&[Key]>,
        token: Option<&Secret>,
    ) -> Result<Page, Failure> {
        let (kind, topics, keys) = {
            let roster = self.roster();
            let post = roster.post(stream).ok_or_else(|| fatal("there is no such stream"))?;
            (post.kind, post.is_by_listing().then(|| post.topics()), post.keys())
        };
        if kind != Kind::Adherence {
            return Err(fatal("there is no snapshot of these topics"));
        }
        let is_wanted = |key: &Key| self.is_wanted(kind, key);
        match (topics, only) {
            (Some(topics), None) => {
                snapshot::listing(&self.client, what, &topics, is_wanted, token).await
            }
            (topics, only) => {
                // Of users, a stream is for some; of units, for all of theirs.
                let is_ours = |key: &&Key| topics.is_some() || keys.binary_search(key).is_ok();
                let asked = only.map(|only| only.iter().filter(is_ours).cloned().collect());
                let (asked, most) =
                    (asked.unwrap_or(keys.clone()), self.config.users_per_request_max);
                snapshot::users(&self.client, what, &asked, most, token).await
            }
        }
    }

    /// Asks what is known of a part of the past.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub(crate) async fn history(
        &self,
        stream: &StreamId,
        what: &Past,
        token: Option<&Secret>,
    ) -> Result<HistoryPage, Failure> {
        let (kind, topics, users) = {
            let roster = self.roster();
            let post = roster.post(stream).ok_or_else(|| fatal("there is no such stream"))?;
            (post.kind, post.topics(), post.keys())
        };
        if kind == Kind::Conversations {
            let queues = queues_of(&topics);
            let wanted = Wanted { users: &users, queues: &queues };
            return conversation::ask(&self.client, what, &wanted, token).await;
        }
        let is_wanted = |key: &Key| self.is_wanted(kind, key);
        bulk::ask(&self.client, what, &self.config, is_wanted, token).await
    }

    fn topics(&self, stream: &StreamId) -> Result<Vec<String>, Failure> {
        let mut roster = self.roster();
        roster.follow(&self.keys.keys());
        let post = roster.post(stream).ok_or_else(|| fatal("there is no such stream"))?;
        Ok(post.topics())
    }

    fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn evictions(&self) -> MutexGuard<'_, Evictions> {
        self.evictions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Genesys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Genesys").field("config", &self.config).finish_non_exhaustive()
    }
}

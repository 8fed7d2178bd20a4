//! A source: the user's configuration and the profile, ready to speak to the vendor.

mod bare;
mod opening;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use unbroken_core::bookmark::After;
use unbroken_core::connector::{
    Ack, Capabilities, Class, Connector, Decoded, Failure, HistoryPage, Item, Page, SnapshotBody,
    SnapshotKind,
};
use unbroken_core::ids::{ConnId, Key, Label, StreamId};
use unbroken_core::machine::{Budget, Config, Fetch, Message, Past, Start, Timing};

use crate::auth::{Authorizer, Granted};
use crate::capture::{Recorder, Redaction, SourceRecorder};
use crate::config::{Limits, SourceConfig};
use crate::discovery::Places;
use crate::driver::Joining;
use crate::generic::{Context, Generic, Reply, TemplateError};
use crate::genesys::Genesys;
use crate::polling::{Share, refused};
use crate::secret::Secret;
pub use crate::source_error::SourceError;
use crate::source_keys::Keys;
pub use crate::source_keys::SourceHandle;
use crate::source_parts::{
    Ground, agents, authorizer, connector, dialer, divided, origins, paced, place_in_region,
};
use crate::tally::Tally;
use crate::transport::{Answer, Dialer, Ended, Http, Origin, Told};

/// A source, ready to speak to the vendor.
#[derive(Debug)]
pub struct Source {
    name: String,
    streams: Vec<StreamId>,
    /// Which of them is looked at by itself.
    focus: usize,
    /// What single streams can do, where that differs.
    special: BTreeMap<StreamId, Capabilities>,
    connector: Arc<Generic>,
    places: Places,
    /// Opens, asks and reads in the profile's place.
    genesys: Option<Arc<Genesys>>,
    allowed_hosts: Vec<String>,
    stream_origin: Origin,
    authorizer: Option<Authorizer>,
    dialer: Dialer,
    http: Http,
    timing: Timing,
    start: Start,
    budget: Budget,
    questions: Option<Arc<Share>>,
    limits: Limits,
    keys: Arc<Keys>,
    tally: Arc<Tally>,
    provenance: (Option<String>, bool),
    dropped: Vec<String>,
    capture: Option<SourceRecorder>,
}

impl Source {
    /// Checks everything that can be checked without the network.
    ///
    /// # Errors
    /// See [`SourceError`].
    pub fn new(mut config: SourceConfig) -> Result<Self, SourceError> {
        let name = config.name.clone();
        let keys = agents(&name, &config)?;
        let provenance = config.profile.provenance();
        let dropped = config.fields.drop.iter().chain(&config.fields.hash).cloned().collect();
        let connector = connector(&name, &config, !keys.is_empty())?;
        place_in_region(&name, &mut config, connector.native())?;
        let (places, stream_origin) = origins(&name, &config, &connector)?;
        let mut timing = paced(&name, config.timing.timing.clone(), &connector)?;
        let (mut budget, questions) =
            divided(&name, config.budget.over(config.timing.budget), &connector)?;
        let start = config
            .start
            .meant(connector.capabilities(), connector.position_format())
            .map_err(|source| SourceError::Start { name: name.clone(), source })?;
        if places.base().is_none() && connector.reads_pages() {
            return Err(SourceError::NoApi { name });
        }
        let authorizer = authorizer(&name, &config, &connector, places.base())?;
        let encrypted = stream_origin.is_encrypted()
            || places.are_encrypted()
            || authorizer.as_ref().is_some_and(Authorizer::is_encrypted);
        let dialer = dialer(&name, &config, encrypted)?;
        let http = Http::new(dialer.clone(), config.limits.body_bytes_max);
        let keys = Arc::new(Keys::new(&config, keys));
        let (connector, tally) = (Arc::new(connector), Arc::new(Tally::default()));
        let ground = Ground {
            config: &config,
            connector: &connector,
            http: &http,
            dialer: &dialer,
            api: places.base(),
            stream_origin: &stream_origin,
            keys: &keys,
            tally: &tally,
        };
        let genesys = ground.genesys(&mut timing, &mut budget)?;
        let streams = match &genesys {
            Some(genesys) => genesys.streams(),
            None => vec![StreamId::new(format!("{name}/{}", connector.stream_name()))],
        };
        tally.follow(&streams);
        Ok(Self {
            streams,
            focus: 0,
            special: genesys.as_ref().map(|of| of.capabilities()).unwrap_or_default(),
            genesys,
            budget,
            questions,
            timing,
            start,
            limits: config.limits,
            name,
            connector,
            places,
            allowed_hosts: config.allowed_hosts,
            stream_origin,
            authorizer,
            dialer,
            http,
            keys,
            tally,
            provenance,
            dropped,
            capture: None,
        })
    }

    /// Captures from now on what is said.
    pub fn record(&mut self, recorder: Arc<Recorder>) {
        let read = self.connector.profile().member_names().into_iter();
        let rules = self.dropped.iter().map(String::as_str);
        let redaction = Redaction::new(rules, read);
        let keyed = !self.handle().keys().is_empty();
        let part =
            SourceRecorder::new(recorder, &self.name, self.provenance.clone(), keyed, redaction);
        self.capture = Some(part);
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its streams; there is one at least.
    pub fn streams(&self) -> &[StreamId] {
        &self.streams
    }

    /// The stream that is looked at: of nearly all sources the only one, else the first, unless
    /// another was chosen.
    pub fn stream(&self) -> &StreamId {
        &self.streams[self.focus]
    }

    /// One stream of each kind: of the others the same can be said.
    pub fn kinds(&self) -> Vec<StreamId> {
        match &self.genesys {
            Some(genesys) => genesys.kinds(),
            None => self.streams.clone(),
        }
    }

    /// Looks at another of its streams.
    pub fn look_at(&mut self, stream: &StreamId) {
        self.focus = self.streams.iter().position(|one| one == stream).unwrap_or(self.focus);
    }

    /// The connector.
    pub fn connector(&self) -> &Generic {
        &self.connector
    }

    /// What a machine for it is made from.
    pub fn machine_config(&self, seed: u64) -> Config {
        Config {
            streams: self.streams.clone(),
            capabilities: self.connector.capabilities().clone(),
            special: self.special.clone(),
            timing: self.timing.clone(),
            start: self.start.clone(),
            budget: self.budget,
            seed,
        }
    }

    /// What it declares of the stream that is looked at.
    pub(crate) fn capabilities(&self) -> &Capabilities {
        self.special.get(self.stream()).unwrap_or(self.connector.capabilities())
    }

    pub(crate) fn timing(&self) -> &Timing {
        &self.timing
    }

    pub(crate) fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    pub(crate) fn places(&self) -> &Places {
        &self.places
    }

    pub(crate) fn http(&self) -> &Http {
        &self.http
    }

    pub(crate) fn api_origin(&self) -> Option<Origin> {
        self.places.known_api().filter(|_| self.connector.reads_pages())
    }

    pub(crate) fn stream_origin(&self) -> &Origin {
        &self.stream_origin
    }

    pub(crate) fn token_origin(&self) -> Option<Origin> {
        self.authorizer.as_ref().and_then(|authorizer| self.places.known_token(authorizer))
    }

    /// The scope that tokens are asked for.
    pub(crate) fn scope(&self) -> Option<&str> {
        self.authorizer.as_ref().and_then(Authorizer::scope)
    }

    /// Streams of which a snapshot of their keys' state may be taken at all.
    pub fn snapshots(&self) -> Vec<StreamId> {
        let config = self.machine_config(0);
        let has_one = |stream: &&StreamId| {
            let mut caps = config.capabilities_of(stream).clone();
            self.start.restrict(&mut caps);
            caps.snapshot != SnapshotKind::None && caps.snapshot_body == SnapshotBody::State
        };
        self.streams.iter().filter(has_one).cloned().collect()
    }

    /// Its bounds.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// Changes its keys while it runs.
    pub fn handle(&self) -> SourceHandle {
        SourceHandle(Arc::clone(&self.keys))
    }

    /// What it has asked the vendor for, counted while it runs.
    pub fn tally(&self) -> Arc<Tally> {
        Arc::clone(&self.tally)
    }

    /// Reads a frame of a connection, and captures it where that is asked for.
    pub(crate) fn hear(&self, stream: &StreamId, conn: ConnId, frame: &Bytes) -> Decoded {
        let decoded = self.decode_of(stream, frame);
        if let Some(capture) = &self.capture {
            let strange = |item: &Item| {
                matches!(item, Item::Unknown | Item::Poison { .. } | Item::Withheld { .. })
            };
            capture.frame(conn, frame, !decoded.items.iter().any(strange));
        }
        decoded
    }

    /// Reads what a connection tells beside frames.
    pub(crate) fn hear_told(&self, stream: &StreamId, conn: ConnId, told: Told) -> Decoded {
        told_as(told, |frame| self.hear(stream, conn, frame))
    }

    /// A message is on its way.
    pub(crate) fn said(&self, conn: ConnId, text: &str) {
        if let Some(capture) = &self.capture {
            capture.sent(conn, text);
        }
    }

    /// A connection has ended.
    pub(crate) fn lost(&self, conn: ConnId, ended: &Ended) {
        if let Some(capture) = &self.capture {
            capture.closed(conn, ended);
        }
    }

    /// Reads a frame of the first stream.
    pub fn decode(&self, frame: &Bytes) -> Decoded {
        self.decode_of(self.stream(), frame)
    }

    fn decode_of(&self, stream: &StreamId, frame: &Bytes) -> Decoded {
        let decoded = match &self.genesys {
            Some(genesys) => genesys.decode(stream, frame),
            None => self.connector.decode_for(frame, || self.handle().keys()),
        };
        self.tally.frame(stream, &decoded);
        decoded
    }

    /// Asks for a token.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub async fn authorize(&self) -> Result<Granted, Failure> {
        let authorizer = self.authorizer()?;
        let (http, deadline) = (&self.http, millis(self.timing.token_ms));
        let granted = self.places.authorize(authorizer, http, deadline).await;
        if let (Some(capture), Ok(granted)) = (&self.capture, &granted) {
            capture.know(Some(&granted.token));
        }
        self.tally.token(granted)
    }

    /// Gets a page or the head. Where the profile asks per key (`{{ keys }}`), `only` are asked for
    /// in place of all; else the answer may have rows of others too.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub async fn fetch(
        &self,
        what: &Fetch,
        only: Option<&[Key]>,
        token: Option<&Secret>,
    ) -> Result<Page, Failure> {
        self.fetch_of(self.stream(), what, only, token).await
    }

    /// The same of one of its streams.
    pub(crate) async fn fetch_of(
        &self,
        stream: &StreamId,
        what: &Fetch,
        only: Option<&[Key]>,
        token: Option<&Secret>,
    ) -> Result<Page, Failure> {
        match &self.genesys {
            Some(genesys) => genesys.fetch(stream, what, only, token).await,
            None => self.page_judged(what, only, token).await,
        }
    }

    async fn page_judged(
        &self,
        what: &Fetch,
        only: Option<&[Key]>,
        token: Option<&Secret>,
    ) -> Result<Page, Failure> {
        let page = match self.places.api(&self.http).await {
            Ok(_) => self.places.visit().judge(self.page(what, only, token).await),
            Err(failure) => Err(failure),
        };
        if let Some(questions) = &self.questions {
            questions.obey(&page);
        }
        self.tally.request(page)
    }

    /// Asks what the vendor's history tells of a part of the past.
    pub(crate) async fn history_of(
        &self,
        stream: &StreamId,
        what: &Past,
        token: Option<&Secret>,
    ) -> Result<HistoryPage, Failure> {
        match &self.genesys {
            Some(genesys) => genesys.history(stream, what, token).await,
            None => Err(fatal("source has no history")),
        }
    }

    async fn page(
        &self,
        what: &Fetch,
        only: Option<&[Key]>,
        token: Option<&Secret>,
    ) -> Result<Page, Failure> {
        let (path, answer) = self.ask(what, only, token).await?;
        self.read(what, &path, &answer)
    }

    /// Gets an answer, whatever it is; with the path that it came from, fit for logs.
    pub(crate) async fn ask(
        &self,
        what: &Fetch,
        only: Option<&[Key]>,
        token: Option<&Secret>,
    ) -> Result<(String, Answer), Failure> {
        let api = self.places.api(&self.http).await?;
        let (origin, request) = self.page_request(&api, what, only, token)?;
        let deadline = millis(self.timing.page_ms);
        let place = format!("{origin}{}", request.path());
        let answer = self.http.send(&origin, &request, deadline).await;
        let answer = answer.map_err(|error| error.failure_at(&place))?;
        Ok((place, answer))
    }

    /// Reads such an answer; `place` names where it came from.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub fn read(&self, what: &Fetch, place: &str, answer: &Answer) -> Result<Page, Failure> {
        let header = |name: &str| answer.header(name);
        let reply = Reply { status: answer.status, body: &answer.body, header: &header };
        let page = self
            .connector
            .is_page(what, answer.status)
            .then(|| self.connector.page_of(what, reply, &self.handle().keys()));
        if let Some(capture) = &self.capture {
            let names = self.connector.profile().header_names().into_iter();
            let headers = names.filter_map(|name| Some((header(&name)?, name)));
            let headers = headers.map(|(value, name)| (name, value)).collect();
            let understood = page.as_ref().is_some_and(Result::is_ok);
            let asked = (place, answer.status);
            capture.page(what, asked, headers, (&answer.body, understood));
        }
        if let Some(page) = page {
            return page.map_err(|failure| not_understood(failure, &answer.body, place));
        }
        Err(refused(&self.connector, answer, place))
    }

    /// A message's text; `None`: there is none.
    ///
    /// # Errors
    /// If the profile names a value that is not there.
    pub fn message(
        &self,
        message: &Message,
        subscription: Option<&Label>,
        token: Option<&Secret>,
    ) -> Result<Option<String>, TemplateError> {
        let keys = self.handle().keys();
        let nonce = nonce();
        let subscription = subscription.map(Label::as_str);
        let context =
            Context { keys: &keys, nonce: &nonce, subscription, token, ..Context::default() };
        self.connector.message(message, context)
    }

    /// The messages of a subscription: one, or as many as the keys need.
    ///
    /// # Errors
    /// If the profile names a value that is not there.
    pub fn subscriptions(
        &self,
        after: Option<&After>,
        token: Option<&Secret>,
    ) -> Result<Vec<String>, TemplateError> {
        let keys = self.handle().keys();
        let nonce = nonce();
        let context = Context { keys: &keys, nonce: &nonce, token, ..Context::default() };
        if self.genesys.is_some() {
            // The channel is subscribed before its socket is opened.
            return Ok(Vec::new());
        }
        self.connector.subscriptions(after, context)
    }

    /// The message that hands a renewed token over on an open socket; `None`: there is none.
    ///
    /// # Errors
    /// If the profile names a value that is not there.
    pub fn renewal(&self, token: &Secret) -> Result<Option<String>, TemplateError> {
        let nonce = nonce();
        let context = Context { nonce: &nonce, token: Some(token), ..Context::default() };
        self.connector.renewal(context)
    }

    /// Whether connections ask by themselves, so that a renewed token has to be handed to them.
    pub(crate) fn asks_by_itself(&self) -> bool {
        self.connector.polls() || self.genesys.is_some()
    }

    /// What joins the confirmations of a subscription that was sent in so many messages.
    pub(crate) fn joining(&self, messages: usize) -> Joining {
        if self.connector.capabilities().ack == Ack::None {
            return Joining::default();
        }
        let listed = self.connector.names_covered_keys();
        let wanted = if listed { self.handle().keys().len() } else { 0 };
        Joining::new(messages, (wanted * messages.saturating_sub(1)) as u64)
    }

    /// What the end of a socket calls for.
    pub fn ended(&self, ended: &Ended) -> Failure {
        if let Some(failure) = &ended.failure {
            return failure.clone();
        }
        let what = match ended.code {
            Some(code) => format!("{} ({code})", ended.what),
            None => ended.what.clone(),
        };
        self.connector.classify_close(ended.code, &what)
    }
}

fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// An answer that the profile cannot read. A page for people instead of an answer for programs has
/// causes of its own.
pub(crate) fn not_understood(failure: Failure, body: &[u8], place: &str) -> Failure {
    let is_html = body.trim_ascii_start().first() == Some(&b'<');
    let what = match is_html {
        true => format!(
            "answer of {place} is HTML, not JSON: a page for people, perhaps of a login or a \
             proxy; check `api`"
        ),
        false => format!("{} of {place}", failure.what),
    };
    Failure { what: Label::new(what), ..failure }
}

/// An answer's frame, with what it confirms before it and its place behind it.
pub(crate) fn told_as(told: Told, mut read: impl FnMut(&Bytes) -> Decoded) -> Decoded {
    let Told { mut before, frame, behind } = told;
    let mut decoded = frame.as_ref().map(&mut read).unwrap_or_default();
    before.append(&mut decoded.items);
    before.extend(behind);
    Decoded { items: before, ..decoded }
}

/// Tells requests and connections apart; no secret.
pub(crate) fn nonce() -> String {
    format!("{:016x}", fastrand::u64(..))
}

fn retry(what: &str) -> Failure {
    Failure { class: Class::Retry { after_ms: None }, code: None, what: what.into() }
}

pub(crate) fn fatal(what: &str) -> Failure {
    Failure { class: Class::Fatal, code: None, what: what.into() }
}

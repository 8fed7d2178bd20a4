//! A profile made ready for use: every template parsed, every pointer compiled.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use toml::Table;
use unbroken_core::bookmark::{After, Bookmark};
use unbroken_core::connector::{
    Ack, Capabilities, Connector, Decoded, Failure, Floor, Item, Numbering, Page, Replay,
    SnapshotKind,
};
use unbroken_core::ids::{Key, Label};
use unbroken_core::machine::{Fetch, Message};

use crate::generic::classify::Classifier;
use crate::generic::cursor::Cursor;
use crate::generic::digest::Digester;
use crate::generic::fields::{FieldRules, NotJson};
use crate::generic::keeping::Keeping;
use crate::generic::message::Messages;
use crate::generic::nearest::nearest_key_hint;
use crate::generic::pointer::PointerError;
use crate::generic::poll::{Poll, Turn};
use crate::generic::profile::{Native, PositionFormat, Profile, TokenProfile};
use crate::generic::request::RequestTemplate;
use crate::generic::rest::{Head, Reply, Snapshot};
use crate::generic::template::{TemplateError, Values};
use crate::generic::wire::Wire;
use crate::transport::Request;

/// Why a profile cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No embedded profile has this name.
    #[error("profile `{name}` is not one of the embedded ones")]
    UnknownName {
        /// The name.
        name: String,
    },
    /// The profile's file cannot be read.
    #[error("profile file {path} cannot be read")]
    Unreadable {
        /// Its path.
        path: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The text is no TOML.
    #[error("profile is not valid TOML")]
    NotToml(#[source] toml::de::Error),
    /// `with_keys` is laid over the profile, so it is one.
    #[error("profile has a `with_keys` that is no table")]
    WithKeys,
    /// What is extended is named.
    #[error("profile has an `extends` that is no name")]
    Extends,
    /// A key or value is wrong.
    #[error("profile does not fit")]
    Invalid(#[source] toml::de::Error),
    /// A template is wrong.
    #[error("profile has a wrong template")]
    Template(#[from] TemplateError),
    /// A pointer is wrong.
    #[error("profile has a wrong pointer")]
    Pointer(#[from] PointerError),
    /// A path must begin with a slash: hosts are the user's.
    #[error("profile path `{path}` does not begin with `/`")]
    Path {
        /// The path.
        path: String,
    },
    /// Only reading methods are allowed.
    #[error("profile method `{method}` is neither GET nor POST")]
    Method {
        /// The method.
        method: String,
    },
    /// A status or close code is no number.
    #[error("profile classifies `{code}`, which is no code")]
    Code {
        /// The code.
        code: String,
    },
    /// Capabilities promise positions that the frames do not hold.
    #[error("profile declares positions, but `frames.event.sequence` is missing")]
    NoSequence,
    /// Opaque positions that several events share would make one event of them.
    #[error(
        "profile declares opaque positions that events share, but names one of each event: \
         `frames.bookmark` names what a whole frame has"
    )]
    SharedBookmark,
    /// Answers have places, not numbers.
    #[error("profile is polled, so `position` has to be \"opaque\"")]
    PollNumbered,
    /// What comes again must be known.
    #[error("profile asks with `poll.overlap_ms`, so `event_body` has to be \"state\"")]
    PollOverlap,
    /// An answer is a list.
    #[error("profile is polled, but `frames.event.items` is missing")]
    PollItems,
    /// A reason is in a header.
    #[error("profile has a `classify.reason` that is no `header:` with a name")]
    Reason,
    /// Capabilities promise paging that no request can follow.
    #[error("profile declares paging, but `snapshot.advance` is missing")]
    NoAdvance,
    /// Pages are named by the vendor, but nothing says where.
    #[error("profile advances by what the vendor names, but `snapshot.next` is missing")]
    NoNext,
    /// A token is bound to its socket, or it is not.
    #[error("profile renews the token on the socket, but declares it bound to the socket")]
    RenewBound,
    /// A request has one body.
    #[error("profile request has both a `body` and a `form`")]
    TwoBodies,
    /// Capabilities promise a position that the snapshot does not hold.
    #[error("profile declares a positioned snapshot, but `snapshot.tag` is missing")]
    NoTag,
    /// A snapshot without rows has no place of its own.
    #[error("profile knows an empty snapshot by its status, but `snapshot.empty_tag` is missing")]
    NoEmptyTag,
    /// The place of a snapshot without rows is none.
    #[error("profile has a `snapshot.empty_tag` that is no position, but {found}")]
    EmptyTag {
        /// What it is.
        found: &'static str,
    },
    /// Capabilities promise a snapshot that the profile cannot ask for.
    #[error("profile declares a snapshot, but `[snapshot]` is missing")]
    NoSnapshot,
    /// Capabilities promise a subscription that no message makes.
    #[error("profile declares {what}, but `messages.subscribe.{key}` is missing")]
    NoSubscribe {
        /// The capability.
        what: &'static str,
        /// The missing message.
        key: &'static str,
    },
}

impl ProfileError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownName { name } => {
                let names: Vec<_> = super::embedded_names().collect();
                Some(match super::nearest(name, names.iter().copied()) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => format!("embedded are: {}; or name a `file`", names.join(", ")),
                })
            }
            Self::Invalid(error) | Self::NotToml(error) => nearest_key_hint(&error.to_string()),
            Self::Template(error) => error.hint(),
            Self::Unreadable { .. } => {
                Some("`file` names a TOML file, relative to the configuration".into())
            }
            Self::Path { .. } => Some("hosts are set by `api` and `stream` of the source".into()),
            _ => None,
        }
    }
}

/// A table of a profile that is laid over the rest of it when the subscription names keys.
const WITH_KEYS: &str = "with_keys";

/// What a request or a message is rendered from, beside the profile.
pub type Context<'a> = Values<'a>;

/// See the module.
#[derive(Clone, Debug)]
pub struct Generic {
    profile: Arc<Profile>,
    capabilities: Capabilities,
    stream_name: String,
    position_format: PositionFormat,
    subprotocols: Vec<String>,
    variables: BTreeMap<String, String>,
    token: TokenProfile,
    handshake: RequestTemplate,
    head: Option<Head>,
    snapshot: Option<Snapshot>,
    poll: Option<Poll>,
    messages: Messages,
    wire: Wire,
    classifier: Classifier,
    keeping: Keeping,
}

impl Connector for Generic {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn decode(&self, bytes: &Bytes) -> Decoded {
        self.decode_for(bytes, || [].into())
    }
}

impl Generic {
    /// Reads a frame of a subscription to the `wanted` keys (none: to all).
    pub fn decode_for(&self, bytes: &Bytes, wanted: impl FnOnce() -> Arc<[Key]>) -> Decoded {
        if self.poll.is_none() {
            return self.wire.decode(bytes, &self.classifier, &self.keeping, wanted);
        }
        // Everybody is asked for: the vendor cannot be told whom we want.
        let keys = wanted();
        let mut decoded = self.wire.decode(bytes, &self.classifier, &self.keeping, || [].into());
        let is_wanted = |key: &Key| keys.is_empty() || keys.binary_search(key).is_ok();
        decoded.items.retain(|item| match item {
            Item::Event(event) => is_wanted(&event.key),
            _ => true,
        });
        decoded
    }

    /// A connector from a profile's text with the user's TOML keys laid over it. The profile's
    /// `with_keys` table counts if the subscription will name keys; what the user says wins over
    /// it.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub fn from_toml(text: &str, mut over: Table, keyed: bool) -> Result<Self, ProfileError> {
        let mut table: Table = text.parse().map_err(ProfileError::NotToml)?;
        for with_keys in [table.remove(WITH_KEYS), over.remove(WITH_KEYS)] {
            match with_keys {
                Some(toml::Value::Table(with_keys)) if keyed => {
                    super::merge(&mut table, with_keys);
                }
                Some(toml::Value::Table(_)) | None => {}
                Some(_) => return Err(ProfileError::WithKeys),
            }
        }
        super::merge(&mut table, over);
        let profile: Profile = table.try_into().map_err(ProfileError::Invalid)?;
        Self::new(profile)
    }

    /// A connector from a profile.
    ///
    /// # Errors
    /// See [`ProfileError`].
    pub fn new(profile: Profile) -> Result<Self, ProfileError> {
        let capabilities = coherent(profile.capabilities.clone());
        let (variables, format) = (profile.variables.clone(), profile.position_format);
        let head = match &profile.head {
            Some(head) if capabilities.snapshot == SnapshotKind::Positioned => {
                let opaque = capabilities.position == Numbering::Opaque;
                Some(Head::new(head, opaque, format, &variables)?)
            }
            _ => None,
        };
        let snapshot = match (&profile.snapshot, capabilities.snapshot) {
            (_, SnapshotKind::None) => None,
            _ if profile.native.is_some() => None,
            (None, _) => return Err(ProfileError::NoSnapshot),
            (Some(snapshot), _) => {
                Some(Snapshot::new(snapshot, &capabilities, format, &variables)?)
            }
        };
        let poll = profile.poll.as_ref();
        let poll = poll.map(|poll| Poll::new(&profile, poll, &capabilities)).transpose()?;
        let messages = Messages::new(&profile.messages, &variables)?;
        if poll.is_none() && profile.native.is_none() {
            check_messages(&capabilities, &messages)?;
        }
        if messages.renews() && capabilities.token_bound {
            return Err(ProfileError::RenewBound);
        }
        Ok(Self {
            position_format: format,
            handshake: RequestTemplate::handshake(&profile.stream, &variables)?,
            wire: Wire::new(&profile.frames, &capabilities, format, poll.is_some())?,
            classifier: Classifier::new(&profile.classify, format)?,
            keeping: Keeping::new(Digester::new(&profile.digest)?),
            stream_name: profile.stream.name.clone(),
            subprotocols: profile.stream.subprotocols.clone(),
            token: profile.token.clone(),
            profile: Arc::new(profile),
            capabilities,
            variables,
            head,
            snapshot,
            poll,
            messages,
        })
    }

    /// With the user's field rules, which hold for the payloads of events and rows.
    pub fn with_fields(mut self, rules: FieldRules) -> Self {
        self.keeping.set_rules(rules);
        self
    }

    /// What is kept of a payload, with its digest.
    pub(crate) fn keep(&self, payload: Bytes) -> Result<(u128, Bytes), NotJson> {
        self.keeping.keep(payload)
    }

    /// The digest of a text that stands for a payload.
    pub(crate) fn digest_of(&self, text: &[u8]) -> u128 {
        self.keeping.digest_of(text)
    }

    /// Bytes that could not be understood, as far as they may be kept.
    pub(crate) fn poison(&self, bytes: &Bytes, reason: Label) -> Item {
        self.keeping.poison(bytes, reason)
    }

    /// The connector of its own that it is for, if there is one.
    pub fn native(&self) -> Option<Native> {
        self.profile.native
    }

    /// How the vendor writes positions, unless they are opaque.
    pub fn position_format(&self) -> PositionFormat {
        self.position_format
    }

    /// The profile that it was made from.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The name of the profile's stream.
    pub fn stream_name(&self) -> &str {
        &self.stream_name
    }

    /// Subprotocols to offer in the handshake.
    pub fn subprotocols(&self) -> &[String] {
        &self.subprotocols
    }

    /// Whether it asks for a head or a snapshot.
    pub fn reads_pages(&self) -> bool {
        self.snapshot.is_some() || self.head.is_some()
    }

    /// How tokens are asked for.
    pub fn token(&self) -> &TokenProfile {
        &self.token
    }

    /// The request that gets `what`.
    ///
    /// # Errors
    /// If a value that the profile names is missing or cannot stand in its place.
    pub fn fetch(&self, what: &Fetch, context: Context<'_>) -> Result<Request, Failure> {
        let values = Values { variables: Some(&self.variables), ..context };
        let rendered = match (what, &self.head, &self.snapshot) {
            (Fetch::Head, Some(head), _) => head.request.render(&values),
            (Fetch::Head | Fetch::First, _, Some(snapshot)) => snapshot.request(None, values),
            (Fetch::Next(label), _, Some(snapshot)) => {
                snapshot.request(Some(&Cursor::parse(label)?), values)
            }
            (_, _, None) => return Err(ours("profile has no snapshot")),
        };
        rendered.map_err(|error| ours(&error.to_string()))
    }

    /// The URL of a later page, where the vendor named one: it stands for the request's path and
    /// query, and may be relative to them.
    pub fn next_url(&self, what: &Fetch) -> Option<String> {
        match (what, &self.snapshot) {
            (Fetch::Next(label), Some(snapshot)) => snapshot.url(Cursor::parse(label).ok()?),
            _ => None,
        }
    }

    /// Like [`Self::page_of`], of an answer whose headers do not matter.
    ///
    /// # Errors
    /// If it is not what the profile says.
    pub fn page(&self, what: &Fetch, body: &Bytes, keys: &[Key]) -> Result<Page, Failure> {
        self.page_of(what, Reply { status: 200, body, header: &|_| None }, keys)
    }

    /// Whether an answer with this status can be read.
    pub(crate) fn is_page(&self, what: &Fetch, status: u16) -> bool {
        let first = !matches!(what, Fetch::Next(_));
        let tells_nobody = |snapshot: &Snapshot| first && snapshot.empty.page(status).is_some();
        (200..300).contains(&status) || self.snapshot.as_ref().is_some_and(tells_nobody)
    }

    /// Reads the answer to such a request. Where the subscription names `keys` (sorted; none: all),
    /// rows of others are passed over: no event would ever move them.
    ///
    /// # Errors
    /// If it is not what the profile says.
    pub fn page_of(&self, what: &Fetch, reply: Reply<'_>, keys: &[Key]) -> Result<Page, Failure> {
        let snapshot = || self.snapshot.as_ref().ok_or_else(|| ours("profile has no snapshot"));
        let keys = if self.messages.names_keys() || self.polls() { keys } else { &[] };
        match (what, &self.head) {
            (Fetch::Head, Some(head)) => head.decode(reply),
            (Fetch::Head, None) => {
                let page = snapshot()?.decode(None, reply, keys, &self.keeping)?;
                Ok(Page { rows: Vec::new(), total: None, next: None, ..page })
            }
            (Fetch::First, _) => snapshot()?.decode(None, reply, keys, &self.keeping),
            (Fetch::Next(label), _) => {
                snapshot()?.decode(Some(&Cursor::parse(label)?), reply, keys, &self.keeping)
            }
        }
    }

    /// Whether it is asked again and again, in place of a socket.
    pub fn polls(&self) -> bool {
        self.poll.is_some()
    }

    /// From one question to the next, in milliseconds, where it is polled.
    pub fn poll_interval_ms(&self) -> Option<u64> {
        self.poll.as_ref().map(|poll| poll.interval_ms)
    }

    /// Whether this status means that there is nothing new.
    pub(crate) fn is_quiet(&self, status: u16) -> bool {
        self.poll.as_ref().is_some_and(|poll| poll.is_quiet(status))
    }

    /// The question from a place, or for a later page of its answer; with the page's URL, where
    /// the vendor named one.
    pub(crate) fn question(
        &self,
        after: Option<&Bookmark>,
        page: Option<&Label>,
        context: Context<'_>,
    ) -> Result<(Request, Option<String>), Failure> {
        let poll = self.poll.as_ref().ok_or_else(|| ours("profile is not polled"))?;
        let cursor = page.map(Cursor::parse).transpose()?;
        let values = Values { variables: Some(&self.variables), ..context };
        let request = poll.request(after, cursor.as_ref(), values);
        let request = request.map_err(|error| ours(&error.to_string()))?;
        Ok((request, cursor.as_ref().and_then(|cursor| poll.url(cursor))))
    }

    /// What a page of an answer says of the next question.
    pub(crate) fn turn(&self, page: Option<&Label>, reply: Reply<'_>) -> Result<Turn, Failure> {
        let poll = self.poll.as_ref().ok_or_else(|| ours("profile is not polled"))?;
        let cursor = page.map(Cursor::parse).transpose()?;
        poll.read(cursor.as_ref(), reply)
    }

    /// Why the vendor did not do what it was asked for, in its own words.
    pub(crate) fn reason(&self, header: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        self.classifier.reason(header)
    }

    /// The handshake's request.
    ///
    /// # Errors
    /// If a value that the profile names is missing or cannot stand in its place.
    pub fn handshake(&self, context: Context<'_>) -> Result<Request, Failure> {
        let values = Values { variables: Some(&self.variables), ..context };
        self.handshake.render(&values).map_err(|error| ours(&error.to_string()))
    }

    /// A message's text; `None`: there is none (of a ping: send the protocol's).
    ///
    /// # Errors
    /// If a value that the profile names is missing or cannot stand in its place.
    pub fn message(
        &self,
        message: &Message,
        context: Context<'_>,
    ) -> Result<Option<String>, TemplateError> {
        let mut values = Values { variables: Some(&self.variables), ..context };
        if let Message::Subscribe { after } = message {
            values.position = after.as_ref();
        }
        self.messages.render(message, &values)
    }

    /// The messages of a subscription: one, or as many as the keys need.
    ///
    /// # Errors
    /// Like [`Self::message`].
    pub fn subscriptions(
        &self,
        after: Option<&After>,
        context: Context<'_>,
    ) -> Result<Vec<String>, TemplateError> {
        let values = Values { variables: Some(&self.variables), position: after, ..context };
        let message = Message::Subscribe { after: after.cloned() };
        self.messages.subscriptions(&message, &values)
    }

    /// The login that is sent before anything else, where the profile has one.
    ///
    /// # Errors
    /// Like [`Self::message`].
    pub fn login(&self, context: Context<'_>) -> Result<Option<String>, TemplateError> {
        self.messages.login(&Values { variables: Some(&self.variables), ..context })
    }

    /// The message that hands a renewed token over, where the profile has one.
    ///
    /// # Errors
    /// Like [`Self::message`].
    pub fn renewal(&self, context: Context<'_>) -> Result<Option<String>, TemplateError> {
        self.messages.renewal(&Values { variables: Some(&self.variables), ..context })
    }

    /// Whether the vendor confirms logins.
    pub fn confirms_login(&self) -> bool {
        self.wire.knows_login_ack()
    }

    /// What a frame says of a login under way; `None`: nothing.
    pub fn login_answer(&self, bytes: &[u8]) -> Option<Result<(), Failure>> {
        self.wire.login(bytes, &self.classifier)
    }

    /// Whether confirmations list the keys that they cover.
    pub fn names_covered_keys(&self) -> bool {
        self.wire.names_covered()
    }

    /// What an HTTP answer that is no success calls for.
    pub fn classify_status(&self, status: u16, after_ms: Option<u64>, body: &[u8]) -> Failure {
        self.classifier.status(status, after_ms, body)
    }

    /// What the end of a socket calls for.
    pub fn classify_close(&self, code: Option<u16>, what: &str) -> Failure {
        self.classifier.close(code, what)
    }
}

/// A source whose positions were declared away has nothing that rests on them.
fn coherent(mut capabilities: Capabilities) -> Capabilities {
    if capabilities.position == Numbering::Opaque {
        capabilities.floor = Floor::Unknown;
    }
    if capabilities.position == Numbering::None {
        capabilities.replay = Replay::None;
        capabilities.floor = Floor::Unknown;
        if capabilities.ack == Ack::WithPosition {
            capabilities.ack = Ack::Plain;
        }
        if capabilities.snapshot == SnapshotKind::Positioned {
            capabilities.snapshot = SnapshotKind::Unpositioned;
        }
        capabilities.rest_first = false;
        capabilities.epoch_named = false;
    }
    capabilities
}

fn check_messages(capabilities: &Capabilities, messages: &Messages) -> Result<(), ProfileError> {
    let (after, now) = messages.can_subscribe();
    if capabilities.replay != Replay::None && !after {
        return Err(ProfileError::NoSubscribe { what: "replay", key: "after" });
    }
    if capabilities.subscribe_without_position && !now {
        return Err(ProfileError::NoSubscribe { what: "subscribe_without_position", key: "now" });
    }
    Ok(())
}

/// A failure that is ours: the configuration cannot be rendered.
fn ours(what: &str) -> Failure {
    use unbroken_core::connector::Class;
    Failure { class: Class::Fatal, code: None, what: what.into() }
}

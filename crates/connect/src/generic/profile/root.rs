//! A profile as a whole.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use unbroken_core::connector::Capabilities;

use crate::generic::profile::{
    ClassifyProfile, DiscoveryProfile, FramesProfile, HeadProfile, MessagesProfile, PollProfile,
    PositionFormat, SnapshotProfile,
};

/// A source as data. Paths only: hosts come from the user's configuration. Pointers are JSON
/// pointers (RFC 6901). Texts with `{{ … }}` are templates. A file may also hold a table
/// `with_keys`, which is laid over the rest when the user names keys to subscribe to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// One line for a person, with the provenance of the profile.
    pub description: String,
    /// A connector of its own opens, asks and reads; what is said of that here does not count.
    pub native: Option<Native>,
    /// What the source can do.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// Values for templates; the user may set any of them.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// How positions are written, in frames and pages, unless they are opaque.
    #[serde(default)]
    pub position_format: PositionFormat,
    /// How tokens are asked for.
    #[serde(default)]
    pub token: TokenProfile,
    /// How the vendor is asked at which hosts a tenant is served, where the user wants that.
    pub discovery: Option<DiscoveryProfile>,
    /// How the head is read. Without it a head is the first page of the snapshot without its rows.
    pub head: Option<HeadProfile>,
    /// How a snapshot is read.
    pub snapshot: Option<SnapshotProfile>,
    /// How the source is asked again and again, where it has no WebSocket.
    pub poll: Option<PollProfile>,
    /// The WebSocket; of a source that is polled only the name counts.
    pub stream: StreamProfile,
    /// What is said on it.
    #[serde(default)]
    pub messages: MessagesProfile,
    /// What is heard on it, or read in answers.
    pub frames: FramesProfile,
    /// What failures call for.
    #[serde(default)]
    pub classify: ClassifyProfile,
    /// Pointers into the payload whose values, in canonical form, are what two payloads are
    /// compared by. `[""]`: the whole payload in canonical form. Empty: the payload's bytes as they
    /// are.
    #[serde(default)]
    pub digest: Vec<String>,
}

impl Profile {
    /// Every pointer into frames and answers, as it is written.
    pub fn pointers(&self) -> Vec<&str> {
        let frames = &self.frames;
        let event = &frames.event;
        let mut all: Vec<&str> = frames.kinds.iter().map(|rule| rule.at.as_str()).collect();
        all.extend(frames.kinds.iter().filter_map(|rule| Some(rule.and.as_ref()?.at.as_str())));
        all.extend([event.key.as_str(), event.payload.as_str()]);
        let mut optional = vec![
            &frames.subscription,
            &frames.epoch,
            &frames.bookmark,
            &frames.ack.position,
            &frames.heartbeat.position,
            &frames.coverage.keys,
            &frames.coverage.refused,
            &frames.closing.within_s,
            &frames.closing.within_ms,
            &event.items,
            &event.sequence,
            &event.id,
            &event.kind,
            &event.time,
        ];
        let rules = event.deleted.iter().chain(&frames.more);
        all.extend(rules.map(|rule| rule.at.as_str()));
        if let Some(head) = &self.head {
            all.push(&head.tag);
            optional.push(&head.epoch);
        }
        if let Some(snapshot) = &self.snapshot {
            let rows = &snapshot.rows;
            all.extend([rows.items.as_str(), rows.key.as_str(), rows.payload.as_str()]);
            all.extend(rows.when.as_ref().map(|rule| rule.at.as_str()));
            let names = [&snapshot.next, &snapshot.more, &snapshot.tag, &snapshot.epoch];
            optional.extend(names);
            optional.extend([&snapshot.snapshot_id, &snapshot.total, &rows.version, &rows.time]);
        }
        if let Some(poll) = &self.poll {
            all.push(&poll.tag);
            optional.extend([&poll.next, &poll.more, &poll.total]);
        }
        all.extend(optional.into_iter().flatten().map(String::as_str));
        all.extend(self.classify.reason.as_deref());
        for rule in &self.classify.body {
            all.push(&rule.at);
            all.extend(rule.floor.as_deref());
        }
        all
    }

    /// The names of members on the way of any pointer.
    pub fn member_names(&self) -> BTreeSet<String> {
        let pointers = self.pointers().into_iter();
        let tokens = pointers.flat_map(|pointer| pointer.split('/').skip(1));
        tokens.map(|token| token.replace("~1", "/").replace("~0", "~")).collect()
    }

    /// The headers that a pointer names, in lower case.
    pub fn header_names(&self) -> Vec<String> {
        let pointers = self.pointers().into_iter();
        let names = pointers.filter_map(|pointer| pointer.strip_prefix("header:"));
        names.map(|name| name.trim().to_ascii_lowercase()).collect()
    }
}

/// See [`Profile::native`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Native {
    /// Genesys Cloud notifications.
    Genesys,
}

/// See [`Profile::token`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenProfile {
    /// Path of the token request at the API's origin, unless the user names a URL.
    pub path: String,
    /// Keys of the answer that may hold the token; the first present counts.
    pub access_token: Vec<String>,
    /// Keys of the answer that may hold its life in seconds.
    pub expires_in: Vec<String>,
    /// JSON keys under which an access key's id and secret are sent (grant `access_key`).
    pub access_key_fields: [String; 2],
}

impl Default for TokenProfile {
    /// Names of RFC 6749; it has none for access keys.
    fn default() -> Self {
        Self {
            path: "/token".into(),
            access_token: vec!["access_token".into()],
            expires_in: vec!["expires_in".into()],
            access_key_fields: ["access_key_id".into(), "access_key_secret".into()],
        }
    }
}

/// See [`Profile::stream`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamProfile {
    /// The stream's name: it is known as `source/name`.
    pub name: String,
    /// Path at the stream's origin, beginning with `/`; a template for a URL.
    #[serde(default = "root_path")]
    pub path: String,
    /// Query; values are templates for a URL. `position` is what the subscription will ask for.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Headers; values are templates for a header.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Subprotocols offered.
    #[serde(default)]
    pub subprotocols: Vec<String>,
}

fn root_path() -> String {
    "/".into()
}

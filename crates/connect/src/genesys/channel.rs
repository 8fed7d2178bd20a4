//! A channel: made, filled with topics, looked at.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use unbroken_core::connector::Failure;
use unbroken_core::ids::Label;

use crate::genesys::client::{Client, fatal, read, retry};
use crate::genesys::topic::is_id;
use crate::secret::Secret;
use crate::transport::{Answer, Method, Origin, Request, follow};

const CHANNELS: &str = "/api/v2/notifications/channels";

/// So many refused topics are named to a person; of the others only the number is.
const NAMED_MAX: usize = 3;

/// A channel of ours.
pub(super) struct Channel {
    id: String,
    /// Where its socket is. Whoever has it may listen: it is shown nowhere.
    pub(super) handshake: Request,
    pub(super) origin: Origin,
    made_at: Instant,
    life: Duration,
    /// A socket is open on it.
    pub(super) is_busy: AtomicBool,
    /// It has not had a socket yet, or its last one has brought something of a topic: its
    /// subscription is no dead one.
    is_fruitful: AtomicBool,
}

/// What a subscription has come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Subscribed {
    /// Topics that are wanted and not there.
    pub(super) missing: u64,
    /// Which, and why, for a person.
    pub(super) why: Option<Label>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChannelMade<'a> {
    id: &'a str,
    connect_uri: &'a str,
    expires: Option<&'a str>,
}

#[derive(Deserialize)]
struct Listing {
    #[serde(default)]
    entities: Vec<Topic>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Topic {
    id: String,
    state: Option<String>,
    rejection_reason: Option<String>,
    #[serde(default)]
    missing_permissions: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Wish<'a> {
    id: &'a str,
}

impl Channel {
    /// Makes one.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub(super) async fn make(
        client: &Client,
        stream: &Origin,
        life_max: Duration,
        token: Option<&Secret>,
    ) -> Result<Self, Failure> {
        let answer = client.call(Method::Post, CHANNELS.to_owned(), None, token).await?;
        let made: ChannelMade<'_> = read(&answer, "a channel")?;
        if !is_id(made.id) {
            return Err(retry("answer is not understood: a channel's id has strange characters"));
        }
        let mut handshake = Request {
            method: Method::Get,
            path_and_query: "/".to_owned(),
            headers: Vec::new(),
            body: None,
        };
        let hosts = &client.allowed_hosts;
        let origin = socket_origin(made.connect_uri, stream, hosts, &mut handshake)?;
        Ok(Self {
            id: made.id.to_owned(),
            handshake,
            origin,
            made_at: Instant::now(),
            life: made.expires.and_then(left).filter(|left| *left < life_max).unwrap_or(life_max),
            is_busy: AtomicBool::new(false),
            is_fruitful: AtomicBool::new(true),
        })
    }

    /// A socket is open on it.
    pub(super) fn note_open(&self) {
        self.is_fruitful.store(false, Ordering::Relaxed);
    }

    /// Something came on its socket. What is told of the channel itself proves no subscription.
    pub(super) fn note_frame(&self, frame: &Bytes) {
        const OF_ITSELF: &[u8] = b"channel.metadata";
        const HEAD_BYTES: usize = 64;
        if self.is_fruitful.load(Ordering::Relaxed) {
            return;
        }
        let head = &frame[..frame.len().min(HEAD_BYTES)];
        if !head.windows(OF_ITSELF.len()).any(|part| part == OF_ITSELF) {
            self.is_fruitful.store(true, Ordering::Relaxed);
        }
    }

    /// Whether its life is not over; what is gone before that was taken away.
    pub(super) fn is_due(&self) -> bool {
        self.made_at.elapsed() < self.life
    }

    /// Until its life is over, less a part of it in hundredths.
    pub(super) fn until(&self, percent: u32) -> Duration {
        (self.life * percent / 100).saturating_sub(self.made_at.elapsed())
    }

    /// Whether it can be used again after its socket was lost, if the vendor still knows it.
    pub(super) fn is_reusable(&self) -> bool {
        self.until(100).as_millis() * 10 > self.life.as_millis()
            && self.is_fruitful.load(Ordering::Relaxed)
    }

    /// Whether the vendor still knows it.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub(super) async fn is_there(
        &self,
        client: &Client,
        token: Option<&Secret>,
    ) -> Result<bool, Failure> {
        let path = format!("{CHANNELS}/{}", self.id);
        Ok(client.find(Method::Head, path, token).await?.is_some())
    }

    /// Subscribes it to these topics in place of those it had, then looks at what it has.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub(super) async fn subscribe(
        &self,
        client: &Client,
        topics: &[String],
        per_request: usize,
        token: Option<&Secret>,
    ) -> Result<Subscribed, Failure> {
        let path = format!("{CHANNELS}/{}/subscriptions?ignoreErrors=true", self.id);
        let mut refused = Vec::new();
        // Of no topics, too, those that it had are taken away.
        let parts = topics.len().div_ceil(per_request.max(1)).max(1);
        for at in 0..parts {
            let part = topics.chunks(per_request.max(1)).nth(at).unwrap_or_default();
            // The first replaces what was there, the others add to it.
            let method = if at == 0 { Method::Put } else { Method::Post };
            let wishes: Vec<Wish<'_>> = part.iter().map(|id| Wish { id }).collect();
            let body = serde_json::to_string(&wishes).map_err(|error| fatal(error.to_string()))?;
            let answer = client.call(method, path.clone(), Some(body), token).await?;
            let listing: Listing = read(&answer, "a list of topics")?;
            let is_refused = |topic: &Topic| {
                topic.rejection_reason.is_some() || topic.state.as_deref() == Some("Rejected")
            };
            refused.extend(listing.entities.into_iter().filter(is_refused));
        }
        self.verify(client, topics, &refused, token).await
    }

    /// Compares what it has with what it shall have.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    async fn verify(
        &self,
        client: &Client,
        topics: &[String],
        refused: &[Topic],
        token: Option<&Secret>,
    ) -> Result<Subscribed, Failure> {
        let answer = self.subscriptions(client, token).await?;
        let answer = answer.ok_or_else(|| retry("channel is gone before it was used"))?;
        let listing: Listing = read(&answer, "a list of topics")?;
        let held: BTreeSet<&str> = listing.entities.iter().map(|topic| &*topic.id).collect();
        let missing: Vec<&str> =
            topics.iter().map(String::as_str).filter(|id| !held.contains(id)).collect();
        Ok(Subscribed { missing: missing.len() as u64, why: why(&missing, refused) })
    }

    /// Whether it has exactly these topics; `None`: it is gone.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub(super) async fn has(
        &self,
        client: &Client,
        topics: &[String],
        token: Option<&Secret>,
    ) -> Result<Option<bool>, Failure> {
        let Some(answer) = self.subscriptions(client, token).await? else { return Ok(None) };
        let listing: Listing = read(&answer, "a list of topics")?;
        let held: BTreeSet<&str> = listing.entities.iter().map(|topic| &*topic.id).collect();
        Ok(Some(held == topics.iter().map(String::as_str).collect()))
    }

    async fn subscriptions(
        &self,
        client: &Client,
        token: Option<&Secret>,
    ) -> Result<Option<Answer>, Failure> {
        client.find(Method::Get, format!("{CHANNELS}/{}/subscriptions", self.id), token).await
    }

    /// Gives it up: it brings nothing any more, and is the next to go. False: it was gone already.
    pub(super) async fn release(&self, client: &Client, token: Option<&Secret>) -> bool {
        let path = format!("{CHANNELS}/{}/subscriptions", self.id);
        // Whatever else may be wrong: it will end by itself.
        !matches!(client.find(Method::Delete, path, token).await, Ok(None))
    }
}

/// Where the socket is: at the configured origin or on an allowed host, and nowhere else.
fn socket_origin(
    uri: &str,
    stream: &Origin,
    allowed_hosts: &[String],
    handshake: &mut Request,
) -> Result<Origin, Failure> {
    // The rule for addresses that the vendor names knows http alone.
    let plain = uri.replacen("ws", "http", 1);
    let own: Option<Origin> = Origin::api(&stream.to_string().replacen("ws", "http", 1), true).ok();
    let own = own.ok_or_else(|| fatal("`stream` of the source is not usable"))?;
    let is_socket =
        uri.starts_with("wss://") || (uri.starts_with("ws://") && !stream.is_encrypted());
    let target = match is_socket {
        true => follow(&plain, &own, allowed_hosts, handshake),
        false => return Err(fatal("channel's `connectUri` is no address of a WebSocket")),
    };
    let target = target.map_err(|error| {
        let text = error.to_string().replacen("next page's URL", "channel's `connectUri`", 1);
        let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
        fatal(format!("{text}{hint}"))
    })?;
    if target == own {
        return Ok(stream.clone());
    }
    let target = target.to_string().replacen("http", "ws", 1);
    Origin::stream(&target, false).map_err(|error| fatal(error.to_string()))
}

/// How long until then; a clock that is far off says nothing.
fn left(expires: &str) -> Option<Duration> {
    let at: jiff::Timestamp = expires.parse().ok()?;
    let left_ms = at.as_millisecond() - jiff::Timestamp::now().as_millisecond();
    u64::try_from(left_ms).ok().filter(|left_ms| *left_ms > 0).map(Duration::from_millis)
}

/// Which topics are missing, and why.
fn why(missing: &[&str], refused: &[Topic]) -> Option<Label> {
    if missing.is_empty() {
        return None;
    }
    let one = |id: &&str| {
        let topic = refused.iter().find(|topic| topic.id == **id);
        let reason = topic.and_then(|topic| {
            let lacks = topic.missing_permissions.as_deref().unwrap_or_default();
            match lacks.is_empty() {
                true => topic.rejection_reason.clone(),
                false => Some(format!("lacks {}", lacks.join(", "))),
            }
        });
        match reason {
            Some(reason) => format!("{id} ({reason})"),
            None => format!("{id} (not in the channel's list)"),
        }
    };
    let mut text = missing.iter().take(NAMED_MAX).map(one).collect::<Vec<_>>().join(", ");
    if missing.len() > NAMED_MAX {
        text.push_str(", …");
    }
    Some(Label::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn led(uri: &str, stream: &str) -> Result<String, String> {
        let stream = Origin::stream(stream, false).unwrap();
        let mut handshake = Request {
            method: Method::Get,
            path_and_query: "/".to_owned(),
            headers: Vec::new(),
            body: None,
        };
        let allowed = ["other.example".to_owned()];
        let origin = socket_origin(uri, &stream, &allowed, &mut handshake);
        let led = origin.map(|origin| format!("{origin}{}", handshake.path_and_query));
        led.map_err(|failure| failure.what.to_string())
    }

    #[test]
    fn a_socket_is_opened_where_it_is_configured_or_allowed_and_nowhere_else() {
        const OWN: &str = "wss://streaming.example";
        for uri in ["wss://streaming.example/channels/c-1", "wss://other.example/channels/c-1?x=y"]
        {
            assert_eq!(led(uri, OWN).unwrap(), uri);
        }
        let local = "ws://127.0.0.1:8080/channels/c";
        assert_eq!(led(local, "ws://127.0.0.1:8080").unwrap(), local);
        for uri in [
            "wss://evil.example/channels/secret",
            "ws://streaming.example/channels/secret",
            "ws://other.example/channels/secret",
            "https://streaming.example/channels/secret",
            "wss://user@streaming.example/channels/secret",
            "wss://streaming.example.evil.example/channels/secret",
            "channels/secret",
        ] {
            let why = led(uri, OWN).unwrap_err();
            assert!(!why.contains("secret"), "{why}");
        }
        assert!(led("wss://evil.example/", OWN).unwrap_err().contains("allowed_hosts"));
    }

    #[test]
    fn what_is_missing_is_named_with_the_vendor_s_reason() {
        let refused: Vec<Topic> = serde_json::from_str(
            r#"[{"id":"a","state":"Rejected","rejectionReason":"missing permissions",
                "missingPermissions":["x:y:view"]},
               {"id":"b","rejectionReason":"no such topic"}]"#,
        )
        .unwrap();
        assert_eq!(why(&[], &refused), None);
        let text = why(&["a", "b", "c", "d"], &refused).unwrap();
        assert_eq!(
            text.as_str(),
            "a (lacks x:y:view), b (no such topic), c (not in the channel's list), …"
        );
    }
}

//! Channels: made, listed, subscribed, connected to, ended.
//!
//! The vendor's channel forgets what happens while no socket is connected to it; ours has a place
//! in the log, and goes on from there. An application that was started anew makes a new channel and
//! cannot name the old one: it begins where the last channel of the same client with the same
//! topics, that no socket is connected to, was left; or whose socket has left a ping unanswered for
//! a while: then the network has eaten its end.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::topic::Topics;
use crate::dialect::context::SILENT_MS;

/// Most channels of a client; one more ends the one that was not used for longest, unconnected
/// ones first. The vendor's documented number.
const CHANNELS_MAX: usize = 20;
/// Most topics of a channel. The vendor's documented number.
pub(crate) const TOPICS_MAX: usize = 1_000;
/// How long a channel lives after its topics were set last: the vendor's 24 hours.
const LIFE_MS: u64 = 24 * 60 * 60 * 1_000;

#[derive(Debug)]
struct Channel {
    client: usize,
    expires_ms: u64,
    /// Counts up with every use of any channel.
    used: u64,
    topics: Arc<Topics>,
    /// Everything below was read; `None`: it never had topics.
    place: Option<u64>,
    conn: Option<u64>,
    /// Since when its socket has left a ping unanswered.
    silent_since_ms: Option<u64>,
    /// Another channel has gone on from its place.
    is_superseded: bool,
}

impl Channel {
    fn is_left(&self, now_ms: u64) -> bool {
        let silent_ms = self.silent_since_ms.map(|since_ms| now_ms.saturating_sub(since_ms));
        self.conn.is_none() || silent_ms.is_some_and(|silent_ms| silent_ms >= SILENT_MS)
    }
}

/// What a socket is to know of its channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What is told.
    pub(crate) topics: Arc<Topics>,
    /// When it ends.
    pub(crate) expires_ms: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    channels: BTreeMap<String, Channel>,
    uses: u64,
}

impl Channels {
    /// Makes a channel with this id for a client.
    pub(crate) fn create(&mut self, client: usize, id: String, now_ms: u64) {
        self.expire(now_ms);
        while self.channels.values().filter(|channel| channel.client == client).count()
            >= CHANNELS_MAX
        {
            let own = self.channels.iter().filter(|(_, channel)| channel.client == client);
            let oldest = own.min_by_key(|(_, channel)| (channel.conn.is_some(), channel.used));
            let Some(id) = oldest.map(|(id, _)| id.clone()) else { break };
            self.channels.remove(&id);
        }
        self.uses += 1;
        self.channels.insert(
            id,
            Channel {
                client,
                expires_ms: now_ms.saturating_add(LIFE_MS),
                used: self.uses,
                topics: Arc::default(),
                place: None,
                conn: None,
                silent_since_ms: None,
                is_superseded: false,
            },
        );
    }

    /// A client's channels, with the time at which each ends.
    pub(crate) fn list(&mut self, client: usize, now_ms: u64) -> Vec<(String, u64)> {
        self.expire(now_ms);
        let own = self.channels.iter().filter(|(_, channel)| channel.client == client);
        own.map(|(id, channel)| (id.clone(), channel.expires_ms)).collect()
    }

    /// What a client's channel is subscribed to; `None`: it has no such channel.
    pub(crate) fn topics(&mut self, client: usize, id: &str, now_ms: u64) -> Option<Arc<Topics>> {
        self.expire(now_ms);
        self.uses += 1;
        let used = self.uses;
        let channel = self.channels.get_mut(id).filter(|channel| channel.client == client)?;
        channel.used = used;
        Some(Arc::clone(&channel.topics))
    }

    /// Gives a channel other topics; its life begins anew. With its first ones it gets its place:
    /// `next`, unless there is one to go on from.
    pub(crate) fn set_topics(&mut self, id: &str, topics: Topics, next: u64, now_ms: u64) {
        let Some(channel) = self.channels.get(id) else { return };
        let is_first = channel.place.is_none() && topics.count() > 0;
        let earlier = if is_first { self.go_on_from(id, &topics, now_ms) } else { None };
        let Some(channel) = self.channels.get_mut(id) else { return };
        if is_first {
            channel.place = Some(earlier.map_or(next, |earlier| earlier.min(next)));
        }
        channel.topics = Arc::new(topics);
        channel.expires_ms = now_ms.saturating_add(LIFE_MS);
    }

    /// Where the last channel with the same topics was left that nobody is connected to any more.
    fn go_on_from(&mut self, id: &str, topics: &Topics, now_ms: u64) -> Option<u64> {
        let client = self.channels.get(id)?.client;
        let left = self.channels.values_mut().filter(|channel| {
            channel.client == client
                && channel.is_left(now_ms)
                && !channel.is_superseded
                && *channel.topics == *topics
        });
        let last = left.max_by_key(|channel| channel.place)?;
        last.is_superseded = last.place.is_some();
        last.place
    }

    /// A socket comes to a channel; from there it is served. A socket that was there before has to
    /// go. `None`: no such channel.
    pub(crate) fn connect(&mut self, id: &str, conn: u64, next: u64, now_ms: u64) -> Option<u64> {
        self.expire(now_ms);
        self.uses += 1;
        let used = self.uses;
        let channel = self.channels.get_mut(id)?;
        (channel.used, channel.conn, channel.is_superseded) = (used, Some(conn), false);
        channel.silent_since_ms = None;
        Some(channel.place.unwrap_or(next))
    }

    /// Whether there is such a channel.
    pub(crate) fn has(&mut self, id: &str, now_ms: u64) -> bool {
        self.expire(now_ms);
        self.channels.contains_key(id)
    }

    /// Since when a channel's socket has left a ping unanswered.
    pub(crate) fn note(&mut self, id: &str, conn: u64, silent_since_ms: Option<u64>) {
        let channel = self.channels.get_mut(id).filter(|channel| channel.conn == Some(conn));
        if let Some(channel) = channel {
            channel.silent_since_ms = silent_since_ms;
        }
    }

    /// How a socket's channel stands; `None`: it is not the socket's any more.
    pub(crate) fn standing(&mut self, id: &str, conn: u64, now_ms: u64) -> Option<Standing> {
        self.expire(now_ms);
        let channel = self.channels.get(id).filter(|channel| channel.conn == Some(conn))?;
        Some(Standing { topics: Arc::clone(&channel.topics), expires_ms: channel.expires_ms })
    }

    /// Everything below was read by a channel's socket. Of one that another has replaced it counts
    /// too: it is the same application.
    pub(crate) fn confirm(&mut self, id: &str, confirmed: u64) {
        let Some(channel) = self.channels.get_mut(id) else { return };
        channel.place = channel.place.map(|place| place.max(confirmed));
    }

    /// A socket has gone.
    pub(crate) fn leave(&mut self, id: &str, conn: u64) {
        let channel = self.channels.get_mut(id).filter(|channel| channel.conn == Some(conn));
        if let Some(channel) = channel {
            (channel.conn, channel.silent_since_ms) = (None, None);
        }
    }

    fn expire(&mut self, now_ms: u64) {
        self.channels.retain(|_, channel| channel.expires_ms > now_ms);
    }
}

#[cfg(test)]
mod tests {
    use super::super::topic::Topic;
    use super::*;

    fn topics(users: &[&str]) -> Topics {
        let mut topics = Topics::default();
        for user in users {
            let text = format!("v2.users.{user}.presence");
            topics.insert(Topic::parse(&text).unwrap(), text);
        }
        topics
    }

    fn made(id: &str, users: &[&str], next: u64) -> Channels {
        let mut channels = Channels::default();
        channels.create(1, id.to_owned(), 0);
        channels.set_topics(id, topics(users), next, 0);
        channels
    }

    #[test]
    fn a_channel_is_its_client_s() {
        let mut channels = made("c", &["u"], 10);
        assert_eq!(channels.topics(1, "c", 0).unwrap().count(), 1);
        assert_eq!(channels.topics(2, "c", 0), None);
        assert_eq!(channels.topics(1, "d", 0), None);
        assert_eq!(channels.list(1, 0), [("c".to_owned(), LIFE_MS)]);
        assert_eq!(channels.list(2, 0), []);
    }

    #[test]
    fn who_connects_again_goes_on_where_it_was() {
        let mut channels = made("c", &["u"], 10);
        assert_eq!(channels.connect("c", 1, 50, 0), Some(10));
        // Whose end does not come through has been heard all the same.
        channels.confirm("c", 42);
        assert_eq!(channels.connect("c", 2, 99, 0), Some(42));
        channels.leave("c", 1);
        assert!(channels.standing("c", 2, 0).is_some());
        assert_eq!(channels.connect("nobody", 2, 99, 0), None);
    }

    #[test]
    fn a_second_socket_takes_the_channel_over() {
        let mut channels = made("c", &["u"], 10);
        channels.connect("c", 1, 50, 0);
        assert!(channels.standing("c", 1, 0).is_some());
        channels.connect("c", 2, 50, 0);
        assert_eq!(channels.standing("c", 1, 0), None);
        channels.confirm("c", 20);
        assert_eq!(channels.connect("c", 3, 50, 0), Some(20));
    }

    #[test]
    fn an_application_that_was_started_anew_goes_on_where_it_was_killed() {
        let mut channels = made("c", &["u", "v"], 10);
        channels.connect("c", 1, 50, 0);
        channels.create(1, "while-connected".to_owned(), 0);
        channels.set_topics("while-connected", topics(&["u", "v"]), 60, 0);
        assert_eq!(channels.connect("while-connected", 2, 99, 0), Some(60));
        channels.confirm("c", 42);
        channels.leave("c", 1);
        for (id, users, client, expected) in [
            ("other-topics", ["u", "w"], 1, 60),
            ("other-client", ["u", "v"], 2, 60),
            ("anew", ["u", "v"], 1, 42),
            ("second", ["u", "v"], 1, 60),
        ] {
            channels.create(client, id.to_owned(), 0);
            channels.set_topics(id, topics(&users), 60, 0);
            assert_eq!(channels.connect(id, 9, 99, 0), Some(expected), "{id}");
        }
        // And who was only slow to come back has lost nothing.
        assert_eq!(channels.connect("c", 4, 99, 0), Some(42));
    }

    #[test]
    fn an_application_whose_end_was_eaten_goes_on_where_it_was() {
        let anew = |id: &str, silent_since_ms, now_ms| {
            let mut channels = made("c", &["u"], 10);
            channels.connect("c", 1, 50, 0);
            channels.confirm("c", 42);
            channels.note("c", 1, silent_since_ms);
            channels.create(1, id.to_owned(), now_ms);
            channels.set_topics(id, topics(&["u"]), 60, now_ms);
            channels.connect(id, 2, 99, now_ms).unwrap()
        };
        assert_eq!(anew("silent", Some(500), 500 + SILENT_MS), 42);
        assert_eq!(anew("slow", Some(500), 499 + SILENT_MS), 60);
        assert_eq!(anew("heard", None, 500 + SILENT_MS), 60);
    }

    #[test]
    fn topics_that_change_keep_the_place() {
        let mut channels = made("c", &["u"], 10);
        channels.set_topics("c", topics(&["u", "v"]), 70, 0);
        assert_eq!(channels.connect("c", 1, 99, 0), Some(10));
        assert_eq!(channels.standing("c", 1, 0).unwrap().topics.count(), 2);
        let mut empty = made("e", &[], 10);
        assert_eq!(empty.connect("e", 1, 99, 0), Some(99));
    }

    #[test]
    fn channels_end_by_age_and_by_number() {
        let mut channels = made("c", &["u"], 10);
        assert_eq!(channels.topics(1, "c", LIFE_MS), None);
        for at in 0..CHANNELS_MAX {
            channels.create(1, format!("c{at}"), 0);
        }
        channels.connect("c0", 1, 0, 0);
        channels.create(1, "one-more".to_owned(), 0);
        assert_eq!(channels.list(1, 0).len(), CHANNELS_MAX);
        assert_eq!(channels.topics(1, "c1", 0), None);
        assert!(channels.topics(1, "c0", 0).is_some());
    }
}

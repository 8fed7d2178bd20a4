//! What a channel is subscribed to, and which of its events the ledger says it serves.

use std::collections::{BTreeMap, BTreeSet};

use super::channel::no_channel;
use super::hub::State;
use super::refusal::{bad_request, refusal};
use super::topic::Topic;
use super::wire::{self, ChannelTopic};
use crate::server::http::{Request, Response};
use crate::truth::{SubscriptionEnd, TruthSubscription};

/// Why a topic is not had.
struct Rejection {
    reason: &'static str,
    permission: Option<&'static str>,
}

impl State {
    /// Answers `GET …/channels/{id}/subscriptions`.
    pub(super) fn subscriptions(&mut self, id: &str) -> Response {
        if !self.use_channel(id) {
            return no_channel();
        }
        let topics = self.channels.get(id).map(|channel| &channel.topics);
        let rows = topics.into_iter().flat_map(BTreeMap::values).map(|topic| row(id, topic));
        Response::new(200, wire::listing(&rows.collect::<Vec<_>>()))
    }

    /// Answers `DELETE …/channels/{id}/subscriptions`.
    pub(super) fn drop_subscriptions(&mut self, id: &str) -> Response {
        if !self.use_channel(id) {
            return no_channel();
        }
        self.set_topics(id, BTreeMap::new());
        Response::new(204, String::new())
    }

    /// Answers `PUT` (replaces) and `POST` (adds).
    pub(super) fn subscribe(&mut self, id: &str, request: &Request) -> Response {
        if !self.use_channel(id) {
            return no_channel();
        }
        let Ok(wanted) = serde_json::from_slice::<Vec<ChannelTopic>>(&request.body) else {
            return bad_request("The request body is not a list of topics");
        };
        let ignores = request
            .query
            .iter()
            .any(|(key, value)| key == "ignoreErrors" && value.eq_ignore_ascii_case("true"));
        let before = self.channels.get(id).map(|channel| channel.topics.clone());
        let is_added = request.method == "POST";
        let mut topics = before.filter(|_| is_added).unwrap_or_default();
        let mut rows = Vec::with_capacity(wanted.len());
        for (place, wish) in wanted.iter().enumerate() {
            let mut told = row(id, &wish.id);
            match self.rule(place, &wish.id) {
                Ok(topic) => drop(topics.insert(topic, wish.id.clone())),
                Err(rejection) if !ignores => return refuse(&wish.id, &rejection),
                Err(rejection) => {
                    told.rejection_reason = Some(rejection.reason.to_owned());
                    told.missing_permissions = rejection.permission.map(|one| vec![one.to_owned()]);
                }
            }
            if ignores {
                let is_rejected = told.rejection_reason.is_some();
                told.state = Some(if is_rejected { "Rejected" } else { "Permitted" }.to_owned());
            }
            rows.push(told);
        }
        if topics.len() > self.settings.topics_max {
            let most = self.settings.topics_max;
            return bad_request(&format!("A channel can have {most} topics at most"));
        }
        self.set_topics(id, topics);
        self.fault_on_subscribed();
        Response::new(200, wire::listing(&rows))
    }

    fn rule(&mut self, place: usize, text: &str) -> Result<Topic, Rejection> {
        let no_such = Rejection { reason: "no such topic or resource", permission: None };
        let topic = Topic::parse(text, &self.world.roster).ok_or(no_such)?;
        let is_forbidden = self.settings.forbidden_topics.iter().any(|one| one == text)
            || self.fault_on_topic(place);
        if is_forbidden {
            let permission = Some(topic.permission());
            return Err(Rejection { reason: "missing permissions", permission });
        }
        Ok(topic)
    }

    /// Gives a channel other topics; its life begins anew.
    fn set_topics(&mut self, id: &str, topics: BTreeMap<Topic, String>) {
        let expires_ms = self.clock.now_ms().saturating_add(self.settings.channel_life_ms);
        let Some(channel) = self.channels.get_mut(id) else { return };
        channel.expires_ms = expires_ms;
        channel.is_closing = false;
        let conn = channel.conn;
        if channel.topics == topics {
            return;
        }
        channel.topics = topics;
        if let Some(conn) = conn {
            self.end_serving(conn, SubscriptionEnd::Left);
            self.begin_serving(conn);
        }
    }

    /// From now on a socket is served what its channel is subscribed to.
    pub(super) fn begin_serving(&mut self, conn: u64) {
        let Some(session) = self.sessions.get(&conn).filter(|session| !session.is_cut) else {
            return;
        };
        let Some(channel) = self.channels.get(&session.channel) else { return };
        if channel.topics.is_empty() {
            return;
        }
        let keys: BTreeSet<String> =
            channel.topics.keys().flat_map(|topic| self.world.keys(*topic)).collect();
        let first = self.world.len();
        let number = self.world.recorder.subscribe(TruthSubscription {
            id: session.channel.clone(),
            accepted_us: self.clock.wall_us(),
            asked: None,
            agents: Some(keys.into_iter().collect()),
            epoch: 0,
            floor: 0,
            head: 0,
            replay: false,
            exact_head: false,
            first,
            delivered: first,
            confirmed: first,
            muted: session.is_muted,
            dropped: Vec::new(),
            garbled: Vec::new(),
            ended_us: None,
            end: SubscriptionEnd::Open,
        });
        for topic in channel.topics.keys() {
            if matches!(topic, Topic::Conversations(_) | Topic::QueueConversations(_)) {
                self.served.entry(*topic).or_insert(number);
            }
        }
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.subscription = Some(number);
            session.cursor = first;
        }
    }

    /// What a socket was served ends.
    pub(super) fn end_serving(&mut self, conn: u64, end: SubscriptionEnd) {
        let Some(session) = self.sessions.get_mut(&conn) else { return };
        let Some(number) = session.subscription.take() else { return };
        self.end_subscription(number, end);
    }

    /// Conversations that have begun are covered by those who asked for their agent or queue; in an
    /// outage by the one who first did, or nobody would be judged by what began in it.
    pub(super) fn cover_new_conversations(&mut self) {
        for number in std::mem::take(&mut self.world.begun) {
            let conversation = &self.world.conversations[number];
            let topics = [
                Topic::Conversations(conversation.agent),
                Topic::QueueConversations(conversation.queue),
            ];
            let key = conversation.key.to_string();
            let open = self.sessions.values().filter_map(|session| {
                let channel = self.channels.get(&session.channel)?;
                let is_covered = topics.iter().any(|one| channel.topics.contains_key(one));
                session.subscription.filter(|_| is_covered)
            });
            let mut covering: Vec<usize> = open.collect();
            if covering.is_empty() {
                let first = topics.iter().filter_map(|topic| self.served.get(topic)).min();
                covering.extend(first);
            }
            for subscription in covering {
                let noted = self.world.recorder.subscriptions.get_mut(subscription);
                let Some(noted) = noted else { continue };
                noted.agents.get_or_insert_default().push(key.clone());
                if noted.ended_us.is_some() {
                    self.world.recorder.save_subscription(subscription);
                }
            }
        }
    }
}

fn row(channel: &str, topic: &str) -> ChannelTopic {
    ChannelTopic {
        id: topic.to_owned(),
        state: None,
        rejection_reason: None,
        missing_permissions: None,
        self_uri: Some(format!("/api/v2/notifications/channels/{channel}/subscriptions/{topic}")),
    }
}

fn refuse(topic: &str, rejection: &Rejection) -> Response {
    match rejection.permission {
        Some(permission) => {
            let message = format!("Missing the permission {permission} for the topic {topic}");
            refusal(403, "missing.any.permissions", &message)
        }
        None => bad_request(&format!("The topic {topic} is not valid")),
    }
}

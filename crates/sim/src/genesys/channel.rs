//! Channels: made, listed, kept alive, evicted, ended.

use std::collections::BTreeMap;

use super::hub::State;
use super::refusal::not_found;
use super::stamp::iso;
use super::topic::Topic;
use super::wire::{self, ChannelView};
use crate::server::house::Command;
use crate::server::http::Response;

/// A channel of this client's.
#[derive(Debug)]
pub(super) struct Channel {
    /// When it ends, in milliseconds of the vendor's clock.
    pub(super) expires_ms: u64,
    /// When it was last asked for or connected to.
    pub(super) used_ms: u64,
    /// Which of two channels used in the same millisecond was used last.
    pub(super) used_order: u64,
    /// What it is subscribed to, in order.
    pub(super) topics: BTreeMap<Topic, String>,
    /// The socket that is connected to it.
    pub(super) conn: Option<u64>,
    /// The end has been announced.
    pub(super) is_closing: bool,
    /// It belongs to another instance with the same client id, which is always connected.
    pub(super) is_foreign: bool,
}

impl Channel {
    fn is_connected(&self) -> bool {
        self.conn.is_some() || self.is_foreign
    }
}

impl State {
    /// Answers `POST …/channels`.
    pub(super) fn create_channel(&mut self, base: &str) -> Response {
        let id = self.make_channel(false);
        Response::new(200, wire::answer(&self.channel_view(&id, base)))
    }

    /// A new channel; if there are as many as there can be, the one that was not used for longest
    /// goes, unconnected ones first.
    pub(super) fn make_channel(&mut self, is_foreign: bool) -> String {
        while self.channels.len() >= self.settings.channels_max.max(1) {
            let oldest = self.channels.iter().min_by_key(|(_, channel)| {
                (channel.is_connected(), channel.used_ms, channel.used_order)
            });
            let Some(id) = oldest.map(|(id, _)| id.clone()) else { break };
            self.evict(&id);
        }
        // The id opens the socket: it is a secret, and not from the seed.
        let id = format!("streaming-{:032x}", self.secrets.u128(..));
        let now_ms = self.clock.now_ms();
        self.uses += 1;
        self.channels.insert(
            id.clone(),
            Channel {
                expires_ms: now_ms.saturating_add(self.settings.channel_life_ms),
                used_ms: now_ms,
                used_order: self.uses,
                topics: BTreeMap::new(),
                conn: None,
                is_closing: false,
                is_foreign,
            },
        );
        id
    }

    /// Answers `GET …/channels`.
    pub(super) fn list_channels(&self, base: &str) -> Response {
        let ours = self.channels.keys().map(|id| self.channel_view(id, base));
        Response::new(200, wire::listing(&ours.collect::<Vec<_>>()))
    }

    /// Answers `HEAD …/channels/{id}`.
    pub(super) fn look_at_channel(&mut self, id: &str) -> Response {
        if self.use_channel(id) { Response::new(200, String::new()) } else { no_channel() }
    }

    fn channel_view(&self, id: &str, base: &str) -> ChannelView {
        let left_ms = self
            .channels
            .get(id)
            .map_or(0, |channel| channel.expires_ms.saturating_sub(self.clock.now_ms()));
        let expires_us = i64::try_from(left_ms).unwrap_or(0).saturating_mul(1_000);
        ChannelView {
            connect_uri: format!("{base}/channels/{id}"),
            id: id.to_owned(),
            expires: iso(self.clock.wall_us() + expires_us),
        }
    }

    /// Notes that a channel is used; `false` if there is none.
    pub(super) fn use_channel(&mut self, id: &str) -> bool {
        let now_ms = self.clock.now_ms();
        self.uses += 1;
        let Some(channel) = self.channels.get_mut(id) else { return false };
        (channel.used_ms, channel.used_order) = (now_ms, self.uses);
        true
    }

    /// Takes a channel away. In silence: its socket stays up and brings nothing any more.
    pub(super) fn evict(&mut self, id: &str) {
        let Some(channel) = self.channels.remove(id) else { return };
        let Some(conn) = channel.conn else { return };
        if self.settings.eviction_told {
            let text = wire::system("no_longer_subscribed", id, "another_channel_subscribed");
            self.say(conn, text);
        }
        self.abandon(conn);
    }

    /// Ends channels whose time is over, and announces the end of those that come near it.
    pub(super) fn tick_channels(&mut self) {
        let now_ms = self.clock.now_ms();
        let notice_ms = self.settings.vendor.closing_notice_ms;
        let mut over = Vec::new();
        let mut closing = Vec::new();
        for (id, channel) in &mut self.channels {
            if now_ms >= channel.expires_ms {
                over.push(id.clone());
            } else if !channel.is_closing && now_ms + notice_ms >= channel.expires_ms {
                channel.is_closing = true;
                closing.extend(channel.conn);
            }
        }
        for conn in closing {
            self.say(conn, wire::socket_closing());
        }
        for id in over {
            self.expire_channel(&id);
        }
    }

    /// Ends a channel: its socket is closed, and it cannot be found any more.
    pub(super) fn expire_channel(&mut self, id: &str) {
        let Some(channel) = self.channels.remove(id) else { return };
        if let Some(conn) = channel.conn {
            self.cut(conn, Command::Close { code: 1001, reason: "channel expired" });
        }
    }
}

pub(super) fn no_channel() -> Response {
    not_found("The channel")
}

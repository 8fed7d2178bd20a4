//! The faults and what each of them is.

use serde::{Deserialize, Serialize};

use crate::SimError;
use crate::settings::{Body, Numbering};

/// A promise to break. Each is a small scenario that makes its own preconditions, is bounded in
/// time, and leaves the published rules in force.
///
/// `history purged` below means that the floor is moved up to the head of that moment, so that the
/// vendor is consistent afterwards and what is lost for good can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fault {
    /// The stream is closed with a close frame (1012), after all that was sent before it.
    /// Any numbering: nothing of it depends on positions.
    CleanClose,
    /// The TCP connection is reset (RST); every second time half a frame goes out first.
    /// Any numbering.
    TcpReset,
    /// The socket stays open, what the client writes is swallowed, and nothing is sent, neither
    /// event nor heartbeat nor pong. Any numbering.
    HalfOpen,
    /// After a cut with history purged, the handshake is refused (410 `stale_sequence`) until a
    /// baseline was served after the refusal, three refusals at most.
    /// Any numbering: it is the vendor's own memory of the subscriber that is stale.
    HandshakeRefusedStale,
    /// After a cut with history purged, the old position is refused (`stale_sequence`).
    /// Positioned only: without positions there is nothing to refuse.
    SubscribeRefusedStale,
    /// After a cut, only the exact head is accepted, for a few seconds or until one subscription is
    /// accepted; each refusal purges history. Positioned only.
    ExactHeadOnly,
    /// After a cut with history purged, the old position is accepted as if nothing had been lost,
    /// and events begin at the oldest one kept. Heartbeats count from there, so they prove nothing
    /// of what lies before. Positioned only: without positions nothing is asked for, so nothing can
    /// be clamped.
    SilentClamp,
    /// The first subscription after a cut is accepted, heartbeats come, events never do, until the
    /// client leaves the socket (or, after some seconds, the vendor closes it). The heartbeats name
    /// the position served so far, so they do not lie about the events. Any numbering: with
    /// positions the head gives it away, without them the state does.
    MuteAfterReconnect,
    /// After a cut, old events from below the asked position come first, under the new subscription
    /// id. Positioned only: without positions old events under a valid id cannot be told from new
    /// ones by anybody.
    HistoryFlood,
    /// After a cut, frames of the old subscription, under its old id, arrive on the new socket
    /// between the new one's. Any numbering: the id tells them apart.
    ZombieContext,
    /// Frames are repeated at once. Any numbering: without positions a repeated frame equals the
    /// agent's state and changes nothing.
    Duplicates,
    /// Frames change places, within 5 events and 50 ms. Contiguous only: where numbers have holes
    /// or are missing, a late event cannot be told from one that never was.
    Reordering,
    /// While the client is away its token dies: 401 at its next use. Any numbering.
    TokenExpiredInOutage,
    /// The token is revoked long before its time: the stream is told `unauthorized` and closed with
    /// 4401, and the next use is answered with 401. Any numbering.
    TokenRevokedEarly,
    /// After a cut with history purged, agents leave from a page already served, while the next one
    /// is being asked for, so that a row moves across the border unseen. Any numbering, but only
    /// where the baseline carries state: nobody pages through rows that say nothing.
    TornSnapshot,
    /// After a cut with history purged, the baseline comes from a cache as old as the documented
    /// bound. Any numbering.
    StaleSnapshot,
    /// After a cut, a subscription is accepted but begins now, whatever it asked for; history is
    /// purged. Positioned only: without positions this is the published rule.
    NoReplay,
    /// All sockets break, history is gone, numbers begin again at 1 under a new epoch name.
    /// Positioned only: without numbers nothing begins again.
    SequenceReset,
    /// While the client is away agents leave and join. Any numbering.
    AgentsChangedInOutage,
    /// The vendor announces that it will close the stream, and does. A second connection is allowed
    /// meanwhile. Any numbering.
    PlannedClose,
    /// After a cut with history purged, the old position is accepted and the socket closed at once
    /// (1000) without an event, as often as it is asked for.
    /// Positioned only: without positions there is nothing stale to pass over in silence.
    ClosedAfterAccept,
    /// Single events are never sent on a socket that stays up; whoever asks for them again gets
    /// them. Any numbering. Where numbers are contiguous the hole shows; elsewhere nothing does,
    /// and what no audit can see counts as undetectable.
    DroppedFrames,
    /// After a cut with history purged, tokens are given without the baseline's scope, so that the
    /// baseline is refused (403 `insufficient_scope`). A moment later the scope is granted again:
    /// to new tokens, those already given stay as they are. Any numbering.
    MissingScope,
    /// After a cut the token is over, and the next request for one is answered with 429 and
    /// `Retry-After: 1`, like all that come before that second is over. Any numbering.
    ThrottledToken,
    /// After a cut with history purged, requests for the baseline are answered so. Any numbering.
    ThrottledRest,
    /// After a cut handshakes are answered so. Any numbering.
    ThrottledHandshake,
    /// After a cut with history purged, baseline and handshake are answered with 503 for a moment.
    /// Any numbering.
    Unavailable,
    /// After a cut with history purged, pages of the baseline come late, some of them later than
    /// clients wait. Any numbering.
    SlowRest,
    /// After a cut with history purged, answers of the baseline end in the middle of the JSON text;
    /// `Content-Length` is right for what is sent. Any numbering.
    TruncatedPage,
    /// After a cut with history purged, `total` is wrong: on one walk through the pages each page
    /// says more rows than there are, on another the pages after the first say less than the first
    /// did. Any numbering, but only where the baseline carries state, as for `TornSnapshot`. A lie
    /// that no page contradicts is not told: nobody could see it.
    WrongTotal,
    /// After a cut with history purged, the baseline is empty (200, `total` 0) on two walks at
    /// most. Any numbering, but only where the baseline carries state, as for `TornSnapshot`.
    EmptySnapshot,
    /// Text frames that are no JSON: either between the events, or in place of an event, of which
    /// only the first half is sent. In the second form it may be one and the same event that never
    /// gets through, three times at most; otherwise whoever asks for it again gets it whole.
    /// Any numbering.
    MalformedFrames,
    /// Frames above the documented size, between the events or in place of them, as for
    /// `MalformedFrames`. Any numbering.
    OversizedFrames,
    /// Binary frames: either of random bytes, between the events, or an event's text sent as
    /// binary, which says the same. Any numbering.
    BinaryFrames,
    /// JSON nested thousands of levels deep: either of its own, between the events, or in an event
    /// as a member that nobody asked for. Any numbering.
    NestedFrames,
    /// Well-formed frames of a kind that the rules do not know, between the events or in place of
    /// an event. An event that is sent under a name nobody knows is one that was dropped. Any
    /// numbering.
    UnknownFrames,
    /// Text frames that are no UTF-8, between the events or in place of them, as for
    /// `MalformedFrames`. Any numbering.
    InvalidUtf8,
    /// Events come in fragments, with pings between them. Any numbering.
    Fragmentation,
    /// More events than the vendor is willing to hold for a client whose road is narrow: the stream
    /// is closed (1008) before they are through. Any numbering.
    SlowConsumer,
    /// Nobody can connect for a second, and in that time more happens than history keeps: the floor
    /// moves past what any client holds, and most of the outage cannot be had any more. Any
    /// numbering: without positions it is an outage like others, only longer.
    OutageBeyondRetention,
    /// All sockets are cut again and again at even intervals ([`crate::Settings::flapping_cuts`]
    /// times within [`crate::Settings::flapping_ms`]). Any numbering.
    Flapping,
    /// After a cut the token is over, and the token endpoint answers 503 for a while. Any
    /// numbering.
    TokenEndpointDown,
    /// The vendor's clock goes back an hour for a moment and then returns: timestamps of events,
    /// times in their bodies, `generatedAt` and `Date`. Any numbering: no rule orders by them.
    ClockSetBack,
    /// The vendor is gone: every connection is reset as it arrives, for a second or more. Then all
    /// its customers return at once, and whatever is asked for is answered with 503 and
    /// `Retry-After: 1` until the crowd has been served. Any numbering.
    VendorOutage,
    /// Genesys Cloud only, like all that follow. After a cut the channel is gone, and of the topics
    /// asked for first on a new one a part is rejected: each third, named in the answer if errors
    /// are ignored; else the whole request is refused (403).
    PartialSubscribe,
    /// Another instance with the same client id makes channels until the oldest of ours that is
    /// connected is evicted: in silence, its socket stays open and brings nothing any more.
    ChannelEvicted,
    /// Channels end before their time, unannounced: the sockets are closed (1001), and neither
    /// `HEAD` nor a handshake finds them (404).
    ChannelExpired,
    /// Sockets stay open, protocol pings are answered, and neither heartbeat nor event nor `pong`
    /// comes. The channel lives on.
    HeartbeatStop,
    /// Heartbeats go on, and events never come any more, until the client leaves the socket or the
    /// vendor closes it.
    DeadSubscription,
    /// After a cut the handshake on the old channel is answered with 404 although `HEAD` finds the
    /// channel, until another one is connected to.
    HandshakeGone,
    /// After a cut the listing of a unit or team comes as a `downloadUrl`, however small it is.
    DownloadUrl,
    /// The end of the sockets is announced. While two channels are open together, frames of either
    /// are held back for moments and some are sent twice, so that one event comes up to four times,
    /// in two orders. Then the old sockets are closed.
    CrossedChannels,
    /// After a cut analytics lag behind much longer than usual, for a moment.
    LateHistory,
    /// After a cut pages of history come without their conversations, while `totalHits` counts
    /// them: twice at most.
    LostHistory,
    /// After a cut `totalHits` is wrong, too high and too low in turn: three times at most.
    WrongHistoryTotal,
}

impl Fault {
    /// All that a CXone-shaped vendor can play, in the order of the documentation.
    pub const ALL: [Self; 44] = [
        Self::CleanClose,
        Self::TcpReset,
        Self::HalfOpen,
        Self::HandshakeRefusedStale,
        Self::SubscribeRefusedStale,
        Self::ExactHeadOnly,
        Self::SilentClamp,
        Self::MuteAfterReconnect,
        Self::HistoryFlood,
        Self::ZombieContext,
        Self::Duplicates,
        Self::Reordering,
        Self::TokenExpiredInOutage,
        Self::TokenRevokedEarly,
        Self::TornSnapshot,
        Self::StaleSnapshot,
        Self::NoReplay,
        Self::SequenceReset,
        Self::AgentsChangedInOutage,
        Self::PlannedClose,
        Self::ClosedAfterAccept,
        Self::DroppedFrames,
        Self::MissingScope,
        Self::ThrottledToken,
        Self::ThrottledRest,
        Self::ThrottledHandshake,
        Self::Unavailable,
        Self::SlowRest,
        Self::TruncatedPage,
        Self::WrongTotal,
        Self::EmptySnapshot,
        Self::MalformedFrames,
        Self::OversizedFrames,
        Self::BinaryFrames,
        Self::NestedFrames,
        Self::UnknownFrames,
        Self::InvalidUtf8,
        Self::Fragmentation,
        Self::SlowConsumer,
        Self::OutageBeyondRetention,
        Self::Flapping,
        Self::TokenEndpointDown,
        Self::ClockSetBack,
        Self::VendorOutage,
    ];

    /// All that a Genesys-shaped vendor can play, in the order of the documentation.
    pub const GENESYS: [Self; 29] = [
        Self::CleanClose,
        Self::TcpReset,
        Self::HalfOpen,
        Self::MuteAfterReconnect,
        Self::Duplicates,
        Self::TokenExpiredInOutage,
        Self::TokenRevokedEarly,
        Self::StaleSnapshot,
        Self::AgentsChangedInOutage,
        Self::PlannedClose,
        Self::DroppedFrames,
        Self::ThrottledToken,
        Self::ThrottledRest,
        Self::Unavailable,
        Self::SlowRest,
        Self::TruncatedPage,
        Self::TokenEndpointDown,
        Self::VendorOutage,
        Self::PartialSubscribe,
        Self::ChannelEvicted,
        Self::ChannelExpired,
        Self::HeartbeatStop,
        Self::DeadSubscription,
        Self::HandshakeGone,
        Self::DownloadUrl,
        Self::CrossedChannels,
        Self::LateHistory,
        Self::LostHistory,
        Self::WrongHistoryTotal,
    ];

    /// The name used on command lines, in files and in news.
    pub fn name(self) -> &'static str {
        match self {
            Self::CleanClose => "clean-close",
            Self::TcpReset => "tcp-reset",
            Self::HalfOpen => "half-open",
            Self::HandshakeRefusedStale => "handshake-refused-stale",
            Self::SubscribeRefusedStale => "subscribe-refused-stale",
            Self::ExactHeadOnly => "exact-head-only",
            Self::SilentClamp => "silent-clamp",
            Self::MuteAfterReconnect => "mute-after-reconnect",
            Self::HistoryFlood => "history-flood",
            Self::ZombieContext => "zombie-context",
            Self::Duplicates => "duplicates",
            Self::Reordering => "reordering",
            Self::TokenExpiredInOutage => "token-expired-in-outage",
            Self::TokenRevokedEarly => "token-revoked-early",
            Self::TornSnapshot => "torn-snapshot",
            Self::StaleSnapshot => "stale-snapshot",
            Self::NoReplay => "no-replay",
            Self::SequenceReset => "sequence-reset",
            Self::AgentsChangedInOutage => "agents-changed-in-outage",
            Self::PlannedClose => "planned-close",
            Self::ClosedAfterAccept => "closed-after-accept",
            Self::DroppedFrames => "dropped-frames",
            Self::MissingScope => "missing-scope",
            Self::ThrottledToken => "throttled-token",
            Self::ThrottledRest => "throttled-rest",
            Self::ThrottledHandshake => "throttled-handshake",
            Self::Unavailable => "unavailable",
            Self::SlowRest => "slow-rest",
            Self::TruncatedPage => "truncated-page",
            Self::WrongTotal => "wrong-total",
            Self::EmptySnapshot => "empty-snapshot",
            Self::MalformedFrames => "malformed-frames",
            Self::OversizedFrames => "oversized-frames",
            Self::BinaryFrames => "binary-frames",
            Self::NestedFrames => "nested-frames",
            Self::UnknownFrames => "unknown-frames",
            Self::InvalidUtf8 => "invalid-utf8",
            Self::Fragmentation => "fragmentation",
            Self::SlowConsumer => "slow-consumer",
            Self::OutageBeyondRetention => "outage-beyond-retention",
            Self::Flapping => "flapping",
            Self::TokenEndpointDown => "token-endpoint-down",
            Self::ClockSetBack => "clock-set-back",
            Self::VendorOutage => "vendor-outage",
            Self::PartialSubscribe => "partial-subscribe",
            Self::ChannelEvicted => "channel-evicted",
            Self::ChannelExpired => "channel-expired",
            Self::HeartbeatStop => "heartbeat-stop",
            Self::DeadSubscription => "dead-subscription",
            Self::HandshakeGone => "handshake-gone",
            Self::DownloadUrl => "download-url",
            Self::CrossedChannels => "crossed-channels",
            Self::LateHistory => "late-history",
            Self::LostHistory => "lost-history",
            Self::WrongHistoryTotal => "wrong-history-total",
        }
    }

    /// Whether a client of a CXone-shaped vendor with this numbering can see the fault for what it
    /// is. The reason is in each fault's documentation.
    pub fn applies_to(self, numbering: Numbering) -> bool {
        match self {
            Self::SubscribeRefusedStale
            | Self::ExactHeadOnly
            | Self::SilentClamp
            | Self::HistoryFlood
            | Self::NoReplay
            | Self::SequenceReset
            | Self::ClosedAfterAccept => numbering.is_positioned(),
            Self::Reordering => numbering == Numbering::Contiguous,
            fault => Self::ALL.contains(&fault),
        }
    }

    /// As [`Fault::applies_to`], looking also at what the baseline carries.
    pub fn applies_with(self, numbering: Numbering, body: Body) -> bool {
        let needs_state =
            matches!(self, Self::TornSnapshot | Self::WrongTotal | Self::EmptySnapshot);
        self.applies_to(numbering) && (!needs_state || body == Body::State)
    }

    /// Whether it plays on a stream that is up, and not in an outage of its own making.
    pub(crate) fn needs_stream(self) -> bool {
        matches!(
            self,
            Self::CleanClose
                | Self::TcpReset
                | Self::HalfOpen
                | Self::TokenRevokedEarly
                | Self::SequenceReset
                | Self::PlannedClose
                | Self::Reordering
                | Self::SlowConsumer
                | Self::Flapping
                | Self::ClockSetBack
                | Self::ChannelEvicted
                | Self::ChannelExpired
                | Self::HeartbeatStop
                | Self::DeadSubscription
                | Self::CrossedChannels
        ) || self.bends_frames()
    }

    /// Whether it changes single frames of a stream.
    pub(crate) fn bends_frames(self) -> bool {
        matches!(
            self,
            Self::Duplicates
                | Self::DroppedFrames
                | Self::MalformedFrames
                | Self::OversizedFrames
                | Self::BinaryFrames
                | Self::NestedFrames
                | Self::UnknownFrames
                | Self::InvalidUtf8
                | Self::Fragmentation
        )
    }

    /// All that apply to the numbering.
    pub fn all_for(numbering: Numbering) -> Vec<Self> {
        Self::ALL.into_iter().filter(|fault| fault.applies_to(numbering)).collect()
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Fault {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut all = Self::ALL.into_iter().chain(Self::GENESYS);
        all.find(|fault| fault.name() == text).ok_or_else(|| SimError::UnknownName {
            kind: "fault",
            name: text.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_equals_the_serialised_one() {
        for fault in Fault::ALL.into_iter().chain(Fault::GENESYS) {
            assert_eq!(fault.name().parse::<Fault>().unwrap(), fault);
            assert_eq!(serde_json::to_string(&fault).unwrap(), format!("\"{fault}\""));
        }
        assert!("power-cut".parse::<Fault>().is_err());
    }

    #[test]
    fn what_only_one_vendor_has_the_other_is_spared() {
        let none = Fault::all_for(Numbering::None);
        assert!(!none.contains(&Fault::ChannelEvicted) && none.contains(&Fault::HalfOpen));
        assert!(!Fault::GENESYS.contains(&Fault::HistoryFlood));
    }

    #[test]
    fn a_vendor_without_positions_is_spared_what_only_positions_could_show() {
        let none = Fault::all_for(Numbering::None);
        assert!(!none.contains(&Fault::HistoryFlood) && !none.contains(&Fault::Reordering));
        assert_eq!(Fault::all_for(Numbering::Contiguous).len(), Fault::ALL.len());
        assert_eq!(Fault::all_for(Numbering::Increasing).len(), Fault::ALL.len() - 1);
    }
}

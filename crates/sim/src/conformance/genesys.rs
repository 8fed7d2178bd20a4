//! The scenarios of a Genesys-shaped vendor.

use super::{Scenario, Step};
use crate::Fault;

/// See the module.
pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "calm",
        happens: "Nothing goes wrong.",
        expected: "Every event once and in order. Whoever is not clean here cannot be judged \
            elsewhere.",
        steps: &[],
    },
    Scenario {
        name: "clean-close",
        happens: "The vendor closes the sockets with a close frame (1012).",
        expected: "Nothing is replayed here: what happened meanwhile is written down as a gap, \
            and state is fetched anew.",
        steps: &[Step::Break(&[Fault::CleanClose])],
    },
    Scenario {
        name: "tcp-reset",
        happens: "The connections are reset in the middle of the stream, perhaps in the middle \
            of a frame.",
        expected: "Nothing is replayed here: what happened meanwhile is written down as a gap, \
            and state is fetched anew.",
        steps: &[Step::Break(&[Fault::TcpReset])],
    },
    Scenario {
        name: "half-open",
        happens: "Sockets stay open and nothing comes any more: neither event nor heartbeat nor \
            pong.",
        expected: "The missing heartbeats are noticed. Nothing is replayed here: what happened \
            meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::HalfOpen])],
    },
    Scenario {
        name: "mute-after-reconnect",
        happens: "After a cut the subscription is accepted and heartbeats come, but never an \
            event.",
        expected: "That state moves by REST and not on the socket gives it away. Nothing is \
            replayed here: what happened meanwhile is written down as a gap, and state is \
            fetched anew.",
        steps: &[Step::Break(&[Fault::MuteAfterReconnect])],
    },
    Scenario {
        name: "duplicates",
        happens: "Frames are repeated at once.",
        expected: "Nothing is told twice.",
        steps: &[Step::Break(&[Fault::Duplicates])],
    },
    Scenario {
        name: "token-expired-in-outage",
        happens: "While the client is away its token expires: its next use is answered with 401.",
        expected: "A new token is fetched. Nothing is replayed here: what happened meanwhile is \
            written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::TokenExpiredInOutage])],
    },
    Scenario {
        name: "token-revoked-early",
        happens: "The token is revoked long before its time, and the sockets are closed (1008).",
        expected: "A new token is fetched. Nothing is replayed here: what happened meanwhile is \
            written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::TokenRevokedEarly])],
    },
    Scenario {
        name: "stale-snapshot",
        happens: "After a cut the listings come from an old cache.",
        expected: "State is right all the same. Nothing is replayed here: what happened \
            meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::StaleSnapshot])],
    },
    Scenario {
        name: "agents-changed-in-outage",
        happens: "While the client is away agents leave their unit and others come.",
        expected: "Whoever left is not held to be there for ever. Nothing is replayed here: what \
            happened meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::AgentsChangedInOutage])],
    },
    Scenario {
        name: "planned-close",
        happens: "The end of the sockets is announced (`v2.system.socket_closing`), and comes.",
        expected: "With another channel opened in time nothing is lost, and nothing is told twice.",
        steps: &[Step::Break(&[Fault::PlannedClose])],
    },
    Scenario {
        name: "dropped-frames",
        happens: "Single events are never sent, on a socket that stays up.",
        expected: "Nothing shows it but state by REST: what that reveals is put right and \
            written down.",
        steps: &[Step::Break(&[Fault::DroppedFrames])],
    },
    Scenario {
        name: "throttled-token",
        happens: "After a cut the token is over, and requests for one are answered with 429, \
            `Retry-After: 1`.",
        expected: "The wait is obeyed. Nothing is replayed here: what happened meanwhile is \
            written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::ThrottledToken])],
    },
    Scenario {
        name: "throttled-rest",
        happens: "After a cut requests are answered with 429, `Retry-After: 1`.",
        expected: "The wait is obeyed. Nothing is replayed here: what happened meanwhile is \
            written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::ThrottledRest])],
    },
    Scenario {
        name: "unavailable",
        happens: "After a cut everything is answered with 503 for a moment.",
        expected: "The client comes back. Nothing is replayed here: what happened meanwhile is \
            written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::Unavailable])],
    },
    Scenario {
        name: "slow-rest",
        happens: "After a cut answers come late, some later than one would wait.",
        expected: "Nothing is replayed here: what happened meanwhile is written down as a gap, \
            and state is fetched anew.",
        steps: &[Step::Break(&[Fault::SlowRest])],
    },
    Scenario {
        name: "truncated-page",
        happens: "After a cut answers end in the middle of the text.",
        expected: "Half an answer is not believed. Nothing is replayed here: what happened \
            meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::TruncatedPage])],
    },
    Scenario {
        name: "token-endpoint-down",
        happens: "After a cut the token is over, and the token endpoint answers 503 for a while.",
        expected: "The client keeps trying without a storm. Nothing is replayed here: what \
            happened meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::TokenEndpointDown])],
    },
    Scenario {
        name: "vendor-outage",
        happens: "Every connection is reset for a second; then all customers return and much is \
            answered with 503.",
        expected: "The client comes back without adding to the storm. Nothing is replayed here: \
            what happened meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::VendorOutage])],
    },
    Scenario {
        name: "partial-subscribe",
        happens: "After a cut the channel is gone, and of the topics asked for on a new one a \
            part is rejected.",
        expected: "The answer is read topic by topic; whoever is not subscribed to is written \
            down until they are.",
        steps: &[Step::Break(&[Fault::PartialSubscribe])],
    },
    Scenario {
        name: "channel-evicted",
        happens: "Another instance of the same client makes channels until ours is evicted, in \
            silence.",
        expected: "The missing heartbeats are noticed. Nothing is replayed here: what happened \
            meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::ChannelEvicted])],
    },
    Scenario {
        name: "channel-expired",
        happens: "Channels end before their time: sockets are closed (1001), and the channel \
            cannot be found (404).",
        expected: "A new channel is made and subscribed. Nothing is replayed here: what happened \
            meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::ChannelExpired])],
    },
    Scenario {
        name: "heartbeat-stop",
        happens: "Sockets stay open and pings are answered, but neither heartbeat nor event comes.",
        expected: "An answered ping is no proof of life. Nothing is replayed here: what happened \
            meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::HeartbeatStop])],
    },
    Scenario {
        name: "dead-subscription",
        happens: "Heartbeats go on, and events never come any more.",
        expected: "That state moves by REST and not on the socket gives it away. Nothing is \
            replayed here: what happened meanwhile is written down as a gap, and state is \
            fetched anew.",
        steps: &[Step::Break(&[Fault::DeadSubscription])],
    },
    Scenario {
        name: "handshake-gone",
        happens: "After a cut the channel's handshake is answered with 404 although the channel \
            is there.",
        expected: "Another channel is made. Nothing is replayed here: what happened meanwhile is \
            written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::HandshakeGone])],
    },
    Scenario {
        name: "download-url",
        happens: "After a cut a listing comes as a `downloadUrl`, however small it is.",
        expected: "It is followed, or the listing is had another way. Nothing is replayed here: \
            what happened meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::DownloadUrl])],
    },
    Scenario {
        name: "crossed-channels",
        happens: "The end of the sockets is announced; while two channels are open the same \
            events come up to four times, in two orders.",
        expected: "Everything is told once and in order.",
        steps: &[Step::Break(&[Fault::CrossedChannels])],
    },
    Scenario {
        name: "late-history",
        happens: "After a cut analytics lag behind much longer than usual.",
        expected: "Whoever asks history waits for it. Nothing is replayed here: what happened \
            meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::LateHistory])],
    },
    Scenario {
        name: "lost-history",
        happens: "After a cut pages of history come without their conversations.",
        expected: "Half an answer is not believed. Nothing is replayed here: what happened \
            meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::LostHistory])],
    },
    Scenario {
        name: "wrong-history-total",
        happens: "After a cut the totals of history are wrong.",
        expected: "Walks are repeated until they agree. Nothing is replayed here: what happened \
            meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::WrongHistoryTotal])],
    },
    Scenario {
        name: "cut-twice",
        happens: "The sockets are closed, and reset again as soon as the client is back.",
        expected: "Nothing is replayed here: what happened meanwhile is written down as a gap, \
            and state is fetched anew.",
        steps: &[Step::Break(&[Fault::CleanClose, Fault::TcpReset])],
    },
    Scenario {
        name: "expired-with-a-dead-token",
        happens: "Channels end before their time, and the token is over at once with them.",
        expected: "A new token, a new channel. Nothing is replayed here: what happened meanwhile \
            is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::ChannelExpired, Fault::TokenExpiredInOutage])],
    },
    Scenario {
        name: "evicted-while-throttled",
        happens: "Ours is evicted in silence, and requests are throttled while a new channel is \
            to be made.",
        expected: "The wait is obeyed. Nothing is replayed here: what happened meanwhile is \
            written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::ChannelEvicted, Fault::ThrottledRest])],
    },
    Scenario {
        name: "partial-behind-a-404",
        happens: "The old channel's handshake is refused, and on the new one a part of the \
            topics is rejected.",
        expected: "Whoever is not subscribed to is written down until they are. Nothing is \
            replayed here: what happened meanwhile is written down as a gap, and state is \
            fetched anew.",
        steps: &[Step::Break(&[Fault::HandshakeGone, Fault::PartialSubscribe])],
    },
    Scenario {
        name: "hand-over-cut-short",
        happens: "The end of the sockets is announced, and they are reset before it comes.",
        expected: "Nothing is told twice; what nobody saw is written down.",
        steps: &[Step::Break(&[Fault::PlannedClose, Fault::TcpReset])],
    },
    Scenario {
        name: "stale-listing-in-an-outage",
        happens: "The vendor is gone for a second; then listings come from an old cache.",
        expected: "State is right all the same. Nothing is replayed here: what happened \
            meanwhile is written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::StaleSnapshot, Fault::VendorOutage])],
    },
    Scenario {
        name: "mute-and-half-open",
        happens: "A subscription is mute after a cut; another socket goes dead without a word.",
        expected: "Both are noticed. Nothing is replayed here: what happened meanwhile is \
            written down as a gap, and state is fetched anew.",
        steps: &[Step::Break(&[Fault::MuteAfterReconnect, Fault::HalfOpen])],
    },
    Scenario {
        name: "killed",
        happens: "The client is killed while all is well, and started again a moment later.",
        expected: "It goes on from what it had told: nothing twice; what nobody saw is written \
            down.",
        steps: &[Step::Kill(300)],
    },
    Scenario {
        name: "killed-twice",
        happens: "The client is killed, started again, and killed once more soon after.",
        expected: "It goes on from what it had told: nothing twice; what nobody saw is written \
            down.",
        steps: &[Step::Kill(200), Step::Wait(600), Step::Kill(200)],
    },
    Scenario {
        name: "killed-in-an-outage",
        happens: "The vendor goes down, and the client is killed meanwhile.",
        expected: "Nothing twice; what nobody saw is written down, also across the restart.",
        steps: &[Step::Break(&[Fault::VendorOutage]), Step::Kill(300)],
    },
    Scenario {
        name: "killed-in-a-hand-over",
        happens: "The end of the sockets is announced, and the client is killed around it.",
        expected: "Nothing twice; what nobody saw is written down.",
        steps: &[Step::Break(&[Fault::PlannedClose]), Step::Kill(200)],
    },
    Scenario {
        name: "killed-and-expired",
        happens: "The client is killed and comes back; then its channel ends before its time.",
        expected: "Nothing twice; what nobody saw is written down.",
        steps: &[Step::Kill(200), Step::Break(&[Fault::ChannelExpired])],
    },
];

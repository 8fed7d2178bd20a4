//! The scenarios of a CXone-shaped vendor.

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
        happens: "The vendor closes the stream with a close frame (1012), after all that was \
            sent before it.",
        expected: "Every event once and in order: the vendor replays what was missed from the \
            last position.",
        steps: &[Step::Break(&[Fault::CleanClose])],
    },
    Scenario {
        name: "tcp-reset",
        happens: "The connection is reset in the middle of the stream, perhaps in the middle of \
            a frame.",
        expected: "Every event once and in order: the vendor replays what was missed from the \
            last position.",
        steps: &[Step::Break(&[Fault::TcpReset])],
    },
    Scenario {
        name: "half-open",
        happens: "The socket stays open and nothing comes any more: neither event nor heartbeat \
            nor pong.",
        expected: "The silence is noticed by the missing heartbeats; a new connection brings \
            what was missed.",
        steps: &[Step::Break(&[Fault::HalfOpen])],
    },
    Scenario {
        name: "handshake-refused-stale",
        happens: "After a cut the handshake is refused (410 `stale_sequence`) until the baseline \
            is read again; history is gone.",
        expected: "What the vendor has forgotten is written down as a gap; everything after it \
            is told once.",
        steps: &[Step::Break(&[Fault::HandshakeRefusedStale])],
    },
    Scenario {
        name: "subscribe-refused-stale",
        happens: "After a cut the last position is refused (`stale_sequence`); history is gone.",
        expected: "What the vendor has forgotten is written down as a gap; everything after it \
            is told once.",
        steps: &[Step::Break(&[Fault::SubscribeRefusedStale])],
    },
    Scenario {
        name: "exact-head-only",
        happens: "After a cut the vendor accepts its newest position only, and forgets history \
            at each refusal.",
        expected: "The client gets in all the same, by a fresh baseline or without a position; \
            the hole is written down.",
        steps: &[Step::Break(&[Fault::ExactHeadOnly])],
    },
    Scenario {
        name: "silent-clamp",
        happens: "After a cut the last position is accepted as if nothing were missing, and \
            events begin later.",
        expected: "The jump in the numbers is noticed and written down as a gap.",
        steps: &[Step::Break(&[Fault::SilentClamp])],
    },
    Scenario {
        name: "mute-after-reconnect",
        happens: "After a cut the subscription is accepted and heartbeats come, but never an \
            event.",
        expected: "The head in the heartbeats or in the baseline gives it away; another \
            connection brings what was missed.",
        steps: &[Step::Break(&[Fault::MuteAfterReconnect])],
    },
    Scenario {
        name: "history-flood",
        happens: "After a cut two hundred old events come first, from before the position that \
            was asked for.",
        expected: "Nothing is told twice.",
        steps: &[Step::Break(&[Fault::HistoryFlood])],
    },
    Scenario {
        name: "zombie-context",
        happens: "After a cut frames of the old subscription come between those of the new one.",
        expected: "Frames under the old subscription's id are dropped; nothing is told twice.",
        steps: &[Step::Break(&[Fault::ZombieContext])],
    },
    Scenario {
        name: "duplicates",
        happens: "Frames are repeated at once.",
        expected: "Nothing is told twice.",
        steps: &[Step::Break(&[Fault::Duplicates])],
    },
    Scenario {
        name: "reordering",
        happens: "Frames change places, within five events and 50 ms.",
        expected: "Everything is told in order.",
        steps: &[Step::Break(&[Fault::Reordering])],
    },
    Scenario {
        name: "token-expired-in-outage",
        happens: "While the client is away its token expires: its next use is answered with 401.",
        expected: "A new token is fetched; then as after any cut.",
        steps: &[Step::Break(&[Fault::TokenExpiredInOutage])],
    },
    Scenario {
        name: "token-revoked-early",
        happens: "The token is revoked long before its time: the stream says `unauthorized` and \
            is closed (4401).",
        expected: "A new token is fetched; then as after any cut.",
        steps: &[Step::Break(&[Fault::TokenRevokedEarly])],
    },
    Scenario {
        name: "torn-snapshot",
        happens: "After a cut history is gone, and agents leave while the baseline is being \
            paged: a row slips over the border.",
        expected: "State is right all the same: pages that do not fit together are asked for \
            again.",
        steps: &[Step::Break(&[Fault::TornSnapshot])],
    },
    Scenario {
        name: "stale-snapshot",
        happens: "After a cut history is gone, and the baseline comes from an old cache.",
        expected: "A baseline that is older than what is known is not believed; the hole is \
            written down.",
        steps: &[Step::Break(&[Fault::StaleSnapshot])],
    },
    Scenario {
        name: "no-replay",
        happens: "After a cut a subscription begins now, whatever position was asked for.",
        expected: "The jump in the numbers is noticed and written down as a gap.",
        steps: &[Step::Break(&[Fault::NoReplay])],
    },
    Scenario {
        name: "sequence-reset",
        happens: "All sockets break, history is gone, and numbers begin again at 1 under a new \
            epoch.",
        expected: "Low numbers of the new epoch are not taken for old ones; the change is a gap \
            at most.",
        steps: &[Step::Break(&[Fault::SequenceReset])],
    },
    Scenario {
        name: "agents-changed-in-outage",
        happens: "While the client is away agents leave and others join.",
        expected: "The replay tells of both.",
        steps: &[Step::Break(&[Fault::AgentsChangedInOutage])],
    },
    Scenario {
        name: "planned-close",
        happens: "The vendor announces that it will close the stream, and does. Another may be \
            opened beside it.",
        expected: "Nothing is lost, nothing is told twice.",
        steps: &[Step::Break(&[Fault::PlannedClose])],
    },
    Scenario {
        name: "closed-after-accept",
        happens: "After a cut the old position is accepted and the socket closed at once, as \
            often as it is tried.",
        expected: "The client does not try the same for ever: it goes on from somewhere else, \
            and writes the hole down.",
        steps: &[Step::Break(&[Fault::ClosedAfterAccept])],
    },
    Scenario {
        name: "dropped-frames",
        happens: "Single events are never sent, on a socket that stays up.",
        expected: "The hole in the numbers is noticed; who asks again gets them.",
        steps: &[Step::Break(&[Fault::DroppedFrames])],
    },
    Scenario {
        name: "missing-scope",
        happens: "After a cut history is gone, and for a while tokens come without the scope \
            that the baseline needs (403).",
        expected: "No storm of requests; when the scope is there again all goes on, and the hole \
            is written down.",
        steps: &[Step::Break(&[Fault::MissingScope])],
    },
    Scenario {
        name: "throttled-token",
        happens: "After a cut the token is over, and requests for one are answered with 429, \
            `Retry-After: 1`.",
        expected: "The wait is obeyed; then as after any cut.",
        steps: &[Step::Break(&[Fault::ThrottledToken])],
    },
    Scenario {
        name: "throttled-rest",
        happens: "After a cut history is gone, and the baseline is answered with 429, \
            `Retry-After: 1`.",
        expected: "The wait is obeyed; the hole is written down.",
        steps: &[Step::Break(&[Fault::ThrottledRest])],
    },
    Scenario {
        name: "throttled-handshake",
        happens: "After a cut handshakes are answered with 429, `Retry-After: 1`.",
        expected: "The wait is obeyed; then as after any cut.",
        steps: &[Step::Break(&[Fault::ThrottledHandshake])],
    },
    Scenario {
        name: "unavailable",
        happens: "After a cut history is gone, and everything is answered with 503 for a moment.",
        expected: "The client comes back, and writes the hole down.",
        steps: &[Step::Break(&[Fault::Unavailable])],
    },
    Scenario {
        name: "slow-rest",
        happens: "After a cut history is gone, and pages of the baseline come late, some later \
            than one would wait.",
        expected: "The client comes back, and writes the hole down.",
        steps: &[Step::Break(&[Fault::SlowRest])],
    },
    Scenario {
        name: "truncated-page",
        happens: "After a cut history is gone, and pages of the baseline end in the middle of \
            the text.",
        expected: "Half a page is not believed; the hole is written down.",
        steps: &[Step::Break(&[Fault::TruncatedPage])],
    },
    Scenario {
        name: "wrong-total",
        happens: "After a cut history is gone, and the baseline's totals are wrong.",
        expected: "State is right all the same; the hole is written down.",
        steps: &[Step::Break(&[Fault::WrongTotal])],
    },
    Scenario {
        name: "empty-snapshot",
        happens: "After a cut history is gone, and the baseline is empty for a while.",
        expected: "Nobody is taken for gone because of an empty answer; the hole is written down.",
        steps: &[Step::Break(&[Fault::EmptySnapshot])],
    },
    Scenario {
        name: "malformed-frames",
        happens: "Frames come that are no JSON, some in place of an event.",
        expected: "An event that came broken is asked for again, or written down.",
        steps: &[Step::Break(&[Fault::MalformedFrames])],
    },
    Scenario {
        name: "oversized-frames",
        happens: "Frames come that are far larger than any event, some in place of an event.",
        expected: "The client survives them; an event that was hidden is asked for again, or \
            written down.",
        steps: &[Step::Break(&[Fault::OversizedFrames])],
    },
    Scenario {
        name: "binary-frames",
        happens: "Binary frames come: noise between the events, or an event's text sent as binary.",
        expected: "Noise is passed over, events are not.",
        steps: &[Step::Break(&[Fault::BinaryFrames])],
    },
    Scenario {
        name: "nested-frames",
        happens: "JSON comes that is nested thousands of levels deep, some of it inside an event.",
        expected: "The client survives it; no event is lost.",
        steps: &[Step::Break(&[Fault::NestedFrames])],
    },
    Scenario {
        name: "unknown-frames",
        happens: "Well-formed frames of an unknown kind come, some in place of an event.",
        expected: "They are passed over; the hole that an event leaves is noticed.",
        steps: &[Step::Break(&[Fault::UnknownFrames])],
    },
    Scenario {
        name: "invalid-utf8",
        happens: "Text frames come that are no UTF-8, some in place of an event.",
        expected: "The client comes back from it; an event that was hidden is asked for again, \
            or written down.",
        steps: &[Step::Break(&[Fault::InvalidUtf8])],
    },
    Scenario {
        name: "fragmentation",
        happens: "Events come in fragments, with pings between them.",
        expected: "Every event once and in order.",
        steps: &[Step::Break(&[Fault::Fragmentation])],
    },
    Scenario {
        name: "slow-consumer",
        happens: "Two thousand events come at once, and the vendor closes the stream (1008) \
            before they are through.",
        expected: "Every event once and in order: the vendor replays what was missed from the \
            last position.",
        steps: &[Step::Break(&[Fault::SlowConsumer])],
    },
    Scenario {
        name: "outage-beyond-retention",
        happens: "Nobody can connect for a second, in which more happens than history keeps.",
        expected: "What is still kept is told, the rest is written down.",
        steps: &[Step::Break(&[Fault::OutageBeyondRetention])],
    },
    Scenario {
        name: "flapping",
        happens: "The stream is cut six times at even intervals.",
        expected: "Every event once and in order: the vendor replays what was missed from the \
            last position. No storm of handshakes.",
        steps: &[Step::Break(&[Fault::Flapping])],
    },
    Scenario {
        name: "token-endpoint-down",
        happens: "After a cut the token is over, and the token endpoint answers 503 for a while.",
        expected: "The client keeps trying without a storm; then as after any cut.",
        steps: &[Step::Break(&[Fault::TokenEndpointDown])],
    },
    Scenario {
        name: "clock-set-back",
        happens: "The vendor's clock goes back an hour and returns: times in events and answers \
            are wrong.",
        expected: "Order is that of the positions, not of the times.",
        steps: &[Step::Break(&[Fault::ClockSetBack])],
    },
    Scenario {
        name: "vendor-outage",
        happens: "Every connection is reset for a second; then all customers return and much is \
            answered with 503.",
        expected: "The client comes back without adding to the storm.",
        steps: &[Step::Break(&[Fault::VendorOutage])],
    },
    Scenario {
        name: "cut-inside-a-replay",
        happens: "The stream is closed, and reset again as soon as the client is back.",
        expected: "Every event once and in order: the vendor replays what was missed from the \
            last position.",
        steps: &[Step::Break(&[Fault::CleanClose, Fault::TcpReset])],
    },
    Scenario {
        name: "refused-while-the-token-expires",
        happens: "After a cut the token is over and the last position is refused; history is gone.",
        expected: "What the vendor has forgotten is written down as a gap; everything after it \
            is told once.",
        steps: &[Step::Break(&[Fault::SubscribeRefusedStale, Fault::TokenExpiredInOutage])],
    },
    Scenario {
        name: "flood-behind-a-clamp",
        happens: "After a cut events begin later than asked, and old ones come first: the flood \
            hides the jump.",
        expected: "Old events do not prove that nothing is missing; the jump is written down, \
            and nothing is told twice.",
        steps: &[Step::Break(&[Fault::SilentClamp, Fault::HistoryFlood])],
    },
    Scenario {
        name: "stale-baseline-in-an-outage",
        happens: "The vendor is gone for a second; then the baseline comes from an old cache, \
            and history is gone.",
        expected: "The baseline is believed only when it is new enough; the hole is written down.",
        steps: &[Step::Break(&[Fault::StaleSnapshot, Fault::VendorOutage])],
    },
    Scenario {
        name: "torn-and-refused",
        happens: "The last position is refused, and rows slip between the pages of the baseline \
            that replaces it.",
        expected: "State is right all the same; the hole is written down.",
        steps: &[Step::Break(&[Fault::TornSnapshot, Fault::SubscribeRefusedStale])],
    },
    Scenario {
        name: "reset-while-throttled",
        happens: "Numbers begin again at 1, and the baseline is answered with 429.",
        expected: "The new numbering is gone on with once the baseline can be had.",
        steps: &[Step::Break(&[Fault::SequenceReset, Fault::ThrottledRest])],
    },
    Scenario {
        name: "mute-and-half-open",
        happens: "A subscription is mute after a cut; another socket goes dead without a word.",
        expected: "Both are noticed, and what was missed is fetched.",
        steps: &[Step::Break(&[Fault::MuteAfterReconnect, Fault::HalfOpen])],
    },
    Scenario {
        name: "duplicates-while-reordered",
        happens: "Frames are repeated and change places at once.",
        expected: "Everything is told once and in order.",
        steps: &[Step::Break(&[Fault::Duplicates, Fault::Reordering])],
    },
    Scenario {
        name: "planned-close-cut-short",
        happens: "A close is announced, and the connection is reset before it comes.",
        expected: "Every event once and in order: the vendor replays what was missed from the \
            last position.",
        steps: &[Step::Break(&[Fault::PlannedClose, Fault::TcpReset])],
    },
    Scenario {
        name: "dropped-before-a-cut",
        happens: "Single events are not sent, and then the stream is closed.",
        expected: "The replay begins where the first hole is, not behind it.",
        steps: &[Step::Break(&[Fault::DroppedFrames, Fault::CleanClose])],
    },
    Scenario {
        name: "garbage-and-a-cut",
        happens: "Frames come that are no JSON, and the connection is reset.",
        expected: "Nothing is lost, nothing is told twice.",
        steps: &[Step::Break(&[Fault::MalformedFrames, Fault::TcpReset])],
    },
    Scenario {
        name: "zombie-behind-a-refusal",
        happens: "The last position is refused, and frames of the old subscription haunt the new \
            one.",
        expected: "What the vendor has forgotten is written down as a gap; everything after it \
            is told once. The old subscription's frames are dropped.",
        steps: &[Step::Break(&[Fault::ZombieContext, Fault::SubscribeRefusedStale])],
    },
    Scenario {
        name: "revoked-while-flapping",
        happens: "The stream is cut again and again, and the token is revoked in between.",
        expected: "Every event once and in order: the vendor replays what was missed from the \
            last position.",
        steps: &[Step::Break(&[Fault::Flapping, Fault::TokenRevokedEarly])],
    },
    Scenario {
        name: "forgotten-while-throttled",
        happens: "More happens than history keeps while nobody can connect, and then handshakes \
            are throttled.",
        expected: "What is still kept is told, the rest is written down.",
        steps: &[Step::Break(&[Fault::OutageBeyondRetention, Fault::ThrottledHandshake])],
    },
    Scenario {
        name: "killed",
        happens: "The client is killed while all is well, and started again a moment later.",
        expected: "It goes on from what it had told: nothing twice, nothing lost.",
        steps: &[Step::Kill(300)],
    },
    Scenario {
        name: "killed-twice",
        happens: "The client is killed, started again, and killed once more soon after.",
        expected: "It goes on from what it had told, both times.",
        steps: &[Step::Kill(200), Step::Wait(600), Step::Kill(200)],
    },
    Scenario {
        name: "killed-in-an-outage",
        happens: "The vendor goes down, and the client is killed meanwhile.",
        expected: "After both are back: nothing twice, nothing lost.",
        steps: &[Step::Break(&[Fault::VendorOutage]), Step::Kill(300)],
    },
    Scenario {
        name: "killed-in-a-replay",
        happens: "The connection is reset, and the client is killed while it catches up.",
        expected: "It goes on from what it had told: nothing twice, nothing lost.",
        steps: &[Step::Break(&[Fault::TcpReset]), Step::Wait(80), Step::Kill(200)],
    },
    Scenario {
        name: "killed-and-refused",
        happens: "The client is killed and comes back; then its position is refused and history \
            is gone.",
        expected: "What the vendor has forgotten is written down as a gap; everything after it \
            is told once.",
        steps: &[Step::Kill(200), Step::Break(&[Fault::SubscribeRefusedStale])],
    },
    Scenario {
        name: "killed-in-a-new-epoch",
        happens: "Numbers begin again at 1, and the client is killed at that moment.",
        expected: "What it kept of the old numbering is not mistaken for the new one.",
        steps: &[Step::Break(&[Fault::SequenceReset]), Step::Kill(200)],
    },
    Scenario {
        name: "killed-beyond-retention",
        happens: "More happens than history keeps while nobody can connect, and the client is \
            killed meanwhile.",
        expected: "What is still kept is told, the rest is written down, also across the restart.",
        steps: &[Step::Break(&[Fault::OutageBeyondRetention]), Step::Kill(300)],
    },
    Scenario {
        name: "killed-with-a-dead-token",
        happens: "The client is killed, its new token expires in an outage, and it is killed \
            again.",
        expected: "Nothing twice, nothing lost.",
        steps: &[Step::Kill(200), Step::Break(&[Fault::TokenExpiredInOutage]), Step::Kill(200)],
    },
];

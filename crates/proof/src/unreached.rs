//! Pairs of phase and input that a simulation does not reach, or hardly ever, each with its reason.

use std::fmt::Write;

use crate::campaign::Summary;
use crate::coverage::{Kind, State};

/// Which pairs, and why they do not come about. No state or no kind named: all of them.
struct Reason {
    states: &'static [State],
    kinds: &'static [Kind],
    why: &'static str,
}

/// Possible, and met in long runs only.
const SELDOM: &str = "seldom: two things have to meet within a moment";

/// Phases without a socket that is asked for or open.
const WITHOUT: &[State] = &[
    State::Authorizing,
    State::Fetching,
    State::Waiting,
    State::Blocked,
    State::Draining,
    State::Paused,
];

/// What only an open socket brings.
const OF_SOCKETS: &[Kind] = &[
    Kind::Closed,
    Kind::FrameUnread,
    Kind::FramePoison,
    Kind::FrameRefusal,
    Kind::FrameClosing,
    Kind::FrameAck,
    Kind::FrameEvent,
    Kind::FrameUnknown,
    Kind::FrameHeartbeat,
    Kind::FrameAlive,
    Kind::Reading,
];

const REASONS: &[Reason] = &[
    Reason {
        states: &[State::Idle],
        kinds: &[],
        why: "a machine is idle until its first input, which is always `restored`",
    },
    Reason {
        states: &[],
        kinds: &[Kind::Restored],
        why: "`restored` is the first input of a machine and comes once",
    },
    Reason { states: &[], kinds: &[Kind::HistoryPage], why: "the profile has no history to ask" },
    Reason {
        states: &[],
        kinds: &[Kind::FrameOther],
        why: "the profile has no partial subscriptions, bookmarks, split positions or field rules",
    },
    Reason {
        states: &[],
        kinds: &[Kind::KeysChanged],
        why: "nobody is named, so all are subscribed to: there is no list that could change",
    },
    Reason { states: WITHOUT, kinds: OF_SOCKETS, why: "no socket is open in this phase" },
    Reason {
        states: WITHOUT,
        kinds: &[Kind::Opened, Kind::Refused],
        why: "no handshake is under way in this phase; one that was has been given up",
    },
    Reason {
        states: &[State::Connecting],
        kinds: OF_SOCKETS,
        why: "the socket that is asked for is not open yet",
    },
    Reason {
        states: &[State::Subscribing, State::CatchingUp, State::Live],
        kinds: &[Kind::Opened, Kind::Refused],
        why: "seldom: a hand-over ends while its second handshake is under way",
    },
    Reason {
        states: &[State::Subscribing],
        kinds: &[
            Kind::FrameUnread,
            Kind::FramePoison,
            Kind::FrameClosing,
            Kind::FrameEvent,
            Kind::FrameUnknown,
            Kind::FrameHeartbeat,
        ],
        why: "a vendor says nothing but bare signs of life before it has answered",
    },
    Reason {
        states: &[State::Live],
        kinds: &[Kind::FrameAck],
        why: "seldom: a hand-over ends while its second subscription is confirmed",
    },
    Reason {
        states: &[State::Authorizing],
        kinds: &[Kind::Tick],
        why: "seldom: the deadline of the token's request comes first, as an answer",
    },
    Reason {
        states: &[State::HandingOver],
        kinds: &[Kind::FrameClosing],
        why: "the vendor announces one planned close at a time",
    },
    Reason {
        states: &[State::Paused],
        kinds: &[Kind::Appended, Kind::AppendFailed],
        why: "everything is durable before a stream is paused, and nothing is written then",
    },
    Reason {
        states: &[State::HandingOver, State::Blocked, State::Draining],
        kinds: &[Kind::TokenRefused],
        why: "seldom: a renewal falls due within the second that this phase lasts, and is refused",
    },
    Reason {
        states: &[State::Draining, State::Paused],
        kinds: &[Kind::Pause, Kind::Shutdown],
        why: "seldom: a person changes their mind within a moment",
    },
    Reason {
        states: &[State::HandingOver],
        kinds: &[
            Kind::Tick,
            Kind::TokenReady,
            Kind::Page,
            Kind::PageFailed,
            Kind::Refused,
            Kind::Closed,
            Kind::FrameUnread,
            Kind::FramePoison,
            Kind::FrameRefusal,
            Kind::FrameUnknown,
            Kind::Reading,
            Kind::AppendFailed,
            Kind::Resync,
            Kind::Pause,
            Kind::Resume,
            Kind::Shutdown,
        ],
        why: SELDOM,
    },
    Reason {
        states: &[State::Draining, State::Paused, State::Blocked, State::Subscribing],
        kinds: &[
            Kind::Tick,
            Kind::TokenReady,
            Kind::TokenRefused,
            Kind::Page,
            Kind::PageFailed,
            Kind::FrameAlive,
            Kind::Reading,
            Kind::AppendFailed,
            Kind::Resync,
            Kind::Pause,
            Kind::Resume,
            Kind::Shutdown,
        ],
        why: SELDOM,
    },
    Reason {
        states: &[State::Connecting, State::Authorizing, State::Waiting, State::Fetching],
        kinds: &[
            Kind::TokenRefused,
            Kind::Page,
            Kind::PageFailed,
            Kind::AppendFailed,
            Kind::Resync,
            Kind::Pause,
            Kind::Resume,
            Kind::Shutdown,
        ],
        why: SELDOM,
    },
    Reason {
        states: &[State::CatchingUp, State::Live],
        kinds: &[
            Kind::TokenRefused,
            Kind::FrameRefusal,
            Kind::FrameClosing,
            Kind::FrameAck,
            Kind::Pause,
            Kind::Resume,
            Kind::Shutdown,
        ],
        why: SELDOM,
    },
];

fn reason(state: State, kind: Kind) -> Option<&'static str> {
    let speaks = |reason: &&Reason| {
        (reason.states.is_empty() || reason.states.contains(&state))
            && (reason.kinds.is_empty() || reason.kinds.contains(&kind))
    };
    REASONS.iter().find(speaks).map(|reason| reason.why)
}

impl Summary {
    /// Pairs that never came and for which there is no reason.
    pub fn unexplained(&self) -> Vec<(State, Kind)> {
        let unreached = self.coverage.pairs().filter(|(_, _, count)| *count == 0);
        let without = unreached.filter(|(state, kind, _)| reason(*state, *kind).is_none());
        without.map(|(state, kind, _)| (state, kind)).collect()
    }

    /// Pairs that never came, each reason once with how many it is for; then those that came
    /// although a reason says that they never do.
    pub fn reasons_table(&self) -> String {
        let mut text = String::from("pairs never reached, and why\n");
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for (state, kind, _) in self.coverage.pairs().filter(|(_, _, count)| *count == 0) {
            let why = reason(state, kind).unwrap_or("NOBODY SAYS WHY");
            match counts.iter_mut().find(|(known, _)| *known == why) {
                Some((_, count)) => *count += 1,
                None => counts.push((why, 1)),
            }
        }
        for (why, count) in counts {
            // Writing to a text cannot fail.
            let _ = writeln!(text, "{count:>4}  {why}");
        }
        for (state, kind, count) in self.coverage.pairs().filter(|(_, _, count)| *count > 0) {
            let is_first = (state, kind) == (State::Idle, Kind::Restored);
            let why = reason(state, kind).filter(|why| !why.starts_with("seldom") && !is_first);
            if let Some(why) = why {
                let (state, kind) = (state.name(), kind.name());
                let _ =
                    writeln!(text, "reached {count} times: {kind} while {state}, although {why}");
            }
        }
        text
    }
}

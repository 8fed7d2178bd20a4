//! The ways back to Live that are measured, and what each costs at least.

use unbroken_core::machine::Rung;
use unbroken_sim::Fault;

/// TCP 1, TLS 1.3 1, upgrade 1, subscription to its first frame 1.
const SOCKET: Part = Part("socket", 4);
/// A socket whose subscription is refused takes as long.
const REFUSED: Part = Part("refused", 4);
/// Each request on the pooled connection, with one page a snapshot.
const HEAD: Part = Part("head", 1);
const SNAPSHOT: Part = Part("snapshot", 1);
const TOKEN: Part = Part("token", 1);

/// What takes so many round trips.
#[derive(Clone, Copy)]
pub(crate) struct Part(pub(crate) &'static str, pub(crate) u32);

/// One row of the table: a fault, and the way back that it forces.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) fault: Fault,
    /// Read the head before the handshake.
    pub(crate) rest_first: bool,
    /// Refusals name the oldest position served.
    pub(crate) floor_announced: bool,
    /// The client remembers what it has learnt on this way and does not go it again: each time
    /// takes a client that knows nothing.
    pub(crate) is_remembered: bool,
    /// The rungs that lead back, in order.
    pub(crate) rungs: &'static [Rung],
    /// Round trips that cannot be avoided, one after another.
    pub(crate) parts: &'static [Part],
}

impl Scenario {
    /// The floor in round trips.
    pub(crate) fn round_trips(&self) -> u32 {
        self.parts.iter().map(|Part(_, count)| count).sum()
    }

    /// What the floor is made of.
    pub(crate) fn composition(&self) -> String {
        let parts = self.parts.iter().map(|Part(name, count)| format!("{name} {count}"));
        parts.collect::<Vec<_>>().join(" + ")
    }
}

const RESUME: &[Rung] = &[Rung::Resume];

/// Resumes that are not refused: after each kind of cut, with and without reading the head first.
const fn resume(name: &'static str, fault: Fault, rest_first: bool) -> Scenario {
    let parts: &[Part] = if rest_first { &[HEAD, SOCKET] } else { &[SOCKET] };
    Scenario {
        name,
        fault,
        rest_first,
        floor_announced: false,
        is_remembered: false,
        rungs: RESUME,
        parts,
    }
}

/// Ways that begin with a head and lead further than a Resume.
const fn further(
    name: &'static str,
    fault: Fault,
    rungs: &'static [Rung],
    parts: &'static [Part],
) -> Scenario {
    Scenario { rungs, parts, ..resume(name, fault, true) }
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    resume("resume, FIN", Fault::CleanClose, true),
    resume("resume, RST", Fault::TcpReset, true),
    resume("resume without head, FIN", Fault::CleanClose, false),
    resume("resume without head, RST", Fault::TcpReset, false),
    Scenario {
        parts: &[Part("head 401", 1), TOKEN, HEAD, SOCKET],
        ..resume("resume, token expired", Fault::TokenExpiredInOutage, true)
    },
    Scenario {
        rungs: &[Rung::Resume, Rung::Resume],
        parts: &[Part("upgrade 401", 3), TOKEN, SOCKET],
        ..resume("resume without head, token expired", Fault::TokenExpiredInOutage, false)
    },
    Scenario {
        floor_announced: true,
        ..further(
            "floor",
            Fault::SubscribeRefusedStale,
            &[Rung::Resume, Rung::Floor],
            &[HEAD, REFUSED, SOCKET, SNAPSHOT],
        )
    },
    further(
        "rebase",
        Fault::SubscribeRefusedStale,
        &[Rung::Resume, Rung::Rebase],
        &[HEAD, REFUSED, SNAPSHOT, SOCKET],
    ),
    further("overlap after a clamp", Fault::SilentClamp, RESUME, &[HEAD, SOCKET, SNAPSHOT]),
    Scenario {
        is_remembered: true,
        ..further(
            "overlap after two refused tags",
            Fault::ExactHeadOnly,
            &[Rung::Resume, Rung::Rebase, Rung::Rebase, Rung::Overlap],
            &[HEAD, REFUSED, SNAPSHOT, REFUSED, SNAPSHOT, REFUSED, SOCKET, SNAPSHOT],
        )
    },
    further(
        "overlap, tags known to be refused",
        Fault::ExactHeadOnly,
        &[Rung::Resume, Rung::Overlap],
        &[HEAD, REFUSED, SOCKET, SNAPSHOT],
    ),
];

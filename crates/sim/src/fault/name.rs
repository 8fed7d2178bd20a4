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
}

impl Fault {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 20] = [
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
        }
    }

    /// Whether a client of a vendor with this numbering can see the fault for what it is. The
    /// reason is in each fault's documentation.
    pub fn applies_to(self, numbering: Numbering) -> bool {
        match self {
            Self::SubscribeRefusedStale
            | Self::ExactHeadOnly
            | Self::SilentClamp
            | Self::HistoryFlood
            | Self::NoReplay
            | Self::SequenceReset => numbering.is_positioned(),
            Self::Reordering => numbering == Numbering::Contiguous,
            _ => true,
        }
    }

    /// As [`Fault::applies_to`], looking also at what the baseline carries.
    pub fn applies_with(self, numbering: Numbering, body: Body) -> bool {
        self.applies_to(numbering) && (self != Self::TornSnapshot || body == Body::State)
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
        Self::ALL.into_iter().find(|fault| fault.name() == text).ok_or_else(|| {
            SimError::UnknownName {
                kind: "fault",
                name: text.to_owned(),
                known: Self::ALL.map(Self::name).join(", "),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_equals_the_serialised_one() {
        for fault in Fault::ALL {
            assert_eq!(fault.name().parse::<Fault>().unwrap(), fault);
            assert_eq!(serde_json::to_string(&fault).unwrap(), format!("\"{fault}\""));
        }
        assert!("power-cut".parse::<Fault>().is_err());
    }

    #[test]
    fn a_vendor_without_positions_is_spared_what_only_positions_could_show() {
        let none = Fault::all_for(Numbering::None);
        assert!(!none.contains(&Fault::HistoryFlood) && !none.contains(&Fault::Reordering));
        assert_eq!(Fault::all_for(Numbering::Contiguous).len(), Fault::ALL.len());
        assert_eq!(Fault::all_for(Numbering::Increasing).len(), Fault::ALL.len() - 1);
    }
}

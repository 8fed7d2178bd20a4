//! The ways in which a polled vendor breaks its rules.

use crate::SimError;

/// One rule broken for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PollFault {
    /// The answer is made, and the connection reset before a byte of it is sent.
    LostAnswer,
    /// The answer ends in the middle of its JSON, or the connection in the middle of the answer.
    TruncatedAnswer,
    /// Answers come late, some later than clients wait.
    SlowAnswer,
    /// 429 with `Retry-After: 1`.
    Throttled,
    /// 503.
    Unavailable,
    /// The token is revoked: 401 until a new one is used.
    TokenRevoked,
    /// The token is over, and the next request for one is answered with 503.
    TokenDown,
    /// `totalRecords` says more rows than there are.
    WrongTotal,
    /// Pages are small, and an agent of the first page changes before the second one is read: the
    /// rows behind it move, one of them over the border, where no page shows it.
    ShiftedPages,
    /// Changes of some agents are shown late, with the time at which they happened: earlier than a
    /// `lastPollTime` that was given out meanwhile.
    LateStates,
    /// `lastPollTime` stands still.
    PlaceStandsStill,
    /// Rows from well before `updatedSince` are shown again.
    RepeatedStates,
    /// Every second answer comes from a replica that lags, under the time of the others.
    LaggingReplica,
    /// Nothing new, says the vendor (204), although there is.
    SilentAnswers,
    /// `updatedSince` is refused: 400, with a reason in the header.
    PlaceRefused,
    /// Two agents are removed, and two others come: no answer shows those who are gone, and none
    /// says that they are. Seen with the next answer that shows everybody.
    AgentsChange,
    /// The tenant is served at another host, and the old one is gone. Seen when the service is
    /// asked for it.
    TenantMoved,
    /// Nobody can connect, and open connections are reset.
    VendorOutage,
}

impl PollFault {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::LostAnswer,
        Self::TruncatedAnswer,
        Self::SlowAnswer,
        Self::Throttled,
        Self::Unavailable,
        Self::TokenRevoked,
        Self::TokenDown,
        Self::WrongTotal,
        Self::ShiftedPages,
        Self::LateStates,
        Self::PlaceStandsStill,
        Self::RepeatedStates,
        Self::LaggingReplica,
        Self::SilentAnswers,
        Self::PlaceRefused,
        Self::AgentsChange,
        Self::TenantMoved,
        Self::VendorOutage,
    ];

    /// The name used on command lines and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::LostAnswer => "lost-answer",
            Self::TruncatedAnswer => "truncated-answer",
            Self::SlowAnswer => "slow-answer",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::TokenRevoked => "token-revoked",
            Self::TokenDown => "token-down",
            Self::WrongTotal => "wrong-total",
            Self::ShiftedPages => "shifted-pages",
            Self::LateStates => "late-states",
            Self::PlaceStandsStill => "place-stands-still",
            Self::RepeatedStates => "repeated-states",
            Self::LaggingReplica => "lagging-replica",
            Self::SilentAnswers => "silent-answers",
            Self::PlaceRefused => "place-refused",
            Self::AgentsChange => "agents-change",
            Self::TenantMoved => "tenant-moved",
            Self::VendorOutage => "vendor-outage",
        }
    }

    /// Whether a tenant with so many agents can show it: a single one has no pages, and who is gone
    /// must not be everybody.
    pub fn applies_to(self, agents: u32) -> bool {
        match self {
            Self::ShiftedPages | Self::AgentsChange => agents > 2,
            _ => true,
        }
    }

    /// How long it is in force once it was seen, in milliseconds.
    pub(crate) fn window_ms(self) -> u64 {
        match self {
            Self::PlaceRefused | Self::TokenRevoked | Self::AgentsChange | Self::TenantMoved => 0,
            Self::LateStates | Self::LaggingReplica => 500,
            Self::Throttled | Self::VendorOutage => 1_000,
            _ => 700,
        }
    }
}

impl std::str::FromStr for PollFault {
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

impl std::fmt::Display for PollFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for fault in PollFault::ALL {
            assert_eq!(fault.name().parse::<PollFault>().unwrap(), fault);
        }
        assert!("power-cut".parse::<PollFault>().is_err());
    }
}

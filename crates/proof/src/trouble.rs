//! Everything that may go wrong, by name.

use unbroken_sim::{Body, Fault, Numbering};

use crate::error::ProofError;

/// One class of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trouble {
    /// The vendor breaks a promise.
    Vendor(Fault),
    /// Everything else breaks one.
    Ours(Ours),
}

macro_rules! ours {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What happens between the vendor and the disk, and to the machine that we run on.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Ours { $($(#[$doc])* $variant),* }

        impl Ours {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in plans and tables.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

ours! {
    /// Every connection is reset, at any byte; half of the requests under way fail, answered or
    /// not.
    NetworkReset = "network-reset",
    /// The connections there are lead nowhere any more, and nobody is told; new ones work.
    NetworkDark = "network-dark",
    /// Nothing passes for a while, in either direction; then what was sent comes.
    NetworkStall = "network-stall",
    /// Every connection is reset and new ones are refused for a while.
    NetworkRefuses = "network-refuses",
    /// Every connection leads nowhere and new ones get no answer for a while.
    NetworkDown = "network-down",
    /// The road is twenty times as long and uneven for a while: what is sent on two connections
    /// comes in another order.
    NetworkSlow = "network-slow",
    /// The process is killed; what it has written is with the system.
    Kill = "kill",
    /// The power goes, perhaps in the middle of a commit: any subset of what was not synced stays.
    PowerCut = "power-cut",
    /// The process is told to stop, and started again.
    Restart = "restart",
    /// A write fails half way. The process ends and is started again.
    WriteError = "write-error",
    /// A sync fails and forgets what it should have written. The process ends, the machine is
    /// started again.
    SyncError = "sync-error",
    /// The disk is full for a while.
    DiskFull = "disk-full",
    /// Syncs take very long for a while.
    DiskSlow = "disk-slow",
    /// Our wall clock steps forward.
    ClockForward = "clock-forward",
    /// Our wall clock steps back.
    ClockBack = "clock-back",
    /// The machine sleeps: its monotonic clock stands still, the world goes on.
    Suspend = "suspend",
    /// The process is stopped for a while; its clocks go on.
    Stopped = "stopped",
    /// A person pauses the stream, and resumes it.
    Pause = "pause",
    /// A person asks for a fresh snapshot, of all keys or of some.
    Resync = "resync",
    /// A sync says that it is done and does nothing. No log survives that, so no plan draws it: it
    /// shows that what a plan loses is found.
    SyncLies = "sync-lies",
}

impl Trouble {
    /// The name in plans and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vendor(fault) => fault.name(),
            Self::Ours(ours) => ours.name(),
        }
    }

    /// All that can show themselves at a vendor of this kind.
    pub fn all_for(numbering: Numbering, body: Body) -> Vec<Self> {
        let vendor = Fault::ALL.into_iter().filter(|fault| fault.applies_with(numbering, body));
        let vendor = vendor.map(Self::Vendor);
        // Where rows are by wall clock alone, our clock may differ from the vendor's by as much as
        // is declared: a step is outside of what is promised.
        let steps = |ours: Ours| matches!(ours, Ours::ClockForward | Ours::ClockBack);
        let ours = Ours::ALL
            .iter()
            .copied()
            .filter(|ours| *ours != Ours::SyncLies && (numbering.is_positioned() || !steps(*ours)));
        vendor.chain(ours.map(Self::Ours)).collect()
    }
}

impl std::str::FromStr for Trouble {
    type Err = ProofError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ours = Ours::ALL.iter().copied().find(|ours| ours.name() == text);
        let unknown = || ProofError::Unknown { kind: "fault", name: text.to_owned() };
        ours.map(Self::Ours)
            .map_or_else(|| text.parse().map(Self::Vendor).map_err(|_| unknown()), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_and_none_is_used_twice() {
        let all = Trouble::all_for(Numbering::Contiguous, Body::State);
        let names: std::collections::BTreeSet<_> =
            all.iter().map(|trouble| trouble.name()).collect();
        assert_eq!(names.len(), all.len());
        assert_eq!(all.len(), Fault::ALL.len() + Ours::ALL.len() - 1);
        for trouble in all.into_iter().chain([Trouble::Ours(Ours::SyncLies)]) {
            assert_eq!(trouble.name().parse::<Trouble>().unwrap(), trouble);
        }
        assert!("meteor".parse::<Trouble>().is_err());
    }
}

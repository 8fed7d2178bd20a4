//! What the vendor knows of one open stream.

use std::collections::{HashSet, VecDeque};

use crate::server::house::Command;

/// An old subscription whose frames come on a new socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Zombie {
    pub(crate) id: String,
    pub(crate) cursor: u64,
    pub(crate) until_ms: u64,
}

/// One open stream.
#[derive(Debug, Default)]
pub(crate) struct Session {
    /// Number of the present subscription in the ledger.
    pub(crate) subscription: Option<usize>,
    /// Its id on the wire.
    pub(crate) id: String,
    /// Its scope; `None`: all agents.
    pub(crate) agents: Option<HashSet<String>>,
    /// Index of the next event to send. Below `first` while history floods.
    pub(crate) cursor: u64,
    /// Index of the first event that the subscription serves by the rules.
    pub(crate) first: u64,
    /// The position after which events begin.
    pub(crate) start: u64,
    pub(crate) is_muted: bool,
    /// Nothing more is served: it is being closed, reset or left hanging.
    pub(crate) is_cut: bool,
    pub(crate) commands: VecDeque<Command>,
    pub(crate) zombie: Option<Zombie>,
}

impl Session {
    /// Whether events are being served on it.
    pub(crate) fn is_live(&self) -> bool {
        self.subscription.is_some() && !self.is_cut
    }
}

//! What has happened on the path.

use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::{Break, Way};

/// What has happened since the start. A fault counts when a connection has felt it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Connections that were accepted.
    pub connections: u64,
    /// Those of them that bear the mark.
    pub marked: u64,
    /// Those that were accepted and never answered.
    pub ignored: u64,
    /// Those that the server itself has refused.
    pub unreachable: u64,
    /// Connections that were reset.
    pub resets: u64,
    /// Connections that were closed in good order.
    pub finishes: u64,
    /// Connections that fell silent both ways.
    pub silences: u64,
    /// Connections that fell silent towards the server.
    pub mutes_up: u64,
    /// Connections that fell silent towards the client.
    pub mutes_down: u64,
    /// How many of all these breaks have cut bytes in their middle.
    pub cut_short: u64,
    /// Bytes that reached the server.
    pub bytes_up: u64,
    /// Bytes that reached the client.
    pub bytes_down: u64,
}

impl Counts {
    /// How many connections have broken so.
    pub fn of(&self, how: Break) -> u64 {
        match how {
            Break::Reset => self.resets,
            Break::Finish => self.finishes,
            Break::Silence => self.silences,
            Break::Mute(Way::Up) => self.mutes_up,
            Break::Mute(Way::Down) => self.mutes_down,
        }
    }
}

/// [`Counts`], while they change.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicU64,
    pub(crate) marked: AtomicU64,
    pub(crate) ignored: AtomicU64,
    pub(crate) unreachable: AtomicU64,
    resets: AtomicU64,
    finishes: AtomicU64,
    silences: AtomicU64,
    mutes_up: AtomicU64,
    mutes_down: AtomicU64,
    pub(crate) cut_short: AtomicU64,
    bytes_up: AtomicU64,
    bytes_down: AtomicU64,
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::SeqCst);
}

impl Counters {
    pub(crate) fn count_break(&self, how: Break) {
        count(match how {
            Break::Reset => &self.resets,
            Break::Finish => &self.finishes,
            Break::Silence => &self.silences,
            Break::Mute(Way::Up) => &self.mutes_up,
            Break::Mute(Way::Down) => &self.mutes_down,
        });
    }

    pub(crate) fn count_bytes(&self, way: Way, bytes: usize) {
        let counter = match way {
            Way::Up => &self.bytes_up,
            Way::Down => &self.bytes_down,
        };
        counter.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Counts {
            connections: read(&self.connections),
            marked: read(&self.marked),
            ignored: read(&self.ignored),
            unreachable: read(&self.unreachable),
            resets: read(&self.resets),
            finishes: read(&self.finishes),
            silences: read(&self.silences),
            mutes_up: read(&self.mutes_up),
            mutes_down: read(&self.mutes_down),
            cut_short: read(&self.cut_short),
            bytes_up: read(&self.bytes_up),
            bytes_down: read(&self.bytes_down),
        }
    }
}

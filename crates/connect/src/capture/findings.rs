//! What a profile made of a capture.

use std::collections::BTreeMap;

use serde::Serialize;

/// See the module. Counts and shapes; no payload and no value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// The source that was captured.
    pub source: String,
    /// Frames in the capture.
    pub frames: u64,
    /// What was in them, by kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Distinct keys of events.
    pub keys: u64,
    /// Of events with a position.
    pub positions: Option<Positions>,
    /// Events in which an optional part was found, and in which it could be.
    pub optional: BTreeMap<&'static str, (u64, u64)>,
    /// Frames that name a subscription, and that name an epoch.
    pub subscription_named: u64,
    /// See above.
    pub epoch_named: u64,
    /// Answers to requests for the head or a page.
    pub pages: Pages,
    /// Frames and pages of which the capture has the shape only.
    pub withheld: u64,
    /// What was not understood: each kind of it once.
    pub misread: Vec<Misread>,
    /// Why the capture ends, if it says so: `stopped`, or `full`.
    pub ended: Option<String>,
    /// Something was there, and all of it was understood.
    pub understood: bool,
}

/// The positions of events.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Positions {
    /// The lowest.
    pub min: u64,
    /// The highest.
    pub max: u64,
    /// How often one was not above the one before it on its connection.
    pub falls: u64,
    /// How often one was more than one above the one before it on its connection.
    pub holes: u64,
}

/// The answers to requests for the head or a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pages {
    /// Heads that were understood.
    pub heads: u64,
    /// Pages that were understood.
    pub pages: u64,
    /// Rows in them.
    pub rows: u64,
    /// The lowest and the highest position of a page.
    pub tags: Option<(u64, u64)>,
    /// Answers that were no success, by status.
    pub refused: BTreeMap<u16, u64>,
}

/// One kind of what was not understood.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Misread {
    /// Path, expected, found.
    pub what: String,
    /// How often.
    pub count: u64,
    /// The capture's first line with it, from 1.
    pub line: u64,
    /// The shape of what is there.
    pub shape: String,
    /// What a person may want to change.
    pub hint: Option<String>,
}

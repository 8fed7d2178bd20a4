//! What a client hands in to be judged. These types know nothing of any client's own.

use bytes::Bytes;

/// How a record came to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From the stream, as it happened.
    Live,
    /// From the stream, out of history after a resume.
    Replay,
    /// From a snapshot.
    Snapshot,
    /// From a history query.
    Backfill,
    /// Made by the client as a net effect.
    Synthetic,
}

/// One record of the client's log.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its stream.
    pub stream: String,
    /// The client's number of the vendor's numbering.
    pub epoch: u32,
    /// The vendor's name of it, where the client knows it.
    pub epoch_name: Option<String>,
    /// The vendor's position, where it has one.
    pub sequence: Option<u64>,
    /// The agent.
    pub key: String,
    /// Which of the events with this position and key.
    pub ordinal: u16,
    /// The agent is gone.
    pub deleted: bool,
    /// The vendor's bytes: the whole frame, a whole row, or the adherence object alone.
    pub payload: Bytes,
    /// How it came.
    pub origin: Origin,
    /// Whether it touches state (otherwise it only fills the record).
    pub is_state: bool,
    /// The vendor's time, microseconds since 1970.
    pub occurred_us: Option<i64>,
    /// When it reached the client, microseconds since 1970. Of a snapshot's item: when the snapshot
    /// was published.
    pub received_us: i64,
    /// Its place in the client's log.
    pub offset: u64,
}

/// A position as the client names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The client's number of the vendor's numbering.
    pub epoch: u32,
    /// The vendor's sequence.
    pub sequence: u64,
}

/// How a row of the gap ledger ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It has not.
    Open,
    /// Every event of the interval is in the log after all.
    Repaired,
    /// Facts about the interval are in the log, not its events.
    Summarised,
    /// Events may be missing.
    Unproven,
    /// Events are missing and cannot be had.
    Unrecoverable,
    /// State was wrong without a visible outage and was corrected.
    Drift,
}

/// A row of the client's gap ledger: the interval `(after, through]`.
#[derive(Clone, Debug)]
pub struct LedgerRow {
    /// Its stream.
    pub stream: String,
    /// Exclusive lower bound; `None`: nothing was known.
    pub after: Option<Place>,
    /// Inclusive upper bound; `None`: by wall clock alone.
    pub through: Option<Place>,
    /// The last moment known to be covered, microseconds since 1970.
    pub wall_from_us: i64,
    /// The first moment covered again; `None`: open.
    pub wall_to_us: Option<i64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was opened, in the client's words. One of them is known to the judge: "drift", where
    /// a comparison with the baseline showed another state than the stream had.
    pub cause: String,
}

impl LedgerRow {
    pub(super) fn is_drift(&self) -> bool {
        self.cause == "drift"
    }
}

/// An interval in which the client said of a stream that it was Live: complete, current, proved.
#[derive(Clone, Debug)]
pub struct LiveInterval {
    /// The stream.
    pub stream: String,
    /// From, microseconds since 1970.
    pub from_us: i64,
    /// To, exclusive.
    pub to_us: i64,
}

/// What the client holds of a key at the end.
#[derive(Clone, Debug)]
pub struct FinalValue {
    /// The agent.
    pub key: String,
    /// The vendor's bytes, as in [`Stored::payload`]; `None`: the agent is gone.
    pub payload: Option<Bytes>,
    /// The client itself says that this value may be old.
    pub is_marked_stale: bool,
}

/// A process of the client's that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Death {
    /// When it was started, microseconds since 1970.
    pub born_us: i64,
    /// When it was seen to be dead, likewise; before the next one was started.
    pub died_us: i64,
    /// Whether it was told to end, and had closed its log: then it could record all that it had,
    /// but for what waited behind a hole that the vendor was to fill.
    pub is_orderly: bool,
}

impl Death {
    /// Whether it lived at that time.
    pub(super) fn saw(&self, at_us: i64) -> bool {
        (self.born_us..=self.died_us).contains(&at_us)
    }
}

/// All that a client hands in.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// Its change records and snapshot items, in the order of its log.
    pub stored: Vec<Stored>,
    /// Its gap ledger, the last state of each row.
    pub ledger: Vec<LedgerRow>,
    /// When it said Live.
    pub live: Vec<LiveInterval>,
    /// Its state at the end.
    pub state: Vec<FinalValue>,
    /// The vendor's names of its epochs, where it knows them: (its number, the vendor's name).
    /// Names in [`Evidence::stored`] count too.
    pub epoch_names: Vec<(u32, String)>,
    /// Its processes that died. What was on its way to their disk went with them, and the vendor's
    /// next acceptance decides whether it was lost.
    pub deaths: Vec<Death>,
    /// When its log was cut by a repair, microseconds since 1970. What had been recorded and was
    /// cut counts as never asked for before.
    pub repairs: Vec<i64>,
    /// How much later than it reached the client a record may be dated, in microseconds: where its
    /// time is that of the moment at which the client told of it. The bounds of the ledger's rows
    /// are the client's own times.
    pub told_late_us: i64,
}

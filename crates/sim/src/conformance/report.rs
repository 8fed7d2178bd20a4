//! What a client is worth in a scenario: the words and figures that are handed out. Times are in
//! milliseconds since the client was first started.

use serde::Serialize;

use super::timeline::Timeline;

/// How a scenario ended for a client.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The scenario.
    pub name: &'static str,
    /// What happened, by the scenario.
    pub happens: &'static str,
    /// What should come out of it.
    pub expected: &'static str,
    /// Whether there is no finding.
    pub is_clean: bool,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// How many of what.
    pub figures: Figures,
    /// What was asked of the vendor.
    pub load: Totals,
    /// The scenario's faults, in the order of their begin.
    pub faults: Vec<FaultTold>,
    /// The client's processes.
    pub lives: Vec<Life>,
    /// Up to 20 cases for each figure.
    pub examples: Vec<Case>,
    /// Lines on stdout that were not understood: why, of the first five.
    pub strange_lines: Vec<String>,
    /// The end of what the client said on stderr.
    pub stderr: String,
    /// From the client's start to the end of the scenario.
    pub elapsed_ms: u64,
    /// When what happened, to be drawn.
    pub timeline: Timeline,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The figure that says it.
    pub figure: &'static str,
    /// How many, or how long.
    pub value: u64,
    /// The same in words.
    pub words: String,
}

/// How many of what. The guide says what each means.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Events that the client should have told.
    pub events_due: u64,
    /// Events that it told.
    pub events_told: u64,
    /// Not told, although the vendor would have served them again, or had served them.
    pub lost: u64,
    /// Not told, and in no gap that the client writes down.
    pub uncovered: u64,
    /// Told twice.
    pub duplicated: u64,
    /// Told, and never made by the vendor, or not so.
    pub invented: u64,
    /// Told in another order than the vendor's.
    pub out_of_order: u64,
    /// Told, and in a gap that says they cannot be had.
    pub overclaimed: u64,
    /// Gaps that never ended.
    pub gaps_open: u64,
    /// Lines on stdout that say nothing of it.
    pub unknown_lines: u64,
    /// Not told, and written down as lost for good.
    pub unrecoverable: u64,
    /// Not told, and written down as perhaps lost.
    pub unproven: u64,
    /// Not told, and nobody could have known of them.
    pub undetectable: u64,
    /// Keys whose value at the end is not the vendor's; `None`: the client does not tell its state.
    pub stale_keys: Option<u64>,
    /// The longest that a value was wrong while it was called live; `None` as above.
    pub stale_live_ms: Option<u64>,
    /// From the first effect to being up to date for good; `None`: nothing to recover from, or
    /// never.
    pub recovery_ms: Option<u64>,
    /// Whether the client was up to date at the end.
    pub is_recovered: bool,
}

/// What was asked of the vendor in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Connections that arrived.
    pub connections: u64,
    /// WebSocket handshakes.
    pub handshakes: u64,
    /// Requests by REST, those for a token left out.
    pub rest_calls: u64,
    /// Requests for a token.
    pub token_calls: u64,
}

/// A fault of the scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FaultTold {
    /// Which.
    pub name: &'static str,
    /// When its stage was set; `None`: never, since the client was not there.
    pub from_ms: Option<u64>,
    /// When the client first met it; `None`: never.
    pub met_ms: Option<u64>,
    /// When it was over.
    pub to_ms: Option<u64>,
}

/// One process of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Life {
    /// Its start.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// How it ended.
    pub end: LifeEnd,
    /// The exit code, if it went by itself and has one.
    pub code: Option<i32>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LifeEnd {
    /// It was told to stop when the scenario was over.
    Stopped,
    /// It was killed, as the scenario wants it.
    Killed,
    /// It went by itself.
    Exited,
}

/// One case behind a figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Case {
    /// The figure.
    pub figure: &'static str,
    /// The agent, or what the event is about.
    pub key: String,
    /// The position, where there is one: `epoch:sequence`.
    pub position: Option<String>,
    /// When the event was made, or the line came.
    pub at_ms: u64,
    /// Why it counts.
    pub reason: String,
}

//! What the ledger holds.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::SimError;
use crate::genesys::normal::normal;
use crate::settings::{Body, Numbering};

/// One event of the vendor's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruthEvent {
    /// Its place among all events ever made, from 0.
    pub index: u64,
    /// Wall clock, microseconds since 1970; strictly increasing over the ledger.
    pub wall_us: i64,
    /// Index into [`Truth::epochs`].
    pub epoch: u32,
    /// The position; `None` where the vendor has no numbering.
    pub sequence: Option<u64>,
    /// Whom it is about.
    pub agent: Arc<str>,
    /// The agent is gone.
    pub deleted: bool,
    /// The adherence object, byte for byte as on the wire. Of a removal it holds the id alone.
    pub body: Bytes,
    /// How the baseline shows the same state.
    pub row: TruthRow,
}

impl TruthEvent {
    /// Whether this object is what the event says, as the stream or as the baseline writes it, or,
    /// where these differ, under names of the client's choice.
    pub(crate) fn is_shown_by(&self, object: &Bytes) -> bool {
        let TruthRow::Other(row) = &self.row else { return self.body == object };
        let is_same = || normal(object).is_some_and(|ours| normal(&self.body) == Some(ours));
        self.body == object || row == object || is_same()
    }
}

/// How the baseline shows what an event says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TruthRow {
    /// With the same bytes.
    #[default]
    Body,
    /// In a form of its own: other names for the same fields.
    Other(Bytes),
    /// Not at all: only the stream tells of it.
    Absent,
}

/// How a subscription ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubscriptionEnd {
    /// It is still there.
    #[default]
    Open,
    /// The client unsubscribed, replaced it, or closed the socket with a close frame.
    Left,
    /// The vendor closed the socket and the client echoed the close frame: it has read all.
    Closed,
    /// The connection broke; what was under way may not have been read.
    Broken,
}

/// A subscription that the vendor accepted, with what it would have accepted at that moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthSubscription {
    /// The id on the wire.
    pub id: String,
    /// Wall clock of the acceptance.
    pub accepted_us: i64,
    /// The position asked for, if one was.
    pub asked: Option<u64>,
    /// The agents asked for; `None`: all.
    pub agents: Option<Vec<String>>,
    /// Index into [`Truth::epochs`].
    pub epoch: u32,
    /// Oldest position from which replay was served.
    pub floor: u64,
    /// The head.
    pub head: u64,
    /// Whether positions were honoured at all.
    pub replay: bool,
    /// Whether only the exact head was accepted.
    pub exact_head: bool,
    /// Index of the first event that this subscription serves.
    pub first: u64,
    /// Index after the last event handed to the socket.
    pub delivered: u64,
    /// Index after the last event that the client has certainly read (it answered a later ping, or
    /// the close frame).
    pub confirmed: u64,
    /// The vendor sent no events although the socket was up.
    pub muted: bool,
    /// Indices of events that it passed over in silence.
    pub dropped: Vec<u64>,
    /// Indices of events that it sent in a form that nobody can be asked to read.
    pub garbled: Vec<u64>,
    /// Wall clock of the end.
    pub ended_us: Option<i64>,
    /// How it ended.
    pub end: SubscriptionEnd,
}

impl TruthSubscription {
    /// Whether it covers the agent.
    pub fn covers(&self, agent: &str) -> bool {
        self.agents.as_ref().is_none_or(|agents| agents.iter().any(|id| id == agent))
    }
}

/// One page of the baseline that the vendor served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthPage {
    /// Wall clock of the answer.
    pub served_us: i64,
    /// Where the page began.
    pub offset: u64,
    /// Rows on it.
    pub rows: u64,
    /// Rows there were in all.
    pub total: u64,
    /// Number of events whose effect the page shows: all with a lower index.
    pub as_of: u64,
    /// The position on it.
    pub sequence: Option<u64>,
    /// Id of the first agent on it.
    pub first_agent: Option<String>,
    /// Id of the last agent on it.
    pub last_agent: Option<String>,
    /// The agents on it, rising, where it is not a stretch of all of them but those asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agents: Option<Vec<String>>,
}

impl TruthPage {
    /// Whether the agent would be on it if the vendor had it.
    pub(crate) fn covers(&self, agent: &str) -> bool {
        if let Some(agents) = &self.agents {
            return agents.binary_search_by(|id| id.as_str().cmp(agent)).is_ok();
        }
        self.first_agent.as_deref().is_some_and(|first| first <= agent)
            && self.last_agent.as_deref().is_some_and(|last| last >= agent)
    }
}

/// A fact of the vendor's history: a segment of a conversation, as its analytics show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthFact {
    /// With the three that follow: its identity.
    pub conversation: String,
    /// Who took part.
    pub participant: String,
    /// In which session.
    pub session: String,
    /// Its begin, microseconds since 1970, whole milliseconds.
    pub segment_start_us: i64,
    /// Its end, likewise; `None`: it goes on.
    pub segment_end_us: Option<i64>,
    /// The agent whose segment it is; `None` of a customer or a queue.
    pub agent: Option<String>,
}

/// One page of history that the vendor served.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TruthHistoryPage {
    /// Wall clock of the answer.
    pub served_us: i64,
    /// What was asked for, as it was written.
    pub interval: String,
    /// Which page, from 1.
    pub page_number: u64,
    /// The conversations on it.
    pub conversations: Vec<String>,
    /// The total that it told.
    pub total_told: u64,
    /// The total that there was.
    pub total: u64,
}

/// The truth ledger, as of the moment it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Truth {
    /// The vendor's seed.
    pub seed: u64,
    /// What its positions are worth.
    pub numbering: Numbering,
    /// What its baseline carries.
    pub body: Body,
    /// Delay added each way, in milliseconds.
    pub latency_ms: u64,
    /// The names of its numberings, in order.
    pub epochs: Vec<String>,
    /// Every event, by index.
    pub events: Vec<TruthEvent>,
    /// Every accepted subscription, in order of acceptance.
    pub subscriptions: Vec<TruthSubscription>,
    /// Every page of the baseline, in order.
    pub pages: Vec<TruthPage>,
    /// Every fact of history, in order of begin; empty where the vendor keeps none.
    pub facts: Vec<TruthFact>,
    /// Every page of history, in order.
    pub history_pages: Vec<TruthHistoryPage>,
}

impl Truth {
    /// Reads a ledger that a vendor wrote ([`crate::Settings::truth_file`]). A torn last line (the
    /// vendor was killed) is dropped.
    ///
    /// # Errors
    /// The file cannot be read, or a line other than a torn last one is not understood.
    pub fn load(path: &Path) -> Result<Self, SimError> {
        super::file::load(path)
    }

    /// The index of the first event that a subscriber was served or could have been: where judging
    /// begins. `None` if nobody ever subscribed.
    pub fn first_coverage(&self) -> Option<u64> {
        self.subscriptions.first().map(|subscription| subscription.first)
    }

    /// As [`Truth::first_coverage`], agent by agent: one that only a later subscription covered is
    /// judged from there.
    pub(crate) fn first_coverages(&self) -> FirstCoverages<'_> {
        let mut first = FirstCoverages::default();
        for served in &self.subscriptions {
            let Some(agents) = &served.agents else {
                first.all = Some(served.first);
                break;
            };
            for agent in agents {
                first.by_agent.entry(agent).or_insert(served.first);
            }
        }
        first
    }

    /// Agents of the ledger that were in the scope of any subscription.
    pub fn subscribed_agents(&self) -> HashSet<&str> {
        let mut agents: HashSet<&str> = self.events.iter().map(|event| &*event.agent).collect();
        if self.subscriptions.iter().any(|served| served.agents.is_none()) {
            return agents;
        }
        let served = self.subscriptions.iter().flat_map(|served| served.agents.iter().flatten());
        let served: HashSet<&str> = served.map(String::as_str).collect();
        agents.retain(|agent| served.contains(agent));
        agents
    }
}

/// From which event on each agent is judged.
#[derive(Debug, Default)]
pub(crate) struct FirstCoverages<'a> {
    by_agent: HashMap<&'a str, u64>,
    all: Option<u64>,
}

impl FirstCoverages<'_> {
    /// Whether the event was made before anybody could have been served it.
    pub(crate) fn is_before(&self, event: &TruthEvent) -> bool {
        let first = self.by_agent.get(&*event.agent).copied().or(self.all);
        first.is_none_or(|first| event.index < first)
    }
}

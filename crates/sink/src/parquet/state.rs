//! `checkpoint.json`.

use serde::{Deserialize, Serialize};

use super::place::CHECKPOINT;
use crate::{Batch, Blocked, Checkpoint, SinkError};

/// What is committed, and what is being.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State {
    /// The sink whose files they are.
    pub(super) sink: String,
    /// Which instance has it.
    pub(super) fence: u64,
    /// Which log the files are of that are written now, counted from 1: offsets of two logs name
    /// different records.
    pub(super) log: u32,
    /// Everything before it is there.
    pub(super) checkpoint: Option<String>,
    /// The batch behind it, which may be there in part, or whole.
    pub(super) begun: Option<Begun>,
    /// Of the batch that was written last, the first day.
    pub(super) since_day: Option<String>,
}

/// A batch of which files are being written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begun {
    /// The checkpoint behind it.
    pub(super) next: String,
    /// All of its files.
    pub(super) files: Vec<String>,
}

impl Begun {
    /// Whether it is this one.
    pub(super) fn fits(&self, batch: &Batch) -> bool {
        self.next == batch.next.to_string()
    }
}

impl State {
    pub(super) fn new(sink: &str) -> Self {
        let sink = sink.to_owned();
        Self { sink, fence: 0, log: 0, checkpoint: None, begun: None, since_day: None }
    }

    pub(super) fn parse(text: &[u8]) -> Result<Self, SinkError> {
        serde_json::from_slice(text).map_err(|error| damaged(Some(error)))
    }

    pub(super) fn text(&self) -> Result<Vec<u8>, SinkError> {
        let mut text = serde_json::to_vec(self).map_err(|error| damaged(Some(error)))?;
        text.push(b'\n');
        Ok(text)
    }

    pub(super) fn checkpoint(&self) -> Result<Option<Checkpoint>, SinkError> {
        self.checkpoint.as_deref().map(parsed).transpose()
    }

    /// Behind the batch that was begun.
    pub(super) fn next(&self) -> Result<Option<Checkpoint>, SinkError> {
        self.begun.as_ref().map(|begun| parsed(&begun.next)).transpose()
    }
}

fn parsed(text: &str) -> Result<Checkpoint, SinkError> {
    text.parse().map_err(|_| damaged(None))
}

fn damaged(source: Option<serde_json::Error>) -> SinkError {
    SinkError::Blocked(Blocked {
        what: format!("{CHECKPOINT} is damaged"),
        todo: "restore it, or name another place: the sink then begins anew".to_owned(),
        source: source.map(Into::into),
    })
}

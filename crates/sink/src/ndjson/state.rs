//! `checkpoint.json`.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::folder::write_whole;
use crate::{Blocked, Checkpoint, SinkError};

/// Its name.
const FILE: &str = "checkpoint.json";

/// What is committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The sink whose directory it is.
    pub(super) sink: String,
    /// Which instance has it.
    pub(super) fence: u64,
    /// How far it is.
    pub(super) checkpoint: Option<String>,
    /// The file that is appended to.
    pub(super) tail: Option<Tail>,
}

/// A file that is appended to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tail {
    /// The first offset that it is named for.
    pub(super) first_offset: u64,
    /// The last one.
    pub(super) last_offset: u64,
    /// How much of it is committed.
    pub(super) bytes: u64,
}

impl Tail {
    pub(super) fn file_name(&self) -> String {
        format!("{:020}-{:020}.ndjson", self.first_offset, self.last_offset)
    }
}

/// The first offset that a file is named for, if it is one of ours.
pub(super) fn first_offset(name: &str) -> Option<u64> {
    let (first, last) = name.strip_suffix(".ndjson")?.split_once('-')?;
    let is_offset = |text: &str| text.len() == 20 && text.parse::<u64>().is_ok();
    (is_offset(first) && is_offset(last)).then(|| first.parse().ok())?
}

impl State {
    pub(super) fn new(sink: &str) -> Self {
        Self { sink: sink.to_owned(), fence: 0, checkpoint: None, tail: None }
    }

    /// `None`: there is none yet.
    pub(super) fn read(dir: &Path) -> Result<Option<Self>, SinkError> {
        let path = dir.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(SinkError::unreachable("reading its checkpoint")(error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| damaged(&path, Some(error)))
    }

    pub(super) fn checkpoint(&self) -> Result<Option<Checkpoint>, SinkError> {
        let parsed = self.checkpoint.as_deref().map(str::parse).transpose();
        parsed.map_err(|_| damaged(Path::new(FILE), None))
    }

    /// On disk, whole or not at all.
    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        write_whole(dir, FILE, &text)
    }
}

fn damaged(path: &Path, source: Option<serde_json::Error>) -> SinkError {
    SinkError::Blocked(Blocked {
        what: format!("checkpoint {} is damaged", path.display()),
        todo: "restore it, or move the directory away: the sink then begins anew".to_owned(),
        source: source.map(Into::into),
    })
}

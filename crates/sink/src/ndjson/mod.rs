//! Files of JSON lines: one CloudEvent each.
//!
//! ```text
//! DIR/checkpoint.json                                       cursor, file and length: committed
//! DIR/00000000000000000000-00000000000000999999.ndjson      named by a range of offsets
//! DIR/lock                                                  held while one of the above is changed
//! ```
//!
//! A commit appends to the file, syncs it, and puts the new length into the checkpoint. What is
//! behind that length was never committed, and is cut when the sink is opened; a later file is
//! renamed to `….ndjson.aside`, since it may be all that is left where an older checkpoint was put
//! back.

mod files;
mod state;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use unbroken_render::{lapse_cloudevent, open_gap_cloudevent, write_cloudevent};

use self::files::{Files, cut, holds_files};
use self::state::{State, Tail};
use crate::blocking::blocking;
use crate::folder::lock;
use crate::holder::Holder;
use crate::{Batch, Claim, Fence, Guarantee, Opened, Sink, SinkError};

/// What a file sink is told.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NdjsonConfig {
    /// The directory; made if it is not there. It belongs to one sink.
    pub dir: PathBuf,
    /// Offsets that one file is named for.
    #[serde(default = "file_offsets")]
    pub file_offsets: u64,
}

/// Some hundred megabytes at the usual size of a record.
fn file_offsets() -> u64 {
    1_000_000
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Ndjson {
    name: String,
    config: NdjsonConfig,
    holder: Holder,
}

impl Ndjson {
    /// Named, so that another sink's directory is refused.
    pub fn new(name: impl Into<String>, config: NdjsonConfig) -> Self {
        Self { name: name.into(), config, holder: Holder::new() }
    }

    fn take_over(&self, claim: &Claim) -> Result<Opened, SinkError> {
        let dir = &self.config.dir;
        fs::create_dir_all(dir).map_err(SinkError::unreachable("making its directory"))?;
        let _lock = lock(&self.config.dir)?;
        let mut state = match State::read(dir)? {
            Some(state) => state,
            None => self.first_state()?,
        };
        if state.sink != self.name {
            let what = format!("directory {} is that of the sink `{}`", dir.display(), state.sink);
            return Err(SinkError::blocked(what, "give each sink a directory of its own"));
        }
        let checkpoint = state.checkpoint()?;
        claim.accept(checkpoint.as_ref())?;
        let fence = self.holder.above(state.fence)?;
        cut(dir, state.tail.as_ref())?;
        state.fence = fence.0;
        state.write(dir).map_err(SinkError::unreachable("writing its checkpoint"))?;
        Ok(Opened { fence, checkpoint, until: None, keeps_parts: false })
    }

    /// Of a directory that no sink has had. Files without their checkpoint are somebody's record:
    /// what of them was committed nobody knows, and nothing is cut.
    fn first_state(&self) -> Result<State, SinkError> {
        let dir = &self.config.dir;
        if holds_files(dir).map_err(SinkError::unreachable("reading its directory"))? {
            return Err(no_checkpoint(dir));
        }
        Ok(State::new(&self.name))
    }

    fn append(&self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        let dir = &self.config.dir;
        let _lock = lock(&self.config.dir)?;
        let mut state = State::read(dir)?.ok_or_else(|| no_checkpoint(dir))?;
        if state.fence > fence.0 {
            return Err(SinkError::Fenced);
        }
        let held = state.checkpoint()?;
        // A lower fence is taken for that of a directory which was put back (see ARCHITECTURE.md).
        if held != batch.base || state.fence < fence.0 {
            let found = held.unwrap_or(batch.next);
            return Err(SinkError::Moved { found });
        }
        let files = Files::new(dir, self.config.file_offsets, state.tail);
        state.tail = write(files, batch).map_err(SinkError::unreachable("writing its file"))?;
        state.checkpoint = Some(batch.next.to_string());
        state.write(dir).map_err(SinkError::unreachable("writing its checkpoint"))
    }
}

impl Sink for Ndjson {
    fn guarantee(&self) -> Guarantee {
        Guarantee::Transactional
    }

    async fn open(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        let (this, claim) = (self.clone(), claim.clone());
        let opened = blocking(move || this.take_over(&claim)).await?;
        self.holder.has(opened.fence);
        Ok(opened)
    }

    async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        let (this, batch) = (self.clone(), batch.clone());
        blocking(move || this.append(fence, &batch)).await
    }
}

fn no_checkpoint(dir: &Path) -> SinkError {
    let what = format!("directory {} holds a sink's files and no checkpoint", dir.display());
    SinkError::blocked(what, "restore its checkpoint.json, or name another directory")
}

/// One line for each entry; and for what this sink never had, or had begun before it.
fn write(mut files: Files<'_>, batch: &Batch) -> io::Result<Option<Tail>> {
    let journal = batch.journal();
    if let Some(lapse) = &batch.lapse {
        let told = lapse_cloudevent(journal, lapse.from_offset, lapse.to_offset);
        files
            .line(lapse.from_offset, |line| line.extend_from_slice(told.to_string().as_bytes()))?;
    }
    for (offset, record) in batch.entries() {
        files.line(offset, |line| write_cloudevent(journal, offset, record, line))?;
    }
    for (stream, gap) in &batch.open_gaps {
        let offset = batch.next.next_offset;
        let told = open_gap_cloudevent(journal, offset, stream, gap);
        files.line(offset, |line| line.extend_from_slice(told.to_string().as_bytes()))?;
    }
    files.finish()
}

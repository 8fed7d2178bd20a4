//! The data directory opened: the journal with its lock, and what it restores.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use tracing::{info, warn};
use unbroken_journal::{Opened, Options, Retention};

use super::error::PipelineError;
use crate::config::JournalConfig;
use crate::{crash, feed, place};

/// Makes the data directory (0700) if need be, and opens the journal with its lock.
///
/// # Errors
/// The directory cannot be made, or the journal not be opened.
pub fn open(data_dir: &Path, config: &JournalConfig) -> Result<Opened, PipelineError> {
    make(data_dir)?;
    let mut options = Options::new(place::journal_dir(data_dir));
    options.disk = crash::disk();
    options.retention =
        Retention { age_ms: config.retain_age_ms, bytes_max: config.retain_bytes_max };
    if let Some(segment_bytes) = config.segment_bytes {
        options.segment_bytes = segment_bytes;
    }
    options.checkpoints = feed::store_checkpoint(data_dir).into_iter().collect();
    let opened = unbroken_journal::open(options).map_err(PipelineError::OpenJournal)?;
    tell(&opened);
    Ok(opened)
}

fn make(data_dir: &Path) -> Result<(), PipelineError> {
    let failed = |source| PipelineError::DataDir { path: data_dir.to_owned(), source };
    if data_dir.is_dir() {
        return Ok(());
    }
    if let Some(parent) = data_dir.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    DirBuilder::new().mode(0o700).create(data_dir).map_err(failed)
}

fn tell(opened: &Opened) {
    let report = &opened.report;
    let (journal, next_offset) = (opened.journal, opened.next_offset);
    if report.created {
        info!(%journal, "journal made");
    } else {
        let replayed = report.records_replayed;
        info!(%journal, next_offset, replayed, "journal opened");
    }
    if let Some(cut) = &report.cut {
        let (file, position, bytes) = (&cut.file, cut.position, cut.bytes);
        warn!(file, position, bytes, "torn tail cut: it was never acknowledged");
    }
    for image in &report.images_discarded {
        warn!(image, "image discarded: it is not whole");
    }
}

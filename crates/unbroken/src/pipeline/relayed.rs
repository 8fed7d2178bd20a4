//! The pipeline as the relay sees it.

use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use unbroken_journal::Reader;
use unbroken_relay::{Host, PreparedRelay, Readiness, Relay, ResyncError, StoreDoubt};

use super::dialects;
use super::error::PipelineError;
use super::handle::Handle;
use crate::board::render_metrics;
use crate::config::RelaySection;
use crate::place;
use crate::render::{wall, wall_now};

impl Host for Handle {
    fn sources(&self) -> Value {
        // Texts and numbers alone: there is nothing in it that is no JSON.
        serde_json::to_value(self.status().sources).unwrap_or_default()
    }

    fn metrics(&self) -> String {
        render_metrics(&self.status(), wall_now())
    }

    fn readiness(&self) -> Vec<Readiness> {
        let sources = self.board().sources();
        let streams = sources.iter().flat_map(|source| {
            let is_running = source.stopped.is_none();
            source.streams.iter().map(move |stream| (stream, is_running))
        });
        let of = streams.map(|(stream, is_running)| {
            let ready = is_running && (stream.is_live() || stream.is_paused());
            let since = stream.doubted_since.unwrap_or(stream.since);
            Readiness {
                stream: stream.stream.clone(),
                phase: stream.phase.clone(),
                ready,
                since: (!ready).then(|| wall(since)),
            }
        });
        of.collect()
    }

    fn store_doubt(&self) -> Option<StoreDoubt> {
        let doubt = self.board().store_doubt(wall_now());
        doubt.map(|(since, why)| StoreDoubt { since, why })
    }

    fn resync(&self, source: &str, keys: Option<&[String]>) -> Result<Vec<String>, ResyncError> {
        let of = Self::resync(self, Some(source), keys).map_err(ResyncError::Refused)?;
        if of.is_empty() { Err(ResyncError::Unknown(source.to_owned())) } else { Ok(of) }
    }
}

/// Makes ready what can fail of the relay, if there is to be one.
pub(super) fn prepare(
    section: Option<RelaySection>,
    data_dir: &Path,
) -> Result<Option<PreparedRelay>, PipelineError> {
    let Some(RelaySection { relay, dialect }) = section else { return Ok(None) };
    let dialects = dialects::prepare(dialect)?;
    let prepared = PreparedRelay::new(relay, data_dir).map_err(PipelineError::Relay)?;
    Ok(Some(prepared.with_dialects(dialects)))
}

/// Starts it.
pub(super) fn start(
    prepared: Option<PreparedRelay>,
    reader: Reader,
    handle: &Handle,
) -> Result<Option<Relay>, PipelineError> {
    let store = place::store_path(&handle.shared.data_dir);
    let started = prepared.map(|relay| relay.start(store, reader, Arc::new(handle.clone())));
    started.transpose().map_err(PipelineError::Relay)
}

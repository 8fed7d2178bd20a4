//! `[[sink]]`: where the record goes.

use serde::Deserialize;
use unbroken_render::RECORD_KINDS;
use unbroken_sink::{Fields, NdjsonConfig, StartAt, Where};

use super::{NatsSection, PostgresSection};

/// A section `[[sink]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SinkSection {
    /// Its name: the target keeps its checkpoint under it.
    pub name: String,
    /// Where it begins if the target has no checkpoint of it yet.
    #[serde(default)]
    pub start: StartAt,
    /// Which records it is given.
    #[serde(default, rename = "where")]
    pub selection: Where,
    /// Which parts of their payloads.
    #[serde(default)]
    pub fields: Fields,
    /// Most records of one batch.
    #[serde(default = "batch_records_max")]
    pub batch_records_max: usize,
    /// A batch is closed when its payloads have come to this, in bytes.
    #[serde(default = "batch_bytes")]
    pub batch_bytes: usize,
    /// How long a batch stays open for more records once the sink has caught up, in milliseconds.
    #[serde(default = "linger_ms")]
    pub linger_ms: u64,
    /// Files of JSON lines.
    #[serde(default)]
    pub ndjson: Option<NdjsonConfig>,
    /// A PostgreSQL database.
    #[serde(default)]
    pub postgres: Option<PostgresSection>,
    /// A stream of NATS JetStream.
    #[serde(default)]
    pub nats: Option<NatsSection>,
}

/// A commit costs a target about as much for one row as for some thousands.
fn batch_records_max() -> usize {
    5_000
}

fn batch_bytes() -> usize {
    8 * 1024 * 1024
}

/// A person who looks at the target sees now.
fn linger_ms() -> u64 {
    250
}

/// Longest name: it becomes a part of file and thread names.
const NAME_MAX: usize = 64;

impl SinkSection {
    /// What is wrong with all of them together, and what to do, if anything is.
    pub(super) fn fault_of(sinks: &[Self]) -> Option<(String, &'static str)> {
        let faults = sinks.iter().enumerate().filter_map(|(at, sink)| {
            let is_taken = sinks.iter().take(at).any(|other| other.name == sink.name);
            let taken = || {
                let what = format!("two sinks are called `{}`", sink.name);
                (what, "give each sink a name of its own: its checkpoint is kept under it")
            };
            sink.fault().or_else(|| is_taken.then(taken))
        });
        faults.into_iter().next()
    }

    fn fault(&self) -> Option<(String, &'static str)> {
        let name = self.name.as_str();
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        if name.is_empty() || name.len() > NAME_MAX || !name.bytes().all(is_plain) {
            let hint = "use letters, digits, `-` and `_`, 64 at the most";
            return Some((format!("`{name}` is no name for a sink"), hint));
        }
        let targets = [self.ndjson.is_some(), self.postgres.is_some(), self.nats.is_some()];
        match targets.into_iter().filter(|is_named| *is_named).count() {
            0 => {
                let hint = "say where it goes, as `ndjson = { dir = \"…\" }`";
                return Some((format!("sink `{name}` has no target"), hint));
            }
            1 => {}
            _ => {
                let what = format!("sink `{name}` has more than one target");
                return Some((what, "make a sink of each: every one has its own checkpoint"));
            }
        }
        if self.postgres.is_some() && !self.selection.kind.is_empty() {
            let what = format!("sink `{name}`: `where` names kinds of records");
            return Some((what, "its tables are made of all of them: leave `kind` out"));
        }
        if let Some(fault) = self.postgres.as_ref().and_then(|postgres| postgres.fault(name)) {
            return Some(fault);
        }
        if let Some(fault) = self.nats.as_ref().and_then(|nats| nats.fault(name)) {
            return Some(fault);
        }
        let is_known = |kind: &&String| !RECORD_KINDS.contains(&kind.as_str());
        if let Some(kind) = self.selection.kind.iter().find(is_known) {
            return Some((
                format!("sink `{name}`: there is no kind of record `{kind}`"),
                "docs/reference/record.md has them all",
            ));
        }
        (self.batch_records_max == 0).then(|| {
            let what = format!("sink `{name}`: `batch_records_max` is 0");
            (what, "a batch holds one record at least")
        })
    }
}

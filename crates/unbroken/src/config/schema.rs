//! What the file may say. Unknown keys are errors: a setting that is misspelt must not be a setting
//! that silently keeps its default.

use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use unbroken_connect::SourceConfig;
use unbroken_connect::capture::Recorder;

use super::relay::RelaySection;
use super::sink::SinkSection;
use crate::hooks::HooksConfig;

/// A configuration file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where log and store are; relative to the file. Made (0700) if it is not there.
    pub data_dir: PathBuf,
    /// The log.
    #[serde(default)]
    pub journal: JournalConfig,
    /// Log lines.
    #[serde(default)]
    pub log: LogConfig,
    /// Whom to tell of gaps and of blocked streams.
    #[serde(default)]
    pub hooks: HooksConfig,
    /// What the record is offered to others by; without it there is no relay.
    #[serde(default)]
    pub relay: Option<RelaySection>,
    /// Where the record goes.
    #[serde(default, rename = "sink")]
    pub sinks: Vec<SinkSection>,
    /// Sinks that may give up a checkpoint that this log cannot go on from. Set by the command
    /// line, not by the file.
    #[serde(skip)]
    pub adopt: Vec<String>,
    /// Where what is said is captured. Set by the command line, not by the file.
    #[serde(skip)]
    pub capture: Option<Arc<Recorder>>,
    /// What to record.
    #[serde(default, rename = "source")]
    pub sources: Vec<SourceConfig>,
}

/// Section `[journal]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalConfig {
    /// Records younger than this are kept, in milliseconds; without it age deletes nothing.
    pub retain_age_ms: Option<u64>,
    /// The log is kept below this size, in bytes; without it size deletes nothing.
    pub retain_bytes_max: Option<u64>,
    /// A segment is sealed before it grows beyond this, in bytes. Default 64 MiB.
    pub segment_bytes: Option<u64>,
}

/// Section `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// How lines are written.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter: `info,unbroken_connect=debug`.
    pub level: String,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Human, level: "info".to_owned() }
    }
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

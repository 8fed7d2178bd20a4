//! What the file may say. Unknown keys are errors: a setting that is misspelt must not be a setting
//! that silently keeps its default.

use std::path::PathBuf;

use serde::Deserialize;

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
    /// What to record.
    #[serde(default, rename = "source")]
    pub sources: Vec<SourceConfig>,
}

/// Stand-in.
#[derive(Clone, Debug, Deserialize)]
pub struct SourceConfig {
    /// Its name.
    pub name: String,
}

/// Section `[journal]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalConfig {}

/// Section `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// How lines are written.
    pub format: LogFormat,
    /// `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,unbroken_connect=debug`.
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

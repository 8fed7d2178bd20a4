//! Why a command could not run.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::conformance::SuiteError;
use super::export_file::ExportError;
use unbroken::config::ConfigError;
use unbroken::control::ControlError;
use unbroken_core::directive::CannotSet;

/// See the module. Every one ends the process with exit code 2.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    #[error(transparent)]
    Config(ConfigError),
    #[error(transparent)]
    Control(ControlError),
    #[error("there is no unbroken.toml here, and no data directory was named")]
    NoPlace,
    #[error("data directory {} is not there", .0.display())]
    NoData(PathBuf),
    #[error("{option}: `{text}` is not a duration")]
    Duration { option: &'static str, text: String },
    #[error("there is no source called `{name}`")]
    UnknownSource { name: String, known: String },
    #[error("source cannot be used")]
    Source(#[source] unbroken_connect::source::SourceError),
    #[error(transparent)]
    Pipeline(#[from] unbroken::pipeline::PipelineError),
    #[error("log cannot be read")]
    Journal(#[from] unbroken_journal::JournalError),
    #[error("there is no store in {}", .0.display())]
    NoStore(PathBuf),
    #[error("store cannot be used")]
    Store(#[from] unbroken_store::StoreError),
    #[error("simulated vendor cannot run")]
    Sim(#[from] unbroken_sim::SimError),
    #[error("there is no fault called `{name}`")]
    UnknownFault { name: String, nearest: Option<&'static str>, known: String },
    #[error("fault `{fault}` means nothing to a vendor with numbering `{numbering}`")]
    FaultDoesNotApply { fault: &'static str, numbering: &'static str },
    #[error("`{0}` is no pair of faults")]
    NotAPair(String),
    #[error("this vendor numbers nothing: --numbering does not apply to it")]
    NoNumbering,
    #[error("pairs of faults are played by `unbroken demo` alone")]
    PairsInDemoOnly,
    #[error(transparent)]
    Conformance(#[from] SuiteError),
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    #[error("a task of the demo failed: {0}")]
    Task(String),
    #[error("`{0}` is not a cursor")]
    Cursor(String),
    #[error(transparent)]
    Export(#[from] ExportError),
    #[error("{option}: `{text}` is not a time")]
    Moment { option: &'static str, text: String },
    #[error("log has no stream of the source `{0}`")]
    UnknownStream(String),
    #[error("log has several streams: {0}")]
    WhichStream(String),
    #[error("position cannot be set: {0}")]
    CannotSet(CannotSet),
    #[error("position cannot be moved while a service runs")]
    Fenced(#[source] unbroken_journal::JournalError),
    #[error("profile cannot be used")]
    Profile(#[source] unbroken_connect::generic::ProfileError),
    #[error("capture {} cannot be used", path.display())]
    Capture { path: PathBuf, source: unbroken_connect::capture::ReadError },
    #[error("capture {} cannot be made", path.display())]
    Record { path: PathBuf, source: io::Error },
    #[error("there is no source called `{0}`")]
    NoSuchSource(String),
    #[error("there is no sink called `{0}`")]
    NoSink(String),
    #[error("the capture's source had a profile of its own")]
    ProfileUnknown,
    #[error("a service is running on this data")]
    Running,
    #[error("`{0}` is not a log level")]
    LogLevel(String),
    #[error("the service answered another question")]
    Unexpected,
    #[error("JSON cannot be written")]
    Json(#[source] serde_json::Error),
    #[error(transparent)]
    Token(#[from] unbroken_relay::LedgerError),
    #[error("dead letters cannot be used")]
    DeadLetters(#[from] unbroken_sink::SinkError),
    #[error("no sink `{0}` keeps dead letters in `sinks.db`")]
    NoDeadLettersOf(String),
    #[error("output cannot be written")]
    Output(#[source] io::Error),
    #[error("{what} failed")]
    Io { what: &'static str, source: io::Error },
}

impl CliError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Control(error) => error.hint(),
            Self::NoPlace => Some(
                "name the data with --journal DIR, or the configuration with --config FILE"
                    .to_owned(),
            ),
            Self::NoData(_) => Some("`unbroken run` makes it; is the path right?".to_owned()),
            Self::UnknownSource { known, .. } => Some(format!("known: {known}")),
            Self::Source(error) => error.hint(),
            Self::Pipeline(error) => error.hint(),
            Self::Journal(error) => error.hint().map(ToOwned::to_owned),
            Self::NoStore(_) => Some("`unbroken rebuild` makes it from the log".to_owned()),
            Self::Store(error) => error.hint().map(ToOwned::to_owned),
            Self::Sim(error) => error.hint(),
            Self::UnknownFault { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{nearest}`?"))
            }
            Self::UnknownFault { known, .. } => Some(format!("known: {known}")),
            Self::FaultDoesNotApply { .. } => {
                Some("`--faults all` takes those that apply".to_owned())
            }
            Self::NotAPair(_) => Some("write it as `pairs:clean-close+slow-rest`".to_owned()),
            Self::NoNumbering => Some("leave --numbering out".to_owned()),
            Self::PairsInDemoOnly => Some("use `all`, `none`, or a list: a,b,c".to_owned()),
            Self::Conformance(error) => error.hint(),
            Self::NotEmpty(_) => Some("name a new directory".to_owned()),
            Self::Task(_) => None,
            Self::Cursor(_) => Some(
                "use the `cursor` of a line that `unbroken events` printed, or an offset"
                    .to_owned(),
            ),
            Self::Export(error) => Some(error.hint().to_owned()),
            Self::Moment { .. } => {
                Some("write it as 2026-11-24, or as 2026-11-24T06:00:00Z".to_owned())
            }
            Self::UnknownStream(_) => Some(
                "`unbroken position get` shows them; a source without a record begins where its \
                 `start = { from = \"…\" }` says"
                    .to_owned(),
            ),
            Self::WhichStream(_) => Some("name one with --source".to_owned()),
            Self::CannotSet(why) => cannot_set_hint(*why).map(ToOwned::to_owned),
            Self::Running | Self::Fenced(_) => {
                Some("stop it first: `unbroken control stop`".to_owned())
            }
            Self::Profile(error) => error.hint(),
            Self::Capture { source, .. } => source.hint().map(ToOwned::to_owned),
            Self::Record { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                Some("name a new file: a capture is never written over".to_owned())
            }
            Self::NoSink(_) => Some("`[[sink]]` in the configuration has their names".to_owned()),
            Self::Record { .. } | Self::NoSuchSource(_) => None,
            Self::ProfileUnknown => Some(
                "name it: --profile NAME|FILE, or --config FILE for the one that was used"
                    .to_owned(),
            ),
            Self::Token(error) => error.hint(),
            Self::DeadLetters(error) => {
                Some(error.todo()).filter(|todo| !todo.is_empty()).map(ToOwned::to_owned)
            }
            Self::NoDeadLettersOf(_) => Some(
                "name one that posts to a URL; the others keep theirs in the target".to_owned(),
            ),
            Self::LogLevel(_) => Some("use error, warn, info, debug or trace".to_owned()),
            Self::Duration { .. } => Some("write it as 60s, 2m or 500ms".to_owned()),
            Self::Unexpected | Self::Json(_) | Self::Output(_) | Self::Io { .. } => None,
        }
    }
}

fn cannot_set_hint(why: CannotSet) -> Option<&'static str> {
    match why {
        CannotSet::There(_) => None,
        CannotSet::Behind(_) => Some(
            "`unbroken position reset` begins again in a numbering of its own, with \
             `start = { from = \"…\" }` further back",
        ),
        CannotSet::NoPosition => Some("`unbroken position reset` begins again; `start` says where"),
        CannotSet::NotANumber => Some("write it as 4711, or as 0x1267"),
        CannotSet::NotAText => Some("write it as the vendor does"),
    }
}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<ControlError> for CliError {
    fn from(error: ControlError) -> Self {
        Self::Control(error)
    }
}

//! What the relay asks its host for: how the sources do, and to take a fresh snapshot.

use serde_json::Value;
use unbroken_core::time::UnixMicros;

/// The running service, as the relay sees it. Called on the relay's threads; must return at once.
pub trait Host: Send + Sync + 'static {
    /// The sources with their streams: a JSON list, as `sources` of `unbroken status`.
    fn sources(&self) -> Value;

    /// The figures, as Prometheus text.
    fn metrics(&self) -> String;

    /// How fresh each stream is.
    fn readiness(&self) -> Vec<Readiness>;

    /// Whether what the store holds is old although the log has more, or it cannot be told.
    fn store_doubt(&self) -> Option<StoreDoubt>;

    /// Asks for a fresh snapshot of a source (or `source/stream`), of all keys or of some. Returns
    /// of which streams.
    ///
    /// # Errors
    /// Why it will not be done.
    fn resync(&self, source: &str, keys: Option<&[String]>) -> Result<Vec<String>, ResyncError>;
}

/// How fresh one stream is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Readiness {
    /// The stream.
    pub stream: String,
    /// Its phase, in one word.
    pub phase: String,
    /// Complete, current and proved; or paused by a person, who knows.
    pub ready: bool,
    /// Since when it is not, as text.
    pub since: Option<String>,
}

/// The store is not kept up to date. What it holds is what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreDoubt {
    /// Since when.
    pub since: UnixMicros,
    /// Why, in a few words that anybody may read.
    pub why: &'static str,
}

/// Why no snapshot is taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResyncError {
    /// There is no such source.
    #[error("there is no source called `{0}`")]
    Unknown(String),
    /// The source cannot do it.
    #[error("{0}")]
    Refused(String),
}

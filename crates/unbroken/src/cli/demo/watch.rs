//! What the pipeline tells, carried to the story.

use tokio::sync::mpsc;
use unbroken::pipeline::Observe;
use unbroken_core::machine::Report;
use unbroken_core::time::UnixMicros;

/// Something that was seen of the pipeline.
#[derive(Debug)]
pub(super) enum Seen {
    /// A machine's report.
    Reported(Report),
    /// An event emitted at this time is durable.
    Stored(UnixMicros),
}

/// Sends on what it sees. Few enough: reports are per recovery, the rest per commit.
#[derive(Debug)]
pub(super) struct Watcher(pub(super) mpsc::UnboundedSender<(UnixMicros, Seen)>);

impl Observe for Watcher {
    fn reported(&self, at: UnixMicros, report: &Report) {
        // Nobody listens any more once the play is over.
        let _ = self.0.send((at, Seen::Reported(report.clone())));
    }

    fn stored(&self, emitted_at: UnixMicros) {
        let _ = self.0.send((unbroken::render::wall_now(), Seen::Stored(emitted_at)));
    }
}

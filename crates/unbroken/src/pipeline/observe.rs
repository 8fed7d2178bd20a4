//! Somebody who watches a pipeline, such as the demo.

use unbroken_core::machine::Report;
use unbroken_core::time::UnixMicros;

/// Called on the pipeline's own threads: must return at once.
pub trait Observe: Send + Sync + 'static {
    /// A machine reported something.
    fn reported(&self, at: UnixMicros, report: &Report);

    /// An event that the vendor emitted at this time is durable, and so is everything before it.
    fn stored(&self, emitted_at: UnixMicros);
}

/// Nobody watches.
#[derive(Clone, Copy, Debug)]
pub struct Unobserved;

impl Observe for Unobserved {
    fn reported(&self, _at: UnixMicros, _report: &Report) {}

    fn stored(&self, _emitted_at: UnixMicros) {}
}

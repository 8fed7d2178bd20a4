//! Captures: what was said between a source and its vendor, in a file that can be looked at later.
//!
//! A [`Recorder`] writes one while the source runs, without secrets and without what the user's
//! field rules take out. [`replay()`] reads it through a profile, offline, and tells what the
//! profile made of it: so a profile can be adapted to a tenant without the tenant.

mod findings;
mod hint;
mod line;
mod recorder;
mod redaction;
mod replay;

pub use findings::{Findings, Misread, Pages, Positions};
pub use line::{CAPTURE_VERSION, Line, ReadError, Text, read_lines};
pub(crate) use recorder::SourceRecorder;
pub use recorder::{CAPTURE_BYTES_MAX, Recorder};
pub use redaction::Redaction;
pub use replay::replay;

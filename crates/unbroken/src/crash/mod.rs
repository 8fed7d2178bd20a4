//! Crash points: the moments at which something on disk, or somebody who was told of it, changes.
//!
//! In the proof build a process that is started with `UNBROKEN_CRASH_AT=point:nth` ends itself by
//! SIGKILL when it passes that point for the nth time. `earlier>point:nth` counts from the first
//! passing of another point on. In any other build the points are nothing.
//!
//! Those of the log lie in its I/O seam ([`disk`]): the journal itself has none. A write can be cut
//! in its middle there. Those of the store are [`unbroken_store::crash::Point`].

#[cfg(feature = "proof")]
mod aim;
#[cfg(feature = "proof")]
mod file;
mod pass;
mod point;
#[cfg(feature = "proof")]
mod seam;
#[cfg(feature = "proof")]
mod spot;

#[cfg(feature = "proof")]
pub use aim::{CRASH_AT, arm};
pub use pass::{disk, pass};
pub use point::Point;
#[cfg(feature = "proof")]
pub use spot::{Spot, When, spots};

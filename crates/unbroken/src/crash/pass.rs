//! What the rest of the program sees of crash points.

use std::sync::Arc;

use unbroken_journal::disk::{Disk, RealDisk};

use super::Point;

/// The process is at this point.
#[cfg(feature = "proof")]
pub fn pass(point: Point) {
    super::aim::pass(point.name());
}

/// The process is at this point.
#[cfg(not(feature = "proof"))]
#[inline(always)]
pub fn pass(_: Point) {}

/// The file system for a log.
#[cfg(feature = "proof")]
pub fn disk() -> Arc<dyn Disk> {
    Arc::new(super::seam::CrashDisk::new(RealDisk))
}

/// The file system for a log.
#[cfg(not(feature = "proof"))]
pub fn disk() -> Arc<dyn Disk> {
    Arc::new(RealDisk)
}

//! The journal's promises, one behaviour per file.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cases;
mod committing;
mod consuming;
mod cutting_power;
mod encoding;
mod failing_disks;
mod images;
mod locking;
#[cfg(feature = "proof")]
mod mutants;
mod newer_formats;
mod older_formats;
mod opening;
mod recent;
mod repairing;
mod retention;
mod single_faults;
mod verifying;
mod workload;

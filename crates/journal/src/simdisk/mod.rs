//! A disk in memory that does what disks do when the power goes.
//!
//! * What was written and not synced survives a power cut in any subset, sector by sector, in any
//!   order; a sector may survive in part. So does a file's length.
//! * Creations, renamings and deletions survive in any subset until the directory is synced.
//! * A sync may fail, and then what it was to make durable is forgotten: a second sync reports
//!   success and makes nothing durable. A sync may also lie.
//! * The disk fills up in the middle of a write.
//!
//! Deterministic: the same calls and the same seed leave the same bytes.

mod dice;
mod file;
mod world;

pub use dice::Dice;
pub use world::SimDisk;

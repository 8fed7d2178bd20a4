//! The log on local disks.
//!
//! | file | holds |
//! |---|---|
//! | `lock` | the lock, and the number of the process that has it |
//! | `journal` | the journal's id and format, as text |
//! | `published` | how far the log was durable when readers were last told |
//! | `N.segment` | the N-th piece of the log: batches, then zeros |
//! | `N.image` | what all batches below N add up to |
//! | `*.unfinished` | what an interruption left; deleted by the next open |
//! | `*.damaged` | what a repair took out of the log |
//!
//! Why our own code: the log crates that exist store bytes by sequence number. None of those looked
//! at (`commitlog`, `seqlog`, `okaywal`, `spacetimedb-commitlog`) takes its I/O through a seam that
//! a test can make tear and lose, none writes down what was synced before a batch, so that a torn
//! tail and damage can be told apart, and none ties retention to state images. These three are
//! what the journal is for.

pub(crate) mod batch;
pub(crate) mod chain;
pub mod disk;
pub(crate) mod home;
pub(crate) mod image;
pub(crate) mod imaging;
pub(crate) mod nameplate;
pub(crate) mod open;
pub(crate) mod place;
pub(crate) mod published;
pub(crate) mod reader;
pub(crate) mod recent;
pub(crate) mod recover;
pub(crate) mod retain;
pub(crate) mod segment;
pub(crate) mod shared;
pub(crate) mod state;
pub(crate) mod tail;
pub(crate) mod writer;

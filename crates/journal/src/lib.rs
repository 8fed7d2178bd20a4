//! The durable log: the commit point of Unbroken. Everything else is a consumer with a checkpoint.
//!
//! * [`open`] takes the lock, restores the state and gives the one [`Writer`] and a [`Reader`].
//! * [`Writer::commit`] makes a batch durable; [`Reader::batches`] yields it, never before.
//! * [`Committer`] is the thread that commits for several sources at once.
//! * [`verify`](verify::verify) reads everything again and names what is wrong; [`repair()`] cuts a
//!   damaged log when there is no backup.
//! * [`simdisk`] is a disk that tears, loses, fails and fills up, for tests.

pub mod codec;
mod committer;
pub mod courtesy;
mod error;
mod identity;
mod local;
mod mutant;
mod repair;
pub mod simdisk;
pub mod verify;

pub use committer::{Ack, CommitHandle, Committer, Gathering, Refused, SourceTag, Stopped};
pub use error::JournalError;
pub use identity::{Cursor, InvalidCursor, JournalId};
pub use local::batch::Batch;
pub use local::disk;
pub use local::open::{
    Cut, ImagePolicy, OpenReport, Opened, Options, PREALLOCATED_BYTES, SEGMENT_BYTES, open,
    system_clock,
};
pub use local::reader::{Batches, Reader};
pub use local::recent::SharedBatch;
pub use local::retain::{Consumers, Lapsed, Retention};
pub use local::writer::{Committed, Writer};
#[cfg(feature = "proof")]
pub use mutant::Mutant;
pub use repair::{Repair, Repaired, plan_repair, repair};

/// The format of everything in the directory. A directory of a newer one is refused.
pub const FORMAT: u32 = 5;

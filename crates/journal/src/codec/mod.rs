//! Records, marks and folds as bytes.
//!
//! Compact and binary: unsigned numbers are LEB128 varints, signed ones zigzag, texts and bytes
//! carry their length. A batch names each stream and each event kind once and writes
//! times as differences. The format has one version for the whole directory
//! ([`FORMAT`](crate::FORMAT)); decoding never panics and never allocates more than its input
//! could fill.

pub(crate) mod body;
pub(crate) mod code;
pub(crate) mod fold;
pub(crate) mod put;
pub(crate) mod record;
pub(crate) mod take;
pub(crate) mod words;

pub use fold::{decode as decode_fold, encode as encode_fold};
pub(crate) use record::highest_marks;
pub use record::{Encoded, decode_records, encode_records};
pub use take::Malformed;

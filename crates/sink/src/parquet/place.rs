//! What a place for files must be able to do.

use bytes::Bytes;

use crate::SinkError;

/// The checkpoint's name.
pub(super) const CHECKPOINT: &str = "checkpoint.json";

/// Which of the checkpoints it is that have lain there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// By what it says: under a lock that is enough.
    Text(Vec<u8>),
    /// By the names that a store gives.
    Tags { e_tag: Option<String>, version: Option<String> },
}

/// A checkpoint as it lies there.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) text: Vec<u8>,
    pub(super) version: Version,
}

/// What came of replacing it.
#[derive(Debug)]
pub(super) enum Swapped {
    Done(Version),
    /// It was not the one any more that it was to be.
    Lost,
}

/// What came of writing a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Put {
    Done,
    /// One of that name is there, and stays.
    IsThere,
}

/// A directory, or a prefix in an object store. What is done is durable.
pub(super) trait Place: Send + Sync {
    fn read(&self) -> impl Future<Output = Result<Option<Held>, SinkError>> + Send;

    /// Replaces the checkpoint that was read; `None`: there was none.
    fn swap(
        &self,
        held: Option<&Version>,
        text: Vec<u8>,
    ) -> impl Future<Output = Result<Swapped, SinkError>> + Send;

    /// Writes a file, whole or not at all, unless one of its name is there.
    fn put(&self, name: &str, file: Bytes) -> impl Future<Output = Result<Put, SinkError>> + Send;

    fn get(&self, name: &str) -> impl Future<Output = Result<Option<Bytes>, SinkError>> + Send;

    fn holds(&self, name: &str) -> impl Future<Output = Result<bool, SinkError>> + Send;

    /// The names of its `day=…`.
    fn days(&self) -> impl Future<Output = Result<Vec<String>, SinkError>> + Send;

    /// The names of the files in one of them.
    fn files(&self, day: &str) -> impl Future<Output = Result<Vec<String>, SinkError>> + Send;
}

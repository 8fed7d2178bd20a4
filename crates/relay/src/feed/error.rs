//! Why a client's reading ended.

use unbroken_journal::{Cursor, JournalError};

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// Retention was quicker than the client.
    #[error("what follows was deleted by retention before it was read")]
    Expired {
        /// The oldest cursor that is good.
        oldest: Cursor,
    },
    /// The log cannot be read.
    #[error("log cannot be read")]
    Journal(#[source] JournalError),
    /// The service is stopping.
    #[error("the service is stopping")]
    Stopped,
}

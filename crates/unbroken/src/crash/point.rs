//! The points outside of the log's I/O seam and the store.

/// A moment at which the process may die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// The log is open, and nothing is started.
    LogOpened,
    /// The control socket is there, and others than its owner may still ask.
    ControlBound,
    /// Everything is started, and no source has connected.
    Started,
    /// A batch is durable, published, and its sources are told.
    Told,
    /// The sources have left, and the log still has to be closed.
    Drained,
    /// The log is closed with its last image, and the store still has to take it in.
    LogClosed,
    /// All is closed, and the process is about to say so.
    StoreClosed,
}

#[cfg(feature = "proof")]
impl Point {
    /// As it is aimed at.
    pub fn name(self) -> &'static str {
        match self {
            Self::LogOpened => "log-opened",
            Self::ControlBound => "control-bound",
            Self::Started => "started",
            Self::Told => "told",
            Self::Drained => "drained",
            Self::LogClosed => "log-closed",
            Self::StoreClosed => "store-closed",
        }
    }
}

//! What can happen to a source.

use crate::connector::{Decoded, Failure, HistoryPage, Page};
use crate::fold::StreamFold;
use crate::ids::{AppendId, ConnId, Key, Label, RequestId, StreamId, TokenVersion};
use crate::record::Closer;
use crate::time::{Millis, UnixMicros};

/// The moment of an input: the monotonic clock decides, the wall clock is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Now {
    /// Monotonic.
    pub at: Millis,
    /// Wall clock.
    pub wall: UnixMicros,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// Always first: what the log holds of this source's streams, and the log's next offset.
    Restored {
        /// By stream; streams that the log does not know are absent.
        streams: Vec<(StreamId, StreamFold)>,
        /// The offset that the next record will get.
        next_offset: u64,
    },
    /// Time has passed (the deadline of the last `Wait` was reached, or any other reason).
    Tick,
    /// A token was granted.
    TokenReady {
        /// The version that `Authorize` asked for.
        version: TokenVersion,
        /// When it will expire, counted from when it was *asked for*; `None`: it does not say.
        expires_at: Option<Millis>,
    },
    /// No token was granted.
    TokenRefused {
        /// The version that `Authorize` asked for.
        version: TokenVersion,
        /// Why.
        failure: Failure,
    },
    /// A page (or a head) arrived.
    Page {
        /// The request it answers.
        request: RequestId,
        /// Its contents.
        page: Page,
    },
    /// A page of the vendor's history arrived.
    HistoryPage {
        /// The request it answers.
        request: RequestId,
        /// What it says.
        page: HistoryPage,
    },
    /// No page arrived.
    PageFailed {
        /// The request it answers.
        request: RequestId,
        /// Why.
        failure: Failure,
    },
    /// The handshake was accepted.
    Opened {
        /// The socket.
        conn: ConnId,
    },
    /// The handshake was refused, or no connection came about.
    Refused {
        /// The socket that was to be.
        conn: ConnId,
        /// Why.
        failure: Failure,
    },
    /// A socket is gone.
    Closed {
        /// The socket.
        conn: ConnId,
        /// Who ended it.
        by: Closer,
        /// Close code and class.
        failure: Failure,
    },
    /// A frame arrived. Protocol pongs come as an empty [`Decoded`].
    Frame {
        /// The socket.
        conn: ConnId,
        /// Its meaning.
        decoded: Decoded,
    },
    /// Reading was stopped (the journal is behind) or resumed. Silence while we do not read is
    /// ours.
    Reading {
        /// The socket.
        conn: ConnId,
        /// True: reading again.
        resumed: bool,
    },
    /// Every unit up to this one is durable.
    Appended {
        /// The highest such unit.
        append: AppendId,
    },
    /// The journal cannot write. Nothing more will be accepted.
    AppendFailed {
        /// A few words for a person.
        what: String,
    },
    /// The set of keys to subscribe to has changed; the driver already holds the new one.
    KeysChanged {
        /// The stream.
        stream: StreamId,
    },
    /// A person asks for a fresh snapshot.
    Resync {
        /// The stream.
        stream: StreamId,
        /// Of these keys only; `None`: of all.
        keys: Option<Vec<Key>>,
    },
    /// A person pauses the stream, until they resume it.
    Pause {
        /// The stream.
        stream: StreamId,
        /// Who.
        by: Label,
        /// Why; may be empty.
        why: Label,
    },
    /// A person resumes a paused stream.
    Resume {
        /// The stream.
        stream: StreamId,
        /// Who.
        by: Label,
        /// Why; may be empty.
        why: Label,
    },
    /// Stop: unsubscribe, close, wait for the journal.
    Shutdown,
}

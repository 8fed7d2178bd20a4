//! Names and small numbers that identify things.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a text.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The number after this one.
            #[must_use]
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

text_id! {
    /// One subscription of one source, written `source/stream`; the unit of position, gaps and
    /// Live.
    StreamId
}
text_id! {
    /// What an event is about: an agent, a conversation, a key of a key-value store.
    Key
}
text_id! {
    /// A short text of the vendor's that is compared and shown but never interpreted: an epoch's
    /// name, a snapshot's id, a subscription's id, an event's kind.
    Label
}
number_id! {
    /// One socket's life. Every input that comes from a socket carries its `ConnId`, so that a late
    /// frame of a closed socket can be told from one of the present socket. Unique per stream,
    /// also over restarts.
    ConnId(u64)
}
number_id! {
    /// One page request; answers carry it back, and one that is no longer awaited is ignored.
    RequestId(u64)
}
number_id! {
    /// One atomic unit handed to the journal. Answers are cumulative: `Appended(n)` says that every
    /// unit up to `n` is durable.
    AppendId(u64)
}
number_id! {
    /// A row of the gap ledger; unique per stream.
    GapId(u64)
}
number_id! {
    /// One snapshot bracket; unique per stream.
    SnapshotId(u64)
}
number_id! {
    /// A version of the access token; counts up with each renewal in this process.
    TokenVersion(u32)
}

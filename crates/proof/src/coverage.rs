//! Which inputs came in which phase, and how often.

use unbroken_core::connector::{Decoded, Item};
use unbroken_core::machine::{Input, Phase};

macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each is named after what it counts")]
        pub enum $name { $($variant),* }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in tables.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}

kinds! {
    /// A phase of a stream; of Live, whether a hand-over is under way.
    State {
        Idle = "idle",
        Authorizing = "authorizing",
        Fetching = "fetching",
        Connecting = "connecting",
        Subscribing = "subscribing",
        CatchingUp = "catching-up",
        Live = "live",
        HandingOver = "handing-over",
        Waiting = "waiting",
        Blocked = "blocked",
        Draining = "draining",
        Paused = "paused",
    }
}

kinds! {
    /// A kind of input. A frame counts as the first kind below that something in it is of.
    Kind {
        Restored = "restored",
        Tick = "tick",
        TokenReady = "token-ready",
        TokenRefused = "token-refused",
        Page = "page",
        PageFailed = "page-failed",
        HistoryPage = "history-page",
        Opened = "opened",
        Refused = "refused",
        Closed = "closed",
        FrameUnread = "frame:unread",
        FramePoison = "frame:poison",
        FrameRefusal = "frame:refusal",
        FrameClosing = "frame:closing",
        FrameAck = "frame:ack",
        FrameEvent = "frame:event",
        FrameUnknown = "frame:unknown",
        FrameHeartbeat = "frame:heartbeat",
        FrameAlive = "frame:alive",
        FrameOther = "frame:other",
        Reading = "reading",
        Appended = "appended",
        AppendFailed = "append-failed",
        KeysChanged = "keys-changed",
        Resync = "resync",
        Pause = "pause",
        Resume = "resume",
        Shutdown = "shutdown",
    }
}

impl State {
    /// Of a phase.
    pub fn of(phase: &Phase) -> Self {
        match phase {
            Phase::Idle => Self::Idle,
            Phase::Authorizing => Self::Authorizing,
            Phase::Fetching => Self::Fetching,
            Phase::Connecting => Self::Connecting,
            Phase::Subscribing => Self::Subscribing,
            Phase::CatchingUp => Self::CatchingUp,
            Phase::Live { handover: false } => Self::Live,
            Phase::Live { handover: true } => Self::HandingOver,
            Phase::Waiting { .. } => Self::Waiting,
            Phase::Blocked { .. } => Self::Blocked,
            Phase::Draining => Self::Draining,
            Phase::Paused { .. } => Self::Paused,
        }
    }
}

impl Kind {
    /// Of an input.
    pub fn of(input: &Input) -> Self {
        match input {
            Input::Restored { .. } => Self::Restored,
            Input::Tick => Self::Tick,
            Input::TokenReady { .. } => Self::TokenReady,
            Input::TokenRefused { .. } => Self::TokenRefused,
            Input::Page { .. } => Self::Page,
            Input::PageFailed { .. } => Self::PageFailed,
            Input::HistoryPage { .. } => Self::HistoryPage,
            Input::Opened { .. } => Self::Opened,
            Input::Refused { .. } => Self::Refused,
            Input::Closed { .. } => Self::Closed,
            Input::Frame { decoded, .. } => Self::of_frame(decoded),
            Input::Reading { .. } => Self::Reading,
            Input::Appended { .. } => Self::Appended,
            Input::AppendFailed { .. } => Self::AppendFailed,
            Input::KeysChanged { .. } => Self::KeysChanged,
            Input::Resync { .. } => Self::Resync,
            Input::Pause { .. } => Self::Pause,
            Input::Resume { .. } => Self::Resume,
            Input::Shutdown => Self::Shutdown,
        }
    }

    fn of_frame(decoded: &Decoded) -> Self {
        let kinds = decoded.items.iter().map(|item| match item {
            Item::Unread { .. } => Self::FrameUnread,
            Item::Poison { .. } => Self::FramePoison,
            Item::Refusal(_) => Self::FrameRefusal,
            Item::Closing { .. } => Self::FrameClosing,
            Item::Ack { .. } => Self::FrameAck,
            Item::Event(_) => Self::FrameEvent,
            Item::Unknown => Self::FrameUnknown,
            Item::Heartbeat { .. } => Self::FrameHeartbeat,
            Item::More | Item::Dark { .. } | Item::Bookmark { .. } | Item::Withheld { .. } => {
                Self::FrameOther
            }
        });
        kinds.min().unwrap_or(Self::FrameAlive)
    }
}

const CELLS: usize = State::ALL.len() * Kind::ALL.len();

/// Counts of pairs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage(Box<[u64; CELLS]>);

impl Default for Coverage {
    fn default() -> Self {
        Self(Box::new([0; CELLS]))
    }
}

impl Coverage {
    /// An input came in this phase.
    pub fn count(&mut self, state: State, kind: Kind) {
        if let Some(cell) = self.0.get_mut(place(state, kind)) {
            *cell += 1;
        }
    }

    /// How often it did.
    pub fn of(&self, state: State, kind: Kind) -> u64 {
        self.0.get(place(state, kind)).copied().unwrap_or(0)
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        for (cell, more) in self.0.iter_mut().zip(other.0.iter()) {
            *cell += more;
        }
    }

    /// Every pair with its count.
    pub fn pairs(&self) -> impl Iterator<Item = (State, Kind, u64)> + '_ {
        let pairs =
            State::ALL.iter().flat_map(|state| Kind::ALL.iter().map(|kind| (*state, *kind)));
        pairs.map(|(state, kind)| (state, kind, self.of(state, kind)))
    }
}

fn place(state: State, kind: Kind) -> usize {
    state as usize * Kind::ALL.len() + kind as usize
}

//! What the machine asks for.

use crate::bookmark::After;
use crate::connector::Failure;
use crate::ids::{ConnId, GapId, Key, Label, RequestId, SnapshotId, StreamId, TokenVersion};
use crate::machine::budget::Allowance;
use crate::machine::timer::Timer;
use crate::position::Position;
use crate::record::{Append, GapCause, GapOutcome, Witness};
use crate::time::{Millis, UnixMicros};

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Output {
    /// Get an access token. Answered by `TokenReady` or `TokenRefused`.
    Authorize {
        /// The version to give it.
        version: TokenVersion,
    },
    /// Get a page or the head. Answered by `Page` or `PageFailed`.
    FetchPage {
        /// The request's number.
        request: RequestId,
        /// For which stream.
        stream: StreamId,
        /// What to get.
        what: Fetch,
        /// Only rows of these keys count: the vendor need not send others. `None`: all.
        keys: Option<Vec<Key>>,
        /// Which token to send; `None` where the source needs none.
        token: Option<TokenVersion>,
    },
    /// Ask the vendor's history. Answered by `HistoryPage` or `PageFailed`.
    FetchHistory {
        /// The request's number.
        request: RequestId,
        /// For which stream.
        stream: StreamId,
        /// What to ask for.
        what: Past,
        /// Which token to send; `None` where the source needs none.
        token: Option<TokenVersion>,
    },
    /// Open a socket. Answered by `Opened` or `Refused`.
    Open {
        /// Its number.
        conn: ConnId,
        /// For which stream.
        stream: StreamId,
        /// Which token to send; `None` where the source needs none.
        token: Option<TokenVersion>,
        /// What the subscription will ask for: for vendors that take it in the URL or a header.
        after: Option<After>,
    },
    /// End a socket. Not answered: its later inputs are ignored.
    Close {
        /// Its number.
        conn: ConnId,
        /// How.
        how: CloseHow,
    },
    /// Send a message.
    Send {
        /// On which socket.
        conn: ConnId,
        /// What.
        message: Message,
    },
    /// Hand this to the journal. Answered by `Appended` or `AppendFailed`.
    Append(Append),
    /// Stop this source; the machine accepts nothing more.
    Halt(Halt),
    /// For logs, status and pages: decides nothing.
    Report(Report),
    /// Nothing more to do until an input comes, at the latest a `Tick` at `deadline`.
    Wait {
        /// When; `None`: only an input can move the machine.
        deadline: Option<Millis>,
        /// Why then.
        timer: Option<Timer>,
    },
}

/// What to get by REST.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Fetch {
    /// Only the position (and epoch) of the vendor's head.
    Head,
    /// The first page of a snapshot.
    First,
    /// The page that an earlier page named.
    Next(Label),
}

/// A part of the vendor's history.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Past {
    /// Facts that had not ended by then …
    pub from: UnixMicros,
    /// … and had begun by then.
    pub to: UnixMicros,
    /// They began no earlier than this.
    pub since: UnixMicros,
    /// The page that an earlier one named; `None`: the first.
    pub page: Option<Label>,
}

/// How to end a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CloseHow {
    /// Unsubscribe, close frame, then TCP, within a bound.
    Polite,
    /// Drop the TCP connection: nobody is listening at the other end.
    Drop,
}

/// A message to the vendor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Message {
    /// Subscribe to the stream's keys.
    Subscribe {
        /// After this position; `None`: from now on.
        after: Option<After>,
    },
    /// End the subscription.
    Unsubscribe,
    /// Ask for a sign of life, by the profile's message or a protocol ping.
    Ping,
}

/// Why a source stopped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Halt {
    /// It was asked to, and everything it had is durable.
    Stopped,
    /// The journal cannot write.
    Journal {
        /// A few words for a person.
        what: String,
    },
}

/// What a stream is waiting for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Entered at the beginning. Left when `Restored` has come.
    Idle,
    /// Entered when an attempt needs an access token that is not there. Left when it is, or is
    /// refused.
    Authorizing,
    /// Entered when an attempt begins that reads by REST first. Left when the head or the snapshot
    /// has come, or failed.
    Fetching,
    /// Entered when a socket was asked for. Left when it opened, was refused, or took too long.
    Connecting,
    /// Entered when the subscription was sent. Left when it was confirmed, refused, or took too
    /// long.
    Subscribing,
    /// Entered when events may flow but completeness or state is not proved. Left for Live when it
    /// is.
    CatchingUp,
    /// Entered when the stream is complete, current and proved. Left on any doubt.
    Live {
        /// A second connection is being brought up beside the first.
        handover: bool,
    },
    /// Entered when an attempt failed. Left when the delay is over.
    Waiting {
        /// When the next attempt begins.
        until: Millis,
        /// Why we wait.
        why: Label,
    },
    /// Entered when only a person can help. Left on reload or resync.
    Blocked {
        /// Why, and what a person must do.
        why: Blocked,
    },
    /// Entered on shutdown and on a pause. Left when everything is durable.
    Draining,
    /// Entered when a person has paused the stream and everything is durable, and at the start of a
    /// process that finds it so. Left when it is resumed.
    Paused {
        /// Since when, by the wall clock.
        since: UnixMicros,
        /// Who paused it.
        by: Label,
    },
}

/// Why a stream is blocked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Blocked {
    /// Credentials or scope are refused with a fresh token.
    Auth {
        /// What refused them.
        failure: Failure,
    },
    /// A snapshot that would delete keys lacks more than is plausible; old state was kept, marked
    /// stale.
    MassDelete {
        /// Keys it does not have.
        lacks: u64,
        /// Keys held.
        of: u64,
    },
    /// The vendor said something that repeating will not change.
    Fatal {
        /// What.
        failure: Failure,
    },
    /// The source declares no way that could lead to Live.
    NoWay,
}

/// A rung of the recovery ladder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rung {
    /// Subscribe after the durable position.
    Resume,
    /// Subscribe from the oldest position served.
    Floor,
    /// Snapshot first, then subscribe after its tag.
    Rebase,
    /// Subscribe from now, then a snapshot.
    Overlap,
}

/// What proved a resume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proof {
    /// The confirmation named the position asked for.
    Ack,
    /// The head is the position held.
    Head,
    /// The first event is exactly the next one.
    Next,
    /// The last event held came again, the same.
    Anchor,
}

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Report {
    /// A stream's phase has changed.
    Phase {
        /// The stream.
        stream: StreamId,
        /// The new phase.
        phase: Phase,
    },
    /// A rung was chosen.
    Rung {
        /// The stream.
        stream: StreamId,
        /// The rung.
        rung: Rung,
        /// The position asked for.
        after: Option<u64>,
    },
    /// A connection was lost or given up.
    Lost {
        /// The stream.
        stream: StreamId,
        /// Its number.
        conn: ConnId,
        /// Why.
        failure: Failure,
    },
    /// A resume was proved.
    Proved {
        /// The stream.
        stream: StreamId,
        /// By what.
        proof: Proof,
    },
    /// The vendor refused a position, or began later than asked.
    Stale {
        /// The stream.
        stream: StreamId,
        /// A few words.
        what: Label,
    },
    /// A ledger row was opened.
    GapOpened {
        /// The stream.
        stream: StreamId,
        /// The row.
        gap: GapId,
        /// Why.
        cause: GapCause,
    },
    /// A ledger row was closed.
    GapClosed {
        /// The stream.
        stream: StreamId,
        /// The row.
        gap: GapId,
        /// How.
        outcome: GapOutcome,
    },
    /// A snapshot was published.
    Installed {
        /// The stream.
        stream: StreamId,
        /// The bracket.
        snapshot: SnapshotId,
        /// Rows received.
        rows: u64,
        /// Rows that differed from what was held.
        changed: u64,
        /// Keys that were deleted by it.
        deleted: u64,
        /// Its position.
        tag: Option<Position>,
        /// What proved the overlap.
        witness: Witness,
    },
    /// A snapshot was refused (stale, torn, empty).
    SnapshotRefused {
        /// The stream.
        stream: StreamId,
        /// Why.
        why: Label,
    },
    /// Events that were already held were dropped.
    Duplicates {
        /// The stream.
        stream: StreamId,
        /// How many since the last report.
        count: u64,
    },
    /// The vendor is not asked yet, because the source's budget has no room for it (or the vendor
    /// said when to come again).
    OverBudget {
        /// The stream.
        stream: StreamId,
        /// Which budget.
        allowance: Allowance,
        /// Until when.
        until: Millis,
        /// That is so many milliseconds from now.
        wait_ms: u64,
    },
    /// Frames of another subscription were dropped.
    Foreign {
        /// The stream.
        stream: StreamId,
        /// How many since the last report.
        count: u64,
    },
    /// Frames came of which the connector knows nothing.
    Unknown {
        /// The stream.
        stream: StreamId,
        /// How many things in them, since the last report.
        count: u64,
    },
    /// The vendor has begun to speak otherwise: too many of the last frames were not understood.
    /// Told again while it goes on.
    SchemaChanged {
        /// The stream.
        stream: StreamId,
        /// Frames with something in them that was not understood.
        strange: u32,
        /// Of so many.
        frames: u32,
    },
    /// The vendor's frames are understood again.
    SchemaKnown {
        /// The stream.
        stream: StreamId,
    },
    /// Something a person should know of.
    Alarm {
        /// The stream.
        stream: StreamId,
        /// What.
        what: Label,
    },
}

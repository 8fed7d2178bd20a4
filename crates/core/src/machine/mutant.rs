//! Guards that can be taken out on purpose, in the proof build only: a check that no mutant fails
//! is no check.

/// Declares the mutants, each with the rule that its guard belongs to and the guard's name.
macro_rules! mutants {
    ($($(#[doc = $doc:literal])+ $mutant:ident: $rule:literal, $guard:literal;)+) => {
        /// A guard taken out.
        #[cfg_attr(
            not(feature = "proof"),
            expect(unreachable_pub, reason = "exported in the proof build")
        )]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Mutant {
            $($(#[doc = $doc])+ $mutant,)+
        }

        #[cfg(feature = "proof")]
        impl Mutant {
            /// Every mutant.
            pub const ALL: &[Self] = &[$(Self::$mutant),+];

            /// As it is written in tables, and asked for by whoever chooses one at run time.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$mutant => stringify!($mutant),)+
                }
            }

            /// The rule that the guard belongs to.
            pub fn rule(self) -> &'static str {
                match self {
                    $(Self::$mutant => $rule,)+
                }
            }

            /// The guard that is taken out, in the words of the rules.
            pub fn guard(self) -> &'static str {
                match self {
                    $(Self::$mutant => $guard,)+
                }
            }

            /// The mutant of this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|mutant| mutant.name() == name)
            }
        }
    };
}

mutants! {
    /// Dedup compares with what is durable instead of what is seen: events whose unit is still on
    /// its way to the disk are taken twice.
    DedupAgainstDurable: "R1", "dedup against seen";
    /// A resume asks from what is seen: what a crash takes from the way to the disk is lost.
    ResumeFromSeen: "R2", "resume from durable";
    /// A resume is asked before the move over a hole is durable: a crash brings back what the
    /// ledger has given up.
    JumpUnawaited: "R2", "a move over a hole waits for the disk";
    /// A confirmation that begins later than asked is taken for a proof.
    ClampInAckBelieved: "R3", "clamp check";
    /// A vendor that refuses the positions it issues is asked with them for ever.
    RefusalsUncounted: "R3, R14", "two refusals → Overlap";
    /// A refusal outlives its outage: later outages give up what the vendor would have served.
    RefusalRemembered: "R3", "refusals are forgotten on entering Live";
    /// A vendor that accepts a position and brings nothing is asked with it for ever.
    MuteUncounted: "R3", "a mute after subscribing counts as a refusal";
    /// A vendor that accepts a position and closes is asked with it for ever.
    IdleClosesUncounted: "R3", "two idle closes count as a refusal";
    /// A resume is believed without a proof.
    UnprovenGoesLive: "R4", "unproven → reconcile";
    /// Nothing ends the wait for a proof: a vendor on which nothing happens is never Live.
    QuietVendorWaits: "R4", "exit for quiet vendors";
    /// The tag is the highest page's: events between the pages are taken for known.
    TagMaximum: "R5", "tag minimum";
    /// A snapshot is compared with what is durable: state travels back to what it showed before.
    TagAgainstDurable: "R5", "tag compared with seen";
    /// A snapshot older than what state shows is installed.
    StaleSnapshotAccepted: "R5", "stale snapshot refused";
    /// Every refused snapshot costs the socket, and with it what comes before the next one.
    SocketDroppedForRefetch: "R5", "socket kept across fetches";
    /// Pages of two epochs, two totals or two frozen snapshots are taken for one.
    TornPagesAccepted: "R5", "one epoch, one total over the pages";
    /// Any snapshot is taken to overlap the subscription.
    NoWitness: "R6", "witness";
    /// The position moves to a snapshot's tag with the first unit of its bracket.
    PositionBeforeEnd: "R7", "one install, at the bracket's end";
    /// An event that comes after a newer snapshot row writes state.
    LateEventTouchesState: "R7", "late events are history";
    /// A row of a snapshot overwrites what an event has written meanwhile.
    TouchedForgotten: "R7", "rows only for keys not touched";
    /// The row that late events fill still claims them as lost.
    LateRowKept: "R7, R9", "late events narrow the row";
    /// A snapshot of some keys deletes the others.
    DeletesOutsideScope: "R7", "no deletes outside the scope";
    /// A snapshot of some keys speaks of all: the tag, the ledger, the marks of staleness.
    KeyedSpeaksForAll: "R7", "rows only inside the coverage";
    /// A key that moved from one page to another while they were read is deleted.
    ShiftingPagesBelieved: "R7", "absent twice running where pages shift";
    /// A snapshot that lacks nearly everybody deletes nearly everybody.
    MassDeleteApplied: "R7", "mass deletes wait for a person";
    /// An answer without any row deletes everybody, where they are few.
    EmptyAnswerBelieved: "R7", "an empty answer waits for a person";
    /// Beside a complete stream without positions, a row from before the record of touched keys
    /// takes back what an event has told.
    OldRowBelieved: "R5, unpositioned", "rows are younger than the record of touched keys";
    /// A snapshot of pages of different moments is taken for one moment.
    NoConvergingMark: "R8", "converging mark, durable";
    /// A restart forgets that keys do not fit together yet.
    ConvergingForgotten: "R8", "converging mark, durable";
    /// On a quiet stream nothing ends the doubt whether keys fit together.
    QuietWhileConverging: "R8", "refetch while converging";
    /// A position is handed to the journal before the records that justify it.
    PositionAlone: "R9", "one batch";
    /// Rows of the ledger are handed to the journal behind the records that follow their hole.
    LedgerAfterRecords: "R9", "gap row in the same batch";
    /// A row claims the first event that came after the hole.
    RowTooLong: "R9", "exact ledger range";
    /// A row leaves out the last event of the hole.
    RowTooShort: "R9", "exact ledger range";
    /// What is missing between two late events is taken for had.
    LateHoleForgotten: "R9, poison", "what is missing among late events stays in a row";
    /// The row of a numbering that has ended, all that a crash inside the first snapshot of the
    /// next one leaves, gets a second one beside it: a late event narrows only one of them.
    EndedDoubtForgotten: "R9, R11, R16", "one interval of doubt has one row";
    /// A row begins when it is noticed, not when coverage ended.
    RowFromTheReturn: "R9", "wall clock in rows across epochs";
    /// An event beyond the next one is applied at once.
    HoleNotHeld: "R10", "a hole is held";
    /// A hole that two resumes have not filled is asked for a third time, and so on.
    HoleAskedForEver: "R10", "on a second hole without progress Overlap";
    /// Events that wait behind a hole are lost with their socket.
    HeldDropped: "R10", "what waits outlives its socket";
    /// Frames of another subscription are taken.
    ForeignFramesTaken: "R10", "only frames with our subscription id";
    /// Events of another epoch are applied.
    EpochFenceOpen: "R11", "epoch fence";
    /// What a socket brought of an epoch that could not be installed goes with it.
    StashDropped: "R11", "events of a coming epoch are kept";
    /// In an epoch that could not be installed yet the vendor is asked from now, again and again.
    StashUnasked: "R11, R3", "a coming epoch goes on behind what came of it";
    /// What earlier sockets brought of a coming epoch is put before what a subscription brings
    /// that begins somewhere else.
    StashJoinedUnproved: "R11, R4", "what is joined goes on without a hole";
    /// A head that the stream does not reach is nothing to worry about.
    MuteUnnoticed: "R12", "mute audit";
    /// Keys differ because events are under way, and that is taken for drift.
    DriftOfTouchedKeys: "R12", "drift from exact snapshots only";
    /// What differs once is drift.
    DriftAtFirstSight: "R12", "drift only twice";
    /// What a snapshot corrects on a complete stream leaves no trace: nobody learns of the loss.
    CorrectedInSilence: "R9, R12", "what is corrected without an event has a row";
    /// A resume counts as a comparison: the row of what is found behind it begins behind the loss.
    ResumeCompares: "R9, R12", "rows of drift begin at the last comparison";
    /// A second connection's events are applied while those of the first are under way.
    SpareNotHeld: "R13", "hand-over hold";
    /// The first connection is closed as soon as the second is confirmed.
    ClosedAtConfirmation: "R13", "hand-over hold";
    /// A second connection whose first died before the join is believed without a proof.
    PromotedUnproved: "R13", "hand-over → Overlap";
    /// A second connection that brings nothing of what the first brings takes over.
    HushTakesOver: "R13", "a mute second connection is left";
    /// A second connection takes over although the first was not heard since its confirmation.
    UnheardTakesOver: "R13", "quiet only if the first was heard";
    /// What the second connection brings again is taken again, where there are no positions.
    ExpectedForgotten: "R13, R1", "what both bring is one";
    /// A subscription from now on a vendor that does not name its numberings keeps the numbering.
    HiddenEpochKept: "R15", "hidden epoch → Overlap";
    /// A vendor that does not name its numberings is resumed without asking for the last event.
    CanaryUnasked: "R15", "canary";
    /// The last event comes back different, and the resume is believed.
    CanaryNotCompared: "R15", "canary";
    /// A restart forgets the keys: what was deleted meanwhile stays.
    KeysNotRebuilt: "R16", "keys rebuilt before the diff";
    /// No number is left out for what is missing from an opaque stream.
    HoleWithoutNumber: "R9, opaque", "a number is left out for a hole";
    /// A snapshot of an opaque stream is installed while events that precede its rows are on their
    /// way.
    LooseSnapshotAtOnce: "R5, opaque", "events under way come first";
    /// Of several events that share a position, a split frame's last is taken for the last.
    SplitFrameWhole: "R10, ties", "a split position is not whole";
    /// An event whose position is not whole yet is taken again when it comes again.
    AheadForgotten: "R1, ties", "identities above the position";
    /// Without positions, the same value of a key that comes twice running is two events.
    EchoTaken: "R1, unpositioned", "the key's last event is a repetition";
    /// A tombstone goes with the next step: an event from before it brings the key back.
    TombstoneAtOnce: "tombstones", "a tombstone outlasts what is under way";
    /// A tombstone goes while events of a second connection wait unread.
    TombstoneInHandover: "tombstones", "a hand-over forgets nothing";
    /// A tombstone goes before the stream has come to its position.
    TombstoneAbovePosition: "tombstones", "a tombstone outlasts the position before it";
    /// Tombstones stand for ever: keys that come and go make state grow.
    TombstoneKept: "tombstones", "tombstones are forgotten";
    /// What was last heard of a key is kept although the key is forgotten.
    EchoKept: "tombstones", "an echo goes with its key";
    /// Bytes that could not be understood leave no trace in the ledger.
    PoisonWithoutRow: "poison", "poison has a row where no hole shows";
    /// A frame that ends every socket is asked for again and again.
    UnreadForEver: "poison", "what cannot be read is left behind";
    /// A vendor that renames its fields looks like a quiet afternoon.
    SchemaChangeUnnoticed: "poison", "a strange schema is on the ledger";
    /// Only what a vendor that renames its fields has sent last is on the ledger.
    SchemaChangeFromTheAlarm: "poison", "a strange schema is on the ledger from its beginning";
    /// The row of an alarm takes in what waits to be asked for again.
    AlarmReleases: "poison", "an alarm waits for what comes again";
    /// The row of what comes garbled again takes in what waits behind it.
    DoubtReleases: "poison", "what is garbled again waits for what comes behind it";
    /// A subscription that leaves out a part of the keys is Live.
    PartialGoesLive: "partial", "a partial subscription is not Live";
    /// A 401 for an older token is held against the present one.
    OldTokenBlamed: "tokens", "the token's version counts";
    /// Silence never ends a socket.
    SilenceBelieved: "R12", "an idle socket is dead";
    /// A walk over the vendor's history is believed at once.
    HistoryAtFirstSight: "history", "two walks agree";
    /// A walk that is shorter than the vendor's total is believed.
    HistoryTotalIgnored: "history", "a walk is as long as its total";
    /// What the vendor's history says is over stays in state.
    EndUnheeded: "history", "what is over leaves state";
    /// What one walk calls over leaves state.
    EndAtFirstSight: "history", "two walks agree on what is over";
    /// What has come back since is taken out of state, too.
    EndOfTheRevived: "history", "what was heard of since is not over";
    /// A fact of the vendor's history writes state.
    HistoryTouchesState: "history", "facts are never state";
    /// The vendor is asked as often as the machine likes.
    BudgetIgnored: "budget", "every way to the vendor is paid";
    /// Nobody waits as long as the vendor asked.
    RetryAfterIgnored: "budget", "Retry-After closes a bucket";
    /// An audit spends what recovery will need.
    AuditSpendsAll: "budget", "an audit leaves half of the burst";
    /// A paused stream is asked for all the same.
    PausedAsksOn: "directives", "nothing is asked for a paused stream";
}

//! How often each fault may happen in one history.

/// What vendor, network and process may still do. Events count too: a world is small because
/// everything in it is finite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Events.
    pub emits: u8,
    /// How many of them may be deletions.
    pub deletes: u8,
    /// The vendor forgets its history.
    pub purges: u8,
    /// The vendor's numbering begins again.
    pub resets: u8,
    /// A socket breaks.
    pub breaks: u8,
    /// The process dies; any number of units on their way to the disk survive.
    pub crashes: u8,
    /// A second process starts while the first one, which does not know, goes on.
    pub rivals: u8,
    /// A page from a cache: as old as is declared.
    pub stale_pages: u8,
    /// A page request fails.
    pub page_failures: u8,
    /// A handshake is refused, or a position although it is served.
    pub refusals: u8,
    /// A subscription is confirmed, and closed at once.
    pub idle_closes: u8,
    /// A subscription is forgotten by the vendor while the socket stays.
    pub mutes: u8,
    /// A planned close is announced.
    pub closings: u8,
    /// A frame comes twice.
    pub duplicates: u8,
    /// A heartbeat that names the head.
    pub beats: u8,
    /// An event comes as bytes that nobody can read.
    pub poisons: u8,
    /// An event does not come, on a socket that stays up.
    pub drops: u8,
    /// A person asks for a fresh look at all keys.
    pub resyncs: u8,
}

impl Budget {
    /// Nothing happens.
    pub const NONE: Self = Self {
        emits: 0,
        deletes: 0,
        purges: 0,
        resets: 0,
        breaks: 0,
        crashes: 0,
        rivals: 0,
        stale_pages: 0,
        page_failures: 0,
        refusals: 0,
        idle_closes: 0,
        mutes: 0,
        closings: 0,
        duplicates: 0,
        beats: 0,
        poisons: 0,
        drops: 0,
        resyncs: 0,
    };
}

//! What can happen to a connection.

/// A direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// How a connection breaks. What is on its way is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// Both ends are reset (RST).
    Reset,
    /// Both ends are closed in good order (FIN).
    Finish,
    /// Nothing passes any more, neither way; both ends stay open.
    Silence,
    /// Nothing passes one way any more; the other way goes on, both ends stay open.
    Mute(Way),
}

/// When it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// At once.
    Now,
    /// When so many more bytes have gone this way, not one more and not one less.
    After {
        /// Which bytes are counted.
        way: Way,
        /// How many still pass; 0: the next one does not.
        bytes: u64,
    },
    /// In the middle of the next bytes that go this way: a part of them passes, the rest does not.
    /// Where they are cut is chosen by the seed.
    Within {
        /// Which bytes are cut.
        way: Way,
    },
}

/// A break and its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// How it breaks.
    pub how: Break,
    /// When it breaks.
    pub moment: Moment,
}

impl Fault {
    /// It breaks at once.
    pub fn now(how: Break) -> Self {
        Self { how, moment: Moment::Now }
    }

    /// It breaks when so many more bytes have gone one way.
    pub fn after(way: Way, bytes: u64, how: Break) -> Self {
        Self { how, moment: Moment::After { way, bytes } }
    }

    /// It breaks in the middle of the next bytes that go one way.
    pub fn within(way: Way, how: Break) -> Self {
        Self { how, moment: Moment::Within { way } }
    }
}

/// Which of the open connections a fault is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whom {
    /// All of them.
    All,
    /// Those whose first bytes from the client are the route's mark.
    Marked,
}

//! Where a dialect subscription begins.

use super::sequence::Meaning;

/// Which offsets a log has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bounds {
    /// The oldest that is kept.
    pub(crate) oldest: u64,
    /// The one that the next record will get.
    pub(crate) next: u64,
}

/// Where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    /// With the record at this offset: what was asked for, exactly.
    At(u64),
    /// With what is current of every agent, then the records after it.
    State(Why),
}

/// Why a position cannot be gone on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// It is the vendor's own, from before the client came here.
    VendorNumber,
    /// It is older than what is kept.
    Expired,
    /// It lies in the future, or is another log's.
    Ahead,
    /// The client names another numbering than this log's.
    OtherNumbering,
}

impl Why {
    /// The word for it in what is told to a client.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::VendorNumber => "vendor_sequence",
            Self::Expired => "stale_sequence",
            Self::Ahead => "unknown_sequence",
            Self::OtherNumbering => "other_epoch",
        }
    }
}

/// What a client asks to begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// After a number that means this.
    After(Meaning),
    /// After a number of a numbering that is not ours.
    Elsewhere,
    /// It names none; where it was when it went, if it is known and not long ago.
    Nothing(Option<u64>),
}

/// The rule. Nobody is refused: who cannot go on from where it was is shown what is current.
pub(crate) fn beginning(asked: Asked, bounds: Bounds) -> Beginning {
    let (next, is_number) = match asked {
        Asked::Elsewhere => return Beginning::State(Why::OtherNumbering),
        Asked::Nothing(None) => return Beginning::At(bounds.next),
        Asked::Nothing(Some(next)) => (next, false),
        Asked::After(Meaning::Next(next)) => (next, true),
        Asked::After(Meaning::Vendor) => return Beginning::State(Why::VendorNumber),
        Asked::After(Meaning::Foreign) => return Beginning::State(Why::Ahead),
    };
    if next > bounds.next {
        // A place that we remember for a client cannot lie ahead, unless the log was cut.
        return if is_number { Beginning::State(Why::Ahead) } else { Beginning::At(bounds.next) };
    }
    if next < bounds.oldest { Beginning::State(Why::Expired) } else { Beginning::At(next) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { oldest: 100, next: 200 };

    fn after(offset: u64) -> Beginning {
        beginning(Asked::After(Meaning::Next(offset + 1)), BOUNDS)
    }

    #[test]
    fn a_number_inside_retention_is_honoured_exactly() {
        assert_eq!(after(99), Beginning::At(100));
        assert_eq!(after(150), Beginning::At(151));
        assert_eq!(after(199), Beginning::At(200));
    }

    #[test]
    fn one_outside_is_answered_from_state() {
        assert_eq!(after(98), Beginning::State(Why::Expired));
        assert_eq!(after(200), Beginning::State(Why::Ahead));
        let of = |meaning| beginning(Asked::After(meaning), BOUNDS);
        assert_eq!(of(Meaning::Vendor), Beginning::State(Why::VendorNumber));
        assert_eq!(of(Meaning::Foreign), Beginning::State(Why::Ahead));
        assert_eq!(beginning(Asked::Elsewhere, BOUNDS), Beginning::State(Why::OtherNumbering));
    }

    #[test]
    fn who_names_none_goes_on_where_it_was_or_begins_now() {
        let nothing = |place| beginning(Asked::Nothing(place), BOUNDS);
        assert_eq!(nothing(None), Beginning::At(200));
        assert_eq!(nothing(Some(180)), Beginning::At(180));
        assert_eq!(nothing(Some(200)), Beginning::At(200));
        assert_eq!(nothing(Some(201)), Beginning::At(200));
        assert_eq!(nothing(Some(50)), Beginning::State(Why::Expired));
    }
}

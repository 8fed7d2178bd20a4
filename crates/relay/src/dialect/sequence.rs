//! The numbers that a dialect client sees in place of the vendor's.
//!
//! A number is 2^52, plus a mark of the log in ten bits, plus an offset in 42: it fits into a
//! double (JavaScript's numbers are exact up to 2^53), grows with every record, and cannot be
//! mistaken for the vendor's own: no vendor has sent 4.5 · 10^15 events. A number below 2^52 is one
//! that a client kept from before. The mark tells our own logs apart: a log that was cut back by a
//! repair, or made anew, uses offsets again that a client may remember, and most name no `epoch`.

use unbroken_core::record::digest;

/// Below it are the vendor's.
const OURS: u64 = 1 << 52;

/// Offsets of one log: 4.4 · 10^12, at a thousand records a second for 139 years.
const OFFSETS: u64 = 1 << 42;

/// Of 1,024 logs, as a rule, one has the mark of another.
const MARKS: u128 = 1 << 10;

/// The numbers of one log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Numbers {
    base: u64,
}

/// Whose a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// Of the vendor, from before the client came here.
    Vendor,
    /// Of another log of ours.
    Foreign,
    /// Of this one: its owner reads on from this offset.
    Next(u64),
}

impl Numbers {
    /// Of a log, by its id.
    pub(crate) fn of(journal: &str) -> Self {
        let mark = u64::try_from(digest(journal.as_bytes()) % MARKS).unwrap_or(0);
        Self { base: OURS + mark * OFFSETS }
    }

    /// The number of the record at an offset.
    pub(crate) fn of_offset(self, offset: u64) -> u64 {
        self.base.saturating_add(offset)
    }

    /// The number of who has everything below an offset: that of the record before it.
    pub(crate) fn of_reader(self, next: u64) -> u64 {
        self.base.saturating_add(next).saturating_sub(1)
    }

    /// Whose a number is that a client names.
    pub(crate) fn read(self, number: u64) -> Meaning {
        // Who has nothing of a log that has nothing names the number before its first one.
        match number.saturating_add(1).checked_sub(self.base) {
            Some(next) if next <= OFFSETS => Meaning::Next(next),
            Some(_) => Meaning::Foreign,
            None if number < OURS => Meaning::Vendor,
            None => Meaning::Foreign,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_record_reads_on_behind_it() {
        for numbers in ["a", "b", "c"].map(Numbers::of) {
            for offset in [0, 1, 4_711, OFFSETS - 1] {
                let next = Meaning::Next(offset + 1);
                assert_eq!(numbers.read(numbers.of_offset(offset)), next);
                assert_eq!(numbers.read(numbers.of_reader(offset + 1)), next);
            }
            assert_eq!(numbers.read(numbers.of_reader(0)), Meaning::Next(0));
        }
    }

    #[test]
    fn a_vendor_s_own_number_is_none_of_ours() {
        for number in [0, 1, 4_711, OURS - 2] {
            assert_eq!(Numbers::of("a").read(number), Meaning::Vendor);
        }
    }

    #[test]
    fn the_number_of_another_log_is_known_for_one() {
        let (old, new) = (Numbers::of("a"), Numbers::of("b"));
        for offset in [0, 4_711, OFFSETS - 1] {
            assert_eq!(new.read(old.of_offset(offset)), Meaning::Foreign);
            assert_eq!(old.read(new.of_offset(offset)), Meaning::Foreign);
        }
    }

    #[test]
    fn every_number_is_exact_as_a_double() {
        let last = OURS + (OFFSETS * (MARKS as u64)) - 1;
        for number in [OURS, OURS + 1, last - 1, last] {
            assert!(number < 1 << 53);
            assert_eq!(number as f64 as u64, number);
        }
    }
}

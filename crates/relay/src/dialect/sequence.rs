//! The numbers that a dialect client sees in place of the vendor's.
//!
//! A number is 2^52 plus an offset of the log, so that it fits into a double (JavaScript's numbers
//! are exact up to 2^53), grows with every record, and cannot be mistaken for the vendor's own: no
//! vendor has sent 4.5 · 10^15 events. A number below 2^52 is one that a client kept from before.

/// The number of the record at offset 0.
pub(crate) const BASE: u64 = 1 << 52;

/// The number of the record at an offset.
pub(crate) fn of_offset(offset: u64) -> u64 {
    BASE.saturating_add(offset)
}

/// The number of who has everything below an offset: that of the record before it. Below [`BASE`]
/// where there is none, which is answered from state, and rightly.
pub(crate) fn of_reader(next: u64) -> u64 {
    BASE.saturating_add(next).saturating_sub(1)
}

/// The offset after a number, from which its owner reads on; `None`: a number of the vendor's.
pub(crate) fn next_of(sequence: u64) -> Option<u64> {
    sequence.checked_sub(BASE).map(|offset| offset.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_record_reads_on_behind_it() {
        for offset in [0, 1, 4_711, (1 << 52) - 1] {
            assert_eq!(next_of(of_offset(offset)), Some(offset + 1));
            assert_eq!(next_of(of_reader(offset + 1)), Some(offset + 1));
        }
    }

    #[test]
    fn a_vendor_s_own_number_is_none_of_ours() {
        for number in [0, 1, 4_711, BASE - 1] {
            assert_eq!(next_of(number), None);
        }
        assert_eq!(next_of(of_reader(0)), None);
    }

    #[test]
    fn every_number_is_exact_as_a_double() {
        for offset in [0, 1, 2, (1 << 52) - 1] {
            let number = of_offset(offset);
            assert_eq!(number as f64 as u64, number);
            assert_ne!(number as f64, (number + 1) as f64);
        }
    }
}

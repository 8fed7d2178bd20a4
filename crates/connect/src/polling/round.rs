//! The pages of one answer: whether they fit together.

use std::collections::BTreeSet;

use unbroken_core::bookmark::Bookmark;

use crate::generic::Turn;

/// The pages so far.
#[derive(Debug, Default)]
pub(crate) struct Round {
    pages: u64,
    rows: u64,
    place: Option<Bookmark>,
    total: Option<u64>,
    keys: BTreeSet<String>,
    shifted: bool,
}

impl Round {
    /// A page has come.
    pub(crate) fn add(&mut self, turn: &Turn) {
        if self.pages == 0 {
            self.place.clone_from(&turn.place);
            self.total = turn.total;
        }
        self.pages += 1;
        self.rows += turn.keys.len() as u64;
        self.shifted |= turn.total != self.total;
        for key in &turn.keys {
            self.shifted |= !self.keys.insert(key.clone());
        }
    }

    /// Rows so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether nothing can have fallen between two pages. Rows move while pages are read: one that
    /// changes meanwhile moves others over the border, where no page shows them. It then comes
    /// twice, or the number of all rows changes, or is not reached.
    pub(crate) fn fits(&self) -> bool {
        let one = self.pages < 2;
        let whole = self.total.is_none_or(|total| total == self.rows);
        !self.shifted && whole || one && self.total.is_none_or(|total| total <= self.rows)
    }

    /// The place behind it: the first page's, since what changes while pages are read is told by
    /// the next answer, and again at worst.
    pub(crate) fn place(&self) -> Option<Bookmark> {
        self.place.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(pages: &[(&[&str], Option<u64>)]) -> Round {
        let mut round = Round::default();
        for (at, (keys, total)) in (1_u8..).zip(pages) {
            let keys = keys.iter().map(|key| (*key).to_owned()).collect();
            let place = Bookmark::new(&[at]);
            round.add(&Turn { place, keys, total: *total, next: None });
        }
        round
    }

    #[test]
    fn pages_fit_when_every_row_of_the_total_came_once() {
        assert!(round(&[]).fits());
        assert!(round(&[(&["a", "b"], None)]).fits());
        assert!(round(&[(&["a", "b"], Some(3)), (&["c"], Some(3))]).fits());
    }

    #[test]
    fn rows_that_moved_over_a_border_are_noticed() {
        let twice = round(&[(&["a", "b"], Some(4)), (&["d", "a"], Some(4))]);
        assert!(!twice.fits(), "a moved to the end, and c over the border");
        let more = round(&[(&["a", "b"], Some(3)), (&["c"], Some(4))]);
        assert!(!more.fits());
        let fewer = round(&[(&["a", "b"], Some(4)), (&["c"], Some(4))]);
        assert!(!fewer.fits());
        assert!(!round(&[(&["a", "b"], Some(3))]).fits(), "one row is missing");
    }

    #[test]
    fn the_first_page_s_place_counts() {
        let round = round(&[(&["a"], None), (&["b"], None)]);
        assert_eq!(round.place(), Bookmark::new(&[1]));
    }
}

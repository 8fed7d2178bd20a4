//! How far the store is behind the log, for how long, and whether it can be fed at all.

use unbroken_core::time::UnixMicros;

/// What the store holds is told as state for so long without a word that it is old. It is fed four
/// times a second; a busy disk, a sync or an hour's backlog after a burst takes seconds, and what
/// takes longer is a store that cannot be written or does not keep up.
const BEHIND_MAX_US: i64 = 10_000_000;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StoreNote {
    /// It holds every record below this offset.
    pub(super) offset: u64,
    /// How often feeding it has failed.
    pub(super) failures: u64,
    /// Since when it is not fed.
    failed_at: Option<UnixMicros>,
    /// Where the log ended when the store had not got so far, and when that was. One such mark is
    /// enough: with the next one the age of what is missing is known to the time between two.
    behind: Option<(u64, UnixMicros)>,
}

impl StoreNote {
    /// The log ends here at this moment.
    pub(super) fn look(&mut self, log_end: u64, now: UnixMicros) {
        if self.behind.is_none_or(|(end, _)| self.offset >= end) {
            self.behind = (self.offset < log_end).then_some((log_end, now));
        }
    }

    /// Feeding it has failed; it will be tried again.
    pub(super) fn fail(&mut self, now: UnixMicros) {
        self.failures += 1;
        self.failed_at.get_or_insert(now);
    }

    /// It is fed.
    pub(super) fn recover(&mut self) {
        self.failed_at = None;
    }

    /// Since when what it holds is old, if it is, and why.
    pub(super) fn doubt(&self, now: UnixMicros) -> Option<(UnixMicros, &'static str)> {
        let missing_since = self.behind.map(|(_, at)| at);
        let since = [self.failed_at, missing_since].into_iter().flatten().min()?;
        let why = match self.failed_at {
            Some(_) => "it cannot be written",
            None => "it does not keep up",
        };
        let is_old = now.0.saturating_sub(since.0) > BEHIND_MAX_US;
        is_old.then_some((since, why))
    }
}

#[cfg(test)]
mod tests {
    use unbroken_core::time::UnixMicros;

    use super::{BEHIND_MAX_US, StoreNote};

    fn since(note: &StoreNote, now: i64) -> Option<(i64, &'static str)> {
        note.doubt(UnixMicros(now)).map(|(since, why)| (since.0, why))
    }

    #[test]
    fn a_record_that_the_store_lacks_for_too_long_is_told() {
        let mut note = StoreNote::default();
        note.look(0, UnixMicros(1));
        assert_eq!(since(&note, 2 * BEHIND_MAX_US), None, "there is nothing to hold");
        note.look(10, UnixMicros(5));
        note.look(20, UnixMicros(9));
        assert_eq!(since(&note, 5 + BEHIND_MAX_US), None);
        let too_long = 6 + BEHIND_MAX_US;
        assert_eq!(since(&note, too_long), Some((5, "it does not keep up")));
        note.offset = 10;
        note.look(20, UnixMicros(too_long));
        assert_eq!(since(&note, too_long), None, "what it lacks now has just come");
        note.offset = 20;
        note.look(20, UnixMicros(too_long));
        assert_eq!(since(&note, 3 * BEHIND_MAX_US), None);
    }

    #[test]
    fn a_store_that_cannot_be_written_is_told_even_while_nothing_comes() {
        let mut note = StoreNote::default();
        note.fail(UnixMicros(5));
        note.fail(UnixMicros(BEHIND_MAX_US));
        assert_eq!(since(&note, 5 + BEHIND_MAX_US), None);
        assert_eq!(since(&note, 6 + BEHIND_MAX_US), Some((5, "it cannot be written")));
        note.recover();
        assert_eq!((since(&note, 6 + BEHIND_MAX_US), note.failures), (None, 2));
    }
}

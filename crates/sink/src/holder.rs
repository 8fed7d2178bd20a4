//! Which instance of a sink this is, to its target.

use std::hash::{BuildHasher, RandomState};

use crate::{Fence, SinkError};

/// The lower bits of a fence say whose it is; the others count. Both fit into what JSON and SQL
/// have for numbers, for 8 billion openings.
const NAME_BITS: u32 = 20;

/// An instance, by a name that it has drawn, and the fence that it had last. By a number alone it
/// could not tell, after its connection was lost, whether a higher fence is another instance's or
/// one of its own of which it did not hear: it would take the sink back from whoever was started
/// after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    name: u64,
    last: u64,
}

impl Holder {
    /// Has not had the sink yet: it may take it from anybody.
    pub(crate) fn new() -> Self {
        let drawn = RandomState::new().hash_one("instance");
        Self { name: drawn % (1 << NAME_BITS), last: 0 }
    }

    /// Whether it has had the sink.
    pub(crate) fn has_had_it(self) -> bool {
        self.last > 0
    }

    /// It has opened the sink.
    pub(crate) fn has(&mut self, fence: Fence) {
        self.last = fence.0;
    }

    /// Its next fence, where the target holds this one.
    ///
    /// A lower one than its last is that of a target which was put back, or of a text that somebody
    /// wrote there: no fence is given twice.
    ///
    /// # Errors
    /// Another instance has taken the sink since this one had it.
    pub(crate) fn above(self, held: u64) -> Result<Fence, SinkError> {
        let is_own = held % (1 << NAME_BITS) == self.name;
        if self.has_had_it() && held > self.last && !is_own {
            return Err(SinkError::Fenced);
        }
        let count = held.max(self.last) >> NAME_BITS;
        Ok(Fence(((count + 1) << NAME_BITS) | self.name))
    }
}

#[cfg(test)]
mod tests {
    use super::Holder;
    use crate::{Fence, SinkError};

    fn named(name: u64) -> Holder {
        Holder { name, last: 0 }
    }

    #[test]
    fn a_later_instance_keeps_the_sink_and_an_answer_that_was_lost_costs_nothing() {
        let (mut older, mut newer) = (named(7), named(8));
        let first = older.above(0).expect("it is free");
        older.has(first);
        // Raised, and the answer was lost.
        let unheard = older.above(first.0).expect("its own");
        let second = older.above(unheard.0).expect("its own");
        assert!(first < unheard && unheard < second);
        older.has(second);
        let taken = newer.above(second.0).expect("it may take it");
        newer.has(taken);
        assert!(taken > second);
        assert!(matches!(older.above(taken.0), Err(SinkError::Fenced)));
        // Put back to before the newer one, and to before both.
        for held in [second, Fence(0)] {
            assert!(newer.above(held.0).expect("nobody else's") > taken);
        }
    }
}

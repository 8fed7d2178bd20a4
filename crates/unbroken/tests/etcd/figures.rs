//! What there is to say of a log when the truth is known.

use std::collections::BTreeMap;

use crate::writer::Change;

/// See the module. All of it but `covered` must be nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Changes that are not in the log, and a row says so.
    pub(crate) covered: usize,
    /// Changes that are not in the log, and no row says so.
    pub(crate) lost: usize,
    /// Changes that are in the log more than once.
    pub(crate) doubled: usize,
    /// Events of the log that nobody made, or not so.
    pub(crate) invented: usize,
    /// Events of the log that a row says are missing.
    pub(crate) overclaimed: usize,
    /// Events that are followed by one of a lower revision.
    pub(crate) out_of_order: usize,
    /// One example of what is wrong.
    pub(crate) first_wrong: Option<String>,
}

/// A change of one key as it was made, and each of its events.
type Sides<'a> = (Option<&'a Change>, Vec<&'a Change>);

impl Figures {
    /// What was made, what the log has, and for which revisions a row says that events are missing.
    pub(crate) fn of(changes: &[Change], events: &[Change], covers: impl Fn(u64) -> bool) -> Self {
        let mut balance: BTreeMap<(u64, &str), Sides<'_>> = BTreeMap::new();
        for change in changes {
            balance.entry((change.revision, &change.key)).or_default().0 = Some(change);
        }
        for event in events {
            balance.entry((event.revision, &event.key)).or_default().1.push(event);
        }
        let mut figures = Self::default();
        for ((revision, _), (made, found)) in balance {
            let is_covered = covers(revision);
            let wrong = match (made, &found[..]) {
                (Some(_), []) if is_covered => {
                    figures.covered += 1;
                    continue;
                }
                (Some(_), []) => &mut figures.lost,
                (Some(made), [found, ..]) if made != *found => &mut figures.invented,
                (None, _) => &mut figures.invented,
                (Some(_), [_, _, ..]) => &mut figures.doubled,
                (Some(_), [_]) if is_covered => &mut figures.overclaimed,
                (Some(_), [_]) => continue,
            };
            *wrong += 1;
            figures.first_wrong.get_or_insert_with(|| format!("made {made:?}, found {found:?}"));
        }
        let pairs = events.windows(2);
        figures.out_of_order = pairs.filter(|pair| pair[0].revision > pair[1].revision).count();
        figures
    }
}

/// The judge itself: each thing that can be wrong with a log is seen.
#[test]
fn what_is_wrong_with_a_log_is_seen() {
    let change = |revision: u64, key: &str| {
        let value = Some(revision.to_be_bytes().to_vec());
        Change { revision, key: key.to_owned(), value }
    };
    let made = [change(1, "a"), change(2, "a"), change(2, "b"), change(3, "a"), change(4, "b")];
    let judged = |events: &[Change], covered: &[u64]| {
        let figures = Figures::of(&made, events, |revision| covered.contains(&revision));
        let Figures { covered, lost, doubled, invented, overclaimed, out_of_order, .. } = figures;
        [covered, lost, doubled, invented, overclaimed, out_of_order]
    };
    assert_eq!(judged(&made, &[]), [0, 0, 0, 0, 0, 0]);
    let some = [&made[..1], &made[3..]].concat();
    assert_eq!(judged(&some, &[2]), [2, 0, 0, 0, 0, 0]);
    assert_eq!(judged(&some, &[]), [0, 2, 0, 0, 0, 0]);
    assert_eq!(judged(&some, &[2, 3]), [2, 0, 0, 0, 1, 0], "a row may not be wider than the hole");
    assert_eq!(
        judged(&made[..4], &[2]),
        [0, 1, 0, 0, 2, 0],
        "one in the wrong place hides nothing"
    );
    let again = [&made[..2], &made[1..]].concat();
    assert_eq!(judged(&again, &[]), [0, 0, 1, 0, 0, 0]);
    let mut swapped = made.to_vec();
    swapped.swap(0, 3);
    assert_eq!(judged(&swapped, &[]), [0, 0, 0, 0, 0, 2]);
    let more = [&made[..], &[change(5, "a")]].concat();
    assert_eq!(judged(&more, &[]), [0, 0, 0, 1, 0, 0]);
    let mut other = made.to_vec();
    other[4].value = None;
    assert_eq!(judged(&other, &[]), [0, 0, 0, 1, 0, 0]);
}

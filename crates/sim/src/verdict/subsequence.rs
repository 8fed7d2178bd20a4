//! The longest common subsequence of what the vendor sent and what the client holds, for one key.

use std::collections::HashMap;
use std::hash::Hash;

/// An element: what it is, and when. A held one cannot be the same as one that was sent later.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<T> {
    pub(super) value: T,
    pub(super) at_us: i64,
}

/// Clocks that are read in two places may disagree by so much.
pub(super) const SKEW_US: i64 = 50_000;

/// Whether what is held may be what was sent.
pub(super) fn may_be<T: PartialEq>(sent: &Element<T>, held: &Element<T>, skew_us: i64) -> bool {
    sent.value == held.value && held.at_us + skew_us >= sent.at_us
}

/// Pairs (index into `sent`, index into `held`) of a longest common subsequence, rising in both. Of
/// several that are as long, the one that pairs what is held with what was sent last before it:
/// where the same comes again, what is missing is what nobody could have received. Clocks are
/// allowed to disagree only where without that something that is held was never sent.
pub(super) fn longest_common<T: Copy + Eq + Hash>(
    sent: &[Element<T>],
    held: &[Element<T>],
) -> Vec<(usize, usize)> {
    let strict = longest_within(sent, held, 0);
    if strict.len() == held.len() {
        return strict;
    }
    let lenient = longest_within(sent, held, SKEW_US);
    if lenient.len() > strict.len() { lenient } else { strict }
}

/// Equal ends are paired off first. Before them the elements that may be the same are few, as
/// bodies hardly repeat, so the pairs are searched for a longest rising chain (Hunt and Szymanski,
/// 1977), backwards, since of equal chains that search finds the one with the first places.
fn longest_within<T: Copy + Eq + Hash>(
    sent: &[Element<T>],
    held: &[Element<T>],
    skew_us: i64,
) -> Vec<(usize, usize)> {
    let back = sent
        .iter()
        .rev()
        .zip(held.iter().rev())
        .take_while(|(sent, held)| may_be(sent, held, skew_us))
        .count();
    let (sent_rest, held_rest) = (sent.len() - back, held.len() - back);
    let backwards = |side: &[Element<T>]| side.iter().rev().copied().collect::<Vec<_>>();
    let chain =
        rising_chain(&backwards(&sent[..sent_rest]), &backwards(&held[..held_rest]), skew_us);
    let mirrored = |(at, held_at): (usize, usize)| (sent_rest - 1 - at, held_rest - 1 - held_at);
    let mut pairs: Vec<_> = chain.into_iter().rev().map(mirrored).collect();
    pairs.extend((0..back).map(|at| (sent_rest + at, held_rest + at)));
    pairs
}

fn rising_chain<T: Copy + Eq + Hash>(
    sent: &[Element<T>],
    held: &[Element<T>],
    skew_us: i64,
) -> Vec<(usize, usize)> {
    let mut places: HashMap<T, Vec<usize>> = HashMap::new();
    for (at, element) in sent.iter().enumerate() {
        places.entry(element.value).or_default().push(at);
    }
    // `links` are (pair, the link before it); `ends[n]` is the link that ends the best chain of
    // n + 1 pairs: the one whose place in `sent` is lowest.
    let mut links: Vec<((usize, usize), Option<usize>)> = Vec::new();
    let mut ends: Vec<usize> = Vec::new();
    for (held_at, element) in held.iter().enumerate() {
        // Falling, so that one held element cannot follow itself in a chain.
        for sent_at in places.get(&element.value).into_iter().flatten().rev() {
            if !may_be(&sent[*sent_at], element, skew_us) {
                continue;
            }
            let length = ends.partition_point(|link| links[*link].0.0 < *sent_at);
            let before = length.checked_sub(1).map(|last| ends[last]);
            links.push(((*sent_at, held_at), before));
            match ends.get_mut(length) {
                Some(end) => *end = links.len() - 1,
                None => ends.push(links.len() - 1),
            }
        }
    }
    let mut chain = Vec::with_capacity(ends.len());
    let mut next = ends.last().copied();
    while let Some(link) = next {
        chain.push(links[link].0);
        next = links[link].1;
    }
    chain.reverse();
    chain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(values: &str, at_us: i64) -> Vec<Element<char>> {
        values.chars().map(|value| Element { value, at_us }).collect()
    }

    fn length(sent: &str, held: &str) -> usize {
        let pairs = longest_common(&at(sent, 0), &at(held, 0));
        assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
        assert!(pairs.iter().all(|(s, h)| sent.as_bytes()[*s] == held.as_bytes()[*h]));
        pairs.len()
    }

    /// The textbook table, to compare with.
    fn table_length(sent: &str, held: &str) -> usize {
        let (sent, held) = (sent.as_bytes(), held.as_bytes());
        let mut table = vec![vec![0; held.len() + 1]; sent.len() + 1];
        for s in 0..sent.len() {
            for h in 0..held.len() {
                table[s + 1][h + 1] = if sent[s] == held[h] {
                    table[s][h] + 1
                } else {
                    table[s][h + 1].max(table[s + 1][h])
                };
            }
        }
        table[sent.len()][held.len()]
    }

    #[test]
    fn it_is_as_long_as_the_textbook_says() {
        let mut rng = fastrand::Rng::with_seed(11);
        for _ in 0..2_000 {
            let mut text =
                |length| -> String { (0..length).map(|_| rng.char('a'..='d')).collect() };
            let (sent, held) = (text(12), text(9));
            assert_eq!(length(&sent, &held), table_length(&sent, &held), "{sent} {held}");
        }
    }

    #[test]
    fn of_equal_ones_the_last_before_it_is_the_one_that_is_held() {
        let seconds = |values: &str, at: &[i64]| -> Vec<Element<char>> {
            let at_us = at.iter().map(|at| at * 1_000_000);
            let values = values.chars().zip(at_us);
            values.map(|(value, at_us)| Element { value, at_us }).collect()
        };
        let sent = seconds("abababc", &[0, 1, 2, 3, 4, 5, 6]);
        let held = seconds("ababc", &[0, 1, 4, 5, 6]);
        let pairs = longest_common(&sent, &held);
        assert_eq!(pairs, [(0, 0), (1, 1), (4, 2), (5, 3), (6, 4)]);
        // The end is missing, and the begin of what is held again is a gap.
        let pairs = longest_common(&sent, &held[2..4]);
        assert_eq!(pairs, [(4, 0), (5, 1)]);
    }

    #[test]
    fn clocks_disagree_only_where_nothing_else_explains_what_is_held() {
        let mut sent = at("aba", 0);
        sent[2].at_us = 40_000;
        // Both could be the second a, by a clock that is 40 ms off.
        assert_eq!(longest_common(&sent[..], &at("a", 0)), [(0, 0)]);
        assert_eq!(longest_common(&sent[1..], &at("a", 0)), [(1, 0)]);
        sent[2].at_us = 60_000;
        assert_eq!(longest_common(&sent[1..], &at("a", 0)), []);
    }

    #[test]
    fn nothing_is_held_before_it_was_sent() {
        let mut sent = at("abab", 0);
        sent[2].at_us = 1_000_000;
        sent[3].at_us = 1_000_000;
        let pairs = longest_common(&sent, &at("ab", 500_000));
        assert_eq!(pairs, [(0, 0), (1, 1)]);
        let late = longest_common(&sent[2..], &at("ab", 500_000));
        assert_eq!(late, []);
    }
}

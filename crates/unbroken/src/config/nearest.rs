//! Finds the word that was meant.

use strsim::osa_distance;

/// The candidate nearest to `word`, if it is near enough to be a typing error: a third of its
/// letters may be wrong, swapped, missing or too many (at least two, so that short words have a
/// chance), or `word` is a piece of the candidate.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let budget = (word.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (cost(word, candidate, budget), candidate))
        .filter(|(cost, _)| *cost <= budget)
        .min()
        .map(|(_, candidate)| candidate)
}

fn cost(word: &str, candidate: &str, budget: usize) -> usize {
    let distance = osa_distance(&word.to_lowercase().replace('-', "_"), candidate);
    let piece = word.len() >= 4 && (candidate.contains(word) || word.contains(candidate));
    if piece { distance.min(budget) } else { distance }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const KEYS: [&str; 5] = ["data_dir", "journal", "log", "source", "retain_bytes_max"];

    #[test]
    fn a_typing_error_finds_the_word_that_was_meant() {
        assert_eq!(nearest("data_dri", KEYS), Some("data_dir"));
        assert_eq!(nearest("datadir", KEYS), Some("data_dir"));
        assert_eq!(nearest("data-dir", KEYS), Some("data_dir"));
        assert_eq!(nearest("sources", KEYS), Some("source"));
        assert_eq!(nearest("retain_bytes", KEYS), Some("retain_bytes_max"));
    }

    #[test]
    fn a_word_like_none_of_them_finds_nothing() {
        assert_eq!(nearest("password", KEYS), None);
        assert_eq!(nearest("x", ["journal"]), None);
    }
}

//! The key a person probably meant.

/// The candidate closest to `word`, if one is close enough to be worth naming (at most a third of
/// the word differs, at least 2 letters are always allowed).
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(2);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Reads a deserialiser's "unknown field `x`, expected one of `a`, `b`" (or "unknown variant") and
/// names the nearest right word. `None` for every other message.
pub fn nearest_key_hint(message: &str) -> Option<String> {
    let rest =
        message.split_once("unknown field ").or_else(|| message.split_once("unknown variant "))?.1;
    let line = rest.lines().next()?;
    let mut words = line.split('`').skip(1).step_by(2);
    let unknown = words.next()?;
    let candidates: Vec<&str> = words.collect();
    match nearest(unknown, candidates.iter().copied()) {
        Some(candidate) => Some(format!("did you mean `{candidate}`?")),
        None if candidates.is_empty() => None,
        None => Some(format!("right here are: {}", candidates.join(", "))),
    }
}

/// Levenshtein's distance in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (slot, to) in row.iter_mut().skip(1).zip(&b) {
            let cost = (diagonal + usize::from(from != *to)).min(left + 1).min(*slot + 1);
            diagonal = *slot;
            *slot = cost;
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn an_unknown_key_gets_the_nearest_right_one() {
        let message = "unknown field `positon`, expected one of `replay`, `position`, `floor`\n";
        assert_eq!(nearest_key_hint(message).unwrap(), "did you mean `position`?");
        assert_eq!(nearest_key_hint("missing field `x`"), None);
    }
}

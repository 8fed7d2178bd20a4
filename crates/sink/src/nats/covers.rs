//! Which subjects a stream takes.

/// Whether a pattern takes every subject below a prefix.
pub(super) fn covers(pattern: &str, prefix: &str) -> bool {
    let mut wanted = prefix.split('.');
    for token in pattern.split('.') {
        match (token, wanted.next()) {
            (">", _) => return true,
            ("*", Some(_)) => {}
            (token, Some(wanted)) if token == wanted => {}
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn what_is_below_a_prefix_is_covered_by_what_ends_in_everything() {
        for (pattern, is_so) in [
            ("a.b.>", true),
            ("a.>", true),
            (">", true),
            ("*.b.>", true),
            ("a.b", false),
            ("a.b.*", false),
            ("a.c.>", false),
            ("a.b.c.>", false),
            ("*", false),
        ] {
            assert_eq!(covers(pattern, "a.b"), is_so, "{pattern}");
        }
    }
}

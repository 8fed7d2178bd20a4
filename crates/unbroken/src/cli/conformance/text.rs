//! Text that came from outside, made fit for a page.

/// With the characters that mean something in HTML written out, and those that no page may have
/// left out.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn what_a_client_says_is_text_and_no_markup() {
        assert_eq!(escape("<b a=\"1\">&\x1b[0m"), "&lt;b a=&quot;1&quot;&gt;&amp;[0m");
        assert_eq!(escape("one\n\ttwo\r\0"), "one\n\ttwo");
    }
}

//! The `Link` header (RFC 8288), as far as paging needs it.

/// The target with the relation `next`.
pub(crate) fn next_target(value: &str) -> Option<&str> {
    let mut rest = value;
    loop {
        let (target, params) = rest.split_once('<')?.1.split_once('>')?;
        let end = end_of_params(params);
        let (params, behind) = params.split_at(end);
        if params.split(';').any(is_next) {
            return Some(target.trim());
        }
        rest = behind;
    }
}

/// Parameters end at a comma outside of quotes.
fn end_of_params(params: &str) -> usize {
    let mut quoted = false;
    for (at, c) in params.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => return at,
            _ => {}
        }
    }
    params.len()
}

/// Whether a parameter is `rel` with `next` among its (space-separated) values.
fn is_next(param: &str) -> bool {
    let Some((name, value)) = param.split_once('=') else { return false };
    let mut relations = value.trim().trim_matches('"').split_ascii_whitespace();
    name.trim().eq_ignore_ascii_case("rel") && relations.any(|r| r.eq_ignore_ascii_case("next"))
}

#[cfg(test)]
mod tests {
    use super::next_target;

    #[test]
    fn the_next_page_is_found_among_others() {
        for (value, expected) in [
            (r#"<https://a.example/p?page=2>; rel="next""#, Some("https://a.example/p?page=2")),
            (r#"</p?1>; rel="prev", </p?3>; rel="next last""#, Some("/p?3")),
            (r#"</p?a=<1,2>; title="a, b"; REL=next"#, Some("/p?a=<1,2")),
            (r#"</p>; rel="prev""#, None),
            (r#"</p>; title="rel=next""#, None),
            ("", None),
            ("next", None),
            ("<unclosed; rel=next", None),
        ] {
            assert_eq!(next_target(value), expected, "{value}");
        }
    }
}

//! The shape of a JSON text: names and kinds, never a value.

use std::fmt::Write;

use serde_json::value::RawValue;

use crate::generic::digest::Entries;

/// Below this depth a container is shown without what is in it.
const DEPTH_MAX: u32 = 8;

/// Members shown of one object, and letters shown of a name. What is longer is no name of a field.
const MEMBERS_MAX: usize = 64;
const NAME_CHARS_MAX: usize = 64;

/// Bytes of a whole shape.
const SHAPE_BYTES_MAX: usize = 8 * 1024;

/// The shape, itself a JSON text: `{"type":"text","list":["number"]}`. Of an array the first
/// element stands for all.
pub(crate) fn shape(text: &str) -> String {
    let mut out = String::new();
    push_shape(&mut out, text, 0);
    out
}

/// What kind of value a JSON text is.
pub(crate) fn kind(raw: &str) -> &'static str {
    match raw.trim_ascii_start().as_bytes().first() {
        Some(b'{') => "object",
        Some(b'[') => "array",
        Some(b'"') => "text",
        Some(b't' | b'f') => "boolean",
        Some(b'n') => "null",
        Some(b'-' | b'0'..=b'9') => "number",
        _ => "no JSON",
    }
}

fn push_shape(out: &mut String, raw: &str, depth: u32) {
    let full = depth == DEPTH_MAX || out.len() > SHAPE_BYTES_MAX;
    let raw = raw.trim_ascii();
    if !full
        && raw.starts_with('{')
        && let Ok(Entries(entries)) = serde_json::from_str(raw)
    {
        out.push('{');
        for (index, (name, value)) in entries.iter().take(MEMBERS_MAX).enumerate() {
            let name: String = name.chars().take(NAME_CHARS_MAX).collect();
            let comma = if index > 0 { "," } else { "" };
            // Writing to a String cannot fail.
            let _ = write!(out, "{comma}{}:", serde_json::Value::from(name));
            push_shape(out, value.get(), depth + 1);
        }
        out.push('}');
    } else if !full
        && raw.starts_with('[')
        && let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(raw)
    {
        out.push('[');
        if let Some(first) = items.first() {
            push_shape(out, first.get(), depth + 1);
        }
        out.push(']');
    } else {
        let kind = match serde_json::from_str::<serde::de::IgnoredAny>(raw) {
            Ok(_) => kind(raw),
            Err(_) => "no JSON",
        };
        let _ = write!(out, "\"{kind}\"");
    }
}

#[cfg(test)]
mod tests {
    use super::shape;

    #[test]
    fn names_and_kinds_are_shown_and_no_value() {
        for (text, expected) in [
            (
                r#"{"type":"hunter2","n":-1.5,"a":[{"x":true},{"y":1}],"e":[],"o":{},"z":null}"#,
                r#"{"type":"text","n":"number","a":[{"x":"boolean"}],"e":[],"o":{},"z":"null"}"#,
            ),
            ("\"hunter2\"", "\"text\""),
            ("hunter2", "\"no JSON\""),
            ("{\"a\":hunter2}", "\"no JSON\""),
            ("", "\"no JSON\""),
        ] {
            assert_eq!(shape(text), expected);
        }
    }

    #[test]
    fn a_shape_is_bounded() {
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(shape(&deep).ends_with("\"array\"]]]]]]]]"), "{}", shape(&deep));
        let wide: Vec<String> = (0..10_000).map(|n| format!("\"{n:0>200}\":1")).collect();
        assert!(shape(&format!("{{{}}}", wide.join(","))).len() < 16 * 1024);
    }
}

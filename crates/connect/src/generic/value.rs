//! Scalars of the vendor's, read from their JSON text.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use unbroken_core::bookmark::Bookmark;
use unbroken_core::ids::{Key, Label};
use unbroken_core::time::UnixMicros;

use crate::generic::profile::{Encoding, PositionFormat, Scalar, TimeFormat};

/// A JSON text's content, or a number's or boolean's own text. `None` for null, arrays, objects.
pub(crate) fn text(raw: &str) -> Option<Cow<'_, str>> {
    if let Some(inner) = raw.strip_prefix('"') {
        let inner = inner.strip_suffix('"')?;
        if inner.contains('\\') {
            return serde_json::from_str::<String>(raw).ok().map(Cow::Owned);
        }
        return Some(Cow::Borrowed(inner));
    }
    (!raw.starts_with(['n', '[', '{'])).then_some(Cow::Borrowed(raw))
}

/// A whole number, exactly, from a number or a decimal text.
pub(crate) fn number(raw: &str) -> Option<u64> {
    let text = text(raw)?;
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A position, exactly. `Err` says what is there instead, in words that show none of it.
pub(crate) fn position(raw: Option<&str>, format: PositionFormat) -> Result<u64, &'static str> {
    let raw = raw.ok_or("nothing")?;
    let is_text = raw.starts_with('"');
    let Some(text) = text(raw) else {
        return Err(match raw.as_bytes().first() {
            Some(b'[') => "an array",
            Some(b'{') => "an object",
            _ => "null",
        });
    };
    if text.is_empty() {
        return Err("an empty text");
    }
    let (digits, radix) = match format {
        PositionFormat::Decimal => (text.as_ref(), 10),
        PositionFormat::Hex if !is_text => return Err("a number, not a hexadecimal text"),
        PositionFormat::Hex => {
            let bare = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
            (bare.unwrap_or(text.as_ref()), 16)
        }
    };
    if !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)) {
        return u64::from_str_radix(digits, radix).map_err(|_| "a number beyond 64 bits");
    }
    Err(wrong_position(raw, &text))
}

/// What a scalar that is no position is.
fn wrong_position(raw: &str, text: &str) -> &'static str {
    match raw {
        "true" | "false" => return "a boolean",
        _ => {}
    }
    let below = text.strip_prefix('-');
    let digits = below.unwrap_or(text);
    let numeric = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    match (numeric, below) {
        (true, Some(_)) => "a negative number",
        (true, None) => "a number with a fraction or an exponent",
        (false, _) => "a text that is no number",
    }
}

/// An opaque position: the content of a text, or a number's own text.
pub(crate) fn bookmark(raw: &str) -> Option<Bookmark> {
    Bookmark::new(text(raw)?.as_bytes())
}

/// A duration in milliseconds from a number of units of `unit_ms`, fractions allowed.
pub(crate) fn duration_ms(raw: &str, unit_ms: u32) -> Option<u64> {
    let units: f64 = text(raw)?.parse().ok()?;
    // Only a finite number that is not negative is a duration; the cast saturates.
    (units.is_finite() && units >= 0.0).then(|| (units * f64::from(unit_ms)).round() as u64)
}

/// A label; `None` for null, arrays and objects.
pub(crate) fn label(raw: &str) -> Option<Label> {
    text(raw).map(|text| Label::new(text.as_ref()))
}

/// Whether a value that is there is this one (or, without one, is not null).
pub(crate) fn holds(raw: Option<&str>, equals: Option<&Scalar>) -> bool {
    match (raw, equals) {
        (None, _) => false,
        (Some(raw), None) => raw != "null",
        (Some(raw), Some(scalar)) => text(raw).is_some_and(|text| text == scalar.0.as_str()),
    }
}

/// A key. An empty text names nobody: all that had one would be one key.
pub(crate) fn key(raw: &str, encoding: Encoding) -> Option<Key> {
    let text = text(raw).filter(|text| !text.is_empty())?;
    match encoding {
        Encoding::Json => Some(Key::new(text.as_ref())),
        Encoding::Base64 => {
            let bytes = STANDARD.decode(text.as_bytes()).ok()?;
            Some(match String::from_utf8(bytes) {
                Ok(key) => Key::new(key),
                Err(_) => Key::new(format!("base64:{text}")),
            })
        }
    }
}

/// A payload: the vendor's bytes inside `whole`, or what its base64 text says.
pub(crate) fn payload(whole: &Bytes, raw: &str, encoding: Encoding) -> Option<Bytes> {
    match encoding {
        Encoding::Json => Some(whole.slice_ref(raw.as_bytes())),
        Encoding::Base64 => {
            let text = text(raw)?;
            STANDARD.decode(text.as_bytes()).ok().map(Bytes::from)
        }
    }
}

/// A time. One that cannot be read is no reason to lose an event: `None`.
pub(crate) fn time(raw: &str, format: TimeFormat) -> Option<UnixMicros> {
    let text = text(raw)?;
    let scale = match format {
        TimeFormat::Rfc3339 => {
            let at: jiff::Timestamp = text.parse().ok()?;
            return Some(UnixMicros(at.as_microsecond()));
        }
        TimeFormat::UnixS => 1_000_000,
        TimeFormat::UnixMs => 1_000,
        TimeFormat::UnixUs => 1,
    };
    text.parse::<i64>().ok()?.checked_mul(scale).map(UnixMicros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_to_64_bits() {
        for (raw, expected) in [
            ("18446744073709551615", Some(u64::MAX)),
            ("\"9007199254740993\"", Some(9_007_199_254_740_993)),
            ("18446744073709551616", None),
            ("1.0", None),
            ("1e3", None),
            ("-1", None),
            ("\"+1\"", None),
            ("\"\"", None),
            ("null", None),
            ("[1]", None),
        ] {
            assert_eq!(number(raw), expected, "{raw}");
        }
    }

    #[test]
    fn positions_are_exact_or_refused_and_say_what_is_there() {
        let decimal = |raw| position(Some(raw), PositionFormat::Decimal);
        for (raw, expected) in [
            ("0", Ok(0)),
            ("9007199254740993", Ok(9_007_199_254_740_993)),
            ("\"18446744073709551615\"", Ok(u64::MAX)),
            ("\"007\"", Ok(7)),
            ("18446744073709551616", Err("a number beyond 64 bits")),
            ("-1", Err("a negative number")),
            ("\"-9223372036854775808\"", Err("a negative number")),
            ("12.0", Err("a number with a fraction or an exponent")),
            ("1e3", Err("a number with a fraction or an exponent")),
            ("\"9.007199254740993e15\"", Err("a number with a fraction or an exponent")),
            ("\"\"", Err("an empty text")),
            ("\"+1\"", Err("a text that is no number")),
            ("\" 1\"", Err("a text that is no number")),
            ("\"1f\"", Err("a text that is no number")),
            ("\"\u{0661}\"", Err("a text that is no number")),
            ("true", Err("a boolean")),
            ("null", Err("null")),
            ("[1]", Err("an array")),
            ("{}", Err("an object")),
        ] {
            assert_eq!(decimal(raw), expected, "{raw}");
        }
        assert_eq!(position(None, PositionFormat::Decimal), Err("nothing"));
    }

    #[test]
    fn hexadecimal_positions_have_a_prefix_or_none() {
        for (raw, expected) in [
            ("\"ff\"", Ok(255)),
            ("\"0xFF\"", Ok(255)),
            ("\"00000000000000ff\"", Ok(255)),
            ("\"0xffffffffffffffff\"", Ok(u64::MAX)),
            ("\"10000000000000000\"", Err("a number beyond 64 bits")),
            ("\"0x\"", Err("a text that is no number")),
            ("\"xyz\"", Err("a text that is no number")),
            ("16", Err("a number, not a hexadecimal text")),
        ] {
            assert_eq!(position(Some(raw), PositionFormat::Hex), expected, "{raw}");
        }
    }

    #[test]
    fn durations_may_have_fractions() {
        for (raw, expected) in
            [("0.5", Some(500)), ("\"2\"", Some(2_000)), ("-1", None), ("\"inf\"", None)]
        {
            assert_eq!(duration_ms(raw, 1_000), expected, "{raw}");
        }
    }

    #[test]
    fn texts_are_unescaped_only_where_needed() {
        assert_eq!(text(r#""a\u0062c""#).unwrap(), "abc");
        assert!(matches!(text("\"abc\"").unwrap(), Cow::Borrowed("abc")));
        assert_eq!(text("true").unwrap(), "true");
        assert_eq!(text("null"), None);
    }

    #[test]
    fn keys_that_are_no_text_keep_their_base64_form() {
        assert_eq!(key("\"YS9i\"", Encoding::Base64).unwrap().as_str(), "a/b");
        assert_eq!(key("\"/w==\"", Encoding::Base64).unwrap().as_str(), "base64:/w==");
        assert_eq!(key("\"/w\"", Encoding::Base64), None);
    }

    #[test]
    fn an_empty_text_is_nobody_s_key() {
        assert_eq!(key("\"\"", Encoding::Json), None);
        assert_eq!(key("\"\"", Encoding::Base64), None);
    }

    #[test]
    fn times_are_read_in_every_format_and_never_guessed() {
        let expected = Some(UnixMicros(1_700_000_000_250_000));
        for (raw, format) in [
            ("\"2023-11-14T22:13:20.25Z\"", TimeFormat::Rfc3339),
            ("\"2023-11-14T23:13:20.250+01:00\"", TimeFormat::Rfc3339),
            ("1700000000250", TimeFormat::UnixMs),
            ("\"1700000000250000\"", TimeFormat::UnixUs),
        ] {
            assert_eq!(time(raw, format), expected, "{raw}");
        }
        assert_eq!(time("\"yesterday\"", TimeFormat::Rfc3339), None);
        assert_eq!(time("9223372036854775807", TimeFormat::UnixS), None);
    }
}

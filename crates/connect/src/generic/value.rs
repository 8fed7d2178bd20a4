//! Scalars of the vendor's, read from their JSON text.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use unbroken_core::bookmark::Bookmark;
use unbroken_core::ids::{Key, Label};
use unbroken_core::time::UnixMicros;

use crate::generic::profile::{Encoding, Scalar, TimeFormat};

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

/// A key.
pub(crate) fn key(raw: &str, encoding: Encoding) -> Option<Key> {
    let text = text(raw)?;
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

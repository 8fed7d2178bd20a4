//! `Retry-After`, in both of its forms.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Longest wait that is believed: a vendor that says "next year" is asked again tomorrow.
const WAIT_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// The wait in milliseconds from `now`; `None` if the value is neither seconds nor an HTTP date. A
/// date in the past is no wait.
pub fn retry_after_ms(value: &str, now: Timestamp) -> Option<u64> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(seconds.saturating_mul(1_000).min(WAIT_MS_MAX));
    }
    let at = PARSER.parse_timestamp(value).ok()?;
    let wait = at.as_millisecond().saturating_sub(now.as_millisecond());
    Some(u64::try_from(wait).unwrap_or(0).min(WAIT_MS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood() {
        let now: Timestamp = "2026-11-06T08:49:00Z".parse().unwrap();
        for (value, expected) in [
            ("120", Some(120_000)),
            (" 0 ", Some(0)),
            ("Fri, 06 Nov 2026 08:49:37 GMT", Some(37_000)),
            ("Fri, 06 Nov 2026 08:48:37 GMT", Some(0)),
            ("99999999999999999999999", Some(WAIT_MS_MAX)),
            ("1.5", None),
            ("soon", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(retry_after_ms(value, now), expected, "{value:?}");
        }
    }
}

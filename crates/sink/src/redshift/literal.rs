//! Values as text in a statement. The protocol's parameters are not used: their types are looked up
//! in catalogues that Redshift does not have as PostgreSQL does.

use std::str::FromStr;

use unbroken_core::time::UnixMicros;

/// The years that a column of times is given: what lies outside is no time of an event.
const YEARS: std::ops::RangeInclusive<i16> = 1..=9999;

/// A text. A backslash is an escape in some sessions and none in others: it is written as neither.
pub(super) fn text(text: &str) -> String {
    let parts = text.split('\\').map(|part| format!("'{}'", part.replace('\'', "''")));
    let parts: Vec<String> = parts.collect();
    match parts.as_slice() {
        [part] => part.clone(),
        parts => format!("({})", parts.join(" || CHR(92) || ")),
    }
}

/// A value, or nothing.
pub(super) fn or_null<T>(value: Option<T>, literal: impl FnOnce(T) -> String) -> String {
    value.map_or_else(|| "NULL".to_owned(), literal)
}

/// A time, exactly; `None`: no column has a place for it.
pub(super) fn instant(at: UnixMicros) -> Option<String> {
    let at = jiff::Timestamp::from_microsecond(at.0).ok()?;
    let at = jiff::tz::TimeZone::UTC.to_datetime(at);
    YEARS.contains(&at.year()).then(|| {
        let (date, micros) = (at.date(), at.subsec_nanosecond() / 1_000);
        let [hour, minute, second] = [at.hour(), at.minute(), at.second()];
        format!("{date} {hour:02}:{minute:02}:{second:02}.{micros:06}+00")
    })
}

/// The same as a literal. For what has no place there stands the nearest that has one.
pub(super) fn time(at: UnixMicros) -> String {
    format!("CAST('{}' AS timestamptz)", nearest(at))
}

/// What is written here is read again, in a calendar that ends 26 hours before the year 9999 does.
fn nearest(at: UnixMicros) -> String {
    let nearest = if at.0 < 0 { "0001-01-01 00:00:00" } else { "9999-12-30 22:00:00" };
    instant(at).unwrap_or_else(|| format!("{nearest}.000000+00"))
}

/// As the server writes it where its time zone is UTC.
pub(super) fn parsed_time(text: &str) -> Option<UnixMicros> {
    let text = text.strip_suffix("+00")?.replace(' ', "T");
    let at = jiff::Timestamp::from_str(&format!("{text}Z")).ok()?;
    Some(UnixMicros(at.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use unbroken_core::time::UnixMicros;

    use super::{instant, nearest, parsed_time, text};

    #[test]
    fn a_text_is_the_same_whatever_a_backslash_means() {
        assert_eq!(text("it's"), "'it''s'");
        assert_eq!(text(r"a\b"), "('a' || CHR(92) || 'b')");
        assert_eq!(text(r"\' OR 1"), "('' || CHR(92) || ''' OR 1')");
    }

    #[test]
    fn times_are_exact_and_those_of_a_calendar() {
        for (micros, told) in [
            (0, "1970-01-01 00:00:00.000000+00"),
            (-1, "1969-12-31 23:59:59.999999+00"),
            (1_795_478_399_000_070, "2026-11-23 23:59:59.000070+00"),
        ] {
            let at = UnixMicros(micros);
            assert_eq!(instant(at).as_deref(), Some(told));
            assert_eq!(parsed_time(told), Some(at));
        }
        assert_eq!(
            parsed_time("2026-11-23 23:59:59.5+00"),
            Some(UnixMicros(1_795_478_399_500_000))
        );
        for outside in [i64::MIN, i64::MAX, -62_200_000_000_000_000] {
            assert_eq!(instant(UnixMicros(outside)), None);
            let read = parsed_time(&nearest(UnixMicros(outside))).expect("it can be read again");
            assert_eq!(read.0 < 0, outside < 0);
            assert_eq!(parsed_time(&nearest(read)), Some(read));
        }
    }
}

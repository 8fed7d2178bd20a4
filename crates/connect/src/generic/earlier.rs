//! A place that is a time, moved back: for vendors that show a change later than its time says.

use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use unbroken_core::bookmark::Bookmark;

/// When the time of most vendors begins.
const YEAR_1970: DateTime = DateTime::constant(1970, 1, 1, 0, 0, 0, 0);

/// The place so much earlier, written as the vendor wrote it; `None`: it is no time. A time without
/// a zone stays one. Nothing is moved to before 1970: many a vendor knows no such time, and from
/// there on it tells all that it has.
pub(crate) fn earlier(place: &Bookmark, by_ms: u64) -> Option<Bookmark> {
    if by_ms == 0 {
        return Some(place.clone());
    }
    let text = std::str::from_utf8(place.as_bytes()).ok()?;
    let by = SignedDuration::from_millis(i64::try_from(by_ms).ok()?);
    let digits = fraction_digits(text);
    let moved = if let Ok(at) = text.parse::<Timestamp>() {
        let at = at.checked_sub(by).ok()?.max(at.min(Timestamp::UNIX_EPOCH));
        format!("{at:.digits$}")
    } else {
        let at: DateTime = text.parse().ok()?;
        let at = at.checked_sub(by).ok()?.max(at.min(YEAR_1970));
        format!("{at:.digits$}")
    };
    Bookmark::new(moved.as_bytes())
}

/// How many digits the seconds' fraction has.
fn fraction_digits(text: &str) -> usize {
    let fraction = text.split_once('.').map_or("", |(_, fraction)| fraction);
    fraction.bytes().take_while(u8::is_ascii_digit).count().min(9)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(text: &str, by_ms: u64) -> Option<String> {
        let place = earlier(&Bookmark::new(text.as_bytes()).unwrap(), by_ms)?;
        Some(String::from_utf8(place.as_bytes().to_vec()).unwrap())
    }

    #[test]
    fn a_time_is_moved_back_and_written_as_it_was() {
        for (text, expected) in [
            ("2026-11-25T10:00:05.250Z", "2026-11-25T10:00:00.250Z"),
            ("2026-11-25T10:00:05Z", "2026-11-25T10:00:00Z"),
            ("2026-01-01T00:00:02.0000001Z", "2025-12-31T23:59:57.0000001Z"),
            ("2026-11-25T12:00:05+02:00", "2026-11-25T10:00:00Z"),
            ("2026-11-25T10:00:05.250", "2026-11-25T10:00:00.250"),
            ("2026-11-25T10:00:05", "2026-11-25T10:00:00"),
            ("1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00.000Z"),
            ("1970-01-01T00:00:03", "1970-01-01T00:00:00"),
            ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(moved(text, 5_000).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_asked_from_as_it_is_or_not_at_all() {
        assert_eq!(moved("cursor-7", 0).as_deref(), Some("cursor-7"));
        assert_eq!(moved("cursor-7", 1), None);
        assert_eq!(moved("1764064805250", 1), None, "nobody says in which unit");
        assert_eq!(moved("2026-11-25T10:00:05Z", u64::MAX), None);
    }
}

//! Wall time that never steps back, and its text form.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The wall clock of the moment of its making, carried on by the monotonic clock: a ledger whose
/// times could step back would judge nothing.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pace: Pace,
    origin_us: i64,
}

/// What moves it.
#[derive(Clone, Debug)]
enum Pace {
    Time(Instant),
    /// Microseconds since the clock was made, as somebody says.
    Hand(Arc<AtomicU64>),
}

impl Clock {
    pub(crate) fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let origin_us = i64::try_from(since.as_micros()).unwrap_or(0);
        Self { pace: Pace::Time(Instant::now()), origin_us }
    }

    /// A clock that stands until its hand is moved: microseconds since it was made.
    pub(crate) fn by_hand(origin_us: i64) -> (Self, Arc<AtomicU64>) {
        let hand = Arc::new(AtomicU64::new(0));
        (Self { pace: Pace::Hand(Arc::clone(&hand)), origin_us }, hand)
    }

    /// Microseconds since 1970.
    pub(crate) fn wall_us(&self) -> i64 {
        let elapsed = match &self.pace {
            Pace::Time(origin) => i64::try_from(origin.elapsed().as_micros()),
            Pace::Hand(hand) => i64::try_from(hand.load(Ordering::Relaxed)),
        };
        self.origin_us.saturating_add(elapsed.unwrap_or(i64::MAX))
    }

    /// Milliseconds since the clock was made.
    pub(crate) fn now_ms(&self) -> u64 {
        match &self.pace {
            Pace::Time(origin) => u64::try_from(origin.elapsed().as_millis()).unwrap_or(u64::MAX),
            Pace::Hand(hand) => hand.load(Ordering::Relaxed) / 1_000,
        }
    }
}

/// Writes `2026-11-24T06:37:21.123456Z`.
pub(crate) fn iso_micros(wall_us: i64, out: &mut String) {
    let seconds = wall_us.div_euclid(1_000_000);
    let micros = wall_us.rem_euclid(1_000_000);
    let (year, month, day) = civil_date(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    // Writing to a String cannot fail.
    let _ =
        write!(out, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z");
}

/// Writes `Tue, 24 Nov 2026 06:37:21 GMT`.
pub(crate) fn http_date(wall_us: i64, out: &mut String) {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = wall_us.div_euclid(1_000_000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil_date(days);
    // 1 January 1970 was a Thursday.
    let name = DAYS.iter().cycle().nth(days.rem_euclid(7) as usize).unwrap_or(&"Thu");
    let month = MONTHS.iter().cycle().nth(month as usize + 11).unwrap_or(&"Jan");
    let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
    let _ = write!(out, "{name}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT");
}

/// The date of a day counted from 1970-01-01, by the proleptic Gregorian calendar: years are taken
/// to begin on 1 March, so that the leap day is the last of its year.
fn civil_date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn iso(wall_us: i64) -> String {
        let mut text = String::new();
        iso_micros(wall_us, &mut text);
        text
    }

    #[test]
    fn dates_of_headers_name_their_day() {
        let date = |wall_us| {
            let mut text = String::new();
            http_date(wall_us, &mut text);
            text
        };
        assert_eq!(date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(date(784_111_777_000_000), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(date(1_735_689_599_000_000), "Tue, 31 Dec 2024 23:59:59 GMT");
    }

    #[test]
    fn times_are_written_by_the_calendar() {
        assert_eq!(iso(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(iso(951_782_400_000_001), "2000-02-29T00:00:00.000001Z");
        assert_eq!(iso(1_700_000_000_123_456), "2023-11-14T22:13:20.123456Z");
        assert_eq!(iso(1_735_689_599_999_999), "2024-12-31T23:59:59.999999Z");
    }
}

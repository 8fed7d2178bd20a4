//! Times as this vendor writes them, whole milliseconds, and intervals as it reads them.

use crate::world::iso_micros;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// `2026-11-24T06:37:21.123Z`.
pub(super) fn iso(wall_us: i64) -> String {
    let mut text = String::with_capacity(28);
    iso_micros(wall_us, &mut text);
    // The last three digits go, the Z stays.
    text.truncate(text.len().saturating_sub(4));
    text.push('Z');
    text
}

/// The moment as it can be read back from [`iso`].
pub(super) fn whole_ms(wall_us: i64) -> i64 {
    wall_us.div_euclid(1_000) * 1_000
}

/// `<iso>/<iso>` as microseconds since 1970; `None` if it is none, or runs backwards.
pub(super) fn interval(text: &str) -> Option<(i64, i64)> {
    let (from, to) = text.split_once('/')?;
    let (from, to) = (moment(from)?, moment(to)?);
    (from < to).then_some((from, to))
}

/// A moment: `2026-11-24T06:37:21.123Z`, with any number of decimals or none, or with an offset.
pub(super) fn moment(text: &str) -> Option<i64> {
    let (date, rest) = text.trim().split_once('T')?;
    let zone_at = rest.find(['Z', '+', '-'])?;
    let (time, zone) = rest.split_at(zone_at);
    let mut parts = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(1..=9_999).contains(&year) {
        return None;
    }
    let (clock, decimals) = time.split_once('.').unwrap_or((time, ""));
    let of_day_s = seconds(clock)?;
    let micros: i64 = format!("{decimals:0<6}").get(..6)?.parse().ok()?;
    let offset_s = match zone.split_at_checked(1)? {
        ("Z", "") => 0,
        ("+", offset) => seconds(offset)?,
        ("-", offset) => -seconds(offset)?,
        _ => return None,
    };
    let days = days_from_civil(year, month, day);
    Some(days * DAY_US + (of_day_s - offset_s) * 1_000_000 + micros)
}

/// `06:37:21` or `06:37` as seconds.
fn seconds(clock: &str) -> Option<i64> {
    let mut parts = clock.splitn(3, ':').map(str::parse::<i64>);
    let (hour, minute) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let second = parts.next().transpose().ok()?.unwrap_or(0);
    let is_one = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..61).contains(&second);
    is_one.then_some((hour * 60 + minute) * 60 + second)
}

/// Days since 1970-01-01 by the proleptic Gregorian calendar; years begin on 1 March.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_to_the_millisecond() {
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..1_000 {
            let at_us = rng.i64(0..4_000_000_000_000_000);
            assert_eq!(moment(&iso(at_us)), Some(whole_ms(at_us)), "{at_us}");
        }
    }

    #[test]
    fn intervals_have_two_moments_in_order() {
        assert_eq!(
            interval("2026-11-24T06:37:21.123Z/2026-11-24T08:37:21+02:00"),
            None,
            "the second is the earlier one"
        );
        let whole = interval("2026-11-24T00:00Z/2026-11-25T00:00:00Z").unwrap();
        assert_eq!(whole.1 - whole.0, DAY_US);
        for text in ["", "x/y", "2026-11-24T06:37:21Z", "2026-13-01T00:00Z/2027-01-01T00:00Z"] {
            assert_eq!(interval(text), None, "{text}");
        }
    }
}

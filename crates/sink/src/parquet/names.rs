//! Names of files.

use unbroken_core::time::UnixMicros;

use crate::{Batch, Phase};

/// The part of a name that is the same for all files of a batch.
pub(super) fn stem(log: u32, batch: &Batch) -> String {
    let range = |from: u64, to: u64| format!("log{log:04}-{from:020}-{:020}", to.max(from + 1) - 1);
    let next = batch.next.next_offset;
    match (batch.lapse, batch.base) {
        (Some(lapse), _) => format!("{}-lapse", range(lapse.from_offset, lapse.to_offset)),
        (None, Some(base)) => match base.phase {
            Phase::Image { until } => {
                format!("{}-state-{until}", range(base.next_offset, next))
            }
            Phase::Log => range(base.next_offset, next),
        },
        (None, None) => range(next, next),
    }
}

/// A file of a day, in UTC.
pub(super) fn file(day: &str, stem: &str) -> String {
    format!("{day}/{stem}.parquet")
}

/// `day=2026-11-27`. A time outside of every calendar has a day of its own.
pub(super) fn day(at: UnixMicros) -> String {
    let days = at.0.div_euclid(86_400_000_000);
    let date = unbroken_render::wall(UnixMicros(days.saturating_mul(86_400_000_000)));
    let day = date.split_once('T').map_or("unknown", |(day, _)| day);
    format!("day={day}")
}

/// Of which log a file is, and behind which offset its range ends; `None`: it is not a file of the
/// log's own records.
pub(super) fn range_of(name: &str) -> Option<(u32, u64)> {
    let rest = name.strip_prefix("log")?.strip_suffix(".parquet")?;
    let mut parts = rest.split('-');
    let log = parts.next()?.parse().ok()?;
    let _first: u64 = parts.next()?.parse().ok()?;
    let last: u64 = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((log, last.saturating_add(1)))
}

#[cfg(test)]
mod tests {
    use unbroken_core::time::UnixMicros;

    use super::{day, range_of};

    #[test]
    fn days_are_those_of_utc() {
        assert_eq!(day(UnixMicros(0)), "day=1970-01-01");
        assert_eq!(day(UnixMicros(-1)), "day=1969-12-31");
        assert_eq!(day(UnixMicros(1_795_478_399_999_999)), "day=2026-11-23");
        assert_eq!(day(UnixMicros(i64::MAX)), "day=unknown");
    }

    #[test]
    fn a_name_says_what_is_in_the_file() {
        let name = "log0003-00000000000000000007-00000000000000000009.parquet";
        assert_eq!(range_of(name), Some((3, 10)));
        for other in ["log0003-7-9-state-20.parquet", "x.parquet", "log1-2.parquet", "log1-2-3"] {
            assert_eq!(range_of(other), None, "{other}");
        }
    }
}

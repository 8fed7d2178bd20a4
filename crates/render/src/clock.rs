//! The wall clock, as people and programs read it.

use unbroken_core::time::UnixMicros;

/// `2026-11-24T06:37:31.204Z`: UTC, to the millisecond.
pub fn wall(at: UnixMicros) -> String {
    jiff::Timestamp::from_microsecond(at.0)
        .map_or_else(|_| format!("{at} µs"), |t| format!("{t:.3}"))
}

/// The wall clock's present.
pub fn wall_now() -> UnixMicros {
    UnixMicros(jiff::Timestamp::now().as_microsecond())
}

#[cfg(test)]
mod tests {
    use unbroken_core::time::UnixMicros;

    use super::wall;

    #[test]
    fn a_time_is_told_in_utc_to_the_millisecond() {
        assert_eq!(wall(UnixMicros(0)), "1970-01-01T00:00:00.000Z");
    }
}

//! Values as PostgreSQL takes them.

use std::error::Error;

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use unbroken_core::time::UnixMicros;

/// PostgreSQL counts from 2000-01-01T00:00:00Z, in microseconds: so much later.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// What PostgreSQL's calendar has: from 4714-11-24 BC to the end of 294276, so counted.
const CALENDAR: [i64; 2] = [-211_813_488_000_000_000, 9_223_371_331_199_999_999];

/// A time of the ledger or of a stream: what lies outside of PostgreSQL's calendar is the nearest
/// one that does not. A vendor's one event must not stop what is told of others.
pub(super) fn nearest(at: UnixMicros) -> Time {
    let [first, last] = CALENDAR.map(|edge| edge.saturating_add(EPOCH_MICROS));
    Time(UnixMicros(at.0.clamp(first, last)))
}

/// A time. What lies outside of PostgreSQL's calendar is refused by the server.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) UnixMicros);

impl ToSql for Time {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64(self.0.0.saturating_sub(EPOCH_MICROS));
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

/// JSON, as it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Json<'a>(pub(super) &'a str);

impl ToSql for Json<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::JSON
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Binary
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use unbroken_core::time::UnixMicros;

    use super::{CALENDAR, EPOCH_MICROS, nearest};

    #[test]
    fn what_lies_outside_of_the_calendar_is_its_nearest_end() {
        let counted = |micros| nearest(UnixMicros(micros)).0.0.saturating_sub(EPOCH_MICROS);
        assert_eq!(counted(i64::MIN), CALENDAR[0]);
        // The end of the calendar is beyond what is counted from 1970.
        assert_eq!(nearest(UnixMicros(i64::MAX)).0.0, i64::MAX);
        assert!(counted(i64::MAX) <= CALENDAR[1]);
        assert_eq!(nearest(UnixMicros(7)).0.0, 7);
    }
}

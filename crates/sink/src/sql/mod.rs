//! What sinks share whose target is asked in SQL: what a batch adds up to there, and the way to a
//! server that speaks the protocol of PostgreSQL.

mod link;
mod plan;
mod stream;
mod tls;
mod url;

use std::ops::Range;

use unbroken_core::position::Position;
use unbroken_core::record::{Body, Effect, Record};

pub use self::link::AskPassword;
pub(crate) use self::link::{Connected, Link};
pub(crate) use self::plan::{Fate, GapLine, Plan, Row, Step};
pub(crate) use self::stream::{Stream, Streams};
pub use self::url::{InvalidUrl, postgres_server};

use crate::{Batch, Checkpoint, Phase};

/// Another log, or this one from an earlier place: what is named by offset from here on is not what
/// was named so before.
pub(crate) fn begins_anew(batch: &Batch) -> bool {
    batch.base.is_none_or(|base| {
        base.journal != batch.next.journal || batch.next.needed_from() < base.needed_from()
    })
}

/// Which of the log is given again, as somebody has set the checkpoint back to before the end of
/// what is there.
pub(crate) fn given_again(batch: &Batch, rows_end: u64) -> Option<Range<u64>> {
    let in_log = |it: &Checkpoint| it.phase == Phase::Log;
    let base = batch.base.filter(|base| in_log(base) && base.next_offset < rows_end)?;
    in_log(&batch.next).then_some(base.next_offset..batch.next.next_offset)
}

/// Whether it says what the present value of its key is.
pub(crate) fn is_state(record: &Record) -> bool {
    match &record.body {
        Body::Change(change) => change.effect == Effect::State,
        _ => record.body.key().is_some(),
    }
}

/// The vendor's numbers, without loss: above 2^63 - 1 they are negative.
pub(crate) fn signed(number: u64) -> i64 {
    number as i64
}

/// A position in its two columns.
pub(crate) fn split(position: Option<Position>) -> (Option<i64>, Option<i64>) {
    let columns = position.map(|at| (i64::from(at.epoch.0), signed(at.sequence)));
    (columns.map(|(epoch, _)| epoch), columns.map(|(_, sequence)| sequence))
}

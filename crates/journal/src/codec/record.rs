//! A sequence of records and marks as bytes: the contents of a batch.

use bytes::Bytes;
use unbroken_core::ids::{Label, StreamId};
use unbroken_core::record::{Append, Mark, Record};
use unbroken_core::time::UnixMicros;

use crate::codec::take::{Malformed, Take};
use crate::codec::words::{WordsIn, WordsOut};
use crate::codec::{body, put};

/// How many records and marks were encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Encoded {
    /// Records.
    pub records: u32,
    /// Marks: of several of one stream and epoch only the highest.
    pub marks: u32,
}

/// Appends the records of all units to `out`, then their marks. Of a stream and epoch only the
/// highest mark is kept: marks never go back, and after all records the highest says everything.
pub fn encode_records(out: &mut Vec<u8>, appends: &[Append]) -> Encoded {
    let mut streams = WordsOut::default();
    let mut kinds = WordsOut::default();
    let mut time = 0i64;
    let mut records = 0u32;
    for append in appends {
        for record in &append.records {
            streams.put(out, Some(record.stream.as_str()));
            put::signed(out, record.received_at.0.wrapping_sub(time));
            time = record.received_at.0;
            body::encode(out, &record.body, record.received_at, &mut kinds);
            records = records.saturating_add(1);
        }
    }
    let marks = highest_marks(appends);
    for Mark { stream, position } in &marks {
        streams.put(out, Some(stream.as_str()));
        put::position(out, *position);
    }
    Encoded { records, marks: marks.len() as u32 }
}

/// The marks of a batch of these units: of a stream and epoch only the highest.
pub(crate) fn highest_marks(appends: &[Append]) -> Vec<Mark> {
    let mut marks: Vec<Mark> = Vec::new();
    for mark in appends.iter().filter_map(|append| append.mark.as_ref()) {
        let same = |held: &&mut Mark| {
            held.stream == mark.stream && held.position.epoch == mark.position.epoch
        };
        match marks.iter_mut().rev().find(same) {
            Some(highest) => highest.position = highest.position.max(mark.position),
            None => marks.push(mark.clone()),
        }
    }
    marks
}

/// Reads what [`encode_records`] wrote. Payloads share memory with `bytes`.
pub fn decode_records(
    bytes: Bytes,
    encoded: Encoded,
) -> Result<(Vec<Record>, Vec<Mark>), Malformed> {
    let mut take = Take::new(bytes);
    let mut streams = WordsIn::<StreamId>::new();
    let mut kinds = WordsIn::<Label>::new();
    let mut time = 0i64;
    // Each takes at least one byte, so a count that lies cannot make us allocate.
    let room = |count: u32, take: &Take| (count as usize).min(take.remaining());
    let mut records = Vec::with_capacity(room(encoded.records, &take));
    for _ in 0..encoded.records {
        let stream = streams.take(&mut take, "stream")?.ok_or(take.fault("stream"))?;
        time = time.wrapping_add(take.signed("received at")?);
        let received_at = UnixMicros(time);
        let body = body::decode(&mut take, received_at, &mut kinds)?;
        records.push(Record { stream, received_at, body });
    }
    let mut marks = Vec::with_capacity(room(encoded.marks, &take));
    for _ in 0..encoded.marks {
        let stream = streams.take(&mut take, "stream")?.ok_or(take.fault("stream"))?;
        marks.push(Mark { stream, position: take.position("mark")? });
    }
    take.finish()?;
    Ok((records, marks))
}

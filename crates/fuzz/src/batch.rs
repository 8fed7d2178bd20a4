//! The contents of a batch of the log: `<records><marks><bytes>`.

use bytes::Bytes;
use unbroken_core::ids::AppendId;
use unbroken_core::record::{Append, Mark, Record};
use unbroken_journal::codec::{Encoded, decode_records, encode_records};

/// Whatever the bytes are: they are refused, or they are records that come back the same when they
/// are written and read again.
pub fn check(input: &[u8]) -> bool {
    let Some((&[records, marks], bytes)) = input.split_first_chunk::<2>() else { return false };
    let encoded = Encoded { records: records.into(), marks: marks.into() };
    let Ok((records, marks)) = decode_records(Bytes::copy_from_slice(bytes), encoded) else {
        return false;
    };
    let (bytes, encoded) = written(&records, &marks);
    let again = decode_records(bytes.clone(), encoded);
    let (known, known_marks) = again.unwrap_or_else(|fault| panic!("what we wrote: {fault}"));
    assert_eq!(known, records, "records that were written came back as others");
    // Of the marks of one stream and epoch only the highest is kept.
    assert!(known_marks.iter().all(|mark| marks.contains(mark)), "a mark that nobody wrote");
    assert_eq!(written(&known, &known_marks), (bytes, encoded), "two writings differ");
    !records.is_empty()
}

fn written(records: &[Record], marks: &[Mark]) -> (Bytes, Encoded) {
    let mut appends =
        vec![Append { id: AppendId(1), records: records.to_vec(), mark: marks.first().cloned() }];
    let others = marks.iter().skip(1).cloned();
    appends.extend(others.map(|mark| Append {
        id: AppendId(1),
        records: Vec::new(),
        mark: Some(mark),
    }));
    let mut bytes = Vec::new();
    let encoded = encode_records(&mut bytes, &appends);
    (bytes.into(), encoded)
}

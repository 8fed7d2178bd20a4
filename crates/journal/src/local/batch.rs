//! The commit unit: a header, records, marks.
//!
//! ```text
//! magic        u32   begins every batch
//! crc          u32   CRC32C of everything after it, begun with the segment's salt
//! length       u32   of the whole batch
//! format       u16
//! reserved     u16   0
//! segment      u64   the segment it was written to
//! number       u64   batches are numbered without a hole
//! first_offset u64   of its first record
//! records      u32
//! marks        u32
//! written_at   i64   wall clock, microseconds
//! synced       u64   every batch with a lower number was durable when this one was written
//! previous     [32]  blake3 of the batch before it
//! records and marks  see `codec::record`
//! ```
//!
//! Magic, crc and length keep their places in every format, so that a newer format can be told from
//! damage. The salt keeps a payload that contains the bytes of a batch from passing for one.

use bytes::Bytes;
use unbroken_core::record::{Append, Mark, Record};
use unbroken_core::time::UnixMicros;

use crate::FORMAT;
use crate::codec::record::Encoded;
use crate::codec::take::Take;
use crate::codec::{Malformed, decode_records, encode_records};
use crate::local::place::Hash;

pub(crate) const MAGIC: [u8; 4] = *b"ubB1";
pub(crate) const HEADER_BYTES: usize = 96;
const CHECKED_FROM: usize = 8;

/// Largest batch. Four times what the committer gathers; a reader holds one batch in memory.
pub(crate) const BATCH_BYTES_MAX: usize = 256 * 1024 * 1024;

/// One commit, as a reader sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Offset of the first record; where there is none, of the record that comes next.
    pub first_offset: u64,
    /// Wall clock of the commit.
    pub written_at: UnixMicros,
    /// The records, with dense offsets from `first_offset`.
    pub records: Vec<Record>,
    /// How far each stream touched has come, once all the records are applied.
    pub marks: Vec<Mark>,
}

impl Batch {
    /// The offset of the record after this batch.
    pub fn end_offset(&self) -> u64 {
        self.first_offset + self.records.len() as u64
    }

    /// Its records with their offsets.
    pub fn entries(&self) -> impl Iterator<Item = (u64, &Record)> {
        (self.first_offset..).zip(&self.records)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) segment: u64,
    pub(crate) number: u64,
    pub(crate) first_offset: u64,
    pub(crate) encoded: Encoded,
    pub(crate) written_at: UnixMicros,
    pub(crate) synced: u64,
    pub(crate) previous: Hash,
}

impl Header {
    pub(crate) fn end_offset(&self) -> u64 {
        self.first_offset + u64::from(self.encoded.records)
    }
}

/// Why there is no batch at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Zeros, or the file's end.
    Nothing,
    /// Something else than a batch.
    NoMagic,
    /// It does not fit into the file.
    Length,
    /// The checksum differs.
    Checksum,
    /// Whole, but of a newer format.
    NewerFormat(u16),
    /// Whole, but it cannot be read: written by broken code.
    Malformed(Malformed),
}

impl Fault {
    pub(crate) fn describe(self) -> String {
        match self {
            Self::Nothing => "a batch is missing".into(),
            Self::NoMagic => "no batch begins here".into(),
            Self::Length => "the batch's length is impossible".into(),
            Self::Checksum => "the batch's checksum differs".into(),
            Self::NewerFormat(format) => format!("the batch has format {format}"),
            Self::Malformed(malformed) => format!("the batch is whole but unreadable: {malformed}"),
        }
    }
}

/// Clears `out` and puts the contents of a batch into it, leaving room for the header.
pub(crate) fn encode_contents(out: &mut Vec<u8>, appends: &[Append]) -> Encoded {
    out.clear();
    out.resize(HEADER_BYTES, 0);
    encode_records(out, appends)
}

/// Fills in the header, once it is known where the batch goes. Gives the batch's hash.
pub(crate) fn seal(batch: &mut [u8], header: &Header, salt: u32) -> Hash {
    let length = batch.len() as u32;
    if let Some(head) = batch.first_chunk_mut::<HEADER_BYTES>() {
        let mut at = 0;
        let mut put = |bytes: &[u8]| {
            if let Some(slot) = head.get_mut(at..at + bytes.len()) {
                slot.copy_from_slice(bytes);
            }
            at += bytes.len();
        };
        put(&MAGIC);
        put(&[0; 4]);
        put(&length.to_le_bytes());
        put(&(FORMAT as u16).to_le_bytes());
        put(&[0; 2]);
        put(&header.segment.to_le_bytes());
        put(&header.number.to_le_bytes());
        put(&header.first_offset.to_le_bytes());
        put(&header.encoded.records.to_le_bytes());
        put(&header.encoded.marks.to_le_bytes());
        put(&header.written_at.0.to_le_bytes());
        put(&header.synced.to_le_bytes());
        put(&header.previous);
    }
    let crc = checksum(batch, salt).to_le_bytes();
    if let Some(slot) = batch.get_mut(4..CHECKED_FROM) {
        slot.copy_from_slice(&crc);
    }
    hash(batch)
}

pub(crate) fn hash(batch: &[u8]) -> Hash {
    *blake3::hash(batch).as_bytes()
}

fn checksum(batch: &[u8], salt: u32) -> u32 {
    crc32c::crc32c_append(salt, batch.get(CHECKED_FROM..).unwrap_or_default())
}

/// The length that the batch at the beginning of `bytes` claims to have. `room` is what is left of
/// the file.
pub(crate) fn claimed_length(bytes: &[u8], room: u64) -> Result<usize, Fault> {
    let Some(head) = bytes.first_chunk::<HEADER_BYTES>() else {
        let is_zero = bytes.iter().all(|b| *b == 0);
        return Err(if is_zero { Fault::Nothing } else { Fault::Length });
    };
    if head.iter().all(|b| *b == 0) {
        return Err(Fault::Nothing);
    }
    let (magic, rest) = head.split_at(4);
    if magic != MAGIC {
        return Err(Fault::NoMagic);
    }
    let length = rest.get(4..8).and_then(|b| b.first_chunk::<4>()).copied().unwrap_or_default();
    let length = u32::from_le_bytes(length) as usize;
    if !(HEADER_BYTES..=BATCH_BYTES_MAX).contains(&length) || length as u64 > room {
        return Err(Fault::Length);
    }
    Ok(length)
}

/// A whole batch, not yet taken apart.
#[derive(Clone, Debug)]
pub(crate) struct Raw {
    pub(crate) header: Header,
    bytes: Bytes,
}

impl Raw {
    /// `bytes` is one batch, of the length it claims.
    pub(crate) fn check(bytes: Bytes, salt: u32) -> Result<Self, Fault> {
        let mut take = Take::new(bytes.slice(..HEADER_BYTES.min(bytes.len())));
        let stored = decode_prefix(&mut take).map_err(|_| Fault::Length)?;
        if stored != checksum(&bytes, salt) {
            return Err(Fault::Checksum);
        }
        let format = take.array("format").map(u16::from_le_bytes).map_err(Fault::Malformed)?;
        if u32::from(format) > FORMAT {
            return Err(Fault::NewerFormat(format));
        }
        let header = decode_header(&mut take).map_err(Fault::Malformed)?;
        Ok(Self { header, bytes })
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn hash(&self) -> Hash {
        hash(&self.bytes)
    }

    /// Payloads share memory with the batch.
    pub(crate) fn decode(&self) -> Result<Batch, Fault> {
        let contents = self.bytes.slice(HEADER_BYTES..);
        let (records, marks) =
            decode_records(contents, self.header.encoded).map_err(Fault::Malformed)?;
        Ok(Batch {
            first_offset: self.header.first_offset,
            written_at: self.header.written_at,
            records,
            marks,
        })
    }
}

/// Magic, checksum and length; gives the checksum.
fn decode_prefix(take: &mut Take) -> Result<u32, Malformed> {
    take.array::<4>("magic")?;
    let crc = take.array("crc").map(u32::from_le_bytes)?;
    take.array::<4>("length")?;
    Ok(crc)
}

fn decode_header(take: &mut Take) -> Result<Header, Malformed> {
    take.array::<2>("reserved")?;
    let header = Header {
        segment: take.array("segment").map(u64::from_le_bytes)?,
        number: take.array("number").map(u64::from_le_bytes)?,
        first_offset: take.array("first offset").map(u64::from_le_bytes)?,
        encoded: Encoded {
            records: take.array("records").map(u32::from_le_bytes)?,
            marks: take.array("marks").map(u32::from_le_bytes)?,
        },
        written_at: UnixMicros(take.array("written at").map(i64::from_le_bytes)?),
        synced: take.array("synced").map(u64::from_le_bytes)?,
        previous: take.array("previous")?,
    };
    if header.first_offset.checked_add(u64::from(header.encoded.records)).is_none() {
        return Err(take.fault("first offset"));
    }
    Ok(header)
}

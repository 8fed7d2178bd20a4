//! A file of the log: a header, then batches, then zeros.
//!
//! ```text
//! magic        [8]
//! crc          u32   CRC32C of the rest of the header
//! format       u32
//! id           u64   segments are numbered without a hole
//! first_number u64   of the first batch in it
//! first_offset u64   of the first record in it
//! created_at   i64   wall clock; the segment before it was sealed then
//! salt         u32   see `batch`
//! previous     [32]  blake3 of the last batch of the segment before it
//! ```

use std::io::ErrorKind;

use bytes::Bytes;
use unbroken_core::time::UnixMicros;

use crate::codec::Malformed;
use crate::codec::take::Take;
use crate::local::batch::{self, Fault, HEADER_BYTES, Raw};
use crate::local::disk::DiskFile;
use crate::local::home::{Home, segment_name};
use crate::local::place::{Hash, Place};
use crate::{FORMAT, JournalError};

const MAGIC: [u8; 8] = *b"ubSEG\r\n\x1a";
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 84;
/// Read at once: large enough that a scan is sequential reading, small enough to forget.
const CHUNK_BYTES: u64 = 256 * 1024;
const ZEROS: &[u8] = &[0; 64 * 1024];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) id: u64,
    pub(crate) first_number: u64,
    pub(crate) first_offset: u64,
    pub(crate) created_at: UnixMicros,
    pub(crate) salt: u32,
    pub(crate) previous: Hash,
}

impl SegmentHeader {
    /// The place right after this header.
    pub(crate) fn start(&self) -> Place {
        Place {
            segment: self.id,
            position: SEGMENT_HEADER_BYTES,
            newest: 0,
            number: self.first_number,
            offset: self.first_offset,
            hash: self.previous,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut rest = Vec::with_capacity(SEGMENT_HEADER_BYTES as usize);
        rest.extend_from_slice(&FORMAT.to_le_bytes());
        rest.extend_from_slice(&self.id.to_le_bytes());
        rest.extend_from_slice(&self.first_number.to_le_bytes());
        rest.extend_from_slice(&self.first_offset.to_le_bytes());
        rest.extend_from_slice(&self.created_at.0.to_le_bytes());
        rest.extend_from_slice(&self.salt.to_le_bytes());
        rest.extend_from_slice(&self.previous);
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&crc32c::crc32c(&rest).to_le_bytes());
        out.extend_from_slice(&rest);
        out
    }

    fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let mut take = Take::new(Bytes::copy_from_slice(bytes));
        if take.array::<8>("segment header")? != MAGIC {
            return Err(take.fault("segment header").into());
        }
        let crc = take.array("segment header").map(u32::from_le_bytes)?;
        if crc32c::crc32c(bytes.get(12..).unwrap_or_default()) != crc {
            return Err(take.fault("segment header").into());
        }
        let format = take.array("format").map(u32::from_le_bytes)?;
        if format > FORMAT {
            return Err(HeaderFault::Newer(format));
        }
        let number = |take: &mut Take| take.array("segment header").map(u64::from_le_bytes);
        Ok(Self {
            id: number(&mut take)?,
            first_number: number(&mut take)?,
            first_offset: number(&mut take)?,
            created_at: UnixMicros(take.array("segment header").map(i64::from_le_bytes)?),
            salt: take.array("segment header").map(u32::from_le_bytes)?,
            previous: take.array("segment header")?,
        })
    }
}

enum HeaderFault {
    Damaged,
    Newer(u32),
}

impl From<Malformed> for HeaderFault {
    fn from(_: Malformed) -> Self {
        Self::Damaged
    }
}

/// Makes a segment, durable with its name, and gives the open file and its length.
pub(crate) fn create(
    home: &Home,
    header: &SegmentHeader,
    zeros: u64,
) -> Result<(Box<dyn DiskFile>, u64), JournalError> {
    let name = segment_name(header.id);
    let head = header.encode();
    let mut parts = vec![head.as_slice()];
    let mut left = zeros;
    while left > 0 {
        let part = ZEROS.get(..left as usize).unwrap_or(ZEROS);
        parts.push(part);
        left -= part.len() as u64;
    }
    let file = home.install(&name, &parts)?;
    Ok((file, SEGMENT_HEADER_BYTES + zeros))
}

/// Writes zeros, so that a later batch only overwrites and its sync need not grow the file.
pub(crate) fn fill_with_zeros(
    home: &Home,
    id: u64,
    file: &dyn DiskFile,
    from: u64,
    to: u64,
) -> Result<(), JournalError> {
    let mut position = from;
    while position < to {
        let part = ZEROS.get(..(to - position) as usize).unwrap_or(ZEROS);
        file.write_at(position, part)
            .map_err(|error| JournalError::io("extend", &home.path(&segment_name(id)), error))?;
        position += part.len() as u64;
    }
    Ok(())
}

/// A segment being read.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) header: SegmentHeader,
    name: String,
    home: Home,
    file: Box<dyn DiskFile>,
    chunk: Bytes,
    chunk_at: u64,
}

impl Segment {
    pub(crate) fn open(home: &Home, id: u64) -> Result<Self, JournalError> {
        let name = segment_name(id);
        let file = home.open(&name, false)?;
        let path = home.path(&name);
        let mut head = [0; SEGMENT_HEADER_BYTES as usize];
        let read =
            file.read_at(0, &mut head).map_err(|error| JournalError::io("read", &path, error))?;
        let corrupt = |what: &str| JournalError::Corrupt {
            path: path.clone(),
            position: 0,
            offset: 0,
            what: what.into(),
        };
        let header = match SegmentHeader::decode(head.get(..read).unwrap_or_default()) {
            Ok(header) if header.id == id => header,
            Ok(_) => return Err(corrupt("the segment has the name of another")),
            Err(HeaderFault::Damaged) => return Err(corrupt("the segment's header is damaged")),
            Err(HeaderFault::Newer(found)) => {
                return Err(JournalError::NewerFormat { path, found, known: FORMAT });
            }
        };
        let home = home.clone();
        Ok(Self { header, name, home, file, chunk: Bytes::new(), chunk_at: 0 })
    }

    /// `None`: there is no such segment.
    pub(crate) fn open_existing(home: &Home, id: u64) -> Result<Option<Self>, JournalError> {
        match Self::open(home, id) {
            Ok(segment) => Ok(Some(segment)),
            Err(JournalError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn len(&self) -> Result<u64, JournalError> {
        self.file.len().map_err(|error| self.io(error))
    }

    /// The batch at `position`, of which no byte at or beyond `limit` belongs to the log yet.
    pub(crate) fn batch_at(
        &mut self,
        position: u64,
        limit: u64,
    ) -> Result<Result<Raw, Fault>, JournalError> {
        let room = limit.saturating_sub(position);
        let head = self.view(position, (HEADER_BYTES as u64).min(room), room)?;
        let length = match batch::claimed_length(&head, room) {
            Ok(length) => length,
            Err(fault) => return Ok(Err(fault)),
        };
        let view = self.view(position, length as u64, room)?;
        if view.len() < length {
            return Ok(Err(Fault::Length));
        }
        // Copied: a slice would keep the chunk in memory for as long as one payload is held.
        let raw = Raw::check(Bytes::copy_from_slice(&view), self.header.salt);
        if let Err(Fault::NewerFormat(found)) = raw {
            let (path, found) = (self.home.path(&self.name), u32::from(found));
            return Err(JournalError::NewerFormat { path, found, known: FORMAT });
        }
        Ok(raw)
    }

    /// The bytes from `position` to the file's end.
    pub(crate) fn rest(&self, position: u64) -> Result<Bytes, JournalError> {
        crate::local::home::read_from(self.file.as_ref(), position)
            .map(Bytes::from)
            .map_err(|error| self.io(error))
    }

    pub(crate) fn corrupt(&self, position: u64, offset: u64, what: String) -> JournalError {
        JournalError::Corrupt { path: self.home.path(&self.name), position, offset, what }
    }

    /// `len` bytes from `position`, fewer at the file's end. Nothing beyond `room` is kept: what is
    /// not yet part of the log may still change.
    fn view(&mut self, position: u64, len: u64, room: u64) -> Result<Bytes, JournalError> {
        let held = |chunk: &Bytes, chunk_at: u64| {
            let from = usize::try_from(position.checked_sub(chunk_at)?).ok()?;
            let to = from.checked_add(len as usize)?;
            (to <= chunk.len()).then(|| chunk.slice(from..to))
        };
        if let Some(view) = held(&self.chunk, self.chunk_at) {
            return Ok(view);
        }
        let mut chunk = vec![0; len.max(CHUNK_BYTES.min(room)) as usize];
        let read = self.file.read_at(position, &mut chunk).map_err(|error| self.io(error))?;
        chunk.truncate(read);
        self.chunk = Bytes::from(chunk);
        self.chunk_at = position;
        Ok(self.chunk.slice(..self.chunk.len().min(len as usize)))
    }

    fn io(&self, error: std::io::Error) -> JournalError {
        JournalError::io("read", &self.home.path(&self.name), error)
    }
}

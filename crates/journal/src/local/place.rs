//! Where the next batch goes.

use bytes::Bytes;

use crate::codec::Malformed;
use crate::codec::take::Take;

/// blake3 of a batch's bytes.
pub(crate) type Hash = [u8; 32];

pub(crate) const PLACE_BYTES: usize = 72;

/// A point between two batches: what lies before it, and where the one after it belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The segment that the next batch goes to, unless that one is full.
    pub(crate) segment: u64,
    /// The byte in that segment.
    pub(crate) position: u64,
    /// Where in that segment the newest batch begins; 0 if it holds none.
    pub(crate) newest: u64,
    /// The next batch's number. Batches are numbered without a hole; records are not enough,
    /// because a batch may hold nothing but marks.
    pub(crate) number: u64,
    /// The next record's offset.
    pub(crate) offset: u64,
    /// Hash of the newest batch; all zeros before the first.
    pub(crate) hash: Hash,
}

impl Place {
    pub(crate) fn encode(&self) -> [u8; PLACE_BYTES] {
        let mut out = [0; PLACE_BYTES];
        let numbers = [self.segment, self.position, self.newest, self.number, self.offset];
        for (slot, number) in out.chunks_exact_mut(8).zip(numbers) {
            slot.copy_from_slice(&number.to_le_bytes());
        }
        let (_, hash) = out.split_at_mut(40);
        hash.copy_from_slice(&self.hash);
        out
    }

    pub(crate) fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut take = Take::new(bytes);
        let mut number = || take.array("place").map(u64::from_le_bytes);
        let (segment, position, newest) = (number()?, number()?, number()?);
        let (number, offset) = (number()?, number()?);
        let hash = take.array("place")?;
        take.finish()?;
        Ok(Self { segment, position, newest, number, offset, hash })
    }
}

//! Reading the primitives.

use bytes::Bytes;
use unbroken_core::bookmark::Bookmark;
use unbroken_core::position::{Epoch, Position};

/// The bytes are not an encoding of what was expected there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {at} is malformed")]
pub struct Malformed {
    /// What was expected.
    pub what: &'static str,
    /// Where, counted from the beginning of the encoding.
    pub at: usize,
}

/// A place in an encoding.
#[derive(Debug)]
pub(crate) struct Take {
    bytes: Bytes,
    at: usize,
}

impl Take {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) fn fault(&self, what: &'static str) -> Malformed {
        Malformed { what, at: self.at }
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.remaining() == 0 { Ok(()) } else { Err(self.fault("end")) }
    }

    pub(crate) fn byte(&mut self, what: &'static str) -> Result<u8, Malformed> {
        let byte = *self.bytes.get(self.at).ok_or(self.fault(what))?;
        self.at += 1;
        Ok(byte)
    }

    pub(crate) fn varint(&mut self, what: &'static str) -> Result<u64, Malformed> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            let part = u64::from(byte & 0x7f);
            // The tenth byte has room for one bit.
            if shift == 63 && part > 1 {
                break;
            }
            value |= part << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(self.fault(what))
    }

    pub(crate) fn signed(&mut self, what: &'static str) -> Result<i64, Malformed> {
        let value = self.varint(what)?;
        Ok(((value >> 1) as i64) ^ -((value & 1) as i64))
    }

    pub(crate) fn narrow<T: TryFrom<u64>>(&mut self, what: &'static str) -> Result<T, Malformed> {
        let at = self.at;
        let value = self.varint(what)?;
        T::try_from(value).map_err(|_| Malformed { what, at })
    }

    /// A count of things that take at least one byte each: never more than there are bytes.
    pub(crate) fn count(&mut self, what: &'static str) -> Result<usize, Malformed> {
        let count: usize = self.narrow(what)?;
        if count > self.remaining() { Err(self.fault(what)) } else { Ok(count) }
    }

    /// Shares memory with the encoding.
    pub(crate) fn bytes(&mut self, what: &'static str) -> Result<Bytes, Malformed> {
        let len = self.count(what)?;
        let bytes = self.bytes.slice(self.at..self.at + len);
        self.at += len;
        Ok(bytes)
    }

    pub(crate) fn text(&mut self, what: &'static str) -> Result<&str, Malformed> {
        let len = self.count(what)?;
        let start = self.at;
        self.at += len;
        let slice = self.bytes.get(start..self.at).unwrap_or_default();
        std::str::from_utf8(slice).map_err(|_| Malformed { what, at: start })
    }

    pub(crate) fn digest(&mut self, what: &'static str) -> Result<u128, Malformed> {
        self.array(what).map(u128::from_le_bytes)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        what: &'static str,
    ) -> Result<[u8; N], Malformed> {
        let slice = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        let array = *slice.ok_or(self.fault(what))?;
        self.at += N;
        Ok(array)
    }

    pub(crate) fn flag(&mut self, what: &'static str) -> Result<bool, Malformed> {
        match self.byte(what)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.fault(what)),
        }
    }

    pub(crate) fn position(&mut self, what: &'static str) -> Result<Position, Malformed> {
        let epoch = Epoch(self.narrow(what)?);
        Ok(Position { epoch, sequence: self.varint(what)? })
    }

    pub(crate) fn bookmark(&mut self, what: &'static str) -> Result<Bookmark, Malformed> {
        let bytes = self.bytes(what)?;
        Bookmark::new(&bytes).ok_or(self.fault(what))
    }

    pub(crate) fn optional<T>(
        &mut self,
        what: &'static str,
        take: impl FnOnce(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        if self.flag(what)? { take(self).map(Some) } else { Ok(None) }
    }
}

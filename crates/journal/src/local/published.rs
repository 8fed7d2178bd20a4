//! The file `published`: how far the log was durable when readers were last told.
//!
//! Overwritten after each sync and not synced itself: another process on this machine sees it at
//! once, and after a power cut it may be old but never ahead of what is durable. So it tells a
//! reader in another process where the durable part ends, and it tells the next open what must
//! still be there.

use bytes::Bytes;

use crate::JournalError;
use crate::codec::take::Take;
use crate::local::disk::DiskFile;
use crate::local::home::Home;
use crate::local::place::{PLACE_BYTES, Place};

const NAME: &str = "published";
const BYTES: usize = PLACE_BYTES + 4;

#[derive(Debug)]
pub(crate) struct Published {
    home: Home,
    file: Box<dyn DiskFile>,
}

impl Published {
    /// Makes the file, durable.
    pub(crate) fn create(home: &Home, place: &Place) -> Result<Self, JournalError> {
        let file = home.install(NAME, &[&encode(place)])?;
        Ok(Self { home: home.clone(), file })
    }

    pub(crate) fn write(&self, place: &Place) -> Result<(), JournalError> {
        self.file
            .write_at(0, &encode(place))
            .map_err(|error| JournalError::io("write", &self.home.path(NAME), error))
    }
}

/// `None`: missing or torn, which means nothing.
pub(crate) fn read(home: &Home) -> Result<Option<Place>, JournalError> {
    let Some(bytes) = home.read(NAME)? else { return Ok(None) };
    Ok(decode(&bytes))
}

/// For a repair: what it says is true no longer.
pub(crate) fn remove(home: &Home) -> Result<(), JournalError> {
    home.remove(NAME)
}

fn encode(place: &Place) -> [u8; BYTES] {
    let mut out = [0; BYTES];
    let (head, tail) = out.split_at_mut(PLACE_BYTES);
    head.copy_from_slice(&place.encode());
    tail.copy_from_slice(&crc32c::crc32c(head).to_le_bytes());
    out
}

fn decode(bytes: &[u8]) -> Option<Place> {
    let (head, tail) = bytes.split_at_checked(PLACE_BYTES)?;
    let crc = Take::new(Bytes::copy_from_slice(tail)).array("crc").ok()?;
    if u32::from_le_bytes(crc) != crc32c::crc32c(head) {
        return None;
    }
    Place::decode(Bytes::copy_from_slice(head)).ok()
}

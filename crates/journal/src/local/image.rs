//! State images: what the log adds up to, exact at a place.
//!
//! ```text
//! magic      [8]
//! format     u32
//! place      [72]  see `place`
//! written_at i64
//! fold             see `codec::fold`
//! hash       [32]  blake3 of everything before it
//! ```
//!
//! Opening starts from the newest whole image, so that it takes as long as the log after it and not
//! as long as the log; and what retention has deleted lives on in it.

use bytes::Bytes;
use unbroken_core::fold::Fold;
use unbroken_core::time::UnixMicros;

use crate::codec::take::Take;
use crate::codec::{self, Malformed};
use crate::local::home::{Home, image_name};
use crate::local::place::{PLACE_BYTES, Place};
use crate::mutant::{Mutant, mutated};
use crate::{FORMAT, JournalError};

const MAGIC: [u8; 8] = *b"ubIMG\r\n\x1a";
const HASH_BYTES: usize = 32;

#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) place: Place,
    pub(crate) fold: Fold,
}

/// Writes the image, durable with its name.
pub(crate) fn write(
    home: &Home,
    place: &Place,
    fold: &Fold,
    written_at: UnixMicros,
) -> Result<(), JournalError> {
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&FORMAT.to_le_bytes());
    out.extend_from_slice(&place.encode());
    out.extend_from_slice(&written_at.0.to_le_bytes());
    codec::fold::encode(&mut out, fold);
    let hash = blake3::hash(&out);
    home.install(&image_name(place.number), &[&out, hash.as_bytes()]).map(drop)
}

/// Why an image cannot be used.
#[derive(Debug)]
pub(crate) enum ImageFault {
    Missing,
    Damaged(&'static str),
    Malformed(Malformed),
}

impl ImageFault {
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Missing => "the image is gone".into(),
            Self::Damaged(what) => (*what).into(),
            Self::Malformed(malformed) => format!("the image is unreadable: {malformed}"),
        }
    }
}

/// Reads the image and checks it against its own hash, not against the log.
pub(crate) fn read(home: &Home, number: u64) -> Result<Result<Image, ImageFault>, JournalError> {
    let name = image_name(number);
    let Some(bytes) = home.read(&name)? else { return Ok(Err(ImageFault::Missing)) };
    let body = match checked(&bytes) {
        Ok(body) => Bytes::copy_from_slice(body),
        Err(what) => return Ok(Err(ImageFault::Damaged(what))),
    };
    let mut take = Take::new(body.clone());
    let format = match take.array("format") {
        Ok(format) => u32::from_le_bytes(format),
        Err(malformed) => return Ok(Err(ImageFault::Malformed(malformed))),
    };
    if format > FORMAT {
        return Err(JournalError::NewerFormat {
            path: home.path(&name),
            found: format,
            known: FORMAT,
        });
    }
    Ok(match decode(body.slice(4..), format) {
        Ok(image) if image.place.number == number => Ok(image),
        Ok(_) => Err(ImageFault::Damaged("the image has the name of another")),
        Err(malformed) => Err(ImageFault::Malformed(malformed)),
    })
}

/// What lies between magic and hash.
fn checked(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let signed = bytes.len().checked_sub(HASH_BYTES).ok_or("the image is cut short")?;
    let (signed, hash) = bytes.split_at(signed);
    let body = signed.strip_prefix(&MAGIC).ok_or("not an image")?;
    if blake3::hash(signed).as_bytes() != hash && !mutated(Mutant::ImageHashUnchecked) {
        return Err("the image's hash differs");
    }
    Ok(body)
}

fn decode(bytes: Bytes, format: u32) -> Result<Image, Malformed> {
    let mut take = Take::new(bytes.clone());
    let place = Place::decode(Bytes::copy_from_slice(&take.array::<PLACE_BYTES>("place")?))?;
    take.array::<8>("written at")?;
    let fold = codec::fold::decode(bytes.slice(PLACE_BYTES + 8..), format)?;
    Ok(Image { place, fold })
}

//! State images: `<format><bytes of the fold>`.

use bytes::Bytes;
use unbroken_journal::FORMAT;
use unbroken_journal::codec::{decode_fold, encode_fold};

/// Whatever the bytes are: they are refused, or they are a state that comes back the same when it
/// is written and read again.
pub fn check(input: &[u8]) -> bool {
    let Some((format, bytes)) = input.split_first() else { return false };
    let format = u32::from(format.wrapping_sub(b'0')) % (FORMAT + 1);
    let Ok(fold) = decode_fold(Bytes::copy_from_slice(bytes), format) else {
        return false;
    };
    let mut written = Vec::new();
    encode_fold(&mut written, &fold);
    let again = decode_fold(Bytes::from(written), FORMAT);
    assert_eq!(again, Ok(fold), "a state that was written came back as another");
    true
}

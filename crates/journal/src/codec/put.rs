//! Writing the primitives.

use unbroken_core::bookmark::Bookmark;
use unbroken_core::position::Position;

pub(crate) fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn signed(out: &mut Vec<u8>, value: i64) {
    varint(out, ((value << 1) ^ (value >> 63)) as u64);
}

pub(crate) fn bytes(out: &mut Vec<u8>, value: &[u8]) {
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

pub(crate) fn text(out: &mut Vec<u8>, value: &str) {
    bytes(out, value.as_bytes());
}

pub(crate) fn digest(out: &mut Vec<u8>, value: u128) {
    out.extend_from_slice(&value.to_le_bytes());
}

pub(crate) fn position(out: &mut Vec<u8>, value: Position) {
    varint(out, u64::from(value.epoch.0));
    varint(out, value.sequence);
}

pub(crate) fn bookmark(out: &mut Vec<u8>, value: &Bookmark) {
    bytes(out, value.as_bytes());
}

/// A presence byte, then the value.
pub(crate) fn optional<T>(out: &mut Vec<u8>, value: Option<T>, put: impl FnOnce(&mut Vec<u8>, T)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        put(out, value);
    }
}

//! Frames of a WebSocket: `<digit of the profile><frame>`.

use bytes::Bytes;
use unbroken_core::connector::{Connector, Decoded, Item};

use crate::vendors::{Vendor, chosen};

/// Whatever arrives: it is read without a panic, twice the same; an event has a key, and its
/// payload is no larger than what came.
pub fn check(input: &[u8]) -> bool {
    let Some((vendor, frame)) = chosen(input) else { return false };
    check_frame(vendor, &Bytes::copy_from_slice(frame))
}

/// Whether it holds an event.
pub(crate) fn check_frame(vendor: &Vendor, frame: &Bytes) -> bool {
    let decoded = vendor.generic.decode(frame);
    assert_eq!(decoded, vendor.generic.decode(frame), "{}: two readings differ", vendor.name);
    check_items(vendor.name, frame, &decoded);
    let _ = vendor.generic.login_answer(frame);
    decoded.items.iter().any(|item| matches!(item, Item::Event(_)))
}

fn check_items(name: &str, frame: &Bytes, decoded: &Decoded) {
    let mut payloads = 0;
    for item in &decoded.items {
        if let Item::Event(event) = item {
            assert!(!event.key.as_str().is_empty(), "{name}: an event without a key");
            payloads += event.payload.len();
        }
    }
    // A profile may name one part of a frame as the payload of each event in it, never more.
    let bound = frame.len().saturating_mul(decoded.items.len().max(1));
    assert!(payloads <= bound, "{name}: {payloads} bytes of payload in {} bytes", frame.len());
}

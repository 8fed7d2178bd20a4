//! The vendor's own bytes, for targets that tell JSON from anything else.

use serde::de::IgnoredAny;

/// A payload in the one or the other of its two columns.
pub(crate) fn payload(bytes: &[u8]) -> (Option<&str>, Option<&[u8]>) {
    let is_json = serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
    match std::str::from_utf8(bytes) {
        Ok(text) if is_json => (Some(text), None),
        _ => (None, Some(bytes)),
    }
}

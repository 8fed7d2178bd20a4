//! The vendor's own bytes within what is written as JSON.

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// Brackets and braces in a payload that is taken over: deeper ones go the long way, which has a
/// bound.
const OPENINGS_MAX: usize = 100;

/// It is checked and taken over as it is, so that its numbers stay what the vendor wrote, and no
/// tree of it is built.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum Payload<'a> {
    AsItIs(&'a RawValue),
    OfItsOwn(Box<RawValue>),
    Told(Value),
}

impl<'a> Payload<'a> {
    /// As it is, if it is plain JSON: escapes, line ends and depth go the long way.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let mut openings = 0;
        let is_plain = bytes.iter().all(|byte| {
            openings += usize::from(matches!(byte, b'{' | b'['));
            !matches!(byte, b'\n' | b'\r' | b'\\')
        });
        let raw =
            (is_plain && openings <= OPENINGS_MAX).then(|| serde_json::from_slice(bytes).ok());
        raw.flatten().map_or_else(|| the_long_way(bytes), Self::AsItIs)
    }
}

/// What is JSON is taken over all the same, with its numbers as they are. Half a character
/// (`\ud800`) and what is too deep are none for most readers.
fn the_long_way(bytes: &[u8]) -> Payload<'_> {
    let told = payload_json(bytes);
    if matches!(told, Value::String(_)) {
        return Payload::Told(told);
    }
    // Between values alone: within a text a line's end is no JSON.
    let line: Vec<u8> =
        bytes.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
    serde_json::from_slice(&line).map_or(Payload::Told(told), Payload::OfItsOwn)
}

/// The vendor's bytes as JSON, if that is what they are; else as text; else in base 16.
pub(crate) fn payload_json(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes).unwrap_or_else(|_| match std::str::from_utf8(bytes) {
        Ok(text) => Value::String(text.to_owned()),
        Err(_) => Value::String(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::payload_json;

    #[test]
    fn a_payload_is_json_if_it_can_be_and_text_if_it_cannot() {
        assert_eq!(payload_json(br#"{"a":1}"#), json!({"a": 1}));
        assert_eq!(payload_json(b"plain"), json!("plain"));
        assert_eq!(payload_json(&[0xff, 0x01]), json!("ff01"));
        assert_eq!(payload_json(b""), json!(null));
    }
}

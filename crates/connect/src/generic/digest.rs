//! By what two payloads are compared.

use serde_json::Value;
use unbroken_core::record::digest;

/// The digest of a payload: of its bytes, or of the canonical form of some of its values.
///
/// Canonical: no white space, an object's keys in byte order, texts escaped one way. So a REST row
/// and an event of the same value are equal even if two services wrote them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digester {
    pointers: Vec<String>,
}

impl Digester {
    pub(crate) fn new(pointers: Vec<String>) -> Self {
        Self { pointers }
    }

    /// The digest; of a payload that is no JSON, that of its bytes.
    pub(crate) fn digest(&self, payload: &[u8]) -> u128 {
        if self.pointers.is_empty() {
            return digest(payload);
        }
        let Ok(value) = serde_json::from_slice::<Value>(payload) else {
            return digest(payload);
        };
        let mut form = String::with_capacity(payload.len());
        for pointer in &self.pointers {
            match value.pointer(pointer) {
                Some(part) => canonical(&mut form, part),
                None => form.push('-'),
            }
            form.push('\n');
        }
        digest(form.as_bytes())
    }
}

fn canonical(out: &mut String, value: &Value) {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(out, value);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, value) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                canonical(out, value);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_value_written_twice_has_one_digest() {
        let digester = Digester::new(vec![String::new()]);
        let a = digester.digest(br#"{"b":[1,{"x":null,"y":"\u0061"}],"a":18446744073709551615}"#);
        let b = digester
            .digest(b"{ \"a\" : 18446744073709551615 , \"b\":[1,{\"y\":\"a\",\"x\":null}]}");
        assert_eq!(a, b);
        let other = digester.digest(br#"{"b":[1,{"x":null,"y":"a"}],"a":18446744073709551614}"#);
        assert_ne!(a, other);
    }

    #[test]
    fn only_the_listed_parts_count() {
        let digester = Digester::new(vec!["/a".into(), "/b".into()]);
        let held = digester.digest(br#"{"a":1,"b":2,"served_at":1}"#);
        assert_eq!(held, digester.digest(br#"{"served_at":2,"b":2,"a":1}"#));
        assert_ne!(held, digester.digest(br#"{"a":1}"#));
        assert_ne!(digester.digest(br#"{"a":1}"#), digester.digest(br#"{"b":1}"#));
    }

    #[test]
    fn without_pointers_the_bytes_count() {
        let digester = Digester::default();
        assert_eq!(digester.digest(b"{}"), digest(b"{}"));
        assert_ne!(digester.digest(b"{}"), digester.digest(b"{ }"));
    }
}

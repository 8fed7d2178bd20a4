//! By what two payloads are compared.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use unbroken_core::record::digest;

use crate::generic::canonical;
use crate::generic::pointer::{Extractor, PointerError, Slot};

/// Below this depth values are taken as they are written: nobody nests state so deep, and the stack
/// must not depend on the vendor.
const DEPTH_MAX: u32 = 32;

/// The digest of a payload: of its bytes, or of the canonical form of some of its values.
///
/// Canonical: no white space, an object's keys in byte order (of a key that comes twice the last
/// one), texts escaped one way, numbers as they are written. So a REST row and an event of the same
/// value are equal even if two services wrote them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digester {
    parts: Vec<Slot>,
    extractor: Extractor,
    /// The whole payload counts.
    is_whole: bool,
}

impl Digester {
    pub(crate) fn new(pointers: &[String]) -> Result<Self, PointerError> {
        let mut extractor = Extractor::default();
        let parts = pointers.iter().map(|p| extractor.add(p)).collect::<Result<_, _>>()?;
        let is_whole = matches!(pointers, [whole] if whole.is_empty());
        Ok(Self { parts, extractor, is_whole })
    }

    /// The digest; of a payload that is no JSON, that of its bytes.
    pub(crate) fn digest(&self, payload: &[u8]) -> u128 {
        self.digest_by(payload, digest)
    }

    /// The same, by another function of the bytes.
    pub(crate) fn digest_by(&self, payload: &[u8], digest: impl Fn(&[u8]) -> u128) -> u128 {
        self.form(payload).map_or_else(|| digest(payload), |form| digest(form.as_bytes()))
    }

    fn form(&self, payload: &[u8]) -> Option<String> {
        if self.parts.is_empty() {
            return None;
        }
        let text = std::str::from_utf8(payload).ok()?;
        let mut form = String::with_capacity(payload.len() + self.parts.len());
        if self.is_whole && canonical::put(&mut form, text).is_some() {
            form.push('\n');
            return Some(form);
        }
        let found = self.extractor.extract(text).ok()?;
        for part in &self.parts {
            match part.of(&found) {
                Some(raw) if canonical::put(&mut form, raw).is_some() => {}
                Some(raw) => canonical(&mut form, raw, 0)?,
                None => form.push('-'),
            }
            form.push('\n');
        }
        Some(form)
    }
}

/// Appends the canonical form of a JSON text; `None` if it is none.
pub(crate) fn canonical(out: &mut String, raw: &str, depth: u32) -> Option<()> {
    let raw = raw.trim_ascii();
    match raw.as_bytes().first()? {
        b'{' if depth < DEPTH_MAX => {
            let Entries(mut entries) = serde_json::from_str(raw).ok()?;
            // Stable: of equal keys the last one written stays last.
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            out.push('{');
            let mut rest = entries.iter().peekable();
            let mut separator = "";
            while let Some((key, value)) = rest.next() {
                if rest.peek().is_some_and(|(next, _)| next == key) {
                    continue;
                }
                out.push_str(separator);
                separator = ",";
                push_text(out, key);
                out.push(':');
                canonical(out, value.get(), depth + 1)?;
            }
            out.push('}');
        }
        b'[' if depth < DEPTH_MAX => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                canonical(out, item.get(), depth + 1)?;
            }
            out.push(']');
        }
        b'"' if raw.contains('\\') => push_text(out, &serde_json::from_str::<String>(raw).ok()?),
        _ => out.push_str(raw),
    }
    Some(())
}

fn push_text(out: &mut String, text: &str) {
    let plain = text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
    if plain {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&serde_json::Value::from(text).to_string());
    }
}

/// An object's members in the order in which they were written.
pub(crate) struct Entries<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some(key) = map.next_key_seed(Name)? {
                    entries.push((key, map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

/// A key, borrowed unless it was escaped.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }
    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }
    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::bent::bend;

    #[test]
    fn the_same_value_written_twice_has_one_digest() {
        let digester = Digester::new(&[String::new()]).unwrap();
        let a = digester.digest(br#"{"b":[1,{"x":null,"y":"\u0061"}],"a":18446744073709551615}"#);
        let b = digester
            .digest(b"{ \"a\" : 18446744073709551615 , \"b\":[1,{\"y\":\"a\",\"x\":null}]}");
        assert_eq!(a, b);
        let other = digester.digest(br#"{"b":[1,{"x":null,"y":"a"}],"a":18446744073709551614}"#);
        assert_ne!(a, other);
    }

    #[test]
    fn the_canonical_form_is_what_it_says() {
        let digester = Digester::new(&[String::new()]).unwrap();
        let form = |text: &str| digester.form(text.as_bytes());
        for (text, canonical) in [
            (
                r#" {"b":1.0,"a":[ ],"b" : {"z":"\u00e9\/","y":"\u0022"}} "#,
                r#"{"a":[],"b":{"y":"\"","z":"é/"}}"#,
            ),
            (r#"{"\u0062":1,"a\n":2}"#, r#"{"a\n":2,"b":1}"#),
            ("[1e3,-0,true , null]", "[1e3,-0,true,null]"),
            ("\"x\"", "\"x\""),
        ] {
            assert_eq!(form(text).unwrap(), format!("{canonical}\n"), "{text}");
        }
        assert_eq!(form("{"), None);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(form(&deep).unwrap().trim_end(), deep);
    }

    /// Both ways over texts made from valid ones by cutting, adding and replacing bytes.
    #[test]
    fn the_quick_form_is_the_slow_one() {
        let seed = fastrand::u64(..);
        let mut rng = fastrand::Rng::with_seed(seed);
        let seeds = [
            r#"{"b":{"d":1,"c":[true, null]},"a":"x","b":7,"é":{"z":"\n","y":[{"k":1.50}]}}"#,
            r#" [ {"b":"", "a":-1}, {}, [] ] "#,
        ];
        let alphabet = b"\"\\{}[]:,019.-e abcdxyz\x01";
        let mut quick = 0;
        for _ in 0..50_000 {
            let from = seeds[rng.usize(..seeds.len())];
            let Some(text) = bend(&mut rng, from, alphabet) else { continue };
            let (mut form, mut slow) = (String::new(), String::new());
            if canonical::put(&mut form, &text).is_none() {
                assert_eq!(form, "");
                continue;
            }
            quick += 1;
            assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{text}");
            assert_eq!(canonical(&mut slow, &text, 0), Some(()), "seed {seed}: {text}");
            assert_eq!(form, slow, "seed {seed}: {text}");
        }
        assert!(quick > 5_000, "seed {seed}: only {quick}");
    }

    #[test]
    fn only_the_listed_parts_count() {
        let digester = Digester::new(&["/a".into(), "/b".into()]).unwrap();
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

//! The user's field rules: what is taken out of a payload, or made unreadable, before it is kept.

use std::borrow::Cow;
use std::fmt;

use aws_lc_rs::hmac;
use bytes::Bytes;
use serde::de::IgnoredAny;

use crate::generic::digest::canonical;
use crate::generic::pointer::PointerError;

/// Below this depth no rule reaches: the stack must not depend on the vendor.
const DEPTH_MAX: u32 = 32;

/// The token that stands for every element or member.
const EVERY: &str = "*";

/// Rules, ready for use.
#[derive(Clone, Debug)]
pub struct FieldRules {
    root: Node,
    key: Option<FieldKey>,
}

/// The key of the hashes. Shown nowhere.
#[derive(Clone)]
pub struct FieldKey(hmac::Key);

/// A payload that is no JSON has no fields that could be dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotJson;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Drop,
    Hash,
}

#[derive(Clone, Debug, Default)]
struct Node {
    rule: Option<Rule>,
    children: Vec<(Box<str>, Node)>,
}

impl FieldKey {
    /// A key of these bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// HMAC-SHA-256.
    fn sign(&self, bytes: &[u8]) -> hmac::Tag {
        hmac::sign(&self.0, bytes)
    }

    /// The first 128 bits of the HMAC: a digest that nobody without the key can look up.
    pub(crate) fn digest(&self, bytes: &[u8]) -> u128 {
        let tag = self.sign(bytes);
        let first = tag.as_ref().first_chunk::<16>().copied().unwrap_or_default();
        u128::from_be_bytes(first)
    }
}

impl fmt::Debug for FieldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl FieldRules {
    /// Rules from JSON pointers into the payload. A token `*` stands for every element or member.
    /// Where both rules hold, the field is dropped. Without a key a field to be hashed is dropped
    /// too.
    ///
    /// # Errors
    /// If a pointer is none.
    pub fn new(
        drop: &[String],
        hash: &[String],
        key: Option<FieldKey>,
    ) -> Result<Self, PointerError> {
        let mut root = Node::default();
        let hashed = hash.iter().map(|pointer| (pointer, Rule::Hash));
        let dropped = drop.iter().map(|pointer| (pointer, Rule::Drop));
        for (pointer, rule) in hashed.chain(dropped) {
            root.add(pointer)?.rule = Some(rule);
        }
        Ok(Self { root, key })
    }

    /// The key, where there is one.
    pub(crate) fn key(&self) -> Option<&FieldKey> {
        self.key.as_ref()
    }

    /// What may be kept of a payload. Bytes outside of the fields stay as they are.
    pub(crate) fn apply(&self, payload: &Bytes) -> Result<Bytes, NotJson> {
        if payload.is_empty() {
            return Ok(payload.clone());
        }
        let text = std::str::from_utf8(payload).map_err(|_| NotJson)?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|_| NotJson)?;
        let mut kept = String::with_capacity(payload.len());
        self.keep(&mut kept, &self.root, text, 0).ok_or(NotJson)?;
        Ok(if kept == text { payload.clone() } else { Bytes::from(kept) })
    }

    fn keep(&self, out: &mut String, node: &Node, text: &str, depth: u32) -> Option<()> {
        let value = text.trim_ascii();
        match node.rule {
            Some(Rule::Drop) => out.push_str("null"),
            Some(Rule::Hash) => self.hash(out, value)?,
            None if node.children.is_empty() || !value.starts_with(['{', '[']) => {
                out.push_str(text);
            }
            // So deep nothing can be told apart any more, so nothing may be kept.
            None if depth == DEPTH_MAX => out.push_str("null"),
            None => self.keep_members(out, node, text, depth)?,
        }
        Some(())
    }

    fn keep_members(&self, out: &mut String, node: &Node, text: &str, depth: u32) -> Option<()> {
        let begin = text.find(['{', '['])?;
        let end = text.rfind(['}', ']'])?;
        let is_object = text.as_bytes().get(begin) == Some(&b'{');
        out.push_str(text.get(..=begin)?);
        let mut separator = "";
        for (index, member) in members(text.get(begin + 1..end)?).into_iter().enumerate() {
            let (name, value) = match is_object {
                true => split_member(member)?,
                false => (Cow::Owned(index.to_string()), member),
            };
            let child = node.find(&name);
            if child.is_some_and(|child| child.rule == Some(Rule::Drop) || self.lacks_key(child)) {
                continue;
            }
            out.push_str(separator);
            separator = ",";
            out.push_str(member.get(..member.len() - value.len())?);
            match child {
                Some(child) => self.keep(out, child, value, depth + 1)?,
                None => out.push_str(value),
            }
        }
        out.push_str(text.get(end..)?);
        Some(())
    }

    fn lacks_key(&self, node: &Node) -> bool {
        node.rule == Some(Rule::Hash) && self.key.is_none()
    }

    /// The HMAC of a text's content, or of the canonical form of anything else; null stays null.
    fn hash(&self, out: &mut String, value: &str) -> Option<()> {
        let Some(key) = self.key.as_ref().filter(|_| value != "null") else {
            out.push_str("null");
            return Some(());
        };
        let mut form = String::new();
        if value.starts_with('"') {
            form = serde_json::from_str(value).ok()?;
        } else {
            canonical(&mut form, value, 0)?;
        }
        out.push('"');
        for byte in key.sign(form.as_bytes()).as_ref() {
            for nibble in [byte >> 4, byte & 0xf] {
                out.extend(char::from_digit(u32::from(nibble), 16));
            }
        }
        out.push('"');
        Some(())
    }
}

impl Node {
    fn add(&mut self, pointer: &str) -> Result<&mut Self, PointerError> {
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(PointerError::NoSlash(pointer.to_owned()));
        }
        let mut node = self;
        for token in pointer.split('/').skip(1) {
            let name = token.replace("~1", "/").replace("~0", "~");
            let known = node.children.iter().position(|(known, _)| **known == *name);
            let at = known.unwrap_or(node.children.len());
            if known.is_none() {
                node.children.push((name.into(), Self::default()));
            }
            node = &mut node.children[at].1;
        }
        Ok(node)
    }

    /// A rule for this name wins over one for every name.
    fn find(&self, name: &str) -> Option<&Self> {
        let named = |wanted: &str| self.children.iter().find(|(known, _)| **known == *wanted);
        named(name).or_else(|| named(EVERY)).map(|(_, node)| node)
    }
}

/// What stands between the commas of an object or array (of JSON that is known to be right).
pub(crate) fn members(inside: &str) -> Vec<&str> {
    let (mut members, mut begin) = (Vec::new(), 0);
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                members.extend(inside.get(begin..at));
                begin = at + 1;
            }
            _ => {}
        }
    }
    let last = inside.get(begin..).filter(|last| !last.trim_ascii().is_empty());
    members.extend(last);
    members
}

/// A member's name and its value, with the white space around it.
pub(crate) fn split_member(member: &str) -> Option<(Cow<'_, str>, &str)> {
    let begin = member.find('"')? + 1;
    let mut escaped = false;
    let inside = member.get(begin..)?;
    let end = inside.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    let name = inside.get(..end)?;
    let behind = inside.get(end + 1..)?;
    let value = behind.get(behind.find(':')? + 1..)?;
    let name = match name.contains('\\') {
        true => Cow::Owned(serde_json::from_str(member.get(begin - 1..=begin + end)?).ok()?),
        false => Cow::Borrowed(name),
    };
    Some((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(drop: &[&str], hash: &[&str], payload: &str) -> String {
        let owned = |list: &[&str]| list.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>();
        let key = Some(FieldKey::new(b"key"));
        let rules = FieldRules::new(&owned(drop), &owned(hash), key).unwrap();
        let kept = rules.apply(&Bytes::copy_from_slice(payload.as_bytes())).unwrap();
        String::from_utf8(kept.to_vec()).unwrap()
    }

    #[test]
    fn a_dropped_field_is_gone_and_every_other_byte_is_as_it_was() {
        for (payload, expected) in [
            (r#"{ "a" : 1, "b":[1, 2] , "c":"x" }"#, r#"{ "a" : 1, "c":"x" }"#),
            (r#"{"b":1}"#, "{}"),
            (r#"{"b":1,"b":{"b":2}, "a":"b,\"b\":3"}"#, r#"{ "a":"b,\"b\":3"}"#),
            (r#"{"\u0062":"secret","a":1}"#, r#"{"a":1}"#),
            (r#"{"a":{"b":1}}"#, r#"{"a":{"b":1}}"#),
            ("[1]", "[1]"),
            ("\"b\"", "\"b\""),
        ] {
            assert_eq!(kept(&["/b"], &[], payload), expected, "{payload}");
        }
    }

    #[test]
    fn pointers_lead_into_objects_arrays_and_every_element() {
        let payload = r#"{"a":[{"n":1,"p":"x"},{"n":2,"p":"y"}],"m/n":{"q":[[7],8]}}"#;
        let expected = r#"{"a":[{"n":1},{"n":2}],"m/n":{"q":[[7],8]}}"#;
        assert_eq!(kept(&["/a/*/p"], &[], payload), expected);
        let expected = r#"{"a":[{"n":1,"p":"x"},{"n":2}],"m/n":{"q":[8]}}"#;
        assert_eq!(kept(&["/a/1/p", "/m~1n/q/0"], &[], payload), expected);
        assert_eq!(kept(&[""], &[], payload), "null");
    }

    #[test]
    fn a_hash_is_the_hmac_of_the_text_and_the_same_however_it_is_escaped() {
        // echo -n "The quick brown fox jumps over the lazy dog" | openssl dgst -sha256 -hmac key
        let hmac = "f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8";
        let payload = r#"{"a":"The quick brown fox jumps over the lazy dog", "b" : 1}"#;
        assert_eq!(kept(&[], &["/a"], payload), format!(r#"{{"a":"{hmac}", "b" : 1}}"#));
        let escaped = payload.replace("The", r"\u0054he");
        assert_eq!(kept(&[], &["/a"], &escaped), format!(r#"{{"a":"{hmac}", "b" : 1}}"#));
        let of = |payload| kept(&[], &["/a"], payload);
        assert_eq!(of(r#"{"a":{"x":1,"y":2}}"#), of(r#"{"a":{"y":2, "x":1}}"#));
        assert_eq!(of(r#"{"a":null}"#), r#"{"a":null}"#);
    }

    #[test]
    fn drop_wins_over_hash_and_without_a_key_nothing_is_shown() {
        assert_eq!(kept(&["/a"], &["/a"], r#"{"a":1}"#), "{}");
        let rules = FieldRules::new(&[], &["/a".into()], None).unwrap();
        let kept = rules.apply(&Bytes::from_static(br#"{"a":1,"b":2}"#)).unwrap();
        assert_eq!(kept, Bytes::from_static(br#"{"b":2}"#));
    }

    #[test]
    fn what_is_no_json_and_what_is_too_deep_is_not_kept() {
        let rules = FieldRules::new(&["/a".into()], &[], None).unwrap();
        for payload in ["{", "x", "{} {}"] {
            assert_eq!(rules.apply(&Bytes::copy_from_slice(payload.as_bytes())), Err(NotJson));
        }
        assert_eq!(rules.apply(&Bytes::new()), Ok(Bytes::new()));
        let stars = "/*".repeat(40);
        let deep = format!("{}\"hunter2\"{}", "[".repeat(40), "]".repeat(40));
        assert!(!kept(&[&stars], &[], &deep).contains("hunter2"));
    }

    #[test]
    fn the_key_is_not_shown() {
        let rules = FieldRules::new(&[], &[], Some(FieldKey::new(b"hunter2"))).unwrap();
        assert!(!format!("{rules:?}").contains("hunter2"));
    }
}

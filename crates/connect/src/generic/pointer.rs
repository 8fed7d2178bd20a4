//! Several JSON pointers answered in one pass over a text.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::generic::scan::{DEPTH_MAX, Opening, Scan};

/// Most pointers one [`Extractor`] may hold: results live on the stack.
pub(crate) const SLOTS_MAX: usize = 32;

/// What the pointers found: the JSON text of each value.
pub(crate) type Found<'a> = [Option<&'a str>; SLOTS_MAX];

/// Which pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot(usize);

impl Slot {
    /// What it found.
    pub(crate) fn of<'a>(self, found: &Found<'a>) -> Option<&'a str> {
        found.get(self.0).copied().flatten()
    }
}

/// Pointers as a tree.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extractor {
    root: Node,
    count: usize,
}

#[derive(Clone, Debug, Default)]
struct Node {
    slot: Option<usize>,
    children: Vec<(Box<str>, Node)>,
}

/// A pointer that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PointerError {
    /// It does not begin with a slash.
    #[error("JSON pointer `{0}` does not begin with `/`")]
    NoSlash(String),
    /// There are too many of them.
    #[error("profile has more than {SLOTS_MAX} pointers into one text")]
    TooMany,
}

impl Extractor {
    /// Adds a pointer; the same pointer twice is one slot.
    pub(crate) fn add(&mut self, pointer: &str) -> Result<Slot, PointerError> {
        let mut node = &mut self.root;
        if !pointer.is_empty() {
            let path = pointer
                .strip_prefix('/')
                .ok_or_else(|| PointerError::NoSlash(pointer.to_owned()))?;
            for token in path.split('/') {
                node = node.child(&token.replace("~1", "/").replace("~0", "~"));
            }
        }
        if let Some(slot) = node.slot {
            return Ok(Slot(slot));
        }
        if self.count == SLOTS_MAX {
            return Err(PointerError::TooMany);
        }
        node.slot = Some(self.count);
        self.count += 1;
        Ok(Slot(self.count - 1))
    }

    /// Answers all pointers. Of a key that comes twice in an object the last one counts.
    ///
    /// # Errors
    /// If the text is no JSON.
    pub(crate) fn extract<'a>(&self, text: &'a str) -> Result<Found<'a>, serde_json::Error> {
        let mut found = [None; SLOTS_MAX];
        let mut scan = Scan::new(text);
        scan.space();
        if stroll(&self.root, &mut scan, &mut found, 0).is_some() && scan.is_done() {
            return Ok(found);
        }
        self.extract_slowly(text)
    }

    /// The same for every text, and with the reason if it is no JSON.
    fn extract_slowly<'a>(&self, text: &'a str) -> Result<Found<'a>, serde_json::Error> {
        let mut found = [None; SLOTS_MAX];
        walk(&self.root, text, &mut found)?;
        Ok(found)
    }
}

impl Node {
    fn child(&mut self, name: &str) -> &mut Node {
        let known = self.children.iter().position(|(known, _)| **known == *name);
        let at = known.unwrap_or(self.children.len());
        if known.is_none() {
            self.children.push((name.into(), Node::default()));
        }
        &mut self.children[at].1
    }

    fn find(&self, name: &str) -> Option<&Node> {
        self.children.iter().find(|(known, _)| **known == *name).map(|(_, node)| node)
    }
}

/// One pass over a value as vendors write them; `None`: not for this way.
fn stroll<'a>(node: &Node, scan: &mut Scan<'a>, found: &mut Found<'a>, depth: u32) -> Option<()> {
    let begin = scan.place();
    let opening = scan.opening().filter(|_| depth < DEPTH_MAX)?;
    if node.children.is_empty() || opening == Opening::Scalar {
        scan.value(depth)?;
    } else {
        let (mut is_first, mut index) = (true, 0_usize);
        scan.take(if opening == Opening::Object { b'{' } else { b'[' });
        loop {
            let child = match opening {
                Opening::Object => scan.member(is_first)?.map(|name| node.find(name)),
                _ => scan.item(is_first)?.then(|| node.find(&index.to_string())),
            };
            match child {
                None => break,
                Some(Some(child)) => stroll(child, scan, found, depth + 1)?,
                Some(None) => drop(scan.value(depth + 1)?),
            }
            is_first = false;
            index += 1;
        }
    }
    if let Some(place) = node.slot.and_then(|slot| found.get_mut(slot)) {
        *place = Some(scan.since(begin)?);
    }
    Some(())
}

fn walk<'a>(node: &Node, text: &'a str, found: &mut Found<'a>) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Visit { node, found, captured: false }.deserialize(&mut deserializer)?;
    deserializer.end()
}

struct Visit<'n, 'f, 'a> {
    node: &'n Node,
    found: &'f mut Found<'a>,
    /// The node's own value is in its slot already.
    captured: bool,
}

impl<'a> DeserializeSeed<'a> for Visit<'_, '_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        let slot = self.node.slot.filter(|_| !self.captured);
        let Some(place) = slot.and_then(|slot| self.found.get_mut(slot)) else {
            return deserializer.deserialize_any(self);
        };
        let raw = <&'a RawValue>::deserialize(deserializer)?.get();
        *place = Some(raw);
        if self.node.children.is_empty() || !raw.starts_with(['{', '[']) {
            return Ok(());
        }
        // A value that is wanted whole and in parts is walked a second time.
        let mut inner = serde_json::Deserializer::from_str(raw);
        let again = Visit { node: self.node, found: self.found, captured: true };
        again.deserialize(&mut inner).map_err(Error::custom)
    }
}

impl<'a> Visitor<'a> for Visit<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(child) = map.next_key_seed(Name(self.node))? {
            match child {
                Some(node) => {
                    map.next_value_seed(Visit { node, found: self.found, captured: false })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<(), A::Error> {
        for index in 0_usize.. {
            let more = match self.node.find(&index.to_string()) {
                Some(node) => seq
                    .next_element_seed(Visit { node, found: self.found, captured: false })?
                    .is_some(),
                None => seq.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads an object's key and finds the child of that name.
struct Name<'n>(&'n Node);

impl<'a, 'n> DeserializeSeed<'a> for Name<'n> {
    type Value = Option<&'n Node>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Name<'n> {
    type Value = Option<&'n Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.find(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::bent::bend;

    fn found<'a>(pointers: &[&str], text: &'a str) -> Vec<Option<&'a str>> {
        let mut extractor = Extractor::default();
        let slots: Vec<Slot> = pointers.iter().map(|p| extractor.add(p).unwrap()).collect();
        let found = extractor.extract(text).unwrap();
        slots.iter().map(|slot| slot.of(&found)).collect()
    }

    #[test]
    fn values_come_back_as_they_were_written() {
        let text = r#"{"a":{"b":[1, {"c":"x\"y"}],"n":18446744073709551615},
            "d" : null ,"a/b":2,"\u0065":3}"#;
        let pointers = ["/a/b/1/c", "/a/n", "/a", "/d", "/a~1b", "/e", "/a/b/7", "/a/n/x", ""];
        assert_eq!(
            found(&pointers, text),
            [
                Some(r#""x\"y""#),
                Some("18446744073709551615"),
                Some(r#"{"b":[1, {"c":"x\"y"}],"n":18446744073709551615}"#),
                Some("null"),
                Some("2"),
                Some("3"),
                None,
                None,
                Some(text),
            ]
        );
    }

    /// Both ways over texts made from valid ones by cutting, adding and replacing bytes.
    #[test]
    fn the_quick_way_finds_what_the_slow_way_finds() {
        let seed = fastrand::u64(..);
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut extractor = Extractor::default();
        for pointer in ["", "/a", "/a/b", "/a/b/1", "/a/b/0/c", "/n", "/t", "/", "/a/x/y"] {
            extractor.add(pointer).unwrap();
        }
        let seeds = [
            r#"{"a":{"b":[{"c":"x"}, 2 ],"x":{"y":[]}},"n":18446744073709551615,"t":"q\"q"}"#,
            r#" {"n":null,"a":{"b":[1]},"a":{"x":{"y":true}},"":7} "#,
            r#"{"t":"\u0041","n":1e5,"a":"b"}"#,
        ];
        let alphabet = b"\"\\{}[]:,019.-e ubant\x01";
        let (mut same, mut quick) = (0, 0);
        for _ in 0..50_000 {
            let from = seeds[rng.usize(..seeds.len())];
            let Some(text) = bend(&mut rng, from, alphabet) else { continue };
            let slow = extractor.extract_slowly(&text).map_err(|error| error.to_string());
            let found = extractor.extract(&text).map_err(|error| error.to_string());
            assert_eq!(found, slow, "seed {seed}: {text}");
            same += usize::from(slow.is_ok());
            let mut scan = Scan::new(&text);
            scan.space();
            let strolled = stroll(&extractor.root, &mut scan, &mut [None; SLOTS_MAX], 0);
            quick += usize::from(strolled.is_some() && scan.is_done());
        }
        assert!(same > 10_000 && quick > 5_000, "seed {seed}: {same} valid, {quick} quickly");
    }

    #[test]
    fn the_same_pointer_twice_is_one_slot() {
        let mut extractor = Extractor::default();
        assert_eq!(extractor.add("/a").unwrap(), extractor.add("/a").unwrap());
    }

    #[test]
    fn wrong_pointers_are_refused() {
        let mut extractor = Extractor::default();
        assert_eq!(extractor.add("a"), Err(PointerError::NoSlash("a".into())));
        for n in 0..SLOTS_MAX {
            extractor.add(&format!("/{n}")).unwrap();
        }
        assert_eq!(extractor.add("/one-more"), Err(PointerError::TooMany));
    }

    #[test]
    fn broken_texts_are_errors_and_deep_ones_do_no_harm() {
        let mut extractor = Extractor::default();
        extractor.add("/a/b").unwrap();
        extractor.add("/a").unwrap();
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        for text in ["", "{", r#"{"a":{"b":}}"#, r#"{"a":1}x"#, "{1:2}"] {
            assert!(extractor.extract(text).is_err());
        }
        for text in ["1", "[]", "null", "\"x\"", r#"{"a":[1]}"#, deep.as_str()] {
            assert!(extractor.extract(text).is_ok());
        }
    }
}

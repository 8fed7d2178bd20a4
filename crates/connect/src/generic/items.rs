//! The events of a frame or the rows of a page: one list, lists in lists, or members of objects.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::generic::digest::Entries;
use crate::generic::pointer::{Extractor, Found, PointerError, Slot};

/// The token that stands for every element.
const EVERY: &str = "*";

/// The way to the items.
#[derive(Clone, Debug)]
pub(crate) struct Items {
    first: Slot,
    /// From each element to the list in it.
    deeper: Vec<(Extractor, Slot)>,
    map: bool,
    optional: bool,
}

/// One item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element<'a> {
    pub(crate) raw: &'a str,
    /// The nearest member's name on the way to it, as a JSON text.
    pub(crate) name: Option<String>,
}

/// Why there is no list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoItems {
    /// Nothing is there (or null).
    Missing,
    /// Something else is there.
    NoList,
}

impl Items {
    pub(crate) fn new(
        pointer: &str,
        outer: &mut Extractor,
        (map, optional): (bool, bool),
    ) -> Result<Self, PointerError> {
        let mut ways = vec![String::new()];
        for token in pointer.split('/').skip(1) {
            match ways.last_mut() {
                Some(way) if token != EVERY => {
                    way.push('/');
                    way.push_str(token);
                }
                _ => ways.push(String::new()),
            }
        }
        if !pointer.is_empty() && !pointer.starts_with('/') {
            return Err(PointerError::NoSlash(pointer.to_owned()));
        }
        let mut ways = ways.into_iter();
        let first = outer.add(&ways.next().unwrap_or_default())?;
        let deeper = ways.map(|way| {
            let mut extractor = Extractor::default();
            let slot = extractor.add(&way)?;
            Ok((extractor, slot))
        });
        Ok(Self { first, deeper: deeper.collect::<Result<_, _>>()?, map, optional })
    }

    /// All items, in the order in which they were written.
    pub(crate) fn of<'a>(&self, found: &Found<'a>) -> Result<Vec<Element<'a>>, NoItems> {
        let mut elements = self.list(self.first.of(found), None)?;
        for (extractor, slot) in &self.deeper {
            let mut below = Vec::new();
            for element in elements {
                let found = extractor.extract(element.raw).map_err(|_| NoItems::NoList)?;
                below.extend(self.list(slot.of(&found), element.name.as_deref())?);
            }
            elements = below;
        }
        Ok(elements)
    }

    fn list<'a>(
        &self,
        raw: Option<&'a str>,
        above: Option<&str>,
    ) -> Result<Vec<Element<'a>>, NoItems> {
        let named = |raw: &'a RawValue, name| Element { raw: raw.get(), name };
        match raw {
            None | Some("null") if self.optional => Ok(Vec::new()),
            None | Some("null") => Err(NoItems::Missing),
            Some(raw) if raw.starts_with('{') && self.map => {
                let Entries(entries) = serde_json::from_str(raw).map_err(|_| NoItems::NoList)?;
                let quoted = |name: Cow<'_, str>| Some(serde_json::Value::from(name).to_string());
                Ok(entries.into_iter().map(|(name, raw)| named(raw, quoted(name))).collect())
            }
            Some(raw) => {
                let raws: Vec<&RawValue> =
                    serde_json::from_str(raw).map_err(|_| NoItems::NoList)?;
                Ok(raws.into_iter().map(|raw| named(raw, above.map(str::to_owned))).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Found = Result<Vec<(String, Option<String>)>, NoItems>;

    fn items(pointer: &str, map: bool, optional: bool, text: &str) -> Found {
        let mut outer = Extractor::default();
        let items = Items::new(pointer, &mut outer, (map, optional)).unwrap();
        let elements = items.of(&outer.extract(text).unwrap())?;
        Ok(elements.into_iter().map(|e| (e.raw.to_owned(), e.name)).collect())
    }

    fn raws(pointer: &str, map: bool, text: &str) -> Vec<String> {
        items(pointer, map, false, text).unwrap().into_iter().map(|(raw, _)| raw).collect()
    }

    #[test]
    fn lists_in_lists_are_one_list() {
        let text = r#"{"groups":[{"events":[1,2]},{"events":[]},{"events":[3]}],"flat":[[1],[2]]}"#;
        assert_eq!(raws("/groups/*/events", false, text), ["1", "2", "3"]);
        assert_eq!(raws("/flat/*", false, text), ["1", "2"]);
        assert_eq!(raws("", false, "[1,2]"), ["1", "2"]);
    }

    #[test]
    fn members_of_an_object_have_names() {
        let text = r#"{"agents":{"a\"1":{"n":1},"b":{"n":2}},"by":{"x":[1,2]}}"#;
        let named = items("/agents", true, false, text).unwrap();
        assert_eq!(named[0], (r#"{"n":1}"#.into(), Some(r#""a\"1""#.into())));
        assert_eq!(named[1].1.as_deref(), Some("\"b\""));
        let below = items("/by/*", true, false, text).unwrap();
        assert_eq!(below[1], ("2".into(), Some("\"x\"".into())));
    }

    #[test]
    fn what_is_missing_is_told_from_what_is_no_list() {
        assert_eq!(items("/a", false, false, "{}"), Err(NoItems::Missing));
        assert_eq!(items("/a", false, false, r#"{"a":null}"#), Err(NoItems::Missing));
        assert_eq!(items("/a", false, true, "{}"), Ok(Vec::new()));
        assert_eq!(items("/a", false, false, r#"{"a":{"b":1}}"#), Err(NoItems::NoList));
        assert_eq!(items("/a", true, true, r#"{"a":"x"}"#), Err(NoItems::NoList));
        assert_eq!(items("/a/*/b", false, false, r#"{"a":[1]}"#), Err(NoItems::Missing));
    }

    #[test]
    fn a_star_inside_a_longer_token_is_a_letter() {
        assert_eq!(raws("/a*", false, r#"{"a*":[1]}"#), ["1"]);
        let wrong = Items::new("a", &mut Extractor::default(), (false, false)).unwrap_err();
        assert_eq!(wrong, PointerError::NoSlash("a".into()));
    }
}

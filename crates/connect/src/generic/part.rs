//! Where a part of an event or a row is.

use crate::generic::pointer::{Extractor, Found, PointerError, Slot};

/// What stands before a pointer into what holds the item.
const OUTER: &str = "outer:";

/// The name of the member that the item is.
const NAME: &str = "@name";

/// Where a part is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// In the item.
    Item(Slot),
    /// In the frame or page that holds the item.
    Outer(Slot),
    /// It is the name under which the item stands in an object.
    Name,
}

/// What one item's parts are read from.
pub(crate) struct Scene<'a> {
    pub(crate) outer: &'a Found<'a>,
    pub(crate) item: &'a Found<'a>,
    /// As a JSON text.
    pub(crate) name: Option<&'a str>,
}

/// The extractors of an item, and of what holds it; `None`: the item is all there is.
pub(crate) struct Extractors<'e> {
    pub(crate) outer: &'e mut Extractor,
    pub(crate) item: Option<&'e mut Extractor>,
}

impl Extractors<'_> {
    /// A pointer into the item.
    pub(crate) fn item(&mut self, pointer: &str) -> Result<Slot, PointerError> {
        match &mut self.item {
            Some(item) => item.add(pointer),
            None => self.outer.add(pointer),
        }
    }

    pub(crate) fn part(&mut self, text: &str) -> Result<Part, PointerError> {
        match text.strip_prefix(OUTER) {
            Some(pointer) => Ok(Part::Outer(self.outer.add(pointer)?)),
            None if text == NAME => Ok(Part::Name),
            None => Ok(Part::Item(self.item(text)?)),
        }
    }

    pub(crate) fn optional(&mut self, text: Option<&str>) -> Result<Option<Part>, PointerError> {
        text.map(|text| self.part(text)).transpose()
    }
}

impl Part {
    /// The JSON text that is there.
    pub(crate) fn of<'a>(self, scene: &Scene<'a>) -> Option<&'a str> {
        match self {
            Self::Item(slot) => slot.of(scene.item),
            Self::Outer(slot) => slot.of(scene.outer),
            Self::Name => scene.name,
        }
    }
}

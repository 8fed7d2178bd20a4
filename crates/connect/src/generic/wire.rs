//! Frames, read by the profile's pointers.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use unbroken_core::connector::{Capabilities, Decoded, Failure, Item, Numbering};
use unbroken_core::ids::{Key, Label};

use crate::generic::classify::Classifier;
use crate::generic::connector::ProfileError;
use crate::generic::event::{EventSlots, Numbers};
use crate::generic::items::{Items, NoItems};
use crate::generic::keeping::Keeping;
use crate::generic::part::{Extractors, Scene};
use crate::generic::pointer::{Extractor, Found, PointerError, Slot};
use crate::generic::profile::{FrameKind, FrameRule, FramesProfile, PositionFormat, Rule, Scalar};
use crate::generic::value;

/// The profile's frames, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    frame: Extractor,
    kinds: Vec<Kind>,
    subscription: Option<Slot>,
    epoch: Option<Slot>,
    items: Option<(Items, Extractor)>,
    event: EventSlots,
    ack: Option<Slot>,
    covered: Option<Slot>,
    refused: Option<Slot>,
    heartbeat: Option<Slot>,
    closing: Option<(Slot, u32)>,
    numbers: Numbers,
    bookmark: Option<Slot>,
    more: Option<Condition>,
}

#[derive(Clone, Debug)]
struct Kind {
    first: Condition,
    and: Option<Condition>,
    is: FrameKind,
}

#[derive(Clone, Debug)]
struct Condition {
    at: Slot,
    equals: Option<Scalar>,
}

fn add(extractor: &mut Extractor, pointer: Option<&String>) -> Result<Option<Slot>, PointerError> {
    pointer.map(|pointer| extractor.add(pointer)).transpose()
}

impl Condition {
    fn new(extractor: &mut Extractor, rule: &Rule) -> Result<Self, PointerError> {
        Ok(Self { at: extractor.add(&rule.at)?, equals: rule.equals.clone() })
    }

    fn holds(&self, found: &Found<'_>) -> bool {
        value::holds(self.at.of(found), self.equals.as_ref())
    }
}

impl Kind {
    fn new(frame: &mut Extractor, rule: &FrameRule) -> Result<Self, PointerError> {
        let first = Rule { at: rule.at.clone(), equals: rule.equals.clone() };
        Ok(Self {
            first: Condition::new(frame, &first)?,
            and: rule.and.as_ref().map(|rule| Condition::new(frame, rule)).transpose()?,
            is: rule.is,
        })
    }

    fn holds(&self, found: &Found<'_>) -> bool {
        self.first.holds(found) && self.and.as_ref().is_none_or(|and| and.holds(found))
    }
}

impl Wire {
    pub(crate) fn new(
        profile: &FramesProfile,
        capabilities: &Capabilities,
        format: PositionFormat,
        polled: bool,
    ) -> Result<Self, ProfileError> {
        let mut frame = Extractor::default();
        let kinds = profile
            .kinds
            .iter()
            .map(|rule| Kind::new(&mut frame, rule))
            .collect::<Result<_, _>>()?;
        let fields = &profile.event;
        let (items, event) = match &fields.items {
            Some(pointer) => {
                let how = (fields.items_map, fields.items_optional);
                let items = Items::new(pointer, &mut frame, how)?;
                let mut item = Extractor::default();
                let extractors = Extractors { outer: &mut frame, item: Some(&mut item) };
                let event = EventSlots::new(extractors, fields)?;
                (Some((items, item)), event)
            }
            None => {
                let extractors = Extractors { outer: &mut frame, item: None };
                (None, EventSlots::new(extractors, fields)?)
            }
        };
        let closing = match (&profile.closing.within_s, &profile.closing.within_ms) {
            (Some(pointer), _) => Some((frame.add(pointer)?, 1_000)),
            (None, Some(pointer)) => Some((frame.add(pointer)?, 1)),
            (None, None) => None,
        };
        let opaque = capabilities.position == Numbering::Opaque;
        let positioned = capabilities.position != Numbering::None;
        let booked = opaque && (polled || profile.bookmark.is_some());
        if positioned && fields.sequence.is_none() && !booked {
            return Err(ProfileError::NoSequence);
        }
        if opaque && fields.sequence.is_some() && !capabilities.position_unique {
            return Err(ProfileError::SharedBookmark);
        }
        let bookmark = add(&mut frame, profile.bookmark.as_ref().filter(|_| opaque))?;
        Ok(Self {
            subscription: add(&mut frame, profile.subscription.as_ref())?,
            epoch: add(&mut frame, profile.epoch.as_ref())?,
            ack: add(&mut frame, profile.ack.position.as_ref())?,
            covered: add(&mut frame, profile.coverage.keys.as_ref())?,
            refused: add(&mut frame, profile.coverage.refused.as_ref())?,
            heartbeat: add(&mut frame, profile.heartbeat.position.as_ref())?,
            more: profile.more.as_ref().map(|r| Condition::new(&mut frame, r)).transpose()?,
            frame,
            kinds,
            items,
            event,
            closing,
            numbers: Numbers { positioned, opaque, format },
            bookmark,
        })
    }

    pub(crate) fn decode(
        &self,
        bytes: &Bytes,
        classifier: &Classifier,
        keeping: &Keeping,
        wanted: impl FnOnce() -> Arc<[Key]>,
    ) -> Decoded {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return poison(keeping.poison(bytes, "frame: expected UTF-8".into()));
        };
        let found = match self.frame.extract(text) {
            Ok(found) => found,
            Err(error) => {
                let reason = Label::new(format!("frame: {}", shape(&error)));
                return poison(keeping.poison(bytes, reason));
            }
        };
        let label = |slot: Option<Slot>| value::label(slot?.of(&found)?);
        let mut decoded = Decoded {
            subscription: label(self.subscription),
            epoch: label(self.epoch),
            items: Vec::new(),
        };
        let kind = self.kinds.iter().find(|kind| kind.holds(&found)).map(|kind| kind.is);
        match kind {
            None => decoded.items.push(Item::Unknown),
            Some(FrameKind::Event) => self.events(&mut decoded, bytes, &found, false, keeping),
            Some(FrameKind::Deletion) => self.events(&mut decoded, bytes, &found, true, keeping),
            Some(FrameKind::Ack) => {
                decoded.items.extend(self.dark(&found, wanted));
                decoded.items.extend(self.said(self.ack, &found));
                decoded.items.push(Item::Ack { position: self.position(self.ack, &found) });
            }
            Some(FrameKind::AckPlain) => {
                decoded.items.extend(self.dark(&found, wanted));
                decoded.items.push(Item::Ack { position: None });
            }
            Some(FrameKind::Heartbeat) => {
                decoded.items.extend(self.said(self.heartbeat, &found));
                let position = self.position(self.heartbeat, &found);
                if position.is_some() {
                    decoded.items.push(Item::Heartbeat { position });
                }
            }
            // A sign of life: what it confirms was asked for before the machine knew of the socket.
            Some(FrameKind::LoginAck) => {}
            Some(FrameKind::LoginRefused) => {
                decoded.items.push(Item::Refusal(classifier.login(text)));
            }
            Some(FrameKind::Error) => decoded.items.push(Item::Refusal(classifier.frame(text))),
            Some(FrameKind::Closing) => {
                let within = self
                    .closing
                    .and_then(|(slot, scale)| value::duration_ms(slot.of(&found)?, scale));
                decoded.items.push(Item::Closing { within_ms: within });
            }
        }
        if matches!(kind, Some(FrameKind::Event | FrameKind::Deletion | FrameKind::Heartbeat)) {
            decoded.items.extend(self.said(self.bookmark, &found));
            let is_split = self.more.as_ref().is_some_and(|more| more.holds(&found));
            decoded.items.extend(is_split.then_some(Item::More));
        }
        decoded
    }

    /// Whether logins are confirmed.
    pub(crate) fn knows_login_ack(&self) -> bool {
        self.kinds.iter().any(|kind| kind.is == FrameKind::LoginAck)
    }

    /// What a frame says of a login under way; `None`: nothing.
    pub(crate) fn login(
        &self,
        bytes: &[u8],
        classifier: &Classifier,
    ) -> Option<Result<(), Failure>> {
        let text = std::str::from_utf8(bytes).ok()?;
        let found = self.frame.extract(text).ok()?;
        match self.kinds.iter().find(|kind| kind.holds(&found))?.is {
            FrameKind::LoginAck => Some(Ok(())),
            FrameKind::LoginRefused => Some(Err(classifier.login(text))),
            FrameKind::Error => Some(Err(classifier.frame(text))),
            _ => None,
        }
    }

    /// Whether confirmations list the keys that they cover.
    pub(crate) fn names_covered(&self) -> bool {
        self.covered.is_some()
    }

    /// An opaque position at this place.
    fn said(&self, slot: Option<Slot>, found: &Found<'_>) -> Option<Item> {
        let at = value::bookmark(slot.filter(|_| self.numbers.opaque)?.of(found)?)?;
        Some(Item::Bookmark { at })
    }

    /// How many of the wanted keys a confirmation leaves out, if it does.
    fn dark(&self, found: &Found<'_>, wanted: impl FnOnce() -> Arc<[Key]>) -> Option<Item> {
        let array =
            |slot: Option<Slot>| serde_json::from_str::<Vec<&RawValue>>(slot?.of(found)?).ok();
        let refused = array(self.refused).map_or(0, |refused| refused.len());
        let left_out = array(self.covered).map_or(0, |covered| {
            let encoding = self.event.key_encoding();
            let covered: BTreeSet<Key> =
                covered.iter().filter_map(|raw| value::key(raw.get(), encoding)).collect();
            wanted().iter().filter(|key| !covered.contains(*key)).count()
        });
        let keys = refused.max(left_out) as u64;
        (keys > 0).then_some(Item::Dark { keys, why: None })
    }

    fn position(&self, slot: Option<Slot>, found: &Found<'_>) -> Option<u64> {
        let numbers = self.numbers;
        let slot = slot.filter(|_| numbers.positioned && !numbers.opaque)?;
        value::position(slot.of(found), numbers.format).ok()
    }

    fn events(
        &self,
        decoded: &mut Decoded,
        bytes: &Bytes,
        found: &Found<'_>,
        deleted: bool,
        keeping: &Keeping,
    ) {
        let Some((items, extractor)) = &self.items else {
            let scene = Scene { outer: found, item: found, name: None };
            decoded.items.push(self.event(bytes, bytes, &scene, deleted, keeping));
            return;
        };
        let elements = match items.of(found) {
            Ok(elements) => elements,
            Err(NoItems::Missing) => return decoded.items.push(Item::Unknown),
            Err(NoItems::NoList) => {
                let reason = "frame.items: expected a list".into();
                return decoded.items.push(keeping.poison(bytes, reason));
            }
        };
        decoded.items.reserve(elements.len());
        for element in elements {
            let whole = bytes.slice_ref(element.raw.as_bytes());
            let item = match extractor.extract(element.raw) {
                Ok(item) => {
                    let scene = Scene { outer: found, item: &item, name: element.name.as_deref() };
                    self.event(bytes, &whole, &scene, deleted, keeping)
                }
                Err(error) => {
                    keeping.poison(&whole, Label::new(format!("frame.items: {}", shape(&error))))
                }
            };
            decoded.items.push(item);
        }
    }

    fn event(
        &self,
        frame: &Bytes,
        whole: &Bytes,
        scene: &Scene<'_>,
        deleted: bool,
        keeping: &Keeping,
    ) -> Item {
        match self.event.read(frame, scene, deleted, self.numbers, keeping) {
            Ok(event) => Item::Event(event),
            Err(reason) => keeping.poison(whole, reason),
        }
    }
}

/// Where the JSON broke, without any of it.
pub(crate) fn shape(error: &serde_json::Error) -> String {
    let kind = match error.classify() {
        serde_json::error::Category::Eof => "JSON ends early",
        serde_json::error::Category::Io => "unreadable",
        _ => "expected JSON",
    };
    format!("{kind} at line {} column {}", error.line(), error.column())
}

fn poison(item: Item) -> Decoded {
    Decoded { items: vec![item], ..Decoded::default() }
}

//! Frames, read by the profile's pointers.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::value::RawValue;
use unbroken_core::connector::{Capabilities, Decoded, Event, Item, Numbering};
use unbroken_core::ids::{Key, Label};

use crate::generic::classify::Classifier;
use crate::generic::connector::ProfileError;
use crate::generic::digest::Digester;
use crate::generic::pointer::{Extractor, Found, PointerError, Slot};
use crate::generic::profile::{
    Encoding, EventFields, FrameKind, FrameRule, FramesProfile, Rule, Scalar, TimeFormat,
};
use crate::generic::value;

/// The profile's frames, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Wire {
    frame: Extractor,
    kinds: Vec<Kind>,
    subscription: Option<Slot>,
    epoch: Option<Slot>,
    items: Option<Items>,
    event: EventSlots,
    ack: Option<Slot>,
    covered: Option<Slot>,
    refused: Option<Slot>,
    heartbeat: Option<Slot>,
    closing: Option<(Slot, u32)>,
    positioned: bool,
    opaque: bool,
    bookmark: Option<Slot>,
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

/// Events in an array have their own extractor, run on each.
#[derive(Clone, Debug)]
struct Items {
    at: Slot,
    item: Extractor,
}

#[derive(Clone, Debug)]
struct EventSlots {
    sequence: Option<Slot>,
    key: Slot,
    key_encoding: Encoding,
    id: Option<Slot>,
    kind: Option<Slot>,
    time: Option<(Slot, TimeFormat)>,
    payload: Slot,
    payload_encoding: Encoding,
    payload_optional: bool,
    deleted: Option<Condition>,
    /// For the reasons of poison: which pointer, never what it held.
    names: Box<EventFields>,
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

impl EventSlots {
    fn new(event: &mut Extractor, fields: &EventFields) -> Result<Self, PointerError> {
        Ok(Self {
            sequence: add(event, fields.sequence.as_ref())?,
            key: event.add(&fields.key)?,
            key_encoding: fields.key_encoding,
            id: add(event, fields.id.as_ref())?,
            kind: add(event, fields.kind.as_ref())?,
            time: add(event, fields.time.as_ref())?.map(|slot| (slot, fields.time_format)),
            payload: event.add(&fields.payload)?,
            payload_encoding: fields.payload_encoding,
            payload_optional: fields.payload_optional,
            deleted: fields.deleted.as_ref().map(|rule| Condition::new(event, rule)).transpose()?,
            names: Box::new(fields.clone()),
        })
    }
}

impl Wire {
    pub(crate) fn new(
        profile: &FramesProfile,
        capabilities: &Capabilities,
    ) -> Result<Self, ProfileError> {
        let mut frame = Extractor::default();
        let kinds = profile
            .kinds
            .iter()
            .map(|rule| Kind::new(&mut frame, rule))
            .collect::<Result<_, _>>()?;
        let (items, event) = match &profile.event.items {
            Some(pointer) => {
                let mut item = Extractor::default();
                let event = EventSlots::new(&mut item, &profile.event)?;
                (Some(Items { at: frame.add(pointer)?, item }), event)
            }
            None => (None, EventSlots::new(&mut frame, &profile.event)?),
        };
        let closing = match (&profile.closing.within_s, &profile.closing.within_ms) {
            (Some(pointer), _) => Some((frame.add(pointer)?, 1_000)),
            (None, Some(pointer)) => Some((frame.add(pointer)?, 1)),
            (None, None) => None,
        };
        let opaque = capabilities.position == Numbering::Opaque;
        let positioned = capabilities.position != Numbering::None;
        if positioned && event.sequence.is_none() && !(opaque && profile.bookmark.is_some()) {
            return Err(ProfileError::NoSequence);
        }
        if opaque && event.sequence.is_some() && !capabilities.position_unique {
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
            frame,
            kinds,
            items,
            event,
            closing,
            positioned,
            opaque,
            bookmark,
        })
    }

    pub(crate) fn decode(
        &self,
        bytes: &Bytes,
        classifier: &Classifier,
        digester: &Digester,
        wanted: impl FnOnce() -> Arc<[Key]>,
    ) -> Decoded {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return poison(bytes, "frame: expected UTF-8".into());
        };
        let found = match self.frame.extract(text) {
            Ok(found) => found,
            Err(error) => {
                return poison(bytes, Label::new(format!("frame: {}", shape(&error))));
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
            Some(FrameKind::Event) => self.events(&mut decoded, bytes, &found, false, digester),
            Some(FrameKind::Deletion) => self.events(&mut decoded, bytes, &found, true, digester),
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
        }
        decoded
    }

    /// An opaque position at this place.
    fn said(&self, slot: Option<Slot>, found: &Found<'_>) -> Option<Item> {
        let at = value::bookmark(slot.filter(|_| self.opaque)?.of(found)?)?;
        Some(Item::Bookmark { at })
    }

    /// How many of the wanted keys a confirmation leaves out, if it does.
    fn dark(&self, found: &Found<'_>, wanted: impl FnOnce() -> Arc<[Key]>) -> Option<Item> {
        let array =
            |slot: Option<Slot>| serde_json::from_str::<Vec<&RawValue>>(slot?.of(found)?).ok();
        let refused = array(self.refused).map_or(0, |refused| refused.len());
        let left_out = array(self.covered).map_or(0, |covered| {
            let encoding = self.event.key_encoding;
            let covered: BTreeSet<Key> =
                covered.iter().filter_map(|raw| value::key(raw.get(), encoding)).collect();
            wanted().iter().filter(|key| !covered.contains(*key)).count()
        });
        let keys = refused.max(left_out) as u64;
        (keys > 0).then_some(Item::Dark { keys })
    }

    fn position(&self, slot: Option<Slot>, found: &Found<'_>) -> Option<u64> {
        slot.filter(|_| self.positioned && !self.opaque)
            .and_then(|slot| value::number(slot.of(found)?))
    }

    fn events(
        &self,
        decoded: &mut Decoded,
        bytes: &Bytes,
        found: &Found<'_>,
        deleted: bool,
        digester: &Digester,
    ) {
        let Some(items) = &self.items else {
            decoded.items.push(self.event(bytes, found, deleted, digester));
            return;
        };
        let array = items.at.of(found).unwrap_or("[]");
        let Ok(raws) = serde_json::from_str::<Vec<&RawValue>>(array) else {
            decoded.items.push(poisoned(bytes, "frame.items: expected an array".into()));
            return;
        };
        decoded.items.reserve(raws.len());
        for raw in raws {
            let item = match items.item.extract(raw.get()) {
                Ok(found) => self.event(bytes, &found, deleted, digester),
                Err(error) => {
                    let reason = Label::new(format!("frame.items: {}", shape(&error)));
                    poisoned(&bytes.slice_ref(raw.get().as_bytes()), reason)
                }
            };
            decoded.items.push(item);
        }
    }

    fn event(&self, bytes: &Bytes, found: &Found<'_>, deleted: bool, digester: &Digester) -> Item {
        let slots = &self.event;
        match slots.read(bytes, found, deleted, (self.positioned, self.opaque), digester) {
            Ok(event) => Item::Event(event),
            Err(reason) => poisoned(bytes, reason),
        }
    }
}

impl EventSlots {
    fn read(
        &self,
        bytes: &Bytes,
        found: &Found<'_>,
        deleted: bool,
        (positioned, opaque): (bool, bool),
        digester: &Digester,
    ) -> Result<Event, Label> {
        let deleted = deleted || self.deleted.as_ref().is_some_and(|rule| rule.holds(found));
        let key = self.key.of(found).and_then(|raw| value::key(raw, self.key_encoding));
        let key = key.ok_or_else(|| expected(&self.names.key, "a key"))?;
        let bookmark = match self.sequence.filter(|_| opaque) {
            None => None,
            Some(slot) => {
                let bookmark = slot.of(found).and_then(value::bookmark);
                let pointer = self.names.sequence.as_deref().unwrap_or_default();
                Some(bookmark.ok_or_else(|| expected(pointer, "an opaque position"))?)
            }
        };
        let sequence = match self.sequence.filter(|_| positioned && !opaque) {
            None => None,
            Some(slot) => {
                let number = slot.of(found).and_then(value::number);
                let pointer = self.names.sequence.as_deref().unwrap_or_default();
                Some(number.ok_or_else(|| expected(pointer, "a 64-bit position"))?)
            }
        };
        let payload = match self.payload.of(found) {
            Some(raw) => value::payload(bytes, raw, self.payload_encoding)
                .ok_or_else(|| expected(&self.names.payload, "base64"))?,
            None if deleted || self.payload_optional => Bytes::new(),
            None => return Err(expected(&self.names.payload, "a payload")),
        };
        Ok(Event {
            key,
            sequence,
            bookmark,
            event_id: self.id.and_then(|slot| value::label(slot.of(found)?)),
            kind: self.kind.and_then(|slot| value::label(slot.of(found)?)),
            deleted,
            occurred_at: self.time.and_then(|(slot, format)| value::time(slot.of(found)?, format)),
            digest: if deleted { 0 } else { digester.digest(&payload) },
            payload,
        })
    }
}

fn expected(pointer: &str, what: &str) -> Label {
    Label::new(format!("event{pointer}: expected {what}"))
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

fn poisoned(bytes: &Bytes, reason: Label) -> Item {
    Item::Poison { reason, bytes: bytes.clone() }
}

fn poison(bytes: &Bytes, reason: Label) -> Decoded {
    Decoded { items: vec![poisoned(bytes, reason)], ..Decoded::default() }
}

//! One event, read by the profile's pointers.

use bytes::Bytes;
use unbroken_core::connector::Event;
use unbroken_core::ids::Label;

use crate::generic::keeping::Keeping;
use crate::generic::part::{Extractors, Part, Scene};
use crate::generic::pointer::{PointerError, Slot};
use crate::generic::profile::{Encoding, EventFields, PositionFormat, Scalar, TimeFormat};
use crate::generic::value;

/// What the declared capabilities make of positions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    pub(crate) positioned: bool,
    pub(crate) opaque: bool,
    pub(crate) format: PositionFormat,
}

/// Where an event's parts are, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct EventSlots {
    sequence: Option<Part>,
    key: Part,
    id: Option<Part>,
    kind: Option<Part>,
    time: Option<(Part, TimeFormat)>,
    payload: Slot,
    deleted: Option<(Part, Option<Scalar>)>,
    /// For the reasons of poison: which pointer, never what it held.
    names: Box<EventFields>,
}

impl EventSlots {
    pub(crate) fn new(mut at: Extractors<'_>, fields: &EventFields) -> Result<Self, PointerError> {
        let time = at.optional(fields.time.as_deref())?;
        let deleted = match &fields.deleted {
            Some(rule) => Some((at.part(&rule.at)?, rule.equals.clone())),
            None => None,
        };
        Ok(Self {
            sequence: at.optional(fields.sequence.as_deref())?,
            key: at.part(&fields.key)?,
            id: at.optional(fields.id.as_deref())?,
            kind: at.optional(fields.kind.as_deref())?,
            time: time.map(|part| (part, fields.time_format)),
            payload: at.item(&fields.payload)?,
            deleted,
            names: Box::new(fields.clone()),
        })
    }

    pub(crate) fn key_encoding(&self) -> Encoding {
        self.names.key_encoding
    }

    /// Reads an event that stands in `frame`.
    ///
    /// # Errors
    /// Which pointer found what else than was expected.
    pub(crate) fn read(
        &self,
        frame: &Bytes,
        scene: &Scene<'_>,
        deleted: bool,
        numbers: Numbers,
        keeping: &Keeping,
    ) -> Result<Event, Label> {
        let deleted = deleted || self.is_deletion(scene);
        let key = self.key.of(scene).and_then(|raw| value::key(raw, self.names.key_encoding));
        let key = key.ok_or_else(|| expected(&self.names.key, "a key"))?;
        let bookmark = match self.sequence.filter(|_| numbers.opaque) {
            None => None,
            Some(part) => {
                let bookmark = part.of(scene).and_then(value::bookmark);
                Some(bookmark.ok_or_else(|| expected(self.sequence_name(), "an opaque position"))?)
            }
        };
        let sequence = match self.sequence.filter(|_| numbers.positioned && !numbers.opaque) {
            None => None,
            Some(part) => {
                let found = value::position(part.of(scene), numbers.format);
                Some(found.map_err(|what| self.wrong_position(what))?)
            }
        };
        let payload = match self.payload.of(scene.item) {
            Some(raw) => value::payload(frame, raw, self.names.payload_encoding)
                .ok_or_else(|| expected(&self.names.payload, "base64"))?,
            None if deleted || self.names.payload_optional => Bytes::new(),
            None => return Err(expected(&self.names.payload, "a payload")),
        };
        let (digest, payload) = keeping
            .keep(payload)
            .map_err(|_| expected(&self.names.payload, "JSON, as fields are dropped from it"))?;
        let label = |part: Option<Part>| value::label(part?.of(scene)?);
        Ok(Event {
            key,
            sequence,
            bookmark,
            event_id: label(self.id),
            kind: label(self.kind),
            deleted,
            occurred_at: self.time.and_then(|(part, format)| value::time(part.of(scene)?, format)),
            digest: if deleted { 0 } else { digest },
            identity: if deleted { 0 } else { digest },
            payload,
        })
    }

    fn is_deletion(&self, scene: &Scene<'_>) -> bool {
        let rule = self.deleted.as_ref();
        rule.is_some_and(|(at, equals)| value::holds(at.of(scene), equals.as_ref()))
    }

    fn sequence_name(&self) -> &str {
        self.names.sequence.as_deref().unwrap_or_default()
    }

    fn wrong_position(&self, what: &str) -> Label {
        expected(self.sequence_name(), &format!("a 64-bit position, found {what}"))
    }
}

fn expected(pointer: &str, what: &str) -> Label {
    Label::new(format!("event{pointer}: expected {what}"))
}

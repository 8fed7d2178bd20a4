//! One row of a snapshot, read by the profile's pointers.

use bytes::Bytes;
use unbroken_core::connector::{Capabilities, Class, Failure, Row, SnapshotBody};

use crate::generic::keeping::Keeping;
use crate::generic::part::{Extractors, Part, Scene};
use crate::generic::pointer::{PointerError, Slot};
use crate::generic::profile::{PositionFormat, RowFields, Scalar, TimeFormat};
use crate::generic::rest::malformed;
use crate::generic::value;

/// Where a row's parts are, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct RowSlots {
    when: Option<(Part, Option<Scalar>)>,
    key: Part,
    version: Option<Part>,
    time: Option<(Part, TimeFormat)>,
    payload: Slot,
    /// Rows are another entity: one without the payload is its own.
    other: bool,
    whole: Slot,
    format: PositionFormat,
    names: Box<RowFields>,
}

impl RowSlots {
    pub(crate) fn new(
        mut at: Extractors<'_>,
        fields: &RowFields,
        capabilities: &Capabilities,
        format: PositionFormat,
    ) -> Result<Self, PointerError> {
        let when = match &fields.when {
            Some(rule) => Some((at.part(&rule.at)?, rule.equals.clone())),
            None => None,
        };
        let time = at.optional(fields.time.as_deref())?;
        Ok(Self {
            when,
            key: at.part(&fields.key)?,
            version: at.optional(fields.version.as_deref())?,
            time: time.map(|part| (part, fields.time_format)),
            payload: at.item(&fields.payload)?,
            other: capabilities.snapshot_body == SnapshotBody::Other,
            whole: at.item("")?,
            format,
            names: Box::new(fields.clone()),
        })
    }

    /// Whether the row is one of those that are wanted.
    pub(crate) fn counts(&self, scene: &Scene<'_>) -> bool {
        let rule = self.when.as_ref();
        rule.is_none_or(|(at, equals)| value::holds(at.of(scene), equals.as_ref()))
    }

    /// Its key, as the vendor wrote it.
    pub(crate) fn key_text(&self, scene: &Scene<'_>) -> Option<String> {
        self.key.of(scene).and_then(value::text).map(|key| key.into_owned())
    }

    pub(crate) fn read(
        &self,
        body: &Bytes,
        scene: &Scene<'_>,
        keeping: &Keeping,
    ) -> Result<Row, Failure> {
        let key = self.key.of(scene).and_then(|raw| value::key(raw, self.names.key_encoding));
        let key = key.ok_or_else(|| malformed("snapshot row: expected a key"))?;
        let payload = match (self.payload.of(scene.item), self.whole.of(scene.item)) {
            (Some(raw), _) => value::payload(body, raw, self.names.payload_encoding)
                .ok_or_else(|| malformed("snapshot row: expected a base64 payload"))?,
            (None, _) if self.names.payload_optional => Bytes::new(),
            (None, Some(whole)) if self.other => body.slice_ref(whole.as_bytes()),
            (None, _) => return Err(malformed("snapshot row: expected a payload")),
        };
        let (digest, payload) = keeping.keep(payload).map_err(|_| Failure {
            class: Class::Fatal,
            code: None,
            what: "snapshot row: expected JSON, as fields are dropped from it".into(),
        })?;
        Ok(Row {
            key,
            version: self.version(scene)?,
            occurred_at: self.time.and_then(|(part, format)| value::time(part.of(scene)?, format)),
            digest,
            payload,
        })
    }

    /// A row may have none; one that cannot be read would let the row travel in time.
    fn version(&self, scene: &Scene<'_>) -> Result<Option<u64>, Failure> {
        let raw = self.version.and_then(|part| part.of(scene)).filter(|raw| *raw != "null");
        let version = raw.map(|raw| value::position(Some(raw), self.format)).transpose();
        version.map_err(|what| {
            malformed(&format!("snapshot row: expected a 64-bit version, found {what}"))
        })
    }
}

//! Pages of a snapshot and the head, read by the profile's pointers.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use unbroken_core::connector::{
    Capabilities, Class, Failure, Numbering, Page, Paging, Row, SnapshotBody, SnapshotKind,
};
use unbroken_core::ids::{Key, Label};

use crate::generic::connector::ProfileError;
use crate::generic::digest::Digester;
use crate::generic::pointer::{Extractor, Found, Slot};
use crate::generic::profile::{
    Advance, Encoding, HeadProfile, RowFields, Scalar, SnapshotProfile, TimeFormat,
};
use crate::generic::request::RequestTemplate;
use crate::generic::template::{TemplateError, Values};
use crate::generic::value;
use crate::generic::wire::shape;
use crate::transport::Request;

/// How to ask for a later page. Core carries it as an opaque label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cursor {
    offset: u64,
    next: Option<String>,
    tag: Option<u64>,
    snapshot: Option<String>,
    total: Option<u64>,
}

impl Cursor {
    pub(crate) fn parse(label: &Label) -> Result<Self, Failure> {
        serde_json::from_str(label.as_str()).map_err(|_| malformed("page cursor is not ours"))
    }

    pub(crate) fn fill<'a>(&'a self, values: Values<'a>) -> Values<'a> {
        Values {
            offset: Some(self.offset),
            next: self.next.as_deref(),
            tag: self.tag,
            snapshot_id: self.snapshot.as_deref(),
            ..values
        }
    }

    fn label(&self) -> Label {
        // A struct of texts and numbers always serialises.
        Label::new(serde_json::to_string(self).unwrap_or_default())
    }
}

/// The profile's head, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) request: RequestTemplate,
    extractor: Extractor,
    tag: Slot,
    opaque: bool,
    epoch: Option<Slot>,
}

impl Head {
    pub(crate) fn new(
        profile: &HeadProfile,
        opaque: bool,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, ProfileError> {
        let mut extractor = Extractor::default();
        Ok(Self {
            request: RequestTemplate::request(&profile.request, variables)?,
            tag: extractor.add(&profile.tag)?,
            opaque,
            epoch: profile.epoch.as_ref().map(|p| extractor.add(p)).transpose()?,
            extractor,
        })
    }

    pub(crate) fn decode(&self, body: &Bytes) -> Result<Page, Failure> {
        let found = extract(&self.extractor, body, "head")?;
        let epoch = self.epoch.and_then(|slot| value::label(slot.of(&found)?));
        if self.opaque {
            let bookmark = self.tag.of(&found).and_then(value::bookmark);
            let bookmark =
                bookmark.ok_or_else(|| malformed("head: expected an opaque position"))?;
            return Ok(Page { bookmark: Some(bookmark), epoch, ..Page::default() });
        }
        let tag = self.tag.of(&found).and_then(value::number);
        let tag = tag.ok_or_else(|| malformed("head: expected a 64-bit position"))?;
        Ok(Page { tag: Some(tag), epoch, ..Page::default() })
    }
}

/// The profile's snapshot, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    first: RequestTemplate,
    next: Option<RequestTemplate>,
    limit: u64,
    advance: Option<Advance>,
    pinned: bool,
    positioned: bool,
    opaque: bool,
    page: Extractor,
    items: Slot,
    items_optional: bool,
    next_name: Option<Slot>,
    more: Option<Slot>,
    tag: Option<Slot>,
    epoch: Option<Slot>,
    snapshot_id: Option<Slot>,
    total: Option<Slot>,
    rows: RowSlots,
}

#[derive(Clone, Debug)]
struct RowSlots {
    row: Extractor,
    when: Option<(Slot, Option<Scalar>)>,
    key: Slot,
    key_encoding: Encoding,
    version: Option<Slot>,
    time: Option<(Slot, TimeFormat)>,
    payload: Slot,
    payload_encoding: Encoding,
    payload_optional: bool,
    /// Rows are another entity: one without the payload is its own.
    other: bool,
    whole: Slot,
}

impl Snapshot {
    pub(crate) fn new(
        profile: &SnapshotProfile,
        capabilities: &Capabilities,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, ProfileError> {
        let advance = profile.advance.filter(|_| capabilities.paging != Paging::None);
        if capabilities.paging != Paging::None && advance.is_none() {
            return Err(ProfileError::NoAdvance);
        }
        let mut page = Extractor::default();
        let mut add = |p: &Option<String>| p.as_ref().map(|pointer| page.add(pointer)).transpose();
        let (next_name, more) = (add(&profile.next)?, add(&profile.more)?);
        let (tag, epoch) = (add(&profile.tag)?, add(&profile.epoch)?);
        let (snapshot_id, total) = (add(&profile.snapshot_id)?, add(&profile.total)?);
        let positioned = capabilities.snapshot == SnapshotKind::Positioned;
        let opaque = positioned && capabilities.position == Numbering::Opaque;
        if positioned && tag.is_none() {
            return Err(ProfileError::NoTag);
        }
        let next = profile.next_request.as_ref();
        Ok(Self {
            first: RequestTemplate::request(&profile.request, variables)?,
            next: next.map(|r| RequestTemplate::request(r, variables)).transpose()?,
            limit: profile.limit.max(1),
            advance,
            pinned: profile.pinned,
            positioned,
            opaque,
            items: page.add(&profile.rows.items)?,
            items_optional: profile.rows.items_optional,
            page,
            next_name,
            more,
            tag,
            epoch,
            snapshot_id,
            total,
            rows: RowSlots::new(&profile.rows, capabilities)?,
        })
    }

    pub(crate) fn request(
        &self,
        cursor: Option<&Cursor>,
        values: Values<'_>,
    ) -> Result<Request, TemplateError> {
        let values = Values { limit: Some(self.limit), ..values };
        match cursor {
            None => self.first.render(&Values { offset: Some(0), ..values }),
            Some(cursor) => self.next.as_ref().unwrap_or(&self.first).render(&cursor.fill(values)),
        }
    }

    pub(crate) fn decode(
        &self,
        cursor: Option<&Cursor>,
        body: &Bytes,
        keys: &[Key],
        digester: &Digester,
    ) -> Result<Page, Failure> {
        let found = extract(&self.page, body, "snapshot")?;
        let array = match self.items.of(&found) {
            Some(raw) if raw != "null" => raw,
            _ if self.items_optional => "[]",
            _ => return Err(malformed("snapshot: expected an array of rows")),
        };
        let raws: Vec<&RawValue> = serde_json::from_str(array)
            .map_err(|_| malformed("snapshot: expected an array of rows"))?;
        let mut rows = Vec::with_capacity(raws.len());
        let mut last_key = None;
        for raw in &raws {
            let found = self.rows.row.extract(raw.get()).map_err(|e| broken("row", &e))?;
            last_key = self.rows.key.of(&found).and_then(value::text).map(|key| key.into_owned());
            if !self.rows.counts(&found) {
                continue;
            }
            let row = self.rows.read(body, &found, digester)?;
            if keys.is_empty() || keys.binary_search(&row.key).is_ok() {
                rows.push(row);
            }
        }
        let number = |slot: Option<Slot>| value::number(slot?.of(&found)?);
        let label = |slot: Option<Slot>| value::label(slot?.of(&found)?);
        let bookmark = self.tag.filter(|_| self.opaque).and_then(|slot| slot.of(&found));
        let bookmark = bookmark.and_then(value::bookmark);
        if self.opaque && cursor.is_none() && bookmark.is_none() {
            return Err(malformed("snapshot: expected an opaque position"));
        }
        let positioned = self.positioned && !self.opaque;
        let tag = match (cursor.filter(|_| self.pinned), positioned) {
            (_, false) => None,
            (Some(cursor), true) => cursor.tag,
            (None, true) => Some(
                number(self.tag)
                    .ok_or_else(|| malformed("snapshot: expected a 64-bit position"))?,
            ),
        };
        let snapshot_id = match tag.filter(|_| self.pinned) {
            Some(tag) => Some(Label::new(tag.to_string())),
            None => label(self.snapshot_id),
        };
        let total = number(self.total);
        let so_far = cursor.map_or(0, |c| c.offset) + raws.len() as u64;
        let next = self.follows(&found, raws.len() as u64, so_far, last_key, total).map(|next| {
            let snapshot = snapshot_id.as_ref().map(|id| id.as_str().to_owned());
            let tag = cursor.and_then(|c| c.tag).or(tag);
            Cursor { offset: so_far, next, tag, snapshot, total }.label()
        });
        let partial = self.rows.when.is_some() || !keys.is_empty();
        if partial {
            check_total(cursor, total, so_far, next.is_none())?;
        }
        let total = total.filter(|_| !partial);
        Ok(Page { epoch: label(self.epoch), tag, bookmark, snapshot_id, total, rows, next })
    }

    /// `None`: this was the last page. Else the next page's name, where it has one.
    fn follows(
        &self,
        found: &Found<'_>,
        rows: u64,
        so_far: u64,
        last_key: Option<String>,
        total: Option<u64>,
    ) -> Option<Option<String>> {
        let more = self.more.map(|slot| slot.of(found) == Some("true"));
        match self.advance? {
            Advance::Next => {
                let raw = self.next_name?.of(found)?;
                let name = value::text(raw)?.into_owned();
                (!name.is_empty() && more != Some(false)).then_some(Some(name))
            }
            Advance::LastKey => {
                let more = more.unwrap_or(rows >= self.limit);
                last_key.filter(|_| more).map(Some)
            }
            Advance::Offset => {
                let more = more.unwrap_or(match total {
                    Some(total) => so_far < total && rows > 0,
                    None => rows >= self.limit,
                });
                more.then_some(None)
            }
        }
    }
}

/// The vendor's total counts rows that are passed over here, so it is compared here: the machine
/// sees only what is left.
fn check_total(
    cursor: Option<&Cursor>,
    total: Option<u64>,
    so_far: u64,
    last: bool,
) -> Result<(), Failure> {
    if cursor.is_some_and(|cursor| cursor.total != total) {
        return Err(malformed("snapshot: the total changed between pages"));
    }
    match total {
        Some(total) if last && so_far != total => {
            Err(malformed("snapshot: fewer rows than the total says"))
        }
        _ => Ok(()),
    }
}

impl RowSlots {
    fn new(fields: &RowFields, capabilities: &Capabilities) -> Result<Self, ProfileError> {
        let mut row = Extractor::default();
        let when = match &fields.when {
            Some(rule) => Some((row.add(&rule.at)?, rule.equals.clone())),
            None => None,
        };
        let time = fields.time.as_ref().map(|p| row.add(p)).transpose()?;
        Ok(Self {
            when,
            key: row.add(&fields.key)?,
            key_encoding: fields.key_encoding,
            version: fields.version.as_ref().map(|p| row.add(p)).transpose()?,
            time: time.map(|slot| (slot, fields.time_format)),
            payload: row.add(&fields.payload)?,
            payload_encoding: fields.payload_encoding,
            payload_optional: fields.payload_optional,
            other: capabilities.snapshot_body == SnapshotBody::Other,
            whole: row.add("")?,
            row,
        })
    }

    fn counts(&self, found: &Found<'_>) -> bool {
        let holds =
            |(slot, equals): &(Slot, Option<Scalar>)| value::holds(slot.of(found), equals.as_ref());
        self.when.as_ref().is_none_or(holds)
    }

    fn read(&self, body: &Bytes, found: &Found<'_>, digester: &Digester) -> Result<Row, Failure> {
        let key: Option<Key> =
            self.key.of(found).and_then(|raw| value::key(raw, self.key_encoding));
        let key = key.ok_or_else(|| malformed("snapshot row: expected a key"))?;
        let payload = match (self.payload.of(found), self.whole.of(found)) {
            (Some(raw), _) => value::payload(body, raw, self.payload_encoding)
                .ok_or_else(|| malformed("snapshot row: expected a base64 payload"))?,
            (None, _) if self.payload_optional => Bytes::new(),
            (None, Some(whole)) if self.other => body.slice_ref(whole.as_bytes()),
            (None, _) => return Err(malformed("snapshot row: expected a payload")),
        };
        Ok(Row {
            key,
            version: self.version.and_then(|slot| value::number(slot.of(found)?)),
            occurred_at: self.time.and_then(|(slot, format)| value::time(slot.of(found)?, format)),
            digest: digester.digest(&payload),
            payload,
        })
    }
}

fn extract<'a>(extractor: &Extractor, body: &'a Bytes, what: &str) -> Result<Found<'a>, Failure> {
    let text =
        std::str::from_utf8(body).map_err(|_| malformed(&format!("{what}: expected UTF-8")))?;
    extractor.extract(text).map_err(|error| broken(what, &error))
}

fn broken(what: &str, error: &serde_json::Error) -> Failure {
    malformed(&format!("{what}: {}", shape(error)))
}

/// An answer that is no answer: a truncated body or a proxy's page. Asking again may help.
fn malformed(what: &str) -> Failure {
    Failure { class: Class::Retry { after_ms: None }, code: None, what: what.into() }
}

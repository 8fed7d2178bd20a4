//! Pages of a snapshot and the head, read by the profile's pointers.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use unbroken_core::connector::{
    Capabilities, Class, Failure, Numbering, Page, Paging, Row, SnapshotKind,
};
use unbroken_core::ids::{Key, Label};

use crate::generic::connector::ProfileError;
use crate::generic::cursor::Cursor;
use crate::generic::empty::Empty;
use crate::generic::items::{Items, NoItems};
use crate::generic::keeping::Keeping;
use crate::generic::link_header::next_target;
use crate::generic::pager::{Facts, Pager, check_progress};
use crate::generic::part::{Extractors, Scene};
use crate::generic::pointer::{Extractor, Found, PointerError, Slot};
use crate::generic::profile::{Advance, HeadProfile, PositionFormat, SnapshotProfile};
use crate::generic::request::RequestTemplate;
use crate::generic::row::RowSlots;
use crate::generic::template::{TemplateError, Values};
use crate::generic::value;
use crate::generic::wire::shape;
use crate::transport::Request;

/// What stands before the name of a header.
const HEADER: &str = "header:";

/// An answer.
#[derive(Clone, Copy)]
pub struct Reply<'a> {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: &'a Bytes,
    /// A header's value, by its name in any case.
    pub header: &'a dyn Fn(&str) -> Option<String>,
}

/// Where a value of an answer is.
#[derive(Clone, Debug)]
pub(crate) enum Spot {
    Body(Slot),
    Header(String),
}

impl Spot {
    pub(crate) fn new(text: &str, body: &mut Extractor) -> Result<Self, PointerError> {
        match text.strip_prefix(HEADER) {
            Some(name) => Ok(Self::Header(name.trim().to_ascii_lowercase())),
            None => Ok(Self::Body(body.add(text)?)),
        }
    }

    /// The JSON text that is there; a header's value as one.
    pub(crate) fn of<'a>(&self, found: &Found<'a>, reply: Reply<'_>) -> Option<Cow<'a, str>> {
        match self {
            Self::Body(slot) => slot.of(found).map(Cow::Borrowed),
            Self::Header(name) => {
                let value = (reply.header)(name)?;
                let value = match name.as_str() {
                    "link" => next_target(&value)?.to_owned(),
                    _ => value,
                };
                Some(Cow::Owned(serde_json::Value::from(value).to_string()))
            }
        }
    }
}

pub(crate) fn spot(
    text: &Option<String>,
    body: &mut Extractor,
) -> Result<Option<Spot>, PointerError> {
    text.as_deref().map(|text| Spot::new(text, body)).transpose()
}

/// The profile's head, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) request: RequestTemplate,
    extractor: Extractor,
    tag: Spot,
    opaque: bool,
    format: PositionFormat,
    epoch: Option<Spot>,
}

impl Head {
    pub(crate) fn new(
        profile: &HeadProfile,
        opaque: bool,
        format: PositionFormat,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, ProfileError> {
        let mut extractor = Extractor::default();
        Ok(Self {
            request: RequestTemplate::request(&profile.request, variables)?,
            tag: Spot::new(&profile.tag, &mut extractor)?,
            opaque,
            format,
            epoch: spot(&profile.epoch, &mut extractor)?,
            extractor,
        })
    }

    pub(crate) fn decode(&self, reply: Reply<'_>) -> Result<Page, Failure> {
        let found = extract(&self.extractor, reply.body, "head")?;
        let epoch = self.epoch.as_ref().and_then(|spot| value::label(&spot.of(&found, reply)?));
        let tag = self.tag.of(&found, reply);
        if self.opaque {
            let bookmark = tag.as_deref().and_then(value::bookmark);
            let bookmark =
                bookmark.ok_or_else(|| malformed("head: expected an opaque position"))?;
            return Ok(Page { bookmark: Some(bookmark), epoch, ..Page::default() });
        }
        let tag = position(tag.as_deref(), self.format, "head")?;
        Ok(Page { tag: Some(tag), epoch, ..Page::default() })
    }
}

/// The profile's snapshot, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    first: RequestTemplate,
    next: Option<RequestTemplate>,
    pager: Pager,
    pinned: bool,
    positioned: bool,
    opaque: bool,
    format: PositionFormat,
    page: Extractor,
    items: Items,
    next_name: Option<Spot>,
    more: Option<Spot>,
    tag: Option<Spot>,
    epoch: Option<Spot>,
    snapshot_id: Option<Spot>,
    total: Option<Spot>,
    row: Extractor,
    rows: RowSlots,
    partial: bool,
    pub(crate) empty: Empty,
}

/// The rows of a page that count, and what paging needs to know of all of them.
struct Rows {
    rows: Vec<Row>,
    count: u64,
    last_key: Option<String>,
}

impl Snapshot {
    pub(crate) fn new(
        profile: &SnapshotProfile,
        capabilities: &Capabilities,
        format: PositionFormat,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, ProfileError> {
        let advance = profile.advance.filter(|_| capabilities.paging != Paging::None);
        if capabilities.paging != Paging::None && advance.is_none() {
            return Err(ProfileError::NoAdvance);
        }
        if matches!(advance, Some(Advance::Next | Advance::Url)) && profile.next.is_none() {
            return Err(ProfileError::NoNext);
        }
        let positioned = capabilities.snapshot == SnapshotKind::Positioned;
        if positioned && profile.tag.is_none() {
            return Err(ProfileError::NoTag);
        }
        let (mut page, mut row) = (Extractor::default(), Extractor::default());
        let fields = &profile.rows;
        let how = (fields.items_map, fields.items_optional);
        let items = Items::new(&fields.items, &mut page, how)?;
        let extractors = Extractors { outer: &mut page, item: Some(&mut row) };
        let rows = RowSlots::new(extractors, fields, capabilities, format)?;
        let next = profile.next_request.as_ref();
        Ok(Self {
            first: RequestTemplate::request(&profile.request, variables)?,
            next: next.map(|r| RequestTemplate::request(r, variables)).transpose()?,
            pager: Pager { advance, limit: profile.limit.max(1), first_page: profile.first_page },
            pinned: profile.pinned,
            positioned,
            opaque: positioned && capabilities.position == Numbering::Opaque,
            format,
            items,
            next_name: spot(&profile.next, &mut page)?,
            more: spot(&profile.more, &mut page)?,
            tag: spot(&profile.tag, &mut page)?,
            epoch: spot(&profile.epoch, &mut page)?,
            snapshot_id: spot(&profile.snapshot_id, &mut page)?,
            total: spot(&profile.total, &mut page)?,
            page,
            row,
            rows,
            partial: profile.rows.when.is_some(),
            empty: Empty::new(profile, capabilities, format)?,
        })
    }

    pub(crate) fn request(
        &self,
        cursor: Option<&Cursor>,
        values: Values<'_>,
    ) -> Result<Request, TemplateError> {
        let values = Values { limit: Some(self.pager.limit), ..values };
        match cursor {
            None => {
                let page = Some(self.pager.first_page);
                self.first.render(&Values { offset: Some(0), page, ..values })
            }
            Some(cursor) => self.next.as_ref().unwrap_or(&self.first).render(&cursor.fill(values)),
        }
    }

    /// The URL of a later page, where the vendor names one.
    pub(crate) fn url(&self, cursor: Cursor) -> Option<String> {
        cursor.next.filter(|_| self.pager.advance == Some(Advance::Url))
    }

    pub(crate) fn decode(
        &self,
        cursor: Option<&Cursor>,
        reply: Reply<'_>,
        keys: &[Key],
        keeping: &Keeping,
    ) -> Result<Page, Failure> {
        // A later page is one of a snapshot that had rows a moment ago.
        if let Some(page) = self.empty.page(reply.status).filter(|_| cursor.is_none()) {
            return Ok(page);
        }
        let found = extract(&self.page, reply.body, "snapshot")?;
        let at = |spot: &Option<Spot>| spot.as_ref().and_then(|spot| spot.of(&found, reply));
        let Rows { rows, count, last_key } = self.rows(reply.body, &found, keys, keeping)?;
        let tag_text = at(&self.tag);
        let bookmark = tag_text.as_deref().filter(|_| self.opaque).and_then(value::bookmark);
        if self.opaque && cursor.is_none() && bookmark.is_none() {
            return Err(malformed("snapshot: expected an opaque position"));
        }
        let tag = match (cursor.filter(|_| self.pinned), self.positioned && !self.opaque) {
            (_, false) => None,
            (Some(cursor), true) => cursor.tag,
            (None, true) => Some(position(tag_text.as_deref(), self.format, "snapshot")?),
        };
        let snapshot_id = match tag.filter(|_| self.pinned) {
            Some(tag) => Some(Label::new(tag.to_string())),
            None => at(&self.snapshot_id).and_then(|id| value::label(&id)),
        };
        let total = at(&self.total).and_then(|total| value::number(&total));
        let so_far = cursor.map_or(0, |c| c.offset) + count;
        let more = at(&self.more);
        let name = at(&self.next_name);
        let facts = Facts {
            count,
            so_far,
            last_key,
            total,
            more: self.more.as_ref().map(|_| more.is_some_and(|m| m == "true" || m == "\"true\"")),
            name: name.as_deref().and_then(value::text).map(Cow::into_owned),
        };
        let follows = self.pager.follows(facts);
        check_progress(cursor, follows.as_ref())?;
        let page = cursor.and_then(|cursor| cursor.page).unwrap_or(self.pager.first_page);
        let next = follows.map(|next| {
            let snapshot = snapshot_id.as_ref().map(|id| id.as_str().to_owned());
            let tag = cursor.and_then(|c| c.tag).or(tag);
            let page = Some(page.saturating_add(1));
            Cursor { offset: so_far, page, next, tag, snapshot, total }.label()
        });
        let partial = self.partial || !keys.is_empty();
        if partial {
            check_total(cursor, total, so_far, next.is_none())?;
        }
        let total = total.filter(|_| !partial);
        let epoch = at(&self.epoch).and_then(|epoch| value::label(&epoch));
        Ok(Page { epoch, tag, bookmark, snapshot_id, total, rows, next })
    }

    fn rows(
        &self,
        body: &Bytes,
        found: &Found<'_>,
        keys: &[Key],
        keeping: &Keeping,
    ) -> Result<Rows, Failure> {
        let elements = self.items.of(found).map_err(|error| match error {
            NoItems::Missing => malformed("snapshot: expected rows, found nothing"),
            NoItems::NoList => malformed("snapshot: expected a list of rows"),
        })?;
        let mut rows = Vec::with_capacity(elements.len());
        let (count, mut last_key) = (elements.len() as u64, None);
        for element in &elements {
            let item = self.row.extract(element.raw).map_err(|e| broken("row", &e))?;
            let scene = Scene { outer: found, item: &item, name: element.name.as_deref() };
            last_key = self.rows.key_text(&scene);
            if !self.rows.counts(&scene) {
                continue;
            }
            let row = self.rows.read(body, &scene, keeping)?;
            if keys.is_empty() || keys.binary_search(&row.key).is_ok() {
                rows.push(row);
            }
        }
        Ok(Rows { rows, count, last_key })
    }
}

fn position(raw: Option<&str>, format: PositionFormat, of: &str) -> Result<u64, Failure> {
    value::position(raw, format)
        .map_err(|what| malformed(&format!("{of}: expected a 64-bit position, found {what}")))
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

pub(crate) fn extract<'a>(
    extractor: &Extractor,
    body: &'a Bytes,
    what: &str,
) -> Result<Found<'a>, Failure> {
    let text =
        std::str::from_utf8(body).map_err(|_| malformed(&format!("{what}: expected UTF-8")))?;
    extractor.extract(text).map_err(|error| broken(what, &error))
}

pub(crate) fn broken(what: &str, error: &serde_json::Error) -> Failure {
    malformed(&format!("{what}: {}", shape(error)))
}

/// An answer that is no answer: a truncated body or a proxy's page. Asking again may help.
pub(crate) fn malformed(what: &str) -> Failure {
    Failure { class: Class::Retry { after_ms: None }, code: None, what: what.into() }
}

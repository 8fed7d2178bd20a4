//! The profile's questions, ready for use, and what their answers say of the next one.

use std::borrow::Cow;
use std::collections::BTreeMap;

use unbroken_core::bookmark::{After, Bookmark};
use unbroken_core::connector::{Capabilities, EventBody, Failure, Numbering};
use unbroken_core::ids::Label;

use crate::generic::connector::ProfileError;
use crate::generic::cursor::Cursor;
use crate::generic::earlier::earlier;
use crate::generic::items::{Items, NoItems};
use crate::generic::pager::{Facts, Pager, check_progress};
use crate::generic::part::{Extractors, Part, Scene};
use crate::generic::pointer::Extractor;
use crate::generic::profile::{Advance, PollProfile, Profile};
use crate::generic::request::RequestTemplate;
use crate::generic::rest::{Reply, Spot, broken, extract, malformed, spot};
use crate::generic::template::{TemplateError, Values};
use crate::generic::value;
use crate::transport::Request;

/// The profile's `[poll]`, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Poll {
    first: RequestTemplate,
    next: Option<RequestTemplate>,
    pager: Pager,
    overlap_ms: u64,
    pub(crate) interval_ms: u64,
    quiet: Vec<u16>,
    page: Extractor,
    items: Items,
    row: Extractor,
    key: Part,
    place: Spot,
    next_name: Option<Spot>,
    more: Option<Spot>,
    total: Option<Spot>,
}

/// What a page of an answer says, beside its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Where to ask from the next time.
    pub(crate) place: Option<Bookmark>,
    /// The keys of its rows, as the vendor wrote them.
    pub(crate) keys: Vec<String>,
    /// Rows of all pages.
    pub(crate) total: Option<u64>,
    /// How to ask for the page after this one; `None` on the last.
    pub(crate) next: Option<Label>,
}

impl Poll {
    pub(crate) fn new(
        profile: &Profile,
        poll: &PollProfile,
        capabilities: &Capabilities,
    ) -> Result<Self, ProfileError> {
        if capabilities.position != Numbering::Opaque {
            return Err(ProfileError::PollNumbered);
        }
        if poll.overlap_ms > 0 && capabilities.event_body != EventBody::State {
            return Err(ProfileError::PollOverlap);
        }
        if matches!(poll.advance, Some(Advance::Next | Advance::Url)) && poll.next.is_none() {
            return Err(ProfileError::NoNext);
        }
        let fields = &profile.frames.event;
        let pointer = fields.items.as_ref().ok_or(ProfileError::PollItems)?;
        let (mut page, mut row) = (Extractor::default(), Extractor::default());
        let items = Items::new(pointer, &mut page, (fields.items_map, fields.items_optional))?;
        let mut extractors = Extractors { outer: &mut page, item: Some(&mut row) };
        let key = extractors.part(&fields.key)?;
        let variables: &BTreeMap<String, String> = &profile.variables;
        let next = poll.next_request.as_ref();
        Ok(Self {
            first: RequestTemplate::request(&poll.request, variables)?,
            next: next.map(|next| RequestTemplate::request(next, variables)).transpose()?,
            pager: Pager {
                advance: poll.advance,
                limit: poll.limit.max(1),
                first_page: poll.first_page,
            },
            overlap_ms: poll.overlap_ms,
            interval_ms: poll.interval_ms.max(1),
            quiet: poll.quiet.clone(),
            place: Spot::new(&poll.tag, &mut page)?,
            next_name: spot(&poll.next, &mut page)?,
            more: spot(&poll.more, &mut page)?,
            total: spot(&poll.total, &mut page)?,
            items,
            key,
            page,
            row,
        })
    }

    /// Whether this status means that there is nothing new.
    pub(crate) fn is_quiet(&self, status: u16) -> bool {
        self.quiet.contains(&status)
    }

    /// The question from a place, or for a later page of its answer.
    pub(crate) fn request(
        &self,
        after: Option<&Bookmark>,
        cursor: Option<&Cursor>,
        values: Values<'_>,
    ) -> Result<Request, Asked> {
        let after = match after {
            Some(place) => {
                let place = earlier(place, self.overlap_ms).ok_or(Asked::NoTime)?;
                Some(After::Bookmark(place))
            }
            None => None,
        };
        let values = Values { position: after.as_ref(), limit: Some(self.pager.limit), ..values };
        let rendered = match cursor {
            None => {
                let page = Some(self.pager.first_page);
                self.first.render(&Values { offset: Some(0), page, ..values })
            }
            Some(cursor) => self.next.as_ref().unwrap_or(&self.first).render(&cursor.fill(values)),
        };
        rendered.map_err(Asked::Template)
    }

    /// The URL of a later page, where the vendor names one.
    pub(crate) fn url(&self, cursor: &Cursor) -> Option<String> {
        cursor.next.clone().filter(|_| self.pager.advance == Some(Advance::Url))
    }

    /// Reads a page. One without its list of rows is no answer: nothing may move past it.
    pub(crate) fn read(&self, cursor: Option<&Cursor>, reply: Reply<'_>) -> Result<Turn, Failure> {
        let found = extract(&self.page, reply.body, "answer")?;
        let at = |spot: &Option<Spot>| spot.as_ref().and_then(|spot| spot.of(&found, reply));
        let elements = self.items.of(&found).map_err(|error| match error {
            NoItems::Missing => malformed("answer: expected rows, found nothing"),
            NoItems::NoList => malformed("answer: expected a list of rows"),
        })?;
        let mut keys = Vec::with_capacity(elements.len());
        for element in &elements {
            let item = self.row.extract(element.raw).map_err(|error| broken("row", &error))?;
            let scene = Scene { outer: &found, item: &item, name: element.name.as_deref() };
            // A row without a key is quarantined where its event is read.
            keys.extend(self.key.of(&scene).and_then(value::text).map(Cow::into_owned));
        }
        let (count, more, name) = (elements.len() as u64, at(&self.more), at(&self.next_name));
        let total = at(&self.total).and_then(|total| value::number(&total));
        let so_far = cursor.map_or(0, |cursor| cursor.offset) + count;
        let follows = self.pager.follows(Facts {
            count,
            so_far,
            last_key: keys.last().cloned(),
            total,
            more: self.more.as_ref().map(|_| more.is_some_and(|m| m == "true" || m == "\"true\"")),
            name: name.as_deref().and_then(value::text).map(Cow::into_owned),
        });
        check_progress(cursor, follows.as_ref())?;
        let page = cursor.and_then(|cursor| cursor.page).unwrap_or(self.pager.first_page);
        let next = follows.map(|next| {
            let page = Some(page.saturating_add(1));
            Cursor { offset: so_far, page, next, total, ..Cursor::default() }.label()
        });
        let place = self.place.of(&found, reply).as_deref().and_then(value::bookmark);
        Ok(Turn { place, keys, total, next })
    }
}

/// Why a question cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Asked {
    /// Only a time can be moved back.
    #[error("`poll.overlap_ms` is set, but the vendor's position is no time: set it to 0")]
    NoTime,
    /// A value is missing.
    #[error(transparent)]
    Template(#[from] TemplateError),
}

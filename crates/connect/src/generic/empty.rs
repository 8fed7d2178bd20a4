//! A snapshot of nobody, where the vendor says so by a status and sends no rows to read.

use unbroken_core::bookmark::Bookmark;
use unbroken_core::connector::{Capabilities, Numbering, Page, SnapshotKind};

use crate::generic::connector::ProfileError;
use crate::generic::profile::{PositionFormat, SnapshotProfile};
use crate::generic::value;

/// Which statuses say it, and the place of such a snapshot.
#[derive(Clone, Debug)]
pub(crate) struct Empty {
    statuses: Vec<u16>,
    tag: Option<u64>,
    bookmark: Option<Bookmark>,
}

impl Empty {
    pub(crate) fn new(
        profile: &SnapshotProfile,
        capabilities: &Capabilities,
        format: PositionFormat,
    ) -> Result<Self, ProfileError> {
        let statuses = profile.empty.clone();
        let nowhere = Self { statuses, tag: None, bookmark: None };
        if nowhere.statuses.is_empty() || capabilities.snapshot != SnapshotKind::Positioned {
            return Ok(nowhere);
        }
        let text = profile.empty_tag.as_deref().ok_or(ProfileError::NoEmptyTag)?;
        if capabilities.position == Numbering::Opaque {
            let bookmark = Bookmark::new(text.as_bytes());
            let bookmark = Some(bookmark.ok_or(ProfileError::EmptyTag { found: "nothing" })?);
            return Ok(Self { bookmark, ..nowhere });
        }
        let quoted = serde_json::Value::from(text).to_string();
        let tag = value::position(Some(&quoted), format);
        let tag = Some(tag.map_err(|found| ProfileError::EmptyTag { found })?);
        Ok(Self { tag, ..nowhere })
    }

    /// The snapshot, if this status means one without rows.
    pub(crate) fn page(&self, status: u16) -> Option<Page> {
        let Self { statuses, tag, bookmark } = self;
        let page = || Page { tag: *tag, bookmark: bookmark.clone(), ..Page::default() };
        statuses.contains(&status).then(page)
    }
}

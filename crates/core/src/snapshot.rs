//! Reading a snapshot page by page, and what it changes: pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::bookmark::Bookmark;
use crate::connector::{Page, Row};
use crate::fold::KeyState;
use crate::ids::{Key, Label};
use crate::key_table::KeyTable;

/// A row and the position that it has surely reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RowAt {
    /// The row.
    pub row: Row,
    /// Its own version, else its page's tag.
    pub version: Option<u64>,
}

/// The pages of one snapshot so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Collected {
    /// The epoch of all pages.
    pub epoch: Option<Label>,
    /// The tag: the *minimum* over the pages, since a tag that is too high would hide events.
    pub tag: Option<u64>,
    /// The first page's bookmark, where positions are opaque.
    pub bookmark: Option<Bookmark>,
    /// The highest page tag: rows may show what happened up to here.
    pub head: Option<u64>,
    /// Rows by key.
    pub rows: BTreeMap<Key, RowAt>,
    /// Rows received, of all pages.
    pub received: u64,
    snapshot_id: Option<Label>,
    total: Option<u64>,
    pages: u32,
}

/// Why pages do not make one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Torn {
    /// Pages of two numberings.
    #[error("the epoch changed between pages")]
    Epoch,
    /// Pages of two frozen snapshots.
    #[error("the snapshot id changed between pages")]
    SnapshotId,
    /// Rows were added or removed while we read.
    #[error("the total changed between pages")]
    Total,
    /// A row moved from one page to another while we read.
    #[error("a row came on two pages")]
    Twice,
    /// Rows are missing at the end.
    #[error("fewer rows than the total says")]
    Incomplete,
    /// A page has no position although the source declares one.
    #[error("a page has no position")]
    NoTag,
    /// More rows than we collect.
    #[error("more rows than the bound allows")]
    TooLarge,
}

impl Collected {
    /// Adds a page.
    ///
    /// # Errors
    /// [`Torn`], after which the snapshot has to be begun again.
    pub fn add(&mut self, page: Page, tag_needed: bool, rows_max: u64) -> Result<(), Torn> {
        if tag_needed && page.tag.is_none() {
            return Err(Torn::NoTag);
        }
        if self.pages == 0 {
            self.epoch.clone_from(&page.epoch);
            self.snapshot_id.clone_from(&page.snapshot_id);
            self.total = page.total;
            self.tag = page.tag;
            self.bookmark.clone_from(&page.bookmark);
            self.head = page.tag;
        } else if self.epoch != page.epoch {
            return Err(Torn::Epoch);
        } else if self.snapshot_id != page.snapshot_id {
            return Err(Torn::SnapshotId);
        } else if self.total != page.total {
            return Err(Torn::Total);
        }
        self.tag = self.tag.min(page.tag);
        self.head = self.head.max(page.tag);
        self.pages += 1;
        self.received += page.rows.len() as u64;
        if self.received > rows_max {
            return Err(Torn::TooLarge);
        }
        for row in page.rows {
            let version = row.version.or(page.tag);
            if self.rows.insert(row.key.clone(), RowAt { row, version }).is_some() {
                return Err(Torn::Twice);
            }
        }
        Ok(())
    }

    /// Whether the pages are all there.
    ///
    /// # Errors
    /// [`Torn::Incomplete`] if the vendor named a total and fewer rows came.
    pub fn finish(&self) -> Result<(), Torn> {
        match self.total {
            Some(total) if self.received != total => Err(Torn::Incomplete),
            _ => Ok(()),
        }
    }

    /// All pages belong to one frozen snapshot of the vendor's.
    pub fn is_frozen(&self) -> bool {
        self.snapshot_id.is_some()
    }
}

/// What a snapshot changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff<'a> {
    /// Rows that differ from what is held.
    pub upserts: Vec<(&'a Key, &'a RowAt)>,
    /// Keys that are held and not in the snapshot.
    pub absent: BTreeSet<Key>,
}

/// Compares a snapshot with what is held. A key that an event touched after the row's version (or,
/// without positions, at all since the subscription was confirmed) belongs to the stream.
pub fn diff<'a>(
    held: &KeyTable<KeyState>,
    rows: &'a BTreeMap<Key, RowAt>,
    touched: &BTreeMap<Key, Option<u64>>,
) -> Diff<'a> {
    let upserts = rows
        .iter()
        .filter(|(key, at)| !is_newer(touched.get(*key), at.version))
        .filter(|(key, at)| {
            held.get(key).is_none_or(|held| !held.present || held.digest != at.row.digest)
        })
        .collect();
    let absent = held
        .iter_unordered()
        .filter(|(key, state)| state.present && !rows.contains_key(*key))
        .map(|(key, _)| key.clone())
        .collect();
    Diff { upserts, absent }
}

/// Whether the stream has touched a key after `version`.
pub fn is_newer(touched: Option<&Option<u64>>, version: Option<u64>) -> bool {
    match (touched, version) {
        (None, _) => false,
        (Some(Some(at)), Some(version)) => *at > version,
        (Some(_), _) => true,
    }
}

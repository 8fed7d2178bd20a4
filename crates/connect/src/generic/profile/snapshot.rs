//! What is asked over HTTP: the head and the snapshot.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::generic::profile::{Encoding, Rule, TimeFormat};

/// An HTTP request at the API's origin.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestProfile {
    /// `GET` or `POST`.
    #[serde(default = "get")]
    pub method: String,
    /// Path, beginning with `/`; a template for a URL.
    pub path: String,
    /// Query; values are templates for a URL. One that is a list and nothing else is sent as one
    /// parameter for each element.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Headers; values are templates for a header.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Body; a template for JSON.
    pub body: Option<String>,
    /// Body as a form (`application/x-www-form-urlencoded`), instead of `body`; values are
    /// templates for a form, a list as in the query.
    #[serde(default)]
    pub form: BTreeMap<String, String>,
}

fn get() -> String {
    "GET".into()
}

/// See [`crate::generic::Profile::head`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadProfile {
    /// What to ask.
    pub request: RequestProfile,
    /// Pointer to the head's position, or `header:` and a name.
    pub tag: String,
    /// Pointer to the epoch, or `header:` and a name.
    pub epoch: Option<String>,
}

/// See [`crate::generic::Profile::snapshot`]. Where a pointer is into the page, `header:` and
/// the name of a header of the answer may stand instead, such as `header:x-total-count` or
/// `header:etag`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SnapshotProfile {
    /// What to ask for the first page (and the later ones, unless `next_request` says otherwise).
    pub request: RequestProfile,
    /// What to ask for a later page.
    pub next_request: Option<RequestProfile>,
    /// Rows asked for per page: the template value `limit`.
    #[serde(default = "page_rows")]
    pub limit: u64,
    /// How the next page is named. Needed unless `capabilities.paging` is `none`.
    pub advance: Option<Advance>,
    /// The number of the first page (with `advance = "page"`).
    #[serde(default = "first_page")]
    pub first_page: u64,
    /// Pointer to the next page's name (with `advance = "next"`) or URL (with `advance = "url"`,
    /// where `header:link` takes the one with `rel="next"`); absent, null or empty on the last
    /// page.
    pub next: Option<String>,
    /// Pointer to a boolean that says whether more pages follow.
    pub more: Option<String>,
    /// Later pages are asked for at the first page's tag (template value `tag`), so that all of
    /// them show one instant; tag and snapshot id of every page are then the first page's tag.
    #[serde(default)]
    pub pinned: bool,
    /// Pointer to the position that the rows have reached.
    pub tag: Option<String>,
    /// Pointer to the epoch.
    pub epoch: Option<String>,
    /// Pointer to the frozen snapshot's id: pages with different ones do not fit together.
    pub snapshot_id: Option<String>,
    /// Pointer to the number of rows of the whole snapshot.
    pub total: Option<String>,
    /// Statuses that mean: there are no rows. What such an answer holds is not read.
    #[serde(default)]
    pub empty: Vec<u16>,
    /// The position of such a snapshot (needed if snapshots have one): one before everything, from
    /// which a subscription misses nothing.
    pub empty_tag: Option<String>,
    /// The rows.
    pub rows: RowFields,
}

fn page_rows() -> u64 {
    500
}

fn first_page() -> u64 {
    1
}

/// How the next page of a snapshot is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Advance {
    /// By the number of rows so far: the template value `offset`.
    Offset,
    /// By the page's number: the template value `page`.
    Page,
    /// By the last row's key, as the vendor wrote it: the template value `next`.
    LastKey,
    /// By what the vendor names: the template value `next`.
    Next,
    /// By a URL that the vendor names, absolute or relative. It is followed at the API's origin; at
    /// a host of the source's `allowed_hosts` without headers that hold a token; nowhere else.
    Url,
}

/// Where a snapshot's rows and their parts are. Pointers are into the row; behind `outer:` they are
/// into the page (not for the payload).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowFields {
    /// Pointer to the array of rows. A `*` in it stands for every element on the way.
    pub items: String,
    /// The rows may be the members of an object instead; `@name` is then a member's name.
    #[serde(default)]
    pub items_map: bool,
    /// The array is left out when there are no rows.
    #[serde(default)]
    pub items_optional: bool,
    /// Rows that count; others are passed over.
    pub when: Option<Rule>,
    /// Pointer (in the row) to the key.
    pub key: String,
    /// How the key is written.
    #[serde(default)]
    pub key_encoding: Encoding,
    /// Pointer to the row's own version.
    pub version: Option<String>,
    /// Pointer to the vendor's time of the value.
    pub time: Option<String>,
    /// How that time is written.
    #[serde(default)]
    pub time_format: TimeFormat,
    /// Pointer to the payload; empty: the row itself.
    #[serde(default)]
    pub payload: String,
    /// How the payload is written.
    #[serde(default)]
    pub payload_encoding: Encoding,
    /// A missing payload is an empty one.
    #[serde(default)]
    pub payload_optional: bool,
}

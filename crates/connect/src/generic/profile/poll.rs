//! How a source is asked again and again.

use serde::Deserialize;

use crate::generic::profile::{Advance, RequestProfile};

/// See [`crate::generic::Profile::poll`]. Each answer is a frame for `[frames]`; where a pointer is
/// into the answer, `header:` and the name of a header may stand instead.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PollProfile {
    /// What to ask for, at the API's origin: the template value `position` is the place of the last
    /// answer; a parameter that names it is left out as long as there is none.
    pub request: RequestProfile,
    /// What to ask for a later page.
    pub next_request: Option<RequestProfile>,
    /// From one question to the next, in milliseconds. An event is seen so much later at the most.
    #[serde(default = "interval_ms")]
    pub interval_ms: u64,
    /// How far before the place of the last answer is asked, in milliseconds: for a vendor whose
    /// places are times, and that may show a change a little later than its time says. Needs
    /// `event_body = "state"`, which tells what comes again.
    #[serde(default)]
    pub overlap_ms: u64,
    /// Rows asked for per page: the template value `limit`.
    #[serde(default = "page_rows")]
    pub limit: u64,
    /// How the next page of an answer is named; without it an answer is one page.
    pub advance: Option<Advance>,
    /// The number of the first page (with `advance = "page"`).
    #[serde(default = "first_page")]
    pub first_page: u64,
    /// Pointer to the next page's name or URL (with `advance = "next"` or `"url"`).
    pub next: Option<String>,
    /// Pointer to a boolean that says whether more pages follow.
    pub more: Option<String>,
    /// Pointer to the place to ask from the next time. Of an answer in pages the first page's
    /// counts, and only when all pages have come.
    pub tag: String,
    /// Pointer to the number of rows of all pages.
    pub total: Option<String>,
    /// Statuses that mean: nothing since then.
    #[serde(default = "quiet")]
    pub quiet: Vec<u16>,
}

/// Five seconds: an agent's change is worth seeing while it lasts, and a tenant has other clients.
fn interval_ms() -> u64 {
    5_000
}

fn page_rows() -> u64 {
    500
}

fn first_page() -> u64 {
    1
}

/// No Content.
fn quiet() -> Vec<u16> {
    vec![204]
}

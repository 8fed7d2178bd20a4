//! How one page leads to the next.

use unbroken_core::connector::Failure;

use crate::generic::cursor::Cursor;
use crate::generic::profile::Advance;
use crate::generic::rest::malformed;

/// The profile's way through pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pager {
    pub(crate) advance: Option<Advance>,
    pub(crate) limit: u64,
    pub(crate) first_page: u64,
}

/// What a page says of the next one.
pub(crate) struct Facts {
    pub(crate) count: u64,
    pub(crate) so_far: u64,
    pub(crate) last_key: Option<String>,
    pub(crate) total: Option<u64>,
    pub(crate) more: Option<bool>,
    pub(crate) name: Option<String>,
}

impl Pager {
    /// `None`: this was the last page. Else the next page's name, where it has one.
    pub(crate) fn follows(&self, page: Facts) -> Option<Option<String>> {
        let Facts { count, so_far, last_key, total, more, name } = page;
        match self.advance? {
            Advance::Next | Advance::Url => {
                name.filter(|name| !name.is_empty() && more != Some(false)).map(Some)
            }
            Advance::LastKey => last_key.filter(|_| more.unwrap_or(count >= self.limit)).map(Some),
            Advance::Offset | Advance::Page => {
                let fuller = || match total {
                    Some(total) => so_far < total && count > 0,
                    None => count >= self.limit,
                };
                more.unwrap_or_else(fuller).then_some(None)
            }
        }
    }
}

/// A page that names itself as the next one would be asked for without end.
pub(crate) fn check_progress(
    cursor: Option<&Cursor>,
    next: Option<&Option<String>>,
) -> Result<(), Failure> {
    let named = next.and_then(|next| next.as_deref());
    match cursor.and_then(|cursor| cursor.next.as_deref()) {
        Some(this) if named == Some(this) => Err(malformed("the next page is this page again")),
        _ => Ok(()),
    }
}

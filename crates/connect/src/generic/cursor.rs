//! Where a snapshot goes on.

use serde::{Deserialize, Serialize};
use unbroken_core::connector::Failure;
use unbroken_core::ids::Label;

use crate::generic::rest::malformed;
use crate::generic::template::Values;

/// How to ask for a later page. Core carries it as an opaque label.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Cursor {
    pub(crate) offset: u64,
    /// The page's number.
    pub(crate) page: Option<u64>,
    /// Its name, or its URL.
    pub(crate) next: Option<String>,
    pub(crate) tag: Option<u64>,
    pub(crate) snapshot: Option<String>,
    pub(crate) total: Option<u64>,
}

impl Cursor {
    pub(crate) fn parse(label: &Label) -> Result<Self, Failure> {
        serde_json::from_str(label.as_str()).map_err(|_| malformed("page cursor is not ours"))
    }

    pub(crate) fn fill<'a>(&'a self, values: Values<'a>) -> Values<'a> {
        Values {
            offset: Some(self.offset),
            page: self.page,
            next: self.next.as_deref(),
            tag: self.tag,
            snapshot_id: self.snapshot.as_deref(),
            ..values
        }
    }

    pub(crate) fn label(&self) -> Label {
        // A struct of texts and numbers always serialises.
        Label::new(serde_json::to_string(self).unwrap_or_default())
    }
}

//! What a client of events wants, by whichever transport it says so.

use std::collections::BTreeSet;

use serde::Deserialize;
use unbroken_core::ids::Key;
use unbroken_render::{Filter, RECORD_KINDS};

use crate::feed::After;
use crate::http::problem::{BODY_INVALID, CURSOR_INVALID};
use crate::http::{Problem, Query};
use crate::settings::TARGET_BYTES_MAX;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) after: After,
    pub(super) from_state: bool,
    pub(super) filter: Filter,
}

impl Wish {
    /// As the query says it.
    pub(super) fn of_query(query: &Query) -> Result<Self, Problem> {
        Ok(Self {
            after: query.after()?,
            from_state: query.begins_with_state(),
            filter: query.filter(),
        })
    }
}

/// What the client of a WebSocket may say.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Said {
    /// What it wants, in place of what it wanted before.
    Subscribe {
        #[serde(default)]
        after: String,
        #[serde(default)]
        from: Option<From>,
        #[serde(default)]
        source: Option<String>,
        #[serde(default)]
        key: Vec<String>,
        #[serde(default)]
        key_prefix: Option<String>,
        #[serde(default)]
        kind: BTreeSet<String>,
    },
    /// Whether we are there.
    Ping {},
}

/// What is to come first.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum From {
    /// State.
    State,
}

impl Said {
    /// Reads a message.
    pub(super) fn read(text: &str) -> Result<Self, Problem> {
        serde_json::from_str(text).map_err(|error| {
            // serde's text may hold what was sent; where it is wrong is enough.
            let detail = format!("the message is not understood, at column {}", error.column());
            Problem::new(&BODY_INVALID, detail)
        })
    }

    /// What it wants; `None`: an answer.
    pub(super) fn wish(self) -> Result<Option<Wish>, Problem> {
        let Self::Subscribe { after, from, source, key, key_prefix, kind } = self else {
            return Ok(None);
        };
        let invalid = |detail: &str| Problem::new(&BODY_INVALID, detail);
        if kind.iter().any(|kind| !RECORD_KINDS.contains(&kind.as_str())) {
            return Err(invalid("`kind` names no kind of a record"));
        }
        let bytes = key.iter().map(String::len).sum::<usize>()
            + [&source, &key_prefix].into_iter().flatten().map(String::len).sum::<usize>();
        if bytes > TARGET_BYTES_MAX {
            return Err(invalid("the filter is longer than 8 KiB"));
        }
        let after = After::parse(&after)
            .map_err(|_| Problem::new(&CURSOR_INVALID, "`after` is not a cursor"))?;
        let keys = key.iter().map(|key| Key::from(key.as_str())).collect();
        let filter = Filter { source, keys, key_prefix, kinds: kind };
        Ok(Some(Wish { after, from_state: from.is_some(), filter }))
    }
}

#[cfg(test)]
mod tests {
    use super::Said;

    #[test]
    fn a_subscription_says_what_is_wanted_or_what_is_wrong() {
        let wish = |text| {
            let said = Said::read(text).map_err(|problem| problem.kind.name)?;
            said.wish().map_err(|problem| problem.kind.name)
        };
        let text = r#"{"type":"subscribe","from":"state","key":["a"],"kind":["change"]}"#;
        let wanted = wish(text).expect("it is right").expect("it wants something");
        assert!(wanted.from_state && wanted.filter.keys.len() == 1);
        assert_eq!(wish(r#"{"type":"ping"}"#), Ok(None));
        for (text, name) in [
            (r#"{"type":"subscribe","after":"x"}"#, "cursor-invalid"),
            (r#"{"type":"subscribe","kind":["x"]}"#, "body-invalid"),
            (r#"{"type":"subscribe","keys":["x"]}"#, "body-invalid"),
            (r#"{"type":"other"}"#, "body-invalid"),
            ("subscribe", "body-invalid"),
        ] {
            assert_eq!(wish(text), Err(name), "{text}");
        }
    }
}

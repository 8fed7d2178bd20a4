//! `start`: where a sink begins that has no checkpoint yet.

use serde::{Deserialize, Deserializer, de};
use unbroken_journal::Cursor;

/// Where a new sink begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// With the oldest record that the log holds.
    #[default]
    Beginning,
    /// With a state image: the present value of every key, then what comes.
    State,
    /// With what comes.
    Now,
    /// Behind a cursor.
    Cursor(Cursor),
}

impl<'de> Deserialize<'de> for StartAt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match text.as_str() {
            "beginning" => Self::Beginning,
            "state" => Self::State,
            "now" => Self::Now,
            cursor => Self::Cursor(cursor.parse().map_err(|_| {
                de::Error::custom("`start` is none of `beginning`, `state`, `now` and no cursor")
            })?),
        })
    }
}

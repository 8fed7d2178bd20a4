//! How far a sink is.

use std::fmt;
use std::str::FromStr;

use unbroken_journal::{Cursor, JournalId};

/// Everything below the offset is in the target. In text `journal_id:offset`; while a state image
/// is written, `journal_id:offset:image:until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log that it speaks of.
    pub journal: JournalId,
    /// The offset of the next record, or of the next row of the image.
    pub next_offset: u64,
    /// What is being written.
    pub phase: Phase,
}

/// What a sink is being given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The rows of a state image, in the order of the offsets at which they were written: those
    /// that were written before `until`. The log's records follow from there.
    Image {
        /// An offset of the log.
        until: u64,
    },
    /// The log's records.
    Log,
}

impl Checkpoint {
    /// In the log.
    pub fn in_log(journal: JournalId, next_offset: u64) -> Self {
        Self { journal, next_offset, phase: Phase::Log }
    }

    /// At the beginning of a state image.
    pub fn in_image(journal: JournalId, until: u64) -> Self {
        Self { journal, next_offset: 0, phase: Phase::Image { until } }
    }

    /// Nothing before this offset of the log will be asked for again: retention may count on it.
    pub fn needed_from(&self) -> u64 {
        match self.phase {
            Phase::Image { until } => until,
            Phase::Log => self.next_offset,
        }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { journal, next_offset: offset, phase } = *self;
        let cursor = Cursor { journal, offset };
        match phase {
            Phase::Image { until } => write!(f, "{cursor}:image:{until}"),
            Phase::Log => write!(f, "{cursor}"),
        }
    }
}

impl FromStr for Checkpoint {
    type Err = InvalidCheckpoint;

    fn from_str(text: &str) -> Result<Self, InvalidCheckpoint> {
        let (cursor, phase) = match text.split_once(":image:") {
            Some((cursor, until)) => {
                let until = until.parse().map_err(|_| InvalidCheckpoint)?;
                (cursor, Phase::Image { until })
            }
            None => (text, Phase::Log),
        };
        let Cursor { journal, offset } = cursor.parse().map_err(|_| InvalidCheckpoint)?;
        Ok(Self { journal, next_offset: offset, phase })
    }
}

/// The text is not a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("checkpoint is not of the form `journal_id:offset`")]
pub struct InvalidCheckpoint;

#[cfg(test)]
mod tests {
    use super::{Checkpoint, InvalidCheckpoint};

    const ID: &str = "0190000000007000800000000000abcd";

    #[test]
    fn text_and_back() {
        for text in [format!("{ID}:7"), format!("{ID}:7:image:9")] {
            let checkpoint: Checkpoint = text.parse().expect("a checkpoint");
            assert_eq!(checkpoint.to_string(), text);
        }
        for text in [
            "",
            ID,
            "x:1",
            &format!("{ID}:7:image:x"),
            &format!("{ID}:7:image"),
            &format!("{ID}:+7"),
        ] {
            assert_eq!(text.parse::<Checkpoint>(), Err(InvalidCheckpoint), "{text}");
        }
    }
}

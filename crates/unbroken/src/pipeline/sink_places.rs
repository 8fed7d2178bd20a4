//! How far the sinks were, as the service last knew it: a target that is away when the service
//! starts cannot say what of the log it still needs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use tracing::warn;
use unbroken_journal::JournalId;

use crate::place;

/// By sink: nothing before this offset is needed any more.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct SinkPlaces {
    journal: String,
    needed_from: BTreeMap<String, u64>,
}

impl SinkPlaces {
    /// What is known of this log. A file that is not there or damaged knows nothing: then
    /// everything is kept until the targets can say.
    pub(super) fn read(data_dir: &Path, journal: JournalId) -> Self {
        let path = place::sinks_path(data_dir);
        let read = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<Self>(&bytes).map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            Err(error) => Err(error),
        };
        match read {
            Ok(places) if places.journal == journal.to_string() => places,
            Ok(_) => Self::default(),
            Err(error) => {
                warn!(%error, path = %path.display(), "how far the sinks were cannot be read");
                Self::default()
            }
        }
    }

    pub(super) fn of(&self, name: &str) -> u64 {
        self.needed_from.get(name).copied().unwrap_or(0)
    }

    /// There whole or not at all. It needs no sync: an older one is right, too.
    pub(super) fn write(
        data_dir: &Path,
        journal: JournalId,
        needed_from: &BTreeMap<String, u64>,
    ) -> io::Result<()> {
        let mut places = Self::read(data_dir, journal);
        places.journal = journal.to_string();
        places.needed_from.extend(needed_from.iter().map(|(name, offset)| (name.clone(), *offset)));
        let path = place::sinks_path(data_dir);
        let new = path.with_extension("json.new");
        fs::write(&new, serde_json::to_vec(&places)?)?;
        fs::rename(new, path)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use unbroken_journal::JournalId;

    use super::SinkPlaces;
    use crate::place;

    #[test]
    fn what_is_not_known_of_this_log_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let [ours, other] = [1, 2].map(|n| JournalId::from_bytes([n; 16]));
        assert_eq!(SinkPlaces::read(dir.path(), ours).of("a"), 0);
        SinkPlaces::write(dir.path(), ours, &[("a".to_owned(), 7)].into()).unwrap();
        SinkPlaces::write(dir.path(), ours, &[("b".to_owned(), 9)].into()).unwrap();
        let read = SinkPlaces::read(dir.path(), ours);
        assert_eq!((read.of("a"), read.of("b"), read.of("c")), (7, 9, 0));
        assert_eq!(SinkPlaces::read(dir.path(), other).of("a"), 0, "another log's offsets");
        fs::write(place::sinks_path(dir.path()), b"{").unwrap();
        assert_eq!(SinkPlaces::read(dir.path(), ours).of("a"), 0);
    }
}

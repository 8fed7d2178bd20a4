//! A sink of files beside the killed service: at the end it holds what the log holds.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use unbroken::place;
use unbroken::render::write_cloudevent;
use unbroken_core::record::digest;
use unbroken_journal::Reader;

use crate::cli::error::CliError;

/// Its folder, beside the configuration.
const FOLDER: &str = "files";

/// Small files, so that kills fall between them, and batches as they come.
pub(super) const CONFIGURATION: &str = r#"
[[sink]]
name = "files"
linger_ms = 20
ndjson = { dir = "files", file_offsets = 200 }
"#;

/// Records in order, as a count and a hash over all of their lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) records: u64,
    pub(super) hash: u128,
}

/// What both sides hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compared {
    pub(super) log: Content,
    pub(super) files: Content,
}

impl Content {
    fn add(&mut self, line: &[u8]) {
        let mut bytes = self.hash.to_be_bytes().to_vec();
        bytes.extend_from_slice(line);
        self.hash = digest(&bytes);
        self.records += 1;
    }
}

impl Compared {
    /// Reads both, when the service has ended.
    pub(super) fn read(dir: &Path, data_dir: &Path) -> Result<Self, CliError> {
        Ok(Self { log: of_log(data_dir)?, files: of_files(dir).map_err(failed)? })
    }

    pub(super) fn is_same(&self) -> bool {
        self.log == self.files && self.log.records > 0
    }

    /// In a line for people.
    pub(super) fn told(&self) -> String {
        let side = |of: &Content| format!("{} records, hash {:032x}", of.records, of.hash);
        let verdict = if self.is_same() { "the same" } else { "NOT the same" };
        format!("log: {}; sink: {}: {verdict}", side(&self.log), side(&self.files))
    }
}

fn failed(source: io::Error) -> CliError {
    CliError::Io { what: "reading the sink's files", source }
}

fn of_log(data_dir: &Path) -> Result<Content, CliError> {
    let reader = Reader::open(place::journal_dir(data_dir))?;
    let mut content = Content::default();
    let mut batches = reader.batches(reader.oldest_offset()?)?;
    let mut line = Vec::new();
    while let Some(batch) = batches.next_batch()? {
        for (offset, record) in batch.entries() {
            line.clear();
            write_cloudevent(reader.journal(), offset, record, &mut line);
            content.add(&line);
        }
    }
    Ok(content)
}

fn of_files(dir: &Path) -> io::Result<Content> {
    let entries = fs::read_dir(dir.join(FOLDER))?;
    let mut paths: Vec<PathBuf> =
        entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "ndjson"));
    paths.sort();
    let mut content = Content::default();
    for path in paths {
        for line in BufReader::new(File::open(path)?).split(b'\n') {
            content.add(&line?);
        }
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::{Compared, Content};

    #[test]
    fn order_and_every_byte_count() {
        let of = |lines: &[&str]| {
            let mut content = Content::default();
            lines.iter().for_each(|line| content.add(line.as_bytes()));
            content
        };
        let log = of(&["a", "b"]);
        assert!(Compared { log, files: of(&["a", "b"]) }.is_same());
        for other in [&["b", "a"][..], &["a"], &["a", "b", "b"], &["a", "c"], &["ab"]] {
            let compared = Compared { log, files: of(other) };
            assert!(!compared.is_same() && compared.told().contains("NOT the same"), "{other:?}");
        }
        assert!(!Compared { log: of(&[]), files: of(&[]) }.is_same(), "it proves nothing");
    }
}

//! The file of an export: there whole or not at all, and gone on with from its last line.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde_json::Value;
use unbroken_journal::Cursor;

use super::error::CliError;

/// While it is written a new file has this ending.
const UNFINISHED: &str = "unfinished";

/// How much of a file's end is read at a time while its last line is looked for.
const TAIL_BYTES: u64 = 64 * 1024;

/// Why an export was not begun.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExportError {
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    #[error("{} does not end with a line of an export", .0.display())]
    NotOurs(PathBuf),
    #[error("a Parquet file cannot be written to stdout")]
    NeedsFile,
    #[error("--append: a table cannot be gone on with")]
    AppendToTable,
}

impl ExportError {
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::Exists(_) => "go on with it by --append, or name another file",
            Self::NotOurs(_) => "name the file of an earlier `unbroken export`",
            Self::NeedsFile => "name a file by --output",
            Self::AppendToTable => "write another file, behind the cursor of this one: --after",
        }
    }
}

pub(crate) struct ExportFile {
    path: PathBuf,
    /// Where it is written, if that is not the path itself.
    unfinished: Option<PathBuf>,
    file: BufWriter<File>,
    last: Option<Cursor>,
}

fn failed(source: io::Error) -> CliError {
    CliError::Io { what: "writing the export", source }
}

impl ExportFile {
    /// A new file; or with `append` the one that is there, cut behind its last whole line, which
    /// must be one of an export.
    pub(crate) fn open(path: &Path, append: bool) -> Result<Self, CliError> {
        let path = path.to_owned();
        if path.exists() && !append {
            return Err(ExportError::Exists(path).into());
        }
        if path.exists() {
            let file = OpenOptions::new().read(true).write(true).open(&path);
            let mut file = file.map_err(failed)?;
            let (line, end) = last_line(&mut file).map_err(failed)?;
            let last = line.as_deref().map(cursor_of);
            let is_empty = file.metadata().map_err(failed)?.len() == 0;
            let last = match last {
                None if is_empty => None,
                Some(Some(cursor)) => Some(cursor),
                // Not ours: nothing of it is cut.
                None | Some(None) => return Err(ExportError::NotOurs(path).into()),
            };
            file.set_len(end).and_then(|()| file.seek(SeekFrom::Start(end))).map_err(failed)?;
            return Ok(Self { path, unfinished: None, file: BufWriter::new(file), last });
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".");
        name.push(UNFINISHED);
        let unfinished = path.with_file_name(name);
        let file = BufWriter::new(File::create(&unfinished).map_err(failed)?);
        Ok(Self { path, unfinished: Some(unfinished), file, last: None })
    }

    /// The cursor in the last line that was there.
    pub(crate) fn last_cursor(&self) -> Option<Cursor> {
        self.last
    }

    /// On disk, under its name.
    pub(crate) fn finish(self) -> Result<PathBuf, CliError> {
        let file = self.file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        if let Some(unfinished) = self.unfinished {
            fs::rename(unfinished, &self.path).map_err(failed)?;
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = File::open(folder.unwrap_or(Path::new(".")));
            folder.and_then(|folder| folder.sync_all()).map_err(failed)?;
        }
        Ok(self.path)
    }
}

impl Write for ExportFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn cursor_of(line: &[u8]) -> Option<Cursor> {
    let object: Value = serde_json::from_slice(line).ok()?;
    object["cursor"].as_str()?.parse().ok()
}

/// The last whole line, and where it ends.
fn last_line(file: &mut File) -> io::Result<(Option<Vec<u8>>, u64)> {
    let length = file.seek(SeekFrom::End(0))?;
    let (mut tail, mut at) = (Vec::new(), length);
    let line = loop {
        let ends: Vec<usize> =
            tail.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(i, _)| i).collect();
        match ends[..] {
            [.., before, last] => break Some((before + 1, last)),
            [last] if at == 0 => break Some((0, last)),
            _ if at == 0 => break None,
            _ => {}
        }
        let step = TAIL_BYTES.min(at);
        at -= step;
        file.seek(SeekFrom::Start(at))?;
        let mut more = vec![0; step as usize];
        file.read_exact(&mut more)?;
        more.append(&mut tail);
        tail = more;
    };
    let end = line.map_or(0, |(_, last)| at + last as u64 + 1);
    Ok((line.and_then(|(from, to)| tail.get(from..to)).map(<[u8]>::to_vec), end))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use tempfile::tempdir;

    use super::ExportFile;

    fn line(offset: u64, length: usize) -> String {
        let text = "x".repeat(length);
        format!("{{\"cursor\":\"0190000000007000800000000000abcd:{offset}\",\"x\":\"{text}\"}}\n")
    }

    #[test]
    fn what_is_behind_the_last_whole_line_is_cut_and_written_again() {
        let (one, two, long) = (line(1, 0), line(2, 0), line(3, 200_000));
        for (held, last, left) in [
            (String::new(), None, String::new()),
            (one.clone(), Some(1), one.clone()),
            (format!("{one}{two}{{\"cur"), Some(2), format!("{one}{two}")),
            (format!("{one}{long}"), Some(3), format!("{one}{long}")),
            (format!("{long}{}", "x".repeat(100_000)), Some(3), long.clone()),
        ] {
            let dir = tempdir().expect("a directory");
            let path = dir.path().join("out");
            fs::write(&path, &held).expect("a file");
            let mut file = ExportFile::open(&path, true).expect("it is there");
            assert_eq!(file.last_cursor().map(|cursor| cursor.offset), last);
            file.write_all(b"more\n").expect("there is room");
            file.finish().expect("there is room");
            assert_eq!(fs::read_to_string(&path).expect("text"), format!("{left}more\n"));
        }
    }

    #[test]
    fn a_file_that_is_no_export_is_not_touched() {
        for held in ["text", "text\n", "{}\n", "{\"cursor\":\"x\"}\n", "\n"] {
            let dir = tempdir().expect("a directory");
            let path = dir.path().join("out");
            fs::write(&path, held).expect("a file");
            assert!(ExportFile::open(&path, true).is_err(), "{held}");
            assert!(ExportFile::open(&path, false).is_err(), "{held}");
            assert_eq!(fs::read_to_string(&path).expect("text"), held);
        }
    }
}

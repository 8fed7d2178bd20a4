//! The files, as one is written after the other.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::state::{Tail, first_offset};
use crate::SinkError;
use crate::crash::pass;
use crate::folder::sync_dir;

/// Bytes that are written at once.
const PIECE_BYTES: usize = 1024 * 1024;

/// Appends lines.
pub(super) struct Files<'a> {
    dir: &'a Path,
    /// Offsets that one file is named for.
    offsets: u64,
    tail: Option<Tail>,
    open: Option<File>,
    lines: Vec<u8>,
}

impl<'a> Files<'a> {
    pub(super) fn new(dir: &'a Path, offsets: u64, tail: Option<Tail>) -> Self {
        Self { dir, offsets: offsets.max(1), tail, open: None, lines: Vec::new() }
    }

    /// Appends what is written as a line about an offset.
    pub(super) fn line(&mut self, offset: u64, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        // A state image in the middle of the log begins at older offsets: files only grow.
        if self.tail.as_ref().is_none_or(|tail| offset > tail.last_offset) {
            self.end_file()?;
            let aligned = offset - offset % self.offsets;
            // Files never overlap, whatever `file_offsets` was when the one before was begun.
            let free = self.tail.as_ref().map_or(0, |tail| tail.last_offset.saturating_add(1));
            let (first, last) = (aligned.max(free), aligned.saturating_add(self.offsets - 1));
            self.tail = Some(Tail { first_offset: first, last_offset: last, bytes: 0 });
        }
        write(&mut self.lines);
        self.lines.push(b'\n');
        if self.lines.len() >= PIECE_BYTES { self.write() } else { Ok(()) }
    }

    /// On disk. Returns where to go on.
    pub(super) fn finish(mut self) -> io::Result<Option<Tail>> {
        self.end_file()?;
        Ok(self.tail)
    }

    fn end_file(&mut self) -> io::Result<()> {
        self.write()?;
        match self.open.take() {
            Some(file) => {
                file.sync_data()?;
                pass("lines-synced", "lines lie behind what is committed, synced");
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn write(&mut self) -> io::Result<()> {
        let Some(tail) = self.tail.as_mut().filter(|_| !self.lines.is_empty()) else {
            return Ok(());
        };
        let mut file = match self.open.take() {
            Some(file) => file,
            None => open(self.dir, tail)?,
        };
        file.write_all(&self.lines)?;
        pass("lines-written", "lines lie behind what is committed, not synced");
        tail.bytes += self.lines.len() as u64;
        self.lines.clear();
        self.open = Some(file);
        Ok(())
    }
}

/// At the end of what is committed: what is behind it was left by a commit that failed.
fn open(dir: &Path, tail: &Tail) -> io::Result<File> {
    let path = dir.join(tail.file_name());
    let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
    file.set_len(tail.bytes)?;
    file.seek(SeekFrom::Start(tail.bytes))?;
    if tail.bytes == 0 {
        sync_dir(dir)?;
        pass("file-made", "the next file is there, and empty");
    }
    Ok(file)
}

/// Whether any of its files are there.
pub(super) fn holds_files(dir: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(dir)? {
        if entry?.file_name().to_str().and_then(first_offset).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Leaves nothing but what was committed.
pub(super) fn cut(dir: &Path, tail: Option<&Tail>) -> Result<(), SinkError> {
    let doing = || SinkError::unreachable("cutting its files");
    if let Some(tail) = tail {
        let path = dir.join(tail.file_name());
        let bytes = match fs::metadata(&path) {
            Ok(file) => file.len(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
            Err(error) => return Err(doing()(error)),
        };
        if bytes < tail.bytes {
            return Err(too_short(&path, bytes, tail.bytes));
        }
        let file = OpenOptions::new().write(true).open(&path).map_err(doing())?;
        file.set_len(tail.bytes).and_then(|()| file.sync_all()).map_err(doing())?;
    }
    set_aside(dir, tail).map_err(doing())
}

fn too_short(path: &Path, bytes: u64, committed: u64) -> SinkError {
    let what = format!("{} has {bytes} bytes, and {committed} were committed", path.display());
    let todo = "restore the file, or move the directory away: the sink then begins anew";
    SinkError::blocked(what, todo)
}

/// Where nothing was set aside before: that, too, may be all that is left of something.
fn free_aside(path: &Path) -> io::Result<PathBuf> {
    let mut aside = path.with_extension("ndjson.aside");
    let mut number = 1;
    while aside.try_exists()? {
        number += 1;
        aside = path.with_extension(format!("ndjson.aside.{number}"));
    }
    Ok(aside)
}

/// Files behind the tail. They were begun by a commit that failed; but where a checkpoint was
/// restored, they were not.
fn set_aside(dir: &Path, tail: Option<&Tail>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some(first_offset) = first_offset(name) else { continue };
        if tail.is_none_or(|tail| first_offset > tail.last_offset) {
            fs::rename(&path, free_aside(&path)?)?;
            pass("file-set-aside", "a file that no commit had ended is set aside, not durably");
        }
    }
    sync_dir(dir)
}

//! A directory of files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::place::{CHECKPOINT, Held, Place, Put, Swapped, Version};
use crate::SinkError;
use crate::blocking::blocking;
use crate::crash::pass;
use crate::folder::{lock, sync_dir, write_whole};

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    dir: PathBuf,
}

impl Disk {
    pub(super) async fn new(dir: PathBuf) -> Result<Self, SinkError> {
        let made = dir.clone();
        let made = blocking(move || fs::create_dir_all(made)).await;
        made.map_err(SinkError::unreachable("making its directory"))?;
        Ok(Self { dir })
    }

    fn held(&self) -> Result<Option<Vec<u8>>, SinkError> {
        let read = fs::read(self.dir.join(CHECKPOINT));
        if_there(read).map_err(SinkError::unreachable("reading its checkpoint"))
    }

    fn replace(&self, held: Option<&Version>, text: Vec<u8>) -> Result<Swapped, SinkError> {
        let _lock = lock(&self.dir)?;
        if self.held()?.map(Version::Text).as_ref() != held {
            return Ok(Swapped::Lost);
        }
        let written = write_whole(&self.dir, CHECKPOINT, &text);
        written.map_err(SinkError::unreachable("writing its checkpoint"))?;
        Ok(Swapped::Done(Version::Text(text)))
    }

    /// Whoever wrote it may have ended before its name was on disk.
    fn durably_holds(&self, path: &Path) -> io::Result<bool> {
        let is_there = path.try_exists()?;
        if let Some(day) = path.parent().filter(|_| is_there) {
            sync_dir(day)?;
            sync_dir(&self.dir)?;
        }
        Ok(is_there)
    }

    fn add(&self, name: &str, file: &[u8]) -> io::Result<Put> {
        let path = self.dir.join(name);
        let day = path.parent().unwrap_or(&self.dir);
        if !day.exists() {
            fs::create_dir_all(day)?;
            sync_dir(&self.dir)?;
            pass("day-made", "the directory of a day is there");
        }
        if path.try_exists()? {
            return Ok(Put::IsThere);
        }
        // Under the lock there is one of them; what is left of it is written over.
        let new = self.dir.join("file.new");
        let mut writing = File::create(&new)?;
        writing.write_all(file)?;
        pass("file-written", "a file is written under its unfinished name, not synced");
        writing.sync_all()?;
        pass("file-synced", "a file is synced under its unfinished name");
        fs::rename(new, &path)?;
        pass("file-renamed", "a file has its name, not durably");
        sync_dir(day)?;
        Ok(Put::Done)
    }
}

impl Place for Disk {
    async fn read(&self) -> Result<Option<Held>, SinkError> {
        let this = self.clone();
        let held = blocking(move || this.held()).await?;
        Ok(held.map(|text| Held { version: Version::Text(text.clone()), text }))
    }

    async fn swap(&self, held: Option<&Version>, text: Vec<u8>) -> Result<Swapped, SinkError> {
        let (this, held) = (self.clone(), held.cloned());
        blocking(move || this.replace(held.as_ref(), text)).await
    }

    async fn put(&self, name: &str, file: Bytes) -> Result<Put, SinkError> {
        let (this, name) = (self.clone(), name.to_owned());
        blocking(move || {
            let _lock = lock(&this.dir)?;
            this.add(&name, &file).map_err(SinkError::unreachable("writing a file"))
        })
        .await
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, SinkError> {
        let path = self.dir.join(name);
        let read = blocking(move || if_there(fs::read(path))).await;
        let read = read.map_err(SinkError::unreachable("reading a file"))?;
        Ok(read.map(Bytes::from))
    }

    async fn holds(&self, name: &str) -> Result<bool, SinkError> {
        let (this, path) = (self.clone(), self.dir.join(name));
        let found = blocking(move || this.durably_holds(&path)).await;
        found.map_err(SinkError::unreachable("looking for a file"))
    }

    async fn days(&self) -> Result<Vec<String>, SinkError> {
        let names = names_in(self.dir.clone()).await?;
        Ok(names.into_iter().filter(|name| name.starts_with("day=")).collect())
    }

    async fn files(&self, day: &str) -> Result<Vec<String>, SinkError> {
        names_in(self.dir.join(day)).await
    }
}

async fn names_in(dir: PathBuf) -> Result<Vec<String>, SinkError> {
    let names = blocking(move || read_names(&dir)).await;
    names.map_err(SinkError::unreachable("reading its directory"))
}

fn read_names(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir)? {
        names.extend(entry?.file_name().into_string().ok());
    }
    Ok(names)
}

fn if_there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(read) => Ok(Some(read)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

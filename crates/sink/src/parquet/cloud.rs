//! A prefix in an object store.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, UpdateVersion};

use super::place::{CHECKPOINT, Held, Place, Put, Swapped, Version};
use crate::SinkError;
use crate::store::{self, failed};

/// See the module.
#[derive(Debug)]
pub(super) struct Cloud {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
}

impl Cloud {
    pub(super) fn new(
        url: &str,
        options: Vec<(String, String)>,
        ca: Option<&[u8]>,
    ) -> Result<Self, SinkError> {
        let (store, prefix) = store::open(url, options, ca)?;
        Ok(Self { store, prefix })
    }

    fn path(&self, name: &str) -> Path {
        name.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }

    async fn read_whole(&self, path: &Path) -> Result<Option<(Bytes, Version)>, Error> {
        let found = match self.store.get(path).await {
            Ok(found) => found,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let e_tag = found.meta.e_tag.clone();
        let version = Version::Tags { e_tag, version: found.meta.version.clone() };
        Ok(Some((found.bytes().await?, version)))
    }
}

impl Place for Cloud {
    async fn read(&self) -> Result<Option<Held>, SinkError> {
        let read = self.read_whole(&self.path(CHECKPOINT)).await;
        let read = read.map_err(|error| failed("reading its checkpoint", error))?;
        Ok(read.map(|(text, version)| Held { text: text.into(), version }))
    }

    async fn swap(&self, held: Option<&Version>, text: Vec<u8>) -> Result<Swapped, SinkError> {
        let mode = match held {
            Some(Version::Tags { e_tag, version }) => {
                let (e_tag, version) = (e_tag.clone(), version.clone());
                PutMode::Update(UpdateVersion { e_tag, version })
            }
            Some(Version::Text(_)) | None => PutMode::Create,
        };
        let options = PutOptions { mode, ..PutOptions::default() };
        match self.store.put_opts(&self.path(CHECKPOINT), text.into(), options).await {
            Ok(put) => Ok(Swapped::Done(Version::Tags { e_tag: put.e_tag, version: put.version })),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Swapped::Lost),
            Err(error) => Err(failed("writing its checkpoint", error)),
        }
    }

    async fn put(&self, name: &str, file: Bytes) -> Result<Put, SinkError> {
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        match self.store.put_opts(&self.path(name), file.into(), options).await {
            Ok(_) => Ok(Put::Done),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => Ok(Put::IsThere),
            Err(error) => Err(failed("writing a file", error)),
        }
    }

    async fn get(&self, name: &str) -> Result<Option<Bytes>, SinkError> {
        let read = self.read_whole(&self.path(name)).await;
        let read = read.map_err(|error| failed("reading a file", error))?;
        Ok(read.map(|(bytes, _)| bytes))
    }

    async fn holds(&self, name: &str) -> Result<bool, SinkError> {
        match self.store.head(&self.path(name)).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(failed("looking for a file", error)),
        }
    }

    async fn days(&self) -> Result<Vec<String>, SinkError> {
        let listed = self.store.list_with_delimiter(Some(&self.prefix)).await;
        let listed = listed.map_err(|error| failed("listing its days", error))?;
        let names = listed.common_prefixes.iter().filter_map(Path::filename).map(str::to_owned);
        Ok(names.filter(|name| name.starts_with("day=")).collect())
    }

    async fn files(&self, day: &str) -> Result<Vec<String>, SinkError> {
        let listed = self.store.list_with_delimiter(Some(&self.path(day))).await;
        let listed = listed.map_err(|error| failed("listing its files", error))?;
        let names = listed.objects.iter().filter_map(|object| object.location.filename());
        Ok(names.map(str::to_owned).collect())
    }
}

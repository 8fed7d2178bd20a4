//! The record as Parquet files, in a directory or in an object store.
//!
//! ```text
//! checkpoint.json                                         cursor, fence, and what is being written
//! day=2026-11-27/log0001-FIRST-LAST.parquet               records of a range of offsets, of a day
//! day=2026-11-27/log0001-FIRST-LAST-state-UNTIL.parquet   rows of a state image
//! ```
//!
//! A file is there whole or not at all, its name says what is in it, and nobody overwrites it. A
//! commit first puts the names into the checkpoint, which is replaced only where it is still the
//! one that was read, and then writes the files. So a batch that was interrupted is known, and is
//! written again with the same names: a reader of `day=*/*.parquet` never sees a record twice. Who
//! has lost the sink may still finish the batch that it had begun, and nothing else.

mod cloud;
mod disk;
mod keeper;
mod names;
mod place;
mod state;
#[cfg(test)]
mod trials;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use self::cloud::Cloud;
use self::disk::Disk;
use self::keeper::Keeper;
use self::place::Place;
use crate::holder::Holder;
use crate::limit::within;
use crate::store::AskOptions;
use crate::{Batch, Claim, Fence, Guarantee, Opened, Sink, SinkError};

/// How long opening may take in all.
const OPEN_MAX: Duration = Duration::from_secs(120);

/// The same of a commit, which writes some megabytes.
const COMMIT_MAX: Duration = Duration::from_secs(600);

/// Where the files of a sink are.
#[derive(Clone)]
pub enum ParquetConfig {
    /// In a directory; made if it is not there.
    Dir(PathBuf),
    /// In an object store.
    Store {
        /// Which, and the prefix of all names in it: `s3://bucket/prefix`.
        url: String,
        /// The store's options, by the names that its own tools give them.
        options: AskOptions,
        /// Further certificates to trust, in PEM.
        ca: Option<Vec<u8>>,
    },
}

impl fmt::Debug for ParquetConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dir(dir) => f.debug_tuple("Dir").field(dir).finish(),
            Self::Store { url, .. } => f.debug_tuple("Store").field(url).finish(),
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Parquet {
    name: String,
    config: ParquetConfig,
    keeper: Option<Keeper<Any>>,
    holder: Holder,
}

/// Either of the two places.
#[derive(Debug)]
enum Any {
    Disk(Disk),
    Cloud(Cloud),
}

impl Parquet {
    /// Named, so that another sink's files are refused.
    pub fn new(name: impl Into<String>, config: ParquetConfig) -> Self {
        Self { name: name.into(), config, keeper: None, holder: Holder::new() }
    }

    async fn place(&self) -> Result<Any, SinkError> {
        Ok(match &self.config {
            ParquetConfig::Dir(dir) => Any::Disk(Disk::new(dir.clone()).await?),
            ParquetConfig::Store { url, options, ca } => {
                let options = options().await;
                let options = options.map_err(SinkError::unreachable("reading its secrets"))?;
                Any::Cloud(Cloud::new(url, options, ca.as_deref())?)
            }
        })
    }
}

impl Sink for Parquet {
    fn guarantee(&self) -> Guarantee {
        Guarantee::Transactional
    }

    async fn open(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        self.keeper = None;
        let opening =
            async { Keeper::open(self.place().await?, &self.name, claim, self.holder).await };
        let opened = within(OPEN_MAX, opening).await;
        let (keeper, opened) = opened.map_err(SinkError::unreachable("opening it"))??;
        self.keeper = Some(keeper);
        self.holder.has(opened.fence);
        Ok(opened)
    }

    async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        let doing = "writing a batch";
        let Some(keeper) = self.keeper.as_mut() else {
            return Err(SinkError::unreachable(doing)("the sink is not open"));
        };
        let committed = within(COMMIT_MAX, keeper.commit(fence, batch)).await;
        committed.map_err(SinkError::unreachable(doing))?
    }
}

impl Place for Any {
    async fn read(&self) -> Result<Option<place::Held>, SinkError> {
        match self {
            Self::Disk(disk) => disk.read().await,
            Self::Cloud(cloud) => cloud.read().await,
        }
    }

    async fn swap(
        &self,
        held: Option<&place::Version>,
        text: Vec<u8>,
    ) -> Result<place::Swapped, SinkError> {
        match self {
            Self::Disk(disk) => disk.swap(held, text).await,
            Self::Cloud(cloud) => cloud.swap(held, text).await,
        }
    }

    async fn put(&self, name: &str, file: bytes::Bytes) -> Result<place::Put, SinkError> {
        match self {
            Self::Disk(disk) => disk.put(name, file).await,
            Self::Cloud(cloud) => cloud.put(name, file).await,
        }
    }

    async fn get(&self, name: &str) -> Result<Option<bytes::Bytes>, SinkError> {
        match self {
            Self::Disk(disk) => disk.get(name).await,
            Self::Cloud(cloud) => cloud.get(name).await,
        }
    }

    async fn holds(&self, name: &str) -> Result<bool, SinkError> {
        match self {
            Self::Disk(disk) => disk.holds(name).await,
            Self::Cloud(cloud) => cloud.holds(name).await,
        }
    }

    async fn days(&self) -> Result<Vec<String>, SinkError> {
        match self {
            Self::Disk(disk) => disk.days().await,
            Self::Cloud(cloud) => cloud.days().await,
        }
    }

    async fn files(&self, day: &str) -> Result<Vec<String>, SinkError> {
        match self {
            Self::Disk(disk) => disk.files(day).await,
            Self::Cloud(cloud) => cloud.files(day).await,
        }
    }
}

//! The objects of a schema: files of batches on their way to the tables, and what has no place in
//! them.

use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use serde_json::json;

use super::names::{BATCHES, KEPT, fence_of};
use crate::crash::pass;
use crate::store::{failed, open};
use crate::{Fence, SinkError};

/// See the module.
#[derive(Debug)]
pub(super) struct Stage {
    store: Arc<dyn ObjectStore>,
    bucket: String,
    /// The schema's folder.
    root: Path,
    /// Objects of batches that are over.
    spent: Vec<Path>,
}

impl Stage {
    pub(super) fn new(
        url: &str,
        folder: &str,
        options: Vec<(String, String)>,
        ca: Option<&[u8]>,
    ) -> Result<Self, SinkError> {
        let (store, prefix) = open(url, options, ca)?;
        let rest = url.split_once("://").map_or("", |(_, rest)| rest);
        let bucket = rest.split('/').next().unwrap_or_default().to_owned();
        Ok(Self { store, bucket, root: prefix.join(folder), spent: Vec::new() })
    }

    /// Writes a batch's file, then its manifest, of which it returns the URL. Neither is of any use
    /// when the batch is over, however that ends.
    pub(super) async fn put(&mut self, stem: &str, file: Bytes) -> Result<String, SinkError> {
        let [data, manifest] = [".parquet", ".manifest"]
            .map(|ending| self.root.clone().join(BATCHES).join(format!("{stem}{ending}")));
        self.spent.extend([data.clone(), manifest.clone()]);
        let meta = json!({ "content_length": file.len() });
        let entry = json!({ "url": self.url(&data), "mandatory": true, "meta": meta });
        let text = json!({ "entries": [entry] }).to_string();
        self.write(&data, file).await?;
        pass("file-put", "a batch's file is in the bucket, and in no manifest");
        self.write(&manifest, text.into()).await?;
        pass("manifest-put", "a batch's file and its manifest are in the bucket");
        Ok(self.url(&manifest))
    }

    /// Writes an event for good. One of its name is the same.
    pub(super) async fn keep(&self, name: &str, event: Bytes) -> Result<(), SinkError> {
        self.write(&self.kept(name), event).await?;
        pass("event-kept", "an event that no column has room for is in the bucket");
        Ok(())
    }

    pub(super) fn kept_url(&self, name: &str) -> String {
        self.url(&self.kept(name))
    }

    /// Deletes the objects of batches that are over.
    pub(super) async fn clear(&mut self) -> Result<(), SinkError> {
        while let Some(path) = self.spent.last() {
            let deleted = self.store.delete(path).await;
            deleted.map_err(|error| failed("deleting an object that is over", error))?;
            self.spent.pop();
        }
        Ok(())
    }

    /// What is there of batches, whosever they are.
    pub(super) async fn list(&self) -> Result<Vec<Path>, SinkError> {
        let listed = self.store.list_with_delimiter(Some(&self.root.clone().join(BATCHES))).await;
        let listed = listed.map_err(|error| failed("listing objects that are over", error))?;
        Ok(listed.objects.into_iter().map(|object| object.location).collect())
    }

    /// Has what instances before this one have left cleared with its own. Whoever has lost the sink
    /// commits nothing any more, whatever it still writes or loads.
    pub(super) fn inherit(&mut self, found: Vec<Path>, fence: Fence) {
        let is_left = |path: &Path| path.filename().and_then(fence_of).is_some_and(|of| of < fence);
        self.spent.extend(found.into_iter().filter(is_left));
    }

    fn kept(&self, name: &str) -> Path {
        self.root.clone().join(KEPT).join(name)
    }

    fn url(&self, path: &Path) -> String {
        format!("s3://{}/{path}", self.bucket)
    }

    async fn write(&self, path: &Path, bytes: Bytes) -> Result<(), SinkError> {
        let put = self.store.put(path, bytes.into()).await;
        put.map(drop).map_err(|error| failed("writing an object", error))
    }
}

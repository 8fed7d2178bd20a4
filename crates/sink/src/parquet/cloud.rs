//! A prefix in an object store.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{
    Certificate, ClientOptions, Error, ObjectStore, ObjectStoreExt, ObjectStoreScheme, PutMode,
    PutOptions, RetryConfig, UpdateVersion,
};
use url::Url;

use super::place::{CHECKPOINT, Held, Place, Put, Swapped, Version};
use crate::SinkError;

/// How long one request may take.
const REQUEST_MAX: Duration = Duration::from_secs(60);

/// How long one is tried again. The pump tries again as well, and says so.
const RETRY_MAX: Duration = Duration::from_secs(10);

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
        let parsed = Url::parse(url).map_err(|_| unknown(url))?;
        let (scheme, prefix) = ObjectStoreScheme::parse(&parsed).map_err(|_| unknown(url))?;
        let mut client = ClientOptions::new().with_timeout(REQUEST_MAX);
        if let Some(pem) = ca {
            for certificate in Certificate::from_pem_bundle(pem).map_err(unusable)? {
                client = client.with_root_certificate(certificate);
            }
        }
        let retry = RetryConfig { max_retries: 3, retry_timeout: RETRY_MAX, ..Default::default() };
        // What the store's own tools would use is used here: roles, and the environment.
        let store: Arc<dyn ObjectStore> = match scheme {
            ObjectStoreScheme::AmazonS3 => {
                let mut store = AmazonS3Builder::from_env().with_client_options(client);
                for (key, value) in options {
                    store = store.with_config(known::<AmazonS3ConfigKey>(&key)?, value);
                }
                Arc::new(store.with_retry(retry).with_url(url).build().map_err(unusable)?)
            }
            ObjectStoreScheme::MicrosoftAzure => {
                let mut store = MicrosoftAzureBuilder::from_env().with_client_options(client);
                for (key, value) in options {
                    store = store.with_config(known::<AzureConfigKey>(&key)?, value);
                }
                Arc::new(store.with_retry(retry).with_url(url).build().map_err(unusable)?)
            }
            ObjectStoreScheme::GoogleCloudStorage => {
                let mut store = GoogleCloudStorageBuilder::from_env().with_client_options(client);
                for (key, value) in options {
                    store = store.with_config(known::<GoogleConfigKey>(&key)?, value);
                }
                Arc::new(store.with_retry(retry).with_url(url).build().map_err(unusable)?)
            }
            _ => return Err(unknown(url)),
        };
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
        let read = read.map_err(SinkError::unreachable("reading its checkpoint"))?;
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

fn known<K: std::str::FromStr>(key: &str) -> Result<K, SinkError> {
    key.parse().map_err(|_| {
        let what = format!("there is no option `{key}` of this object store");
        SinkError::blocked(what, "use the names of the store's own tools, as `aws_region`")
    })
}

fn unknown(url: &str) -> SinkError {
    let what = format!("`{url}` names no object store");
    SinkError::blocked(what, "use `s3://bucket/prefix`, `gs://…` or `az://…`")
}

/// The store's own words: they name options, and hold no values of them.
fn unusable(error: Error) -> SinkError {
    SinkError::Blocked(crate::Blocked {
        what: "object store cannot be used as it is configured".to_owned(),
        todo: "correct `options` of this sink".to_owned(),
        source: Some(Box::new(error)),
    })
}

fn failed(doing: &'static str, error: Error) -> SinkError {
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            SinkError::Blocked(crate::Blocked {
                what: format!("object store does not allow {doing}"),
                todo: "grant reading, writing and listing below the prefix".to_owned(),
                source: Some(Box::new(error)),
            })
        }
        Error::NotImplemented { .. } | Error::NotSupported { .. } => {
            SinkError::Blocked(crate::Blocked {
                what: "object store has no conditional writes".to_owned(),
                todo: "use one that knows If-Match and If-None-Match".to_owned(),
                source: Some(Box::new(error)),
            })
        }
        error => SinkError::unreachable(doing)(error),
    }
}

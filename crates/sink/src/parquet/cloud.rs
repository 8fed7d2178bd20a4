//! A prefix in an object store.

use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;
use std::{io, iter};

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
use crate::{Blocked, SinkError};

/// How long a store may say nothing to a request; a large file takes as long as it takes.
const SILENCE_MAX: Duration = Duration::from_secs(60);

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
        let parsed = Url::parse(url).map_err(|_| unknown())?;
        let (scheme, prefix) = ObjectStoreScheme::parse(&parsed).map_err(|_| unknown())?;
        let mut client =
            ClientOptions::new().with_timeout_disabled().with_read_timeout(SILENCE_MAX);
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
            _ => return Err(unknown()),
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

fn known<K: std::str::FromStr>(key: &str) -> Result<K, SinkError> {
    key.parse().map_err(|_| {
        let what = format!("there is no option `{key}` of this object store");
        SinkError::blocked(what, "use the names of the store's own tools, as `aws_region`")
    })
}

/// Not told: it may hold what is secret.
fn unknown() -> SinkError {
    let what = "`url` names no object store";
    SinkError::blocked(what, "use `s3://bucket/prefix`, `gs://…` or `az://…`")
}

fn unusable(error: Error) -> SinkError {
    blocked("object store cannot be used as it is configured", "correct `options`", &error)
}

fn failed(doing: &'static str, error: Error) -> SinkError {
    match &error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => blocked(
            &format!("object store does not allow {doing}"),
            "grant reading, writing and listing below the prefix",
            &error,
        ),
        Error::NotImplemented { .. } | Error::NotSupported { .. } => blocked(
            "object store has no conditional writes",
            "use one that knows If-Match and If-None-Match",
            &error,
        ),
        _ => SinkError::unreachable(doing)(told(&error)),
    }
}

fn blocked(what: &str, todo: &str, error: &Error) -> SinkError {
    SinkError::Blocked(Blocked {
        what: what.to_owned(),
        todo: todo.to_owned(),
        source: Some(told(error).into()),
    })
}

/// The library's own text holds the whole answer, and stores repeat tokens in it: what is told is
/// the number and the code of the answer, or what the operating system says.
fn told(error: &Error) -> String {
    let text = error.to_string();
    let between = |before: &str, after: &str| {
        let (_, rest) = text.split_once(before)?;
        let (found, _) = rest.split_once(after)?;
        let is_plain = |c: char| c.is_ascii_alphanumeric();
        (!found.is_empty() && found.len() <= 64 && found.chars().all(is_plain)).then_some(found)
    };
    let code = between("<Code>", "</Code>");
    let status = between("non-2xx status code: ", " ");
    let mut sources = iter::successors(error.source(), |error| (*error).source());
    let system = sources.find_map(|error| error.downcast_ref::<io::Error>());
    match (status, code, system) {
        (Some(status), Some(code), _) => format!("it answered {status}, {code}"),
        (Some(status), None, _) => format!("it answered {status}"),
        (None, Some(code), _) => format!("it answered {code}"),
        (None, None, Some(system)) => system.kind().to_string(),
        (None, None, None) if text.contains("timed out") => "it did not answer in time".to_owned(),
        (None, None, None) => "it cannot be spoken to, or answers in another way".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use object_store::Error;

    use super::told;

    /// As the library words it.
    #[test]
    fn nothing_of_an_answer_is_told_but_its_number_and_code() {
        let error = |text: &str| Error::Generic { store: "S3", source: text.to_owned().into() };
        let body = "<Error><Code>ExpiredToken</Code><Token-0>s3cr3t</Token-0></Error>";
        let refused = format!("Server returned non-2xx status code: 400 Bad Request: {body}");
        assert_eq!(told(&error(&refused)), "it answered 400, ExpiredToken");
        let html = "Server returned non-2xx status code: 502 Bad Gateway: <html>s3cr3t</html>";
        assert_eq!(told(&error(html)), "it answered 502");
        let odd = "<Code>a s3cr3t</Code>";
        assert!(!told(&error(odd)).contains("s3cr3t"));
    }
}

//! An object store: a client of it, and what its errors mean.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use std::{io, iter};

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::path::Path;
use object_store::{
    Certificate, ClientOptions, Error, ObjectStore, ObjectStoreScheme, RetryConfig,
};
use url::Url;

use crate::{Blocked, SinkError, limit};

/// How long a store may say nothing to a request; a large file takes as long as it takes.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// How long one is tried again. The pump tries again as well, and says so.
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Asks for an object store's options, secrets among them, which may be others each time.
pub type AskOptions = Arc<
    dyn Fn() -> Pin<Box<dyn Future<Output = Result<Vec<(String, String)>, String>> + Send>>
        + Send
        + Sync,
>;

/// By its URL, with the prefix in it that the URL names.
pub(crate) fn open(
    url: &str,
    options: Vec<(String, String)>,
    ca: Option<&[u8]>,
) -> Result<(Arc<dyn ObjectStore>, Path), SinkError> {
    let parsed = Url::parse(url).map_err(|_| unknown())?;
    let (scheme, prefix) = ObjectStoreScheme::parse(&parsed).map_err(|_| unknown())?;
    let silence_max = limit::of(SILENCE_MAX);
    let mut client = ClientOptions::new().with_timeout_disabled().with_read_timeout(silence_max);
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
    Ok((store, prefix))
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

/// What an error means that came of it while something was done.
pub(crate) fn failed(doing: &'static str, error: Error) -> SinkError {
    match &error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => blocked(
            &format!("object store does not allow {doing}"),
            "grant reading, writing, listing and deleting below the prefix",
            &error,
        ),
        Error::NotImplemented { .. } | Error::NotSupported { .. } => blocked(
            "object store has no conditional writes",
            "use one that knows If-Match and If-None-Match",
            &error,
        ),
        _ if certificate(&error).is_some() => blocked(
            "object store shows a certificate that is not accepted",
            "let `aws_endpoint` name it as its certificate does, and `ca_file` its authority",
            &error,
        ),
        _ if told(&error) == REDIRECTED => blocked(
            "object store has the bucket in another region",
            "set `aws_region` to the region of the bucket",
            &error,
        ),
        _ if code(&error.to_string()).is_some_and(|code| NO_BUCKET.contains(&code)) => blocked(
            "object store has no bucket of this name",
            "create the bucket, or correct its name in the URL",
            &error,
        ),
        _ => SinkError::unreachable(doing)(told(&error)),
    }
}

/// What S3 answers whoever asks in another region than the bucket's.
const REDIRECTED: &str = "it answered that the bucket is elsewhere";

/// The codes of S3 and Google, and of Azure.
const NO_BUCKET: [&str; 2] = ["NoSuchBucket", "ContainerNotFound"];

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
    // The library's words: it goes nowhere by itself.
    if text.contains("redirect without LOCATION") {
        return REDIRECTED.to_owned();
    }
    let code = code(&text);
    let status = between(&text, "non-2xx status code: ", " ");
    if let Some(certificate) = certificate(error) {
        return certificate.to_string();
    }
    match (status, code, system(error)) {
        (Some(status), Some(code), _) => format!("it answered {status}, {code}"),
        (Some(status), None, _) => format!("it answered {status}"),
        (None, Some(code), _) => format!("it answered {code}"),
        (None, None, Some(system)) => system.kind().to_string(),
        (None, None, None) if text.contains("timed out") => "it did not answer in time".to_owned(),
        (None, None, None) => "it cannot be spoken to, or answers in another way".to_owned(),
    }
}

/// What the operating system says, or TLS by its means.
fn system(error: &Error) -> Option<&io::Error> {
    let mut sources = iter::successors(error.source(), |error| (*error).source());
    let outer = sources.find_map(|error| error.downcast_ref::<io::Error>());
    // Each layer of the way wraps it once more.
    iter::successors(outer, |error| error.get_ref()?.downcast_ref()).last()
}

/// What is wrong with a certificate, if that is what is wrong.
fn certificate(error: &Error) -> Option<&rustls::Error> {
    let told = system(error)?.get_ref()?.downcast_ref::<rustls::Error>()?;
    matches!(told, rustls::Error::InvalidCertificate(_)).then_some(told)
}

fn code(text: &str) -> Option<&str> {
    between(text, "<Code>", "</Code>")
}

/// A word that stands there, if it is one.
fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    let (found, _) = rest.split_once(after)?;
    let is_plain = |c: char| c.is_ascii_alphanumeric();
    (!found.is_empty() && found.len() <= 64 && found.chars().all(is_plain)).then_some(found)
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

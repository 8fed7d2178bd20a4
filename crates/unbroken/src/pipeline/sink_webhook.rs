//! The way to a webhook's endpoint: TLS, proxies and addresses are as everywhere, and no redirect
//! is followed.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use unbroken_connect::config::ProxyChoice;
use unbroken_connect::secret::SecretSource;
use unbroken_connect::transport::{
    Dialer, Header, Http, Method, Origin, Request, Tls, TransportError,
};
use unbroken_core::connector::Class;
use unbroken_sink::{
    AskSecrets, Blocked, Post, PostAnswer, Posting, SinkError, Webhook, WebhookConfig,
};

use super::error::PipelineError;
use crate::config::WebhookSection;
use crate::place;

/// What is read of an answer's body, so that its connection can be used again. Whatever it is, the
/// status alone says what was taken.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

pub(super) fn webhook(
    name: String,
    section: WebhookSection,
    data_dir: &Path,
) -> Result<Webhook, PipelineError> {
    let post = posting(&name, &section)?;
    let secrets = asking(section.secret.into_iter().chain(section.secrets).collect());
    let (db, bytes_max) = (place::sinks_db_path(data_dir), section.bytes_max);
    Ok(Webhook::new(WebhookConfig { name, db, bytes_max, post, secrets }))
}

fn posting(name: &str, section: &WebhookSection) -> Result<Post, PipelineError> {
    let name = || name.to_owned();
    let (origin, path_and_query) = Origin::of_url(&section.url, section.insecure)
        .map_err(|source| PipelineError::SinkAddress { name: name(), source })?;
    let is_encrypted = origin.is_encrypted();
    let tls = if is_encrypted { Tls::new(section.ca_file.as_deref()) } else { Tls::none() };
    let tls = tls.map_err(|source| PipelineError::SinkTrust { name: name(), source })?;
    let proxies = ProxyChoice::Environment.proxies();
    let proxies = proxies.map_err(|source| PipelineError::SinkProxy { name: name(), source })?;
    let http = Http::new(Dialer::new(tls, proxies), ANSWER_BYTES_MAX).without_bodies();
    let limit = Duration::from_millis(section.timeout_ms);
    Ok(Arc::new(move |posting| {
        let (http, origin) = (http.clone(), origin.clone());
        let request = request(path_and_query.clone(), posting);
        Box::pin(async move {
            let answer = http.send(&origin, &request, limit).await;
            let answer = answer.map_err(|error| fault(&origin, error))?;
            let retry_after = answer.retry_after_ms.map(Duration::from_millis);
            Ok(PostAnswer { status: answer.status, retry_after })
        })
    }))
}

fn request(path_and_query: String, posting: Posting) -> Request {
    let header = |(name, value): (&'static str, String)| Header {
        name: name.to_owned(),
        value,
        secret: false,
    };
    let headers = posting.headers.into_iter().map(header).collect();
    Request { method: Method::Post, path_and_query, headers, body: Some(posting.body) }
}

/// What is the network's may pass; a certificate that is not trusted does not.
fn fault(origin: &Origin, error: TransportError) -> SinkError {
    if matches!(error.failure().class, Class::Retry { .. }) {
        return SinkError::unreachable("posting")(error);
    }
    SinkError::Blocked(Blocked {
        what: format!("nothing can be posted to {origin}"),
        todo: match error {
            TransportError::Certificate { .. } => {
                "if the endpoint is behind a private authority, name its certificate as `ca_file`"
                    .to_owned()
            }
            _ => error.hint().unwrap_or_default(),
        },
        source: Some(Box::new(error)),
    })
}

/// Read whenever the sink is opened, so that secrets may be changed while the service runs: who
/// refuses the old signature makes it open again.
fn asking(sources: Vec<SecretSource>) -> AskSecrets {
    let sources = Arc::new(sources);
    Arc::new(move || {
        let sources = Arc::clone(&sources);
        Box::pin(async move {
            let mut secrets = Vec::new();
            for source in sources.iter() {
                let read = source.read().await.map_err(|error| error.to_string())?;
                secrets.push(read.expose().to_owned());
            }
            Ok(secrets)
        })
    })
}

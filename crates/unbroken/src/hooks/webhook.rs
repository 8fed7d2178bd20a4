//! A hook that is a URL: the notice is posted as JSON. TLS and redirects are as everywhere.

use std::time::Duration;

use unbroken_connect::config::ProxyChoice;
use unbroken_connect::transport::{Dialer, Http, Method, Origin, Request, Tls};

use super::config::HookConfig;
use super::error::HookError;
use super::notice::Notice;

/// What is read of an answer: nothing of it is used.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// First delay between two tries; doubled each time.
const RETRY_MS: u64 = 1_000;

#[derive(Debug)]
pub(super) struct Webhook {
    http: Http,
    origin: Origin,
    path_and_query: String,
    timeout_ms: u64,
    tries_max: u32,
}

impl Webhook {
    /// # Errors
    /// If the URL or its trust cannot be used.
    pub(super) fn new(
        hook: &'static str,
        url: &str,
        config: &HookConfig,
    ) -> Result<Self, HookError> {
        let (origin, path_and_query) = Origin::of_url(url, config.insecure)
            .map_err(|source| HookError::Url { hook, source })?;
        let failed = |source| HookError::Tls { hook, source };
        let tls =
            if origin.is_encrypted() { Tls::new(config.ca_file.as_deref()) } else { Tls::none() };
        let proxies = ProxyChoice::Environment.proxies();
        let proxies = proxies.map_err(|source| HookError::Proxy { hook, source })?;
        let http = Http::new(Dialer::new(tls.map_err(failed)?, proxies), ANSWER_BYTES_MAX);
        let (timeout_ms, tries_max) = (config.timeout_ms, config.tries_max);
        Ok(Self { http, origin, path_and_query, timeout_ms, tries_max })
    }

    /// Posts a notice, some times if need be.
    pub(super) async fn post(&self, notice: &Notice) -> Result<(), HookError> {
        let mut delay_ms = RETRY_MS;
        let mut tries = 1;
        loop {
            match self.try_post(notice).await {
                Err(error) if error.may_pass() && tries < self.tries_max => {
                    tokio::time::sleep(Duration::from_millis(delay_ms)).await;
                    delay_ms = delay_ms.saturating_mul(2);
                    tries += 1;
                }
                done => return done,
            }
        }
    }

    async fn try_post(&self, notice: &Notice) -> Result<(), HookError> {
        let request = Request {
            method: Method::Post,
            path_and_query: self.path_and_query.clone(),
            headers: Vec::new(),
            body: Some(notice.json().to_string()),
        };
        let origin = || self.origin.to_string();
        let limit = Duration::from_millis(self.timeout_ms);
        let answer = self.http.send(&self.origin, &request, limit).await;
        let answer = answer.map_err(|source| HookError::Transport { origin: origin(), source })?;
        if answer.is_success() {
            Ok(())
        } else {
            Err(HookError::Status { origin: origin(), status: answer.status })
        }
    }
}

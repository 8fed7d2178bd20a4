//! One question to a polled source, and its answer.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use unbroken_core::bookmark::Bookmark;
use unbroken_core::connector::{Class, Failure};
use unbroken_core::ids::Label;

use crate::discovery::Places;
use crate::generic::{Context, Generic, Reply, Turn};
use crate::polling::share::Share;
use crate::secret::Secret;
use crate::source::{fatal, nonce, not_understood};
use crate::tally::Tally;
use crate::transport::{Answer, Http, Origin, follow};

/// What is needed to ask.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub(crate) connector: Arc<Generic>,
    pub(crate) http: Http,
    pub(crate) api: Origin,
    pub(crate) places: Places,
    pub(crate) allowed_hosts: Vec<String>,
    /// For one page.
    pub(crate) deadline: Duration,
    pub(crate) rows_max: u64,
    pub(crate) tally: Arc<Tally>,
    pub(crate) share: Arc<Share>,
}

/// An answer.
#[derive(Debug)]
pub(crate) enum Got {
    /// Nothing since then.
    Quiet,
    /// A page, and what it says of the next question.
    Page(Bytes, Turn),
}

impl Asker {
    /// From one question to the next.
    pub(crate) fn interval(&self) -> Duration {
        Duration::from_millis(self.connector.poll_interval_ms().unwrap_or_default())
    }

    /// Asks from a place, or for a later page of an answer.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub(crate) async fn ask(
        &self,
        after: Option<&Bookmark>,
        page: Option<&Label>,
        token: Option<&Secret>,
    ) -> Result<Got, Failure> {
        let visit = self.places.visit();
        self.tally.request(visit.judge(self.asked(after, page, token).await))
    }

    async fn asked(
        &self,
        after: Option<&Bookmark>,
        page: Option<&Label>,
        token: Option<&Secret>,
    ) -> Result<Got, Failure> {
        let nonce = nonce();
        let context = Context { nonce: &nonce, token, ..Context::default() };
        let (mut request, url) = self.connector.question(after, page, context)?;
        let origin = match url {
            Some(url) => {
                follow(&url, &self.api, &self.allowed_hosts, &mut request).map_err(|error| {
                    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
                    fatal(&format!("{error}{hint}"))
                })?
            }
            None => self.api.clone(),
        };
        let place = format!("{origin}{}", request.path());
        let answer = self.http.send(&origin, &request, self.deadline).await;
        let answer = answer.map_err(|error| error.failure_at(&place))?;
        if self.connector.is_quiet(answer.status) {
            return Ok(Got::Quiet);
        }
        if !answer.is_success() {
            return Err(refused(&self.connector, &answer, &place));
        }
        let header = |name: &str| answer.header(name);
        let reply = Reply { status: answer.status, body: &answer.body, header: &header };
        let turn = self.connector.turn(page, reply);
        let turn = turn.map_err(|failure| not_understood(failure, &answer.body, &place))?;
        Ok(Got::Page(answer.body, turn))
    }
}

/// What an answer that is no success calls for, with the place that was asked and the vendor's own
/// words. Asking again leads to the same redirect, and following it might show the bearer to
/// somebody else.
pub(crate) fn refused(connector: &Generic, answer: &Answer, place: &str) -> Failure {
    let failure = status(connector, answer.status, answer.retry_after_ms, &answer.body);
    let said = connector.reason(&|name| answer.header(name));
    let said = said.map(|said| format!(": {said}")).unwrap_or_default();
    Failure { what: Label::new(format!("{} of {place}{said}", failure.what)), ..failure }
}

/// What a status calls for.
pub(crate) fn status(
    connector: &Generic,
    status: u16,
    retry_after_ms: Option<u64>,
    body: &[u8],
) -> Failure {
    if (300..400).contains(&status) {
        let what = Label::new(format!("HTTP {status} (a redirect, which is not followed)"));
        return Failure { class: Class::Fatal, code: Some(status), what };
    }
    connector.classify_status(status, retry_after_ms, body)
}

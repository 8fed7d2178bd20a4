//! The record as CloudEvents, posted to a URL.
//!
//! ```text
//! POST url            content-type: application/cloudevents-batch+json, an array of events
//!                     idempotency-key, webhook-id, webhook-timestamp, webhook-signature
//! 2xx                 taken: the checkpoint moves behind all requests of a batch
//! ```
//!
//! One request at a time, so that what an endpoint takes, it takes in order. It keeps no checkpoint
//! of ours: that is in `sinks.db`, so after a failure in the middle a request may come again, the
//! same one with the same key. What this instance knows to be taken it does not send again.
//!
//! An endpoint that fails is asked again with the one request that failed, after a delay that grows
//! to half a minute or to what it asks for, and with nothing else: that is the circuit breaker. A
//! smaller request as a probe would have another key, and so be no repetition for the endpoint.

mod answer;
mod request;
mod sign;

use std::fmt;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tracing::{info, warn};
use unbroken_render::wall_now;

pub use self::answer::PostAnswer;
use self::answer::{Verdict, said, verdict};
use self::request::{Event, Events, Place, Request, events};
use self::sign::Keys;
use crate::blocking::blocking;
use crate::crash::pass;
use crate::holder::Holder;
use crate::sinks_db::{Letter, LetterFate, SinksDb};
use crate::{Batch, Checkpoint, Claim, Fence, Guarantee, Opened, Sink, SinkError};

/// Letters that are given again at once: then the log has its turn.
const LETTERS_AT_ONCE: usize = 20;

const CONTENT_TYPE: &str = "application/cloudevents-batch+json; charset=utf-8";

/// Something that takes its time.
type Answering<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Posts to the endpoint. An answer of whatever status is none of its errors.
pub type Post = Arc<dyn Fn(Posting) -> Answering<Result<PostAnswer, SinkError>> + Send + Sync>;

/// Asks for the secrets, which may be other ones each time.
pub type AskSecrets = Arc<dyn Fn() -> Answering<Result<Vec<String>, String>> + Send + Sync>;

/// What is to be posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: String,
}

/// What a webhook sink is told.
#[derive(Clone)]
pub struct WebhookConfig {
    /// The sink's name.
    pub name: String,
    /// Where its checkpoint is: `sinks.db`.
    pub db: PathBuf,
    /// Most bytes of a request's body, unless a single event is larger.
    pub bytes_max: usize,
    /// The way to the endpoint.
    pub post: Post,
    /// What requests are signed with.
    pub secrets: AskSecrets,
}

impl fmt::Debug for WebhookConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookConfig").field("name", &self.name).finish_non_exhaustive()
    }
}

/// See the module.
pub struct Webhook {
    config: WebhookConfig,
    /// `bytes_max`, or less: what the endpoint was seen to take.
    bytes_max: usize,
    session: Option<Session>,
    /// Where it has had the sink, what is in `sinks.db` since then must be there.
    holder: Holder,
    taken: Option<Taken>,
    /// The endpoint failed at a letter, and has answered nothing since.
    is_failing: bool,
}

struct Session {
    db: SinksDb,
    keys: Keys,
}

/// What was taken behind a checkpoint that has not moved yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Taken {
    base: Option<Checkpoint>,
    through: Place,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Webhook {
    /// Opens nothing yet.
    pub fn new(config: WebhookConfig) -> Self {
        let bytes_max = config.bytes_max;
        let (session, taken) = (None, None);
        Self { config, bytes_max, session, holder: Holder::new(), taken, is_failing: false }
    }

    /// Something about `sinks.db`, on a thread where it holds up nobody.
    async fn in_db<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut SinksDb) -> Result<T, SinkError> + Send + 'static,
    ) -> Result<T, SinkError> {
        let Some(Session { mut db, keys }) = self.session.take() else {
            return Err(SinkError::unreachable("posting")("the sink is not open"));
        };
        let (db, done) = blocking(move || {
            let done = work(&mut db);
            (db, done)
        })
        .await;
        self.session = Some(Session { db, keys });
        done
    }

    /// Everything of a batch that is not known to be taken.
    async fn post_batch(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        let (base, next) = (batch.base, batch.next);
        let cuts = self.in_db(move |db| db.cuts(fence, base, next)).await?;
        // Behind a lapse nothing is what it was; and where it ends is looked at anew each time.
        let taken = self.taken.filter(|taken| taken.base == base && batch.lapse.is_none());
        let through = taken.map(|taken| taken.through);
        let is_new = |event: &Event| through.is_none_or(|through| event.place > through);
        let mut events = Events::new(events(batch).filter(is_new));
        while let Some(request) = events.next_request(self.bytes_max, &cuts) {
            let end = request.end();
            self.in_db(move |db| db.sends_until(fence, base, next, end)).await?;
            let phase = base.unwrap_or(next).phase;
            let key = request.key(&self.config.name, batch.journal(), phase);
            match self.post(&key, request.body()).await? {
                Verdict::Taken => {
                    self.taken = request.last().map(|through| Taken { base, through });
                }
                Verdict::TooLarge if request.count() > 1 => {
                    self.takes_no_more_than(request.bytes() / 2);
                    events.give_back(request);
                }
                Verdict::TooLarge => return Err(refusal(batch, &request, 413)),
                Verdict::Refused(status) => return Err(refusal(batch, &request, status)),
                Verdict::Fault(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    async fn post(&mut self, key: &str, body: String) -> Result<Verdict, SinkError> {
        let Some(session) = &self.session else {
            return Err(SinkError::unreachable("posting")("the sink is not open"));
        };
        let timestamp = wall_now().0.div_euclid(1_000_000);
        let mut headers = vec![
            ("content-type", CONTENT_TYPE.to_owned()),
            // A string of structured fields, as the draft on this header has it.
            ("idempotency-key", format!("\"{key}\"")),
            ("webhook-id", key.to_owned()),
            ("webhook-timestamp", timestamp.to_string()),
        ];
        let signature = session.keys.signature(key, timestamp, &body);
        headers.extend(signature.map(|signature| ("webhook-signature", signature)));
        let answer = (self.config.post)(Posting { headers, body }).await?;
        pass("answered", "the endpoint has answered to a request, and nobody knows");
        let verdict = verdict(answer);
        self.is_failing &= matches!(verdict, Verdict::Fault(_));
        Ok(verdict)
    }

    fn takes_no_more_than(&mut self, bytes: usize) {
        let sink = self.config.name.as_str();
        warn!(sink, bytes, "endpoint takes less at once (HTTP 413): set `bytes_max`");
        self.bytes_max = bytes;
    }

    async fn give_again(&mut self, letter: &Letter) -> Result<LetterFate, SinkError> {
        let json = letter.event.clone().into_bytes();
        let request = Request::of_one(Event { place: Place::Entry(letter.offset), json });
        // Asked for again, it is another request: an endpoint may answer the old one from memory.
        // Two letters of one offset are of a log that was put back.
        let Letter { id, journal, offset, redrives, .. } = letter;
        let key = format!("{}:{journal}:{offset}:{id}:redrive:{redrives}", self.config.name);
        match self.post(&key, request.body()).await? {
            Verdict::Taken => Ok(LetterFate::Taken),
            Verdict::TooLarge => Ok(LetterFate::Refused { why: said(413) }),
            Verdict::Refused(status) => Ok(LetterFate::Refused { why: said(status) }),
            Verdict::Fault(fault) => Err(fault),
        }
    }
}

/// Of a request that is refused for what is in it. What was taken before it is a batch of its own
/// first: halved in the middle of a request that was taken, a batch would forget where that ended,
/// and its events would come again under another key.
fn refusal(batch: &Batch, request: &Request, status: u16) -> SinkError {
    let why = said(status);
    if let Some(from) = request.first_entry() {
        if batch.entries().next().is_some_and(|(first, _)| first < from) {
            return SinkError::TooMuch { from };
        }
        return SinkError::Refused { offset: request.only_entry(), why };
    }
    SinkError::blocked(
        format!("{why} to what the ledger says of the record"),
        "mend the endpoint: without it what it holds would be taken for whole",
    )
}

/// What is still known to be taken when the checkpoint has moved. Offsets of an image, of the log
/// and of another log are not compared.
fn still_taken(taken: Option<Taken>, base: Option<Checkpoint>, next: Checkpoint) -> Option<Taken> {
    let (taken, base) = (taken?, base?);
    let is_same = taken.base == Some(base) && base.journal == next.journal;
    let goes_on = is_same && base.phase == next.phase && base.next_offset <= next.next_offset;
    let reaches_on = taken.through >= Place::Entry(next.next_offset);
    (goes_on && reaches_on).then_some(Taken { base: Some(next), ..taken })
}

impl Sink for Webhook {
    fn guarantee(&self) -> Guarantee {
        Guarantee::AtLeastOnce
    }

    async fn open(&mut self, claim: &Claim) -> Result<Opened, SinkError> {
        self.session = None;
        // The endpoint may take more by now.
        self.bytes_max = self.config.bytes_max;
        let secrets = (self.config.secrets)().await;
        let secrets = secrets.map_err(SinkError::unreachable("reading its secrets"))?;
        let keys = Keys::of(&secrets)?;
        let (path, name, claim) = (self.config.db.clone(), self.config.name.clone(), claim.clone());
        let holder = self.holder;
        let (db, opened) = blocking(move || {
            let mut db = SinksDb::open(&path, &name, holder)?;
            let opened = db.take_over(&claim)?;
            Ok::<_, SinkError>((db, opened))
        })
        .await?;
        self.session = Some(Session { db, keys });
        self.holder.has(opened.fence);
        Ok(opened)
    }

    async fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        self.post_batch(fence, batch).await?;
        let (base, next, batch) = (batch.base, batch.next, batch.clone());
        self.in_db(move |db| db.commit(fence, &batch)).await?;
        self.taken = still_taken(self.taken, base, next);
        Ok(())
    }

    /// Gives letters again that a person asked for.
    async fn tend(&mut self, fence: Fence) -> Result<(), SinkError> {
        for _ in 0..LETTERS_AT_ONCE {
            let Some(letter) = self.in_db(move |db| db.next_letter(fence)).await? else { break };
            let was_failing = self.is_failing;
            let fate = match self.give_again(&letter).await {
                Ok(fate) => fate,
                Err(fault) => {
                    // However long an outage lasts, it uses up one try. Once the endpoint answers
                    // to something else and fails at a letter again, the letter is to blame.
                    self.is_failing = true;
                    if was_failing {
                        let unknown = LetterFate::Unknown;
                        self.in_db(move |db| db.settle(fence, &letter, &unknown)).await?;
                    }
                    return Err(fault);
                }
            };
            let (sink, offset) = (self.config.name.as_str(), letter.offset);
            match &fate {
                LetterFate::Taken => info!(sink, offset, "dead letter taken"),
                LetterFate::Refused { why } => {
                    warn!(sink, offset, why, "dead letter refused again")
                }
                LetterFate::Unknown => {}
            }
            self.in_db(move |db| db.settle(fence, &letter, &fate)).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use unbroken_journal::JournalId;

    use super::{Place, Taken, still_taken};
    use crate::Checkpoint;

    #[test]
    fn what_is_taken_is_known_of_the_same_offsets_alone() {
        let [ours, other] = [1, 2].map(|n| JournalId::from_bytes([n; 16]));
        let at = |offset| Checkpoint::in_log(ours, offset);
        let taken = Some(Taken { base: Some(at(10)), through: Place::Entry(29) });
        let still = |next| still_taken(taken, Some(at(10)), next).map(|taken| taken.base);
        assert_eq!(still(at(20)), Some(Some(at(20))));
        assert_eq!(still(at(30)), None, "nothing is ahead of the checkpoint");
        assert_eq!(still(at(5)), None);
        assert_eq!(still(Checkpoint::in_log(other, 20)), None);
        assert_eq!(still(Checkpoint::in_image(ours, 20)), None);
        assert_eq!(still_taken(taken, Some(at(9)), at(20)), None);
    }
}

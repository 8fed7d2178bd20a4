//! A sink that is open: a producer, where the checkpoint is, and how a batch is put behind it.

use std::time::{Duration, Instant};

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};

use super::client::{Access, CHECKPOINT, Ear};
use super::fault::{code_of, fault, fault_of, is_fenced};
use super::held::{ASK_MAX, Body, Found, Until, read};
use super::messages::{Message, Topic, messages};
use super::topics::Terms;
use crate::crash::pass;
use crate::{Batch, Checkpoint, Fence, SinkError};

pub(super) const COMMIT: &str = "committing a batch";

const RAISE: &str = "taking it over";

/// How long the coordinator may take, also to end what an older instance had begun.
const FENCE_MAX: Duration = Duration::from_secs(40);

/// Whoever has fenced this instance out reads the topic before it writes its fence there, which
/// takes a second where brokers are busy: so long it is looked for.
const TAKEOVER_MAX: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How long a commit may take in all: less than the coordinator leaves a transaction open.
pub(super) const COMMIT_MAX: Duration = Duration::from_secs(25);

/// How long the library is waited for before it is looked at again.
const MOMENT: Duration = Duration::from_millis(1);

/// See the module.
pub(super) struct Session {
    access: Access,
    producer: BaseProducer<Ear>,
    terms: Terms,
    fence: u64,
    checkpoint: Option<Checkpoint>,
    /// The place behind the last checkpoint that was written. Without transactions: the topic ends
    /// there if nobody else has written to it.
    end: i64,
    events: String,
    dead_letters: String,
    checkpoints: String,
}

/// Why a batch is not there.
enum Failure {
    /// Of the library.
    Told(KafkaError),
    /// A broker did not take this one.
    Undelivered { place: usize, code: Code },
    /// The topic of checkpoints does not go on from where it was.
    SetBack,
}

impl From<KafkaError> for Failure {
    fn from(error: KafkaError) -> Self {
        Self::Told(error)
    }
}

impl Session {
    pub(super) fn new(access: Access, producer: BaseProducer<Ear>, terms: Terms) -> Self {
        let config = &access.config;
        let (events, dead_letters) = (config.events_topic(), config.dead_letters_topic());
        let checkpoints = config.checkpoints_topic();
        let (fence, checkpoint, end) = (0, None, 0);
        Self { access, producer, terms, fence, checkpoint, end, events, dead_letters, checkpoints }
    }

    fn ear(&self) -> &Ear {
        self.producer.client().context()
    }

    pub(super) fn fence(&self) -> u64 {
        self.fence
    }

    /// Ends what an older instance had begun, and fences it out. `known`: the highest fence that
    /// was there before.
    pub(super) fn begin(&self, known: u64) -> Result<(), SinkError> {
        let ended = self.producer.init_transactions(FENCE_MAX);
        ended.map_err(|error| self.why(RAISE, known, error.into(), &[]))?;
        pass("fenced-out", "the brokers take nothing of older instances any more");
        Ok(())
    }

    /// Writes a higher fence behind what was found. `false`: somebody has written there meanwhile,
    /// which only happens without transactions.
    pub(super) fn raise(
        &mut self,
        found: &Found,
        body: Body,
        checkpoint: Option<Checkpoint>,
    ) -> Result<bool, SinkError> {
        (self.fence, self.checkpoint, self.end) = (body.fence, checkpoint, found.end);
        match self.write(&[], &body) {
            Ok(()) => {}
            Err(Failure::SetBack) if !self.access.config.is_transactional => return Ok(false),
            // Another one that raises its own gives it the same number.
            Err(failure) => return Err(self.why(RAISE, found.fence, failure, &[])),
        }
        pass("fence-raised", "the fence is behind the last checkpoint");
        let written = self.ear().checkpoint_at();
        self.end = written.map_or(found.end, |at| at + 1);
        Ok(self.access.config.is_transactional || written == Some(found.end))
    }

    pub(super) fn commit(&mut self, fence: Fence, batch: &Batch) -> Result<(), SinkError> {
        if fence.0 != self.fence {
            return Err(SinkError::Fenced);
        }
        if !self.access.config.is_transactional {
            self.look()?;
        }
        if self.checkpoint != batch.base {
            return Err(SinkError::Moved { found: self.checkpoint.unwrap_or(batch.next) });
        }
        let messages = messages(&self.access.config, self.terms.bytes_max, batch)?;
        let body = Body {
            sink: self.access.config.name.clone(),
            fence: self.fence,
            checkpoint: Some(batch.next.to_string()),
        };
        if let Err(failure) = self.write(&messages, &body) {
            return Err(self.why(COMMIT, self.fence, failure, &messages));
        }
        pass("committed", "the batch is there with its checkpoint, and nobody was told");
        self.checkpoint = Some(batch.next);
        self.end = self.ear().checkpoint_at().map_or(self.end, |at| at + 1);
        Ok(())
    }

    /// Without transactions nobody is fenced out by the brokers: it is looked whether another
    /// instance has written a checkpoint since.
    fn look(&mut self) -> Result<(), SinkError> {
        let end = self.end_of_checkpoints();
        if end.map_err(|error| fault(COMMIT, &error, self.ear()))? == self.end {
            return Ok(());
        }
        let found = read(&self.access, Until::Ended)?;
        if found.fence > self.fence {
            return Err(SinkError::Fenced);
        }
        self.checkpoint = found.checkpoint()?;
        self.end = found.end;
        Ok(())
    }

    fn end_of_checkpoints(&self) -> Result<i64, KafkaError> {
        let asked = self.producer.client().fetch_watermarks(&self.checkpoints, 0, ASK_MAX);
        asked.map(|(_, end)| end)
    }

    /// What a failure means. `known`: a higher fence than this is another instance's.
    fn why(
        &self,
        doing: &'static str,
        known: u64,
        failure: Failure,
        messages: &[Message],
    ) -> SinkError {
        match self.code(&failure) {
            Some(code) if is_fenced(code) => self.by_whom(doing, known, failure),
            _ => self.said(doing, failure, messages),
        }
    }

    /// The coordinator says the same when a transaction took too long; then nobody has the sink.
    fn by_whom(&self, doing: &'static str, known: u64, failure: Failure) -> SinkError {
        let until = Instant::now() + TAKEOVER_MAX;
        loop {
            match read(&self.access, Until::Ended) {
                Ok(found) if found.fence > known => return SinkError::Fenced,
                Ok(_) if Instant::now() < until => std::thread::sleep(LOOK_EVERY),
                Ok(_) => return self.said(doing, failure, &[]),
                Err(error) => return error,
            }
        }
    }

    /// All of it, or nothing that a reader of what is committed sees.
    fn write(&self, messages: &[Message], body: &Body) -> Result<(), Failure> {
        let until = Instant::now() + COMMIT_MAX;
        if !self.access.config.is_transactional {
            self.ear().begins();
            self.send_all(messages, until)?;
            pass("events-taken", "the brokers have what goes before a checkpoint");
            // While it was waited for, brokers may have lost what they had acknowledged before.
            if self.end_of_checkpoints()? != self.end {
                return Err(Failure::SetBack);
            }
            self.send_checkpoint(body, until)?;
            return self.wait(until);
        }
        // Behind a message that a broker has refused, the numbers of the next ones have a hole, and
        // the next transaction fails as well: aborting that one makes it good.
        let failure = match self.transact(messages, body, until) {
            Ok(()) => return Ok(()),
            Err(failure) if self.is_lasting(&failure) => failure,
            Err(failure) => match self.abort() {
                Ok(()) => match self.transact(messages, body, until) {
                    Ok(()) => return Ok(()),
                    Err(failure) => failure,
                },
                Err(_) => return Err(failure),
            },
        };
        match (self.abort(), &failure) {
            // This session may go on.
            (Ok(()), _) | (_, Failure::Told(_) | Failure::SetBack) => Err(failure),
            // It may not; the next one ends what this one has begun.
            (Err(error), Failure::Undelivered { .. }) => Err(error.into()),
        }
    }

    fn transact(&self, messages: &[Message], body: &Body, until: Instant) -> Result<(), Failure> {
        self.ear().begins();
        self.producer.begin_transaction()?;
        pass("transaction-begun", "a transaction is open and empty");
        self.send_all(messages, until)?;
        self.send_checkpoint(body, until)?;
        pass("batch-sent", "events and checkpoint are on their way");
        self.wait(until)?;
        pass("batch-taken", "the brokers have all of it, in a transaction that is open");
        // Brokers that have lost what they had acknowledged: with this batch there would be a hole.
        if self.ear().checkpoint_at().is_some_and(|at| at < self.end) {
            return Err(Failure::SetBack);
        }
        self.end_transaction(until)
    }

    fn abort(&self) -> Result<(), KafkaError> {
        self.producer.abort_transaction(COMMIT_MAX)
    }

    /// It would fail again.
    fn is_lasting(&self, failure: &Failure) -> bool {
        let is_lasting = |code| is_fenced(code) || is_of_row(code);
        matches!(failure, Failure::SetBack) || self.code(failure).is_some_and(is_lasting)
    }

    fn send_all(&self, messages: &[Message], until: Instant) -> Result<(), Failure> {
        for (place, message) in messages.iter().enumerate() {
            let topic = match message.topic {
                Topic::Events => &self.events,
                Topic::DeadLetters => &self.dead_letters,
            };
            let record = BaseRecord::with_opaque_to(topic, place)
                .key(message.key.as_bytes())
                .headers(message.headers.clone())
                .payload(message.body.as_slice());
            self.send(record, place, until)?;
        }
        match self.access.config.is_transactional {
            true => Ok(()),
            // It must not be said to be there before it is.
            false => self.wait(until),
        }
    }

    fn send_checkpoint(&self, body: &Body, until: Instant) -> Result<(), Failure> {
        let bytes = body.to_bytes();
        let record = BaseRecord::with_opaque_to(&self.checkpoints, CHECKPOINT)
            .partition(0)
            .key(body.sink.as_bytes())
            .payload(bytes.as_slice());
        self.send(record, CHECKPOINT, until)
    }

    fn send(
        &self,
        mut record: BaseRecord<'_, [u8], [u8], usize>,
        place: usize,
        until: Instant,
    ) -> Result<(), Failure> {
        loop {
            let Err((error, back)) = self.producer.send(record) else { return Ok(()) };
            record = back;
            match error.rdkafka_error_code() {
                Some(Code::QueueFull) if Instant::now() < until => self.producer.poll(MOMENT),
                Some(code @ (Code::MessageSizeTooLarge | Code::InvalidRecord)) => {
                    return Err(Failure::Undelivered { place, code });
                }
                _ => return Err(error.into()),
            }
        }
    }

    /// Until the brokers have answered about every message.
    fn wait(&self, until: Instant) -> Result<(), Failure> {
        while self.producer.in_flight_count() > 0 {
            if Instant::now() > until {
                return Err(KafkaError::Flush(Code::OperationTimedOut).into());
            }
            self.producer.poll(MOMENT);
        }
        match self.ear().undelivered() {
            Some(it) => Err(Failure::Undelivered { place: it.place, code: it.code }),
            None => Ok(()),
        }
    }

    /// How that ended may be unknown: then it is asked again, and says what it has said.
    fn end_transaction(&self, until: Instant) -> Result<(), Failure> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.producer.commit_transaction(left) {
                Ok(()) => return Ok(()),
                Err(KafkaError::Transaction(error)) if error.is_retriable() && !left.is_zero() => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// A fatal error hides behind others.
    fn code(&self, failure: &Failure) -> Option<Code> {
        let fatal = self.producer.client().fatal_error().map(|(code, _)| code);
        fatal.or_else(|| match failure {
            Failure::Told(error) => code_of(error),
            Failure::Undelivered { code, .. } => Some(*code),
            Failure::SetBack => None,
        })
    }

    fn said(&self, doing: &'static str, failure: Failure, messages: &[Message]) -> SinkError {
        let (place, code) = match failure {
            Failure::Told(error) => return fault(doing, &error, self.ear()),
            Failure::Undelivered { place, code } => (place, code),
            Failure::SetBack => {
                let why = "the topic of checkpoints does not end where this instance left it";
                return SinkError::unreachable(doing)(why);
            }
        };
        let entries = messages.iter().filter_map(|message| message.offset);
        let (count, middle) = (entries.clone().count(), entries.clone().nth(entries.count() / 2));
        match (middle, messages.get(place).and_then(|message| message.offset)) {
            // A broker takes or refuses what was packed together as one.
            (Some(from), _) if is_of_row(code) && count > 1 => SinkError::TooMuch { from },
            (Some(_), Some(offset)) if is_of_row(code) => {
                let why = format!("its event is not taken: {code}");
                SinkError::Refused { offset: Some(offset), why }
            }
            _ => fault_of(doing, code, code.to_string()),
        }
    }
}

/// What is in a message is at fault.
fn is_of_row(code: Code) -> bool {
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::MessageBatchTooLarge
            | Code::InvalidRecord
            | Code::BadMessage
    )
}

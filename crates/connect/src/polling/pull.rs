//! A connection that asks.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};
use unbroken_core::bookmark::Bookmark;
use unbroken_core::connector::{Class, Failure, Item};
use unbroken_core::ids::Label;
use unbroken_core::record::Closer;

use crate::polling::asker::{Asker, Got};
use crate::polling::round::Round;
use crate::secret::Secret;
use crate::transport::{Connection, Ended, SocketEvent, Told};

/// So many answers in a row whose pages do not fit together, and the connection ends: what they
/// showed is kept, but the place does not move, and somebody should know.
const ROUNDS_TORN_MAX: u32 = 5;

type Asking = Pin<Box<dyn Future<Output = Result<Got, Failure>> + Send>>;

/// What is waited for.
enum State {
    /// The next question's time, or the next page's.
    Resting(Pin<Box<Sleep>>),
    /// An answer.
    Asking(Asking),
    /// Nothing: it has ended.
    Over,
}

/// See the module.
pub(crate) struct Pull {
    asker: Arc<Asker>,
    token: Option<Secret>,
    /// The place to ask from.
    after: Option<Bookmark>,
    /// What the first answer confirms: the question was asked from here, and it was served.
    confirms: Option<Vec<Item>>,
    page: Option<Label>,
    round: Round,
    begun: Instant,
    torn: u32,
    state: State,
    /// At most the events of one answer.
    ready: VecDeque<SocketEvent>,
    /// An event was handed over in this turn of the driver's: it may stop us for it.
    handed_over: bool,
}

impl Pull {
    /// Asks for the first time: an answer is the handshake.
    ///
    /// # Errors
    /// The failure as the machine understands it.
    pub(crate) async fn open(
        asker: Asker,
        after: Option<Bookmark>,
        token: Option<Secret>,
    ) -> Result<Self, Failure> {
        let asker = Arc::new(asker);
        let begun = Instant::now();
        let got = asker.ask(after.as_ref(), None, token.as_ref()).await?;
        let place = after.clone().map(|at| Item::Bookmark { at });
        let confirms = place.into_iter().chain([Item::Ack { position: None }]).collect();
        let mut pull = Self {
            asker,
            token,
            after,
            confirms: Some(confirms),
            page: None,
            round: Round::default(),
            begun,
            torn: 0,
            state: State::Over,
            ready: VecDeque::new(),
            handed_over: false,
        };
        pull.take(Ok(got));
        Ok(pull)
    }

    /// Asks as soon as the budget has room, and not before `at`.
    fn ask_from(&mut self, at: Instant) {
        let at = at.max(self.asker.share.ready_at());
        self.state = State::Resting(Box::pin(sleep_until(at)));
    }

    fn ask(&mut self) {
        if let Some(refusal) = self.asker.share.refusal() {
            return self.end(refusal);
        }
        self.asker.share.take();
        if self.page.is_none() {
            self.begun = Instant::now();
        }
        let asker = Arc::clone(&self.asker);
        let (after, page) = (self.after.clone(), self.page.clone());
        let token = self.token.clone();
        self.state = State::Asking(Box::pin(async move {
            asker.ask(after.as_ref(), page.as_ref(), token.as_ref()).await
        }));
    }

    fn take(&mut self, got: Result<Got, Failure>) {
        let (frame, next) = match got {
            Err(failure) => return self.end(failure),
            Ok(Got::Quiet) => (None, None),
            Ok(Got::Page(body, turn)) => {
                self.round.add(&turn);
                (Some(body), turn.next)
            }
        };
        if self.round.rows() > self.asker.rows_max {
            return self.end(failure("an answer has more rows than the bound allows"));
        }
        let before = self.confirms.take().unwrap_or_default();
        self.page = next;
        let behind = match self.page {
            Some(_) => Vec::new(),
            None => self.end_round(),
        };
        let is_bare = before.is_empty() && frame.is_none() && behind.is_empty();
        self.ready.push_back(match is_bare {
            true => SocketEvent::Alive,
            false => SocketEvent::Told(Told { before, frame, behind }),
        });
        if self.torn >= ROUNDS_TORN_MAX {
            return self
                .end(failure("the pages of an answer do not fit together, again and again"));
        }
        match self.page {
            Some(_) => self.ask_from(Instant::now()),
            None => self.ask_from(self.begun + self.asker.interval()),
        }
    }

    /// All pages of an answer are here: the place behind it, if nothing can be missing.
    fn end_round(&mut self) -> Vec<Item> {
        let round = std::mem::take(&mut self.round);
        if !round.fits() {
            self.torn += 1;
            return Vec::new();
        }
        self.torn = 0;
        let Some(at) = round.place() else { return Vec::new() };
        self.after = Some(at.clone());
        vec![Item::Bookmark { at }]
    }

    fn end(&mut self, failure: Failure) {
        self.state = State::Over;
        let by = if failure.code.is_some() { Closer::Vendor } else { Closer::Transport };
        let (code, what) = (failure.code, failure.what.as_str().to_owned());
        let failure = Some(failure);
        self.ready.push_back(SocketEvent::Ended(Ended { by, code, what, unread: None, failure }));
    }
}

impl Connection for Pull {
    fn poll_event(&mut self, cx: &mut Context<'_>, reading: bool) -> Poll<SocketEvent> {
        loop {
            if !self.ready.is_empty() && !reading {
                return Poll::Pending;
            }
            if let Some(event) = self.ready.pop_front() {
                self.handed_over = true;
                return Poll::Ready(event);
            }
            if std::mem::take(&mut self.handed_over) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            match &mut self.state {
                State::Resting(_) if !reading => return Poll::Pending,
                State::Resting(until) => {
                    ready!(until.as_mut().poll(cx));
                    self.ask();
                }
                State::Asking(answer) => {
                    let got = ready!(answer.as_mut().poll(cx));
                    self.take(got);
                }
                State::Over => return Poll::Pending,
            }
        }
    }

    /// The profile has no messages: there is nobody to send them to.
    fn send(&mut self, _text: String) -> Result<(), Ended> {
        Ok(())
    }

    /// The next question is one.
    fn ping(&mut self) -> Result<(), Ended> {
        Ok(())
    }

    fn renew(&mut self, token: &Secret) {
        self.token = Some(token.clone());
    }

    fn subprotocol(&self) -> Option<&str> {
        None
    }

    /// There is nothing to say; a question under way is dropped.
    fn close(self: Box<Self>, _: Vec<String>) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        Box::pin(std::future::ready(true))
    }
}

fn failure(what: &str) -> Failure {
    Failure { class: Class::Retry { after_ms: None }, code: None, what: what.into() }
}

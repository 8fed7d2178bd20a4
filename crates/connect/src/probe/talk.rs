//! One conversation over a socket: what the driver does, without a machine and without a log.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};
use unbroken_core::bookmark::After;
use unbroken_core::connector::{Class, Decoded, Failure, Item};
use unbroken_core::ids::Label;
use unbroken_core::machine::Message;

use crate::secret::Secret;
use crate::source::{Source, told_as};
use crate::transport::{Connection, Ended, SocketEvent};

/// An open socket, and what was said on it.
pub(super) struct Talk<'a> {
    source: &'a Source,
    socket: Box<dyn Connection>,
    token: Option<&'a Secret>,
    subscription: Option<Label>,
}

/// What comes from a socket.
pub(super) enum Word {
    /// A frame, read; or a bare sign of life.
    Said(Decoded),
    /// It is over.
    Ended(Failure),
    /// Nothing came in time.
    Silence,
}

impl<'a> Talk<'a> {
    /// Shakes hands.
    pub(super) async fn open(
        source: &'a Source,
        after: Option<&After>,
        token: Option<&'a Secret>,
    ) -> Result<Self, Failure> {
        let socket = source.open(after, token).await?;
        Ok(Self { source, socket, token, subscription: None })
    }

    /// What the handshake agreed on beside the connection.
    pub(super) fn subprotocol(&self) -> Option<&str> {
        self.socket.subprotocol()
    }

    /// Subscribes.
    pub(super) fn subscribe(&mut self, after: Option<After>) -> Result<(), Failure> {
        self.say(&Message::Subscribe { after })
    }

    /// Asks for a sign of life, as the driver would.
    pub(super) fn ping(&mut self) -> Result<(), Failure> {
        self.say(&Message::Ping)
    }

    /// The next word, for which there is this much time.
    pub(super) async fn hear(&mut self, limit: Duration) -> Word {
        let event = timeout(limit, poll_fn(|cx| self.socket.poll_event(cx, true))).await;
        match event {
            Err(_) => Word::Silence,
            Ok(SocketEvent::Alive) => Word::Said(Decoded::default()),
            Ok(SocketEvent::Ended(ended)) => Word::Ended(self.source.ended(&ended)),
            Ok(SocketEvent::Told(told)) => {
                Word::Said(told_as(told, |frame| self.source.decode(frame)))
            }
            Ok(SocketEvent::Frame(frame)) => {
                let decoded = self.source.decode(&frame);
                let confirms = |item: &Item| matches!(item, Item::Ack { .. } | Item::Event(_));
                if self.subscription.is_none() && decoded.items.iter().any(confirms) {
                    self.subscription.clone_from(&decoded.subscription);
                }
                Word::Said(decoded)
            }
        }
    }

    /// Waits for the first word of which `wanted` makes something.
    pub(super) async fn hear_until<T>(
        &mut self,
        limit: Duration,
        mut wanted: impl FnMut(&Decoded) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let begun = Instant::now();
        loop {
            match self.hear(limit.saturating_sub(begun.elapsed())).await {
                Word::Silence => return Ok(None),
                Word::Ended(failure) => return Err(failure),
                Word::Said(decoded) => {
                    if let Some(found) = wanted(&decoded) {
                        return Ok(Some(found));
                    }
                }
            }
        }
    }

    /// Whether the socket lives on for so long; what comes is read and forgotten.
    pub(super) async fn lives(&mut self, time: Duration) -> bool {
        let ended = async {
            loop {
                if let Word::Ended(_) = self.hear(time).await {
                    return;
                }
            }
        };
        tokio::select! {
            () = sleep(time) => true,
            () = ended => false,
        }
    }

    /// Unsubscribes and closes; whether the other side closed in turn.
    pub(super) async fn leave(self) -> bool {
        let subscription = self.subscription.as_ref();
        let farewell = self.source.message(&Message::Unsubscribe, subscription, self.token);
        self.socket.close(farewell.ok().flatten().into_iter().collect()).await
    }

    fn say(&mut self, message: &Message) -> Result<(), Failure> {
        let rendered = match message {
            Message::Subscribe { after } => self.source.subscriptions(after.as_ref(), self.token),
            other => {
                let text = self.source.message(other, self.subscription.as_ref(), self.token);
                text.map(|text| text.into_iter().collect())
            }
        };
        let texts = rendered.map_err(|error| Failure {
            class: Class::Fatal,
            code: None,
            what: Label::new(error.to_string()),
        })?;
        let sent = match texts.is_empty() && *message == Message::Ping {
            true => self.socket.ping(),
            false => texts.into_iter().try_for_each(|text| self.socket.send(text)),
        };
        sent.map_err(|ended: Ended| self.source.ended(&ended))
    }
}

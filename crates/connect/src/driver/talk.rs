//! What was said on a socket, and what may be said and heard there.

use unbroken_core::connector::{Class, Decoded, Failure, Item};
use unbroken_core::ids::{Label, StreamId, TokenVersion};
use unbroken_core::machine::Message;

use super::joining::Joining;
use crate::generic::TemplateError;
use crate::secret::Secret;
use crate::source::Source;
use crate::transport::Ended;

/// See the module.
#[derive(Debug)]
pub struct Talk {
    stream: StreamId,
    token: Option<TokenVersion>,
    is_subscribed: bool,
    subscription: Option<Label>,
    joining: Joining,
}

impl Talk {
    /// Of a socket that is being opened with this token.
    pub fn new(stream: StreamId, token: Option<TokenVersion>) -> Self {
        Self {
            stream,
            token,
            is_subscribed: false,
            subscription: None,
            joining: Joining::default(),
        }
    }

    /// The stream that it is for.
    pub fn stream(&self) -> &StreamId {
        &self.stream
    }

    /// The token that the vendor was last shown there.
    pub fn token(&self) -> Option<TokenVersion> {
        self.token
    }

    /// The vendor was shown another one.
    pub fn renewed(&mut self, token: TokenVersion) {
        self.token = Some(token);
    }

    /// Whether there is anything to take leave of.
    pub fn is_subscribed(&self) -> bool {
        self.is_subscribed
    }

    /// Whether what is decoded may be told as it is: the subscription is one message.
    pub fn is_whole(&self) -> bool {
        self.joining.is_whole()
    }

    /// What the machine may hear now of what a frame meant.
    pub fn pass(&mut self, decoded: Decoded) -> Vec<Decoded> {
        self.joining.pass(decoded)
    }

    /// Before the machine hears it: the id of the subscription is that of what confirms it.
    pub fn heard(&mut self, decoded: &Decoded) {
        let confirms = |item: &Item| matches!(item, Item::Ack { .. } | Item::Event(_));
        if self.subscription.is_none() && decoded.items.iter().any(confirms) {
            self.subscription.clone_from(&decoded.subscription);
        }
    }

    /// A message is said, in so many texts.
    pub fn said(&mut self, source: &Source, message: &Message, text_count: usize) {
        match message {
            Message::Subscribe { .. } => {
                self.is_subscribed = true;
                self.joining = source.joining(text_count);
            }
            Message::Unsubscribe => self.is_subscribed = false,
            Message::Ping => {}
        }
    }

    /// The texts of a message: none where the profile has none, several where the keys need them
    /// or the vendor gave several ids.
    ///
    /// # Errors
    /// A template of the profile cannot be filled: nothing that a repetition would mend.
    pub fn render(
        &self,
        source: &Source,
        message: &Message,
        token: Option<&Secret>,
    ) -> Result<Vec<String>, Failure> {
        let failed = |error: TemplateError| Failure {
            class: Class::Fatal,
            code: None,
            what: Label::new(error.to_string()),
        };
        if let Message::Subscribe { after } = message {
            return source.subscriptions(after.as_ref(), token).map_err(failed);
        }
        let text = |id| source.message(message, id, token).map_err(failed);
        let mut texts: Vec<String> = text(self.subscription.as_ref())?.into_iter().collect();
        if *message == Message::Unsubscribe {
            for id in self.joining.others() {
                texts.extend(text(Some(id))?);
            }
        }
        Ok(texts)
    }
}

/// What ended a socket because it could not be read, as the machine hears of it.
pub fn unread(ended: &Ended) -> Option<Decoded> {
    let unread = Item::Unread { reason: Label::from(ended.what.as_str()), length: ended.unread? };
    Some(Decoded { items: vec![unread], ..Decoded::default() })
}

//! Messages to the vendor, rendered from the profile.

use std::collections::BTreeMap;

use unbroken_core::machine::Message;

use crate::generic::profile::MessagesProfile;
use crate::generic::template::{Place, Template, TemplateError, Values};

/// The profile's messages, parsed.
#[derive(Clone, Debug)]
pub(crate) struct Messages {
    login: Option<Template>,
    renew: Option<Template>,
    keys_max: Option<usize>,
    after: Option<Template>,
    now: Option<Template>,
    after_all: Option<Template>,
    now_all: Option<Template>,
    unsubscribe: Option<Template>,
    ping: Option<Template>,
}

impl Messages {
    pub(crate) fn new(
        profile: &MessagesProfile,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        let parse = |text: &Option<String>| {
            text.as_deref().map(|text| Template::parse(text, Place::Json, variables)).transpose()
        };
        let subscribe = &profile.subscribe;
        let keys_max = subscribe.keys_max.map(|max| usize::try_from(max.max(1)));
        Ok(Self {
            login: parse(&profile.login)?,
            renew: parse(&profile.renew)?,
            keys_max: keys_max.and_then(Result::ok),
            after: parse(&subscribe.after)?,
            now: parse(&subscribe.now)?,
            after_all: parse(&subscribe.after_all)?,
            now_all: parse(&subscribe.now_all)?,
            unsubscribe: parse(&profile.unsubscribe)?,
            ping: parse(&profile.ping)?,
        })
    }

    /// Whether a subscription may name a position, and whether it may name none.
    pub(crate) fn can_subscribe(&self) -> (bool, bool) {
        (self.after.is_some(), self.now.is_some())
    }

    /// Whether a subscription names the configured keys.
    pub(crate) fn names_keys(&self) -> bool {
        [&self.after, &self.now].into_iter().flatten().any(|template| template.uses("keys"))
    }

    /// Whether a renewed token is handed over on an open socket.
    pub(crate) fn renews(&self) -> bool {
        self.renew.is_some()
    }

    /// The login, where there is one.
    pub(crate) fn login(&self, values: &Values<'_>) -> Result<Option<String>, TemplateError> {
        self.login.as_ref().map(|login| login.render(values)).transpose()
    }

    /// The message that hands a renewed token over, where there is one.
    pub(crate) fn renewal(&self, values: &Values<'_>) -> Result<Option<String>, TemplateError> {
        self.renew.as_ref().map(|renew| renew.render(values)).transpose()
    }

    /// The messages of a subscription: one, or as many as the keys need.
    pub(crate) fn subscriptions(
        &self,
        message: &Message,
        values: &Values<'_>,
    ) -> Result<Vec<String>, TemplateError> {
        let keys = values.keys;
        let parts = match self.keys_max.filter(|max| self.names_keys() && keys.len() > *max) {
            Some(max) => keys.chunks(max).collect(),
            None => vec![keys],
        };
        let rendered =
            parts.into_iter().map(|keys| self.render(message, &Values { keys, ..*values }));
        rendered.filter_map(Result::transpose).collect()
    }

    /// The message; `None` where the profile has none (a ping is then the protocol's), and for an
    /// unsubscription that would have to name a subscription that was never told.
    pub(crate) fn render(
        &self,
        message: &Message,
        values: &Values<'_>,
    ) -> Result<Option<String>, TemplateError> {
        let all = values.keys.is_empty();
        let template = match message {
            Message::Subscribe { after: Some(_) } if all && self.after_all.is_some() => {
                &self.after_all
            }
            Message::Subscribe { after: Some(_) } => &self.after,
            Message::Subscribe { after: None } if all && self.now_all.is_some() => &self.now_all,
            Message::Subscribe { after: None } => &self.now,
            Message::Unsubscribe => &self.unsubscribe,
            Message::Ping => &self.ping,
        };
        let Some(template) = template else { return Ok(None) };
        if *message == Message::Unsubscribe
            && template.uses("subscription")
            && values.subscription.is_none()
        {
            return Ok(None);
        }
        template.render(values).map(Some)
    }
}

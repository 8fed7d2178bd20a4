//! Messages to the vendor, rendered from the profile.

use std::collections::BTreeMap;

use unbroken_core::machine::Message;

use crate::generic::profile::MessagesProfile;
use crate::generic::template::{Place, Template, TemplateError, Values};

/// The profile's messages, parsed.
#[derive(Clone, Debug)]
pub(crate) struct Messages {
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
        Ok(Self {
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

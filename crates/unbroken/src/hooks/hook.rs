//! One hook, ready to be told.

use super::config::{HookConfig, Target};
use super::error::HookError;
use super::notice::Notice;
use super::{command, webhook::Webhook};

#[derive(Debug)]
pub(super) enum Hook {
    Command { words: Vec<String>, timeout_ms: u64 },
    Webhook(Box<Webhook>),
}

impl Hook {
    pub(super) fn new(name: &'static str, config: &HookConfig) -> Result<Self, HookError> {
        Ok(match &config.target {
            Target::Command(words) => {
                Self::Command { words: words.clone(), timeout_ms: config.timeout_ms }
            }
            Target::Url(url) => Self::Webhook(Box::new(Webhook::new(name, url, config)?)),
        })
    }

    pub(super) async fn tell(&self, notice: &Notice) -> Result<(), HookError> {
        match self {
            Self::Command { words, timeout_ms } => command::run(words, notice, *timeout_ms).await,
            Self::Webhook(webhook) => webhook.post(notice).await,
        }
    }
}

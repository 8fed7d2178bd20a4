//! What a failure calls for.

use std::collections::BTreeMap;

use serde::Deserialize;
use unbroken_core::connector::{Class, Failure};
use unbroken_core::ids::Label;

use crate::generic::connector::ProfileError;
use crate::generic::pointer::{Extractor, Slot};
use crate::generic::profile::{ClassifyProfile, FailureRule, PositionFormat, Scalar};
use crate::generic::value;

/// Most characters of the vendor's own words that are passed on: a sentence, no page.
const REASON_CHARS_MAX: usize = 160;

/// A class in a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClassName {
    /// Try again.
    Retry,
    /// Get a new token.
    Reauthorize,
    /// The position is not served.
    Stale,
    /// A planned close.
    Closing,
    /// Only a person can help.
    Fatal,
}

impl ClassName {
    fn class(self, after_ms: Option<u64>, floor: Option<u64>) -> Class {
        match self {
            Self::Retry => Class::Retry { after_ms },
            Self::Reauthorize => Class::Reauthorize,
            Self::Stale => Class::Stale { floor },
            Self::Closing => Class::Closing,
            Self::Fatal => Class::Fatal,
        }
    }
}

/// The profile's tables, ready for use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Classifier {
    status: BTreeMap<u16, ClassName>,
    status_hundred: BTreeMap<u16, ClassName>,
    close: BTreeMap<u16, ClassName>,
    body: Extractor,
    rules: Vec<BodyRule>,
    format: PositionFormat,
    /// The header that says why.
    reason: Option<String>,
}

#[derive(Clone, Debug)]
struct BodyRule {
    at: Slot,
    equals: Option<Scalar>,
    class: ClassName,
    floor: Option<Slot>,
    what: Label,
}

impl Classifier {
    pub(crate) fn new(
        profile: &ClassifyProfile,
        format: PositionFormat,
    ) -> Result<Self, ProfileError> {
        let mut classifier = Self { format, ..Self::default() };
        if let Some(reason) = &profile.reason {
            let name = reason.strip_prefix("header:").ok_or(ProfileError::Reason)?;
            classifier.reason = Some(name.trim().to_ascii_lowercase());
        }
        for (code, class) in &profile.http {
            let table = match code.strip_suffix("xx") {
                Some(_) => &mut classifier.status_hundred,
                None => &mut classifier.status,
            };
            let number = code.strip_suffix("xx").unwrap_or(code);
            table.insert(parse_code(number, code)?, *class);
        }
        for (code, class) in &profile.close {
            classifier.close.insert(parse_code(code, code)?, *class);
        }
        for rule in &profile.body {
            classifier.rules.push(BodyRule::new(rule, &mut classifier.body)?);
        }
        Ok(classifier)
    }

    /// An HTTP answer (of a request or a handshake) that was not what was asked for.
    pub(crate) fn status(&self, status: u16, after_ms: Option<u64>, body: &[u8]) -> Failure {
        let named = std::str::from_utf8(body).ok().and_then(|body| self.named(body, after_ms));
        let (class, what) = named.unwrap_or_else(|| {
            let exact = self.status.get(&status);
            let class = exact.or_else(|| self.status_hundred.get(&(status / 100)));
            let class = class.copied().unwrap_or(ClassName::Retry);
            (class.class(after_ms, None), Label::new(format!("HTTP {status}")))
        });
        Failure { class, code: Some(status), what }
    }

    /// The vendor's own words, where it has any: short, and nothing that a terminal obeys.
    pub(crate) fn reason(&self, header: &dyn Fn(&str) -> Option<String>) -> Option<String> {
        let said = header(self.reason.as_deref()?)?;
        let printable = |c: &char| !c.is_control();
        let said: String = said.chars().filter(printable).take(REASON_CHARS_MAX).collect();
        (!said.is_empty()).then_some(said)
    }

    /// A WebSocket close code.
    pub(crate) fn close(&self, code: Option<u16>, what: &str) -> Failure {
        let class = code.and_then(|code| self.close.get(&code)).copied();
        let class = class.unwrap_or(ClassName::Retry).class(None, None);
        Failure { class, code, what: what.into() }
    }

    /// An error frame.
    pub(crate) fn frame(&self, text: &str) -> Failure {
        let (class, what) = self
            .named(text, None)
            .unwrap_or((Class::Retry { after_ms: None }, "error frame that no rule names".into()));
        Failure { class, code: None, what }
    }

    /// A refused login.
    pub(crate) fn login(&self, text: &str) -> Failure {
        let (class, what) =
            self.named(text, None).unwrap_or((Class::Reauthorize, "login refused".into()));
        Failure { class, code: None, what }
    }

    fn named(&self, text: &str, after_ms: Option<u64>) -> Option<(Class, Label)> {
        if self.rules.is_empty() {
            return None;
        }
        let found = self.body.extract(text).ok()?;
        let rule = self.rules.iter().find(|r| value::holds(r.at.of(&found), r.equals.as_ref()))?;
        let floor = rule.floor.and_then(|slot| value::position(slot.of(&found), self.format).ok());
        Some((rule.class.class(after_ms, floor), rule.what.clone()))
    }
}

impl BodyRule {
    fn new(rule: &FailureRule, body: &mut Extractor) -> Result<Self, ProfileError> {
        let what = match (&rule.what, &rule.equals) {
            (Some(what), _) => what.as_str(),
            (None, Some(Scalar(value))) => value.as_str(),
            (None, None) => rule.at.trim_start_matches('/'),
        };
        Ok(Self {
            at: body.add(&rule.at)?,
            equals: rule.equals.clone(),
            class: rule.class,
            floor: rule.floor.as_deref().map(|pointer| body.add(pointer)).transpose()?,
            what: what.into(),
        })
    }
}

fn parse_code(number: &str, code: &str) -> Result<u16, ProfileError> {
    number.parse().map_err(|_| ProfileError::Code { code: code.to_owned() })
}

//! What is kept of the vendor's bytes.

use bytes::Bytes;
use unbroken_core::connector::Item;
use unbroken_core::ids::Label;
use unbroken_core::record;

use crate::generic::digest::Digester;
use crate::generic::fields::{FieldRules, NotJson};
use crate::generic::shape::shape;

/// By what payloads are compared, and what the user's field rules leave of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keeping {
    digester: Digester,
    rules: Option<FieldRules>,
}

impl Keeping {
    pub(crate) fn new(digester: Digester) -> Self {
        Self { digester, rules: None }
    }

    pub(crate) fn set_rules(&mut self, rules: FieldRules) {
        self.rules = Some(rules);
    }

    /// A payload's digest, and what may be kept of it. The digest is that of the whole, so that
    /// values can be told apart that differ only in what is dropped.
    pub(crate) fn keep(&self, payload: Bytes) -> Result<(u128, Bytes), NotJson> {
        let Some(rules) = &self.rules else {
            return Ok((self.digester.digest(&payload), payload));
        };
        let kept = rules.apply(&payload)?;
        let digest = match rules.key() {
            Some(key) => self.digester.digest_by(&payload, |form| key.digest(form)),
            None => self.digester.digest(&payload),
        };
        Ok((digest, kept))
    }

    /// The digest of a text that stands for a payload.
    pub(crate) fn digest_of(&self, text: &[u8]) -> u128 {
        let key = self.rules.as_ref().and_then(FieldRules::key);
        key.map_or_else(|| record::digest(text), |key| key.digest(text))
    }

    /// Bytes that could not be understood. Where fields are dropped nobody can say where in them
    /// they are, so only the shape is kept.
    pub(crate) fn poison(&self, bytes: &Bytes, reason: Label) -> Item {
        let Some(rules) = &self.rules else {
            return Item::Poison { reason, bytes: bytes.clone() };
        };
        let shape = std::str::from_utf8(bytes).map_or_else(|_| "\"no UTF-8\"".into(), shape);
        let digest = rules.key().map_or_else(|| record::digest(bytes), |key| key.digest(bytes));
        Item::Withheld { reason, shape: Bytes::from(shape), length: bytes.len() as u64, digest }
    }
}

//! What a capture does not show.

use std::collections::BTreeSet;

use crate::generic::{members, shape, split_member};
use crate::secret::Secret;

/// What stands for what is not shown.
const REDACTED: &str = "\"[redacted]\"";

/// Parts of names under which vendors send secrets.
const SECRET_NAMES: [&str; 9] = [
    "token",
    "secret",
    "password",
    "passwd",
    "authorization",
    "credential",
    "cookie",
    "apikey",
    "api_key",
];

/// Below this depth nothing is looked at, so nothing is shown.
const DEPTH_MAX: u32 = 32;

/// Shorter secrets are not looked for in texts: they would be found everywhere.
const SECRET_BYTES_MIN: usize = 6;

/// What is taken out of texts.
#[derive(Clone, Debug, Default)]
pub struct Redaction {
    /// Names of members that are never shown: the last names of the user's field rules.
    dropped: BTreeSet<String>,
    /// Names that the profile reads: a position may well be called a token.
    read: BTreeSet<String>,
    secrets: Vec<Secret>,
    /// There are field rules, and texts that are not understood may hold anything anywhere.
    strict: bool,
}

impl Redaction {
    /// For a source with these field rules, whose profile reads members of these names.
    pub fn new<'a>(
        rules: impl Iterator<Item = &'a str>,
        read: impl Iterator<Item = String>,
    ) -> Self {
        let mut redaction = Self { read: read.collect(), ..Self::default() };
        for rule in rules {
            redaction.strict = true;
            let names = rule.split('/').skip(1);
            let name = names.filter(|name| *name != "*" && name.parse::<u64>().is_err()).last();
            // A rule without a name, such as that for the whole payload, leaves no name to show.
            let name = name.map(|name| name.replace("~1", "/").replace("~0", "~"));
            redaction.dropped.insert(name.unwrap_or_default());
        }
        redaction
    }

    /// A secret that is in use: it is found wherever it stands.
    pub fn know(&mut self, secret: &Secret) {
        let known = self.secrets.iter().any(|held| held.expose() == secret.expose());
        if !known && secret.expose().len() >= SECRET_BYTES_MIN {
            self.secrets.push(secret.clone());
        }
    }

    /// Whether a text that is not understood may be shown by its shape alone.
    pub fn is_strict(&self) -> bool {
        self.strict
    }

    /// What may be shown of a text that is understood.
    pub fn text(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        if self.dropped.contains("") {
            shown.push_str(&shape(text));
        } else if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
            shown.push_str(text);
        } else if self.push(&mut shown, text, 0).is_none() {
            shown = REDACTED.to_owned();
        }
        self.without_secrets(shown)
    }

    /// The same without anything but the secrets in use, for texts of our own.
    pub fn without_secrets(&self, mut text: String) -> String {
        for secret in &self.secrets {
            let plain = secret.expose();
            let quoted = serde_json::Value::from(plain).to_string();
            let escaped = quoted.trim_matches('"');
            for form in [plain, escaped] {
                if text.contains(form) {
                    text = text.replace(form, "[redacted]");
                }
            }
        }
        text
    }

    fn push(&self, out: &mut String, text: &str, depth: u32) -> Option<()> {
        let value = text.trim_ascii();
        if !value.starts_with(['{', '[']) {
            out.push_str(text);
            return Some(());
        }
        if depth == DEPTH_MAX {
            out.push_str(REDACTED);
            return Some(());
        }
        let (begin, end) = (text.find(['{', '['])?, text.rfind(['}', ']'])?);
        let is_object = value.starts_with('{');
        out.push_str(text.get(..=begin)?);
        for (index, member) in members(text.get(begin + 1..end)?).into_iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            if !is_object {
                self.push(out, member, depth + 1)?;
                continue;
            }
            let (name, value) = split_member(member)?;
            out.push_str(member.get(..member.len() - value.len())?);
            match self.hides(&name) {
                true => out.push_str(REDACTED),
                false => self.push(out, value, depth + 1)?,
            }
        }
        out.push_str(text.get(end..)?);
        Some(())
    }

    fn hides(&self, name: &str) -> bool {
        let lower = name.to_ascii_lowercase();
        let secret = SECRET_NAMES.iter().any(|part| lower.contains(part));
        self.dropped.contains(name) || (secret && !self.read.contains(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redaction(rules: &[&'static str]) -> Redaction {
        let mut redaction =
            Redaction::new(rules.iter().copied(), ["nextToken".to_owned()].into_iter());
        redaction.know(&Secret::new("hunter\"2"));
        redaction
    }

    #[test]
    fn secrets_are_found_by_name_and_by_value() {
        let text = r#"{"type":"x", "access_token": "abc","a":[{"clientSecret":{"v":1}}],
            "nextToken":"p2","echo":"you sent hunter\"2"}"#;
        let shown = r#"{"type":"x", "access_token":"[redacted]","a":[{"clientSecret":"[redacted]"}],
            "nextToken":"p2","echo":"you sent [redacted]"}"#;
        assert_eq!(redaction(&[]).text(text), shown);
        assert_eq!(redaction(&[]).text("Bearer hunter\"2"), "Bearer [redacted]");
    }

    #[test]
    fn what_field_rules_take_out_is_shown_nowhere_in_the_frame() {
        let text = r#"{"phone":"1","data":{"phone":[2],"b":{"mail":3}},"list":[{"phone":4}]}"#;
        let hidden = r#"{"phone":"[redacted]""#;
        let data = format!(r#"{hidden},"b":{{"mail":3}}}}"#);
        let shown = format!(r#"{hidden},"data":{data},"list":[{hidden}}}]}}"#);
        assert_eq!(redaction(&["/contact/phone/*"]).text(text), shown);
        assert!(redaction(&["/x"]).is_strict() && !redaction(&[]).is_strict());
    }

    #[test]
    fn a_rule_without_a_name_leaves_the_shape() {
        assert_eq!(redaction(&[""]).text(r#"{"a":"b"}"#), r#"{"a":"text"}"#);
    }

    #[test]
    fn too_deep_is_not_shown() {
        let deep = format!("{}\"deep\"{}", "[".repeat(100), "]".repeat(100));
        assert!(!redaction(&[]).text(&deep).contains("deep"));
    }
}

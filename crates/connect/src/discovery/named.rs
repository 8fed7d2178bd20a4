//! A host as the profile puts it together from an answer's members.

use serde_json::{Map, Value};

use crate::generic::TemplateError;

/// `https://api-{{ area }}.{{ domain }}`: text, and names of members of the answer, texts as well.
#[derive(Clone, Debug)]
pub(crate) struct Named(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Member(String),
}

impl Named {
    pub(crate) fn new(text: &str) -> Result<Self, TemplateError> {
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, behind) = after.split_once("}}").ok_or(TemplateError::Unclosed)?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(Part::Member(name.trim().to_owned()));
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Self(parts))
    }

    /// The text, or the name of a member that is missing. It is the answer's word: whoever uses it
    /// has to look where it leads.
    pub(crate) fn of(&self, answer: &Map<String, Value>) -> Result<String, &str> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(own) => text.push_str(own),
                Part::Member(name) => match answer.get(name) {
                    Some(Value::String(value)) if !value.is_empty() => text.push_str(value),
                    _ => return Err(name),
                },
            }
        }
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_put_between_text() {
        let answer =
            serde_json::json!({"area": "na1", "domain": "vendor.example", "n": 7, "e": ""});
        let Value::Object(answer) = answer else { unreachable!("it is one") };
        let of = |text: &str| Named::new(text).unwrap().of(&answer).map_err(str::to_owned);
        assert_eq!(of("https://{{ area }}.{{domain}}"), Ok("https://na1.vendor.example".into()));
        assert_eq!(of("https://fixed.example"), Ok("https://fixed.example".into()));
        for missing in ["cluster", "n", "e"] {
            assert_eq!(of(&format!("{{{{ {missing} }}}}")), Err(missing.to_owned()));
        }
        assert!(matches!(Named::new("https://{{ area"), Err(TemplateError::Unclosed)));
    }
}

//! Templates: `{{ name }}` and `{{ name | filter }}`, encoded for the place they stand in.
//!
//! A value can never leave its place: in JSON it becomes a number, a quoted text or an array (or
//! escaped text inside a string), in a URL it is percent-encoded, in a header anything but
//! printable ASCII is refused.

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use unbroken_core::bookmark::After;
use unbroken_core::ids::Key;

use crate::generic::nearest::nearest;
use crate::secret::Secret;

/// Where a template's text will stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A JSON body or message.
    Json,
    /// A path.
    Path,
    /// A query's value.
    Query,
    /// A form field's value.
    Form,
    /// A header's value.
    Header,
}

/// A parsed template.
#[derive(Clone, Debug)]
pub struct Template {
    parts: Vec<Part>,
    place: Place,
}

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Slot { name: String, filters: Vec<Filter>, in_string: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Base64,
    Unbase64,
    PrefixStart,
    PrefixEnd,
    Successor,
    Join,
    Hex,
    Hex16,
    Number,
}

const FILTERS: [(&str, Filter); 9] = [
    ("base64", Filter::Base64),
    ("unbase64", Filter::Unbase64),
    ("prefix_start", Filter::PrefixStart),
    ("prefix_end", Filter::PrefixEnd),
    ("successor", Filter::Successor),
    ("join", Filter::Join),
    ("hex", Filter::Hex),
    ("hex16", Filter::Hex16),
    ("number", Filter::Number),
];

pub(crate) const NAMES: [&str; 12] = [
    "position",
    "position_next",
    "token",
    "keys",
    "nonce",
    "limit",
    "offset",
    "page",
    "next",
    "tag",
    "subscription",
    "snapshot_id",
];

/// What templates may name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Values<'a> {
    /// The position asked for: `position`, and `position_next` (plus 1).
    pub position: Option<&'a After>,
    /// The access token.
    pub token: Option<&'a Secret>,
    /// The configured keys.
    pub keys: &'a [Key],
    /// Fresh for every request and connection.
    pub nonce: &'a str,
    /// Rows per page.
    pub limit: Option<u64>,
    /// Rows so far.
    pub offset: Option<u64>,
    /// The page's number.
    pub page: Option<u64>,
    /// The next page's name.
    pub next: Option<&'a str>,
    /// The first page's position.
    pub tag: Option<u64>,
    /// The frozen snapshot's id.
    pub snapshot_id: Option<&'a str>,
    /// The subscription's id.
    pub subscription: Option<&'a str>,
    /// The profile's and the user's variables.
    pub variables: Option<&'a BTreeMap<String, String>>,
}

/// Why a template is wrong or cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// `{{` without `}}`.
    #[error("template has a `{{{{` without its `}}}}`")]
    Unclosed,
    /// No value has this name.
    #[error("template names `{name}`, which is no value")]
    UnknownName {
        /// The name.
        name: String,
        /// The nearest right one.
        nearest: Option<String>,
    },
    /// No filter has this name.
    #[error("template names `{name}`, which is no filter")]
    UnknownFilter {
        /// The name.
        name: String,
    },
    /// With every value filled in the text is no JSON.
    #[error("template does not yield JSON")]
    NotJson,
    /// A list can only stand by itself, or be joined.
    #[error("template puts the list `{name}` where only a text can stand")]
    ListAsText {
        /// The name.
        name: String,
    },
    /// The value is not known here.
    #[error("template needs `{name}`, which has no value here")]
    Missing {
        /// The name.
        name: String,
    },
    /// The value cannot stand in this place.
    #[error("template value `{name}` holds characters that cannot stand in its place")]
    Unsafe {
        /// The name.
        name: String,
    },
}

impl TemplateError {
    /// What a person can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownName { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{nearest}`?"))
            }
            Self::UnknownName { .. } => Some(format!("values are: {}", NAMES.join(", "))),
            Self::UnknownFilter { .. } => {
                Some(format!("filters are: {}", FILTERS.map(|(name, _)| name).join(", ")))
            }
            Self::ListAsText { name } => Some(format!("write `{{{{ {name} | join }}}}`")),
            _ => None,
        }
    }
}

enum Value {
    Number(u64),
    Text(Vec<u8>),
    List(Vec<Vec<u8>>),
}

impl Template {
    /// Parses and checks a template. `variables` are the names that it may use beside the fixed
    /// ones.
    ///
    /// # Errors
    /// See [`TemplateError`].
    pub fn parse(
        text: &str,
        place: Place,
        variables: &BTreeMap<String, String>,
    ) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut quotes = Quotes::default();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (inner, behind) = after.split_once("}}").ok_or(TemplateError::Unclosed)?;
            quotes.pass(before);
            parts.push(Part::Text(before.to_owned()));
            parts.push(parse_slot(inner, place == Place::Json && quotes.open, variables)?);
            rest = behind;
        }
        parts.push(Part::Text(rest.to_owned()));
        let template = Self { parts, place };
        template.check_lists()?;
        template.check()?;
        Ok(template)
    }

    /// Whether the template names this value.
    pub fn uses(&self, wanted: &str) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Slot { name, .. } if name == wanted))
    }

    /// Fills the template in.
    ///
    /// # Errors
    /// If a value is missing or cannot stand in its place.
    pub fn render(&self, values: &Values<'_>) -> Result<String, TemplateError> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Slot { name, filters, in_string } => {
                    let value = filtered(values.value(name)?, filters, name)?;
                    self.place.encode(&mut out, value, *in_string, name)?;
                }
            }
        }
        Ok(out)
    }

    /// Fills the template in; of one that is a list and nothing else, once for each element.
    ///
    /// # Errors
    /// Like [`Self::render`].
    pub fn render_each(&self, values: &Values<'_>) -> Result<Vec<String>, TemplateError> {
        let Some((name, filters)) = self.lone_list() else { return Ok(vec![self.render(values)?]) };
        let Value::List(list) = filtered(values.value(name)?, filters, name)? else {
            return Ok(Vec::new());
        };
        let encoded = |item| {
            let mut out = String::new();
            self.place.encode(&mut out, Value::Text(item), false, name).map(|()| out)
        };
        list.into_iter().map(encoded).collect()
    }

    /// The list that the template consists of, if it does.
    fn lone_list(&self) -> Option<(&str, &[Filter])> {
        match self.parts.as_slice() {
            [Part::Text(before), Part::Slot { name, filters, .. }, Part::Text(behind)]
                if is_list(name, filters) && before.is_empty() && behind.is_empty() =>
            {
                Some((name, filters))
            }
            _ => None,
        }
    }

    /// A list stands by itself in JSON, and makes a parameter of each element in a query or form.
    fn check_lists(&self) -> Result<(), TemplateError> {
        let repeats = matches!(self.place, Place::Query | Place::Form);
        if repeats && self.lone_list().is_some() {
            return Ok(());
        }
        for part in &self.parts {
            match part {
                Part::Slot { name, filters, in_string }
                    if is_list(name, filters) && (*in_string || self.place != Place::Json) =>
                {
                    return Err(TemplateError::ListAsText { name: name.clone() });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Renders with samples, so that a wrong template is found when the profile is loaded.
    fn check(&self) -> Result<(), TemplateError> {
        if self.place != Place::Json {
            return Ok(());
        }
        let mut sample = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => sample.push_str(text),
                Part::Slot { in_string: true, .. } => sample.push('x'),
                Part::Slot { .. } => sample.push('0'),
            }
        }
        serde_json::from_str::<IgnoredAny>(&sample).map_err(|_| TemplateError::NotJson)?;
        Ok(())
    }
}

/// Whether the text so far has left a JSON string open.
#[derive(Default)]
struct Quotes {
    open: bool,
    escaped: bool,
}

impl Quotes {
    fn pass(&mut self, text: &str) {
        for c in text.chars() {
            match c {
                _ if self.escaped => self.escaped = false,
                '\\' if self.open => self.escaped = true,
                '"' => self.open = !self.open,
                _ => {}
            }
        }
    }
}

fn parse_slot(
    inner: &str,
    in_string: bool,
    variables: &BTreeMap<String, String>,
) -> Result<Part, TemplateError> {
    let mut words = inner.split('|').map(str::trim);
    let name = words.next().unwrap_or_default().to_owned();
    if !NAMES.contains(&name.as_str()) && !variables.contains_key(&name) {
        let known = NAMES.iter().copied().chain(variables.keys().map(String::as_str));
        let nearest = nearest(&name, known).map(str::to_owned);
        return Err(TemplateError::UnknownName { name, nearest });
    }
    let filters = words
        .map(|word| {
            FILTERS
                .iter()
                .find(|(known, _)| *known == word)
                .map(|(_, filter)| *filter)
                .ok_or_else(|| TemplateError::UnknownFilter { name: word.to_owned() })
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Part::Slot { name, filters, in_string })
}

fn is_list(name: &str, filters: &[Filter]) -> bool {
    name == "keys" && !filters.contains(&Filter::Join)
}

impl Values<'_> {
    fn value(&self, name: &str) -> Result<Value, TemplateError> {
        let text = |text: &str| Value::Text(text.as_bytes().to_vec());
        let value = match name {
            "position" => self.position.map(|position| match position {
                After::Sequence(sequence) => Value::Number(*sequence),
                After::Bookmark(bookmark) => Value::Text(bookmark.as_bytes().to_vec()),
            }),
            "position_next" => self
                .position
                .and_then(After::sequence)
                .map(|sequence| Value::Number(sequence.saturating_add(1))),
            "token" => self.token.map(|token| text(token.expose())),
            "keys" => Some(Value::List(
                self.keys.iter().map(|key| key.as_str().as_bytes().to_vec()).collect(),
            )),
            "nonce" => Some(text(self.nonce)),
            "limit" => self.limit.map(Value::Number),
            "offset" => self.offset.map(Value::Number),
            "page" => self.page.map(Value::Number),
            "next" => self.next.map(text),
            "tag" => self.tag.map(Value::Number),
            "snapshot_id" => self.snapshot_id.map(text),
            "subscription" => self.subscription.map(text),
            other => self.variables.and_then(|v| v.get(other)).map(|value| text(value)),
        };
        value.ok_or_else(|| TemplateError::Missing { name: name.to_owned() })
    }
}

fn filtered(mut value: Value, filters: &[Filter], name: &str) -> Result<Value, TemplateError> {
    for filter in filters {
        value = match (filter, value) {
            (Filter::Join, Value::List(list)) => Value::Text(list.join(&b','.to_owned())),
            (filter, Value::List(list)) => Value::List(
                list.into_iter().map(|item| filter.apply(item, name)).collect::<Result<_, _>>()?,
            ),
            (Filter::Hex, Value::Number(number)) => Value::Text(format!("{number:x}").into_bytes()),
            (Filter::Hex16, Value::Number(number)) => {
                Value::Text(format!("{number:016x}").into_bytes())
            }
            (Filter::Number, Value::Number(number)) => Value::Number(number),
            (Filter::Number, Value::Text(text)) => {
                let unsafe_here = || TemplateError::Unsafe { name: name.to_owned() };
                let digits = String::from_utf8(text).ok().filter(|text| is_number(text));
                Value::Number(digits.and_then(|d| d.parse().ok()).ok_or_else(unsafe_here)?)
            }
            (filter, Value::Number(number)) => {
                Value::Text(filter.apply(number.to_string().into_bytes(), name)?)
            }
            (filter, Value::Text(text)) => Value::Text(filter.apply(text, name)?),
        };
    }
    Ok(value)
}

impl Filter {
    fn apply(self, mut bytes: Vec<u8>, name: &str) -> Result<Vec<u8>, TemplateError> {
        match self {
            Self::Base64 => Ok(STANDARD.encode(bytes).into_bytes()),
            Self::Unbase64 => {
                STANDARD.decode(bytes).map_err(|_| TemplateError::Unsafe { name: name.to_owned() })
            }
            // An empty key would be none at all; a single zero byte is the first that can be.
            Self::PrefixStart if bytes.is_empty() => Ok(vec![0]),
            Self::PrefixStart | Self::Join => Ok(bytes),
            // Only a number has them, and `number` has none to give for the elements of a list.
            Self::Hex | Self::Hex16 | Self::Number => {
                Err(TemplateError::Unsafe { name: name.to_owned() })
            }
            Self::PrefixEnd => Ok(prefix_end(bytes)),
            Self::Successor => {
                bytes.push(0);
                Ok(bytes)
            }
        }
    }
}

fn is_number(text: &str) -> bool {
    let plain = text == "0" || !text.starts_with('0');
    plain && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The smallest byte string above every one that begins with `bytes`. For the empty prefix, and one
/// of 0xff only, that is a single zero byte: the usual word for "no end".
fn prefix_end(mut bytes: Vec<u8>) -> Vec<u8> {
    while let Some(last) = bytes.pop() {
        if let Some(above) = last.checked_add(1) {
            bytes.push(above);
            return bytes;
        }
    }
    vec![0]
}

impl Place {
    fn encode(
        self,
        out: &mut String,
        value: Value,
        in_string: bool,
        name: &str,
    ) -> Result<(), TemplateError> {
        let refused = || TemplateError::Unsafe { name: name.to_owned() };
        let utf8 = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| refused());
        match (self, value) {
            (_, Value::Number(number)) => out.push_str(&number.to_string()),
            (Self::Json, Value::Text(text)) => {
                let quoted = json_text(&utf8(text)?);
                let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
                out.push_str(if in_string { inner } else { &quoted });
            }
            (Self::Json, Value::List(list)) if !in_string => {
                let items = list.into_iter().map(utf8).collect::<Result<Vec<String>, _>>()?;
                out.push_str(&serde_json::Value::from(items).to_string());
            }
            (_, Value::List(_)) => {
                return Err(TemplateError::ListAsText { name: name.to_owned() });
            }
            (Self::Path | Self::Query | Self::Form, Value::Text(text)) => {
                percent_encode(out, &text);
            }
            (Self::Header, Value::Text(text)) => {
                if !text.iter().all(|byte| matches!(byte, b' '..=b'~')) {
                    return Err(refused());
                }
                out.push_str(&utf8(text)?);
            }
        }
        Ok(())
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Everything but RFC 3986's unreserved characters.
fn percent_encode(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(*byte));
            }
            // Writing to a String cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<'a>(keys: &'a [Key], next: &'a str) -> Values<'a> {
        Values {
            position: Some(&After::Sequence(7)),
            keys,
            next: Some(next),
            nonce: "n0",
            ..Values::default()
        }
    }

    fn render(text: &str, place: Place, values: &Values<'_>) -> Result<String, TemplateError> {
        Template::parse(text, place, &BTreeMap::new())?.render(values)
    }

    #[test]
    fn json_values_take_the_form_of_their_place() {
        let keys = [Key::from("a\"b"), Key::from("c")];
        let values = values(&keys, "x\"\\\n{{ token }}");
        for (text, expected) in [
            (r#"{"a":{{ position }}}"#, r#"{"a":7}"#),
            (r#"{"a":"{{ position_next }}"}"#, r#"{"a":"8"}"#),
            (r#"{"a":{{keys}}}"#, r#"{"a":["a\"b","c"]}"#),
            (r#"{"a":"{{ keys | join }}"}"#, r#"{"a":"a\"b,c"}"#),
            (r#"{"a":{{ next }}}"#, r#"{"a":"x\"\\\n{{ token }}"}"#),
            (r#"{"a":"<{{ next }}>"}"#, r#"{"a":"<x\"\\\n{{ token }}>"}"#),
            (r#"{"\"{{ nonce }}":1}"#, r#"{"\"n0":1}"#),
        ] {
            assert_eq!(render(text, Place::Json, &values).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn url_values_are_percent_encoded() {
        let values = values(&[], "a/../b?c=d&é %\r\n");
        assert_eq!(
            render("/x/{{ next }}", Place::Query, &values).unwrap(),
            "/x/a%2F..%2Fb%3Fc%3Dd%26%C3%A9%20%25%0D%0A"
        );
    }

    #[test]
    fn header_values_refuse_line_ends_and_other_scripts() {
        for bad in ["a\r\nX: y", "é", "\u{7f}"] {
            let refused = render("Bearer {{ next }}", Place::Header, &values(&[], bad));
            assert_eq!(refused.unwrap_err(), TemplateError::Unsafe { name: "next".into() });
        }
        let fine = render("Bearer {{ next }}", Place::Header, &values(&[], "ok ~")).unwrap();
        assert_eq!(fine, "Bearer ok ~");
    }

    #[test]
    fn filters_work_on_bytes() {
        for (next, filters, expected) in [
            ("agents/", "base64", "YWdlbnRzLw=="),
            ("agents/", "prefix_end | base64", "YWdlbnRzMA=="),
            ("", "prefix_end | base64", "AA=="),
            ("YQ==", "unbase64 | successor | base64", "YQA="),
        ] {
            let text = format!(r#""{{{{ next | {filters} }}}}""#);
            let rendered = render(&text, Place::Json, &values(&[], next)).unwrap();
            assert_eq!(rendered, format!("\"{expected}\""));
        }
        assert_eq!(prefix_end(vec![b'a', 0xff, 0xff]), b"b");
        assert_eq!(prefix_end(vec![0xff]), [0]);
    }

    #[test]
    fn wrong_templates_are_found_when_they_are_parsed() {
        let parse = |text| Template::parse(text, Place::Json, &BTreeMap::new()).unwrap_err();
        assert_eq!(parse("{{ position"), TemplateError::Unclosed);
        assert_eq!(parse(r#"{"a":}"#), TemplateError::NotJson);
        assert_eq!(
            parse(r#"{{ keys | nope }}"#),
            TemplateError::UnknownFilter { name: "nope".into() }
        );
        assert_eq!(parse(r#""{{ keys }}""#), TemplateError::ListAsText { name: "keys".into() });
        let unknown = parse("{{ posiiton }}");
        assert_eq!(unknown.hint().unwrap(), "did you mean `position`?");
    }

    #[test]
    fn a_missing_value_is_named() {
        let error = render("{{ tag }}", Place::Json, &values(&[], "")).unwrap_err();
        assert_eq!(error, TemplateError::Missing { name: "tag".into() });
    }
}

//! One call: what was asked, checked against the operation's line in the table.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use unbroken_core::ids::Key;
use unbroken_render::Filter;

use super::operation::{Form, Operation};
use super::problem::{CURSOR_INVALID, PARAMETER_INVALID, Problem, TOKEN_IN_QUERY};
use crate::access::{Caller, Permit};
use crate::feed::After;

/// Names under which clients of other services put tokens into addresses.
const TOKEN_NAMES: [&str; 2] = ["access_token", "token"];

/// See the module.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
    pub(crate) query: Query,
    /// The parts of the path that vary.
    pub(crate) varying: Vec<String>,
    /// Who asks, and their place among what is under way. Of an operation for anybody: nobody, or
    /// who would have a right to more.
    pub(crate) caller: Option<(Caller, Permit)>,
}

impl Call {
    /// A header, if it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.parts.headers.get(name)?.to_str().ok()
    }
}

/// The query's parameters, each of a value that its form allows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query(BTreeMap<&'static str, Vec<String>>);

impl Query {
    /// Reads and checks a query.
    pub(crate) fn read(operation: &Operation, text: &str) -> Result<Self, Problem> {
        let mut query = BTreeMap::<&'static str, Vec<String>>::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decode(name)?, decode(value)?);
            if TOKEN_NAMES.contains(&name.as_str()) {
                return Err(Problem::new(&TOKEN_IN_QUERY, "the query has a token in it"));
            }
            let known = operation.parameters().find(|parameter| parameter.name == name);
            let Some(parameter) = known else {
                return Err(invalid(format!("there is no parameter `{name}` here")));
            };
            check(parameter.name, parameter.form, &value)?;
            let values = query.entry(parameter.name).or_default();
            if !values.is_empty() && !parameter.repeats {
                return Err(invalid(format!("`{name}` is there twice")));
            }
            values.push(value);
        }
        Ok(Self(query))
    }

    /// A parameter's only value.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.first().map(String::as_str)
    }

    /// A number, whose form was checked.
    pub(crate) fn whole(&self, name: &str, default: u64) -> u64 {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    /// Whether a parameter says `true`.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).into_iter().flatten().map(String::as_str)
    }

    /// The filter that it describes.
    pub(crate) fn filter(&self) -> Filter {
        Filter {
            source: self.text("source").map(ToOwned::to_owned),
            keys: self.all("key").map(Key::from).collect(),
            key_prefix: self.text("key_prefix").map(ToOwned::to_owned),
            kinds: self.all("kind").map(ToOwned::to_owned).collect(),
        }
    }

    /// Where it says to begin.
    pub(crate) fn after(&self) -> Result<After, Problem> {
        let text = self.text("after").unwrap_or_default();
        After::parse(text).map_err(|_| Problem::new(&CURSOR_INVALID, "`after` is not a cursor"))
    }

    /// Whether state is to come first.
    pub(crate) fn begins_with_state(&self) -> bool {
        self.text("from") == Some("state")
    }

    /// A text that is the same for the same parameters, whatever their order.
    pub(crate) fn canonical(&self) -> String {
        let mut text = String::new();
        for (name, values) in &self.0 {
            let mut values = values.clone();
            values.sort();
            for value in values {
                text.push_str(&format!("{name}={}:{value}&", value.len()));
            }
        }
        text
    }
}

fn decode(text: &str) -> Result<String, Problem> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(std::borrow::Cow::into_owned).map_err(|_| invalid("the query is not UTF-8".into()))
}

fn check(name: &str, form: Form, value: &str) -> Result<(), Problem> {
    match form {
        Form::Text if value.is_empty() => Err(invalid(format!("`{name}` is empty"))),
        Form::Text => Ok(()),
        Form::Cursor => match After::parse(value) {
            Ok(_) if !value.is_empty() => Ok(()),
            _ => Err(Problem::new(&CURSOR_INVALID, format!("`{name}` is not a cursor"))),
        },
        Form::Whole(least, most) => {
            let plain = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            let number = plain.then(|| value.parse::<u64>().ok()).flatten();
            match number {
                Some(number) if (least..=most).contains(&number) => Ok(()),
                _ => Err(invalid(format!("`{name}` is no number from {least} to {most}"))),
            }
        }
        Form::Words(words) => {
            if words.contains(&value) {
                return Ok(());
            }
            Err(invalid(format!("`{name}` is none of: {}", words.join(", "))))
        }
    }
}

fn invalid(detail: String) -> Problem {
    Problem::new(&PARAMETER_INVALID, detail)
}

#[cfg(test)]
mod tests {
    use super::Query;
    use crate::http::table::operation;

    fn read(text: &str) -> Result<Query, &'static str> {
        let events = operation("readEvents").expect("it is in the table");
        Query::read(events, text).map_err(|problem| problem.kind.name)
    }

    #[test]
    fn a_query_says_what_the_table_allows_and_nothing_else() {
        let query = read("key=b&key=a%26c&limit=5&kind=change&from=state").expect("it is right");
        assert_eq!(query.all("key").collect::<Vec<_>>(), ["b", "a&c"]);
        assert_eq!((query.whole("limit", 1), query.begins_with_state()), (5, true));
        for (text, name) in [
            ("limit=0", "parameter-invalid"),
            ("limit=10001", "parameter-invalid"),
            ("limit=+5", "parameter-invalid"),
            ("limit=5&limit=5", "parameter-invalid"),
            ("kind=nothing", "parameter-invalid"),
            ("keys=a", "parameter-invalid"),
            ("key=%ff", "parameter-invalid"),
            ("after=12", "cursor-invalid"),
            ("after=", "cursor-invalid"),
            ("key=", "parameter-invalid"),
            ("access_token=x", "token-in-query"),
            ("token=x", "token-in-query"),
        ] {
            assert_eq!(read(text), Err(name), "{text}");
        }
    }

    #[test]
    fn the_canonical_text_does_not_depend_on_the_order() {
        let [one, two] = ["key=a&key=b&source=s", "source=s&key=b&key=a"].map(read);
        assert_eq!(one.expect("right").canonical(), two.expect("right").canonical());
        assert_ne!(
            read("key=a").expect("right").canonical(),
            read("key=b").expect("right").canonical()
        );
    }
}

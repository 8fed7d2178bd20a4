//! One form for all JSON that means the same: clients print what they have parsed, each library in
//! its own way.

use bytes::Bytes;
use serde_json::Value;

use crate::truth::{Truth, TruthRow};

/// Whole numbers of up to so much are the same as integers and as floating-point numbers.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// Members in the order of their names, no blanks, whole numbers without a point.
pub(super) fn canonical(value: &Value) -> Bytes {
    let mut text = String::new();
    write(value, &mut text);
    text.into()
}

/// The same of bytes; those that are no JSON stay as they are.
fn canonical_of(bytes: &Bytes) -> Bytes {
    serde_json::from_slice(bytes).map_or_else(|_| bytes.clone(), |value| canonical(&value))
}

/// The ledger with everything that is compared in this form.
pub(super) fn canonical_truth(mut truth: Truth) -> Truth {
    for event in &mut truth.events {
        event.body = canonical_of(&event.body);
        if let TruthRow::Other(row) = &mut event.row {
            *row = canonical_of(row);
        }
    }
    truth
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| name.as_str());
            out.push('{');
            for (at, (name, value)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
        Value::Array(values) => {
            out.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(value, out);
            }
            out.push(']');
        }
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) if float.fract() == 0.0 && float.abs() < WHOLE_MAX => {
                out.push_str(&(float as i64).to_string());
            }
            _ => out.push_str(&number.to_string()),
        },
        Value::Null | Value::Bool(_) | Value::String(_) => out.push_str(&value.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Bytes {
        canonical_of(&Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn order_blanks_escapes_and_points_mean_nothing() {
        let one = r#"{"b": [1.0, "\u00e4\/"], "a": {"y":null,"x":true}}"#;
        let other = r#"{"a":{"x":true,"y":null},"b":[1,"ä/"]}"#;
        assert_eq!(form(one), form(other));
        assert_eq!(form(one), Bytes::from_static(other.as_bytes()));
    }

    #[test]
    fn values_mean_something() {
        for (one, other) in [("1", "1.5"), ("[1,2]", "[2,1]"), ("\"1\"", "1"), ("{}", "[]")] {
            assert_ne!(form(one), form(other));
        }
        assert_eq!(form("no json"), Bytes::from_static(b"no json"));
    }
}

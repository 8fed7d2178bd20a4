//! `fields`: which parts of the vendor's payloads a sink is given.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Deserializer, de};
use serde_json::value::RawValue;
use unbroken_core::record::Record;

/// Names of members, each with those below it that are wanted; none: all of it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Wanted(BTreeMap<String, Wanted>);

/// The parts that are kept, as JSON pointers to members. The default keeps payloads as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(Wanted);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut all = Wanted::default();
        let pointers = Vec::<String>::deserialize(deserializer)?;
        for pointer in &pointers {
            let is_below = |other: &String| pointer.strip_prefix(other.as_str());
            let holds = |other: &&String| is_below(other).is_some_and(|it| it.starts_with('/'));
            if let Some(other) = pointers.iter().find(holds) {
                let what = format!("`{pointer}` is a part of `{other}`: name one of them");
                return Err(de::Error::custom(what));
            }
            let Some(path) = pointer.strip_prefix('/') else {
                let what = format!("`{pointer}` is no JSON pointer to a member: `/state` is one");
                return Err(de::Error::custom(what));
            };
            let names = path.split('/').map(|name| name.replace("~1", "/").replace("~0", "~"));
            let mut at = &mut all;
            for name in names {
                at = at.0.entry(name).or_default();
            }
        }
        Ok(Self(all))
    }
}

impl Fields {
    /// Whether payloads stay as they are.
    pub fn is_all(&self) -> bool {
        self.0.0.is_empty()
    }

    /// The record with those parts of its payload alone; a payload that is no JSON object has none.
    pub(crate) fn of(&self, record: &Record) -> Record {
        let mut record = record.clone();
        if self.is_all() {
            return record;
        }
        if let Some(payload) = record.body.payload_mut().filter(|payload| !payload.is_empty()) {
            let kept = serde_json::from_slice(payload).ok().and_then(|raw| keep(raw, &self.0));
            *payload =
                kept.map_or_else(Bytes::new, |kept| String::from(Box::<str>::from(kept)).into());
        }
        record
    }
}

/// What is wanted of a value, its own text where all of it is.
fn keep(raw: &RawValue, wanted: &Wanted) -> Option<Box<RawValue>> {
    if wanted.0.is_empty() {
        return Some(raw.to_owned());
    }
    let members: BTreeMap<String, &RawValue> = serde_json::from_str(raw.get()).ok()?;
    let kept: BTreeMap<&str, Box<RawValue>> = wanted
        .0
        .iter()
        .filter_map(|(name, below)| Some((name.as_str(), keep(members.get(name)?, below)?)))
        .collect();
    serde_json::value::to_raw_value(&kept).ok()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, SeqDeserializer};
    use unbroken_core::record::{Body, Quarantined, Record};
    use unbroken_core::time::UnixMicros;

    use super::Fields;

    fn fields(pointers: &[&str]) -> Result<Fields, Error> {
        let pointers = pointers.iter().map(|pointer| pointer.into_deserializer());
        Fields::deserialize(SeqDeserializer::new(pointers))
    }

    fn kept(pointers: &[&str], payload: &str) -> String {
        let bytes = payload.to_owned().into();
        let poison = Quarantined { conn: None, reason: "x".into(), length: 1, digest: 1, bytes };
        let body = Body::Quarantined(poison);
        let record = Record { stream: "a/s".into(), received_at: UnixMicros(0), body };
        let record = fields(pointers).expect("pointers").of(&record);
        let payload = record.body.payload().expect("it has one");
        String::from_utf8(payload.to_vec()).expect("text")
    }

    #[test]
    fn nothing_but_what_is_named_is_given_and_that_as_the_vendor_wrote_it() {
        let payload =
            r#"{"n":1.50e3,"a":{"b":[1, 2],"c":"secret"},"x/y":null,"big":98765432109876543210}"#;
        assert_eq!(kept(&["/n", "/a/b"], payload), r#"{"a":{"b":[1, 2]},"n":1.50e3}"#);
        assert_eq!(kept(&["/x~1y", "/big"], payload), r#"{"big":98765432109876543210,"x/y":null}"#);
        assert_eq!(kept(&["/a/b/c", "/none"], payload), r#"{"a":{}}"#);
        assert_eq!(kept(&["/a"], "secret"), "");
        assert_eq!(kept(&["/a"], "[1]"), "");
        assert_eq!(kept(&[], payload), payload);
    }

    #[test]
    fn what_is_no_pointer_to_a_member_is_refused() {
        assert!(fields(&["state"]).is_err() && fields(&[""]).is_err());
        assert!(fields(&["/a", "/a/b"]).is_err() && fields(&["/a/b", "/a"]).is_err());
        assert!(fields(&["/a", "/ab"]).is_ok());
        assert!(fields(&[]).expect("none").is_all());
    }
}

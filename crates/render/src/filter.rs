//! Which records a reader wants.

use std::collections::BTreeSet;

use unbroken_core::ids::Key;
use unbroken_core::record::Record;

use crate::record::kind;

/// A record must pass all parts that are set. The default passes everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// A source's name, or `source/stream`.
    pub source: Option<String>,
    /// About one of these keys.
    pub keys: BTreeSet<Key>,
    /// About a key that begins so.
    pub key_prefix: Option<String>,
    /// Of one of these kinds ([`crate::RECORD_KINDS`]).
    pub kinds: BTreeSet<String>,
}

impl Filter {
    /// Whether a record passes.
    pub fn accepts(&self, record: &Record) -> bool {
        if self.source.as_deref().is_some_and(|source| !is_of(record.stream.as_str(), source)) {
            return false;
        }
        if !self.kinds.is_empty() && !self.kinds.contains(kind(&record.body)) {
            return false;
        }
        let key = record.body.key();
        if !self.keys.is_empty() && !key.is_some_and(|key| self.keys.contains(key)) {
            return false;
        }
        match &self.key_prefix {
            None => true,
            Some(prefix) => key.is_some_and(|key| key.as_str().starts_with(prefix.as_str())),
        }
    }

    /// Whether everything passes.
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it may be told a stream's name.
    pub fn accepts_stream(&self, stream: &str) -> bool {
        self.source.as_deref().is_none_or(|source| is_of(stream, source))
    }

    /// Whether a key passes.
    pub fn accepts_key(&self, key: &str) -> bool {
        (self.keys.is_empty() || self.keys.iter().any(|wanted| wanted.as_str() == key))
            && self.key_prefix.as_deref().is_none_or(|prefix| key.starts_with(prefix))
    }
}

/// Whether a stream is meant by a source's name or by its own.
fn is_of(stream: &str, source: &str) -> bool {
    let rest = stream.strip_prefix(source);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use unbroken_core::record::{Body, Record};
    use unbroken_core::time::UnixMicros;

    use super::Filter;

    fn of(stream: &str, key: &str) -> Record {
        let body = Body::Forgotten { key: key.into() };
        Record { stream: stream.into(), received_at: UnixMicros(0), body }
    }

    #[test]
    fn a_source_s_name_means_all_of_its_streams_and_no_other_source() {
        let filter = Filter { source: Some("cx".to_owned()), ..Filter::default() };
        assert!(filter.accepts(&of("cx/a", "k")) && filter.accepts(&of("cx", "k")));
        assert!(!filter.accepts(&of("cxone/a", "k")));
        let filter = Filter { source: Some("cx/a".to_owned()), ..Filter::default() };
        assert!(filter.accepts(&of("cx/a", "k")) && !filter.accepts(&of("cx/ab", "k")));
    }

    #[test]
    fn all_parts_must_pass() {
        let filter = Filter {
            keys: ["anna".into(), "bert".into()].into(),
            key_prefix: Some("a".to_owned()),
            kinds: ["forgotten".to_owned()].into(),
            ..Filter::default()
        };
        assert!(filter.accepts(&of("s", "anna")));
        assert!(!filter.accepts(&of("s", "bert")) && !filter.accepts(&of("s", "ada")));
        let other = Filter { kinds: ["change".to_owned()].into(), ..filter };
        assert!(!other.accepts(&of("s", "anna")));
    }
}

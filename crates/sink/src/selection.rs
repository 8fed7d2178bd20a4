//! `where`: which records a sink is given.

use std::collections::BTreeSet;

use serde::Deserialize;
use unbroken_core::ids::StreamId;
use unbroken_core::record::{Body, Record};
use unbroken_render::Filter;

/// `where`, as it is written. A record must pass all parts that are set; what is about no key (a
/// row of the ledger, the end of a snapshot) needs to pass the parts about keys no more than any.
/// Where there are such parts, what is in quarantine does not pass: it may be about anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Where {
    /// Of one of these sources, or `source/stream`.
    pub source: Vec<String>,
    /// Of one of these kinds ([`unbroken_render::RECORD_KINDS`]).
    pub kind: Vec<String>,
    /// About one of these keys.
    pub key: Vec<String>,
    /// About a key that begins so.
    pub key_prefix: Option<String>,
}

/// `where`, ready to be asked. The default passes everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// One of them must pass; none: everything does.
    of_keys: Vec<Filter>,
    /// The same for what is about no key.
    of_no_key: Vec<Filter>,
}

impl From<&Where> for Selection {
    fn from(wanted: &Where) -> Self {
        let of_source = |source: Option<String>| Filter {
            source,
            keys: BTreeSet::new(),
            key_prefix: None,
            kinds: wanted.kind.iter().cloned().collect(),
        };
        let of_no_key: Vec<Filter> = match wanted.source.as_slice() {
            [] => vec![of_source(None)],
            sources => sources.iter().cloned().map(Some).map(of_source).collect(),
        };
        let with_keys = |filter: &Filter| Filter {
            keys: wanted.key.iter().map(|key| key.as_str().into()).collect(),
            key_prefix: wanted.key_prefix.clone(),
            ..filter.clone()
        };
        Self { of_keys: of_no_key.iter().map(with_keys).collect(), of_no_key }
    }
}

impl Selection {
    /// Whether a record passes.
    pub fn accepts(&self, record: &Record) -> bool {
        let is_of_keys = record.body.key().is_some() || matches!(record.body, Body::Quarantined(_));
        let filters = if is_of_keys { &self.of_keys } else { &self.of_no_key };
        filters.is_empty() || filters.iter().any(|filter| filter.accepts(record))
    }

    pub(crate) fn accepts_stream(&self, stream: &StreamId) -> bool {
        let filters = &self.of_no_key;
        filters.is_empty() || filters.iter().any(|filter| filter.accepts_stream(stream.as_str()))
    }

    /// Whether records name keys that do not pass.
    pub(crate) fn is_of_some_keys(&self) -> bool {
        let all = |filter: &Filter| filter.keys.is_empty() && filter.key_prefix.is_none();
        !self.of_keys.iter().all(all)
    }

    /// Without the names of keys that do not pass.
    pub(crate) fn cut(&self, record: &mut Record) {
        if let Body::SnapshotBegin(begin) = &mut record.body
            && let Some(keys) = &mut begin.keys
            && self.is_of_some_keys()
        {
            let passes = |filter: &Filter, key: &str| filter.accepts_key(key);
            keys.retain(|key| self.of_keys.iter().any(|it| passes(it, key.as_str())));
        }
    }
}

#[cfg(test)]
mod tests {
    use unbroken_core::ids::SnapshotId;
    use unbroken_core::record::{Body, Quarantined, Record, SnapshotBegin};
    use unbroken_core::time::UnixMicros;

    use super::{Selection, Where};

    fn record(stream: &str, body: Body) -> Record {
        Record { stream: stream.into(), received_at: UnixMicros(0), body }
    }

    #[test]
    fn what_is_about_no_key_passes_the_parts_about_keys() {
        let wanted = Where {
            source: vec!["a".into(), "b/s".into()],
            key_prefix: Some("x".into()),
            ..Where::default()
        };
        let selection = Selection::from(&wanted);
        let forgotten = |key: &str| Body::Forgotten { key: key.into() };
        let aborted = || Body::SnapshotAbort { snapshot: SnapshotId(1) };
        for (record, passes) in [
            (record("a/s", forgotten("x1")), true),
            (record("a/s", forgotten("y")), false),
            (record("b/s", aborted()), true),
            (record("b/t", aborted()), false),
            (record("c/s", forgotten("x1")), false),
        ] {
            assert_eq!(selection.accepts(&record), passes, "{record:?}");
            assert!(Selection::default().accepts(&record));
        }
        let bytes = "about somebody".into();
        let poison = Quarantined { conn: None, reason: "x".into(), length: 1, digest: 1, bytes };
        let poison = record("a/s", Body::Quarantined(poison));
        assert!(!selection.accepts(&poison), "it may be about anybody");
        let sources = Where { source: vec!["a".into()], ..Where::default() };
        assert!(Selection::from(&sources).accepts(&poison));
        let kinds = Where { kind: vec!["change".into()], ..Where::default() };
        assert!(!Selection::from(&kinds).accepts(&record("a/s", aborted())));
    }

    #[test]
    fn the_beginning_of_a_snapshot_names_no_key_that_does_not_pass() {
        let keys = |names: &[&str]| Some(names.iter().map(|name| (*name).into()).collect());
        let begin = |names: &[&str]| {
            let snapshot = SnapshotId(1);
            let keys = keys(names);
            let begin = SnapshotBegin { snapshot, tag: None, rows_are_state: true, keys };
            record("a/s", Body::SnapshotBegin(begin))
        };
        let wanted = Where { key_prefix: Some("x".into()), ..Where::default() };
        for (wanted, left) in [(wanted, &["x1"] as &[_]), (Where::default(), &["x1", "y"])] {
            let mut record = begin(&["x1", "y"]);
            Selection::from(&wanted).cut(&mut record);
            assert_eq!(record, begin(left));
        }
    }
}

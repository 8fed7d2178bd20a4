//! `docs/reference/profile.md` names every key and word that a profile may hold, and no other.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use unbroken_connect::generic::{
    AckFields, Advance, ClassName, ClassifyProfile, ClosingFields, CoverageFields,
    DiscoveryProfile, Encoding, EventFields, FailureRule, FrameKind, FrameRule, FramesProfile,
    HeadProfile, MessagesProfile, PollProfile, PositionFormat, Profile, RequestProfile, RowFields,
    Rule, SnapshotProfile, StreamProfile, SubscribeMessages, Template, TemplateError, TimeFormat,
    TokenProfile,
};
use unbroken_core::connector::{
    Ack, Capabilities, Connections, Coverage, EventBody, Floor, Numbering, Paging, Replay,
    SnapshotBody, SnapshotKind,
};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/profile.md");
    std::fs::read_to_string(path).unwrap()
}

type Words = BTreeSet<String>;

/// The words in backquotes of a text.
fn quoted(text: &str) -> Words {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// What a deserialiser says it expects.
fn expected(message: &str) -> Words {
    let line = message.lines().find(|line| line.contains("expected")).unwrap();
    quoted(line.split_once("expected").unwrap().1)
}

/// The keys of a table, as its own deserialiser names them.
fn keys<T: DeserializeOwned + Debug>() -> Words {
    expected(&toml::from_str::<T>("no_such_key = 1").unwrap_err().to_string())
}

#[derive(Debug, Deserialize)]
struct Holder<T> {
    #[serde(rename = "word")]
    _word: T,
}

/// The words of an enumeration, as its own deserialiser names them.
fn words<T: DeserializeOwned + Debug>() -> Words {
    let error = toml::from_str::<Holder<T>>("word = 'no_such_word'").unwrap_err();
    expected(&error.to_string())
}

/// The first column of the section's table.
fn documented(page: &str, section: &str) -> Words {
    let begin = page.find(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("no {section}"));
    let text = &page[begin + 4..];
    let text = &text[..text.find("\n## ").unwrap_or(text.len())];
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.flat_map(|row| quoted(row.split('|').nth(1).unwrap())).collect()
}

/// The words that the page gives for a key.
fn documented_words(page: &str, key: &str) -> Words {
    let begin = page.find(&format!("\nWords of `{key}`")).unwrap_or_else(|| panic!("no {key}"));
    let text = page[begin..].split_once(": ").unwrap().1;
    let end = text.find(['.']).unwrap();
    quoted(&text[..end])
}

#[test]
fn every_key_is_documented_and_no_other() {
    let page = page();
    for (section, keys) in [
        ("Profile", keys::<Profile>()),
        ("Capabilities", keys::<Capabilities>()),
        ("Token", keys::<TokenProfile>()),
        ("Discovery", keys::<DiscoveryProfile>()),
        ("Request", keys::<RequestProfile>()),
        ("Head", keys::<HeadProfile>()),
        ("Snapshot", keys::<SnapshotProfile>()),
        ("Rows", keys::<RowFields>()),
        ("Poll", keys::<PollProfile>()),
        ("Stream", keys::<StreamProfile>()),
        ("Messages", keys::<MessagesProfile>()),
        ("Subscribe", keys::<SubscribeMessages>()),
        ("Frames", keys::<FramesProfile>()),
        ("Kind", keys::<FrameRule>()),
        ("Rule", keys::<Rule>()),
        ("Event", keys::<EventFields>()),
        ("Ack", keys::<AckFields>()),
        ("Coverage", keys::<CoverageFields>()),
        ("Closing", keys::<ClosingFields>()),
        ("Classify", keys::<ClassifyProfile>()),
        ("Failure", keys::<FailureRule>()),
    ] {
        assert!(!keys.is_empty(), "{section}");
        assert_eq!(documented(&page, section), keys, "{section}");
    }
}

#[test]
fn every_word_is_documented_and_no_other() {
    let page = page();
    for (key, words) in [
        ("position", words::<Numbering>()),
        ("event_body", words::<EventBody>()),
        ("replay", words::<Replay>()),
        ("floor", words::<Floor>()),
        ("ack", words::<Ack>()),
        ("connections", words::<Connections>()),
        ("snapshot", words::<SnapshotKind>()),
        ("snapshot_body", words::<SnapshotBody>()),
        ("paging", words::<Paging>()),
        ("coverage", words::<Coverage>()),
        ("position_format", words::<PositionFormat>()),
        ("advance", words::<Advance>()),
        ("key_encoding", words::<Encoding>()),
        ("time_format", words::<TimeFormat>()),
        ("is", words::<FrameKind>()),
        ("class", words::<ClassName>()),
    ] {
        assert_eq!(documented_words(&page, key), words, "{key}");
    }
}

/// The table whose heading begins so.
fn table(page: &str, heading: &str) -> Words {
    let begin = page.find(heading).unwrap();
    let rows = page[begin..].lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.flat_map(|row| quoted(row.split('|').nth(1).unwrap())).collect()
}

#[test]
fn every_value_and_filter_of_templates_is_documented_and_no_other() {
    use unbroken_connect::generic::Place;
    let page = page();
    let variables = std::collections::BTreeMap::new();
    let parse = |text| Template::parse(text, Place::Query, &variables).unwrap_err();
    let value = parse("{{ no_such_value_at_all }}");
    let listed = |error: &TemplateError| -> Words {
        let hint = error.hint().unwrap();
        hint.split_once(": ").unwrap().1.split(", ").map(str::to_owned).collect()
    };
    assert_eq!(table(&page, "| value | is |"), listed(&value));
    let filter = parse("{{ nonce | no_such_filter }}");
    assert_eq!(table(&page, "| filter | does |"), listed(&filter));
}

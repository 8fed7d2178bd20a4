//! docs/reference/configuration.md against the program: every key that it knows, no other, and each
//! default.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use unbroken::config::{Config, ConfigError, parse};

const SOURCE: &str = "data_dir = \"d\"\n[[source]]\nname = \"a\"\nprofile = \"etcd\"\n\
                      api = \"https://a.example\"\nstream = \"wss://a.example\"\n";

/// A sink of which its target alone is said.
const SINK: &str = "[[sink]]\nname = \"s\"\n";
const TARGET: &str = "ndjson = { dir = \"/d\" }\n";

/// A URL of which nothing else is said.
const URL: &str = "url = \"https://h.example\"\n";

/// A database of PostgreSQL of which nothing else is said.
const DATABASE: &str = "url = \"postgresql://u@h/d\"\n";

/// A schema of Redshift of which nothing else is said.
const REDSHIFT: &str = "[sink.redshift]\nurl = \"postgresql://u@h/d\"\nstage = \"s3://b/p\"\n\
                        iam_role = \"default\"\n";
/// Brokers of which nothing else is said.
const BROKER: &str = "servers = \"h:9092\"\n";

/// A relay of which nothing is said.
const RELAY: &str = "data_dir = \"d\"\n[relay]\n";

/// Each heading whose first table lists keys, and a configuration that ends where such a key may
/// stand.
fn sections() -> [(&'static str, String); 22] {
    let source = |more: &str| format!("{SOURCE}{more}");
    [
        ("The file", "data_dir = \"d\"\n".to_owned()),
        ("`[journal]`", "data_dir = \"d\"\n[journal]\n".to_owned()),
        ("`[log]`", "data_dir = \"d\"\n[log]\n".to_owned()),
        ("`[relay]`", RELAY.to_owned()),
        ("`[[source]]`", source("")),
        ("Proxies", source("[source.proxy]\nurl = \"http://p.example\"\n")),
        ("`[source.discovery]`", source("[source.discovery]\n")),
        ("`[source.fields]`", source("[source.fields]\n")),
        ("`[source.timing]`", source("[source.timing]\n")),
        ("`[source.limits]`", source("[source.limits]\n")),
        ("`[source.genesys]`", source("[source.genesys]\n")),
        ("`[[sink]]`", source(&format!("{SINK}{TARGET}"))),
        ("`[sink.where]`", source(&format!("{SINK}{TARGET}[sink.where]\n"))),
        ("`[sink.ndjson]`", source(&format!("{SINK}[sink.ndjson]\ndir = \"/d\"\n"))),
        ("`[sink.parquet]`", source(&format!("{SINK}[sink.parquet]\ndir = \"/d\"\n"))),
        ("`[sink.postgres]`", source(&format!("{SINK}[sink.postgres]\n{DATABASE}"))),
        ("`[sink.redshift]`", source(&format!("{SINK}{REDSHIFT}"))),
        ("`[sink.webhook]`", source(&format!("{SINK}[sink.webhook]\n{URL}"))),
        ("`[sink.nats]`", source(&format!("{SINK}[sink.nats]\nurl = \"nats://h\"\n"))),
        ("`[sink.kafka]`", source(&format!("{SINK}[sink.kafka]\n{BROKER}"))),
        ("`[relay.dialect.cxone]`", source("[relay.dialect.cxone]\n")),
        ("`[relay.dialect.genesys]`", source("[relay.dialect.genesys]\n")),
    ]
}

fn read(text: &str) -> Result<Config, ConfigError> {
    parse(Path::new("/unbroken.toml"), text)
}

/// What the program says is known where `text` ends.
fn known(text: &str) -> BTreeSet<String> {
    match read(&format!("{text}no_such_key = 1\n")) {
        Err(ConfigError::UnknownKey { known, .. }) => known.into_iter().collect(),
        other => panic!("{text}: {other:?}"),
    }
}

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/configuration.md");
    fs::read_to_string(path).expect("the document")
}

/// The rows of the tables below a heading, as cells.
fn rows<'a>(document: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let begin = format!("\n## {heading}\n");
    let at = document.find(&begin).unwrap_or_else(|| panic!("no heading {heading}"));
    let section = &document[at + begin.len()..];
    let section = &section[..section.find("\n## ").unwrap_or(section.len())];
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.split('|').map(str::trim).collect()).collect()
}

/// What stands in code marks.
fn marked(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split('`').skip(1).step_by(2).map(ToOwned::to_owned)
}

fn named(document: &str, heading: &str) -> BTreeSet<String> {
    rows(document, heading)
        .into_iter()
        .flat_map(|cells| marked(cells[1]).collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_key_is_documented_and_no_other() {
    let document = document();
    for (heading, text) in sections() {
        let mut known = known(&text);
        if heading == "`[source.timing]`" {
            // Read before the other keys are.
            known.insert("preset".to_owned());
        }
        assert_eq!(known, named(&document, heading), "{heading}");
    }
}

#[test]
fn every_grant_and_its_keys_are_documented() {
    let document = document();
    let all = rows(&document, "`[source.auth]`");
    let (grants, keys): (Vec<_>, Vec<_>) = all.into_iter().partition(|cells| cells.len() == 4);
    // The heading of the first column is in code marks too: it is a key.
    let grants: Vec<_> = grants.into_iter().filter(|cells| cells[1] != "`grant`").collect();
    let mut used = BTreeSet::new();
    for cells in &grants {
        let grant = marked(cells[1]).next().expect("its name");
        let known = known(&format!("{SOURCE}[source.auth]\ngrant = \"{grant}\"\n"));
        let listed: BTreeSet<String> = marked(cells[2]).collect();
        assert_eq!(known, listed, "{grant}");
        used.extend(listed);
    }
    assert_eq!(grants.len(), 4);
    let explained: BTreeSet<String> =
        keys.iter().flat_map(|cells| marked(cells[1]).collect::<Vec<_>>()).collect();
    assert_eq!(used, explained);
    let other = read(&format!("{SOURCE}[source.auth]\ngrant = \"other\"\n")).expect_err("no grant");
    for cells in &grants {
        let grant = marked(cells[1]).next().expect("its name");
        assert!(other.to_string().contains(&grant), "{other}");
    }
}

#[test]
fn every_kind_of_secret_is_documented() {
    let text = format!("{SOURCE}[source.auth]\ngrant = \"token\"\n[source.auth.token]\n");
    assert_eq!(known(&text), named(&document(), "Secrets"));
}

#[test]
fn every_default_is_the_one_that_is_taken() {
    let document = document();
    let sources = SOURCE.replace("data_dir = \"d\"\n", "");
    let taken = |text: &str| {
        let config = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        format!("{config:?}")
    };
    // The section alone says that there is to be a relay.
    let (without, with_relay) = (taken(SOURCE), taken(&format!("{RELAY}{sources}")));
    let with_sink = taken(&format!("{SOURCE}{SINK}{TARGET}"));
    let with_webhook = taken(&format!("{SOURCE}{SINK}[sink.webhook]\n{URL}"));
    let with_postgres = taken(&format!("{SOURCE}{SINK}[sink.postgres]\n{DATABASE}"));
    let with_redshift = taken(&format!("{SOURCE}{SINK}{REDSHIFT}"));
    let with_nats = taken(&format!("{SOURCE}{SINK}[sink.nats]\nurl = \"nats://h\"\n"));
    let with_kafka = taken(&format!("{SOURCE}{SINK}[sink.kafka]\n{BROKER}"));
    let mut count = 0;
    for (heading, text) in sections() {
        for cells in rows(&document, heading) {
            let Some(default) = cells[3].strip_prefix('`').and_then(|cell| cell.strip_suffix('`'))
            else {
                continue;
            };
            let key = marked(cells[1]).next().expect("its name");
            let text = match text.starts_with(SOURCE) {
                true => format!("{text}{key} = {default}\n"),
                // Sections of the file itself come before the sources.
                false => format!("{text}{key} = {default}\n{sources}"),
            };
            let expected = match heading {
                "`[relay]`" => &with_relay,
                "`[sink.webhook]`" => &with_webhook,
                "`[sink.postgres]`" => &with_postgres,
                "`[sink.redshift]`" => &with_redshift,
                "`[sink.nats]`" => &with_nats,
                "`[sink.kafka]`" => &with_kafka,
                heading if heading.contains("sink") => &with_sink,
                _ => &without,
            };
            assert_eq!(&taken(&text), expected, "{key}");
            count += 1;
        }
    }
    assert!(count > 30, "{count} defaults were compared");
}

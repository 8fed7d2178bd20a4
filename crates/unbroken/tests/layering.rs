//! Which crate may know which: the edges of the architecture, checked on the build's own metadata
//! and on the sources.
#![cfg(test)]

mod tree;

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

/// Each crate of the workspace with those it may depend on, tests included. A crate or an edge that
/// is not here is refused.
const EDGES: &[(&str, &[&str])] = &[
    ("unbroken-core", &[]),
    ("unbroken-heap", &[]),
    ("unbroken-connect", &["unbroken-core"]),
    ("unbroken-journal", &["unbroken-core"]),
    ("unbroken-store", &["unbroken-core", "unbroken-journal"]),
    // One form of JSON for the command line, the relay, hooks and exports.
    ("unbroken-render", &["unbroken-core", "unbroken-journal", "unbroken-store"]),
    // A reader of log and store. How sources do it asks its host, through a trait of its own, so
    // that it can be tried without a pipeline and cannot touch a machine.
    ("unbroken-relay", &["unbroken-core", "unbroken-journal", "unbroken-render", "unbroken-store"]),
    // A reader of the log like the relay; each target is told of by what it needs.
    ("unbroken-sink", &["unbroken-core", "unbroken-journal", "unbroken-render"]),
    // The simulator has wire structs of its own: shared ones would let one misreading pass every
    // test.
    ("unbroken-sim", &[]),
    // The contest watches the real binary from outside: what it knows is how to read the log. The
    // fan-out puts the relay and a bare server of the same framework over the same log.
    ("unbroken-bench", &["unbroken-core", "unbroken-journal", "unbroken-relay", "unbroken-render"]),
    // The pipeline in virtual time: it drives source, machine, log and vendor itself, and holds
    // what comes of it against the vendor's ledger. Nobody may know it.
    ("unbroken-proof", &["unbroken-core", "unbroken-connect", "unbroken-journal", "unbroken-sim"]),
    // What must hold of the decoders; nobody may know it.
    ("unbroken-fuzz", &["unbroken-core", "unbroken-connect", "unbroken-journal"]),
    (
        "unbroken",
        &[
            "unbroken-core",
            "unbroken-heap",
            "unbroken-connect",
            "unbroken-journal",
            "unbroken-relay",
            "unbroken-render",
            "unbroken-store",
            "unbroken-sim",
            "unbroken-sink",
        ],
    ),
];

/// All that the core may be built from (tests excepted): nothing that can read a clock, a file, a
/// socket or a random number.
const CORE_DEPENDENCIES: &[&str] = &["bytes", "serde", "thiserror", "xxhash-rust"];

/// The crate that plays with guards taken out.
const PROVING: &str = "unbroken-proof";

/// Crates that few places may know: (crate, the packages that may depend on it outside of tests).
const CONFINED: &[(&str, &[&str])] = &[
    ("libc", &["unbroken-heap"]),
    ("reqwest", &[]),
    ("hyper", &["unbroken-connect", "unbroken-relay"]),
    (
        "rustls",
        &["unbroken-bench", "unbroken-connect", "unbroken-relay", "unbroken-sim", "unbroken-sink"],
    ),
    ("tokio-tungstenite", &["unbroken-bench", "unbroken-connect", "unbroken-sim"]),
    ("tungstenite", &[]),
    // The store, and what sinks keep for targets that cannot keep it themselves.
    ("rusqlite", &["unbroken-sink", "unbroken-store"]),
    ("tokio-postgres", &["unbroken-sink"]),
    ("object_store", &["unbroken-sink"]),
    ("parquet", &["unbroken-sink"]),
    ("async-nats", &["unbroken-sink"]),
    ("rdkafka", &["unbroken-sink"]),
    // What the relay serves with; hyper alone, where a limit has to be set per connection.
    ("axum", &["unbroken-bench", "unbroken-relay"]),
    ("clap", &["unbroken"]),
];

struct Package {
    name: String,
    /// Of each dependency: its name, and whether only tests have it.
    dependencies: Vec<(String, bool)>,
    /// Outside of tests it asks for the build in which guards can be taken out.
    takes_guards_out: bool,
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(tree::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found: Vec<Package> =
        metadata["packages"].as_array().unwrap().iter().map(package).collect();
    assert!(found.len() >= EDGES.len(), "cargo metadata shows {} packages", found.len());
    found
}

fn package(package: &Value) -> Package {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let dependencies = package["dependencies"].as_array().unwrap().iter();
    let asks = |dependency: &Value| {
        let features = dependency["features"].as_array().unwrap();
        dependency["kind"] != "dev" && features.iter().any(|feature| feature == "proof")
    };
    Package {
        name: text(&package["name"]),
        takes_guards_out: dependencies.clone().any(asks),
        dependencies: dependencies
            .map(|dependency| (text(&dependency["name"]), dependency["kind"] == "dev"))
            .collect(),
    }
}

#[test]
fn crates_depend_only_on_those_they_may_know() {
    let edges: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let mut wrong = Vec::new();
    for package in packages() {
        let Some(allowed) = edges.get(package.name.as_str()) else {
            wrong.push(format!("{} is not in the table", package.name));
            continue;
        };
        for (dependency, _) in &package.dependencies {
            let ours = dependency == "unbroken" || dependency.starts_with("unbroken-");
            // A package may name itself, to switch features on in its own tests.
            let itself = *dependency == package.name;
            if ours && !itself && !allowed.contains(&dependency.as_str()) {
                wrong.push(format!("{} must not know {dependency}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Nothing that is released is built with the feature `proof`: one crate may ask for it, and nobody
/// may know that crate.
#[test]
fn no_release_can_take_a_guard_out() {
    for package in packages() {
        let known = package.dependencies.iter().any(|(name, _)| name == PROVING);
        assert!(!known, "{} knows {PROVING}", package.name);
        let may = package.name == PROVING || !package.takes_guards_out;
        assert!(may, "{} asks for guards to be taken out", package.name);
    }
}

#[test]
fn the_core_is_built_from_pure_crates_only() {
    let core = packages().into_iter().find(|package| package.name == "unbroken-core").unwrap();
    let allowed: BTreeSet<&str> = CORE_DEPENDENCIES.iter().copied().collect();
    let wrong: Vec<String> = core
        .dependencies
        .into_iter()
        .filter(|(name, only_tests)| !only_tests && !allowed.contains(name.as_str()))
        .map(|(name, _)| name)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn few_places_know_the_crates_that_do_io() {
    let mut wrong = Vec::new();
    for package in packages() {
        for (confined, allowed) in CONFINED {
            let depends = package
                .dependencies
                .iter()
                .any(|(dependency, only_tests)| dependency == confined && !only_tests);
            if depends && !allowed.contains(&package.name.as_str()) {
                wrong.push(format!("{} must not know {confined}", package.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_core_has_no_clock_no_io_and_no_randomness() {
    let forbidden = [
        // A brace would hide the names behind it.
        "std::{",
        "std::time",
        "std::fs",
        "std::net",
        "std::io",
        "std::env",
        "std::process",
        "std::thread",
        "Instant",
        "SystemTime",
        "tokio",
        "fastrand",
        "rand::",
        "async fn",
        // Their order differs from run to run.
        "HashMap",
        "HashSet",
    ];
    refuse_in("crates/core/src/", &forbidden, &[]);
}

#[test]
fn the_core_knows_no_vendor() {
    let forbidden = ["cxone", "CXone", "Cxone", "genesys", "Genesys", "incontact", "etcd"];
    refuse_in("crates/core/src/", &forbidden, &[]);
}

#[test]
fn only_the_transport_speaks_websocket_and_http() {
    let transport = ["crates/connect/src/transport/", "crates/connect/src/transport.rs"];
    refuse_in("crates/connect/src/", &["tungstenite", "reqwest"], &transport);
    refuse_in("crates/unbroken/src/", &["tungstenite", "reqwest"], &[]);
}

/// No code (comments and tests excepted) under `folder` contains one of these, but in the places
/// excepted.
fn refuse_in(folder: &str, forbidden: &[&str], except: &[&str]) {
    let mut wrong = Vec::new();
    let mut files = 0;
    for file in tree::sources().iter().filter(|file| file.path.starts_with(folder)) {
        files += 1;
        if except.iter().any(|place| file.path.starts_with(place)) {
            continue;
        }
        for (number, line) in file.product_lines() {
            let code = line.split("//").next().unwrap_or_default();
            for word in forbidden.iter().filter(|word| code.contains(**word)) {
                wrong.push(format!("{}:{number}: {word}", file.path));
            }
        }
    }
    assert!(files > 0, "no sources under {folder}");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

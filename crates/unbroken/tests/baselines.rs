//! Goal: the page of the scoreboard cannot rot. It has every scenario, the product is clean in all,
//! and what it says of the clients of `bench/clients` is what a run says. With Unbroken between
//! them and their vendor, which speaks the vendor's dialect to them, they are clean where they were
//! not.
//!
//! Method: each client plays two scenarios with the real binary, all clients at once; `make
//! baselines-setup` has installed them (`make test` calls it). `make scoreboard` plays everything.
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

/// The documentation's page.
const PAGE: &str = include_str!("../../../docs/reference/scoreboard.md");

/// A client, its vendor, its command, a scenario, and what the client makes of it: `clean`, or a
/// word of the page's cells.
const PLAYED: &[(&str, &str, [&str; 2], &str, &str)] = &[
    ("node-reconnect", "cxone", ["node", "client.mjs"], "clean-close", "missing"),
    ("node-rest-first", "cxone", ["node", "client.mjs"], "clean-close", "missing"),
    ("php", "cxone", ["php", "client.php"], "clean-close", "missing"),
    ("python", "cxone", ["python3", "client.py"], "clean-close", "clean"),
    ("genesys-sdk", "genesys", ["node", "client.mjs"], "clean-close", "missing"),
];

/// Where the set-up has installed them, as they are in this tree.
fn installed(name: &str, script: &str) -> PathBuf {
    let cache = std::env::var_os("UNBROKEN_CACHE").map(PathBuf::from).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").expect("HOME is not set");
        Path::new(&home).join(".cache/unbroken")
    });
    let installed = cache.join("baselines").join(name).join(script);
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/clients");
    let ours = std::fs::read(ours.join(name).join(script)).unwrap();
    let is_ours = std::fs::read(&installed).is_ok_and(|there| there == ours);
    assert!(is_ours, "run `make baselines-setup` first");
    installed
}

/// The cells of the page's table of scenarios for a vendor: the head, then the rows.
fn table(vendor: &str) -> Vec<Vec<&'static str>> {
    let section = PAGE.split(&format!("\n## Against {vendor}\n")).nth(1).expect("no section");
    let section = section.split("\n## ").next().unwrap();
    let from = section.lines().skip_while(|line| !line.starts_with("| scenario |"));
    let rows = from.take_while(|line| line.starts_with('|')).filter(|line| !line.contains("---"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What the page says of a client in a scenario.
fn cell(vendor: &str, client: &str, scenario: &str) -> &'static str {
    let table = table(vendor);
    let column = table[0].iter().position(|cell| *cell == format!("`{client}`")).unwrap();
    let row = table.iter().find(|row| row[0] == format!("`{scenario}`")).unwrap();
    row[column]
}

/// Whether a scenario's findings say what a word of the page says.
fn says(scenario: &Value, word: &str) -> bool {
    let found = |figures: &[&str]| {
        let findings = scenario["findings"].as_array().unwrap();
        findings.iter().any(|one| figures.contains(&one["figure"].as_str().unwrap()))
    };
    match word {
        "clean" => scenario["is_clean"] == true,
        "missing" => found(&["lost", "uncovered"]),
        other => panic!("{other}?"),
    }
}

fn play(name: &str, vendor: &str, command: [&str; 2], scenario: &str, word: &str) {
    let script = installed(name, command[1]);
    let output = Command::new(env!("CARGO_BIN_EXE_unbroken"))
        .args(["conformance", "--vendor", vendor, "--json"])
        .args(["--scenario", "calm", "--scenario", scenario, "--"])
        .arg(command[0])
        .arg(script)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    let suite: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{told}"));
    let [calm, broken] = suite["scenarios"].as_array().unwrap().as_slice() else {
        panic!("{name}: not two scenarios: {told}")
    };
    assert!(says(calm, "clean"), "{name} in calm: {calm:#}");
    assert!(says(broken, word), "{name} in {scenario} is not {word}: {broken:#}");
    // Who waits for two seconds, as most do, is back as well.
    assert_eq!(broken["figures"]["is_recovered"], true, "{name} in {scenario}: {broken:#}");
    assert!(cell(vendor, name, "calm").contains("clean"), "{name}: the page says else of calm");
    let told = cell(vendor, name, scenario);
    assert!(told.contains(word), "{name}: the page says of {scenario}: {told}");
    assert_eq!(output.status.code(), Some(i32::from(word != "clean")), "{name}");
}

/// One test has the machine at a time: on a small one that starts all of both at once, the
/// simulated vendor falls behind, and nothing can be judged.
static MACHINE: Mutex<()> = Mutex::new(());

#[test]
fn the_clients_do_what_the_page_says() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for (name, vendor, command, scenario, word) in PLAYED {
            scope.spawn(move || play(name, vendor, *command, scenario, word));
        }
    });
}

/// What has to be clean with Unbroken between the client and its vendor, each time. Not that it is
/// killed: between telling an event and keeping its number these clients can be killed, too.
const THROUGH: &[(&str, &str, [&str; 2], &[&str])] = &[
    (
        "node-reconnect",
        "cxone",
        ["node", "client.mjs"],
        &["calm", "clean-close", "subscribe-refused-stale"],
    ),
    ("python", "cxone", ["python3", "client.py"], &["calm", "silent-clamp"]),
    ("genesys-sdk", "genesys", ["node", "client.mjs"], &["calm", "clean-close"]),
];

fn play_through(name: &str, vendor: &str, command: [&str; 2], scenarios: &[&str]) {
    let unbroken = env!("CARGO_BIN_EXE_unbroken");
    installed("unbroken", "config.mjs");
    let output = Command::new(unbroken)
        .args(["conformance", "--vendor", vendor])
        .args(scenarios.iter().flat_map(|scenario| ["--scenario", scenario]))
        .args(["--", "node"])
        .arg(installed("relay", "through.mjs"))
        .arg(command[0])
        .arg(installed(name, command[1]))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("UNBROKEN", unbroken)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{name} through Unbroken\n{told}");
}

/// `make dialect` plays every scenario.
#[test]
fn unmodified_clients_are_clean_behind_unbroken_where_they_are_not_alone() {
    let _machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    // One after another: each is up to three scenarios at once, of four processes.
    for (name, vendor, command, scenarios) in THROUGH {
        play_through(name, vendor, *command, scenarios);
    }
}

#[test]
fn the_page_has_every_scenario_and_the_product_is_clean_in_all() {
    for vendor in ["cxone", "genesys"] {
        let output = Command::new(env!("CARGO_BIN_EXE_unbroken"))
            .args(["conformance", "--vendor", vendor, "--list"])
            .output()
            .unwrap();
        let list = String::from_utf8(output.stdout).unwrap();
        // The first line is the table's head.
        let names = list.lines().skip(1).filter_map(|line| line.split_whitespace().next());
        let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
        assert!(names.len() >= 30, "{}", names.len());
        let table = table(vendor);
        let rows: Vec<&str> = table[1..].iter().map(|row| row[0]).collect();
        assert_eq!(rows, names, "make scoreboard");
        assert_eq!(table[0].last(), Some(&"`unbroken`"));
        for row in &table[1..] {
            assert!(row.last().unwrap().starts_with("**clean**"), "{row:?}");
        }
    }
}

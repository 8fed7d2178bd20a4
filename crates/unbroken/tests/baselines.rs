//! Goal: the clients of `bench/clients` do well as long as nothing breaks, and what they are known
//! for once something does.
//!
//! Method: each client plays two scenarios with the real binary, all clients at once; `make
//! baselines-setup` has installed them (`make test` calls it).
#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A client, its vendor, its command, a scenario, and what the client makes of it.
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
    assert_eq!(output.status.code(), Some(i32::from(word != "clean")), "{name}");
}

#[test]
fn usual_clients_are_clean_in_calm_and_known_for_what_follows() {
    std::thread::scope(|scope| {
        for (name, vendor, command, scenario, word) in PLAYED {
            scope.spawn(move || play(name, vendor, *command, scenario, word));
        }
    });
}

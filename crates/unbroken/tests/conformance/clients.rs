//! What the suite says of clients. The client is `client.py`, by Python's standard library alone.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn script() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests", "conformance", "client.py"].iter().collect()
}

pub(crate) fn conformance(arguments: &[&str], mode: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_unbroken"))
        .arg("conformance")
        .args(arguments)
        .args(["--", "python3"])
        .arg(script())
        .arg(mode)
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary was built for this test")
}

/// Plays scenarios by JSON, and shows all that was said if the exit code is another one.
fn judged(scenarios: &[&str], mode: &str, code: i32) -> Value {
    let named = scenarios.iter().flat_map(|name| ["--scenario", name]);
    let arguments: Vec<&str> = ["--json", "--seed", "7"].into_iter().chain(named).collect();
    let output = conformance(&arguments, mode);
    let said = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "seed 7, {mode}\n{said}\n{stdout}");
    serde_json::from_str(&stdout).expect("stdout is one document")
}

/// The only scenario of a run whose client is wrong, and the figures that are its findings.
fn findings(mode: &str) -> (Value, Vec<String>) {
    let document = judged(&["calm"], mode, 1);
    let scenario = document["scenarios"][0].clone();
    assert_eq!(scenario["result"], "findings");
    let found = scenario["findings"].as_array().expect("a list").iter();
    let figures = found.map(|finding| finding["figure"].as_str().expect("a text").to_owned());
    (scenario.clone(), figures.collect())
}

#[test]
fn an_honest_client_is_clean_also_when_it_is_cut_off_and_killed() {
    let document = judged(&["calm", "clean-close", "killed"], "honest", 0);
    assert_eq!(document["schema"], "unbroken-conformance/1");
    assert_eq!((&document["vendor"], &document["seed"]), (&"cxone".into(), &7.into()));
    assert_eq!(document["clean"], 3);
    let scenarios = document["scenarios"].as_array().expect("a list");
    let names: Vec<&Value> = scenarios.iter().map(|scenario| &scenario["name"]).collect();
    assert_eq!(names, ["calm", "clean-close", "killed"], "in the order of the list");
    for scenario in scenarios {
        let figures = &scenario["figures"];
        assert_eq!(scenario["result"], "clean");
        assert!(figures["events_due"].as_u64() >= Some(20), "{scenario}");
        assert_eq!(figures["events_due"], figures["events_told"], "{scenario}");
        assert_eq!(figures["stale_keys"], Value::Null, "it does not tell its state");
    }
    let [calm, cut, killed] = [0, 1, 2].map(|at| &document["scenarios"][at]);
    assert_eq!(calm["load"]["handshakes"], 1);
    assert_eq!(calm["figures"]["recovery_ms"], Value::Null);
    assert!(cut["load"]["handshakes"].as_u64() >= Some(2), "{cut}");
    assert!(cut["faults"][0]["met_ms"].is_u64(), "{cut}");
    assert!(cut["figures"]["recovery_ms"].is_u64(), "{cut}");
    let ends: Vec<&Value> =
        killed["lives"].as_array().expect("a list").iter().map(|life| &life["end"]).collect();
    assert_eq!(ends, ["killed", "stopped"]);
}

#[test]
fn silence_is_loss() {
    let (scenario, figures) = findings("silent");
    assert_eq!(figures, ["silent", "lost", "uncovered"]);
    let told = &scenario["figures"];
    assert_eq!(told["events_told"], 0);
    assert_eq!(told["uncovered"], told["events_due"]);
}

#[test]
fn who_tells_events_twice_is_found_out() {
    let (scenario, figures) = findings("twice");
    assert_eq!(figures, ["duplicated"]);
    assert_eq!(scenario["examples"][0]["reason"], "stored twice");
}

#[test]
fn who_tells_events_in_another_order_is_found_out() {
    assert!(findings("swap").1.contains(&"out_of_order".to_owned()));
}

#[test]
fn who_leaves_events_out_is_found_out() {
    assert_eq!(findings("forget").1, ["lost", "uncovered"]);
}

#[test]
fn who_makes_events_up_is_found_out() {
    assert_eq!(findings("invent").1, ["lost", "uncovered", "invented"]);
}

#[test]
fn who_goes_is_told_of_with_its_last_words() {
    let (scenario, figures) = findings("stop");
    assert_eq!(figures[0], "exited");
    assert_eq!(
        (&scenario["lives"][0]["end"], &scenario["lives"][0]["code"]),
        (&"exited".into(), &3.into())
    );
    assert_eq!(scenario["stderr"], "that is enough");
}

#[test]
fn what_is_no_line_of_the_protocol_is_told_of() {
    let (scenario, figures) = findings("chat");
    assert_eq!(figures, ["unknown_lines"]);
    let line = scenario["strange_lines"][0].as_str().expect("a text");
    assert!(line.ends_with("not one JSON object"), "{line}");
}

#[test]
fn the_table_says_it_to_people() {
    let output = conformance(&["--scenario", "calm"], "twice");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("✘ ") && stdout.contains("told twice"), "{stdout}");
    assert!(stdout.contains("0 clean, 1 with findings, 0 could not run"), "{stdout}");
}

//! A service killed again and again at random moments of a faulty run keeps its record.
//!
//! `make kill N=100 VENDOR=cxone-poll` is the first of these tests with `UNBROKEN_KILLS=100` and
//! `UNBROKEN_VENDOR=cxone-poll`; `UNBROKEN_SEED` picks another run.

#![expect(clippy::expect_used, reason = "a test that cannot be set up has failed")]

use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::tempdir;

/// Enough to be killed live and dead, few enough for every run of the tests.
const KILLS: &str = "5";

fn variable(name: &str, default: &str) -> String {
    let value = std::env::var(name).ok().filter(|value| !value.is_empty());
    value.unwrap_or_else(|| default.to_owned())
}

/// Kills, and returns the figures of a run that was clean.
fn kill(vendor: &str) -> Value {
    let dir = tempdir().expect("a temporary directory");
    let (kills, seed) = (variable("UNBROKEN_KILLS", KILLS), variable("UNBROKEN_SEED", "1"));
    let args = [
        "kill", "--vendor", vendor, "-n", &kills, "--json", "--agents", "60", "--rate", "200",
        "--seed", &seed,
    ];
    // What it says goes on to whoever watches: a hundred kills take minutes.
    let output = Command::new(env!("CARGO_BIN_EXE_unbroken"))
        .args(args)
        .arg("--dir")
        .arg(dir.path().join("run"))
        .env("NO_COLOR", "1")
        .stderr(Stdio::inherit())
        .output()
        .expect("the binary was built for this test");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "unbroken {}\n{stdout}", args.join(" "));
    let figures: Value =
        serde_json::from_str(stdout.lines().last().expect("a line")).expect("one object");
    assert_eq!(figures["kills"].to_string(), kills);
    assert_eq!(figures["verified"], true);
    assert_eq!(figures["sink_is_same"], true, "a sink of files holds what the log holds");
    assert!(figures["sink_records"].as_u64() > figures["events_stored"].as_u64(), "{figures}");
    assert!(figures["events_stored"].as_u64() > Some(0), "{figures}");
    figures
}

#[test]
fn a_service_killed_again_and_again_keeps_its_record() {
    kill(&variable("UNBROKEN_VENDOR", "cxone"));
}

#[test]
fn a_service_that_polls_and_is_killed_keeps_its_record() {
    kill("cxone-poll");
}

#[test]
fn a_service_that_records_genesys_and_is_killed_keeps_its_record_and_the_facts_of_its_gaps() {
    let figures = kill("genesys");
    let history = &figures["history"];
    assert!(history["required"].as_u64() > Some(0), "{figures}");
    assert_eq!(history["missing"], 0, "{figures}");
}

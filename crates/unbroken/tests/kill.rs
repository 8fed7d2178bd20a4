//! A service killed again and again at random moments of a faulty run keeps its record.
//!
//! `make kill N=100` is this test with `UNBROKEN_KILLS=100`; `UNBROKEN_SEED` picks another run.

use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::tempdir;

/// Enough to be killed live and dead, few enough for every run of the tests.
const KILLS: &str = "5";

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[test]
fn a_service_killed_again_and_again_keeps_its_record() {
    let dir = tempdir().expect("a temporary directory");
    let (kills, seed) = (variable("UNBROKEN_KILLS", KILLS), variable("UNBROKEN_SEED", "1"));
    let args = ["kill", "-n", &kills, "--json", "--agents", "60", "--rate", "200", "--seed", &seed];
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
}

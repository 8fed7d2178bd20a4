//! The kill harness, small: `make kill` is the large one.

use std::process::Command;

use serde_json::Value;
use tempfile::tempdir;

#[test]
fn a_service_killed_again_and_again_keeps_its_record() {
    let dir = tempdir().expect("a temporary directory");
    let args = ["kill", "-n", "5", "--json", "--agents", "40", "--rate", "100", "--seed", "21"];
    let output = Command::new(env!("CARGO_BIN_EXE_unbroken"))
        .args(args)
        .arg("--dir")
        .arg(dir.path().join("run"))
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary was built for this test");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "unbroken {}\n{said}", args.join(" "));
    let stdout = String::from_utf8_lossy(&output.stdout);
    let figures: Value =
        serde_json::from_str(stdout.lines().last().expect("a line")).expect("one object");
    assert_eq!(figures["kills"], 5);
    assert_eq!(figures["verified"], true);
}

//! What cannot be played ends with exit code 2, and says why.

use std::process::Command;

/// Exit code 2, and this on stderr.
fn refused(arguments: &[&str], why: &str) {
    let output = Command::new(env!("CARGO_BIN_EXE_unbroken"))
        .arg("conformance")
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary was built for this test");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains(why), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_command_that_is_not_there_cannot_be_tested() {
    let why = "client no-such-client: cannot be started";
    refused(&["--scenario", "calm", "--", "no-such-client"], why);
    refused(&["--scenario", "calm", "--", "no-such-client"], "is it installed, and on the PATH?");
}

#[test]
fn without_a_command_there_is_nothing_to_test() {
    refused(&["--scenario", "calm"], "<CMD>");
}

#[test]
fn a_misspelt_scenario_names_the_right_one() {
    refused(&["--scenario", "calmly", "--", "true"], "did you mean `calm`?");
}

#[test]
fn a_scenario_of_another_vendor_is_none_of_this_one() {
    let why = "there is no scenario called `history-flood`";
    refused(&["--vendor", "genesys", "--scenario", "history-flood", "--", "true"], why);
}

#[test]
fn a_folder_that_is_in_use_is_not_written_to() {
    refused(&["--dir", env!("CARGO_MANIFEST_DIR"), "--", "true"], "is not empty");
}

#[test]
fn scenarios_can_be_read_by_programs() {
    let output = Command::new(env!("CARGO_BIN_EXE_unbroken"))
        .args(["conformance", "--list", "--json", "--vendor", "genesys"])
        .output()
        .expect("the binary was built for this test");
    let listing: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("stdout is one document");
    assert_eq!(listing["vendor"], "genesys");
    let scenarios = listing["scenarios"].as_array().expect("a list");
    let named = |name| scenarios.iter().find(|one| one["name"] == name).expect("it is there");
    assert_eq!(named("cut-twice")["faults"], serde_json::json!(["clean-close", "tcp-reset"]));
    assert_eq!(named("killed-twice")["kills"], 2);
}

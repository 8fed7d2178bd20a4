//! Help, versions and typing errors on the command line.

use std::path::Path;

use tempfile::tempdir;

use crate::golden::{check, run};

const COMMANDS: [&str; 26] = [
    "demo",
    "init",
    "check",
    "run",
    "status",
    "state",
    "events",
    "export",
    "gaps",
    "verify",
    "rebuild",
    "repair",
    "pause",
    "resume",
    "position",
    "resync",
    "control",
    "sinks",
    "token",
    "profile",
    "simulate",
    "conformance",
    "completions",
    "man",
    "kill",
    "soak",
];

#[test]
fn help_tells_a_newcomer_where_to_begin() {
    let dir = tempdir().expect("a temporary directory");
    check("help", dir.path(), &["--help"]);
    check("no_command", dir.path(), &[]);
}

#[test]
fn every_command_has_help() {
    let dir = tempdir().expect("a temporary directory");
    for command in COMMANDS {
        check(&format!("help_{command}"), dir.path(), &[command, "--help"]);
    }
    for command in ["add", "list", "revoke"] {
        let name = format!("help_token_{command}");
        check(&name, dir.path(), &["token", command, "--help"]);
    }
    check("help_sinks_dead_letters", dir.path(), &["sinks", "dead-letters", "--help"]);
    for command in ["get", "set", "reset"] {
        let name = format!("help_position_{command}");
        check(&name, dir.path(), &["position", command, "--help"]);
    }
}

#[test]
fn every_scenario_of_the_conformance_suite_is_listed() {
    let dir = tempdir().expect("a temporary directory");
    for vendor in ["cxone", "genesys"] {
        let name = format!("conformance_list_{vendor}");
        check(&name, dir.path(), &["conformance", "--list", "--vendor", vendor]);
    }
}

#[test]
fn a_misspelt_command_or_option_names_the_right_one() {
    let dir = tempdir().expect("a temporary directory");
    check("unknown_command", dir.path(), &["stats"]);
    check("unknown_option", dir.path(), &["demo", "--durations", "5s"]);
    check("unknown_numbering", dir.path(), &["demo", "--numbering", "dense"]);
    check("unknown_fault", dir.path(), &["demo", "--faults", "clean-clsoe"]);
    check(
        "fault_does_not_apply",
        dir.path(),
        &["demo", "--numbering", "none", "--faults", "silent-clamp"],
    );
    check(
        "fault_of_another_vendor",
        dir.path(),
        &["simulate", "--vendor", "genesys", "--faults", "history-flood"],
    );
    check("bad_duration", dir.path(), &["demo", "--duration", "60"]);
    check("zero_agents", dir.path(), &["demo", "--agents", "0"]);
}

#[test]
fn without_colour_wanted_there_is_none() {
    let output = run(Path::new("/"), &["status", "--journal", "/nowhere/at/all"]);
    assert!(!output.stderr.contains(&0x1b));
    assert_eq!(output.status.code(), Some(2));
}

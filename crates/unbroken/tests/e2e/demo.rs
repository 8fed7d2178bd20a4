//! Short demos, one per numbering: exit code 0, every fault told, every promise kept.

use std::process::Command;

use serde_json::Value;
use tempfile::tempdir;

/// Runs a demo and returns the object of its last line. On failure everything it said is shown,
/// with the command that repeats it.
fn demo(numbering: &str, faults: &str, seed: &str) -> Value {
    demo_of(&["--numbering", numbering], faults, seed)
}

fn demo_of(vendor: &[&str], faults: &str, seed: &str) -> Value {
    demo_for("2s", vendor, faults, seed)
}

fn demo_for(duration: &str, vendor: &[&str], faults: &str, seed: &str) -> Value {
    let dir = tempdir().expect("a temporary directory");
    let args = [
        "demo",
        "--json",
        "--duration",
        duration,
        "--agents",
        "40",
        "--rate",
        "100",
        "--seed",
        seed,
        "--faults",
        faults,
    ];
    let output = Command::new(env!("CARGO_BIN_EXE_unbroken"))
        .args(args)
        .args(vendor)
        .arg("--dir")
        .arg(dir.path().join("data"))
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary was built for this test");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let stdout = String::from_utf8_lossy(&output.stdout);
    let typed = [&args[..], vendor].concat().join(" ");
    assert_eq!(output.status.code(), Some(0), "unbroken {typed}\n{said}\n{stdout}");
    let last = stdout.lines().last().expect("a last line");
    serde_json::from_str(last).expect("the last line is one object")
}

fn assert_kept(figures: &Value, faults: &str) {
    for figure in [
        "lost",
        "uncovered",
        "overclaimed",
        "duplicated",
        "out_of_order",
        "stale_keys",
        "gaps_open",
    ] {
        assert_eq!(figures[figure], 0, "{figure} of {figures}");
    }
    assert!(figures["events_stored"].as_u64() > Some(0), "{figures}");
    for fault in faults.split(',') {
        let told = &figures["faults"][fault];
        assert!(told["fired"].as_u64() >= Some(1), "{fault} of {figures}");
        assert!(told["recovered"].as_u64() >= Some(1), "{fault} of {figures}");
    }
}

#[test]
fn a_contiguous_vendor_s_faults_are_all_recovered_from() {
    let faults = "clean-close,tcp-reset,subscribe-refused-stale,history-flood,silent-clamp";
    let figures = demo("contiguous", faults, "11");
    assert_kept(&figures, faults);
    assert_eq!(figures["undetectable"], 0, "nothing hides on a contiguous stream: {figures}");
}

#[test]
fn a_vendor_with_holes_in_its_numbering_is_recorded_without_loss() {
    let faults = "tcp-reset,zombie-context,sequence-reset";
    assert_kept(&demo("increasing", faults, "12"), faults);
}

#[test]
fn a_vendor_whose_positions_can_only_be_compared_is_recorded_without_loss() {
    let faults = "tcp-reset,subscribe-refused-stale,silent-clamp,sequence-reset";
    assert_kept(&demo("opaque", faults, "15"), faults);
}

#[test]
fn a_vendor_without_numbers_is_recorded_with_its_losses_on_the_ledger() {
    let faults = "clean-close,duplicates";
    assert_kept(&demo("none", faults, "13"), faults);
}

#[test]
fn a_quiet_demo_is_clean_and_says_that_no_fault_was_asked_for() {
    let figures = demo("contiguous", "none", "14");
    assert_eq!(figures["recoveries"], 0);
    assert_eq!(figures["unrecoverable"], 0);
    assert_eq!(figures["clean"], true);
}

#[test]
fn answers_and_frames_that_are_not_what_they_should_be_stop_nothing() {
    let faults = "throttled-rest,truncated-page,malformed-frames,invalid-utf8,fragmentation";
    assert_kept(&demo("contiguous", faults, "16"), faults);
}

#[test]
fn two_faults_at_once_are_recovered_from() {
    let figures = demo("increasing", "pairs:tcp-reset+slow-rest", "17");
    assert_kept(&figures, "tcp-reset,slow-rest");
    let pair = &figures["pairs"]["tcp-reset+slow-rest"];
    assert!(pair["fired"].as_u64() >= Some(1) && pair["recovered"].as_u64() >= Some(1), "{pair}");
}

#[test]
fn a_polled_vendor_that_breaks_leaves_every_state_that_it_showed_once() {
    let faults = "lost-answer,truncated-answer,shifted-pages,late-states,lagging-replica,\
                  repeated-states,place-stands-still,wrong-total,token-revoked,place-refused,\
                  tenant-moved";
    let figures = demo_of(&["--vendor", "cxone-poll"], faults, "18");
    assert_kept(&figures, faults);
    let gaps = figures["gaps"].as_array().expect("a list");
    let causes: Vec<_> = gaps.iter().filter_map(|row| row["cause"].as_str()).collect();
    assert_eq!(causes, ["refused", "start"], "only a place that is refused leaves a row");
}

#[test]
fn agents_who_come_and_go_between_polls_are_found_by_the_audit() {
    let figures = demo_of(&["--vendor", "cxone-poll"], "agents-change", "20");
    assert_kept(&figures, "agents-change");
    let removed = figures["faults"]["agents-change"]["fired"].as_u64();
    assert!(figures["drift_rows"].as_u64() >= Some(1), "{figures}");
    assert!(figures["drift_rows"].as_u64() <= removed, "{figures}");
}

#[test]
fn a_genesys_vendor_that_breaks_is_recorded_with_its_losses_and_the_facts_of_its_history() {
    let faults = "clean-close,channel-evicted,planned-close,partial-subscribe,lost-history";
    let figures = demo_for("5s", &["--vendor", "genesys"], faults, "19");
    assert_kept(&figures, faults);
    assert_eq!(figures["quiet"], true, "{figures}");
    let history = &figures["history"];
    for figure in ["missing", "duplicated", "unknown"] {
        assert_eq!(history[figure], 0, "{figure} of {figures}");
    }
    assert!(history["required"].as_u64() > Some(0), "{figures}");
    assert!(history["rows_summarised"].as_u64() > Some(0), "{figures}");
}

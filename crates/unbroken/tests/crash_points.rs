//! A service that dies at each of its crash points keeps its record.
//!
//! `make crash N=1000` is this test with `UNBROKEN_CRASHES=1000`; `UNBROKEN_SEED` picks another
//! run. Without the variable each point is struck once.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[test]
fn a_service_that_dies_at_each_of_its_crash_points_keeps_its_record() {
    let kept = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("crash");
    std::fs::create_dir_all(&kept).expect("a directory");
    // Kept if it fails: what is on disk is what there is to look at.
    let dir = tempfile::tempdir_in(kept).expect("a temporary directory").keep();
    let seed = variable("UNBROKEN_SEED").unwrap_or_else(|| "1".to_owned());
    let mut args = vec!["crash".to_owned(), "--json".to_owned(), "--seed".to_owned(), seed];
    if let Some(count) = variable("UNBROKEN_CRASHES") {
        args.extend(["-n".to_owned(), count]);
    }
    // What it says goes on to whoever watches: a thousand crashes take some minutes.
    let output = Command::new(env!("CARGO_BIN_EXE_unbroken"))
        .args(&args)
        .arg("--dir")
        .arg(dir.join("run"))
        .env("NO_COLOR", "1")
        .stderr(Stdio::inherit())
        .output()
        .expect("the binary was built for this test");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let (command, place) = (args.join(" "), dir.display());
    assert_eq!(output.status.code(), Some(0), "unbroken {command}, in {place}\n{stdout}");
    let figures: Value =
        serde_json::from_str(stdout.lines().last().expect("a line")).expect("one object");
    let spots = figures["spots"].as_array().expect("a list");
    assert!(spots.len() > 90, "{figures}");
    for spot in spots {
        assert!(spot["struck"].as_u64() > Some(0), "never struck: {spot}");
    }
    assert_eq!(figures["findings"], 0, "{figures}");
    assert!(figures["events_stored"].as_u64() > Some(0), "{figures}");
    std::fs::remove_dir_all(&dir).expect("our own directory");
}

/// The table of the reference is the one that the binary prints.
#[test]
fn the_reference_lists_every_crash_point() {
    let output = Command::new(env!("CARGO_BIN_EXE_unbroken"))
        .args(["crash", "--list"])
        .output()
        .expect("the binary was built for this test");
    let table = String::from_utf8(output.stdout).expect("text");
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/crash-points.md");
    let text = std::fs::read_to_string(&path).expect("the reference");
    let (before, after) = text.split_once("| on the way |").expect("a table");
    let behind = after.split_once("\n\n").map_or("", |(_, behind)| behind);
    let wanted = format!("{before}{table}\n{behind}");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &wanted).expect("the reference");
    }
    assert_eq!(wanted, std::fs::read_to_string(&path).expect("the reference"));
}

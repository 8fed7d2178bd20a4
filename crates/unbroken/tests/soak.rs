//! A service that records a fast and faulty vendor keeps its record, and no more than its record.
//!
//! `make soak MINUTES=30 VENDOR=genesys` is this test with `UNBROKEN_SOAK_MINUTES=30` and
//! `UNBROKEN_VENDOR=genesys`; `UNBROKEN_SEED` picks another run. Without the first variable it is
//! short, and asserts bounds alone: a slope needs events.

use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::tempdir;

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[test]
fn memory_and_descriptors_stay_bounded_while_the_vendor_breaks_every_few_seconds() {
    let dir = tempdir().expect("a temporary directory");
    let seed = variable("UNBROKEN_SEED").unwrap_or_else(|| "1".to_owned());
    let minutes = variable("UNBROKEN_SOAK_MINUTES");
    let vendor = variable("UNBROKEN_VENDOR").unwrap_or_else(|| "cxone".to_owned());
    let (duration, look_every) = match &minutes {
        Some(minutes) => (format!("{minutes}m"), "5s"),
        None => ("12s".to_owned(), "1s"),
    };
    // A million events after the first minutes say of a slope what is to be said.
    let rate = match (&minutes, vendor.as_str()) {
        (Some(_), "cxone") => "5000",
        (Some(_), _) => "2000",
        _ => "1000",
    };
    let args = [
        "soak",
        "--json",
        "--vendor",
        &vendor,
        "--agents",
        "500",
        "--rate",
        rate,
        "--seed",
        &seed,
        "--duration",
        &duration,
        "--fault-every",
        "2s",
        "--look-every",
        look_every,
    ];
    // What it says goes on to whoever watches: a soak takes its time.
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
    let figure = |name: &str| figures[name].as_u64().unwrap_or_else(|| panic!("{name}: {figures}"));
    assert!(figure("rss_bytes_max") > 0 && figure("looks") >= 5);
    assert!(figure("rss_bytes_max") <= figure("rss_bytes_bound"));
    assert!(figure("faults_fired") > 0);
    assert_eq!(figures["tidy"], true);
    assert_eq!(figures["verified"], true);
    if minutes.is_some() {
        assert_eq!(figures["flat"], true, "{figures}");
    }
}

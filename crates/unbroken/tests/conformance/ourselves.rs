//! Unbroken itself, as one client among others.

use std::path::PathBuf;
use std::process::Command;

/// Clean, through the same interface as anybody.
fn assert_clean(vendor: &str, scenarios: &[&str]) {
    let client: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "../../bench/clients/unbroken/client.mjs"].iter().collect();
    let unbroken = env!("CARGO_BIN_EXE_unbroken");
    let output = Command::new(unbroken)
        .args(["conformance", "--vendor", vendor, "--seed", "7"])
        .args(scenarios.iter().flat_map(|name| ["--scenario", name]))
        .args(["--", "node"])
        .arg(client)
        .env("UNBROKEN", unbroken)
        .output()
        .expect("the binary was built for this test");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{vendor}, seed 7\n{stdout}");
}

#[test]
fn unbroken_is_clean_where_a_cxone_shaped_vendor_refuses_forgets_and_it_is_killed() {
    let scenarios = ["calm", "subscribe-refused-stale", "flood-behind-a-clamp", "killed-twice"];
    assert_clean("cxone", &scenarios);
}

#[test]
fn unbroken_is_clean_where_a_genesys_shaped_vendor_is_gone_and_it_is_killed() {
    assert_clean("genesys", &["calm", "vendor-outage", "crossed-channels", "killed-in-an-outage"]);
}

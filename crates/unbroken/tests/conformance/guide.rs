//! The clients of the guide, taken from its text and run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value};
use tempfile::tempdir;

use crate::clients::conformance;

/// Where `make baselines-setup` has put what clients need.
fn baselines() -> PathBuf {
    let cache = std::env::var_os("UNBROKEN_CACHE").map(PathBuf::from).unwrap_or_else(|| {
        let home = std::env::var_os("HOME").expect("HOME is not set");
        Path::new(&home).join(".cache/unbroken")
    });
    let folder = cache.join("baselines");
    assert!(folder.join("python/.installed").is_file(), "run `make baselines-setup` first");
    folder
}

fn guide() -> String {
    let guide: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "../../docs/guides/conformance.md"].iter().collect();
    fs::read_to_string(guide).expect("the guide is there")
}

/// The guide's only block of code in a language.
fn block(language: &str) -> String {
    let guide = guide();
    let opening = format!("```{language}\n");
    let mut blocks = guide.split(&opening).skip(1);
    let block = blocks.next().expect("a block in this language");
    assert!(blocks.next().is_none(), "more than one block in {language}");
    block.split("```").next().expect("its text").to_owned()
}

/// Plays scenarios with a client of the guide, for which the suite has this exit code.
fn assert_comes_to(program: &str, script: &Path, scenarios: &[&str], code: i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_unbroken"))
        .args(["conformance", "--seed", "7"])
        .args(scenarios.iter().flat_map(|name| ["--scenario", name]))
        .args(["--", program])
        .arg(script)
        .env("PYTHONPATH", baselines().join("python"))
        .output()
        .expect("the binary was built for this test");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{program}, seed 7\n{stdout}");
}

fn assert_is_what_the_guide_says(program: &str, script: &Path) {
    assert_comes_to(program, script, &["calm", "clean-close", "killed"], 0);
    assert_comes_to(program, script, &["subscribe-refused-stale", "silent-clamp"], 1);
}

#[test]
fn the_guide_s_node_client_is_what_the_guide_says() {
    let dir = tempdir().expect("a temporary directory");
    let script = dir.path().join("client.mjs");
    fs::write(&script, block("js")).expect("the script is written");
    let modules = baselines().join("node-reconnect/node_modules");
    std::os::unix::fs::symlink(modules, dir.path().join("node_modules")).expect("a link");
    assert_is_what_the_guide_says("node", &script);
}

#[test]
fn the_guide_s_python_client_is_what_the_guide_says() {
    let dir = tempdir().expect("a temporary directory");
    let script = dir.path().join("client.py");
    fs::write(&script, block("python")).expect("the script is written");
    assert_is_what_the_guide_says("python3", &script);
}

/// The variables of the guide's table.
fn documented() -> BTreeSet<String> {
    let guide = guide();
    let rows = guide.lines().filter_map(|line| line.strip_prefix("| `"));
    let named = rows.filter_map(|row| row.split(" |").next());
    let names = named.flat_map(|cell| cell.split(['`', ',', ' ']));
    names.filter(|name| is_ours(name)).map(str::to_owned).collect()
}

fn is_ours(name: &str) -> bool {
    ["VENDOR", "CLIENT_", "CONFORMANCE_"].iter().any(|prefix| name.starts_with(prefix))
}

#[test]
fn a_client_is_told_what_the_guide_says_and_finds_its_folder_and_its_cursor_again() {
    let dir = tempdir().expect("a temporary directory");
    let kept = dir.path().join("kept");
    let folder = kept.to_str().expect("a text");
    let output = conformance(&["--scenario", "killed", "--dir", folder], "diary");
    assert_eq!(output.status.code(), Some(0));
    let diary = fs::read_to_string(kept.join("killed/client/lives")).expect("its diary");
    let read = |line| serde_json::from_str(line).expect("an object");
    let lives: Vec<Map<String, Value>> = diary.lines().map(read).collect();
    let [first, second] = lives.as_slice() else { panic!("{} lives", lives.len()) };
    assert!(!first.contains_key("CLIENT_CURSOR"));
    let cursor = second["CLIENT_CURSOR"].as_str().expect("a text");
    assert!(cursor.contains(':'), "it is the client's own: {cursor}");
    let told: BTreeSet<String> = second.keys().filter(|name| is_ours(name)).cloned().collect();
    let mut documented = documented();
    assert!(documented.remove("VENDOR_UNITS"), "of genesys alone");
    assert_eq!(told, documented);
}

//! The clients of the guide, taken from its text and run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::tempdir;

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

/// The guide's only block of code in a language.
fn block(language: &str) -> String {
    let guide: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "../../docs/guides/conformance.md"].iter().collect();
    let guide = fs::read_to_string(guide).expect("the guide is there");
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

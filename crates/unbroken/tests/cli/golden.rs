//! Runs the binary and compares all that it said with a file.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs `unbroken` with `args` in `dir` and compares with `golden/{name}.txt`.
pub(crate) fn check(name: &str, dir: &Path, args: &[&str]) {
    let output = run(dir, args);
    compare(name, &transcript(dir, args, &output));
}

/// The same, with `(found, shown)` for what differs from run to run.
pub(crate) fn check_with(name: &str, dir: &Path, args: &[&str], changing: &[(&str, &str)]) {
    let output = run(dir, args);
    let mut text = transcript(dir, args, &output);
    for (found, shown) in changing {
        text = text.replace(found, shown);
    }
    compare(name, &text);
}

/// Runs the binary without colour or surroundings that could change what it says.
pub(crate) fn run(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_unbroken"))
        .args(args)
        .current_dir(dir)
        .env_remove("UNBROKEN_LOG")
        .env("NO_COLOR", "1")
        .env("COLUMNS", "100")
        .output()
        .expect("the binary was built for this test")
}

pub(crate) fn transcript(dir: &Path, args: &[&str], output: &Output) -> String {
    let mut text = format!("$ unbroken {}\n", args.join(" "));
    let _ = writeln!(text, "exit code: {:?}", output.status.code());
    for (name, bytes) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
        let _ = writeln!(text, "--- {name}\n{}", String::from_utf8_lossy(bytes).trim_end());
    }
    let dir = dir.to_string_lossy();
    text.replace(dir.as_ref(), "[DIR]").replace(env!("CARGO_PKG_VERSION"), "[VERSION]")
}

pub(crate) fn compare(name: &str, found: &str) {
    let path: PathBuf =
        [env!("CARGO_MANIFEST_DIR"), "tests", "cli", "golden", &format!("{name}.txt")]
            .iter()
            .collect();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&path, found).expect("the golden file can be written");
        return;
    }
    let expected = fs::read_to_string(&path)
        .unwrap_or_else(|_| panic!("{} is missing; run with UPDATE_GOLDEN=1", path.display()));
    assert!(found == expected, "{name} differs\n=== expected\n{expected}\n=== found\n{found}");
}

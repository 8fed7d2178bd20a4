//! Completion scripts and manual pages.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::tempdir;

use crate::golden::run;

/// What `unbroken completions SHELL` prints.
fn script(shell: &str) -> String {
    let output = run(Path::new("/"), &["completions", shell]);
    assert_eq!(output.status.code(), Some(0), "{shell}");
    String::from_utf8(output.stdout).expect("a script is text")
}

/// Gives bash a script on stdin, and returns what it prints; it must succeed.
fn bash(args: &[&str], script: &str) -> String {
    let mut child = Command::new("bash")
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the system has bash");
    let mut stdin = child.stdin.take().expect("it was piped");
    stdin.write_all(script.as_bytes()).expect("bash reads");
    drop(stdin);
    let output = child.wait_with_output().expect("bash ends");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_bash_script_parses_and_completes_a_command() {
    let script = script("bash");
    bash(&["-n"], &script);
    let typed = "\nCOMP_WORDS=(unbroken ver); COMP_CWORD=1\n\
                 _unbroken unbroken ver unbroken; printf '%s\\n' \"${COMPREPLY[@]}\"\n";
    let completed = bash(&["--norc"], &format!("{script}{typed}"));
    assert_eq!(completed.trim(), "verify");
}

#[test]
fn every_shell_gets_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = script(shell);
        for command in ["status", "events", "completions"] {
            assert!(script.contains(command), "{shell}: {command}");
        }
    }
}

#[test]
fn a_manual_page_is_written_for_each_command() {
    let dir = tempdir().expect("a temporary directory");
    let output = run(dir.path(), &["man", "pages"]);
    assert_eq!(output.status.code(), Some(0));
    let page = |name: &str| fs::read_to_string(dir.path().join("pages").join(name));
    let first = page("unbroken.1").expect("the page of the whole");
    let printed = run(dir.path(), &["man"]).stdout;
    assert_eq!(first.as_bytes(), printed);
    assert!(first.contains(".TH unbroken 1"), "{first}");
    let verify = page("unbroken-verify.1").expect("a page of each command");
    assert!(verify.contains("Check the record"), "{verify}");
    // Commands that are not shown in the help are not in the manual either.
    assert!(page("unbroken-kill.1").is_err() && page("unbroken-help.1").is_err());
}

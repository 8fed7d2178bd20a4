//! A client and all that it has started are gone when the suite is.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::tempdir;

/// Far above what anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// Polls until there is something.
fn awaited<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A client that starts another process, tells its number, says nothing, and goes for no asking.
fn suite(dir: &Path) -> Child {
    let client = "trap '' TERM; sleep 60 & echo $! > $CLIENT_DIR/pid; wait";
    Command::new(env!("CARGO_BIN_EXE_unbroken"))
        .args(["conformance", "--scenario", "calm", "--dir"])
        .arg(dir)
        .args(["--", "sh", "-c", client])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary was built for this test")
}

fn grandchild(dir: &Path) -> String {
    let file = dir.join("calm/client/pid");
    let number = || std::fs::read_to_string(&file).ok().filter(|text| text.ends_with('\n'));
    awaited("the client", number).trim().to_owned()
}

fn assert_gone(process: &str) {
    let status = Path::new("/proc").join(process).join("status");
    let is_gone = || {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        (status.is_empty() || status.contains("State:\tZ")).then_some(())
    };
    awaited("the end of what the client started", is_gone);
}

#[test]
fn what_a_client_has_started_goes_with_it_at_the_end() {
    let dir = tempdir().expect("a temporary directory");
    let folder = dir.path().join("kept");
    let mut suite = suite(&folder);
    let process = grandchild(&folder);
    assert_eq!(suite.wait().expect("its end").code(), Some(1), "it said nothing");
    assert_gone(&process);
}

#[test]
fn an_interrupted_suite_leaves_nothing_running_and_could_not_run() {
    let dir = tempdir().expect("a temporary directory");
    let folder = dir.path().join("kept");
    let mut suite = suite(&folder);
    let process = grandchild(&folder);
    let interrupt = Command::new("kill").args(["-INT", &suite.id().to_string()]).status();
    assert!(interrupt.expect("kill is there").success());
    assert_eq!(suite.wait().expect("its end").code(), Some(2));
    assert_gone(&process);
}

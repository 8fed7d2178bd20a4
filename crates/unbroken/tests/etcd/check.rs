//! `unbroken check` on a server that nobody here wrote: what its documentation promises is seen,
//! and what it does not do is found.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::sleep;

use crate::server::Etcd;
use crate::writer::Writer;

/// Runs the check while the writer writes.
async fn check(etcd: &Etcd, writer: &mut Writer, capabilities: &str) -> Value {
    let dir = tempfile::tempdir().unwrap();
    let port = etcd.port;
    let config = format!(
        r#"
        data_dir = "data"
        [[source]]
        name = "etcd"
        api = "http://127.0.0.1:{port}"
        stream = "ws://127.0.0.1:{port}"
        [source.profile]
        extends = "etcd"
        variables = {{ prefix = "teams/" }}
        [source.profile.capabilities]
        {capabilities}
        "#
    );
    std::fs::write(dir.path().join("unbroken.toml"), config).unwrap();
    let mut checking = spawn(dir.path());
    let mut round: u64 = 0;
    let output = loop {
        tokio::select! {
            output = &mut checking => break output,
            () = sleep(Duration::from_millis(50)) => {
                round += 1;
                // A key of another prefix moves the revision, too.
                writer.put("others/x", round.to_string().as_bytes()).await;
                writer.put("teams/a", round.to_string().as_bytes()).await;
            }
        }
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!dir.path().join("data").exists());
    let found: Value = serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    found["sources"][0].clone()
}

fn spawn(dir: &Path) -> std::pin::Pin<Box<dyn Future<Output = std::process::Output>>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unbroken"));
    command.args(["check", "--for", "3s", "--probe-second", "--json"]).current_dir(dir);
    command.stdin(Stdio::null()).kill_on_drop(true);
    Box::pin(async move { command.output().await.unwrap() })
}

fn wrong(found: &Value) -> Vec<&str> {
    let all = found["mismatches"].as_array().expect("a list").iter();
    all.filter(|one| one["wrong"] == true).filter_map(|one| one["key"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn etcd_does_what_its_profile_declares_and_nothing_more() {
    let etcd = Etcd::start();
    let mut writer = Writer::new(etcd.port);
    for key in 0..30 {
        writer.put(&format!("teams/{key}"), b"first").await;
    }
    let found = check(&etcd, &mut writer, "").await;
    assert_eq!(found["well"], true, "{found:#}");
    let good = |name: &str| {
        let steps = found["steps"].as_array().expect("steps");
        steps.iter().any(|step| step["step"] == name && step["outcome"] == "good")
    };
    for step in ["snapshot", "handshake", "subscription", "frames", "second", "state", "replay"] {
        assert!(good(step), "{step}: {found:#}");
    }
    let more = "position = \"contiguous\"\nack = \"with_position\"\ntoken_needed = false";
    let found = check(&etcd, &mut writer, more).await;
    let wrong = wrong(&found);
    assert!(wrong.contains(&"position"), "seen through a prefix there are holes: {found:#}");
    assert_eq!(found["well"], false);
}

//! Hooks: a real program and a real listener are told, and nobody waits for them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::service::World;

const PATIENCE: Duration = Duration::from_secs(30);

fn world(hooks: &str) -> World {
    let world = World::new();
    fs::write(world.path("agents"), "").expect("a file");
    let path = world.path("unbroken.toml");
    let text = fs::read_to_string(&path).expect("it was written");
    fs::write(path, format!("{text}\n[hooks]\n{hooks}\n")).expect("a file");
    world
}

fn program(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("it is ours");
}

/// The lines of a file that somebody writes, once there are so many.
fn lines(path: &Path, count: usize) -> Vec<String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.len() >= count && text.ends_with('\n') {
            return lines;
        }
        assert!(Instant::now() < deadline, "only: {text}");
        thread::sleep(Duration::from_millis(20));
    }
}

fn metric(world: &World, name: &str) -> u64 {
    let printed = world.command(&["control", "metrics"]);
    let text = String::from_utf8_lossy(&printed.stdout).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("unbroken_{name} ")));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("{name}: {text}"))
}

#[test]
fn a_program_is_told_of_each_row_on_stdin_and_in_the_environment() {
    let world = world("on_gap = [\"./tell\", \"one $(touch pwned) word\"]");
    let script = "#!/bin/sh\ncat >> rows\nprintf '%s|%s|%s|%s\\n' \"$UNBROKEN_EVENT\" \
                  \"$UNBROKEN_CAUSE\" \"$1\" \"$(env | grep -c CARGO)\" >> said\n";
    program(&world.path("tell"), script);
    let service = world.run(&[]);
    service.wait_live();
    let rows = lines(&world.path("rows"), 2);
    let rows: Vec<Value> =
        rows.iter().map(|row| serde_json::from_str(row).expect("an object")).collect();
    for (row, event) in rows.iter().zip(["gap_opened", "gap_closed"]) {
        assert_eq!((&row["event"], &row["cause"]), (&event.into(), &"start".into()), "{row}");
        assert_eq!((&row["source"], &row["stream"]), (&"cx".into(), &"cx/adherence".into()));
        assert_eq!((&row["gap"], &row["missed"]), (&1.into(), &0.into()), "{row}");
    }
    let said = lines(&world.path("said"), 2);
    assert_eq!(said[0], "gap_opened|start|one $(touch pwned) word|0", "no shell, no environment");
    assert!(!world.path("pwned").exists());
    // The log itself: the store that `gaps` reads is fed some moments later.
    let log = world.command(&["events"]);
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    assert!(log.contains("\"gap_closed\""), "what was told is durable: {log}");
    service.signal("TERM");
    assert_eq!(service.wait().0, Some(0));
}

/// Reads one request with a body; answers it.
fn take(stream: &mut TcpStream, status: &str) -> Option<(String, Value)> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.trim_end().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).ok()?;
    Some((head, serde_json::from_slice(&body).ok()?))
}

/// A listener that refuses the first request and takes the others; ends with the test's process.
fn listener() -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        for (at, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let status = if at == 0 { "503 Not Yet" } else { "204 Taken" };
            let Some(request) = take(&mut stream, status) else { continue };
            if send.send(request).is_err() {
                return;
            }
        }
    });
    (format!("http://{address}/hook?key=h00k"), receive)
}

#[test]
fn a_url_is_told_when_a_stream_needs_a_person_and_when_it_no_longer_does() {
    let (url, told) = listener();
    let world = world(&format!("on_blocked = \"{url}\""));
    let secret = fs::read(world.path("secret")).expect("it was written");
    fs::write(world.path("secret"), "hunter2").expect("a file");
    let service = world.run(&["--log", "json"]);
    let (refused, first) = told.recv_timeout(PATIENCE).expect("it is told");
    let (_, again) = told.recv_timeout(PATIENCE).expect("and told again, since it was refused");
    assert!(refused.starts_with("POST /hook?key=h00k HTTP/1.1\r\n"), "{refused}");
    assert!(refused.to_ascii_lowercase().contains("content-type: application/json"), "{refused}");
    assert_eq!(first, again);
    assert_eq!((&first["event"], &first["stream"]), (&"blocked".into(), &"cx/adherence".into()));
    let text = |key: &str| first[key].as_str().unwrap_or_default().to_owned();
    assert!(text("why").contains("invalid_client") && text("todo").contains("reload"), "{first}");
    fs::write(world.path("secret"), secret).expect("a file");
    assert_eq!(world.command(&["control", "reload"]).status.code(), Some(0));
    let (_, last) = told.recv_timeout(PATIENCE).expect("it is told");
    assert_eq!((&last["event"], &last["missed"]), (&"unblocked".into(), &0.into()));
    service.wait_live();
    assert_eq!((metric(&world, "hooks_told_total"), metric(&world, "hooks_failed_total")), (2, 0));
    service.signal("TERM");
    let (code, log, _) = service.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("hunter2") && !log.contains("h00k"), "{log}");
}

#[test]
fn hooks_that_hang_or_are_not_there_cost_nothing_but_a_warning() {
    let world = world(
        "on_gap = { command = [\"sleep\", \"600\"], timeout_ms = 200 }\n\
         on_blocked = [\"no-such-program-anywhere\"]",
    );
    let service = world.run(&["--log", "json"]);
    service.wait_live();
    let deadline = Instant::now() + PATIENCE;
    while metric(&world, "hooks_failed_total") < 2 {
        assert!(Instant::now() < deadline, "both rows were to be told");
        thread::sleep(Duration::from_millis(20));
    }
    let status = service.wait_status("recording", |status| {
        status["sources"][0]["streams"][0]["events"].as_u64() > Some(20)
    });
    assert_eq!(status["sources"][0]["streams"][0]["phase"], "live", "{status}");
    service.signal("TERM");
    let (code, log, took) = service.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(took < Duration::from_secs(5), "a hook that hangs holds nobody up: {took:?}");
    let warned = log.lines().find(|line| line.contains("hook failed")).expect("a line");
    assert!(warned.contains("WARN") && warned.contains("longer than 200 ms"), "{warned}");
    assert!(warned.contains("timeout_ms"), "with what to do: {warned}");
}

#[test]
fn a_program_that_runs_is_killed_with_the_service_and_its_words_are_bounded() {
    let world = world("on_gap = [\"./hang\"]");
    // More words than are kept, then a sleep under the same process id.
    let script = "#!/bin/sh\ncat > /dev/null\nyes said | head -c 100000\n\
                  if [ \"$UNBROKEN_EVENT\" = gap_opened ]; then exit 3; fi\n\
                  echo $$ > pid\nexec sleep 600\n";
    program(&world.path("hang"), script);
    let path = world.path("unbroken.toml");
    let text = fs::read_to_string(&path).expect("it was written");
    fs::write(&path, format!("{text}\n[log]\nlevel = \"debug\"\n")).expect("a file");
    let service = world.run(&["--log", "json"]);
    let pid = lines(&world.path("pid"), 1).remove(0);
    let process = Path::new("/proc").join(pid.trim());
    assert!(process.exists(), "it sleeps");
    service.signal("TERM");
    let (code, log, _) = service.wait();
    assert_eq!(code, Some(0), "{log}");
    let deadline = Instant::now() + PATIENCE;
    while process.exists() {
        assert!(Instant::now() < deadline, "it was left behind");
        thread::sleep(Duration::from_millis(20));
    }
    let said = log.lines().find(|line| line.contains("a hook's program says")).expect("a line");
    assert!(said.contains("DEBUG") && said.contains("said") && said.len() < 8_000, "{said}");
    let failed = log.lines().find(|line| line.contains("hook failed")).expect("a line");
    assert!(failed.contains("exit status: 3") && failed.contains("by hand"), "{failed}");
}

#[test]
fn a_hook_that_cannot_work_is_refused_before_anything_is_opened() {
    let world = world("on_gap = \"http://hooks.example/secret-path\"");
    let service = world.run(&[]);
    let (code, said, _) = service.wait();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("hook on_gap has an unusable URL"), "{said}");
    assert!(said.contains("hint:") && !said.contains("secret-path"), "{said}");
    assert!(!world.path("data").exists());
}

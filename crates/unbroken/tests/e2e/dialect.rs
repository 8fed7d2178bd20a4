//! Goal: a bearer that nobody has configured is refused by the dialect, and is found nowhere
//! afterwards; neither is the secret of a client, nor a token that was given out.
//!
//! Method: the real service records a simulated vendor; a client of the vendor's comes in by the
//! dialect, and another one does not.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::Value;

use crate::service::World;

const UNKNOWN: &str = "a-bearer-of-the-vendor-that-we-do-not-know";
const SECRET: &str = "the-secret-of-a-client-of-the-dialect";

/// How long anything may take that happens in milliseconds on an idle machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Every file below a folder that holds one of these texts.
fn holding(folder: &Path, texts: &[&str], found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry")) {
        let path = entry.path();
        if path.is_dir() {
            holding(&path, texts, found);
        } else if let Ok(bytes) = fs::read(&path) {
            let has = |text: &&&str| bytes.windows(text.len()).any(|at| at == text.as_bytes());
            found
                .extend(texts.iter().filter(has).map(|text| format!("{}: {text}", path.display())));
        }
    }
}

fn wait_for(path: &Path) -> String {
    let begun = Instant::now();
    loop {
        match fs::read_to_string(path) {
            Ok(text) if !text.trim().is_empty() => return text.trim().to_owned(),
            _ => assert!(begun.elapsed() < PATIENCE, "{} does not come", path.display()),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What the dialect answers to `GET /api/v2/wfm/schedules`.
async fn baseline(origin: &str, bearer: &str) -> (u16, Value) {
    let request = Client::new().get(format!("{origin}/api/v2/wfm/schedules"));
    let answer = request.bearer_auth(bearer).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

async fn token(origin: &str) -> String {
    let form = [("grant_type", "client_credentials")];
    let request = Client::new().post(format!("{origin}/token")).basic_auth("app", Some(SECRET));
    let given: Value = request.form(&form).send().await.expect("one").json().await.expect("JSON");
    given["access_token"].as_str().expect("a token").to_owned()
}

#[test]
fn who_is_not_known_is_refused_and_leaves_nothing_behind() {
    let world = World::new();
    let (config, agents) = (world.path("unbroken.toml"), world.vendor().account().users);
    fs::write(world.path("agents"), agents.join("\n")).expect("a file");
    fs::write(world.path("dialect-secret"), SECRET).expect("a file");
    let relay = "\n[relay]\nlisten = \"127.0.0.1:0\"\n[relay.dialect.cxone]\nsource = \"cx\"\n\
                 clients = [{ id = \"app\", secret = { file = \"dialect-secret\" } }]\n";
    let text = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, text + relay).expect("a file");
    let service = world.run(&["--log", "json"]);
    let origin = format!("http://{}", wait_for(&world.path("data").join("relay.addr")));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let token = runtime.block_on(async {
        assert_eq!(baseline(&origin, UNKNOWN).await.0, 401);
        let token = token(&origin).await;
        let begun = Instant::now();
        loop {
            let (status, page) = baseline(&origin, &token).await;
            // It may not have made its store yet.
            assert!(matches!(status, 200 | 503), "{status}: {page}");
            let agents = page["schedules"].as_array().map_or(0, Vec::len);
            if agents > 0 && page["sequenceId"].as_u64() >= Some(1 << 52) {
                break token;
            }
            assert!(begun.elapsed() < PATIENCE, "no agent comes");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    service.signal("TERM");
    let (code, log, _) = service.wait();
    assert_eq!(code, Some(0), "{log}");
    for text in [UNKNOWN, SECRET, token.as_str()] {
        assert!(!log.contains(text), "the log has {text}");
    }
    let mut found = Vec::new();
    holding(&world.path("data"), &[UNKNOWN, SECRET, &token], &mut found);
    assert_eq!(found, [] as [String; 0]);
}

//! The record posted to a URL, while the service is killed and the endpoint fails at random.
//!
//! Six rounds; `make sink-kills SINK=webhook N=200` plays more of them, under load. What was taken
//! is compared with the log, event for event, and a hash of each side is printed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::TcpStream;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;
use unbroken_core::record::digest;

use crate::kills::{Kills, are_the_same, has_caught_up, number};
use crate::mortal::Mortal;
use crate::receiver::{Asked, Receiver, Reply, Stream};
use crate::service::{Service, World};

fn configure(world: &World, url: &str, more: &str) {
    fs::write(world.path("agents"), "").expect("a file");
    fs::write(world.path("hook-secret"), "whsec_c2VjcmV0LW9mLWEtdGVzdA==").expect("a file");
    let sink = "[[sink]]\nname = \"hook\"\nlinger_ms = 5\nbatch_records_max = 200\n";
    let secret = "secret = { file = \"hook-secret\" }";
    world.configure(&format!("{sink}webhook = {{ url = \"{url}\", {secret}{more} }}\n"));
}

/// Returns what it has logged.
fn stop(service: Service) -> String {
    service.signal("TERM");
    let (code, log, _) = service.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("h00k"), "a URL's query may be a secret: {log}");
    log
}

/// One of ten requests is not answered as it should be; while it is down, none is.
fn at_random(seed: u64, is_down: &Arc<AtomicBool>) -> impl FnMut(&str) -> Reply + Send + 'static {
    let mut rng = fastrand::Rng::with_seed(seed);
    let is_down = Arc::clone(is_down);
    move |_| match rng.u32(0..100) {
        _ if is_down.load(Ordering::Relaxed) => Reply::Cut,
        0..4 => Reply::TakenWithoutAWord,
        4..6 => Reply::Cut,
        6..9 => Reply::Status(503),
        9 => Reply::Later(429, 0),
        _ => Reply::Taken,
    }
}

#[test]
fn an_endpoint_is_given_what_the_log_holds_through_kills_and_failures() {
    let (kills, seed) = (number("SINK_KILLS", 6), number("SINK_SEED", 1));
    let world = World::of(number("SINK_RATE", 200) as f64);
    let is_down = Arc::new(AtomicBool::new(false));
    let receiver = Receiver::with(at_random(seed, &is_down));
    let more = ", bytes_max = 20000, secrets = [\"whsec_bGl0ZXJhbA==\"]";
    configure(&world, &receiver.url(), more);
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut service, mut killed) = (world.run(&[]), 0);
    for _ in 0..kills {
        service.wait_live();
        sleep(Duration::from_millis(rng.u64(0..400)));
        if rng.bool() {
            is_down.store(true, Ordering::Relaxed);
            sleep(Duration::from_millis(rng.u64(0..300)));
            is_down.store(false, Ordering::Relaxed);
        } else {
            killed += 1;
            service.signal("KILL");
            service.wait();
            service = world.run(&[]);
        }
    }
    receiver.answer_by(|_| Reply::Taken);
    service.wait_live();
    has_caught_up(&service);
    let log = stop(service);
    assert!(log.contains("a secret stands in the configuration"), "{log}");
    assert!(!log.contains("bGl0ZXJhbA"), "{log}");
    let logged = exported(&world);
    let asked: Vec<Asked> = receiver.asked().into_iter().filter(Asked::is_taken).collect();
    let taken = receiver.taken();
    let (first, by_key) = (once(taken.iter().cloned()), once_by_key(&asked));
    for (side, events) in [("log", &logged), ("endpoint", &first)] {
        let texts: Vec<String> = events.iter().map(Value::to_string).collect();
        let hash = digest(texts.join("\n").as_bytes());
        println!("{side}: {} events, hash {hash:032x}", events.len());
    }
    let (again, failed) = (taken.len() - first.len(), receiver.asked().len() - asked.len());
    println!(
        "{killed} kills of the service; {} requests taken, {failed} not; {again} events came \
         again, {} of them with another key",
        asked.len(),
        by_key.len() - first.len(),
    );
    assert!(logged.len() as u64 > 20 * kills, "{}", logged.len());
    // Where they differ first, and not all of both.
    let differ = logged.iter().zip(&first).find(|(logged, taken)| logged != taken);
    assert_eq!(differ, None);
    assert_eq!(logged.len(), first.len());
    assert_eq!(by_key.len(), first.len(), "an endpoint that knows the key has every event once");
}

/// The endpoint is another process, which keeps what it has answered.
#[test]
fn an_endpoint_is_given_what_the_log_holds_through_kills_of_both_sides() {
    let (world, mut endpoint) = (World::of(Kills::rate()), Mortal::start("endpoint.py"));
    configure(&world, &format!("http://{}/in", endpoint.address()), "");
    let mut kills = Kills::asked_for();
    kills.play(&world, world.run(&[]), |rng| {
        let is_endpoint = rng.bool();
        if is_endpoint {
            endpoint.kill();
            sleep(Duration::from_millis(rng.u64(0..300)));
            endpoint.start_again();
        }
        is_endpoint
    });
    let kept = fs::read_to_string(endpoint.file()).expect("text");
    let requests: Vec<[String; 2]> =
        kept.lines().map(|line| serde_json::from_str(line).expect("a key and a body")).collect();
    let events = |body: &str| serde_json::from_str::<Vec<Value>>(body).expect("an array of events");
    let taken: Vec<Value> = requests.iter().flat_map(|[_, body]| events(body)).collect();
    let mut known = BTreeSet::new();
    let new = requests.iter().filter(|[key, _]| known.insert(key));
    let by_key: Vec<Value> = new.flat_map(|[_, body]| events(body)).collect();
    let first = once(taken.iter().cloned());
    println!("{} events came again", taken.len() - first.len());
    assert!(by_key == first, "an endpoint that knows the key has every event once");
    let texts = |events: Vec<Value>| events.iter().map(Value::to_string).collect();
    let sides = [("log", texts(exported(&world))), ("endpoint", texts(first))];
    println!("{}", are_the_same(sides, kills.count));
}

/// As who knows ids: what came again is the same, and is left out.
fn once(events: impl Iterator<Item = Value>) -> Vec<Value> {
    let (mut known, mut first) = (BTreeMap::new(), Vec::new());
    for event in events {
        let id = event["id"].as_str().expect("an id").to_owned();
        match known.get(&id) {
            Some(known) => assert_eq!(*known, event),
            None => {
                first.push(event.clone());
                known.insert(id, event);
            }
        }
    }
    first
}

/// As who knows the keys of requests, and nothing of events.
fn once_by_key(asked: &[Asked]) -> Vec<Value> {
    let mut known = BTreeSet::new();
    let new = asked.iter().filter(|asked| known.insert(asked.header("idempotency-key").to_owned()));
    new.flat_map(Asked::events).collect()
}

fn exported(world: &World) -> Vec<Value> {
    let output = world.command(&["export", "--format", "cloudevents"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn dead_letters(world: &World, more: &[&str]) -> (Option<i32>, String) {
    let told: Output = world.command(&[&["sinks", "dead-letters"], more].concat());
    let text = [told.stdout, told.stderr].concat();
    (told.status.code(), String::from_utf8(text).expect("text"))
}

/// Shown while the service runs and while it does not; given again by whichever runs next.
#[test]
fn what_the_endpoint_refuses_is_shown_and_given_again() {
    let world = World::new();
    let refused = |body: &str| body.contains("\"data\":{\"deleted\":false");
    let mut left = 2;
    let receiver = Receiver::with(move |body| {
        // A request of one event: the first two of them, and whatever they come with.
        let is_refused = left > 0 && refused(body);
        let is_alone = body.matches("\"specversion\"").count() == 1;
        left -= i32::from(is_refused && is_alone);
        if is_refused { Reply::Status(422) } else { Reply::Taken }
    });
    configure(&world, &receiver.url(), "");
    assert_eq!(dead_letters(&world, &["--journal", "."]), (Some(0), "no dead letters\n".into()));
    let service = world.run(&[]);
    let status = service.wait_status("with something put aside", |status| {
        status["sinks"].get(0).is_some_and(|sink| sink["parked"] == 2)
    });
    assert_eq!(status["sinks"][0]["target"], "webhook", "{status}");
    let (code, shown) = dead_letters(&world, &[]);
    assert!(code == Some(1) && shown.matches("HTTP 422").count() == 2, "{shown}");
    assert!(!shown.contains("payload"), "{shown}");
    let (code, told) = dead_letters(&world, &["--redrive", "--sink", "hok"]);
    assert!(code == Some(2) && told.contains("no sink `hok` keeps dead letters"), "{told}");
    let (code, lines) = dead_letters(&world, &["--format", "ndjson", "--sink", "hook", "--events"]);
    let letters: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(code == Some(1) && letters.len() == 2, "{lines}");
    for letter in &letters {
        assert_eq!(letter["event"]["id"], letter["id"]);
        assert_eq!((&letter["sink"], &letter["redrive"]), (&"hook".into(), &false.into()));
    }
    stop(service);

    assert_eq!(dead_letters(&world, &[]).0, Some(1));
    let (code, said) = dead_letters(&world, &["--redrive"]);
    assert!(code == Some(0) && said.starts_with("2 to be given again"), "{said}");
    let (_, shown) = dead_letters(&world, &[]);
    assert_eq!(shown.matches("is given again").count(), 2, "{shown}");
    let service = world.run(&[]);
    let deadline = Instant::now() + Duration::from_secs(30);
    while dead_letters(&world, &[]).0 != Some(0) {
        assert!(Instant::now() < deadline, "{}", dead_letters(&world, &[]).1);
        sleep(Duration::from_millis(50));
    }
    stop(service);
    let mut taken = receiver.taken();
    taken.sort_by_key(|event| {
        let id = event["id"].as_str().expect("an id");
        id.rsplit(':').next().expect("an offset").parse::<u64>().expect("a number")
    });
    assert_eq!(taken, exported(&world), "each once");
    fs::write(world.path("data/sinks.db"), "no database").expect("room");
    let (code, said) = dead_letters(&world, &[]);
    assert!(code == Some(2) && said.contains("is damaged") && said.contains("hint"), "{said}");
}

/// The service's own way there: TLS, a certificate that is named, and none that is not.
#[test]
fn an_endpoint_in_tls_is_trusted_where_its_certificate_is_named() {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("they belong together");
    let tls = Arc::new(tls);
    let wrap = move |stream: TcpStream| -> Box<dyn Stream> {
        let connection = ServerConnection::new(Arc::clone(&tls)).expect("a connection");
        Box::new(StreamOwned::new(connection, stream))
    };
    let receiver = Receiver::over(|_| Reply::Taken, wrap);
    let url = receiver.url().replace("http://127.0.0.1", "https://localhost");

    let world = World::new();
    configure(&world, &url, "");
    let service = world.run(&[]);
    let status = service.wait_status("blocked", |status| {
        status["sinks"].get(0).is_some_and(|sink| sink["phase"] == "blocked")
    });
    let sink = &status["sinks"][0];
    assert!(sink["todo"].as_str().is_some_and(|todo| todo.contains("ca_file")), "{sink}");
    stop(service);
    assert!(receiver.asked().is_empty());

    let world = World::new();
    fs::write(world.path("authority.pem"), certificate.pem()).expect("a file");
    configure(&world, &url, ", ca_file = \"authority.pem\"");
    let service = world.run(&[]);
    // With few records it is near the end before it has given any.
    service.wait_status("with a sink that has given something", |status| {
        status["sinks"].get(0).is_some_and(|sink| sink["records"].as_u64() > Some(0))
    });
    stop(service);
    let asked = receiver.asked();
    assert!(!asked.is_empty());
    for asked in &asked {
        assert!(asked.header("webhook-signature").starts_with("v1,"), "{asked:?}");
        assert_eq!(asked.header("user-agent"), concat!("unbroken/", env!("CARGO_PKG_VERSION")));
    }
    assert_eq!(receiver.taken(), exported(&world));
}

#[test]
fn plain_text_to_another_machine_is_refused_before_anything_is_opened() {
    let world = World::new();
    configure(&world, "http://hooks.example/secret-path", "");
    let (code, said, _) = world.run(&[]).wait();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("sink `hook`") && said.contains("not encrypted"), "{said}");
    assert!(said.contains("insecure") && !said.contains("secret-path"), "{said}");
    assert!(!world.path("data").exists());
}

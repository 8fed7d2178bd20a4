//! The record in files of Parquet, in a directory and in an object store, while the service is
//! killed at random, and the road to the store is cut.
//!
//! A few kills; `make sink-kills SINK=parquet N=200` plays more of them, under load. Both sides are
//! compared row for row, and a hash of each is printed.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, sleep};
use std::time::Duration;

use crate::object_store::{Bucket, python, script};
use crate::service::World;
use crate::tables::{are_the_same, canonical, has_caught_up, number, records};

/// A road to a server, which is cut and closed for a while.
struct Road {
    at: SocketAddr,
    is_closed: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Road {
    fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("a port");
        let (is_closed, open) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let road = Self { at, is_closed: Arc::clone(&is_closed), open: Arc::clone(&open) };
        // It ends with the test.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if is_closed.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let mut known = open.lock().expect("nobody panics with it");
                known.extend([client.try_clone(), server.try_clone()].into_iter().flatten());
                drop(known);
                let back = [server.try_clone(), client.try_clone()];
                thread::spawn(move || pass(client, server));
                let [Ok(server), Ok(client)] = back else { continue };
                thread::spawn(move || pass(server, client));
            }
        });
        road
    }

    fn close(&self) {
        self.is_closed.store(true, Ordering::SeqCst);
        for socket in self.open.lock().expect("nobody panics with it").drain(..) {
            // It may have ended by itself.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    fn open(&self) {
        self.is_closed.store(false, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _: [io::Result<()>; 2] = [from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)];
}

/// Kills the service, or cuts the road, so often; then says what the files hold.
fn play(target: &str, road: Option<&Road>, stored: impl FnOnce(&World) -> Vec<String>) -> String {
    let (kills, seed) = (number("SINK_KILLS", 6), number("SINK_SEED", 1));
    let world = World::of(number("SINK_RATE", 200) as f64);
    let mut rng = fastrand::Rng::with_seed(seed);
    fs::write(world.path("agents"), "").expect("a file");
    let sink = "[[sink]]\nname = \"tables\"\nlinger_ms = 5\nbatch_records_max = 200\n";
    world.configure(&format!("{sink}parquet = {target}\n"));
    let mut service = world.run(&[]);
    for _ in 0..kills {
        service.wait_live();
        sleep(Duration::from_millis(rng.u64(0..400)));
        match road.filter(|_| rng.bool()) {
            Some(road) => {
                road.close();
                sleep(Duration::from_millis(rng.u64(0..300)));
                road.open();
            }
            None => {
                service.signal("KILL");
                service.wait();
                service = world.run(&[]);
            }
        }
    }
    service.wait_live();
    has_caught_up(&service);
    service.signal("TERM");
    let (code, log, _) = service.wait();
    assert_eq!(code, Some(0), "{log}");
    let logged = records(&world).into_iter().map(|(_, _, row)| row).collect();
    are_the_same([("log", logged), ("files", stored(&world))], kills)
}

#[test]
fn files_hold_what_the_log_holds_through_kills_of_the_service() {
    let told = play("{ dir = \"tables\" }", None, |world| {
        let mut python = python();
        let told = python.arg(script("rows.py")).arg(world.path("tables")).output();
        let told = told.expect("python3");
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let text = String::from_utf8(told.stdout).expect("text");
        text.lines().map(canonical).collect()
    });
    println!("{told}");
}

#[test]
fn an_object_store_holds_what_the_log_holds_through_kills_and_cuts() {
    let bucket = Bucket::new();
    let server = bucket.endpoint.strip_prefix("http://").expect("in clear").to_owned();
    let road = Road::to(server);
    let endpoint = format!("http://{}", road.at);
    // The server takes any secret: that of the vendor will do, which is in a file.
    let secret = "aws_secret_access_key";
    let options: Vec<String> = bucket
        .options()
        .into_iter()
        .filter(|(key, _)| key != secret)
        .map(|(key, value)| {
            (key.clone(), if key == "aws_endpoint" { endpoint.clone() } else { value })
        })
        .map(|(key, value)| format!("{key} = \"{value}\""))
        .collect();
    let (url, options) = (format!("s3://{}/out", bucket.name), options.join(", "));
    let secrets = format!("{secret} = {{ file = \"secret\" }}");
    let target =
        format!("{{ url = \"{url}\", options = {{ {options} }}, secrets = {{ {secrets} }} }}");
    let told = play(&target, Some(&road), |_| bucket.ask("rows").lines().map(canonical).collect());
    println!("{told}");
}

//! Rows into PostgreSQL by a sink, beside `psql` copying the same rows, and into Parquet, beside
//! pyarrow writing the same rows: `make sink-rates`. Here only that both come to the same.

use std::time::{Duration, Instant};

use unbroken_core::record::{Body, Change, Origin, digest};
use unbroken_sink::{Cut, Progress, SinkThread};

use crate::house::{House, PATIENCE, change, config};
use crate::object_store::{python, script};
use crate::postgres::Database;
use crate::server::Server;
use crate::shelf::Target;
use crate::tables::Files;

pub(crate) fn number(name: &str, default: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(default, |text| text.parse().expect("a number"))
}

/// As a vendor writes one, of one of a thousand agents.
pub(crate) fn event(number: u64) -> Body {
    let payload = format!(
        "{{\"agentId\":\"{0:08}-30d5-4f6b-9f0c-7d3c9a1b2c3d\",\"state\":\"{1}\",\
         \"number\":{number},\"reason\":\"BREAK\",\"team\":\"Retention and Billing\",\
         \"skill\":[\"voice\",\"chat\",\"email\"],\
         \"startDate\":\"2026-11-27T09:{2:02}:{3:02}.123Z\"}}",
        number % 1_000,
        if number.is_multiple_of(3) { "AVAILABLE" } else { "UNAVAILABLE" },
        number / 60 % 60,
        number % 60,
    );
    Body::Change(Change {
        key: format!("{:08}-30d5-4f6b-9f0c-7d3c9a1b2c3d", number % 1_000).as_str().into(),
        digest: digest(payload.as_bytes()),
        payload: payload.into_bytes().into(),
        ..change(number, Origin::Live)
    })
}

/// Processor time of this process, in microseconds.
pub(crate) fn processor() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split(' ').collect();
    // utime and stime, in ticks of a hundredth of a second.
    [12, 13].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum::<u64>() * 10_000
}

/// As long as something is committed now and then.
pub(crate) fn wait(progress: &Progress, rows: u64) {
    let mut last = (progress.counts().next_offset, Instant::now());
    while last.0 < rows {
        std::thread::sleep(Duration::from_millis(2));
        let next_offset = progress.counts().next_offset;
        if next_offset > last.0 {
            last = (next_offset, Instant::now());
        }
        assert!(last.1.elapsed() < PATIENCE, "{progress:?}");
    }
}

fn house_of(rows: u64) -> House {
    let mut house = House::new();
    for first in (0..rows).step_by(1_000) {
        house.append((first..rows.min(first + 1_000)).map(event));
    }
    house
}

#[test]
fn a_sink_writes_the_rows_that_pyarrow_writes() {
    let (rows, rounds) = (number("RATE_ROWS", 2_000), number("RATE_ROUNDS", 1));
    let house = house_of(rows);
    for _ in 0..rounds {
        let files = Files::new();
        let mut config = config();
        config.cut =
            Cut { records_max: 100_000, bytes: 32 << 20, linger: Duration::from_millis(250) };
        let (begun, used) = (Instant::now(), processor());
        let thread = SinkThread::start(files.sink(), house.reader.clone(), config);
        let thread = thread.expect("a thread");
        wait(thread.progress(), rows);
        let (sink, used) = (begun.elapsed(), processor() - used);
        thread.join();
        let mut python = python();
        python.arg(script("rewrite.py")).args([files.dir(), files.dir().join("again.parquet")]);
        let told = python.output().expect("python3");
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let told = String::from_utf8(told.stdout).expect("text");
        let mut told = told.split_whitespace();
        let mut next = || told.next().expect("three numbers").parse::<f64>().expect("a number");
        let (count, from_table, from_rows) = (next(), next(), next());
        assert_eq!(count as u64, rows);
        let rate = |seconds: f64| rows as f64 / seconds;
        let sink = rate(sink.as_secs_f64());
        println!(
            "{rows} rows: sink {sink:.0} rows/s ({:.1} us of processor each), pyarrow from its own \
             columns {:.0} rows/s: {:.2}, from rows {:.0} rows/s: {:.2}",
            used as f64 / rows as f64,
            rate(from_table),
            sink / rate(from_table),
            rate(from_rows),
            sink / rate(from_rows),
        );
    }
}

#[test]
fn a_sink_writes_the_rows_that_psql_copies() {
    let (rows, rounds) = (number("RATE_ROWS", 2_000), number("RATE_ROUNDS", 1));
    let house = house_of(rows);
    for _ in 0..rounds {
        let settings = ["fsync=on", "shared_buffers=128MB", "max_wal_size=4GB"];
        let database = Database::of(Server::with(&settings));
        let mut config = config();
        config.cut = Cut { records_max: 5_000, bytes: 8 << 20, linger: Duration::from_millis(250) };
        let (begun, used) = (Instant::now(), processor());
        let thread = SinkThread::start(database.sink(), house.reader.clone(), config);
        let thread = thread.expect("a thread");
        wait(thread.progress(), rows);
        let (sink, used) = (begun.elapsed(), processor() - used);
        thread.join();
        let file = database.0.host().join("data/rows");
        database.query(&format!("COPY events TO '{}'; SELECT 1", file.display()));
        database.query("CREATE TABLE again (LIKE events INCLUDING ALL); SELECT 1");
        let begun = Instant::now();
        database.copy_from("again", &file);
        let psql = begun.elapsed();
        let count =
            "SELECT count(*), md5(string_agg(key || payload::text, '' ORDER BY log_offset))";
        let told = database.query(&format!("{count} FROM again"));
        assert_eq!(told, database.query(&format!("{count} FROM events")));
        assert!(told[0].starts_with(&format!("{rows}|")), "{told:?}");
        let rate = |time: Duration| rows as f64 / time.as_secs_f64();
        println!(
            "{rows} rows: sink {:.0} rows/s ({:.1} us of processor each), psql {:.0} rows/s: {:.2}",
            rate(sink),
            used as f64 / rows as f64,
            rate(psql),
            rate(sink) / rate(psql),
        );
    }
}

//! A slow path is slow and changes nothing else. Times have a lower bound only: a busy machine may
//! take longer.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;
use unbroken_sim::proxy::{Proxy, Route, Weather};

use crate::ends::{Echo, client, hear, say};

async fn path(weather: Weather) -> (Echo, Proxy) {
    let echo = Echo::start().await;
    let proxy = Proxy::start(Route { weather, ..Route::to(echo.address) }).unwrap();
    (echo, proxy)
}

#[tokio::test]
async fn latency_is_felt_each_way_and_does_not_add_up() {
    let (_echo, proxy) = path(Weather { latency_ms: 50, ..Weather::default() }).await;
    let mut socket = client(&proxy, "first").await;
    let began = Instant::now();
    for n in 0..10 {
        say(&mut socket, &n.to_string()).await;
    }
    assert_eq!(hear(&mut socket, 10).await, "0123456789");
    assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());
    proxy.set_weather(Weather::default());
    say(&mut socket, "and then").await;
    assert_eq!(hear(&mut socket, 8).await, "and then");
}

#[tokio::test]
async fn a_new_connection_waits_before_anything_passes() {
    let (_echo, proxy) = path(Weather { connect_ms: 100, ..Weather::default() }).await;
    let began = Instant::now();
    client(&proxy, "first").await;
    assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_throttled_path_takes_its_time_and_loses_nothing() {
    let weather = Weather { bytes_per_second: Some(10_000), jitter_ms: 5, ..Weather::default() };
    let (_echo, proxy) = path(weather).await;
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    let words: String = (0..300).map(|n| format!("{n:04} ")).collect();
    let began = Instant::now();
    say(&mut socket, &words).await;
    assert_eq!(hear(&mut socket, words.len()).await, words);
    // 1500 bytes up; their last part comes down again.
    assert!(began.elapsed() >= Duration::from_millis(150), "{:?}", began.elapsed());
}

//! TLS and the longer road.

use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use unbroken_sim::{Fault, Settings, Stage, Vendor};

use crate::client::{End, Stream, settings, token, until, within};

#[tokio::test]
async fn tls_is_served_to_who_trusts_the_authority() {
    let vendor = Vendor::start(Settings { tls: true, ..settings() }).await.unwrap();
    assert!(vendor.http_url.starts_with("https://") && vendor.ws_url.starts_with("wss://"));
    let url = format!("{}/api/v2/wfm/schedules", vendor.http_url);
    let stranger = reqwest::Client::new().get(&url).send();
    assert!(within(stranger).await.is_err());
    let pem = vendor.ca_pem.clone().unwrap();
    let authority = reqwest::Certificate::from_pem(pem.as_bytes()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([authority]).build().unwrap();
    let response = within(client.get(&url).send()).await.unwrap();
    assert_eq!(response.status(), 401);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"], "invalid_token");
}

#[tokio::test]
async fn bytes_take_their_time_each_way_and_so_do_a_close_and_a_reset() {
    const DELAY: Duration = Duration::from_millis(40);
    let latency_ms = 40;
    let vendor = Vendor::start(Settings { latency_ms, ..settings() }).await.unwrap();
    let token = token(&vendor).await;
    let (mut stream, _) = Stream::subscribed(&vendor, &token, None).await;
    for _ in 0..3 {
        let asked = Instant::now();
        stream.say(serde_json::json!({"action": "ping"})).await;
        stream.next_of(&["pong"]).await;
        assert!(asked.elapsed() >= 2 * DELAY);
    }
    vendor.inject(Fault::CleanClose).unwrap();
    assert_eq!(stream.drain().await.1, End::Close(1012));
    let (mut stream, _) = Stream::subscribed(&vendor, &token, None).await;
    vendor.inject(Fault::TcpReset).unwrap();
    assert_eq!(stream.drain().await.1, End::Reset);
}

#[tokio::test]
async fn a_reset_is_a_reset_on_the_bare_socket() {
    for latency_ms in [0, 20] {
        let vendor = Vendor::start(Settings { latency_ms, ..settings() }).await.unwrap();
        let token = token(&vendor).await;
        let mut socket = tokio::net::TcpStream::connect(vendor.address).await.unwrap();
        let request = format!(
            "GET /notifications/v1/stream HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = vec![0; 4_096];
        let count = within(socket.read(&mut bytes)).await.unwrap();
        let head = String::from_utf8_lossy(&bytes[..count]);
        // The key and its answer are those of RFC 6455, section 1.3.
        assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
        // A masked text frame with an all-zero mask.
        let subscribe = br#"{"action":"subscribe"}"#;
        let mut frame = vec![0x81, 0x80 | subscribe.len() as u8, 0, 0, 0, 0];
        frame.extend(subscribe);
        socket.write_all(&frame).await.unwrap();
        let mut news = vendor.told();
        vendor.inject(Fault::TcpReset).unwrap();
        let error = within(async {
            loop {
                match socket.read(&mut bytes).await {
                    Ok(0) => panic!("a polite end"),
                    Ok(_) => {}
                    Err(error) => return error,
                }
            }
        });
        assert_eq!(error.await.kind(), std::io::ErrorKind::ConnectionReset);
        until(&mut news, Fault::TcpReset, Stage::Ended).await;
    }
}

//! A client that does not take what it is sent.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;
use unbroken_relay::RelayConfig;

use crate::house::{House, PATIENCE};
use crate::sse::Events;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_nothing_is_cut_off_and_goes_on_from_its_place() {
    const RECORDS: u64 = 4_000;
    let mut house = House::new(RelayConfig { stall_ms: 300, ..RelayConfig::default() });
    let socket = TcpSocket::new_v4().expect("a socket");
    // Little fits on the way.
    socket.set_recv_buffer_size(4_096).expect("a size");
    let address = format!("127.0.0.1:{}", house.port()).parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("it connects");
    let request = format!(
        "GET /v1/events/stream HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\r\n",
        house.token
    );
    stream.write_all(request.as_bytes()).await.expect("it is sent");
    for _ in 0..RECORDS / 100 {
        house.write_large(100, 2_000);
    }
    let begun = tokio::time::Instant::now();
    loop {
        let text = house.get("/metrics").send().await.expect("one").text().await.expect("text");
        if text.contains("\nunbroken_relay_stalled_total 1\n") {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "it is never cut off");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut taken = Vec::new();
    // What was on its way may still come, and then a reset or the end.
    let _ = stream.read_to_end(&mut taken).await;
    let taken = String::from_utf8_lossy(&taken);
    let (whole, _) = taken.rsplit_once("\n\n").expect("it had got some");
    let last = whole.rsplit("\nid: ").next().and_then(|rest| rest.lines().next()).expect("an id");
    let offset: u64 = last.split_once(':').and_then(|(_, n)| n.parse().ok()).expect("a place");
    assert!(offset < RECORDS, "it was cut off before the end");

    let mut events = Events::open(&house, "/v1/events/stream", Some(last)).await;
    for n in offset..RECORDS {
        let event = events.next_of_record().await.expect("an event");
        assert_eq!(event.data["data"]["payload"]["n"], n);
    }
}

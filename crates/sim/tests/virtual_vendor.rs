//! The vendor in virtual time: the same rules, without sockets.
#![cfg(test)]

use bytes::BytesMut;
use serde_json::Value;
use unbroken_sim::truth::SubscriptionEnd;
use unbroken_sim::{Fault, Heard, Reply, Settings, Turn, VirtualVendor};

const TICK_US: u64 = 10_000;

/// A client that holds one stream.
struct Client {
    vendor: VirtualVendor,
    now_us: u64,
    conn: u64,
    bytes: BytesMut,
    /// The fragments of a message that is not whole.
    part: Vec<u8>,
    all: Vec<u8>,
}

impl Client {
    fn new(settings: Settings) -> Self {
        let vendor = VirtualVendor::new(settings, 1_700_000_000_000_000).unwrap();
        let bytes = BytesMut::new();
        let (part, all) = (Vec::new(), Vec::new());
        let mut client = Self { vendor, now_us: 0, conn: 0, bytes, part, all };
        client.connect();
        client
    }

    fn connect(&mut self) {
        let credentials = VirtualVendor::credentials();
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            credentials.client_id, credentials.client_secret
        );
        assert!(self.vendor.admit());
        let reply = self.vendor.answer("POST", "/token", Vec::new(), form.into_bytes());
        let Reply::Told { status: 200, body, .. } = reply else { panic!("{reply:?}") };
        let token: Value = serde_json::from_str(&body).unwrap();
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![
            header("authorization", &format!("Bearer {}", token["access_token"].as_str().unwrap())),
            header("upgrade", "websocket"),
            header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        let reply = self.vendor.answer("GET", "/notifications/v1/stream", headers, Vec::new());
        let Reply::Stream(conn) = reply else { panic!("{reply:?}") };
        self.conn = conn;
        self.bytes.clear();
        self.part.clear();
    }

    fn subscribe(&mut self, after: Option<u64>) {
        let place = after.map(|after| format!("\"sequenceId\":{after}")).unwrap_or_default();
        let text = format!("{{\"action\":\"subscribe\",\"payload\":{{{place}}}}}");
        self.vendor.hear(self.conn, Heard::Text(text));
    }

    /// Lets a moment pass; returns the messages that came, and what became of the stream.
    fn tick(&mut self) -> (Vec<Value>, Turn) {
        self.now_us += TICK_US;
        self.vendor.set_time(self.now_us);
        self.vendor.tick();
        let before = self.bytes.len();
        let turn = self.vendor.turn(self.conn, &mut self.bytes);
        self.all.extend_from_slice(&self.bytes[before..]);
        (texts(&mut self.bytes, &mut self.part), turn)
    }

    /// How the last subscription ended.
    fn end(&self) -> SubscriptionEnd {
        self.vendor.truth().subscriptions.last().unwrap().end
    }
}

/// Takes the texts out of the vendor's frames.
fn texts(bytes: &mut BytesMut, part: &mut Vec<u8>) -> Vec<Value> {
    let mut texts = Vec::new();
    while bytes.len() >= 2 {
        let (is_last, opcode, short) = (bytes[0] & 0x80 != 0, bytes[0] & 0x0f, bytes[1]);
        let (head, len) = match short {
            126 if bytes.len() >= 4 => (4, usize::from(u16::from_be_bytes([bytes[2], bytes[3]]))),
            126 => break,
            short => (2, usize::from(short)),
        };
        if bytes.len() < head + len {
            break;
        }
        let frame = bytes.split_to(head + len);
        if opcode <= 1 {
            part.extend_from_slice(&frame[head..]);
            if is_last {
                texts.push(serde_json::from_slice(part).unwrap());
                part.clear();
            }
        }
    }
    texts
}

fn settings(seed: u64) -> Settings {
    Settings { seed, agents: 5, rate: 50.0, churn_ms: 0, ..Settings::default() }
}

#[test]
fn the_same_calls_write_the_same_bytes() {
    let history = |seed| {
        let mut client = Client::new(settings(seed));
        client.subscribe(None);
        client.vendor.inject(&[Fault::Duplicates, Fault::Fragmentation]);
        for _ in 0..500 {
            client.tick();
        }
        client.all
    };
    assert!(history(1).len() > 10_000);
    assert_eq!(history(1), history(1));
    assert_ne!(history(1), history(2));
}

/// Ten times as likely to show as over sockets: a few hundred events are dropped.
#[test]
fn whoever_asks_again_for_a_dropped_event_gets_it() {
    let mut asked_again = 0;
    for seed in 0..40 {
        let mut client = Client::new(settings(seed));
        let mut held = client.vendor.events_emitted();
        let mut asked_from = None;
        client.subscribe(Some(held));
        client.vendor.inject(&[Fault::DroppedFrames]);
        for _ in 0..1_000 {
            let (messages, turn) = client.tick();
            assert_eq!(turn, Turn::GoesOn);
            for sequence in messages.iter().filter_map(|message| match message["type"].as_str() {
                Some("event" | "removed") => message["sequenceId"].as_u64(),
                _ => None,
            }) {
                if sequence == held + 1 {
                    held = sequence;
                } else if sequence > held + 1 {
                    assert_ne!(asked_from, Some(held), "seed {seed}: {held} came not even then");
                    asked_from = Some(held);
                    asked_again += 1;
                    client.subscribe(Some(held));
                    break;
                }
            }
        }
    }
    assert!(asked_again > 40, "only {asked_again} were dropped");
}

#[test]
fn only_an_echoed_close_frame_shows_that_all_was_read() {
    for (said, want) in [(1012, SubscriptionEnd::Closed), (1000, SubscriptionEnd::Left)] {
        let mut client = Client::new(settings(3));
        client.subscribe(None);
        client.vendor.inject(&[Fault::CleanClose]);
        while client.vendor.fault_counts().is_empty() {
            client.tick();
        }
        // Its close frame is out, and ours may have crossed it.
        client.tick();
        let code: u16 = said;
        client.vendor.hear(client.conn, Heard::Close(code.to_be_bytes().to_vec()));
        let (_, turn) = client.tick();
        assert_eq!((turn, client.end()), (Turn::Over, want));
    }
}

#[test]
fn a_connection_that_broke_ends_its_subscription() {
    let mut client = Client::new(settings(4));
    client.subscribe(None);
    client.tick();
    assert_eq!(client.end(), SubscriptionEnd::Open);
    client.vendor.broken(client.conn);
    assert_eq!(client.end(), SubscriptionEnd::Broken);
    assert_eq!(client.tick().1, Turn::Over);
    assert!(client.vendor.streams().is_empty());
}

//! Each request of `docs/reference/relay-requests.md`, and its answer.

use unbroken_relay::{RelayConfig, Scope};

use crate::house::House;
use crate::security::raw;

const PAGE: &str = include_str!("../../../../docs/reference/relay-requests.md");

/// A row of the page: what is tried, the request's line, its headers, the answer.
struct Row<'a> {
    tried: &'a str,
    line: &'a str,
    headers: Vec<&'a str>,
    answer: &'a str,
}

fn rows() -> Vec<Row<'static>> {
    let cells = PAGE.lines().filter(|line| line.starts_with('|')).map(|line| {
        let cells = line.trim_matches('|').split('|').map(str::trim);
        cells.collect::<Vec<_>>()
    });
    let row = |cells: Vec<&'static str>| {
        let [tried, line, headers, answer] = cells[..] else { return None };
        let is_row = line.starts_with('`');
        let headers = headers.split("`, `").map(|header| header.trim_matches('`')).collect();
        is_row.then(|| Row { tried, line: line.trim_matches('`'), headers, answer })
    };
    cells.filter_map(row).collect()
}

/// `3 × a` is `aaa`, also at the end of something.
fn written_out(text: &str) -> String {
    let Some((before, what)) = text.split_once(" × ") else { return text.to_owned() };
    let digits = before.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (before, count) = before.split_at(before.len() - digits);
    let count: usize = count.parse().expect("a number");
    match what.contains(':') {
        true => vec![what; count].join("\r\n"),
        false => format!("{before}{}", what.repeat(count)),
    }
}

/// What stands for the names of the page in this house.
struct Names {
    port: String,
    headers: [(&'static str, String); 6],
}

impl Names {
    async fn of(house: &House) -> Self {
        let read = house.add_token("reader", Scope::Read, None);
        let expired = house.add_token("old", Scope::Admin, Some(2));
        let bearer = |token: &str| format!("Authorization: Bearer {token}");
        let body = serde_json::json!({ "token": house.token }).to_string();
        let begun = reqwest::Client::new().post(house.url("/v1/session")).body(body).send().await;
        let set = begun.expect("one").headers()["set-cookie"].to_str().expect("text").to_owned();
        let socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                      Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        let headers = [
            ("OWN", "Host: localhost:PORT".to_owned()),
            ("ADMIN", bearer(&house.token)),
            ("READ", bearer(&read)),
            ("EXPIRED", bearer(&expired)),
            ("COOKIE", format!("Cookie: {}", set.split(';').next().expect("a pair"))),
            ("SOCKET", socket.to_owned()),
        ];
        Self { port: house.port().to_string(), headers }
    }

    fn header(&self, text: &str) -> String {
        let named = self.headers.iter().find(|(name, _)| *name == text);
        let text = named.map_or_else(|| written_out(text), |(_, header)| header.clone());
        text.replace("PORT", &self.port)
    }

    fn request(&self, row: &Row<'_>) -> String {
        let headers: Vec<String> = row.headers.iter().map(|text| self.header(text)).collect();
        let close = if row.headers.contains(&"SOCKET") { "" } else { "Connection: close\r\n" };
        let length = headers.iter().find_map(|header| header.strip_prefix("Content-Length: "));
        let length = length.map_or(0, |length| length.parse().expect("a number"));
        let (line, headers) = (written_out(row.line), headers.join("\r\n"));
        format!("{line} HTTP/1.1\r\n{close}{headers}\r\n\r\n{}", "a".repeat(length))
    }
}

/// Status and kind of an answer, as the page writes them.
fn told(answer: &str) -> String {
    let status = answer.split(' ').nth(1).unwrap_or("no answer");
    let kind = answer.split_once("\"type\":\"").and_then(|(_, rest)| rest.split('"').next());
    let kind = kind.and_then(|kind| kind.rsplit(['/', '#']).next());
    kind.map_or_else(|| status.to_owned(), |kind| format!("{status} `{kind}`"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_of_the_page_is_answered_as_it_says() {
    let house = House::new(RelayConfig { body_bytes_max: 1_000, ..RelayConfig::default() });
    let names = Names::of(&house).await;
    let rows = rows();
    assert!(rows.len() > 30, "the page has {} rows", rows.len());
    for row in rows {
        let answer = raw(&house, names.request(&row).as_bytes()).await;
        assert_eq!(told(&answer), row.answer, "{}", row.tried);
    }
}

//! `/readyz` says whether the data is current, and not merely whether the process lives.

use serde_json::Value;

use crate::house::House;

#[test]
fn readiness_goes_red_when_the_vendor_is_gone_although_the_process_lives() {
    let mut house = House::new("listen = \"127.0.0.1:0\"");
    let service = house.run();
    service.wait("/readyz", |status, _| status == 200);
    let rows = |told: &Value| told["rows"].as_array().map_or(0, Vec::len);
    let current = service.wait("/v1/state?status=live", |_, told| rows(told) > 0);
    house.stop_vendor();
    let told = service.wait("/readyz", |status, _| status == 503);
    assert_eq!(told["type"], "/problems/stale");
    assert_eq!(told["stale"][0]["stream"], "cx/adherence");
    assert!(told["stale"][0]["since"].as_str().is_some_and(|since| since.ends_with('Z')));
    assert_eq!(service.ask("/healthz").0, 200);
    service.wait("/v1/state?status=live", |_, told| rows(told) == 0);
    assert!(rows(&service.ask("/v1/state?status=stale").1) >= rows(&current));
    let (_, sources) = service.ask("/v1/sources");
    assert_ne!(sources["sources"][0]["streams"][0]["phase"], "live");
    let metrics = service.ask_as(&service.token, "/metrics").text().expect("text");
    assert!(metrics.contains("unbroken_live{source=\"cx\",stream=\"cx/adherence\"} 0\n"));
    assert!(metrics.contains("unbroken_relay_connections "));
    // What cannot be asked for while it is away is still accepted: it is done on the way back.
    let client = reqwest::blocking::Client::new();
    let resync = |path: &str, body: &'static str| {
        let asked = client.post(format!("{}{path}", service.url)).bearer_auth(&service.token);
        asked.body(body).send().expect("an answer").status().as_u16()
    };
    assert_eq!(resync("/v1/sources/cx/resync", ""), 202);
    assert_eq!(resync("/v1/sources/cx%2Fadherence/resync", "{\"keys\":null}"), 202);
    assert_eq!(resync("/v1/sources/nobody/resync", ""), 404);
    assert_eq!(resync("/v1/sources/cx/resync", "[]"), 400);
    assert_eq!(service.stop(), Some(0));
}

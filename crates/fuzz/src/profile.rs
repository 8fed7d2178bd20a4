//! Profiles: any text.

use bytes::Bytes;
use toml::Table;
use unbroken_connect::generic::{Context, Generic};
use unbroken_core::ids::Key;
use unbroken_core::machine::{Fetch, Message};

use crate::frame::check_frame;
use crate::vendors::Vendor;

/// Frames and answers in the shapes that profiles know.
const FRAMES: &[&str] = &[
    "",
    "null",
    "[]",
    r#"{"type":"event","events":[{"id":"a","n":1},{"id":"b","n":"2"}],"key":"a","sequence":3}"#,
    r#"{"type":"subscribed","subscription":"s","position":7,"error":{"code":"stale","floor":3}}"#,
    r#"{"agents":{"a":{"state":"x"},"b":null},"next":"/more?from=2","total":2,"epoch":"e"}"#,
];

/// Whatever the text is: it is refused with words, or it is a profile that can be used for
/// everything without a panic.
pub fn check(input: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(input) else { return false };
    let mut is_one = false;
    for keyed in [false, true] {
        match Generic::from_toml(text, Table::new(), keyed) {
            Ok(generic) => {
                is_one = true;
                use_it(&Vendor { name: "the profile", generic });
            }
            Err(error) => {
                assert!(!error.to_string().is_empty());
                let _ = error.hint();
            }
        }
    }
    is_one
}

fn use_it(vendor: &Vendor) {
    let keys = [Key::from("agent-1"), Key::from("agent 2/ü\"")];
    let context = || Context { keys: &keys, nonce: "n", ..Context::default() };
    let generic = &vendor.generic;
    let _ = generic.handshake(context());
    let _ = generic.login(context());
    let _ = generic.renewal(context());
    let _ = generic.message(&Message::Ping, context());
    let _ = generic.message(&Message::Unsubscribe, context());
    let _ = generic.message(&Message::Subscribe { after: None }, context());
    let _ = generic.subscriptions(None, context());
    for frame in FRAMES {
        let frame = Bytes::from_static(frame.as_bytes());
        let _ = check_frame(vendor, &frame);
        for what in [Fetch::Head, Fetch::First] {
            let _ = generic.fetch(&what, context());
            let _ = generic.page(&what, &frame, &keys);
        }
    }
}

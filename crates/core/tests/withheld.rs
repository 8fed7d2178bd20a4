//! Goal: of a source whose fields are dropped, bytes that cannot be understood are not kept, and
//! are in doubt all the same.

use crate::world::{World, contiguous};
use bytes::Bytes;
use unbroken_core::connector::{Decoded, Item, Numbering, Replay};
use unbroken_core::machine::Input;
use unbroken_core::record::{Body, GapCause};

#[test]
fn only_their_shape_is_kept_and_they_are_on_the_ledger() {
    let mut rules = contiguous();
    rules.caps.position = Numbering::Increasing;
    rules.caps.replay = Replay::None;
    let mut world = World::new(rules);
    world.emit(0);
    world.run_to_live();
    let conn = world.sole_conn();
    let shape = Bytes::from_static(br#"{"phone":"text"}"#);
    let withheld =
        Item::Withheld { reason: "x".into(), shape: shape.clone(), length: 77, digest: 5 };
    let decoded = Decoded { items: vec![withheld], ..Decoded::default() };
    world.give(Input::Frame { conn, decoded });
    let unit: Vec<&Body> =
        world.log.last().into_iter().flat_map(|u| &u.records).map(|r| &r.body).collect();
    let kept = unit.iter().find_map(|body| match body {
        Body::Quarantined(kept) => Some((kept.bytes.clone(), kept.length, kept.digest)),
        _ => None,
    });
    assert_eq!(kept, Some((shape, 77, 5)));
    let doubted =
        |body: &&&Body| matches!(body, Body::GapOpened(gap) if gap.cause == GapCause::Poison);
    assert_eq!(unit.iter().filter(doubted).count(), 1);
}

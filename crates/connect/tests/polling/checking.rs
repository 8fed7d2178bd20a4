//! `unbroken check` of a source that is polled.

use std::time::Duration;

use unbroken_connect::probe::{Step, Wish, observe};

use crate::vendor::{Vendor, answer, page};

async fn steps(vendor: &Vendor) -> Vec<Step> {
    let wish = Wish { listen: Duration::from_millis(200), second: false };
    let source = vendor.source();
    let mut told = |_: &Step| {};
    let looked = observe(&source, wish, &mut told);
    let observation = tokio::time::timeout(Duration::from_secs(20), looked).await.unwrap();
    let mismatches = format!("{:?}", observation.mismatches);
    assert!(!observation.mismatches.iter().any(|m| m.is_wrong()), "{mismatches}");
    observation.steps
}

#[tokio::test]
async fn a_vendor_that_answers_is_well() {
    let all = page(&[(1, "Available", 1), (2, "Dialer", 2)], 30, 2);
    // What is told of the states while it listens has no position of its own.
    let changes = (0..9).map(|n| page(&[(1, "Meeting", 31 + n)], 40 + n, 1));
    let vendor = Vendor::start(std::iter::once(all.clone()).chain(changes)).await;
    vendor.show_everybody(all);
    let steps = steps(&vendor).await;
    let bad: Vec<_> = steps.iter().filter(|step| step.is_bad()).collect();
    assert!(bad.is_empty(), "{bad:#?}");
    assert!(vendor.asked().len() > 3, "it listened: {:?}", vendor.asked());
}

#[tokio::test]
async fn a_vendor_that_refuses_is_named_with_its_words() {
    let says = "icStatusDescription: no right to agent states\r\n";
    let refused = std::iter::repeat_with(|| answer("403 Forbidden", says, "")).take(20);
    let vendor = Vendor::start(refused).await;
    let steps = steps(&vendor).await;
    let bad = steps.iter().find(|step| step.is_bad()).unwrap();
    assert!(format!("{bad:?}").contains("no right to agent states"), "{bad:?}");
}

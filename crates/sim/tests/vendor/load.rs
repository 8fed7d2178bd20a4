//! What is asked of the vendor is counted, second by second.

use unbroken_sim::{Load, Vendor};

use crate::client::{Stream, page, settings, token};

#[tokio::test]
async fn every_request_counts_also_a_refused_one() {
    let vendor = Vendor::start(settings()).await.unwrap();
    let access = token(&vendor).await;
    page(&vendor, &access, "?limit=1").await;
    page(&vendor, "nobody", "?limit=1").await;
    let _stream = Stream::open(&vendor, &access).await;
    assert!(Stream::try_open(&vendor, "nobody").await.is_err());
    let sum = vendor.load().into_iter().fold(Load::default(), |sum, load| Load {
        connections: sum.connections + load.connections,
        handshakes: sum.handshakes + load.handshakes,
        rest_calls: sum.rest_calls + load.rest_calls,
        token_calls: sum.token_calls + load.token_calls,
    });
    assert_eq!(sum, Load { connections: 5, handshakes: 2, rest_calls: 2, token_calls: 1 });
}

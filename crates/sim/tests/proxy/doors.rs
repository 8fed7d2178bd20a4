//! What becomes of new connections.

use std::io::ErrorKind;
use std::process::Command;

use tokio::net::TcpStream;
use unbroken_sim::proxy::{Door, Proxy, Route};

use crate::ends::{Echo, Ended, assert_quiet, client, hear, path, say, until, until_ended};

#[tokio::test]
async fn a_door_that_refuses_leaves_those_inside_alone_and_opens_again_in_its_place() {
    let (_echo, mut proxy) = path(1).await;
    let mut inside = client(&proxy, "mark one").await;
    let address = proxy.address();
    proxy.set_door(Door::Refusing).await.unwrap();
    let refused = TcpStream::connect(address).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    say(&mut inside, "still there").await;
    assert_eq!(hear(&mut inside, 11).await, "still there");
    proxy.set_door(Door::Open).await.unwrap();
    assert_eq!(proxy.address(), address);
    client(&proxy, "mark two").await;
    assert_eq!(proxy.counts().connections, 2);
}

/// A program that is being started holds all that this one has open until it is another one.
#[tokio::test]
async fn a_door_opens_and_shuts_while_programs_are_started() {
    let (_echo, mut proxy) = path(1).await;
    let starting = std::thread::spawn(|| {
        for _ in 0..300 {
            Command::new("true").status().unwrap();
        }
    });
    while !starting.is_finished() {
        proxy.set_door(Door::Refusing).await.unwrap();
        let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        proxy.set_door(Door::Ignoring).await.unwrap();
        proxy.set_door(Door::Open).await.unwrap();
        TcpStream::connect(proxy.address()).await.unwrap();
    }
    starting.join().unwrap();
}

#[tokio::test]
async fn a_path_that_is_taken_down_resets_those_inside_too() {
    let (_echo, mut proxy) = path(1).await;
    let mut inside = client(&proxy, "plain").await;
    proxy.take_down().await.unwrap();
    assert_eq!(until_ended(&mut inside).await.1, Ended::Reset);
    assert!(TcpStream::connect(proxy.address()).await.is_err());
    proxy.set_door(Door::Open).await.unwrap();
    client(&proxy, "plain").await;
}

#[tokio::test]
async fn who_is_ignored_is_connected_and_hears_nothing() {
    let (_echo, mut proxy) = path(1).await;
    proxy.set_door(Door::Ignoring).await.unwrap();
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    say(&mut socket, "mark one").await;
    assert_quiet(&mut socket).await;
    assert_eq!((proxy.counts().ignored, proxy.counts().bytes_up), (1, 0));
    // An open door is for those who come after it.
    proxy.set_door(Door::Open).await.unwrap();
    client(&proxy, "mark two").await;
    assert_quiet(&mut socket).await;
    proxy.take_down().await.unwrap();
    assert_eq!(until_ended(&mut socket).await.1, Ended::Reset);
}

#[tokio::test]
async fn where_no_server_is_the_client_is_reset() {
    // Bound, and not listening: refused, and nobody else's.
    let nobody = tokio::net::TcpSocket::new_v4().unwrap();
    nobody.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let proxy = Proxy::start(Route::to(nobody.local_addr().unwrap())).unwrap();
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(until_ended(&mut socket).await.1, Ended::Reset);
    assert_eq!(proxy.counts().unreachable, 1);
}

#[tokio::test]
async fn those_who_come_later_are_led_to_another_server() {
    let (mut old, proxy) = path(1).await;
    let mut new = Echo::start().await;
    let mut first = client(&proxy, "old").await;
    proxy.set_target(new.address);
    drop(client(&proxy, "new").await);
    assert_eq!(new.next_end().await, (b"new".to_vec(), Ended::Finished));
    say(&mut first, "est").await;
    drop(first);
    assert_eq!(old.next_end().await.0, b"oldest");
}

#[tokio::test]
async fn a_proxy_that_is_dropped_ends_its_connections_and_frees_its_port() {
    let (_echo, proxy) = path(1).await;
    let mut socket = client(&proxy, "mark one").await;
    let address = proxy.address();
    drop(proxy);
    assert_eq!(until_ended(&mut socket).await.1, Ended::Reset);
    until("closed", || std::net::TcpStream::connect(address).is_err()).await;
}

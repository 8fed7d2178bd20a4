//! Each way to break a connection is felt by both ends, once, and counted.

use tokio::net::TcpStream;
use unbroken_sim::proxy::{Break, Counts, Fault, Way, Whom};

use crate::ends::{Ended, assert_quiet, client, hear, path, say, until, until_ended};

#[tokio::test]
async fn a_reset_is_a_reset_to_both_ends() {
    let (mut echo, proxy) = path(1).await;
    let mut socket = client(&proxy, "mark one").await;
    assert_eq!(proxy.strike(Whom::Marked, Fault::now(Break::Reset)), 1);
    assert_eq!(until_ended(&mut socket).await, (String::new(), Ended::Reset));
    assert_eq!(echo.next_end().await, (b"mark one".to_vec(), Ended::Reset));
    assert_eq!((proxy.counts().resets, proxy.counts().cut_short), (1, 0));
    until("forgotten", || proxy.marked_count() == 0).await;
    assert_eq!(proxy.strike(Whom::All, Fault::now(Break::Reset)), 0);
}

#[tokio::test]
async fn a_finish_is_an_end_in_good_order_to_both_ends() {
    let (mut echo, proxy) = path(1).await;
    let mut socket = client(&proxy, "mark one").await;
    proxy.strike(Whom::Marked, Fault::now(Break::Finish));
    assert_eq!(until_ended(&mut socket).await, (String::new(), Ended::Finished));
    assert_eq!(echo.next_end().await, (b"mark one".to_vec(), Ended::Finished));
    assert_eq!((proxy.counts().finishes, proxy.counts().resets), (1, 0));
}

#[tokio::test]
async fn in_silence_nothing_passes_and_nobody_is_told() {
    let (mut echo, proxy) = path(1).await;
    let mut socket = client(&proxy, "mark one").await;
    proxy.strike(Whom::Marked, Fault::now(Break::Silence));
    say(&mut socket, "unheard").await;
    assert_quiet(&mut socket).await;
    assert_eq!((proxy.marked_count(), proxy.silent_count()), (0, 1));
    // The client gives up: the server hears of it too, so that nothing is left behind.
    drop(socket);
    assert_eq!(echo.next_end().await, (b"mark one".to_vec(), Ended::Reset));
    assert_eq!((proxy.counts().silences, proxy.counts().resets), (1, 0));
}

#[tokio::test]
async fn a_mute_server_still_hears() {
    let (mut echo, proxy) = path(1).await;
    let mut socket = client(&proxy, "mark one").await;
    proxy.strike(Whom::Marked, Fault::now(Break::Mute(Way::Down)));
    say(&mut socket, ", two").await;
    assert_quiet(&mut socket).await;
    drop(socket);
    assert_eq!(echo.next_end().await.0, b"mark one, two");
    until("forgotten", || proxy.silent_count() == 0).await;
    assert_eq!((proxy.counts().mutes_down, proxy.counts().mutes_up), (1, 0));
}

#[tokio::test]
async fn a_mute_client_is_not_heard() {
    let (mut echo, proxy) = path(1).await;
    let mut socket = client(&proxy, "mark one").await;
    proxy.strike(Whom::Marked, Fault::now(Break::Mute(Way::Up)));
    say(&mut socket, ", two").await;
    assert_quiet(&mut socket).await;
    drop(socket);
    assert_eq!(echo.next_end().await, (b"mark one".to_vec(), Ended::Reset));
    assert_eq!((proxy.counts().mutes_down, proxy.counts().mutes_up), (0, 1));
}

#[tokio::test]
async fn so_many_bytes_pass_and_not_one_more() {
    let (_echo, proxy) = path(1).await;
    let mut socket = client(&proxy, "mark one").await;
    proxy.strike(Whom::Marked, Fault::after(Way::Down, 10, Break::Finish));
    say(&mut socket, "1234567").await;
    assert_eq!(hear(&mut socket, 7).await, "1234567");
    say(&mut socket, "89abcdef").await;
    assert_eq!(until_ended(&mut socket).await, ("89a".to_owned(), Ended::Finished));
    assert_eq!((proxy.counts().finishes, proxy.counts().cut_short), (1, 1));
}

#[tokio::test]
async fn words_are_cut_in_their_middle_where_the_seed_says() {
    const WORDS: &str = "a sentence that is long enough";
    let mut places = Vec::new();
    for seed in [1, 2, 3, 1] {
        let (_echo, proxy) = path(seed).await;
        let mut socket = client(&proxy, "mark one").await;
        proxy.strike(Whom::Marked, Fault::within(Way::Down, Break::Reset));
        assert_eq!(proxy.counts().resets, 0, "nothing has come since");
        say(&mut socket, WORDS).await;
        until("cut", || proxy.counts().cut_short == 1).await;
        let down = proxy.counts().bytes_down as usize - "mark one".len();
        assert!((1..WORDS.len()).contains(&down), "{down}");
        let (heard, ended) = until_ended(&mut socket).await;
        // What a reset overtakes, the system may throw away.
        assert!(ended == Ended::Reset && WORDS[..down].starts_with(&heard), "{heard}");
        assert_eq!(proxy.counts().resets, 1);
        places.push(down);
    }
    assert_eq!(places[0], places[3], "{places:?}");
    assert!(places[0] != places[1] || places[1] != places[2], "{places:?}");
}

#[tokio::test]
async fn half_of_the_words_and_then_silence() {
    let (mut echo, proxy) = path(7).await;
    let mut socket = client(&proxy, "mark one").await;
    proxy.strike(Whom::Marked, Fault::within(Way::Up, Break::Silence));
    say(&mut socket, "0123456789").await;
    let cut = || proxy.counts().bytes_up as usize - "mark one".len();
    until("cut", || proxy.counts().silences == 1).await;
    drop(socket);
    let (received, _) = echo.next_end().await;
    assert_eq!(received, format!("mark one{}", &"0123456789"[..cut()]).as_bytes());
    assert!((1..10).contains(&cut()), "{}", cut());
}

#[tokio::test]
async fn an_ambush_meets_one_new_connection_of_its_kind() {
    let (_echo, proxy) = path(1).await;
    proxy.ambush(Whom::Marked, Fault::after(Way::Down, 3, Break::Finish));
    let mut plain = client(&proxy, "plain").await;
    let mut marked = TcpStream::connect(proxy.address()).await.unwrap();
    say(&mut marked, "mark one").await;
    assert_eq!(until_ended(&mut marked).await, ("mar".to_owned(), Ended::Finished));
    client(&proxy, "mark two").await;
    proxy.ambush(Whom::All, Fault::now(Break::Reset));
    let mut next = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(until_ended(&mut next).await.1, Ended::Reset);
    say(&mut plain, "still there").await;
    assert_eq!(hear(&mut plain, 11).await, "still there");
}

#[tokio::test]
async fn who_is_not_marked_is_spared() {
    let (_echo, proxy) = path(1).await;
    let mut plain = client(&proxy, "plain").await;
    let mut marked = client(&proxy, "mark one").await;
    let mut silent = TcpStream::connect(proxy.address()).await.unwrap();
    until("accepted", || proxy.counts().connections == 3).await;
    assert_eq!((proxy.counts().marked, proxy.marked_count()), (1, 1));
    assert_eq!(proxy.strike(Whom::Marked, Fault::now(Break::Reset)), 1);
    assert_eq!(until_ended(&mut marked).await.1, Ended::Reset);
    say(&mut plain, "still there").await;
    assert_eq!(hear(&mut plain, 11).await, "still there");
    until("forgotten", || proxy.marked_count() == 0).await;
    assert_eq!(proxy.strike(Whom::All, Fault::now(Break::Reset)), 2);
    assert_eq!(until_ended(&mut plain).await.1, Ended::Reset);
    assert_eq!(until_ended(&mut silent).await.1, Ended::Reset);
}

#[tokio::test]
async fn a_clear_path_changes_nothing() {
    let (mut echo, proxy) = path(1).await;
    let mut socket = client(&proxy, "plain").await;
    let words = "x".repeat(3 << 20);
    let (mut reader, mut writer) = socket.split();
    let mut heard = vec![0; words.len()];
    let (wrote, read) = tokio::join!(
        tokio::io::AsyncWriteExt::write_all(&mut writer, words.as_bytes()),
        tokio::io::AsyncReadExt::read_exact(&mut reader, &mut heard),
    );
    wrote.unwrap();
    read.unwrap();
    assert!(heard == words.as_bytes());
    tokio::io::AsyncWriteExt::shutdown(&mut writer).await.unwrap();
    let (received, ended) = echo.next_end().await;
    assert_eq!((received.len(), ended), (words.len() + 5, Ended::Finished));
    assert_eq!(until_ended(&mut socket).await, (String::new(), Ended::Finished));
    let bytes = words.len() as u64 + 5;
    let expected =
        Counts { connections: 1, bytes_up: bytes, bytes_down: bytes, ..Counts::default() };
    assert_eq!(proxy.counts(), expected);
}

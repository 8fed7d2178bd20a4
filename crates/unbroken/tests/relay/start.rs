//! What keeps the relay from starting is said before anything else begins, with what to do.

use std::net::TcpListener;

use crate::house::House;

fn refused(house: &House) -> String {
    let output = house.command(&["run"]);
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn an_open_address_without_tls_and_a_taken_port_are_refused_with_the_way_out() {
    let house = House::new("listen = \"0.0.0.0:0\"");
    let said = refused(&house);
    assert!(said.contains("relay: 0.0.0.0:0 can be reached from other machines"), "{said}");
    assert!(said.contains("behind_proxy"), "{said}");
    assert!(!house.data("journal").exists(), "nothing was opened");

    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address");
    let house = House::new(&format!("listen = \"{address}\""));
    let said = refused(&house);
    assert!(said.contains(&format!("relay cannot listen on {address}")), "{said}");
    assert!(said.contains("another program has the port"), "{said}");

    let house = House::new("listen = \"127.0.0.1:0\"\ntls_cert = \"c.pem\"\ntls_key = \"k.pem\"");
    let said = refused(&house);
    assert!(said.contains("c.pem cannot be used"), "{said}");
}

#[test]
fn a_token_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;

    let house = House::new("listen = \"127.0.0.1:0\"");
    house.run().stop();
    let file = house.data("relay.token");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("a mode");
    let said = refused(&house);
    assert!(said.contains("can be read by others"), "{said}");
    assert!(said.contains("a new one is made at the start"), "{said}");
}

#[test]
fn the_limit_of_open_files_is_raised_as_far_as_it_may_be() {
    let house = House::new("listen = \"127.0.0.1:0\"\nconnections_max = 3000");
    let service = house.run();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", service.pid()));
    let limits = limits.expect("this is Linux");
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let words: Vec<&str> = line.expect("a limit").split_whitespace().collect();
    let number = |word: &str| word.parse::<u64>().unwrap_or(u64::MAX);
    let (soft, hard) = (number(words[0]), number(words[1]));
    assert!(soft >= hard.min(3_256), "{soft} of {hard}");
    assert_eq!(service.stop(), Some(0));
}

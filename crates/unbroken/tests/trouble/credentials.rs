//! Credentials that are wrong, missing, or changed while the service runs.

use crate::house::{House, Simulated};

#[test]
fn a_wrong_secret_is_named_and_the_right_one_is_taken_without_a_restart() {
    let simulated = Simulated::start(Simulated::settings());
    let house = House::new(&simulated.config(""));
    house.write("secret", "hunter2-wrong");
    let mut service = house.serve();
    let stream = service.wait_phase("blocked");
    let http_url = &simulated.vendor.http_url;
    assert_eq!(
        stream["why"],
        format!(
            "credentials refused: token refused by {http_url}/token: HTTP 401 (invalid_client)"
        )
    );
    assert_eq!(stream["todo"], "check client id, secret and scope; then `unbroken control reload`");
    house.write("secret", &simulated.vendor.credentials.client_secret);
    service.wait_phase("live");
    let (code, log) = service.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn a_secret_by_command_is_rotated_without_a_restart() {
    let simulated = Simulated::start(Simulated::settings());
    let text = simulated
        .config("")
        .replace("{ file = ", "{ command = [\"cat\", ")
        .replace("\"secret\" }", "\"secret\"] }");
    let house = House::new(&text);
    let mut service = house.serve();
    let stream = service.wait_phase("blocked");
    let why = stream["why"].as_str().unwrap_or_default();
    assert!(
        why.starts_with("credentials refused: secret command cat failed (exit status: 1, "),
        "{why}"
    );
    assert!(why.ends_with("; run the command by hand as the user that runs unbroken"), "{why}");
    house.write("secret", &simulated.vendor.credentials.client_secret);
    service.wait_phase("live");
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn an_unreadable_secret_file_is_named_with_what_to_do() {
    let simulated = Simulated::start(Simulated::settings());
    let house = House::new(&simulated.config(""));
    let mut service = house.serve();
    let stream = service.wait_phase("blocked");
    assert_eq!(
        stream["why"],
        "credentials refused: secret file secret cannot be read; make secret readable for the user \
         that runs unbroken"
    );
    assert_eq!(service.stop().0, Some(0));
}

#[test]
fn a_scope_that_is_not_granted_is_named() {
    let simulated = Simulated::start(Simulated::settings());
    let text = format!("{}scope = \"wfm:everything:write\"\n", simulated.config(""));
    let house = House::new(&text);
    house.write("secret", &simulated.vendor.credentials.client_secret);
    let mut service = house.serve();
    let stream = service.wait_phase("blocked");
    let http_url = &simulated.vendor.http_url;
    assert_eq!(
        stream["why"],
        format!(
            "credentials refused: token refused by {http_url}/token (scope wfm:everything:write): \
             HTTP 400 (invalid_scope)"
        )
    );
    assert_eq!(service.stop().0, Some(0));
}

/// The environment's proxy is not there, and the vendor's name is none that anybody knows: whose
/// fault it is must not be guessed.
#[test]
fn a_proxy_of_the_environment_that_is_not_there_is_blamed_and_not_the_vendor() {
    let auth = "grant = \"token\"\ntoken = { env = \"TOKEN_OF_THIS_TEST\" }";
    let (api, stream) = ("https://vendor.invalid", "wss://vendor.invalid");
    let house = House::new(&crate::house::config(api, stream, "", auth));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = format!("127.0.0.1:{}", listener.local_addr().expect("its address").port());
    drop(listener);
    let mut command = house.command(&["run"]);
    command.env("HTTPS_PROXY", format!("http://me:hunter2@{proxy}")).env("TOKEN_OF_THIS_TEST", "t");
    let mut service = house.start(command);
    let stream = service.wait_phase("waiting");
    assert_eq!(
        stream["why"],
        format!(
            "proxy http://{proxy} cannot be reached: connection refused, asking \
             https://vendor.invalid/api/v2/wfm/schedules; check `proxy` of the source, or \
             HTTPS_PROXY and NO_PROXY; `proxy = \"none\"` goes directly"
        )
    );
    let (code, log) = service.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

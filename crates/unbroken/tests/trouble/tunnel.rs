//! A proxy that opens tunnels to those that show the right password.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// It lives as long as the test's process.
pub(crate) struct Tunnel {
    pub(crate) port: u16,
    opened: Arc<AtomicUsize>,
}

impl Tunnel {
    /// `basic`: name and password in base64.
    pub(crate) fn start(basic: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let opened = Arc::new(AtomicUsize::new(0));
        let counting = Arc::clone(&opened);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (basic, opened) = (basic.clone(), Arc::clone(&counting));
                std::thread::spawn(move || serve(client, &basic, &opened));
            }
        });
        Self { port, opened }
    }

    pub(crate) fn opened(&self) -> usize {
        self.opened.load(Ordering::SeqCst)
    }
}

fn serve(client: TcpStream, basic: &str, opened: &AtomicUsize) -> Option<()> {
    // The client says nothing behind its request before it is answered.
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        (reader.read_line(&mut head).ok()? > 0).then_some(())?;
    }
    let mut client = client;
    if !head.contains(&format!("Proxy-Authorization: Basic {basic}\r\n")) {
        return client.write_all(b"HTTP/1.1 407 x\r\n\r\n").ok();
    }
    let target = head.strip_prefix("CONNECT ")?.split(' ').next()?;
    let server = TcpStream::connect(target).ok()?;
    client.write_all(b"HTTP/1.1 200 x\r\n\r\n").ok()?;
    opened.fetch_add(1, Ordering::SeqCst);
    let there = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || carry(there.0, there.1));
    carry(server, client);
    None
}

fn carry(mut from: TcpStream, mut to: TcpStream) {
    // An end that breaks is an end.
    let _ = std::io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

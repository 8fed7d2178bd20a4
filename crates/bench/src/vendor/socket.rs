//! The WebSocket side: a handshake, a subscription, and then whatever is sent.

use std::io::{Read, Write};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::http::Request;
use crate::Failure;

/// Opcodes of RFC 6455.
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Accepts the handshake.
pub(super) fn accept(stream: &mut impl Write, request: &Request) -> Result<(), Failure> {
    let key = request.header("sec-websocket-key").ok_or("a handshake without a key")?;
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        derive_accept_key(key.as_bytes())
    );
    stream.write_all(head.as_bytes())?;
    Ok(stream.flush()?)
}

/// Waits for the client's next text; answers pings. `None`: it has closed, or is gone.
pub(super) fn next_text(stream: &mut (impl Read + Write)) -> Result<Option<String>, Failure> {
    loop {
        let mut head = [0; 2];
        if stream.read_exact(&mut head).is_err() {
            return Ok(None);
        }
        let length = match head[1] & 0x7f {
            126 => u64::from(u16::from_be_bytes(read(stream)?)),
            127 => u64::from_be_bytes(read(stream)?),
            short => u64::from(short),
        };
        let mask: [u8; 4] = read(stream)?;
        let mut body = Vec::new();
        stream.take(length).read_to_end(&mut body)?;
        for (byte, mask) in body.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        match head[0] & 0x0f {
            TEXT => return Ok(Some(String::from_utf8(body)?)),
            PING => send(stream, PONG, &body)?,
            CLOSE => {
                // The client may be gone before it can be answered.
                let _ = send(stream, CLOSE, &body);
                return Ok(None);
            }
            _ => {}
        }
    }
}

/// Sends a text.
pub(super) fn send_text(stream: &mut impl Write, text: &str) -> Result<(), Failure> {
    send(stream, TEXT, text.as_bytes())
}

fn send(stream: &mut impl Write, opcode: u8, body: &[u8]) -> Result<(), Failure> {
    let length = u16::try_from(body.len())?;
    let mut frame = vec![0x80 | opcode];
    match u8::try_from(length) {
        Ok(short) if short < 126 => frame.push(short),
        _ => {
            frame.push(126);
            frame.extend_from_slice(&length.to_be_bytes());
        }
    }
    frame.extend_from_slice(body);
    stream.write_all(&frame)?;
    Ok(stream.flush()?)
}

fn read<const N: usize>(stream: &mut impl Read) -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

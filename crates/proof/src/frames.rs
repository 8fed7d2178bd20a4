//! A client's end of a WebSocket, as far as the real one tells its events apart.
//!
//! The library that the product uses is left out here; what it makes of bytes is mirrored, so that
//! a connection may be cut at any of them.

use bytes::{Buf, Bytes, BytesMut};
use unbroken_connect::transport::{Ended, SocketEvent};
use unbroken_core::record::Closer;

/// What a socket brings.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Brought {
    /// Something for the driver.
    Event(SocketEvent),
    /// A ping, which the socket answers by itself before the driver hears that somebody is there.
    Ping(Vec<u8>),
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// Reads a vendor's frames out of its bytes.
#[derive(Debug)]
pub(crate) struct FrameReader {
    buffer: BytesMut,
    /// The kind and what has come of a message in fragments.
    fragments: Option<(u8, BytesMut)>,
    frame_bytes_max: usize,
    is_over: bool,
}

impl FrameReader {
    pub(crate) fn new(frame_bytes_max: usize) -> Self {
        Self { buffer: BytesMut::new(), fragments: None, frame_bytes_max, is_over: false }
    }

    /// More bytes have come.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next thing that has come whole; nothing after an end.
    pub(crate) fn next(&mut self) -> Option<Brought> {
        while !self.is_over {
            let (head, header_len, len) = header(&self.buffer)?;
            if len > self.frame_bytes_max {
                return Some(self.end(Closer::Us, Some(1009), self.too_large(), Some(len as u64)));
            }
            if self.buffer.len() < header_len + len {
                return None;
            }
            self.buffer.advance(header_len);
            let payload = self.buffer.split_to(len).freeze();
            if let Some(brought) = self.frame(head, payload) {
                return Some(brought);
            }
        }
        None
    }

    fn frame(&mut self, head: u8, payload: Bytes) -> Option<Brought> {
        let (is_final, opcode) = (head & 0x80 != 0, head & 0x0f);
        match opcode {
            PING => return Some(Brought::Ping(payload.to_vec())),
            PONG => return Some(Brought::Event(SocketEvent::Alive)),
            CLOSE => {
                let code = payload.first_chunk::<2>().map(|code| u16::from_be_bytes(*code));
                let what = "vendor closed".to_owned();
                return Some(self.end(Closer::Vendor, code, what, None));
            }
            _ => {}
        }
        let (kind, whole) = match self.fragments.take() {
            None if is_final => (opcode, payload),
            None => {
                self.fragments = Some((opcode, BytesMut::from(&payload[..])));
                return None;
            }
            Some((kind, mut so_far)) => {
                so_far.extend_from_slice(&payload);
                if so_far.len() > self.frame_bytes_max {
                    let length = so_far.len() as u64;
                    return Some(self.end(Closer::Us, Some(1009), self.too_large(), Some(length)));
                }
                if !is_final {
                    self.fragments = Some((kind, so_far));
                    return None;
                }
                (kind, so_far.freeze())
            }
        };
        if kind == TEXT && std::str::from_utf8(&whole).is_err() {
            let what = "text frame is no UTF-8".to_owned();
            return Some(self.end(Closer::Us, Some(1007), what, Some(0)));
        }
        if kind != TEXT && kind != BINARY {
            let what = "frame breaks the WebSocket protocol".to_owned();
            return Some(self.end(Closer::Us, Some(1002), what, Some(0)));
        }
        Some(Brought::Event(SocketEvent::Frame(whole)))
    }

    fn too_large(&self) -> String {
        format!("frame is larger than {} bytes", self.frame_bytes_max)
    }

    fn end(&mut self, by: Closer, code: Option<u16>, what: String, unread: Option<u64>) -> Brought {
        self.is_over = true;
        Brought::Event(SocketEvent::Ended(Ended { by, code, what, unread, failure: None }))
    }
}

/// The first byte, the header's length and the payload's, once the header is there.
fn header(buffer: &[u8]) -> Option<(u8, usize, usize)> {
    let (head, short) = (*buffer.first()?, *buffer.get(1)? & 0x7f);
    Some(match short {
        126 => {
            let len = buffer.get(2..4)?.first_chunk::<2>()?;
            (head, 4, usize::from(u16::from_be_bytes(*len)))
        }
        127 => {
            let len = buffer.get(2..10)?.first_chunk::<8>()?;
            (head, 10, usize::try_from(u64::from_be_bytes(*len)).unwrap_or(usize::MAX))
        }
        len => (head, 2, usize::from(len)),
    })
}

/// How a TCP connection ends under a socket.
pub(crate) fn broken(is_reset: bool) -> SocketEvent {
    let what = if is_reset { "connection reset" } else { "connection ended without a close frame" };
    SocketEvent::Ended(Ended {
        by: Closer::Transport,
        code: None,
        what: what.to_owned(),
        unread: None,
        failure: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(reader: &mut FrameReader) -> Vec<Brought> {
        std::iter::from_fn(|| reader.next()).collect()
    }

    fn frame(text: &[u8]) -> Brought {
        Brought::Event(SocketEvent::Frame(Bytes::copy_from_slice(text)))
    }

    #[test]
    fn frames_are_the_same_wherever_their_bytes_are_cut() {
        // A text, a ping inside of a fragmented text, and a long text.
        let mut bytes = b"\x81\x02hi\x01\x01a\x89\x01p\x80\x01b\x81\x7e\x00\x80".to_vec();
        bytes.extend_from_slice(&[b'x'; 128]);
        for cut in 0..bytes.len() {
            let mut reader = FrameReader::new(1_000);
            reader.feed(&bytes[..cut]);
            let mut brought = all(&mut reader);
            reader.feed(&bytes[cut..]);
            brought.extend(all(&mut reader));
            let want =
                [frame(b"hi"), Brought::Ping(b"p".to_vec()), frame(b"ab"), frame(&[b'x'; 128])];
            assert_eq!(brought, want, "cut at {cut}");
        }
    }

    #[test]
    fn what_cannot_be_read_ends_the_socket_on_our_terms() {
        let cases: [(&[u8], u16); 3] =
            [(b"\x81\x02\xff\xff", 1007), (b"\x81\x7e\x04\x00", 1009), (b"\x83\x00", 1002)];
        for (bytes, want) in cases {
            let mut reader = FrameReader::new(1_000);
            reader.feed(bytes);
            reader.feed(b"\x81\x02hi");
            let brought = all(&mut reader);
            let [Brought::Event(SocketEvent::Ended(ended))] = &brought[..] else {
                panic!("{brought:?}")
            };
            assert_eq!((ended.by, ended.code), (Closer::Us, Some(want)));
            assert!(ended.unread.is_some());
        }
    }

    #[test]
    fn a_close_frame_is_the_vendors_end() {
        let mut reader = FrameReader::new(1_000);
        reader.feed(b"\x88\x02\x03\xf4");
        let brought = all(&mut reader);
        let [Brought::Event(SocketEvent::Ended(ended))] = &brought[..] else {
            panic!("{brought:?}")
        };
        assert_eq!((ended.by, ended.code), (Closer::Vendor, Some(1012)));
    }
}

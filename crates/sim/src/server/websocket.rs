//! The server's half of WebSocket framing (RFC 6455).

use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Largest message a client may send: subscriptions with thousands of agent ids fit well below.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// What a client's frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opcode {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn bits(self) -> u8 {
        match self {
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    fn from_bits(bits: u8) -> Option<Self> {
        [Self::Text, Self::Binary, Self::Close, Self::Ping, Self::Pong]
            .into_iter()
            .find(|opcode| opcode.bits() == bits)
    }
}

/// Writes the header of an unfragmented server frame (servers do not mask).
pub(crate) fn put_header(opcode: Opcode, length: usize, out: &mut BytesMut) {
    put_head(0x80 | opcode.bits(), length, out);
}

fn put_head(opening: u8, length: usize, out: &mut BytesMut) {
    out.put_u8(opening);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..=125), _) => out.put_u8(short),
        (_, Ok(medium)) => {
            out.put_u8(126);
            out.put_u16(medium);
        }
        _ => {
            out.put_u8(127);
            out.put_u64(length as u64);
        }
    }
}

/// Writes a whole server frame.
pub(crate) fn put_frame(opcode: Opcode, payload: &[u8], out: &mut BytesMut) {
    put_header(opcode, payload.len(), out);
    out.put_slice(payload);
}

/// Writes a text in three fragments, cut at these places, with a ping behind each but the last.
pub(crate) fn put_fragments(text: &[u8], cuts: [usize; 2], out: &mut BytesMut) {
    let (first, last) =
        (cuts[0].min(cuts[1]).min(text.len()), cuts[0].max(cuts[1]).min(text.len()));
    for (opening, part) in
        [(Opcode::Text.bits(), &text[..first]), (0, &text[first..last]), (0x80, &text[last..])]
    {
        put_head(opening, part.len(), out);
        out.put_slice(part);
        if opening & 0x80 == 0 {
            put_frame(Opcode::Ping, b"", out);
        }
    }
}

/// Writes a close frame.
pub(crate) fn put_close(code: u16, reason: &str, out: &mut BytesMut) {
    put_header(Opcode::Close, 2 + reason.len(), out);
    out.put_u16(code);
    out.put_slice(reason.as_bytes());
}

/// One frame as it stood on the wire.
struct RawFrame {
    is_final: bool,
    opcode: u8,
    payload: BytesMut,
}

/// Reads a client's messages; fragments are put together.
pub(crate) struct MessageReader<R> {
    source: R,
    buffer: BytesMut,
    fragments: Option<(Opcode, BytesMut)>,
}

impl<R: AsyncRead + Unpin> MessageReader<R> {
    pub(crate) fn new(source: R, already_read: BytesMut) -> Self {
        Self { source, buffer: already_read, fragments: None }
    }

    pub(crate) fn into_source(self) -> R {
        self.source
    }

    /// The next message, `None` at the end of the stream. May be dropped while waiting: what was
    /// read stays.
    pub(crate) async fn next(&mut self) -> io::Result<Option<(Opcode, Bytes)>> {
        loop {
            while let Some(frame) = take_frame(&mut self.buffer)? {
                if let Some(message) = self.assemble(frame)? {
                    return Ok(Some(message));
                }
            }
            if self.source.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads and drops whatever comes; returns at the end of the stream.
    pub(crate) async fn swallow(&mut self) {
        loop {
            self.buffer.clear();
            if !matches!(self.source.read_buf(&mut self.buffer).await, Ok(count) if count > 0) {
                return;
            }
        }
    }

    fn assemble(&mut self, frame: RawFrame) -> io::Result<Option<(Opcode, Bytes)>> {
        let opcode = Opcode::from_bits(frame.opcode);
        if let Some(opcode @ (Opcode::Close | Opcode::Ping | Opcode::Pong)) = opcode {
            return Ok(Some((opcode, frame.payload.freeze())));
        }
        let (opcode, mut whole) = match (opcode, self.fragments.take()) {
            (Some(opcode), None) => (opcode, BytesMut::new()),
            (None, Some(begun)) if frame.opcode == 0 => begun,
            _ => return Err(violation("fragments out of order")),
        };
        if whole.len() + frame.payload.len() > MESSAGE_BYTES_MAX {
            return Err(violation("message too long"));
        }
        whole.unsplit(frame.payload);
        if frame.is_final {
            return Ok(Some((opcode, whole.freeze())));
        }
        self.fragments = Some((opcode, whole));
        Ok(None)
    }
}

/// Takes one whole frame from the front of the buffer, unmasked; `None` if more bytes are needed.
fn take_frame(buffer: &mut BytesMut) -> io::Result<Option<RawFrame>> {
    let Some((first, second)) = buffer.first().copied().zip(buffer.get(1).copied()) else {
        return Ok(None);
    };
    if second & 0x80 == 0 {
        return Err(violation("a client's frame must be masked"));
    }
    let (length_at, length_size) = match second & 0x7f {
        126 => (2, 2),
        127 => (2, 8),
        _ => (1, 1),
    };
    let mask_at = length_at + length_size;
    let Some(length_bytes) = buffer.get(length_at..mask_at) else { return Ok(None) };
    let length = match length_bytes {
        [short] => u64::from(short & 0x7f),
        bytes => bytes.iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MESSAGE_BYTES_MAX {
        return Err(violation("frame too long"));
    }
    let body_at = mask_at + 4;
    if buffer.len() < body_at + length {
        return Ok(None);
    }
    let mut mask = [0; 4];
    mask.copy_from_slice(&buffer[mask_at..body_at]);
    buffer.advance(body_at);
    let mut payload = buffer.split_to(length);
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    Ok(Some(RawFrame { is_final: first & 0x80 != 0, opcode: first & 0x0f, payload }))
}

fn violation(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("websocket: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut bytes = vec![first];
        if payload.len() < 126 {
            bytes.push(0x80 | payload.len() as u8);
        } else {
            bytes.push(0x80 | 126);
            bytes.extend((payload.len() as u16).to_be_bytes());
        }
        bytes.extend(mask);
        bytes.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        bytes
    }

    #[tokio::test]
    async fn messages_come_whole_however_they_were_cut() {
        let long = vec![b'x'; 300];
        let mut bytes = client_frame(0x81, b"one");
        bytes.extend(client_frame(0x01, b"tw"));
        bytes.extend(client_frame(0x89, b"ping"));
        bytes.extend(client_frame(0x80, b"o"));
        bytes.extend(client_frame(0x82, &long));
        let (head, rest) = bytes.split_at(5);
        let mut reader = MessageReader::new(rest, BytesMut::from(head));
        let mut messages = Vec::new();
        while let Some((opcode, payload)) = reader.next().await.unwrap() {
            messages.push((opcode, payload.to_vec()));
        }
        assert_eq!(
            messages,
            [
                (Opcode::Text, b"one".to_vec()),
                (Opcode::Ping, b"ping".to_vec()),
                (Opcode::Text, b"two".to_vec()),
                (Opcode::Binary, long),
            ]
        );
    }

    #[tokio::test]
    async fn an_unmasked_frame_is_a_violation() {
        let mut reader = MessageReader::new(&[0x81, 0x01, b'x'][..], BytesMut::new());
        assert!(reader.next().await.is_err());
    }

    #[test]
    fn headers_take_the_shortest_form() {
        let size = |length| {
            let mut out = BytesMut::new();
            put_header(Opcode::Text, length, &mut out);
            out.len()
        };
        assert_eq!([size(0), size(125), size(126), size(65_535), size(65_536)], [2, 2, 4, 4, 10]);
    }
}

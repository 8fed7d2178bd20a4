//! An answer's body: bounded, also after decompression.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

/// Why a body is not taken.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// It is larger than allowed, as sent or as meant.
    TooLarge,
    /// It is not what its encoding says.
    Damaged(io::Error),
}

/// A body as it arrives.
pub(crate) struct Body {
    bytes_max: usize,
    taken_bytes: usize,
    sink: Sink,
}

enum Sink {
    Plain(Capped),
    Gzip(Box<MultiGzDecoder<Capped>>),
}

/// A buffer that refuses to grow beyond its bound.
struct Capped {
    bytes: Vec<u8>,
    bytes_max: usize,
    is_over: bool,
}

impl Body {
    pub(crate) fn plain(bytes_max: usize) -> Self {
        Self { bytes_max, taken_bytes: 0, sink: Sink::Plain(Capped::new(bytes_max)) }
    }

    pub(crate) fn gzip(bytes_max: usize) -> Self {
        let decoder = Box::new(MultiGzDecoder::new(Capped::new(bytes_max)));
        Self { bytes_max, taken_bytes: 0, sink: Sink::Gzip(decoder) }
    }

    /// Takes what has come. What comes is bounded too: it may be made of nothing but headers.
    pub(crate) fn take(&mut self, chunk: &[u8]) -> Result<(), BodyError> {
        self.taken_bytes += chunk.len();
        if self.taken_bytes > self.bytes_max {
            return Err(BodyError::TooLarge);
        }
        let taken = match &mut self.sink {
            Sink::Plain(capped) => capped.write_all(chunk),
            Sink::Gzip(decoder) => decoder.write_all(chunk),
        };
        taken.map_err(|error| self.failed(error))
    }

    /// The whole.
    pub(crate) fn finish(mut self) -> Result<Bytes, BodyError> {
        if let Sink::Gzip(decoder) = &mut self.sink
            && let Err(error) = decoder.try_finish()
        {
            return Err(self.failed(error));
        }
        let bytes = match &mut self.sink {
            Sink::Plain(capped) => std::mem::take(&mut capped.bytes),
            Sink::Gzip(decoder) => std::mem::take(&mut decoder.get_mut().bytes),
        };
        Ok(bytes.into())
    }

    fn failed(&self, error: io::Error) -> BodyError {
        let capped = match &self.sink {
            Sink::Plain(capped) => capped,
            Sink::Gzip(decoder) => decoder.get_ref(),
        };
        if capped.is_over { BodyError::TooLarge } else { BodyError::Damaged(error) }
    }
}

impl Capped {
    fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), bytes_max, is_over: false }
    }
}

impl Write for Capped {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + chunk.len() > self.bytes_max {
            self.is_over = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn zipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(mut body: Body, bytes: &[u8]) -> Result<Bytes, BodyError> {
        for chunk in bytes.chunks(7) {
            body.take(chunk)?;
        }
        body.finish()
    }

    #[test]
    fn what_was_compressed_comes_out_whole_or_not_at_all() {
        let text = b"a body of an answer ".repeat(20);
        let bytes = zipped(&text);
        assert_eq!(read(Body::gzip(400), &bytes).unwrap(), text);
        assert!(matches!(read(Body::gzip(399), &bytes), Err(BodyError::TooLarge)));
        let torn = &bytes[..bytes.len() - 1];
        assert!(matches!(read(Body::gzip(999), torn), Err(BodyError::Damaged(_))));
        let mut flipped = bytes.clone();
        let last = flipped.len() - 5;
        flipped[last] ^= 1;
        assert!(matches!(read(Body::gzip(999), &flipped), Err(BodyError::Damaged(_))));
        assert!(matches!(read(Body::gzip(999), b"plain"), Err(BodyError::Damaged(_))));
    }

    #[test]
    fn members_that_hold_nothing_are_counted_too() {
        let empty = zipped(b"");
        let many = empty.repeat(100);
        assert!(matches!(read(Body::gzip(many.len() - 1), &many), Err(BodyError::TooLarge)));
        assert_eq!(read(Body::plain(5), b"plain").unwrap(), "plain");
        assert!(matches!(read(Body::plain(4), b"plain"), Err(BodyError::TooLarge)));
    }
}

//! Decodes the body of a response with a limit on its decoded size.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;

/// Encodings that a request announces with `Accept-Encoding`.
pub const ENCODINGS: &str = "gzip";

/// Receiver of the pieces of a body.
pub struct Decoder {
    sink: Sink,
    limit: usize,
    received: usize,
}

enum Sink {
    Plain(Capped),
    Gzip(Box<MultiGzDecoder<Capped>>),
}

/// Reason why a body was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecoded {
    /// The body is larger than the limit, before or after decoding.
    TooLarge,
    /// The body does not have the encoding that its header names.
    Malformed,
}

/// Buffer that refuses to grow beyond its limit.
struct Capped {
    bytes: Vec<u8>,
    limit: usize,
}

impl Write for Capped {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let free = self.limit - self.bytes.len();
        if piece.len() > free {
            self.bytes.extend_from_slice(&piece[..free]);
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Decoder {
    /// Creates a decoder for a `Content-Encoding`; `None` if the encoding is not supported.
    pub fn new(encoding: &str, limit: usize) -> Option<Self> {
        let buffer = Capped { bytes: Vec::new(), limit };
        let sink = match encoding.trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Sink::Plain(buffer),
            "gzip" | "x-gzip" => Sink::Gzip(Box::new(MultiGzDecoder::new(buffer))),
            _ => return None,
        };
        Some(Self { sink, limit, received: 0 })
    }

    /// Decodes the next piece.
    pub fn push(&mut self, piece: &[u8]) -> Result<(), Undecoded> {
        self.received = self.received.saturating_add(piece.len());
        if self.received > self.limit {
            // Keeps the part of the piece that fits.
            let fits = piece.len() - (self.received - self.limit).min(piece.len());
            self.write(&piece[..fits])?;
            return Err(Undecoded::TooLarge);
        }
        self.write(piece)
    }

    fn write(&mut self, piece: &[u8]) -> Result<(), Undecoded> {
        match &mut self.sink {
            Sink::Plain(buffer) => buffer.write_all(piece),
            Sink::Gzip(decoder) => decoder.write_all(piece),
        }
        .map_err(undecoded)
    }

    /// Returns the decoded body, which must be complete.
    pub fn finish(self) -> Result<Vec<u8>, Undecoded> {
        match self.sink {
            Sink::Plain(buffer) => Ok(buffer.bytes),
            // The response to HEAD has an encoding and no body.
            Sink::Gzip(_) if self.received == 0 => Ok(Vec::new()),
            Sink::Gzip(decoder) => Ok(decoder.finish().map_err(undecoded)?.bytes),
        }
    }

    /// Returns the bytes that were decoded so far.
    pub fn partial(self) -> Vec<u8> {
        match self.sink {
            Sink::Plain(buffer) => buffer.bytes,
            Sink::Gzip(mut decoder) => std::mem::take(&mut decoder.get_mut().bytes),
        }
    }
}

fn undecoded(err: io::Error) -> Undecoded {
    match err.kind() {
        io::ErrorKind::FileTooLarge => Undecoded::TooLarge,
        _ => Undecoded::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn decode(encoding: &str, body: &[u8], limit: usize) -> Result<Vec<u8>, Undecoded> {
        let mut decoder = Decoder::new(encoding, limit).unwrap();
        for piece in body.chunks(7) {
            decoder.push(piece)?;
        }
        decoder.finish()
    }

    #[test]
    fn a_body_is_decoded_up_to_its_limit() {
        let text = b"a plan of many tasks, a plan of many tasks, a plan of many tasks";
        let twice = [gzip(text), gzip(text)].concat();
        assert_eq!(decode("gzip", &gzip(text), text.len()).unwrap(), text);
        assert_eq!(decode("X-GZIP", &twice, 1000).unwrap(), text.repeat(2));
        assert_eq!(decode("", text, text.len()).unwrap(), text);
        assert_eq!(decode("", text, text.len() - 1), Err(Undecoded::TooLarge));
        assert_eq!(decode("gzip", &gzip(text), text.len() - 1), Err(Undecoded::TooLarge));
        assert_eq!(decode("gzip", b"", 10).unwrap(), b"");
        assert!(Decoder::new("br", 10).is_none());
    }

    #[test]
    fn a_damaged_or_short_encoding_is_an_error() {
        let whole = gzip(b"a plan");
        assert_eq!(decode("gzip", &whole[..whole.len() - 3], 100), Err(Undecoded::Malformed));
        assert_eq!(decode("gzip", b"<html>not gzip</html>", 100), Err(Undecoded::Malformed));
    }

    #[test]
    fn a_bomb_takes_no_more_memory_than_the_limit() {
        let bomb = gzip(&vec![0; 8 << 20]);
        assert!(bomb.len() < 1 << 15);
        let mut decoder = Decoder::new("gzip", 1 << 16).unwrap();
        assert_eq!(decoder.push(&bomb), Err(Undecoded::TooLarge));
        let kept = decoder.partial();
        assert!(kept.len() == 1 << 16 && kept.capacity() <= 1 << 17);
    }
}

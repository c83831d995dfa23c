//! The bytes of pickles, counted and bounded.

use std::io::{self, Read};

use crate::error::Fault;

/// A reader that knows how far it came and where it has to stop.
pub(crate) struct Stream<R> {
    read: R,
    position: u64,
    limit: u64,
}

impl<R: Read> Stream<R> {
    /// At most `limit` bytes of `read`.
    pub(crate) fn new(read: R, limit: u64) -> Stream<R> {
        Stream { read, position: 0, limit }
    }

    /// Bytes consumed so far.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The reader, which stands at [`position`](Self::position) unless it reads ahead.
    pub(crate) fn into_inner(self) -> R {
        self.read
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), Fault> {
        if bytes.len() as u64 > self.limit - self.position {
            return Err(Fault::damaged(format!(
                "its pickle does not end within {} bytes",
                self.limit
            )));
        }
        self.read.read_exact(bytes).map_err(|cause| match cause.kind() {
            io::ErrorKind::UnexpectedEof => Fault::damaged("it ends inside a pickle"),
            _ => cause.into(),
        })?;
        self.position += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.array::<1>()?[0])
    }

    /// `length` bytes; memory is taken as they arrive, whatever the file says.
    pub(super) fn bytes(&mut self, length: u64) -> Result<Vec<u8>, Fault> {
        const STEP: u64 = 1 << 16;
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < length {
            let start = bytes.len();
            bytes.resize(start + (length - start as u64).min(STEP) as usize, 0);
            self.fill(&mut bytes[start..])?;
        }
        Ok(bytes)
    }

    /// Reads over `length` bytes.
    pub(super) fn skip(&mut self, length: u64) -> Result<(), Fault> {
        let mut left = length;
        let mut buffer = [0; 1 << 12];
        while left > 0 {
            let now = left.min(buffer.len() as u64) as usize;
            self.fill(&mut buffer[..now])?;
            left -= now as u64;
        }
        Ok(())
    }

    pub(super) fn text(&mut self, length: u64) -> Result<String, Fault> {
        String::from_utf8(self.bytes(length)?)
            .map_err(|_| Fault::damaged("a text in its pickle is not UTF-8"))
    }

    /// Up to the next line feed, which is not part of it.
    pub(super) fn line(&mut self) -> Result<String, Fault> {
        const LONGEST: usize = 256;
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => break,
                _ if line.len() == LONGEST => {
                    return Err(Fault::damaged("a name in its pickle does not end"));
                }
                byte => line.push(byte),
            }
        }
        String::from_utf8(line).map_err(|_| Fault::damaged("a name in its pickle is not UTF-8"))
    }
}

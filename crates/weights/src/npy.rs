//! The header of a NumPy array: a dict literal of its type, its order and its sides.
//!
//! Read here and not by `npyz`, whose parser of Python literals takes any nesting and overflows
//! the stack on a header of brackets.

use std::io::Read;

use super::dtype::{ByteOrder, Dtype};
use super::error::{Fault, shown};

/// What an array says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) dtype: Dtype,
    pub(super) order: ByteOrder,
    /// Whether the first dimension is the fastest.
    pub(super) fortran: bool,
    pub(super) shape: Vec<usize>,
    /// Bytes up to the numbers.
    pub(super) length: u64,
}

/// Bytes of a header; NumPy's have 128.
const MAX_HEADER: usize = 1 << 16;

impl Header {
    /// Reads a header from the start of an array.
    pub(super) fn read(read: &mut impl Read) -> Result<Header, Fault> {
        let mut magic = [0; 8];
        read.read_exact(&mut magic)?;
        let length = match magic {
            [0x93, b'N', b'U', b'M', b'P', b'Y', 1, _] => {
                let mut length = [0; 2];
                read.read_exact(&mut length)?;
                usize::from(u16::from_le_bytes(length))
            }
            [0x93, b'N', b'U', b'M', b'P', b'Y', 2 | 3, _] => {
                let mut length = [0; 4];
                read.read_exact(&mut length)?;
                u32::from_le_bytes(length) as usize
            }
            [0x93, b'N', b'U', b'M', b'P', b'Y', version, _] => {
                return Err(Fault::unsupported(format!(
                    "an array of format version {version}; 1 to 3 are read"
                )));
            }
            _ => return Err(Fault::damaged("does not begin as a NumPy array does")),
        };
        if length > MAX_HEADER {
            return Err(Fault::damaged(format!(
                "a header of {length} bytes, at most {MAX_HEADER} are read"
            )));
        }
        let mut text = vec![0; length];
        read.read_exact(&mut text)?;
        let text =
            String::from_utf8(text).map_err(|_| Fault::damaged("a header that is not text"))?;
        let fields = Literal(text.trim()).header().ok_or_else(|| {
            Fault::damaged(format!("a header that NumPy does not write: {}", shown(text.trim())))
        })?;
        let before = if magic[6] == 1 { 10 } else { 12 };
        let (dtype, order) = dtype(fields.descr);
        Ok(Header {
            dtype,
            order,
            fortran: fields.fortran,
            shape: fields.shape,
            length: before + length as u64,
        })
    }
}

struct Fields<'a> {
    descr: &'a str,
    fortran: bool,
    shape: Vec<usize>,
}

/// What is left of the literal.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    fn header(mut self) -> Option<Fields<'a>> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        self.token('{')?;
        while self.token('}').is_none() {
            let key = self.quoted()?;
            self.token(':')?;
            match key {
                "descr" if descr.is_none() => descr = Some(self.descr()?),
                "fortran_order" if fortran.is_none() => fortran = Some(self.truth()?),
                "shape" if shape.is_none() => shape = Some(self.shape()?),
                _ => return None,
            }
            if self.token(',').is_none() && !self.0.starts_with('}') {
                return None;
            }
        }
        match self.0 {
            "" => Some(Fields { descr: descr?, fortran: fortran?, shape: shape? }),
            _ => None,
        }
    }

    fn token(&mut self, token: char) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(token)?.trim_start();
        Some(())
    }

    fn quoted(&mut self) -> Option<&'a str> {
        let quote = self.0.chars().next().filter(|quote| matches!(quote, '\'' | '"'))?;
        let (text, rest) = self.0[1..].split_once(quote)?;
        self.0 = rest;
        Some(text)
    }

    /// A type, or the list of a structured array's fields, whose brackets have to match.
    fn descr(&mut self) -> Option<&'a str> {
        if !self.0.starts_with('[') {
            return self.quoted();
        }
        let mut depth = 0usize;
        for (at, c) in self.0.char_indices() {
            match c {
                '[' => depth += 1,
                ']' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                let (text, rest) = self.0.split_at(at + 1);
                self.0 = rest;
                return Some(text);
            }
        }
        None
    }

    fn truth(&mut self) -> Option<bool> {
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.0.strip_prefix(word) {
                self.0 = rest;
                return Some(value);
            }
        }
        None
    }

    fn shape(&mut self) -> Option<Vec<usize>> {
        let (sides, rest) = self.0.strip_prefix('(')?.split_once(')')?;
        self.0 = rest;
        let sides = sides.trim();
        if sides.is_empty() {
            return Some(Vec::new());
        }
        // Python 2 wrote `64L`.
        let side = |side: &str| side.trim().trim_end_matches('L').parse().ok();
        sides.strip_suffix(',').unwrap_or(sides).split(',').map(side).collect()
    }
}

/// The type that NumPy writes as `descr`.
fn dtype(descr: &str) -> (Dtype, ByteOrder) {
    let (order, name) = match descr.as_bytes().first() {
        Some(b'<' | b'|' | b'=') => (ByteOrder::Little, &descr[1..]),
        Some(b'>') => (ByteOrder::Big, &descr[1..]),
        _ => (ByteOrder::Little, descr),
    };
    let dtype = match name {
        "f2" => Dtype::F16,
        "f4" => Dtype::F32,
        "f8" => Dtype::F64,
        "b1" => Dtype::Bool,
        "i1" => Dtype::I8,
        "i2" => Dtype::I16,
        "i4" => Dtype::I32,
        "i8" => Dtype::I64,
        "u1" => Dtype::U8,
        "u2" => Dtype::U16,
        "u4" => Dtype::U32,
        "u8" => Dtype::U64,
        _ => Dtype::Other(shown(descr)),
    };
    (dtype, order)
}

//! Seals: the hashes that tell a file as it was written from one that is damaged or stale.
//!
//! All of them are BLAKE3, and there are three ways to carry one:
//!
//! - a text that is written as a whole ends in a line with the hash of everything before it ([`sealed`]), which
//!   TOML takes for a comment;
//! - a table that rows are added to has a last column with the hash of its row and of all rows before it
//!   ([`Chain`]), so that a row that is damaged, missing or of another table ends the table;
//! - any other file is named, with the hash of what it holds, by a sealed file beside it (the outcome of a trial,
//!   [`HASHES`](super::layout::HASHES) of a results folder).

/// The last line of a text that is sealed: the hash of everything before it.
const SEAL: &str = "# blake3 ";

/// Hexadecimal digits of a hash of 256 bits.
const DIGITS: usize = 64;

/// The column of a table that holds the hash of each row and of all before it.
pub const COLUMN: &str = "blake3";

/// The hash of `bytes`, in hexadecimal digits.
pub fn hash(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}

/// `text`, which ends in a line end, with its hash behind it.
pub fn sealed(text: &str) -> String {
    format!("{text}{SEAL}{}\n", hash(text.as_bytes()))
}

/// What was [`sealed`]; none if a bit of it is another one.
pub fn unsealed(text: &str) -> Option<&str> {
    let line = SEAL.len() + DIGITS + 1;
    let (body, seal) = text.split_at_checked(text.len().checked_sub(line)?)?;
    let written = seal.strip_prefix(SEAL)?.strip_suffix('\n')?;
    (written == hash(body.as_bytes())).then_some(body)
}

/// The hash of a row and of all before it, as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Check([u8; Check::DIGITS]);

impl Check {
    /// Hexadecimal digits of a check.
    pub const DIGITS: usize = 16;

    /// Its digits.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The rows of a table so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain(Check);

impl Chain {
    /// No rows yet, of the table that `name` names among all tables: rows of another one do not fit.
    pub fn new(name: &str) -> Chain {
        Chain(digits(&blake3::hash(name.as_bytes())))
    }

    /// Takes the next row as it is written, without its check and its line end.
    pub fn add(&mut self, row: &[u8]) -> Check {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0.0);
        hasher.update(row);
        self.0 = digits(&hasher.finalize());
        self.0
    }

    /// The check of the last row; of no rows, that of the name.
    pub fn last(&self) -> Check {
        self.0
    }
}

fn digits(hash: &blake3::Hash) -> Check {
    let mut digits = [0; Check::DIGITS];
    digits.copy_from_slice(&hash.to_hex().as_bytes()[..Check::DIGITS]);
    Check(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_comes_back_and_no_other_one_does() {
        let text = sealed("a = 1\n");
        assert_eq!(unsealed(&text), Some("a = 1\n"));
        assert!(toml::from_str::<toml::Table>(&text).is_ok());
        for end in 0..text.len() {
            assert_eq!(unsealed(&text[..end]), None, "{end} bytes");
        }
        let bytes = text.as_bytes();
        for (place, bit) in (0..bytes.len()).flat_map(|place| (0..7).map(move |bit| (place, bit))) {
            let mut other = bytes.to_vec();
            other[place] ^= 1 << bit;
            let other = String::from_utf8(other).unwrap();
            assert_eq!(unsealed(&other), None, "bit {bit} of byte {place}");
        }
        assert_eq!(unsealed(&sealed("")), Some(""));
    }

    #[test]
    fn a_check_depends_on_the_table_and_on_all_rows_in_their_order() {
        let checks = |name: &str, rows: &[&str]| {
            let mut chain = Chain::new(name);
            for row in rows {
                chain.add(row.as_bytes());
            }
            chain.last()
        };
        let whole = checks("a", &["1", "2"]);
        assert_eq!(whole, checks("a", &["1", "2"]));
        for other in [checks("b", &["1", "2"]), checks("a", &["2", "1"]), checks("a", &["2"])] {
            assert_ne!(whole, other);
        }
        assert_eq!(whole.to_string().len(), Check::DIGITS);
    }
}

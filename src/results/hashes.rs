//! `hashes.toml`: the hashes of the files of a results folder that are written as a whole and that other programs
//! read, so that they carry none of their own: the tables, and the experiment.
//!
//! It is written before them, and names for each what is about to be written and what was there before: whenever
//! the writer dies, a file is one of the two.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::basis::regular;

use super::layout::HASHES;
use super::seal::{self, sealed, unsealed};
use super::table::TableError;

/// The hashes of a results folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hashes {
    /// What was written last, by the name of the file.
    now: BTreeMap<String, String>,
    /// What was there before that, where it was another thing.
    before: BTreeMap<String, String>,
}

/// What a results folder says of its hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// The hashes.
    Known(Hashes),
    /// Nothing: it was copied without them, or nobody has written any yet.
    Missing,
    /// They are damaged.
    Damaged,
}

impl Stored {
    /// Those of the results folder `root`.
    pub fn read(root: &Path) -> Stored {
        let Ok(bytes) = regular::read(&root.join(HASHES)) else { return Stored::Missing };
        let text = String::from_utf8(bytes).unwrap_or_default();
        let hashes = unsealed(&text).and_then(|text| toml::from_str(text).ok());
        hashes.map_or(Stored::Damaged, Stored::Known)
    }

    /// Whether the file `name` with this `hash` is as it was written; nothing says so of a file that is not listed.
    pub fn allows(&self, name: &str, hash: &str) -> bool {
        let Stored::Known(Hashes { now, before }) = self else { return true };
        let is = |hashes: &BTreeMap<String, String>| hashes.get(name).is_some_and(|it| it == hash);
        !now.contains_key(name) || is(now) || is(before)
    }
}

impl Hashes {
    /// The names of the files.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.now.keys().map(String::as_str)
    }

    /// Whether `hash` is that of what was written last to the file `name`.
    pub fn is_latest(&self, name: &str, hash: &str) -> bool {
        self.now.get(name).is_some_and(|it| it == hash)
    }

    /// Takes note that `bytes` are about to be written to the file `name`: whether that is something else than was
    /// written last.
    pub fn put(&mut self, name: &str, bytes: &[u8]) -> bool {
        let hash = seal::hash(bytes);
        if self.is_latest(name, &hash) {
            return false;
        }
        if let Some(earlier) = self.now.insert(name.to_owned(), hash) {
            self.before.insert(name.to_owned(), earlier);
        }
        true
    }

    /// As a file.
    pub fn to_text(&self) -> String {
        let note = "# The BLAKE3 hashes of files as wick wrote them, by which `wick verify` tells what has changed.\n";
        sealed(&format!("{note}{}", toml::to_string(self).expect("hashes are plain data")))
    }
}

/// The bytes of the file `name` in the results folder `root`; none if it is missing.
///
/// # Errors
/// If they are not those that were written.
pub fn verified(root: &Path, name: &str) -> Result<Option<Vec<u8>>, TableError> {
    settled(root, || {
        let stored = Stored::read(root);
        let path = root.join(name);
        let Ok(bytes) = regular::read(&path) else { return Ok(None) };
        match stored.allows(name, &seal::hash(&bytes)) {
            true => Ok(Some(bytes)),
            false => Err(TableError::Changed(path)),
        }
    })
}

/// What `read` gives. While a run writes the files anew, what was read may be newer than the hashes that it was held
/// against: then it is read again.
pub fn settled<T>(
    root: &Path,
    mut read: impl FnMut() -> Result<T, TableError>,
) -> Result<T, TableError> {
    /// A run writes at most every few seconds.
    const TIMES: usize = 5;
    let mut before = Stored::read(root);
    for _ in 0..TIMES {
        match read() {
            Err(TableError::Changed(path)) => {
                let now = Stored::read(root);
                if now == before {
                    return Err(TableError::Changed(path));
                }
                before = now;
            }
            other => return other,
        }
    }
    read()
}

/// What is worth a word about the hashes of the results folder `root` and the files that they name.
pub fn notes(root: &Path) -> Vec<String> {
    let path = root.join(HASHES);
    let path = path.display();
    let way_out = "`wick run` with the experiment writes it again";
    let unknown = "the tables cannot be verified";
    match Stored::read(root) {
        Stored::Missing => vec![format!("{path} is missing: {unknown}; {way_out}")],
        Stored::Damaged => vec![format!("{path} is damaged: {unknown}; {way_out}")],
        Stored::Known(hashes) => {
            let is_missing = |name: &&str| !root.join(name).exists();
            let missing = hashes.names().filter(is_missing);
            missing
                .map(|name| format!("{} is missing: {way_out}", root.join(name).display()))
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_is_what_was_written_last_or_just_before() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert_eq!(Stored::read(root), Stored::Missing);
        let mut hashes = Hashes::default();
        for text in ["one", "two", "three"] {
            assert!(hashes.put("a.csv", text.as_bytes()));
            assert!(!hashes.put("a.csv", text.as_bytes()));
        }
        fs::write(root.join(HASHES), hashes.to_text()).unwrap();
        let read = |text: &str| {
            fs::write(root.join("a.csv"), text).unwrap();
            verified(root, "a.csv").map(Option::unwrap)
        };
        assert_eq!(read("three").unwrap(), b"three");
        assert_eq!(read("two").unwrap(), b"two");
        for other in ["one", "thref", ""] {
            let error = read(other).unwrap_err().to_string();
            assert!(error.contains("a.csv") && error.contains("wick run"), "{error}");
        }
        fs::write(root.join("b.csv"), "anything").unwrap();
        assert!(verified(root, "b.csv").unwrap().is_some());
        fs::remove_file(root.join("a.csv")).unwrap();
        assert_eq!(verified(root, "a.csv").unwrap(), None);
        assert!(notes(root)[0].contains("a.csv is missing"));
    }

    #[test]
    fn damaged_hashes_say_nothing_and_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert!(notes(root)[0].contains("is missing"));
        fs::write(root.join(HASHES), Hashes::default().to_text().replace("now", "mow")).unwrap();
        assert_eq!(Stored::read(root), Stored::Damaged);
        assert!(notes(root)[0].contains("is damaged"));
    }
}

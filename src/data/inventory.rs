//! The files of a data set and what they hold, by which a later run notices that they have changed.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::error::Error;
use super::source;
use crate::basis::regular;
use crate::plan::data::{DataPlan, TestSet};

/// A file of a data set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceFile {
    /// Where it is.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Nanoseconds since 1970 to the last time that it was written.
    pub modified: i64,
    /// The same for the last time that it was written, renamed, or otherwise touched; 0 where the system does not
    /// tell.
    pub changed: i64,
    /// Its number in the file system; 0 where there is none.
    pub inode: u64,
    /// BLAKE3 of what it holds; empty while that has not been looked at, and `unreadable` if it cannot be read, such as
    /// an image that is left out for that.
    pub hash: String,
}

/// Stands for the hash of a file that cannot be read.
const UNREADABLE: &str = "unreadable";

impl SourceFile {
    /// The file as the system describes it, if there is a regular one; what it holds is not looked at. A pipe among
    /// the images is a bad image, which holds nothing.
    fn described(path: &Path) -> Option<Result<SourceFile, Error>> {
        let metadata = match path.metadata() {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return None,
            Err(cause) => return Some(Err(Error::unreadable(path, &cause))),
            Ok(metadata) if !metadata.is_file() => return None,
            Ok(metadata) => metadata,
        };
        let (modified, changed, inode) = stamps(&metadata);
        let (file, hash) = (path.to_string_lossy().into_owned(), String::new());
        Some(Ok(SourceFile { file, bytes: metadata.len(), modified, changed, inode, hash }))
    }

    /// The same with the hash of what it holds.
    fn hashed(mut self) -> SourceFile {
        let mut hasher = blake3::Hasher::new();
        let read = regular::open(Path::new(&self.file))
            .and_then(|file| hasher.update_reader(file).map(drop));
        // Whether that is an error those decide who read the data.
        self.hash = match read {
            Ok(()) => hasher.finalize().to_hex()[..32].to_owned(),
            Err(_) => UNREADABLE.to_owned(),
        };
        self
    }

    /// Whether the system describes both alike, so that they hold the same.
    fn looks_like(&self, other: &SourceFile) -> bool {
        let stamp = |file: &SourceFile| (file.bytes, file.modified, file.changed, file.inode);
        stamp(self) == stamp(other)
    }
}

/// A file or a folder as the system describes it: whoever overwrites or replaces a file, or adds one to a folder, changes
/// some of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Its size.
    pub bytes: u64,
    /// Its number in the file system; 0 where there is none.
    pub inode: u64,
    modified: i64,
    changed: i64,
}

impl Stamp {
    /// That of what is at `path`; none if nothing is there.
    pub fn of(path: &Path) -> Option<Stamp> {
        let metadata = path.metadata().ok()?;
        let (modified, changed, inode) = stamps(&metadata);
        Some(Stamp { bytes: metadata.len(), inode, modified, changed })
    }
}

/// What the system says of a file beside its size: whoever overwrites, replaces or swaps files changes some of it.
#[expect(
    clippy::disallowed_methods,
    reason = "a date decides only whether what a file holds is compared again"
)]
pub(super) fn stamps(metadata: &Metadata) -> (i64, i64, u64) {
    let modified = metadata.modified().ok();
    let since = modified.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    let modified = since.map_or(0, |since| since.as_nanos() as i64);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let changed =
            metadata.ctime().wrapping_mul(1_000_000_000).wrapping_add(metadata.ctime_nsec());
        (modified, changed, metadata.ino())
    }
    #[cfg(not(unix))]
    (modified, 0, 0)
}

/// The files of a data set, sorted by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    /// None if the images are part of the program.
    pub files: Vec<SourceFile>,
}

/// How the files of a data set differ from what they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Those that hold something else.
    pub changed: Vec<String>,
    /// Those that are gone.
    pub missing: Vec<String>,
    /// Those that were not there.
    pub new: Vec<String>,
}

impl Changes {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.missing.is_empty() && self.new.is_empty()
    }

    /// The first ones, a line for each.
    pub fn lines(&self) -> Vec<String> {
        /// So many are named.
        const NAMED: usize = 10;
        let kinds = [("changed", &self.changed), ("missing", &self.missing), ("new", &self.new)];
        let all: Vec<String> = kinds
            .into_iter()
            .flat_map(|(word, files)| files.iter().map(move |file| format!("{word}: {file}")))
            .collect();
        let more = all.len().saturating_sub(NAMED);
        let mut lines: Vec<String> = all.into_iter().take(NAMED).collect();
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        lines
    }
}

impl Inventory {
    /// The files of the data that `plan` names, as the system describes them.
    pub fn described(plan: &DataPlan) -> Result<Inventory, Error> {
        let paths: Vec<PathBuf> = files(plan)?.into_iter().collect();
        let files = paths.par_iter().filter_map(|path| SourceFile::described(path));
        let mut files = files.collect::<Result<Vec<SourceFile>, Error>>()?;
        // By their names as text, by which they are found.
        files.sort_by(|a, b| a.file.cmp(&b.file));
        Ok(Inventory { files })
    }

    /// The same with the hashes of what they hold.
    pub fn hashed(self) -> Inventory {
        Inventory { files: self.files.into_par_iter().map(SourceFile::hashed).collect() }
    }

    /// How `now` differs from this inventory. What a file holds is looked at where the system describes it in
    /// another way; then `now` learns its hash, else it takes the one that is known.
    pub fn changes(&self, now: &mut Inventory) -> Changes {
        let mut changes = Changes::default();
        let then: BTreeSet<&str> = self.files.iter().map(|file| &*file.file).collect();
        let files = std::mem::take(&mut now.files);
        let known = |file: &SourceFile| {
            let place = self.files.binary_search_by(|known| known.file.cmp(&file.file));
            place.ok().map(|place| &self.files[place])
        };
        let looked = files.into_par_iter().map(|file| match known(&file) {
            Some(known) if known.looks_like(&file) => {
                SourceFile { hash: known.hash.clone(), ..file }
            }
            _ => file.hashed(),
        });
        now.files = looked.collect();
        for file in &now.files {
            match known(file) {
                None => changes.new.push(file.file.clone()),
                Some(known) if known.hash != file.hash => changes.changed.push(file.file.clone()),
                Some(_) => {}
            }
        }
        let here: BTreeSet<&str> = now.files.iter().map(|file| &*file.file).collect();
        changes.missing = then.difference(&here).map(|file| (*file).to_owned()).collect();
        changes
    }
}

/// The files from which the data of `plan` is read: images that take part, and what lists and labels them.
fn files(plan: &DataPlan) -> Result<BTreeSet<PathBuf>, Error> {
    let test = match &plan.test {
        TestSet::Source(test) => Some(test),
        TestSet::Declared | TestSet::Part(_) => None,
    };
    let mut found = BTreeSet::new();
    for source in std::iter::once(&plan.source).chain(test) {
        found.extend(source::files(source, plan)?);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn inventory(paths: &[&Path]) -> Inventory {
        let mut files: Vec<SourceFile> =
            paths.iter().map(|path| SourceFile::described(path).unwrap().unwrap()).collect();
        files.sort_by(|a, b| a.file.cmp(&b.file));
        Inventory { files }
    }

    #[test]
    fn what_a_file_holds_decides_and_not_when_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| folder.path().join(name));
        for (path, text) in [(&a, "one"), (&b, "two"), (&c, "six")] {
            fs::write(path, text).unwrap();
        }
        let all = [&*a, &*b, &*c];
        let then = inventory(&all).hashed();
        let mut now = inventory(&all);
        assert!(then.changes(&mut now).is_empty());
        assert_eq!(now, then);
        // Written again, with the same in it.
        fs::remove_file(&a).unwrap();
        fs::write(&a, "one").unwrap();
        let mut now = inventory(&all);
        assert!(then.changes(&mut now).is_empty());
        assert!(now.files.iter().all(|file| !file.hash.is_empty()));
        // Swapped: of one size, and perhaps of one date.
        let aside = folder.path().join("aside");
        fs::rename(&a, &aside).unwrap();
        fs::rename(&b, &a).unwrap();
        fs::rename(&aside, &b).unwrap();
        let name = |path: &Path| path.to_string_lossy().into_owned();
        let changes = then.changes(&mut inventory(&all));
        assert_eq!(changes.changed, [name(&a), name(&b)]);
        let d = folder.path().join("d");
        fs::rename(&c, &d).unwrap();
        let changes = then.changes(&mut inventory(&[&a, &b, &d]));
        assert_eq!(
            (changes.missing.clone(), changes.new.clone()),
            (vec![name(&c)], vec![name(&d)])
        );
        assert_eq!(changes.lines().len(), 4);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_no_file_that_holds_something_and_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        for path in [&*fifo, Path::new("/dev/zero"), folder.path()] {
            assert!(SourceFile::described(path).is_none(), "{path:?}");
        }
        let path = folder.path().join("x");
        fs::write(&path, "x").unwrap();
        let described = inventory(&[&path]);
        // What has taken its place since then.
        fs::remove_file(&path).unwrap();
        fs::rename(&fifo, &path).unwrap();
        assert_eq!(described.hashed().files[0].hash, UNREADABLE);
    }
}

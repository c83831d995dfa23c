//! `manifest.b3sum`: the hashes of all files of a results folder, to be signed.
//!
//! Hashes that the program writes tell damage, not malice: whoever can write a file can also write its hash. Who signs
//! this list with minisign vouches for every file. It has the lines of `b3sum`, whose `--check` reads it too:
//! the BLAKE3 hash, two spaces, and the path with `/` from the results folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature};
use rayon::prelude::*;

use crate::basis::regular;

/// The manifest, in the results folder.
pub const MANIFEST: &str = "manifest.b3sum";

/// Its signature, as minisign calls it.
pub const SIGNATURE: &str = "manifest.b3sum.minisig";

/// Files that say which process works on a folder; they come and go, and hold no result.
const PASSING: [&str; 4] = ["lock", "holder", "hashes.lock", "stopped"];

/// Why there is no manifest, or why it cannot be trusted.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// A file cannot be read.
    #[error("{} cannot be read: {cause}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// A file is of a kind or has a name that a manifest cannot hold.
    #[error("{} {what}: a manifest lists regular files whose names are UTF-8 in one line", path.display())]
    Unlisted {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// There is no signed manifest.
    #[error(
        "{} is missing: the author of the folder writes {MANIFEST} with `wick verify DIR --manifest` and signs \
         it with `minisign -Sm DIR/{MANIFEST}`",
        .0.display()
    )]
    Missing(PathBuf),
    /// The manifest is none.
    #[error("{}:{line}: expected a BLAKE3 hash, two spaces and a path in the folder", path.display())]
    Line {
        /// The manifest.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// A key or a signature is none.
    #[error("{} holds no {what} of minisign: {cause}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong.
        cause: minisign_verify::Error,
    },
    /// The signature is of another text or by another key.
    #[error("the signature {} is not that of {MANIFEST} by this key: {cause}", path.display())]
    Forged {
        /// The signature.
        path: PathBuf,
        /// What is wrong.
        cause: minisign_verify::Error,
    },
}

/// Paths from the results folder, each with its hash.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest(BTreeMap<String, String>);

impl Manifest {
    /// What is in the results folder `root` now.
    ///
    /// # Errors
    /// If a file cannot be read or listed.
    pub fn of(root: &Path) -> Result<Manifest, ManifestError> {
        let mut paths = Vec::new();
        list(root, root, &mut paths)?;
        let hashed = paths.into_par_iter().map(|name| {
            let path = root.join(&name);
            let hash = hash(&path).map_err(|cause| ManifestError::Unreadable { path, cause })?;
            Ok((name, hash))
        });
        Ok(Manifest(hashed.collect::<Result<_, _>>()?))
    }

    /// The manifest that lies in the results folder `root`, signed by the owner of `key`, a file that minisign has
    /// written or the key itself; with the comment that was signed along with it.
    ///
    /// # Errors
    /// If something is missing, is no manifest, key or signature, or does not belong together.
    pub fn signed(root: &Path, key: &str) -> Result<(Manifest, String), ManifestError> {
        let [path, beside] = [MANIFEST, SIGNATURE].map(|name| root.join(name));
        let text = |path: &Path| match regular::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(ManifestError::Missing(path.to_owned()))
            }
            read => {
                read.map_err(|cause| ManifestError::Unreadable { path: path.to_owned(), cause })
            }
        };
        let format = |path: &Path, what| {
            let path = path.to_owned();
            move |cause| ManifestError::Format { path, what, cause }
        };
        let key = match PublicKey::from_base64(key) {
            Ok(key) => key,
            Err(_) => {
                let path = Path::new(key);
                let read = regular::read_to_string(path)
                    .map_err(|cause| ManifestError::Unreadable { path: path.to_owned(), cause })?;
                PublicKey::decode(&read).map_err(format(path, "public key"))?
            }
        };
        let (manifest, signature) = (text(&path)?, text(&beside)?);
        let signature = Signature::decode(&signature).map_err(format(&beside, "signature"))?;
        key.verify(manifest.as_bytes(), &signature, false)
            .map_err(|cause| ManifestError::Forged { path: beside, cause })?;
        Ok((Manifest::parse(&path, &manifest)?, signature.trusted_comment().to_owned()))
    }

    fn parse(path: &Path, text: &str) -> Result<Manifest, ManifestError> {
        let entry = |(index, line): (usize, &str)| {
            let found = line.split_once("  ").filter(|(hash, _)| hash.len() == blake3::OUT_LEN * 2);
            let wrong = || ManifestError::Line { path: path.to_owned(), line: index + 1 };
            found.map(|(hash, name)| (name.to_owned(), hash.to_owned())).ok_or_else(wrong)
        };
        Ok(Manifest(text.lines().enumerate().map(entry).collect::<Result<_, _>>()?))
    }

    /// As a file.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect()
    }

    /// How many files it lists.
    pub fn files(&self) -> usize {
        self.0.len()
    }

    /// In what `other` differs from this one: each path with what became of it.
    pub fn changes<'a>(&'a self, other: &'a Manifest) -> Vec<(&'a str, &'static str)> {
        let mut changes = Vec::new();
        for (name, hash) in &self.0 {
            match other.0.get(name) {
                None => changes.push((&**name, "is missing")),
                Some(found) if found != hash => changes.push((&**name, "was changed")),
                Some(_) => {}
            }
        }
        let added = other.0.keys().filter(|name| !self.0.contains_key(*name));
        changes.extend(added.map(|name| (&**name, "was added")));
        changes.sort_unstable();
        changes
    }
}

/// Adds the paths of all files in `folder`, which lies in `root`.
fn list(root: &Path, folder: &Path, paths: &mut Vec<String>) -> Result<(), ManifestError> {
    let failed = |path: &Path, cause| ManifestError::Unreadable { path: path.to_owned(), cause };
    for entry in fs::read_dir(folder).map_err(|cause| failed(folder, cause))? {
        let path = entry.map_err(|cause| failed(folder, cause))?.path();
        let unlisted = |what| Err(ManifestError::Unlisted { path: path.clone(), what });
        let kind = path.symlink_metadata().map_err(|cause| failed(&path, cause))?.file_type();
        if kind.is_dir() {
            list(root, &path, paths)?;
            continue;
        }
        if !kind.is_file() {
            return unlisted("is a link or a device");
        }
        let parts: Option<Vec<&str>> = path
            .strip_prefix(root)
            .expect("the folder lies in the root")
            .iter()
            .map(|part| part.to_str().filter(|part| !part.contains(['\n', '\r', '\\'])))
            .collect();
        let Some(parts) = parts else { return unlisted("has a name of its own kind") };
        let name = parts.join("/");
        let is_passing = parts.last().is_some_and(|name| PASSING.contains(name));
        if !is_passing && ![MANIFEST, SIGNATURE].contains(&&*name) {
            paths.push(name);
        }
    }
    Ok(())
}

/// The hash of a file of any length, in hexadecimal digits.
fn hash(path: &Path) -> io::Result<String> {
    let mut file: File = regular::open(path)?;
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut file, &mut hasher)?;
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by minisign 0.11 for this test: `minisign -G`, and `minisign -Sm manifest.b3sum` of the folder below.
    const KEY: &str = "RWQtFOjyun123n+FnQBE1NbgXYtJajpFKh2MqRV44/g/rvnXe6y4mozn";
    const SIGNED: &str = "\
untrusted comment: signature of a test
RUQtFOjyun123tQ76SuyJea6I8ZZRXBB4QDC+RdIlxofsjrneupav7O4q6aLCkf0J4Am2+GPTgunx9d2u3uIclPBZ2TUTHdmggk=
trusted comment: made for a test
HLrEb0bKp39LhuaaWvr9EnGK6l8wu0oPyYO1E/GEN5WiuoKkdU//Ec2v4ofIGOkkfvUVtPiLYS7IcgfbTYVgBQ==\n";

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("trials/a")).unwrap();
        for (name, text) in [
            ("trials.csv", "trial\n1\n"),
            ("trials/a/outcome.toml", "status = \"completed\"\n"),
            ("trials/a/lock", ""),
            ("hashes.lock", ""),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn signed() -> tempfile::TempDir {
        let folder = folder();
        let manifest = Manifest::of(folder.path()).unwrap();
        fs::write(folder.path().join(MANIFEST), manifest.to_text()).unwrap();
        fs::write(folder.path().join(SIGNATURE), SIGNED).unwrap();
        folder
    }

    #[test]
    fn a_manifest_lists_every_file_that_holds_a_result() {
        let folder = signed();
        let manifest = Manifest::of(folder.path()).unwrap();
        let names: Vec<&str> = manifest.0.keys().map(String::as_str).collect();
        assert_eq!(names, ["trials.csv", "trials/a/outcome.toml"]);
        let text = fs::read_to_string(folder.path().join(MANIFEST)).unwrap();
        assert_eq!(Manifest::parse(Path::new(MANIFEST), &text).unwrap(), manifest);
    }

    #[test]
    fn a_signature_by_its_key_is_taken_and_what_it_covers_is_known() {
        let folder = signed();
        let (manifest, comment) = Manifest::signed(folder.path(), KEY).unwrap();
        assert_eq!((manifest.files(), &*comment), (2, "made for a test"));
        assert!(manifest.changes(&Manifest::of(folder.path()).unwrap()).is_empty());
        let path = |name: &str| folder.path().join(name);
        fs::write(path("trials.csv"), "trial\n2\n").unwrap();
        fs::remove_file(path("trials/a/outcome.toml")).unwrap();
        fs::write(path("report.html"), "").unwrap();
        assert_eq!(
            manifest.changes(&Manifest::of(folder.path()).unwrap()),
            [
                ("report.html", "was added"),
                ("trials.csv", "was changed"),
                ("trials/a/outcome.toml", "is missing")
            ]
        );
    }

    #[test]
    fn a_changed_manifest_and_another_key_are_refused() {
        let folder = signed();
        let other = KEY.replacen("RW", "RX", 1);
        for key in [&*other, "no key and no file"] {
            assert!(Manifest::signed(folder.path(), key).is_err(), "{key}");
        }
        let path = folder.path().join(MANIFEST);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("trials.csv", "trial5.csv")).unwrap();
        let error = Manifest::signed(folder.path(), KEY).unwrap_err();
        assert!(matches!(error, ManifestError::Forged { .. }), "{error}");
        fs::remove_file(folder.path().join(SIGNATURE)).unwrap();
        let error = Manifest::signed(folder.path(), KEY).unwrap_err().to_string();
        assert!(error.contains("minisig is missing: the author of the folder"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_names_of_two_lines_are_refused() {
        let folder = folder();
        std::os::unix::fs::symlink("/dev/null", folder.path().join("link")).unwrap();
        let error = Manifest::of(folder.path()).unwrap_err().to_string();
        assert!(error.contains("is a link or a device"), "{error}");
        fs::remove_file(folder.path().join("link")).unwrap();
        fs::write(folder.path().join("two\nlines"), "").unwrap();
        assert!(matches!(Manifest::of(folder.path()), Err(ManifestError::Unlisted { .. })));
    }
}

//! Who works on a trial: a name for this process that no other one has, on any machine.
//!
//! A lock over a network may be lost without a word: the machine was cut off, and the server has given
//! the lock to another one. So whoever takes a trial also leaves his name with it, and looks before each
//! write whether it is still there.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use crate::basis::regular;

/// The name of this process: host, process and some digits, as two hosts may be called the same.
pub(super) fn name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let host = host();
        // Only has to differ from the names of other processes.
        let drawn = format!("{:?}", std::collections::hash_map::RandomState::new());
        let digits = &blake3::hash(drawn.as_bytes()).to_hex()[..8];
        format!("{host}-{}-{digits}", std::process::id())
    })
}

/// The name of this machine, as a part of the names of files.
pub fn host() -> String {
    let host = sysinfo::System::host_name().unwrap_or_else(|_| "host".to_owned());
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    host.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

/// The machine in a name of a process.
pub(super) fn host_of(name: &str) -> Option<&str> {
    let (rest, _digits) = name.trim().rsplit_once('-')?;
    Some(rest.rsplit_once('-')?.0)
}

/// Another process has taken the trial.
#[derive(Debug, thiserror::Error)]
#[error("another process has taken over the trial: {0}")]
pub(super) struct TakenOver(pub(super) String);

/// Makes sure that the name at `path` is that of this process; a trial that nobody ever took is
/// everybody's.
pub(super) fn check(path: &Path) -> io::Result<()> {
    match regular::read_to_string(path) {
        Ok(other) if other != name() => Err(io::Error::other(TakenOver(other))),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_process_has_a_name_of_its_own_that_says_where_it_is() {
        assert_eq!(name(), name());
        assert_eq!(host_of(name()), Some(host().as_str()));
        assert_eq!(host_of("node-17-4711-0123abcd"), Some("node-17"));
        assert_eq!(host_of("nonsense"), None);
    }

    #[test]
    fn who_was_overtaken_notices() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("holder");
        assert!(check(&path).is_ok());
        fs::write(&path, name()).unwrap();
        assert!(check(&path).is_ok());
        fs::write(&path, "n2-77-0123abcd").unwrap();
        let error = check(&path).unwrap_err().to_string();
        assert_eq!(error, "another process has taken over the trial: n2-77-0123abcd");
    }
}

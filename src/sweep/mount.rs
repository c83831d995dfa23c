//! File systems, and what they mean for locks and for other machines.

use std::path::{Path, PathBuf};

/// The file system that a folder is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// Such as `ext4` or `nfs4`.
    pub kind: String,
    options: String,
}

impl Mount {
    /// That of `path`; none where the system does not tell.
    pub fn of(path: &Path) -> Option<Mount> {
        let path = path.canonicalize().ok()?;
        Mount::among(&std::fs::read_to_string("/proc/self/mountinfo").ok()?, &path)
    }

    /// That of `path` among the lines of Linux' table: the innermost, and of those the last one.
    fn among(table: &str, path: &Path) -> Option<Mount> {
        let mounts = table.lines().filter_map(|line| {
            let (place, system) = line.split_once(" - ")?;
            let point = PathBuf::from(place.split(' ').nth(4)?.replace("\\040", " "));
            let mut system = system.split(' ');
            let (kind, _device) = (system.next()?, system.next()?);
            let options = system.next().unwrap_or_default().to_owned();
            path.starts_with(&point)
                .then(|| (point.components().count(), Mount { kind: kind.to_owned(), options }))
        });
        mounts.max_by_key(|(depth, _)| *depth).map(|(_, mount)| mount)
    }

    /// Whether it is in this machine's memory, where no other machine sees it.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.kind.as_str(), "tmpfs" | "ramfs")
    }

    /// Whether other machines may write there too.
    pub fn is_of_network(&self) -> bool {
        let kinds =
            ["nfs", "nfs4", "cifs", "smb3", "9p", "ceph", "lustre", "gpfs", "beegfs", "afs"];
        kinds.contains(&self.kind.as_str()) || self.kind.starts_with("fuse.")
    }

    /// Whether it is shared, but a lock there is not seen by other machines.
    pub fn has_local_locks(&self) -> bool {
        let is_set = |options: &[&str]| self.options.split(',').any(|it| options.contains(&it));
        match self.kind.as_str() {
            "nfs" | "nfs4" => is_set(&["nolock", "local_lock=all", "local_lock=flock"]),
            "lustre" => is_set(&["localflock", "noflock"]),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_system_of_a_folder_is_the_innermost_one() {
        let table = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:30 / /scratch rw,nosuid - tmpfs tmpfs rw,size=1g
31 22 0:31 / /home rw shared:1 - nfs4 nas:/home rw,vers=4.2,local_lock=none,addr=10.0.0.1
32 31 0:32 / /home/old\\040data rw - nfs nas:/old rw,vers=3,local_lock=all
";
        let of = |path: &str| Mount::among(table, Path::new(path)).unwrap();
        assert_eq!(of("/var/results").kind, "ext4");
        assert!(of("/scratch/results").is_in_memory());
        assert!(!of("/scratchy").is_in_memory());
        assert!(!of("/home/me/results").has_local_locks());
        assert!(of("/home/old data/results").has_local_locks());
    }
}

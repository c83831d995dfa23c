//! What the machine is, and what it has.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::kernels::instruction_set;
use crate::plan::run::Memory;

/// A machine, and the program on it: what may explain a difference between two results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name in its network.
    pub host: String,
    /// What the processor calls itself; empty where the system does not tell.
    pub processor: String,
    /// The widest vector instructions that the processor and the kernels both have.
    pub instruction_set: String,
    /// As Rust calls it.
    pub architecture: String,
    /// The operating system, as Rust calls it.
    pub os: String,
    /// Of the program.
    pub version: String,
    /// The hash of the program's file.
    pub binary: String,
}

impl Machine {
    /// This one.
    pub fn here() -> &'static Machine {
        static HERE: OnceLock<Machine> = OnceLock::new();
        HERE.get_or_init(|| Machine {
            host: super::store::host(),
            processor: processor(),
            instruction_set: instruction_set(),
            architecture: std::env::consts::ARCH.to_owned(),
            os: std::env::consts::OS.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            binary: binary_hash().unwrap_or_else(|_| "unknown".to_owned()),
        })
    }
}

fn processor() -> String {
    let Ok(mut system) = sysinfo::System::new() else { return String::new() };
    system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
    system.cpus().first().map_or(String::new(), |cpu| cpu.brand().trim().to_owned())
}

/// The hash of the program's file.
fn binary_hash() -> std::io::Result<String> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(std::fs::File::open(std::env::current_exe()?)?)?;
    Ok(hasher.finalize().to_hex()[..16].to_owned())
}

/// The memory of the machine, or of the group of processes that this one is confined to, in bytes;
/// none where the system does not tell.
pub fn memory() -> Option<u64> {
    let mut system = sysinfo::System::new().ok()?;
    system.refresh_memory();
    let all = system.total_memory();
    let group = system.cgroup_limits().map_or(all, |limits| limits.total_memory);
    Some(all.min(group)).filter(|bytes| *bytes > 0)
}

/// `limit` in bytes; none: no limit.
pub fn bytes(limit: Memory) -> Option<u64> {
    match limit {
        Memory::None => None,
        Memory::Part(part) => Some((memory()? as f64 * part) as u64),
        Memory::Bytes(bytes) => Some(bytes),
    }
}

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

    #[test]
    fn this_machine_says_what_it_is() {
        let here = Machine::here();
        assert!(!here.host.is_empty() && here.binary.len() == 16, "{here:?}");
    }
}

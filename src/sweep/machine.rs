//! What the machine has.

use crate::plan::run::Memory;

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

//! The platform of a trial: the machine, and the program on it.

use std::sync::OnceLock;

use crate::kernels::instruction_set;

/// A machine, and the program on it: what may explain a difference between two results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// Its name in its network.
    pub host: String,
    /// What the processor calls itself; empty where the system does not tell.
    pub processor: String,
    /// The vector instructions that the kernels use.
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

impl Platform {
    /// This one.
    pub fn here() -> &'static Platform {
        static HERE: OnceLock<Platform> = OnceLock::new();
        HERE.get_or_init(|| Platform {
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

#[cfg(test)]
mod tests {
    use super::Platform;

    #[test]
    fn this_platform_says_what_it_is() {
        let here = Platform::here();
        assert!(!here.host.is_empty() && here.binary.len() == 16, "{here:?}");
    }
}

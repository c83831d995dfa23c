//! What trials run on: the processor, or an accelerator by its number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// The processor.
    Cpu,
    /// A GPU by NVIDIA, by its number.
    Cuda(usize),
    /// A GPU by Apple.
    Metal,
}

/// Devices that compute in the same way, up to what libraries do on different models. Another kind
/// rounds differently, so the kind is part of what a trial is, and the number is not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Processors, by the kernels.
    #[default]
    Cpu,
    /// GPUs by NVIDIA.
    Cuda,
    /// GPUs by Apple.
    Metal,
}

impl Kind {
    /// Whether it is the one that plans do not mention.
    pub fn is_cpu(&self) -> bool {
        *self == Kind::Cpu
    }
}

impl Device {
    /// The first device of a kind.
    pub fn first(kind: Kind) -> Device {
        match kind {
            Kind::Cpu => Device::Cpu,
            Kind::Cuda => Device::Cuda(0),
            Kind::Metal => Device::Metal,
        }
    }

    /// Its kind.
    pub fn kind(self) -> Kind {
        match self {
            Device::Cpu => Kind::Cpu,
            Device::Cuda(_) => Kind::Cuda,
            Device::Metal => Kind::Metal,
        }
    }

    /// The feature of the package that has to be built in for it; none for the processor.
    pub fn feature(self) -> Option<&'static str> {
        match self {
            Device::Cpu => None,
            Device::Cuda(_) => Some("cuda"),
            Device::Metal => Some("metal"),
        }
    }

    /// Whether this build can use it, if the machine has it.
    pub fn is_built_in(self) -> bool {
        match self {
            Device::Cpu => true,
            Device::Cuda(_) => cfg!(feature = "cuda"),
            Device::Metal => cfg!(feature = "metal"),
        }
    }
}

/// What [`Device::from_str`] says of all else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("devices are \"cpu\", \"cuda:0\", \"cuda:1\", …, \"metal\"")]
pub struct NoDevice;

impl FromStr for Device {
    type Err = NoDevice;

    /// `cpu`, `cuda:N` or `metal`: one way to write each, so that none is in a list twice unseen.
    fn from_str(text: &str) -> Result<Device, NoDevice> {
        let device = match text.split_once(':') {
            None if text == "cpu" => Device::Cpu,
            None if text == "metal" => Device::Metal,
            Some(("cuda", number)) => Device::Cuda(number.parse().map_err(|_| NoDevice)?),
            _ => return Err(NoDevice),
        };
        if device.to_string() == text { Ok(device) } else { Err(NoDevice) }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(number) => write!(f, "cuda:{number}"),
            Device::Metal => f.write_str("metal"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for (text, device) in [
            ("cpu", Device::Cpu),
            ("cuda:0", Device::Cuda(0)),
            ("cuda:12", Device::Cuda(12)),
            ("metal", Device::Metal),
        ] {
            assert_eq!(text.parse(), Ok(device));
            assert_eq!(device.to_string(), text);
        }
        for text in ["", "CPU", "cpu:0", "cuda", "cuda:", "cuda:-1", "cuda:00", "cuda:+1", "gpu"] {
            assert_eq!(text.parse::<Device>(), Err(NoDevice), "{text}");
        }
    }
}

//! Where tensors are, and what computes on them: the kernels on a processor, candle's own operations
//! everywhere else.
//!
//! Each operation of the kernels has a counterpart in here, written in candle's tensor operations with its
//! backward pass: same shapes, same definitions, same masks of dropout, gradients as exact. Sums are
//! taken by the device in its own order, so results agree with those of the kernels to the rounding of
//! f32, and are not promised to repeat bit for bit.

pub(super) mod activation;
pub(super) mod arrange;
pub(super) mod channel_pool;
pub(super) mod conv;
pub(super) mod dense;
pub(super) mod dropout;
pub(super) mod merge;
pub(super) mod norm;
pub(super) mod pool;
pub(super) mod update;

#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Result, Tensor};

use candlewick_basis::device as asked;

use super::buffer::Buffer;
use super::instruction_set;

/// Where tensors are, and what computes on them.
#[derive(Clone, Debug)]
pub struct Device {
    at: candle_core::Device,
    by_candle: bool,
}

/// Why there is no such device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The program cannot use any of its kind.
    #[error(
        "this wick was built without {feature}, which {asked} needs: build it with \
         cargo install --path . --features {feature}, or use the device cpu"
    )]
    NotBuiltIn {
        /// The device.
        asked: asked::Device,
        /// The cargo feature that brings it.
        feature: &'static str,
    },
    /// The program could use it, but it is not there or does not answer.
    #[error("there is no {asked} that wick could use: {cause}")]
    NotThere {
        /// The device.
        asked: asked::Device,
        /// What its driver says.
        cause: String,
    },
}

impl Device {
    /// The processor with the kernels.
    pub fn cpu() -> Device {
        Device { at: candle_core::Device::Cpu, by_candle: false }
    }

    /// The processor with candle's operations, as on any other device: for comparison. It is slow.
    pub fn cpu_by_candle() -> Device {
        Device { at: candle_core::Device::Cpu, by_candle: true }
    }

    /// The device `asked` for. It is opened once in a process and shared by all callers.
    ///
    /// # Errors
    /// If the program was built without it, or the machine has none.
    pub fn open(asked: asked::Device) -> std::result::Result<Device, DeviceError> {
        let Some(feature) = asked.feature() else { return Ok(Device::cpu()) };
        if !asked.is_built_in() {
            return Err(DeviceError::NotBuiltIn { asked, feature });
        }
        static OPENED: Mutex<Vec<(asked::Device, Device)>> = Mutex::new(Vec::new());
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, device)) = opened.iter().find(|(known, _)| *known == asked) {
            return Ok(device.clone());
        }
        let at = match asked {
            asked::Device::Cuda(number) => candle_core::Device::new_cuda(number),
            asked::Device::Cpu | asked::Device::Metal => candle_core::Device::new_metal(0),
        };
        let at = at.map_err(|cause| DeviceError::NotThere { asked, cause: cause.to_string() })?;
        let device = Device { at, by_candle: true };
        opened.push((asked, device.clone()));
        Ok(device)
    }

    /// What computes here: the instruction set of a processor's kernels, else the kind of device.
    pub fn name(&self) -> String {
        match (&self.at, self.by_candle) {
            (_, false) => instruction_set(),
            (candle_core::Device::Cpu, true) => "candle".to_owned(),
            (candle_core::Device::Cuda(_), true) => "CUDA".to_owned(),
            (candle_core::Device::Metal(_), true) => "Metal".to_owned(),
        }
    }

    /// Whether operations are candle's and not the kernels.
    pub(super) fn is_by_candle(&self) -> bool {
        self.by_candle
    }

    /// Waits until the device has done all operations: they run asynchronously.
    ///
    /// # Errors
    /// If something of it failed.
    pub fn finish(&self) -> Result<()> {
        self.at.synchronize()
    }

    /// `tensor` on this device.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn bring(&self, tensor: &Tensor) -> Result<Tensor> {
        tensor.to_device(&self.at)
    }

    /// `numbers`, which go with a tensor of shape `dims`, as operations on this device want them.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn buffer(&self, numbers: Vec<f32>, dims: &[usize]) -> Result<Buffer> {
        Ok(match self.by_candle {
            false => Buffer::Host(numbers),
            true => Buffer::Device(Tensor::from_vec(numbers, dims, &self.at)?),
        })
    }
}

/// 1 where `condition` holds, else 0.
fn indicator(condition: &Tensor) -> Result<Tensor> {
    condition.to_dtype(DType::F32)
}

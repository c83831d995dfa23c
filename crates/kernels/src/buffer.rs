//! Numbers that go with a tensor: its gradient, an optimiser's moments, running statistics.

use candle_core::{Result, Tensor};

use rayon::prelude::*;

use super::pieces::{PIECE, add_to};
use super::tape::{numbers, values};

/// As many numbers as the tensor that they go with, in its order; or none.
#[derive(Clone, Debug)]
pub enum Buffer {
    /// On the host, where the kernels are.
    Host(Vec<f32>),
    /// On the device of the tensor, in its shape.
    Device(Tensor),
}

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer::Host(Vec::new())
    }
}

impl Buffer {
    /// Whether there are no numbers.
    pub fn is_empty(&self) -> bool {
        match self {
            Buffer::Host(numbers) => numbers.is_empty(),
            Buffer::Device(tensor) => tensor.elem_count() == 0,
        }
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        match self {
            Buffer::Host(numbers) => numbers.len(),
            Buffer::Device(tensor) => tensor.elem_count(),
        }
    }

    /// The numbers, from wherever they are.
    ///
    /// # Errors
    /// If the device does not give them.
    pub fn into_numbers(self) -> Result<Vec<f32>> {
        match self {
            Buffer::Host(numbers) => Ok(numbers),
            Buffer::Device(tensor) => values(&tensor),
        }
    }

    /// A copy of the numbers.
    ///
    /// # Errors
    /// If the device does not give them.
    pub fn numbers(&self) -> Result<Vec<f32>> {
        self.clone().into_numbers()
    }

    /// The numbers as a tensor of shape `dims` on `device`.
    pub(super) fn into_tensor(
        self,
        dims: &[usize],
        device: &candle_core::Device,
    ) -> Result<Tensor> {
        match self {
            Buffer::Host(numbers) => Tensor::from_vec(numbers, dims, device),
            Buffer::Device(tensor) => tensor.reshape(dims)?.contiguous(),
        }
    }

    /// Overwrites the numbers with as many others.
    ///
    /// # Errors
    /// If they are more or fewer.
    pub fn assign(&mut self, others: &[f32]) -> Result<()> {
        if others.len() != self.len() {
            candle_core::bail!("{} numbers do not fit {}", others.len(), self.len());
        }
        match self {
            Buffer::Host(numbers) => numbers.copy_from_slice(others),
            Buffer::Device(tensor) => {
                *tensor = Tensor::from_slice(others, tensor.shape(), tensor.device())?;
            }
        }
        Ok(())
    }

    /// `self += more`.
    ///
    /// # Errors
    /// If one is on a device and the other is not.
    pub fn add(&mut self, more: &Buffer) -> Result<()> {
        match (self, more) {
            (Buffer::Host(sum), Buffer::Host(more)) => add_to(sum, more),
            (Buffer::Device(sum), Buffer::Device(more)) => *sum = (&*sum + more)?,
            _ => return apart(),
        }
        Ok(())
    }

    /// `self *= factor`.
    pub fn scale(&mut self, factor: f32) -> Result<()> {
        match self {
            Buffer::Host(numbers) => numbers.iter_mut().for_each(|number| *number *= factor),
            Buffer::Device(tensor) => *tensor = tensor.affine(f64::from(factor), 0.0)?,
        }
        Ok(())
    }

    /// Brings every number within ± `limit`.
    pub fn clamp(&mut self, limit: f32) -> Result<()> {
        match self {
            Buffer::Host(numbers) => {
                numbers.iter_mut().for_each(|number| *number = number.clamp(-limit, limit));
            }
            Buffer::Device(tensor) => *tensor = tensor.clamp(-limit, limit)?,
        }
        Ok(())
    }

    /// `self = (1 − share) · self + share · new`.
    ///
    /// # Errors
    /// If one is on a device and the other is not.
    pub fn blend(&mut self, new: &Buffer, share: f32) -> Result<()> {
        match (self, new) {
            (Buffer::Host(old), Buffer::Host(new)) => {
                old.iter_mut().zip(new).for_each(|(o, n)| *o = (1.0 - share) * *o + share * n);
            }
            (Buffer::Device(old), Buffer::Device(new)) => {
                let kept = old.affine(f64::from(1.0 - share), 0.0)?;
                *old = (kept + new.affine(f64::from(share), 0.0)?)?;
            }
            _ => return apart(),
        }
        Ok(())
    }

    /// `self += share · (new − self)`: numbers that are equal stay as they are.
    ///
    /// # Errors
    /// If one is on a device and the other is not.
    pub fn approach(&mut self, new: &Buffer, share: f32) -> Result<()> {
        match (self, new) {
            (Buffer::Host(old), Buffer::Host(new)) => approach(old, new, share),
            (Buffer::Device(old), Buffer::Device(new)) => *old = between(old, new, share)?,
            _ => return apart(),
        }
        Ok(())
    }

    /// As [`approach`](Self::approach), to the numbers of `tensor`.
    pub fn approach_tensor(&mut self, tensor: &Tensor, share: f32) -> Result<()> {
        match self {
            Buffer::Host(old) => approach(old, &numbers(tensor)?, share),
            Buffer::Device(old) => *old = between(old, tensor, share)?,
        }
        Ok(())
    }

    /// `self += strength · (tensor − start)`: the gradient of a pull towards `start`.
    ///
    /// # Errors
    /// If they are on different devices.
    pub fn pull(&mut self, tensor: &Tensor, start: &Buffer, strength: f32) -> Result<()> {
        match (self, start) {
            (Buffer::Host(gradient), Buffer::Host(start)) => {
                let weights = numbers(tensor)?;
                let all = gradient.iter_mut().zip(weights.iter()).zip(start);
                all.for_each(|((gradient, weight), start)| {
                    *gradient += strength * (weight - start)
                });
            }
            (Buffer::Device(gradient), Buffer::Device(start)) => {
                let away = (tensor - start)?.affine(f64::from(strength), 0.0)?;
                *gradient = (&*gradient + away)?;
            }
            _ => return apart(),
        }
        Ok(())
    }
}

fn approach(old: &mut [f32], new: &[f32], share: f32) {
    old.par_chunks_mut(PIECE).zip(new.par_chunks(PIECE)).for_each(|(old, new)| {
        old.iter_mut().zip(new).for_each(|(old, new)| *old += share * (*new - *old));
    });
}

fn between(old: &Tensor, new: &Tensor, share: f32) -> Result<Tensor> {
    old + (new - old)?.affine(f64::from(share), 0.0)?
}

/// The 2-norm of all `buffers` together: in f64 and in their order on the host, in f32 on a device.
pub fn global_norm(buffers: &[Buffer]) -> Result<f64> {
    let mut on_host = 0.0;
    let mut on_device: Option<Tensor> = None;
    for buffer in buffers {
        match buffer {
            Buffer::Host(numbers) => {
                on_host += numbers.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>();
            }
            // One number comes back in the end, not one for each.
            Buffer::Device(tensor) => {
                let squares = tensor.sqr()?.sum_all()?;
                on_device = Some(match on_device {
                    Some(sum) => (sum + squares)?,
                    None => squares,
                });
            }
        }
    }
    let on_device = on_device.map(|sum| sum.to_scalar::<f32>()).transpose()?;
    Ok((on_host + on_device.map_or(0.0, f64::from)).sqrt())
}

fn apart<T>() -> Result<T> {
    candle_core::bail!("numbers on the host and on a device cannot be combined")
}

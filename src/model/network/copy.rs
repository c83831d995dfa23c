//! Copies of all numbers of a network, where the network is.

use candle_core::Result;

use super::{Network, Weights};
use crate::kernels::buffer::Buffer;
use crate::kernels::tape::values;
use crate::kernels::update;

/// The numbers of all parameters in the order of the layers, then those of all running statistics.
pub struct Copy(Vec<Buffer>);

impl Network {
    /// A copy of all numbers.
    ///
    /// # Errors
    /// If the device has no room.
    pub fn copy(&mut self) -> Result<Copy> {
        let device = self.device.clone();
        let copy = |parameter: &super::Parameter| {
            device.buffer(values(&parameter.tensor)?, parameter.tensor.dims())
        };
        let mut numbers = self.parameters.iter().map(copy).collect::<Result<Vec<_>>>()?;
        for layer in self.layers() {
            numbers.extend(layer.buffers().into_iter().map(|(_, buffer)| buffer.clone()));
        }
        Ok(Copy(numbers))
    }

    /// Exchanges all numbers with those of `copy`.
    ///
    /// # Errors
    /// If it is that of another network.
    pub fn exchange(&mut self, copy: &mut Copy) -> Result<()> {
        let mut others = copy.0.iter_mut();
        let mut next = || others.next().ok_or_else(no_copy);
        for parameter in &self.parameters {
            update::exchange(&parameter.tensor, next()?)?;
        }
        for layer in self.layers() {
            for (_, buffer) in layer.buffers() {
                std::mem::swap(buffer, next()?);
            }
        }
        Ok(())
    }

    /// Brings the numbers of `mean` by `share` of the way nearer to those of the network; running statistics too if
    /// `with_statistics`.
    ///
    /// # Errors
    /// If it is that of another network.
    pub fn attract(&mut self, mean: &mut Copy, share: f32, with_statistics: bool) -> Result<()> {
        let mut means = mean.0.iter_mut();
        let mut next = || means.next().ok_or_else(no_copy);
        for parameter in &self.parameters {
            next()?.approach_tensor(&parameter.tensor, share)?;
        }
        for layer in self.layers() {
            for (_, buffer) in layer.buffers() {
                let mean = next()?;
                if with_statistics {
                    mean.approach(buffer, share)?;
                }
            }
        }
        Ok(())
    }

    /// Moves each parameter that learns by `factor` times its direction, one for each in their order.
    ///
    /// # Errors
    /// If a direction is not where its parameter is.
    pub fn shift(&mut self, directions: &[Buffer], factor: f32) -> Result<()> {
        let both = self.parameters.iter().zip(directions).filter(|(parameter, _)| parameter.learns);
        both.into_iter().try_for_each(|(parameter, direction)| {
            update::shift(&parameter.tensor, direction, factor)
        })
    }

    /// A copy with the numbers of `weights`, and those of the network where they have none.
    ///
    /// # Errors
    /// If one has another shape.
    pub fn copy_of(&mut self, weights: &Weights) -> Result<Copy> {
        let mut all = self.weights()?;
        all.extend(weights.iter().map(|(name, tensor)| (name.clone(), tensor.clone())));
        let own = self.weights()?;
        self.load(&all)?;
        let copy = self.copy();
        self.load(&own)?;
        copy
    }
}

fn no_copy() -> candle_core::Error {
    candle_core::Error::Msg("a copy of another network".to_owned())
}

//! The mean of the weights over training, which is evaluated and kept in their place.

use candle_core::Result;

use crate::config::train::average::Average;
use crate::model::network::{Copy, Network, Weights};

use super::steps::Steps;

/// A mean that has begun, or has not yet.
pub struct Averaged {
    rule: Average,
    mean: Option<Copy>,
}

impl Averaged {
    /// As `rule` says, before its beginning.
    pub fn new(rule: Average) -> Averaged {
        Averaged { rule, mean: None }
    }

    /// Whether there is a mean.
    pub fn has_begun(&self) -> bool {
        self.mean.is_some()
    }

    /// Takes notice of the step number `step` of training, counted from 1, which is one of epoch `epoch`; `spread` is
    /// that of all steps.
    ///
    /// # Errors
    /// If a device has no room.
    pub fn after_step(
        &mut self,
        network: &mut Network,
        step: u64,
        epoch: usize,
        spread: &Steps,
    ) -> Result<()> {
        let Average::Ema(ema) = self.rule else { return Ok(()) };
        match &mut self.mean {
            _ if epoch < ema.from_epoch => Ok(()),
            none @ None => {
                *none = Some(network.copy()?);
                Ok(())
            }
            Some(mean) => {
                let update = step.saturating_sub(spread.before(ema.from_epoch));
                let share = (1.0 - ema.decay_at(update)) as f32;
                network.attract(mean, share, true)
            }
        }
    }

    /// Takes notice of the end of epoch `epoch`, counted from 1; whether the running statistics of the mean have to
    /// be found anew.
    ///
    /// # Errors
    /// If a device has no room.
    pub fn after_epoch(&mut self, network: &mut Network, epoch: usize) -> Result<bool> {
        let Average::Swa(swa) = self.rule else { return Ok(false) };
        let Some(before) = epoch.checked_sub(swa.from_epoch) else { return Ok(false) };
        match &mut self.mean {
            none @ None => *none = Some(network.copy()?),
            Some(mean) => network.attract(mean, 1.0 / (before as f32 + 1.0), false)?,
        }
        Ok(true)
    }

    /// Exchanges the mean and the weights of `network`, if there is a mean.
    ///
    /// # Errors
    /// If it is that of another network.
    pub fn exchange(&mut self, network: &mut Network) -> Result<()> {
        self.mean.as_mut().map_or(Ok(()), |mean| network.exchange(mean))
    }

    /// Goes on with `mean`, as far as it goes; the rest is that of `network`.
    ///
    /// # Errors
    /// If a tensor has another shape.
    pub fn load(&mut self, network: &mut Network, mean: &Weights) -> Result<()> {
        self.mean = Some(network.copy_of(mean)?);
        Ok(())
    }
}

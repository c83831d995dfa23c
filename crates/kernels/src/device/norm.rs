//! Batch normalisation in candle's operations.

use candle_core::{Result, Tensor};

use crate::activation::Activation;
use crate::buffer::Buffer;
use crate::norm::{BatchStatistics, Statistics};
use crate::tape::{Tape, Value};

use super::activation::then;

/// [`batch_norm`](crate::norm::batch_norm) on a device; x is `[batch, channels, …]`.
pub(crate) fn batch_norm(
    tape: &mut Tape,
    x: &Value,
    gamma: &Value,
    beta: &Value,
    eps: f64,
    statistics: Statistics,
    activation: Option<Activation>,
) -> Result<(Value, Option<BatchStatistics>)> {
    let dims = x.dims().to_vec();
    let (batch, channels) = (dims[0], dims[1]);
    let pixels = dims[2..].iter().product::<usize>();
    let count = (batch * pixels) as f64;
    let flat = x.tensor().reshape((batch, channels, pixels))?;
    let by_channel = [1, channels, 1];
    let (mean, variance, found) = match statistics {
        Statistics::Batch => {
            let mean = (by_channel_sum(&flat)? / count)?;
            let variance = (by_channel_sum(&flat.broadcast_sub(&mean)?.sqr()?)? / count)?;
            let found = BatchStatistics {
                mean: Buffer::Device(mean.reshape(channels)?),
                unbiased_variance: Buffer::Device(
                    variance.reshape(channels)?.affine(count / (count - 1.0).max(1.0), 0.0)?,
                ),
            };
            (mean, variance, Some(found))
        }
        Statistics::Running { mean, variance } => {
            let on_device =
                |buffer: &Buffer| buffer.clone().into_tensor(&by_channel, x.tensor().device());
            (on_device(mean)?, on_device(variance)?, None)
        }
    };
    let from_batch = found.is_some();
    let inverse = (variance + eps)?.sqrt()?.recip()?;
    let weight = gamma.tensor().reshape(&by_channel)?;
    let scale = (&inverse * &weight)?;
    let y = flat
        .broadcast_sub(&mean)?
        .broadcast_mul(&scale)?
        .broadcast_add(&beta.tensor().reshape(&by_channel)?)?
        .reshape(&dims[..])?;
    let y = tape.record_by_candle(y, &[x, gamma, beta], move |gradient, wanted| {
        let g = gradient.reshape((batch, channels, pixels))?;
        let normalised = flat.broadcast_sub(&mean)?.broadcast_mul(&inverse)?;
        // Per channel: the sum of the gradient, and of gradient · normalised x.
        let sums = by_channel_sum(&g)?;
        let products = by_channel_sum(&(&g * &normalised)?)?;
        let for_x = || -> Result<Tensor> {
            let g = match from_batch {
                // γ·inv · (g − mean(g) − x̂ · mean(g·x̂)).
                true => g
                    .broadcast_sub(&(&sums / count)?)?
                    .sub(&normalised.broadcast_mul(&(&products / count)?)?)?,
                false => g.clone(),
            };
            g.broadcast_mul(&scale)?.reshape(&dims[..])
        };
        Ok(vec![
            wanted[0].then(for_x).transpose()?,
            wanted[1].then(|| products.reshape(channels)).transpose()?,
            wanted[2].then(|| sums.reshape(channels)).transpose()?,
        ])
    })?;
    let y = then(tape, y.counted_in_lanes(x.counts_in_lanes()), activation)?;
    Ok((y, found))
}

/// The sum of `[batch, channels, pixels]` over all but channels: first over pixels, then over images,
/// so that no sum in f32 is longer than it has to be.
fn by_channel_sum(x: &Tensor) -> Result<Tensor> {
    x.sum_keepdim(2)?.sum_keepdim(0)
}

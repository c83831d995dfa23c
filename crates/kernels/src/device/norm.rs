//! Normalisation in candle's operations.

use candle_core::{Result, Tensor};

use crate::activation::Activation;
use crate::buffer::Buffer;
use crate::norm::{BatchStatistics, Statistics};
use crate::response_norm::LocalResponse;
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
    let flat = of_maps(x.tensor())?;
    let channels = dims[1];
    let count = (flat.elem_count() / channels.max(1)) as f64;
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
        let g = of_maps(&gradient)?;
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

/// `[batch, channels, …]` as `[batch, channels, pixels]`.
fn of_maps(x: &Tensor) -> Result<Tensor> {
    let pixels = x.dims()[2..].iter().product::<usize>();
    x.reshape((x.dim(0)?, x.dim(1)?, pixels))
}

/// The sum of `[batch, channels, pixels]` over all but channels: first over pixels, then over images,
/// so that no sum in f32 is longer than it has to be.
fn by_channel_sum(x: &Tensor) -> Result<Tensor> {
    x.sum_keepdim(2)?.sum_keepdim(0)
}

/// [`layer_norm`](crate::layer_norm::layer_norm) on a device.
pub(crate) fn layer_norm(
    tape: &mut Tape,
    x: &Value,
    gamma: &Value,
    beta: &Value,
    eps: f64,
) -> Result<Value> {
    let (batch, channels) = (x.dims()[0], x.dims()[1]);
    let pixels = x.dims()[2..].iter().product::<usize>();
    normalise(tape, x, [gamma, beta], &[batch, 1, channels, pixels], [1, channels, 1], 2, eps)
}

/// [`group_norm`](crate::group_norm::group_norm) on a device.
pub(crate) fn group_norm(
    tape: &mut Tape,
    x: &Value,
    gamma: &Value,
    beta: &Value,
    groups: usize,
    eps: f64,
) -> Result<Value> {
    let (batch, each) = (x.dims()[0], x.dims()[1] / groups);
    let pixels = x.dims()[2..].iter().product::<usize>();
    normalise(tape, x, [gamma, beta], &[batch, groups, each, pixels], [groups, each, 1], 3, eps)
}

/// Normalises `x`, seen as `[batch, groups, channels, pixels]`: over channels with two `axes`, over channels and
/// pixels with three. Gamma and beta have the axes `affine` behind the batch.
fn normalise(
    tape: &mut Tape,
    x: &Value,
    [gamma, beta]: [&Value; 2],
    dims: &[usize],
    affine: [usize; 3],
    axes: usize,
    eps: f64,
) -> Result<Value> {
    let shape = x.dims().to_vec();
    let mean = move |x: &Tensor| -> Result<Tensor> {
        let x = x.mean_keepdim(2)?;
        if axes == 3 { x.mean_keepdim(3) } else { Ok(x) }
    };
    let seen = x.tensor().reshape(dims)?;
    let by_channel = [1, affine[0], affine[1], affine[2]];
    let centred = seen.broadcast_sub(&mean(&seen)?)?;
    let inverse = (mean(&centred.sqr()?)? + eps)?.sqrt()?.recip()?;
    let normal = centred.broadcast_mul(&inverse)?;
    let weight = gamma.tensor().reshape(&by_channel)?;
    let y = normal
        .broadcast_mul(&weight)?
        .broadcast_add(&beta.tensor().reshape(&by_channel)?)?
        .reshape(&shape[..])?;
    let dims = dims.to_vec();
    let channels = gamma.dims()[0];
    let y = tape.record_by_candle(y, &[x, gamma, beta], move |gradient, wanted| {
        let g = gradient.reshape(&dims[..])?;
        let over_images = |x: &Tensor| x.sum_keepdim(3)?.sum_keepdim(0)?.reshape(channels);
        let for_x = || -> Result<Tensor> {
            let g = g.broadcast_mul(&weight)?;
            let product = normal.broadcast_mul(&mean(&(&g * &normal)?)?)?;
            let g = (g.broadcast_sub(&mean(&g)?)? - product)?;
            g.broadcast_mul(&inverse)?.reshape(&shape[..])
        };
        Ok(vec![
            wanted[0].then(for_x).transpose()?,
            wanted[1].then(|| over_images(&(&g * &normal)?)).transpose()?,
            wanted[2].then(|| over_images(&g)).transpose()?,
        ])
    })?;
    Ok(y.counted_in_lanes(x.counts_in_lanes()))
}

/// [`local_response_norm`](crate::response_norm::local_response_norm) on a device.
pub(crate) fn local_response_norm(
    tape: &mut Tape,
    x: &Value,
    settings: LocalResponse,
) -> Result<Value> {
    let dims = x.dims().to_vec();
    let flat = of_maps(x.tensor())?;
    let (batch, channels) = (dims[0], dims[1]);
    // Row c has a 1 for each channel of the window around channel c: the matrix times the squares gives the sums.
    let mut band = vec![0.0f32; channels * channels];
    for channel in 0..channels {
        settings.window(channel, channels).for_each(|other| band[channel * channels + other] = 1.0);
    }
    let band = Tensor::from_vec(band, (channels, channels), x.tensor().device())?;
    // The same matrix for each image, not a copy.
    let sum = move |band: &Tensor, x: &Tensor| band.broadcast_left(batch)?.matmul(&x.contiguous()?);
    let share = settings.alpha / settings.size as f64;
    let sums = sum(&band, &flat.sqr()?)?.affine(share, settings.k)?;
    // A number above 0 to a power.
    let power = |x: &Tensor, exponent: f64| x.log()?.affine(exponent, 0.0)?.exp();
    let factor = power(&sums, -settings.beta)?;
    let y = (&flat * &factor)?.reshape(&dims[..])?;
    let y = tape.record_by_candle(y, &[x], move |gradient, _| {
        let g = of_maps(&gradient)?;
        let shares = ((&g * &flat)? * (&factor / &sums)?)?;
        let through = (sum(&band.t()?, &shares)? * &flat)?;
        let through = through.affine(2.0 * share * settings.beta, 0.0)?;
        Ok(vec![Some(((g * &factor)? - through)?.reshape(&dims[..])?)])
    })?;
    Ok(y.counted_in_lanes(x.counts_in_lanes()))
}

/// [`global_response_norm`](crate::response_norm::global_response_norm) on a device.
pub(crate) fn global_response_norm(
    tape: &mut Tape,
    x: &Value,
    gamma: &Value,
    beta: &Value,
    eps: f64,
) -> Result<Value> {
    let dims = x.dims().to_vec();
    let flat = of_maps(x.tensor())?;
    let channels = dims[1];
    let weight = gamma.tensor().reshape((1, channels, 1))?;
    let norms = flat.sqr()?.sum_keepdim(2)?.sqrt()?;
    let mean = (norms.mean_keepdim(1)? + eps)?;
    let share = norms.broadcast_div(&mean)?;
    let own = (share.broadcast_mul(&weight)? + 1.0)?;
    let shift = beta.tensor().reshape((1, channels, 1))?;
    let y = flat.broadcast_mul(&own)?.broadcast_add(&shift)?.reshape(&dims[..])?;
    let y = tape.record_by_candle(y, &[x, gamma, beta], move |gradient, wanted| {
        let g = of_maps(&gradient)?;
        let products = (&g * &flat)?.sum_keepdim(2)?;
        let for_x = || -> Result<Tensor> {
            let of_share = products.broadcast_mul(&weight)?;
            let total = (&of_share * &norms)?.mean_keepdim(1)?;
            let of_norm = of_share
                .broadcast_div(&mean)?
                .broadcast_sub(&total.broadcast_div(&mean.sqr()?)?)?;
            // A norm of 0 has no gradient.
            let is_some = norms.gt(0f32)?;
            let through = is_some.where_cond(&(of_norm / &norms)?, &norms.zeros_like()?)?;
            let through = flat.broadcast_mul(&through)?;
            (g.broadcast_mul(&own)? + through)?.reshape(&dims[..])
        };
        Ok(vec![
            wanted[0].then(for_x).transpose()?,
            wanted[1]
                .then(|| (&products * &share)?.sum_keepdim(0)?.reshape(channels))
                .transpose()?,
            wanted[2].then(|| by_channel_sum(&g)?.reshape(channels)).transpose()?,
        ])
    })?;
    Ok(y.counted_in_lanes(x.counts_in_lanes()))
}

/// [`layer_scale`](crate::layer_scale::layer_scale) on a device.
pub(crate) fn layer_scale(tape: &mut Tape, x: &Value, scale: &Value) -> Result<Value> {
    let dims = x.dims().to_vec();
    let flat = of_maps(x.tensor())?;
    let factors = scale.tensor().reshape((1, dims[1], 1))?;
    let y = flat.broadcast_mul(&factors)?.reshape(&dims[..])?;
    let shape = scale.dims().to_vec();
    let y = tape.record_by_candle(y, &[x, scale], move |gradient, wanted| {
        let g = of_maps(&gradient)?;
        Ok(vec![
            wanted[0].then(|| g.broadcast_mul(&factors)?.reshape(&dims[..])).transpose()?,
            wanted[1].then(|| by_channel_sum(&(&g * &flat)?)?.reshape(&shape[..])).transpose()?,
        ])
    })?;
    Ok(y.counted_in_lanes(x.counts_in_lanes()))
}

/// [`times`](crate::layer_scale::times) on a device.
pub(crate) fn times(tape: &mut Tape, x: &Value, factor: f64) -> Result<Value> {
    let y = x.tensor().affine(factor, 0.0)?;
    let y = tape.record_by_candle(y, &[x], move |gradient, _| {
        Ok(vec![Some(gradient.affine(factor, 0.0)?)])
    })?;
    Ok(y.counted_in_lanes(x.counts_in_lanes()))
}

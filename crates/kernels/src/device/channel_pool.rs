//! Pools over channels in candle's operations.

use candle_core::{Result, Tensor};

use crate::tape::{Tape, Value};

/// [`channel_mean`](crate::channel_pool::channel_mean) on a device.
pub(crate) fn channel_mean(tape: &mut Tape, x: &Value) -> Result<Value> {
    let shape = x.tensor().shape().clone();
    let share = 1.0 / x.dims()[1] as f64;
    let y = x.tensor().mean_keepdim(1)?;
    let y = tape.record_by_candle(y, &[x], move |gradient, _| {
        Ok(vec![Some(gradient.affine(share, 0.0)?.broadcast_as(&shape)?.contiguous()?)])
    })?;
    Ok(y.counted_in_lanes(x.counts_in_lanes()))
}

/// [`channel_max`](crate::channel_pool::channel_max) on a device.
pub(crate) fn channel_max(tape: &mut Tape, x: &Value) -> Result<Value> {
    let (_, channels, ..) = x.tensor().dims4()?;
    let shape = x.tensor().shape().clone();
    let device = x.tensor().device();
    let y = x.tensor().max_keepdim(1)?;
    // The first channel that has the maximum: which of them an operation for it would find differs between devices.
    let places: Vec<f32> = (0..channels).map(|channel| channel as f32).collect();
    let places = Tensor::from_vec(places, (1, channels, 1, 1), device)?.broadcast_as(&shape)?;
    let has_most = x.tensor().broadcast_eq(&y)?;
    let beyond = places.affine(0.0, channels as f64)?;
    let places = places.contiguous()?;
    let first = has_most.where_cond(&places, &beyond)?.min_keepdim(1)?;
    let wins = places.broadcast_eq(&first)?;
    let y = tape.record_by_candle(y, &[x], move |gradient, _| {
        let gradient = gradient.broadcast_as(&shape)?.contiguous()?;
        Ok(vec![Some(wins.where_cond(&gradient, &gradient.zeros_like()?)?)])
    })?;
    Ok(y.counted_in_lanes(x.counts_in_lanes()))
}

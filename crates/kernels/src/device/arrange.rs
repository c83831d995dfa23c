//! Channels in other places, in candle's operations.

use candle_core::{Result, Tensor};

use crate::tape::{Tape, Value};

/// [`channels`](crate::arrange::channels) on a device: a product with zeros and ones.
pub(crate) fn channels(tape: &mut Tape, x: &Value, order: &[Option<usize>]) -> Result<Value> {
    let (batch, count, height, width) = x.tensor().dims4()?;
    let mut places = vec![0.0f32; order.len() * count];
    for (place, channel) in order.iter().enumerate() {
        if let Some(channel) = channel {
            places[place * count + channel] = 1.0;
        }
    }
    let places = Tensor::from_vec(places, (order.len(), count), x.tensor().device())?;
    let flat = x.tensor().reshape((batch, count, height * width))?;
    let y = places.broadcast_left(batch)?.contiguous()?.matmul(&flat)?;
    let y = y.reshape((batch, order.len(), height, width))?;
    let kept = order.len();
    let y = tape.record_by_candle(y, &[x], move |gradient, _| {
        let gradient = gradient.reshape((batch, kept, height * width))?;
        let back = places.t()?.broadcast_left(batch)?.contiguous()?.matmul(&gradient)?;
        Ok(vec![Some(back.reshape((batch, count, height, width))?)])
    })?;
    Ok(y.counted_in_lanes(x.counts_in_lanes()))
}

//! Channels in other places, in candle's operations.

use candle_core::{Result, Tensor};

use crate::tape::{Tape, Value};

/// [`channels`](crate::arrange::channels) on a device. Places of zeros take a channel of zeros, which stands behind
/// the others.
pub(crate) fn channels(tape: &mut Tape, x: &Value, order: &[Option<usize>]) -> Result<Value> {
    let (batch, count, height, width) = x.tensor().dims4()?;
    let device = x.tensor().device();
    let zeros = usize::from(order.contains(&None));
    let mut all = x.tensor().clone();
    if zeros > 0 {
        all = Tensor::cat(
            &[&all, &Tensor::zeros((batch, 1, height, width), all.dtype(), device)?],
            1,
        )?;
    }
    let places = order.iter().map(|channel| channel.unwrap_or(count) as u32).collect::<Vec<_>>();
    let places = Tensor::from_vec(places, order.len(), device)?;
    let y = all.contiguous()?.index_select(&places, 1)?;
    let y = tape.record_by_candle(y, &[x], move |gradient, _| {
        let shape = (batch, count + zeros, height, width);
        let sums = Tensor::zeros(shape, gradient.dtype(), gradient.device())?;
        let sums = sums.index_add(&places, &gradient.contiguous()?, 1)?;
        Ok(vec![Some(sums.narrow(1, 0, count)?.contiguous()?)])
    })?;
    Ok(y.counted_in_lanes(x.counts_in_lanes()))
}

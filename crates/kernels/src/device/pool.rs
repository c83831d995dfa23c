//! Pooling in candle's operations, for any windows.
//!
//! candle's own pooling hands a maximum a quarter of its gradient, and has no backward pass where
//! windows overlap, so neither is used.

use std::ops::Range;

use candle_core::{Device, Result, Tensor};

use crate::blur_pool::Taps;
use crate::tape::{Tape, Value, image_dims};

/// The maximum over each rectangle of `rows` and `columns`. The whole gradient goes to the first one.
pub(crate) fn max(
    tape: &mut Tape,
    x: &Value,
    [rows, columns]: [Vec<Range<usize>>; 2],
    in_lanes: bool,
) -> Result<Value> {
    let [batch, channels, height, width] = image_dims(x)?;
    let (pixels, out) = (height * width, [rows.len(), columns.len()]);
    let positions = out[0] * out[1];
    let device = x.tensor().device().clone();
    let flat = x.tensor().reshape((batch, channels, pixels))?;
    let longest = |ranges: &[Range<usize>]| ranges.iter().map(Range::len).max().unwrap_or(0);
    let taps = [longest(&rows), longest(&columns)];
    let mut best: Option<(Tensor, Tensor)> = None;
    for (down, right) in (0..taps[0]).flat_map(|y| (0..taps[1]).map(move |x| (y, x))) {
        // A window that is cut short sees its first pixel once more, which then wins nothing.
        let place = |row: &Range<usize>, column: &Range<usize>| match () {
            _ if down < row.len() && right < column.len() => {
                (row.start + down) * width + column.start + right
            }
            _ => row.start * width + column.start,
        };
        let places: Vec<u32> = rows
            .iter()
            .flat_map(|row| columns.iter().map(move |column| place(row, column) as u32))
            .collect();
        let places = Tensor::from_vec(places, positions, &device)?;
        let seen = flat.index_select(&places, 2)?;
        let places = places.broadcast_as(seen.shape())?;
        best = Some(match best {
            None => (seen, places.contiguous()?),
            Some((most, winners)) => {
                let is_more = seen.gt(&most)?;
                let winners = is_more.where_cond(&places, &winners)?;
                (is_more.where_cond(&seen, &most)?, winners)
            }
        });
    }
    let Some((most, winners)) = best else {
        candle_core::bail!("pooling windows see nothing of maps {:?}", x.dims())
    };
    let y = most.reshape((batch, channels, out[0], out[1]))?;
    let shape = x.tensor().shape().clone();
    let y = tape.record_by_candle(y, &[x], move |gradient, _| {
        let gradient = gradient.reshape((batch, channels, positions))?;
        let zeros = Tensor::zeros((batch, channels, pixels), gradient.dtype(), &device)?;
        Ok(vec![Some(zeros.scatter_add(&winners, &gradient, 2)?.reshape(&shape)?)])
    })?;
    Ok(y.counted_in_lanes(in_lanes))
}

/// The sum over each rectangle of rows and columns, divided by the product of its counts.
pub(crate) fn mean(
    tape: &mut Tape,
    x: &Value,
    ranges: &[Vec<Range<usize>>; 2],
    counts: [&[usize]; 2],
    in_lanes: bool,
) -> Result<Value> {
    let even = |axis: usize| -> Vec<Vec<(usize, f32)>> {
        let all = ranges[axis].iter().zip(counts[axis]);
        all.map(|(range, count)| range.clone().map(|at| (at, 1.0 / *count as f32)).collect())
            .collect()
    };
    weighted(tape, x, [&even(0), &even(1)], in_lanes)
}

/// Sums over rows and columns with the weights of their taps: a product with one matrix for each axis.
pub(crate) fn weighted(
    tape: &mut Tape,
    x: &Value,
    taps: [&Taps; 2],
    in_lanes: bool,
) -> Result<Value> {
    let [_, _, height, width] = image_dims(x)?;
    let device = x.tensor().device();
    let rows = shares(taps[0], height, device)?;
    let columns = shares(taps[1], width, device)?;
    let y = along_both(x.tensor(), &rows, &columns)?;
    let y = tape.record_by_candle(y, &[x], move |gradient, _| {
        Ok(vec![Some(along_both(&gradient, &rows.t()?, &columns.t()?)?)])
    })?;
    Ok(y.counted_in_lanes(in_lanes))
}

/// `[size, out]`: what each element of an axis gives to each sum.
fn shares(taps: &Taps, size: usize, device: &Device) -> Result<Tensor> {
    let mut shares = vec![0.0f32; size * taps.len()];
    for (sum, seen) in taps.iter().enumerate() {
        seen.iter().for_each(|(at, weight)| shares[at * taps.len() + sum] = *weight);
    }
    Tensor::from_vec(shares, (size, taps.len()), device)
}

/// x `[batch, channels, height, width]` times rows `[height, h]` and columns `[width, w]` along its axes.
fn along_both(x: &Tensor, rows: &Tensor, columns: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = x.dims4()?;
    let (h, w) = (rows.dim(1)?, columns.dim(1)?);
    let x = x.reshape((batch * channels * height, width))?.matmul(columns)?;
    let x = x.reshape((batch * channels, height, w))?.transpose(1, 2)?.contiguous()?;
    let x = x.reshape((batch * channels * w, height))?.matmul(rows)?;
    let x = x.reshape((batch * channels, w, h))?.transpose(1, 2)?.contiguous()?;
    x.reshape((batch, channels, h, w))
}

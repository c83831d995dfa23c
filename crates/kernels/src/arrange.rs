//! Operations that move numbers without changing them.

use std::mem::MaybeUninit;

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::device;
use super::lanes;
use super::tape::{Gradient, Tape, Value, image_dims, numbers, tensor};

/// `[batch, …]` to `[batch, features]`: channels, height and width become one axis, in this order.
pub fn flatten(tape: &mut Tape, x: &Value) -> Result<Value> {
    let x = &lanes::leave(tape, x)?;
    let batch = x.dims()[0];
    let flat = x.tensor().reshape((batch, x.tensor().elem_count() / batch.max(1)))?;
    if tape.is_by_candle() {
        let dims = x.dims().to_vec();
        let back = move |gradient: Tensor, _: &[bool]| Ok(vec![Some(gradient.reshape(&dims[..])?)]);
        return tape.record_by_candle(flat, &[x], back);
    }
    Ok(tape.record(flat, &[x], |gradient, _| Ok(vec![Some(gradient)])))
}

/// `x` in another shape, one image behind the other: a view.
///
/// # Errors
/// If the shape has another number of elements.
pub fn reshape(tape: &mut Tape, x: &Value, dims: &[usize]) -> Result<Value> {
    let x = &lanes::leave(tape, x)?;
    let shaped = x.tensor().reshape(dims)?;
    if tape.is_by_candle() {
        let dims = x.dims().to_vec();
        let back = move |gradient: Tensor, _: &[bool]| Ok(vec![Some(gradient.reshape(&dims[..])?)]);
        return tape.record_by_candle(shaped, &[x], back);
    }
    Ok(tape.record(shaped, &[x], |gradient, _| Ok(vec![Some(gradient)])))
}

/// Channels of `x` in the places of `order`: each place names a channel, or none for zeros.
///
/// # Shapes
/// x `[batch, channels, height, width]` → `[batch, order.len(), height, width]`.
///
/// # Errors
/// If a place names a channel that there is not.
pub fn channels(tape: &mut Tape, x: &Value, order: &[Option<usize>]) -> Result<Value> {
    let [batch, count, height, width] = image_dims(x)?;
    if let Some(wrong) = order.iter().flatten().find(|channel| **channel >= count) {
        candle_core::bail!("there is no channel {wrong} among {count}");
    }
    if tape.is_by_candle() {
        return device::arrange::channels(tape, x, order);
    }
    let groups = x.tensor().dims()[0];
    let map = x.tensor().elem_count() / (groups * count).max(1);
    let mut result = Box::<[f32]>::new_uninit_slice(groups * order.len() * map);
    {
        let x = numbers(x.tensor())?;
        let images = result.par_chunks_mut((order.len() * map).max(1));
        images.zip(x.par_chunks((count * map).max(1))).for_each(|(image, x)| {
            for (into, channel) in image.chunks_mut(map.max(1)).zip(order) {
                match channel {
                    Some(channel) => {
                        into.write_copy_of_slice(&x[channel * map..][..map]);
                    }
                    None => into.fill(MaybeUninit::new(0.0)),
                }
            }
        });
    }
    // SAFETY: each place of each image was written.
    let result = unsafe { result.assume_init() }.into_vec();
    let mut shape = x.tensor().dims().to_vec();
    shape[1] = order.len();
    let result = tensor(result, shape)?;
    let order = order.to_vec();
    let back = move |gradient: Gradient, _: &[bool]| {
        let mut for_x = vec![0.0f32; groups * count * map];
        let images = for_x.par_chunks_mut((count * map).max(1));
        images.zip(gradient.par_chunks((order.len() * map).max(1))).for_each(
            |(for_x, gradient)| {
                for (from, channel) in gradient.chunks(map.max(1)).zip(&order) {
                    let Some(channel) = channel else { continue };
                    let into = &mut for_x[channel * map..][..map];
                    into.iter_mut().zip(from).for_each(|(sum, more)| *sum += more);
                }
            },
        );
        Ok(vec![Some(for_x)])
    };
    debug_assert_eq!(height * width * if x.is_in_lanes() { lanes::LANES } else { 1 }, map);
    Ok(match x.is_in_lanes() {
        true => tape.record_lanes(batch, result, &[x], back),
        false => tape.record(result, &[x], back),
    })
}

#[cfg(test)]
mod tests {
    use super::super::device::Device;
    use super::super::tests::{check, in_its_order};
    use super::*;

    #[test]
    fn channels_in_other_places_have_the_gradient_of_finite_differences_in_both_orders() {
        let orders: [&[Option<usize>]; 4] =
            [&[Some(1)], &[Some(2), Some(0), Some(1)], &[None, Some(0), None], &[Some(1), Some(1)]];
        for (batch, order) in [2, 9].into_iter().flat_map(|b| orders.map(|order| (b, order))) {
            check(&[&[batch, 3, 2, 1]], |tape, v| {
                let x = in_its_order(tape, &v[0])?;
                channels(tape, &x, order)
            });
        }
    }

    #[test]
    fn channels_beside_one_that_is_no_number_stay_what_they_are() {
        for device in [Device::cpu(), Device::cpu_by_candle()] {
            let mut tape = Tape::inference_on(&device);
            let numbers = vec![f32::INFINITY, 1.0, f32::NAN, 2.0];
            let x = tape.leaf(&tensor(numbers, (1, 4, 1, 1)).unwrap(), false);
            let y = channels(&mut tape, &x, &[Some(3), None, Some(0), Some(1)]).unwrap();
            let found = y.tensor().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            assert_eq!(found, [2.0, 0.0, f32::INFINITY, 1.0], "{device:?}");
        }
    }
}

//! The mean or the maximum over the channels of each pixel: what spatial attention looks at (Woo et al., 2018).

use candle_core::Result;
use rayon::prelude::*;

use super::device;
use super::tape::{Gradient, Tape, Value, image_dims, numbers, tensor};

/// The mean over the channels of each pixel.
///
/// # Shapes
/// `[batch, channels, height, width]` → `[batch, 1, height, width]`.
pub fn channel_mean(tape: &mut Tape, x: &Value) -> Result<Value> {
    let [batch, channels, ..] = image_dims(x)?;
    if tape.is_by_candle() {
        return device::channel_pool::channel_mean(tape, x);
    }
    let (groups, numbers_of_map) = size(x, channels);
    let share = 1.0 / channels as f32;
    let mut result = vec![0.0f32; groups * numbers_of_map];
    {
        let x = numbers(x.tensor())?;
        let images = x.par_chunks((channels * numbers_of_map).max(1));
        result.par_chunks_mut(numbers_of_map.max(1)).zip(images).for_each(|(result, x)| {
            for map in x.chunks(numbers_of_map.max(1)) {
                result.iter_mut().zip(map).for_each(|(sum, x)| *sum += x);
            }
            result.iter_mut().for_each(|sum| *sum *= share);
        });
    }
    let back = move |gradient: Gradient, _: &[bool]| {
        let mut for_x = vec![0.0f32; groups * channels * numbers_of_map];
        let images = for_x.par_chunks_mut((channels * numbers_of_map).max(1));
        images.zip(gradient.par_chunks(numbers_of_map.max(1))).for_each(|(for_x, gradient)| {
            for map in for_x.chunks_mut(numbers_of_map.max(1)) {
                map.iter_mut().zip(gradient).for_each(|(x, g)| *x = share * g);
            }
        });
        Ok(vec![Some(for_x)])
    };
    finish(tape, x, batch, result, back)
}

/// The maximum over the channels of each pixel; the gradient goes to the first one.
///
/// # Shapes
/// `[batch, channels, height, width]` → `[batch, 1, height, width]`.
pub fn channel_max(tape: &mut Tape, x: &Value) -> Result<Value> {
    let [batch, channels, ..] = image_dims(x)?;
    if tape.is_by_candle() {
        return device::channel_pool::channel_max(tape, x);
    }
    let (groups, numbers_of_map) = size(x, channels);
    let mut result = vec![0.0f32; groups * numbers_of_map];
    let mut winners = vec![0u32; result.len()];
    {
        let x = numbers(x.tensor())?;
        let images = x.par_chunks((channels * numbers_of_map).max(1));
        let results = result.par_chunks_mut(numbers_of_map.max(1));
        results.zip(winners.par_chunks_mut(numbers_of_map.max(1))).zip(images).for_each(
            |((result, winners), x)| {
                let mut maps = x.chunks(numbers_of_map.max(1));
                maps.next().into_iter().for_each(|first| result.copy_from_slice(first));
                for (channel, map) in (1..).zip(maps) {
                    let all = result.iter_mut().zip(winners.iter_mut()).zip(map);
                    for ((best, winner), x) in all {
                        // What is no number stays, as in PyTorch.
                        let wins = x > best || x.is_nan() && !best.is_nan();
                        *best = if wins { *x } else { *best };
                        *winner = if wins { channel } else { *winner };
                    }
                }
            },
        );
    }
    let back = move |gradient: Gradient, _: &[bool]| {
        let mut for_x = vec![0.0f32; groups * channels * numbers_of_map];
        let images = for_x.par_chunks_mut((channels * numbers_of_map).max(1));
        let won = gradient.par_chunks(numbers_of_map.max(1));
        let won = won.zip(winners.par_chunks(numbers_of_map.max(1)));
        images.zip(won).for_each(|(for_x, (gradient, winners))| {
            for (at, (gradient, winner)) in gradient.iter().zip(winners).enumerate() {
                for_x[*winner as usize * numbers_of_map + at] = *gradient;
            }
        });
        Ok(vec![Some(for_x)])
    };
    finish(tape, x, batch, result, back)
}

/// Images or blocks of them in lanes, and numbers in each of their maps.
fn size(x: &Value, channels: usize) -> (usize, usize) {
    let groups = x.tensor().dims()[0];
    (groups, x.tensor().elem_count() / (groups * channels).max(1))
}

/// The result in the order of `x`.
fn finish(
    tape: &mut Tape,
    x: &Value,
    batch: usize,
    result: Vec<f32>,
    back: impl FnOnce(Gradient, &[bool]) -> Result<Vec<Option<Gradient>>> + Send + 'static,
) -> Result<Value> {
    let mut shape = x.tensor().dims().to_vec();
    shape[1] = 1;
    let result = tensor(result, shape)?;
    Ok(match x.is_in_lanes() {
        true => tape.record_lanes(batch, result, &[x], back),
        false => tape.record(result, &[x], back),
    })
}

#[cfg(test)]
mod tests {
    use super::super::device::Device;
    use super::super::tests::{check, in_its_order, taken};
    use super::*;

    #[test]
    fn both_have_the_gradient_of_finite_differences_in_both_orders() {
        for (batch, channels) in [(2, 3), (9, 4), (3, 1)] {
            for pool in [channel_mean, channel_max] {
                check(&[&[batch, channels, 2, 3]], |tape, v| {
                    let x = in_its_order(tape, &v[0])?;
                    pool(tape, &x)
                });
            }
        }
    }

    #[test]
    fn the_first_of_equal_channels_gets_all_of_the_gradient() {
        for device in [Device::cpu(), Device::cpu_by_candle()] {
            let mut tape = Tape::recording_on(&device);
            let x = tensor(vec![0.0, 2.0, 2.0, 1.0], (1, 4, 1, 1)).unwrap();
            let x = tape.leaf(&x, true);
            let y = channel_max(&mut tape, &x).unwrap();
            let gradient = taken(&mut tape.backward(&y).unwrap(), &x).unwrap();
            assert_eq!(gradient, [0.0, 1.0, 0.0, 0.0], "{device:?}");
        }
    }
}

//! Channels times learnt numbers (Touvron et al., 2021), and all numbers times one that is not learnt.

use candle_core::Result;
use rayon::prelude::*;

use super::activation::each;
use super::device;
use super::per_image::{Maps, change, sum_rows};
use super::pieces::PIECE;
use super::tape::{Gradient, Tape, Value, numbers, tensor};

/// Each channel of `x` times its number in `scale`.
///
/// # Shapes
/// x `[batch, channels, …]`, scale as many numbers as there are channels, in whatever shape; the result has the
/// shape of x.
///
/// # Errors
/// If the numbers are more or fewer than channels.
pub fn layer_scale(tape: &mut Tape, x: &Value, scale: &Value) -> Result<Value> {
    let maps = Maps::of(x)?;
    if scale.tensor().elem_count() != maps.channels {
        candle_core::bail!("{:?} do not fit {} channels", scale.dims(), maps.channels);
    }
    if tape.is_by_candle() {
        return device::norm::layer_scale(tape, x, scale);
    }
    let times = move |values: &mut [f32], scale: &[f32]| {
        let all = values.par_chunks_mut(maps.numbers.max(1)).enumerate();
        all.with_min_len(16).for_each(|(index, map)| {
            let factor = scale[index % maps.channels];
            each(
                map,
                #[inline(always)]
                |x| x * factor,
            );
        });
    };
    let mut result = numbers(x.tensor())?.to_vec();
    times(&mut result, &numbers(scale.tensor())?);
    let result = tensor(result, x.tensor().shape())?;
    let (kept_x, kept_scale) = (x.tensor().clone(), scale.tensor().clone());
    Ok(tape.record_like(x, result, &[x, scale], move |mut gradient: Gradient, wanted| {
        let (x, scale) = (numbers(&kept_x)?, numbers(&kept_scale)?);
        let sums = maps.each_piece(&mut gradient, &x, |_, gradient, x| {
            let mut sums = vec![0.0f64; maps.channels];
            let all = gradient.chunks_mut(maps.numbers.max(1)).zip(x.chunks(maps.numbers.max(1)));
            for (index, (gradient, x)) in all.enumerate() {
                let channel = index % maps.channels;
                let found = maps.two_sums(
                    gradient,
                    x,
                    #[inline(always)]
                    |_, g, x| [g * x, 0.0],
                );
                sums[channel] += maps.over_images(&found[0]);
                let factor = scale[channel];
                change(
                    gradient,
                    x,
                    #[inline(always)]
                    |_, g, _| g * factor,
                );
            }
            sums
        });
        let for_scale = sum_rows(sums, maps.channels);
        Ok(vec![wanted[0].then_some(gradient), wanted[1].then_some(for_scale)])
    }))
}

/// `x` times a number that nobody learns.
pub fn times(tape: &mut Tape, x: &Value, factor: f64) -> Result<Value> {
    if tape.is_by_candle() {
        return device::norm::times(tape, x, factor);
    }
    let product = move |values: &mut [f32]| {
        let factor = factor as f32;
        values.par_chunks_mut(PIECE).for_each(|values| {
            each(
                values,
                #[inline(always)]
                |x| x * factor,
            );
        });
    };
    let mut result = numbers(x.tensor())?.to_vec();
    product(&mut result);
    let result = tensor(result, x.tensor().shape())?;
    Ok(tape.record_like(x, result, &[x], move |mut gradient: Gradient, _| {
        product(&mut gradient);
        Ok(vec![Some(gradient)])
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, in_its_order};
    use super::*;

    #[test]
    fn it_has_the_gradient_of_finite_differences_in_both_orders() {
        for (shape, scale) in
            [(&[3, 4][..], &[4][..]), (&[2, 3, 2, 2], &[3, 1, 1]), (&[9, 3, 2, 1], &[3, 1, 1])]
        {
            check(&[shape, scale], |tape, v| {
                let x = in_its_order(tape, &v[0])?;
                layer_scale(tape, &x, &v[1])
            });
        }
    }

    #[test]
    fn a_product_with_a_number_has_the_gradient_of_finite_differences_in_both_orders() {
        check(&[&[3, 4]], |tape, v| times(tape, &v[0], 1.5));
        check(&[&[9, 3, 2, 1]], |tape, v| {
            let x = in_its_order(tape, &v[0])?;
            times(tape, &x, -0.25)
        });
    }
}

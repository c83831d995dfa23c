//! Where branches of a network meet: sums, channels one behind the other, channels by factors, and
//! losses.

use std::mem::MaybeUninit;

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::activation::{Activation, Elementwise, activation};
use super::device;
use super::lanes::{self, LANES};
use super::pieces::PIECE;
use super::streaming;
use super::tape::{Gradient, Tape, Value, image_dims, numbers, tensor};

/// All of `values` in one order: in lanes if one of them is.
fn alike(tape: &mut Tape, values: &[Value]) -> Result<Vec<Value>> {
    let in_lanes = values.iter().any(Value::is_in_lanes);
    values
        .iter()
        .map(|value| if in_lanes { lanes::enter(tape, value) } else { Ok(value.clone()) })
        .collect()
}

/// The sum of `values`, element by element, then an activation: the end of a residual block (He et
/// al., 2016).
///
/// # Shapes
/// All have one shape, which the result has too.
///
/// # Errors
/// If there are none, or their shapes differ.
pub fn sum(tape: &mut Tape, values: &[Value], then: Option<Activation>) -> Result<Value> {
    let values = alike(tape, values)?;
    let Some(first) = values.first() else { candle_core::bail!("a sum of nothing") };
    if let Some(other) = values.iter().find(|value| value.dims() != first.dims()) {
        candle_core::bail!("cannot add {:?} and {:?}", first.dims(), other.dims());
    }
    if tape.is_by_candle() {
        return device::merge::sum(tape, &values, then);
    }
    let fused = then.filter(|activation| activation.is_known_by_result());
    let mut result = Box::<[f32]>::new_uninit_slice(first.tensor().elem_count());
    {
        let terms = values.iter().map(|v| numbers(v.tensor())).collect::<Result<Vec<_>>>()?;
        let is_large = streaming::is_large(&result);
        result.par_chunks_mut(PIECE).enumerate().for_each_init(Vec::new, |room, (index, sums)| {
            let range = index * PIECE..index * PIECE + sums.len();
            let piece = |term: usize| &terms[term][range.clone()];
            streaming::write(sums, is_large, room, |sums| {
                let sums = match terms.len() {
                    1 => sums.write_copy_of_slice(piece(0)),
                    _ => sum_of_two(piece(0), piece(1), sums),
                };
                for term in 2..terms.len() {
                    sums.iter_mut().zip(piece(term)).for_each(|(sum, x)| *sum += x);
                }
                if let Some(activation) = fused {
                    activation.apply_in_place(sums);
                }
                sums
            });
        });
    }
    // SAFETY: each piece was written.
    let result = unsafe { result.assume_init() }.into_vec();
    let result = tensor(result, first.tensor().shape())?;
    let kept = fused.map(|activation| (activation, result.clone()));
    let arguments: Vec<&Value> = values.iter().collect();
    let back = move |mut gradient: Gradient, wanted: &[bool]| {
        if let Some((activation, kept)) = kept {
            let kept = numbers(&kept)?;
            let pieces = gradient.par_chunks_mut(PIECE).zip(kept.par_chunks(PIECE));
            pieces.for_each(|(gradient, kept)| activation.back_in_place(gradient, kept));
        }
        // The last one that wants it gets the gradient itself, those before get copies.
        let last = wanted.iter().rposition(|wanted| *wanted);
        let mut gradients: Vec<Option<Gradient>> = wanted
            .iter()
            .enumerate()
            .map(|(index, wanted)| (*wanted && Some(index) != last).then(|| gradient.clone()))
            .collect();
        if let Some(last) = last {
            gradients[last] = Some(gradient);
        }
        Ok(gradients)
    };
    let result = tape.record_like(first, result, &arguments, back);
    match then {
        Some(function) if fused.is_none() => activation(tape, &result, function),
        _ => Ok(result),
    }
}

/// `x + y`: `into`, all of it written.
fn sum_of_two<'a>(x: &[f32], y: &[f32], into: &'a mut [MaybeUninit<f32>]) -> &'a mut [f32] {
    assert!(x.len() == into.len() && y.len() == into.len(), "numbers of a piece");
    into.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (x, y))| {
        sum.write(x + y);
    });
    // SAFETY: each number has its terms.
    unsafe { into.assume_init_mut() }
}

/// `values` one behind the other along `axis`: along 1, the channels, at the end of an Inception block (Szegedy et
/// al., 2015).
///
/// # Shapes
/// `[batch, c₁, …]`, `[batch, c₂, …]`, … → `[batch, c₁ + c₂ + …, …]`.
///
/// # Errors
/// If there are none, they do not have the axis, or their other axes differ.
pub fn concat(tape: &mut Tape, values: &[Value], axis: usize) -> Result<Value> {
    let values = alike(tape, values)?;
    let Some(first) = values.first() else { candle_core::bail!("a concatenation of nothing") };
    let batch = first.dims()[0];
    let without = |value: &Value| {
        let mut dims = value.dims().to_vec();
        (axis < dims.len()).then(|| dims.remove(axis)).map(|_| dims)
    };
    for other in &values {
        if axis == 0 || without(other).is_none() || without(other) != without(first) {
            candle_core::bail!("cannot concatenate {:?} and {:?}", first.dims(), other.dims());
        }
    }
    if tape.is_by_candle() {
        return device::merge::concat(tape, &values, axis);
    }
    // What belongs together: an image, or a block of images in lanes; or of them a channel.
    let groups: usize = first.tensor().dims()[..axis].iter().product();
    let lengths: Vec<usize> =
        values.iter().map(|value| value.tensor().elem_count() / groups.max(1)).collect();
    let length: usize = lengths.iter().sum();
    let mut result = Box::<[f32]>::new_uninit_slice(groups * length);
    {
        let parts = values.iter().map(|v| numbers(v.tensor())).collect::<Result<Vec<_>>>()?;
        result.par_chunks_mut(length.max(1)).enumerate().for_each(|(group, mut rest)| {
            for (part, length) in parts.iter().zip(&lengths) {
                let (into, behind) = rest.split_at_mut(*length);
                into.write_copy_of_slice(&part[group * length..][..*length]);
                rest = behind;
            }
        });
    }
    // SAFETY: the lengths of the parts add up to that of a group, and each part was written.
    let result = unsafe { result.assume_init() }.into_vec();
    let mut shape = first.tensor().dims().to_vec();
    shape[axis] = values.iter().map(|value| value.dims()[axis]).sum();
    let result = tensor(result, shape)?;
    let arguments: Vec<&Value> = values.iter().collect();
    let back = move |gradient: Gradient, wanted: &[bool]| {
        let mut start = 0;
        let parts = lengths.iter().zip(wanted).map(|(part, wanted)| {
            let from = start;
            start += part;
            wanted.then(|| {
                let mut own = Box::<[f32]>::new_uninit_slice(groups * part);
                own.par_chunks_mut((*part).max(1)).enumerate().for_each(|(group, own)| {
                    own.write_copy_of_slice(&gradient[group * length + from..][..*part]);
                });
                // SAFETY: each group of it was written.
                unsafe { own.assume_init() }.into_vec()
            })
        });
        Ok(parts.collect())
    };
    Ok(if first.is_in_lanes() {
        tape.record_lanes(batch, result, &arguments, back)
    } else {
        tape.record(result, &arguments, back)
    })
}

/// The product of `values`, element by element.
///
/// # Shapes
/// All have one shape, which the result has too.
///
/// # Errors
/// If there are none, or their shapes differ.
pub fn product(tape: &mut Tape, values: &[Value]) -> Result<Value> {
    let values = alike(tape, values)?;
    let Some(first) = values.first() else { candle_core::bail!("a product of nothing") };
    if let Some(other) = values.iter().find(|value| value.dims() != first.dims()) {
        candle_core::bail!("cannot multiply {:?} and {:?}", first.dims(), other.dims());
    }
    if tape.is_by_candle() {
        return device::merge::product(tape, &values);
    }
    fn times(product: &mut [f32], factor: &Tensor) -> Result<()> {
        let factor = numbers(factor)?;
        product.par_chunks_mut(PIECE).zip(factor.par_chunks(PIECE)).for_each(
            |(product, factor)| {
                product.iter_mut().zip(factor).for_each(|(product, factor)| *product *= factor);
            },
        );
        Ok(())
    }
    let mut result = numbers(first.tensor())?.to_vec();
    for factor in &values[1..] {
        times(&mut result, factor.tensor())?;
    }
    let result = tensor(result, first.tensor().shape())?;
    let kept: Vec<Tensor> = values.iter().map(|value| value.tensor().clone()).collect();
    let arguments: Vec<&Value> = values.iter().collect();
    Ok(tape.record_like(first, result, &arguments, move |gradient: Gradient, wanted| {
        let of = |index: usize| {
            let mut own = gradient.clone();
            for (_, factor) in kept.iter().enumerate().filter(|(other, _)| *other != index) {
                times(&mut own, factor)?;
            }
            Ok(own)
        };
        let gradients = wanted.iter().enumerate();
        gradients.map(|(index, wanted)| wanted.then(|| of(index)).transpose()).collect()
    }))
}

/// Each channel of `x` times its factor: the end of squeeze and excitation (Hu et al., 2018). Or each pixel times its
/// factor, whatever the channel: the end of spatial attention (Woo et al., 2018).
///
/// # Shapes
/// x `[batch, channels, height, width]`, factors `[batch, channels, 1, 1]` or `[batch, 1, height, width]`.
///
/// # Errors
/// If the shapes are others.
pub fn scale(tape: &mut Tape, x: &Value, factors: &Value) -> Result<Value> {
    let both = alike(tape, &[x.clone(), factors.clone()])?;
    let (x, factors) = (&both[0], &both[1]);
    let [batch, channels, height, width] = image_dims(x)?;
    let of_channels = factors.dims() == [batch, channels, 1, 1];
    if !of_channels && factors.dims() != [batch, 1, height, width] {
        candle_core::bail!("factors {:?} do not fit {:?}", factors.dims(), x.dims());
    }
    if tape.is_by_candle() {
        return device::merge::scale(tape, x, factors);
    }
    if !of_channels {
        return scale_pixels(tape, x, factors);
    }
    // A factor has one number, or one for each lane.
    let lanes = if x.is_in_lanes() { LANES } else { 1 };
    let plane = (x.dims()[2] * x.dims()[3] * lanes).max(1);
    let times = move |values: &mut [f32], factors: &[f32]| {
        values.par_chunks_mut(plane).zip(factors.par_chunks(lanes)).for_each(|(plane, factors)| {
            for pixel in plane.chunks_mut(lanes) {
                pixel.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
            }
        });
    };
    let mut result = numbers(x.tensor())?.to_vec();
    times(&mut result, &numbers(factors.tensor())?);
    let result = tensor(result, x.tensor().shape())?;
    let (kept_x, kept_factors) = (x.tensor().clone(), factors.tensor().clone());
    Ok(tape.record_like(x, result, &[x, factors], move |mut gradient: Gradient, wanted| {
        let of_factors = match wanted[1] {
            false => None,
            true => {
                let x = numbers(&kept_x)?;
                let mut sums = vec![0.0f32; x.len() / plane * lanes];
                let planes = gradient.par_chunks(plane).zip(x.par_chunks(plane));
                sums.par_chunks_mut(lanes).zip(planes).for_each(|(sums, (gradient, x))| {
                    let mut totals = [0.0f64; LANES];
                    for (gradient, x) in gradient.chunks(lanes).zip(x.chunks(lanes)) {
                        let terms = gradient.iter().zip(x).map(|(g, x)| f64::from(g * x));
                        totals.iter_mut().zip(terms).for_each(|(total, term)| *total += term);
                    }
                    sums.iter_mut().zip(totals).for_each(|(sum, total)| *sum = total as f32);
                });
                Some(sums)
            }
        };
        times(&mut gradient, &numbers(&kept_factors)?);
        Ok(vec![Some(gradient), of_factors])
    }))
}

/// Each pixel of `x` times its factor.
fn scale_pixels(tape: &mut Tape, x: &Value, factors: &Value) -> Result<Value> {
    let channels = x.dims()[1];
    let map = (x.tensor().elem_count() / (x.tensor().dims()[0] * channels).max(1)).max(1);
    let times = move |values: &mut [f32], factors: &[f32]| {
        values.par_chunks_mut(channels * map).zip(factors.par_chunks(map)).for_each(
            |(values, factors)| {
                for values in values.chunks_mut(map) {
                    values.iter_mut().zip(factors).for_each(|(value, factor)| *value *= factor);
                }
            },
        );
    };
    let mut result = numbers(x.tensor())?.to_vec();
    times(&mut result, &numbers(factors.tensor())?);
    let result = tensor(result, x.tensor().shape())?;
    let (kept_x, kept_factors) = (x.tensor().clone(), factors.tensor().clone());
    Ok(tape.record_like(x, result, &[x, factors], move |mut gradient: Gradient, wanted| {
        let of_factors = match wanted[1] {
            false => None,
            true => {
                let x = numbers(&kept_x)?;
                let mut sums = vec![0.0f32; x.len() / channels];
                let images = gradient.par_chunks(channels * map).zip(x.par_chunks(channels * map));
                sums.par_chunks_mut(map).zip(images).for_each(|(sums, (gradient, x))| {
                    for (gradient, x) in gradient.chunks(map).zip(x.chunks(map)) {
                        let terms = gradient.iter().zip(x);
                        sums.iter_mut().zip(terms).for_each(|(sum, (g, x))| *sum += g * x);
                    }
                });
                Some(sums)
            }
        };
        times(&mut gradient, &numbers(&kept_factors)?);
        Ok(vec![Some(gradient), of_factors])
    }))
}

/// Σ weight · loss over scalars: the loss of a network with auxiliary heads.
pub fn weighted_sum(tape: &mut Tape, losses: &[(Value, f64)]) -> Result<Value> {
    let mut total = 0.0;
    for (loss, weight) in losses {
        total += weight * f64::from(loss.tensor().to_scalar::<f32>()?);
    }
    let weights: Vec<f32> = losses.iter().map(|(_, weight)| *weight as f32).collect();
    let arguments: Vec<&Value> = losses.iter().map(|(loss, _)| loss).collect();
    Ok(tape.record(tensor(vec![total as f32], ())?, &arguments, move |gradient, _| {
        Ok(weights.iter().map(|weight| Some(vec![weight * gradient[0]])).collect())
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, in_its_order, spread};
    use super::*;

    #[test]
    fn sums_have_the_gradient_of_finite_differences_in_both_orders() {
        for (batch, count) in [(2, 1), (2, 2), (17, 2), (9, 3)] {
            let shape: &[usize] = &[batch, 3, 2, 2];
            for then in [None, Some(Activation::Tanh), Some(Activation::Silu)] {
                check(&vec![shape; count], |tape, values| sum(tape, values, then));
            }
        }
    }

    #[test]
    fn concatenations_have_the_gradient_of_finite_differences_in_both_orders() {
        for batch in [2, 17] {
            check(&[&[batch, 1, 2, 3], &[batch, 3, 2, 3], &[batch, 2, 2, 3]], |tape, v| {
                concat(tape, v, 1)
            });
            check(&[&[batch, 3, 1, 2], &[batch, 3, 2, 2]], |tape, v| {
                let v = [v[0].clone(), in_its_order(tape, &v[1])?];
                concat(tape, &v, 2)
            });
        }
        check(&[&[3, 4], &[3, 2]], |tape, v| concat(tape, v, 1));
    }

    #[test]
    fn products_have_the_gradient_of_finite_differences_in_both_orders() {
        for (batch, count) in [(2, 2), (17, 2), (9, 3)] {
            let shape: &[usize] = &[batch, 2, 2, 1];
            check(&vec![shape; count], product);
        }
    }

    #[test]
    fn scaled_channels_have_the_gradient_of_finite_differences_in_both_orders() {
        for batch in [2, 17] {
            check(&[&[batch, 3, 2, 2], &[batch, 3, 1, 1]], |tape, v| scale(tape, &v[0], &v[1]));
        }
    }

    #[test]
    fn scaled_pixels_have_the_gradient_of_finite_differences_in_both_orders() {
        for batch in [2, 9] {
            check(&[&[batch, 3, 2, 2], &[batch, 1, 2, 2]], |tape, v| {
                let x = in_its_order(tape, &v[0])?;
                scale(tape, &x, &v[1])
            });
        }
    }

    #[test]
    fn a_value_in_lanes_and_one_that_is_not_can_meet() {
        let mut tape = Tape::inference();
        let x = spread(&[9, 2, 3, 3], "x");
        let plain = tape.leaf(&x, false);
        let in_lanes = lanes::enter(&mut tape, &plain).unwrap();
        let twice = sum(&mut tape, &[plain.clone(), in_lanes.clone()], None).unwrap();
        let both = concat(&mut tape, &[in_lanes, plain], 1).unwrap();
        let values = |tape: &mut Tape, value: &Value| {
            let value = lanes::leave(tape, value).unwrap();
            value.tensor().clone()
        };
        let doubled = (&x + &x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let found = values(&mut tape, &twice).flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(found, doubled);
        let expected = Tensor::cat(&[&x, &x], 1).unwrap();
        let expected = expected.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let found = values(&mut tape, &both).flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(found, expected);
    }

    #[test]
    fn shapes_that_do_not_fit_are_errors() {
        let mut tape = Tape::inference();
        let [a, b] = [[2, 3, 2, 2], [2, 3, 2, 1]].map(|s| tape.leaf(&spread(&s, "x"), false));
        assert!(sum(&mut tape, &[a.clone(), b.clone()], None).is_err());
        assert!(concat(&mut tape, &[a.clone(), b.clone()], 1).is_err());
        assert!(concat(&mut tape, &[a.clone(), a.clone()], 4).is_err());
        assert!(scale(&mut tape, &a, &b).is_err());
        assert!(sum(&mut tape, &[], None).is_err());
    }
}

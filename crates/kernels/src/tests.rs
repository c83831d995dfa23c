//! Every operation against finite differences, and in lanes against outside.

use candle_core::{Result, Tensor};

use candlewick_basis::seed::derive;
use candlewick_basis::shape::Window;

use super::activation::{Activation, activation};
use super::arrange::flatten;
use super::buffer::Buffer;
use super::conv::conv2d;
use super::dense::dense;
use super::device::Device;
use super::dropout::{Granularity, drop_in_place, dropout};
use super::lanes::{LANES, enter, leave};
use super::loss::cross_entropy;
use super::merge;
use super::norm::{Statistics, batch_norm};
use super::pool::{adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d};
use super::tape::{Gradients, Tape, Value, numbers, tensor};

/// Numbers between −1 and 1, all different and (for an even count) none 0, so that neither a maximum nor
/// a kink lies within a finite difference.
pub(super) fn spread(shape: &[usize], name: &str) -> Tensor {
    let count: usize = shape.iter().product();
    let mut places: Vec<usize> = (0..count).collect();
    derive(1, name, &[]).shuffle(&mut places);
    let step = 2.0 / count as f32;
    let values = places.iter().map(|place| (*place as f32 + 0.5) * step - 1.0).collect();
    tensor(values, shape).unwrap()
}

/// The gradient of a leaf as numbers.
pub(super) fn taken(gradients: &mut Gradients, leaf: &Value) -> Option<Vec<f32>> {
    gradients.take(leaf).map(|gradient| gradient.into_numbers().unwrap())
}

/// `forward` maps the leaves to any value; its gradient along each element of each leaf is compared
/// with a central difference of Σ value · weight.
pub(super) fn check(shapes: &[&[usize]], forward: impl Fn(&mut Tape, &[Value]) -> Result<Value>) {
    for device in [Device::cpu(), Device::cpu_by_candle()] {
        check_on(&device, shapes, &forward);
    }
}

fn check_on(
    device: &Device,
    shapes: &[&[usize]],
    forward: impl Fn(&mut Tape, &[Value]) -> Result<Value>,
) {
    let leaves: Vec<Tensor> =
        shapes.iter().enumerate().map(|(i, shape)| spread(shape, &format!("leaf{i}"))).collect();
    let objective = |leaves: &[Tensor], record: bool| {
        let mut tape = if record { Tape::recording_on(device) } else { Tape::inference_on(device) };
        let values: Vec<Value> = leaves.iter().map(|leaf| tape.leaf(leaf, true)).collect();
        let out = forward(&mut tape, &values).unwrap();
        let out = leave(&mut tape, &out).unwrap();
        let weights = spread(out.dims(), "weights");
        let sum: f64 = {
            let (out, weights) = (numbers(out.tensor()).unwrap(), numbers(&weights).unwrap());
            out.iter().zip(weights.iter()).map(|(o, w)| f64::from(*o) * f64::from(*w)).sum()
        };
        let weights = numbers(&weights).unwrap().to_vec();
        let total = tape.record(tensor(vec![sum as f32], ()).unwrap(), &[&out], move |g, _| {
            Ok(vec![Some(weights.iter().map(|w| w * g[0]).collect())])
        });
        let gradients = record.then(|| {
            let mut gradients = tape.backward(&total).unwrap();
            values.iter().map(|leaf| taken(&mut gradients, leaf)).collect::<Vec<_>>()
        });
        (sum, gradients)
    };
    let (_, gradients) = objective(&leaves, true);
    for (index, (leaf, gradient)) in leaves.iter().zip(gradients.unwrap()).enumerate() {
        let gradient = gradient.unwrap_or_else(|| panic!("leaf {index} has no gradient"));
        let values = numbers(leaf).unwrap().to_vec();
        let scale = gradient.iter().fold(0.1f32, |largest, g| largest.max(g.abs()));
        for place in 0..values.len() {
            let h = 2e-3f32;
            let at = |offset: f32| {
                let mut moved = values.clone();
                moved[place] += offset;
                let mut leaves = leaves.clone();
                leaves[index] = tensor(moved, leaf.shape()).unwrap();
                objective(&leaves, false).0
            };
            let slope = (at(h) - at(-h)) / (2.0 * f64::from(h));
            let error = (slope - f64::from(gradient[place])).abs() / f64::from(scale);
            assert!(
                error < 5e-3,
                "leaf {index}[{place}]: {} by tape, {slope} by differences, {device:?}",
                gradient[place]
            );
        }
    }
}

/// `x`, in lanes if there are images enough: a pool of one pixel changes nothing but the order.
pub(super) fn in_its_order(tape: &mut Tape, x: &Value) -> Result<Value> {
    match x.dims()[0] < 8 {
        true => Ok(x.clone()),
        false => max_pool2d(tape, x, [window(1, 1, 0, 1); 2], false),
    }
}

pub(super) fn window(kernel: usize, stride: usize, padding: usize, dilation: usize) -> Window {
    Window { kernel, stride, padding: [padding; 2], dilation }
}

#[test]
fn convolution_has_the_gradient_of_finite_differences() {
    for (channels, filters, size, w, groups) in [
        (1, 1, 1, window(1, 1, 0, 1), 1),
        (3, 2, 5, window(3, 1, 0, 1), 1),
        (2, 4, 6, window(3, 2, 1, 1), 2),
        (3, 3, 7, window(3, 1, 2, 2), 3),
        (2, 3, 4, window(1, 1, 0, 1), 1),
        (2, 2, 8, window(2, 3, 1, 1), 1),
    ] {
        let kernel = w.kernel;
        check(
            &[
                &[2, channels, size, size],
                &[filters, channels / groups, kernel, kernel],
                &[filters],
            ],
            |tape, v| conv2d(tape, &v[0], &v[1], Some(&v[2]), [w, w], groups, None),
        );
    }
    let (tall, wide) =
        (window(3, 1, 1, 1), Window { kernel: 2, stride: 2, padding: [0, 1], dilation: 1 });
    check(&[&[2, 2, 5, 4], &[2, 2, 3, 2]], |tape, v| {
        conv2d(tape, &v[0], &v[1], None, [tall, wide], 1, Some(Activation::Tanh))
    });
}

#[test]
fn pooling_has_the_gradient_of_finite_differences() {
    for (size, w, ceil) in [
        (4, window(2, 2, 0, 1), false),
        (7, window(3, 2, 0, 1), false),
        (6, window(3, 2, 1, 1), true),
        (5, window(2, 1, 1, 1), false),
        (1, window(1, 1, 0, 1), false),
    ] {
        check(&[&[2, 2, size, size]], |tape, v| max_pool2d(tape, &v[0], [w, w], ceil));
        for count_padding in [false, true] {
            check(&[&[2, 2, size, size]], |tape, v| {
                avg_pool2d(tape, &v[0], [w, w], ceil, count_padding)
            });
        }
    }
    for out in [[1, 1], [2, 3], [5, 7]] {
        check(&[&[2, 2, 5, 7]], |tape, v| adaptive_avg_pool2d(tape, &v[0], out));
        check(&[&[2, 2, 5, 7]], |tape, v| adaptive_max_pool2d(tape, &v[0], out));
    }
}

#[test]
fn a_pool_of_two_by_two_hands_the_whole_gradient_to_the_first_maximum() {
    for device in [Device::cpu(), Device::cpu_by_candle()] {
        for (numbers, expected) in
            [([1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 1.0]), ([0.0; 4], [1.0, 0.0, 0.0, 0.0])]
        {
            let mut tape = Tape::recording_on(&device);
            let x = tape.leaf(&tensor(numbers.to_vec(), (1, 1, 2, 2)).unwrap(), true);
            let y = max_pool2d(&mut tape, &x, [window(2, 2, 0, 1); 2], false).unwrap();
            let gradient = taken(&mut tape.backward(&y).unwrap(), &x).unwrap();
            assert_eq!(gradient, expected, "{device:?}");
        }
    }
}

#[test]
fn dense_has_the_gradient_of_finite_differences() {
    check(&[&[3, 5], &[4, 5], &[4]], |tape, v| dense(tape, &v[0], &v[1], Some(&v[2]), None));
    check(&[&[1, 2], &[70, 2]], |tape, v| {
        dense(tape, &v[0], &v[1], None, Some(Activation::Sigmoid))
    });
}

#[test]
fn activations_have_the_gradient_of_finite_differences() {
    let numbers = [0.1, -0.1].map(Activation::LeakyRelu);
    for function in Activation::ALL.into_iter().chain(numbers).chain([Activation::Elu(0.7)]) {
        check(&[&[4, 7]], |tape, v| activation(tape, &v[0], function));
    }
}

#[test]
fn batch_norm_has_the_gradient_of_finite_differences() {
    for shape in [&[4, 3][..], &[2, 3, 3, 2]] {
        check(&[shape, &[3], &[3]], |tape, v| {
            Ok(batch_norm(tape, &v[0], &v[1], &v[2], 1e-2, Statistics::Batch, None)?.0)
        });
        let [mean, variance] = [vec![0.1, -0.2, 0.0], vec![1.0, 0.5, 2.0]].map(Buffer::Host);
        let statistics = Statistics::Running { mean: &mean, variance: &variance };
        check(&[shape, &[3], &[3]], |tape, v| {
            Ok(batch_norm(tape, &v[0], &v[1], &v[2], 1e-5, statistics, Some(Activation::Tanh))?.0)
        });
    }
}

#[test]
fn a_relu_behind_a_norm_is_the_same_bits_as_one_on_its_own() {
    for batch in [3, 17] {
        let run = |fused: bool| {
            let mut tape = Tape::recording();
            let leaf = tape.leaf(&spread(&[batch, 3, 4, 5], "x"), true);
            let [gamma, beta] = ["gamma", "beta"].map(|name| tape.leaf(&spread(&[3], name), true));
            let x = if batch < LANES { leaf.clone() } else { enter(&mut tape, &leaf).unwrap() };
            let relu = fused.then_some(Activation::Relu);
            let normed = batch_norm(&mut tape, &x, &gamma, &beta, 1e-3, Statistics::Batch, relu);
            let mut y = normed.unwrap().0;
            if !fused {
                y = activation(&mut tape, &y, Activation::Relu).unwrap();
            }
            let y = leave(&mut tape, &y).unwrap();
            let values = numbers(y.tensor()).unwrap().to_vec();
            let slopes = numbers(&spread(y.dims(), "slopes")).unwrap().to_vec();
            let mut gradients = tape.backward_from(&y, slopes).unwrap();
            let gradients = [&leaf, &gamma, &beta].map(|leaf| taken(&mut gradients, leaf).unwrap());
            let bits = |numbers: Vec<f32>| -> Vec<u32> {
                numbers.into_iter().map(|number| (number + 0.0).to_bits()).collect()
            };
            (bits(values), gradients.map(bits))
        };
        assert_eq!(run(true), run(false), "{batch} images");
    }
}

#[test]
fn dropping_in_place_after_a_relu_is_the_same_as_dropping_behind_it() {
    let relu = Some(Activation::Relu);
    let same = window(3, 1, 1, 1);
    let product =
        |tape: &mut Tape, v: &[Value]| conv2d(tape, &v[0], &v[1], None, [same; 2], 1, relu);
    let normed = |tape: &mut Tape, v: &[Value]| -> Result<Value> {
        let x = conv2d(tape, &v[0], &v[1], None, [same; 2], 1, None)?;
        let ones = tape.leaf(&tensor(vec![1.0; 5], 5)?, false);
        let zeros = tape.leaf(&tensor(vec![0.0; 5], 5)?, false);
        Ok(batch_norm(tape, &x, &ones, &zeros, 1e-2, Statistics::Batch, relu)?.0)
    };
    let of_dense = |tape: &mut Tape, v: &[Value]| -> Result<Value> {
        let x = flatten(tape, &v[0])?;
        let w = tape.leaf(&spread(&[6, 3 * 4 * 4], "dense"), false);
        let x = dense(tape, &x, &w, None, relu)?;
        Ok(x)
    };
    type Forward<'a> = &'a dyn Fn(&mut Tape, &[Value]) -> Result<Value>;
    // Few images lie one behind the other, many in lanes; with 17 some lanes are empty.
    for (batch, forward) in [
        (3, &product as Forward),
        (17, &product as Forward),
        (3, &normed as Forward),
        (17, &normed as Forward),
        (3, &of_dense as Forward),
    ] {
        let run = |in_place: bool| -> Result<Vec<Vec<f32>>> {
            let mut tape = Tape::recording();
            let images = tape.leaf(&spread(&[batch, 3, 4, 4], "images"), true);
            let weights = tape.leaf(&spread(&[5, 3, 3, 3], "weights"), true);
            let x = forward(&mut tape, &[images.clone(), weights.clone()])?;
            let stream = derive(1, "in place", &[]);
            let y = match in_place {
                true => drop_in_place(&mut tape, &x, 0.4, stream)?,
                false => dropout(&mut tape, &x, 0.4, Granularity::Elements, stream)?,
            };
            let mut all = vec![numbers(y.tensor())?.to_vec()];
            let y = leave(&mut tape, &y)?;
            let factors = numbers(&spread(y.dims(), "factors"))?.to_vec();
            let total = tape.record(tensor(vec![0.0], ())?, &[&y], move |g, _| {
                Ok(vec![Some(factors.iter().map(|factor| factor * g[0]).collect())])
            });
            let mut gradients = tape.backward(&total)?;
            all.extend(
                [&images, &weights].into_iter().filter_map(|leaf| taken(&mut gradients, leaf)),
            );
            Ok(all)
        };
        let (expected, found) = (run(false).unwrap(), run(true).unwrap());
        assert!(expected[0].contains(&0.0) && expected[1].iter().any(|g| *g != 0.0));
        assert!(expected == found, "{batch} images");
    }
}

#[test]
fn dropout_has_the_gradient_of_finite_differences_and_keeps_the_mean() {
    for granularity in [Granularity::Elements, Granularity::Channels] {
        let stream = derive(1, "dropout", &[]);
        check(&[&[3, 4, 2, 2]], |tape, v| dropout(tape, &v[0], 0.4, granularity, stream));
        let ones = tensor(vec![1.0; 40_000], (100, 100, 2, 2)).unwrap();
        let mut tape = Tape::inference();
        let x = tape.leaf(&ones, false);
        let y = dropout(&mut tape, &x, 0.3, granularity, stream).unwrap();
        let y = numbers(y.tensor()).unwrap();
        let dropped = y.iter().filter(|y| **y == 0.0).count() as f64 / 40_000.0;
        assert!((dropped - 0.3).abs() < 0.02, "{granularity:?} drops {dropped}");
        assert!(y.iter().all(|y| *y == 0.0 || (*y - 1.0 / 0.7).abs() < 1e-6));
        if granularity == Granularity::Channels {
            assert!(y.chunks(4).all(|channel| channel.iter().all(|y| *y == channel[0])));
        }
    }
}

#[test]
fn cross_entropy_has_the_gradient_of_finite_differences() {
    for (smoothing, weights) in [(0.0, None), (0.2, Some([0.5, 1.0, 2.0, 1.5]))] {
        check(&[&[3, 4]], |tape, v| {
            let weights = weights.as_ref().map(|weights| &weights[..]);
            Ok(cross_entropy(tape, &v[0], &[2, 0, 3], smoothing, weights)?.mean)
        });
    }
}

#[test]
fn sums_and_reshapes_pass_gradients_on_and_shared_values_add_them_up() {
    check(&[&[2, 3, 2, 1], &[2, 3, 2, 1]], |tape, v| {
        let once = merge::sum(tape, &[v[0].clone(), v[1].clone()], None)?;
        let twice = merge::sum(tape, &[once.clone(), v[0].clone()], None)?;
        flatten(tape, &twice)
    });
}

#[test]
fn gradients_that_nobody_wants_are_not_computed() {
    let mut tape = Tape::recording();
    let x = tape.leaf(&spread(&[2, 3], "x"), false);
    let w = tape.leaf(&spread(&[4, 3], "w"), true);
    let y = dense(&mut tape, &x, &w, None, None).unwrap();
    let loss = cross_entropy(&mut tape, &y, &[0, 1], 0.0, None).unwrap().mean;
    let mut gradients = tape.backward(&loss).unwrap();
    assert!(gradients.take(&x).is_none());
    assert_eq!(taken(&mut gradients, &w).map(|gradient| gradient.len()), Some(12));
}

/// A result and the gradients of Σ result · weight by all leaves, the first of which is a batch.
fn outcome(
    leaves: &[Tensor],
    weights: &Tensor,
    forward: &impl Fn(&mut Tape, &[Value]) -> Result<Value>,
) -> Vec<Vec<f32>> {
    let mut tape = Tape::recording();
    let values: Vec<Value> = leaves.iter().map(|leaf| tape.leaf(leaf, true)).collect();
    let out = forward(&mut tape, &values).unwrap();
    let out = leave(&mut tape, &out).unwrap();
    let result = numbers(out.tensor()).unwrap().to_vec();
    let weights = numbers(weights).unwrap().to_vec();
    let total =
        tape.record(tensor(vec![0.0], ()).unwrap(), &[&out], move |_, _| Ok(vec![Some(weights)]));
    let mut gradients = tape.backward(&total).unwrap();
    let mut all = vec![result];
    all.extend(values.iter().map(|leaf| taken(&mut gradients, leaf).unwrap()));
    all
}

/// How far from 0 a result has to be that no rounding takes to the other side.
const NEAR: f32 = 1e-3;

/// A batch of 21, which is computed in lanes, gives what its images give in small batches, which are
/// not, within `bound` of the largest number. Filters are scaled as networks start, by 1/√fan-in, so
/// that no activation is fed numbers far from 1. No gradient is asked for where one of both results is within
/// [`NEAR`] of 0, where an activation may have a kink: rounding decides there which slope it has.
fn agrees_in_lanes(
    shape: [usize; 3],
    others: &[&[usize]],
    bound: f64,
    forward: impl Fn(&mut Tape, &[Value]) -> Result<Value>,
) {
    const BATCH: usize = 21;
    let [channels, height, width] = shape;
    let mut leaves = vec![spread(&[BATCH, channels, height, width], "x")];
    leaves.extend(others.iter().enumerate().map(|(i, shape)| {
        let fan_in: usize = shape[1..].iter().product();
        spread(shape, &format!("leaf{i}")).affine(1.0 / (fan_in as f64).sqrt(), 0.0).unwrap()
    }));
    let part = |first: usize| {
        let mut leaves = leaves.clone();
        leaves[0] = leaves[0].narrow(0, first, 7).unwrap().copy().unwrap();
        leaves
    };
    let result = |leaves: &[Tensor]| {
        let mut tape = Tape::inference();
        let values: Vec<Value> = leaves.iter().map(|leaf| tape.leaf(leaf, false)).collect();
        let out = forward(&mut tape, &values).unwrap();
        leave(&mut tape, &out).unwrap().tensor().clone()
    };
    let whole = result(&leaves);
    let apart: Vec<Tensor> = (0..BATCH).step_by(7).map(|first| result(&part(first))).collect();
    let apart = Tensor::cat(&apart, 0).unwrap();
    let mut weights = numbers(&spread(whole.dims(), "weights")).unwrap().to_vec();
    for out in [&whole, &apart] {
        for (weight, x) in weights.iter_mut().zip(numbers(out).unwrap().iter()) {
            *weight = if *x != 0.0 && x.abs() < NEAR { 0.0 } else { *weight };
        }
    }
    let weights = tensor(weights, whole.shape()).unwrap();
    let whole = outcome(&leaves, &weights, &forward);
    let mut parts: Vec<Vec<f64>> = vec![Vec::new(); whole.len()];
    for first in (0..BATCH).step_by(7) {
        let weights = weights.narrow(0, first, 7).unwrap().copy().unwrap();
        for (index, new) in outcome(&part(first), &weights, &forward).into_iter().enumerate() {
            let new = new.into_iter().map(f64::from);
            if index < 2 || parts[index].is_empty() {
                parts[index].extend(new);
            } else {
                parts[index].iter_mut().zip(new).for_each(|(sum, new)| *sum += new);
            }
        }
    }
    for (index, (whole, parts)) in whole.iter().zip(&parts).enumerate() {
        assert_eq!(whole.len(), parts.len());
        let largest = parts.iter().fold(0.1f64, |largest, x| largest.max(x.abs()));
        for (place, (a, b)) in whole.iter().zip(parts).enumerate() {
            let error = (f64::from(*a) - b).abs() / largest;
            assert!(
                error < bound,
                "{shape:?} {others:?} {index}[{place}]: {a} in lanes, {b} outside"
            );
        }
    }
}

#[test]
fn convolutions_in_lanes_agree_with_those_of_small_batches() {
    for (channels, filters, size, w, groups) in [
        (1, 1, 1, window(1, 1, 0, 1), 1),
        (3, 6, 9, window(3, 1, 0, 1), 1),
        (3, 5, 9, window(3, 1, 1, 1), 1),
        (5, 17, 8, window(3, 1, 1, 1), 1),
        (17, 16, 7, window(3, 1, 1, 1), 1),
        (16, 16, 8, window(3, 1, 1, 1), 1),
        (32, 48, 6, window(3, 1, 1, 1), 1),
        (32, 17, 9, window(3, 1, 0, 1), 1),
        (64, 32, 4, window(3, 1, 1, 1), 1),
        (64, 64, 2, window(3, 1, 1, 1), 1),
        (16, 16, 3, window(3, 1, 2, 1), 1),
        (4, 8, 10, window(3, 2, 1, 1), 2),
        (6, 6, 7, window(3, 1, 1, 1), 6),
        (3, 4, 11, window(5, 3, 2, 1), 1),
        (3, 7, 9, window(3, 1, 2, 2), 1),
        (8, 12, 6, window(1, 2, 0, 1), 1),
        (2, 2, 8, window(2, 3, 1, 1), 1),
        (64, 5, 5, window(1, 1, 0, 1), 1),
        // Strides beyond the map, and beyond the filter.
        (1, 1, 1, window(1, 3, 0, 1), 1),
        (2, 3, 1, window(2, 5, 1, 1), 1),
        (2, 3, 6, window(1, 4, 1, 1), 1),
        (2, 3, 6, window(2, 5, 0, 1), 1),
    ] {
        let kernel = w.kernel;
        let others: [&[usize]; 2] = [&[filters, channels / groups, kernel, kernel], &[filters]];
        // Minimal filtering trades products for rounding; everything else has none to spare.
        let may_be_winograd = (kernel, w.stride, w.dilation, groups) == (3, 1, 1, 1);
        let bound = if may_be_winograd { 1e-4 } else { 2e-5 };
        let functions = [
            None,
            Some(Activation::Relu),
            Some(Activation::Tanh),
            Some(Activation::LeakyRelu(0.2)),
        ];
        for function in functions {
            agrees_in_lanes([channels, size, size + 1], &others, bound, |tape, v| {
                conv2d(tape, &v[0], &v[1], Some(&v[2]), [w, w], groups, function)
            });
        }
    }
}

#[test]
fn pools_in_lanes_agree_with_those_of_small_batches() {
    for (size, w, ceil) in [
        (4, window(2, 2, 0, 1), false),
        (7, window(3, 2, 0, 1), false),
        (6, window(3, 2, 1, 1), true),
        (5, window(2, 1, 1, 1), false),
        (1, window(1, 1, 0, 1), false),
    ] {
        agrees_in_lanes([3, size, size + 2], &[], 2e-5, |tape, v| {
            max_pool2d(tape, &v[0], [w, w], ceil)
        });
        for count_padding in [false, true] {
            agrees_in_lanes([3, size, size + 2], &[], 2e-5, |tape, v| {
                avg_pool2d(tape, &v[0], [w, w], ceil, count_padding)
            });
        }
    }
    for out in [[1, 1], [2, 3], [5, 7]] {
        agrees_in_lanes([2, 5, 7], &[], 2e-5, |tape, v| adaptive_avg_pool2d(tape, &v[0], out));
        agrees_in_lanes([2, 5, 7], &[], 2e-5, |tape, v| adaptive_max_pool2d(tape, &v[0], out));
    }
}

#[test]
fn operations_on_values_in_lanes_have_the_gradient_of_finite_differences() {
    let one = window(1, 1, 0, 1);
    // The pool of one pixel changes nothing but the order.
    check(&[&[9, 2, 2, 1], &[2], &[2]], |tape, v| {
        let x = max_pool2d(tape, &v[0], [one; 2], false)?;
        let x = activation(tape, &x, Activation::Silu)?;
        let (x, _) =
            batch_norm(tape, &x, &v[1], &v[2], 1e-2, Statistics::Batch, Some(Activation::Sigmoid))?;
        let x = merge::sum(tape, &[x.clone(), v[0].clone()], None)?;
        max_pool2d(tape, &x, [one; 2], false)
    });
    check(&[&[17, 3, 2, 1]], |tape, v| {
        let x = max_pool2d(tape, &v[0], [one; 2], false)?;
        let x = dropout(tape, &x, 0.4, Granularity::Elements, derive(1, "a", &[]))?;
        let x = dropout(tape, &x, 0.4, Granularity::Channels, derive(1, "b", &[]))?;
        flatten(tape, &x)
    });
}

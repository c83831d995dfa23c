//! candle's operations against the kernels, on the processor.

use candle_core::{Result, Tensor};
use proptest::prelude::*;

use crate::activation::Activation;
use crate::arrange::flatten;
use crate::buffer::Buffer;
use crate::conv::conv2d;
use crate::dense::dense;
use crate::dropout::{Granularity, drop_images, drop_in_place, dropout};
use crate::lanes::leave;
use crate::loss::{Targets, cross_entropy};
use crate::merge::{concat, scale, sum, weighted_sum};
use crate::norm::{Statistics, batch_norm};
use crate::pool::{adaptive_avg_pool2d, avg_pool2d, max_pool2d};
use crate::tape::{Tape, Value, tensor, values};
use crate::tests::taken;
use candlewick_basis::device as asked;
use candlewick_basis::seed::derive;
use candlewick_basis::shape::Window;

use super::{Device, DeviceError};

fn normal(shape: &[usize], name: &str, seed: u64) -> Tensor {
    let mut stream = derive(seed, name, &[]);
    let count = shape.iter().product();
    tensor((0..count).map(|_| stream.normal() as f32).collect(), shape).unwrap()
}

/// The result of `forward` on random leaves, and the gradients of its sum, weighted at random.
fn outcome(
    device: &Device,
    shapes: &[&[usize]],
    seed: u64,
    forward: &impl Fn(&mut Tape, &[Value]) -> Result<Value>,
) -> Vec<Vec<f32>> {
    let mut tape = Tape::recording_on(device);
    let leaves: Vec<Value> = shapes
        .iter()
        .enumerate()
        .map(|(index, shape)| tape.leaf(&normal(shape, &format!("leaf {index}"), seed), true))
        .collect();
    let out = forward(&mut tape, &leaves).unwrap();
    let out = leave(&mut tape, &out).unwrap();
    let mut all = vec![values(out.tensor()).unwrap()];
    let slopes = values(&normal(out.dims(), "slopes", seed)).unwrap();
    let mut gradients = tape.backward_from(&out, slopes).unwrap();
    all.extend(leaves.iter().map(|leaf| taken(&mut gradients, leaf).unwrap()));
    all
}

/// The largest difference between candle's operations and the kernels, relative to the largest number
/// of each result and gradient.
fn error(
    shapes: &[&[usize]],
    seed: u64,
    forward: impl Fn(&mut Tape, &[Value]) -> Result<Value>,
) -> f32 {
    let kernels = outcome(&Device::cpu(), shapes, seed, &forward);
    let candle = outcome(&Device::cpu_by_candle(), shapes, seed, &forward);
    let mut worst = 0.0f32;
    for (kernels, candle) in kernels.iter().zip(&candle) {
        assert_eq!(kernels.len(), candle.len());
        // Slopes are about 1: where terms of that size cancel, what is left is rounding.
        let largest = kernels.iter().fold(0.1f32, |largest, x| largest.max(x.abs()));
        for (a, b) in kernels.iter().zip(candle) {
            // NaN would not show as a difference.
            assert!(a.is_finite() && b.is_finite(), "{a} and {b}");
            worst = worst.max((a - b).abs() / largest);
        }
    }
    worst
}

const BOUND: f32 = 1e-4;

fn axis() -> impl Strategy<Value = Window> {
    (1usize..5, 1usize..4, 0usize..4, 0usize..3, 1usize..3).prop_map(
        |(kernel, stride, before, behind, dilation)| Window {
            kernel,
            stride,
            padding: [before, behind],
            dilation,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn convolutions_of_any_shape_agree(
        batch in prop::sample::select(vec![1usize, 3, 9, 17]),
        [c, f, groups] in [1usize..5, 1usize..5, 1usize..4],
        size in [1usize..10, 1usize..10],
        rows in axis(),
        columns in axis(),
        are_alike in any::<bool>(),
        seed in 0u64..1000,
    ) {
        let windows = if are_alike { [rows; 2] } else { [rows, columns] };
        prop_assume!((0..2).all(|axis| windows[axis].out(size[axis]).is_some()));
        let (channels, filters) = (c * groups, f * groups);
        let shapes: [&[usize]; 3] = [
            &[batch, channels, size[0], size[1]],
            &[filters, c, windows[0].kernel, windows[1].kernel],
            &[filters],
        ];
        let found = error(&shapes, seed, |tape, v| {
            conv2d(tape, &v[0], &v[1], Some(&v[2]), windows, groups, Some(Activation::Tanh))
        });
        prop_assert!(found < BOUND, "{found}");
    }

    #[test]
    fn pools_of_any_shape_agree(
        batch in prop::sample::select(vec![1usize, 9, 17]),
        size in [1usize..12, 1usize..12],
        [kernel, stride, padding] in [1usize..5, 1usize..4, 0usize..3],
        out in [1usize..5, 1usize..5],
        [ceil, counts] in [any::<bool>(), any::<bool>()],
        seed in 0u64..1000,
    ) {
        let window = Window { kernel, stride, padding: [padding; 2], dilation: 1 };
        prop_assume!(2 * padding <= kernel);
        let fits = |size: &usize| if ceil { window.out_ceil(*size) } else { window.out(*size) };
        prop_assume!(size.iter().all(|size| fits(size).is_some()));
        let shapes: [&[usize]; 1] = [&[batch, 2, size[0], size[1]]];
        let found = [
            error(&shapes, seed, |tape, v| max_pool2d(tape, &v[0], [window; 2], ceil)),
            error(&shapes, seed, |tape, v| avg_pool2d(tape, &v[0], [window; 2], ceil, counts)),
            error(&shapes, seed, |tape, v| adaptive_avg_pool2d(tape, &v[0], out)),
        ];
        prop_assert!(found.iter().all(|error| *error < 1e-5), "{found:?}");
    }

    #[test]
    fn norms_of_any_shape_agree(
        batch in 2usize..20,
        channels in 1usize..6,
        size in prop::option::of([1usize..6, 1usize..6]),
        seed in 0u64..1000,
    ) {
        let mut x = vec![batch, channels];
        x.extend(size.into_iter().flatten());
        let shapes: [&[usize]; 3] = [&x, &[channels], &[channels]];
        let [mean, variance] = [0.3, 1.7].map(|value| Buffer::Host(vec![value; channels]));
        let running = Statistics::Running { mean: &mean, variance: &variance };
        for statistics in [Statistics::Batch, running] {
            let found = error(&shapes, seed, |tape, v| {
                let tanh = Some(Activation::Tanh);
                Ok(batch_norm(tape, &v[0], &v[1], &v[2], 1e-3, statistics, tanh)?.0)
            });
            prop_assert!(found < BOUND, "{found}");
        }
    }

    #[test]
    fn dense_layers_of_any_shape_agree(
        [batch, inputs, neurons] in [1usize..20, 1usize..40, 1usize..40],
        seed in 0u64..1000,
    ) {
        let shapes: [&[usize]; 3] = [&[batch, inputs], &[neurons, inputs], &[neurons]];
        let found = error(&shapes, seed, |tape, v| {
            dense(tape, &v[0], &v[1], Some(&v[2]), Some(Activation::Sigmoid))
        });
        prop_assert!(found < BOUND, "{found}");
    }
}

#[test]
fn masks_of_dropout_are_the_same_bits_whatever_order_the_kernels_count_in() {
    let stream = derive(1, "masks", &[]);
    let one = Window { kernel: 1, stride: 1, padding: [0; 2], dilation: 1 };
    type Dropped<'a> = &'a dyn Fn(&mut Tape, &Value) -> Result<Value>;
    let elements: Dropped = &|tape, x| dropout(tape, x, 0.4, Granularity::Elements, stream);
    let channels: Dropped = &|tape, x| dropout(tape, x, 0.4, Granularity::Channels, stream);
    let images: Dropped = &|tape, x| drop_images(tape, x, 0.4, stream);
    let after_relu: Dropped = &|tape, x| {
        let x = sum(tape, std::slice::from_ref(x), Some(Activation::Relu))?;
        drop_in_place(tape, &x, 0.4, stream)
    };
    for dropped in [elements, channels, images, after_relu] {
        for batch in [3, 9, 16, 21] {
            let run = |device: &Device| {
                outcome(device, &[&[batch, 5, 3, 2]], 7, &|tape, v| {
                    // What comes out of a pool of a large batch lies in lanes; behind a mask of channels
                    // it no longer does.
                    let x = max_pool2d(tape, &v[0], [one; 2], false)?;
                    let x = dropped(tape, &x)?;
                    let x = dropout(tape, &x, 0.3, Granularity::Elements, stream)?;
                    let x = flatten(tape, &x)?;
                    dropout(tape, &x, 0.2, Granularity::Elements, stream)
                })
            };
            let (kernels, candle) = (run(&Device::cpu()), run(&Device::cpu_by_candle()));
            assert_eq!(kernels, candle, "{batch} images");
        }
    }
}

#[test]
fn merges_agree() {
    for batch in [2, 17] {
        let maps: &[usize] = &[batch, 3, 4, 5];
        for then in [None, Some(Activation::Relu), Some(Activation::Silu)] {
            assert!(error(&[maps; 3], 1, |tape, v| sum(tape, v, then)) < 1e-5);
        }
        assert!(error(&[maps, &[batch, 1, 4, 5], maps], 1, |tape, v| concat(tape, v, 1)) < 1e-6);
        assert!(error(&[maps, &[batch, 3, 2, 5]], 1, |tape, v| concat(tape, v, 2)) < 1e-6);
        let factors: &[usize] = &[batch, 3, 1, 1];
        assert!(error(&[maps, factors], 1, |tape, v| scale(tape, &v[0], &v[1])) < 1e-5);
        let factors: &[usize] = &[batch, 1, 4, 5];
        assert!(error(&[maps, factors], 1, |tape, v| scale(tape, &v[0], &v[1])) < 1e-5);
    }
}

#[test]
fn losses_agree_and_add_up() {
    let labels = [2, 0, 3, 1];
    let targets = Targets::Classes { labels: &labels, partners: Some((&[1, 1, 0, 3], 0.7)) };
    let weights = [0.5, 1.0, 2.0, 1.5];
    let found = error(&[&[4, 4], &[4, 4]], 1, |tape, v| {
        let first = cross_entropy(tape, &v[0], targets, 0.1, Some(&weights))?.mean;
        let second = cross_entropy(tape, &v[1], &labels, 0.0, None)?.mean;
        weighted_sum(tape, &[(first, 1.0), (second, 0.3)])
    });
    assert!(found < 1e-6, "{found}");
}

#[test]
fn batches_say_the_same_of_themselves() {
    let x = normal(&[5, 3, 2, 2], "x", 1);
    let found = [Device::cpu(), Device::cpu_by_candle()].map(|device| {
        let mut tape = Tape::inference_on(&device);
        let x = tape.leaf(&x, false);
        let one = tape.leaf(&normal(&[3], "one", 1), false);
        let (_, found) =
            batch_norm(&mut tape, &x, &one, &one, 1e-5, Statistics::Batch, None).unwrap();
        let found = found.unwrap();
        let [mut mean, mut variance] = [found.mean, found.unbiased_variance];
        let zeros = device.buffer(vec![0.0; 3], &[3]).unwrap();
        mean.blend(&zeros, 0.25).unwrap();
        variance.blend(&zeros, 0.25).unwrap();
        [mean, variance].map(|row| row.into_numbers().unwrap()).concat()
    });
    for (kernels, candle) in found[0].iter().zip(&found[1]) {
        assert!((kernels - candle).abs() < 1e-6, "{kernels} and {candle}");
    }
}

#[test]
#[cfg(not(any(feature = "cuda", feature = "metal")))]
fn a_device_that_is_not_built_in_is_refused_with_the_way_out() {
    for (device, name) in [(asked::Device::Cuda(1), "cuda"), (asked::Device::Metal, "metal")] {
        let error = Device::open(device).unwrap_err();
        assert_eq!(error, DeviceError::NotBuiltIn { asked: device, feature: name });
    }
    let message = Device::open(asked::Device::Cuda(1)).unwrap_err().to_string();
    let expected = "this wick was built without cuda, which cuda:1 needs: build it with \
                    cargo install --path . --features cuda, or use the device cpu";
    assert_eq!(message, expected);
    assert!(Device::open(asked::Device::Cpu).is_ok());
}

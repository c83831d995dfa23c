//! Convolutions and max-pools of random shapes against their definitions in f64.

use candle_core::Tensor;
use proptest::prelude::*;

use candlewick_basis::seed::derive;
use candlewick_basis::shape::Window;

use super::conv::conv2d;
use super::lanes::leave;
use super::pool::max_pool2d;
use super::tape::{Tape, numbers, tensor};
use super::tests::taken;

fn normal(shape: &[usize], name: &str, seed: u64) -> Tensor {
    let mut stream = derive(seed, name, &[]);
    let count = shape.iter().product();
    tensor((0..count).map(|_| stream.normal() as f32).collect(), shape).unwrap()
}

/// The largest difference over the largest number.
fn relative_error(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let scale = expected.iter().fold(1e-30f64, |largest, x| largest.max(x.abs()));
    let differences = found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs());
    differences.fold(0.0, f64::max) / scale
}

struct Shape {
    batch: usize,
    channels: usize,
    filters: usize,
    groups: usize,
    size: [usize; 2],
    window: Window,
}

/// Visits each product of the convolution: indices of output, input and weight.
fn each_product(shape: &Shape, out: [usize; 2], mut visit: impl FnMut(usize, usize, usize)) {
    let (c_group, f_group) = (shape.channels / shape.groups, shape.filters / shape.groups);
    let Window { kernel, stride, padding, dilation } = shape.window;
    let [height, width] = shape.size;
    for n in 0..shape.batch {
        for f in 0..shape.filters {
            for c in 0..c_group {
                let channel = f / f_group * c_group + c;
                for (y, x) in (0..out[0]).flat_map(|y| (0..out[1]).map(move |x| (y, x))) {
                    for (ky, kx) in (0..kernel).flat_map(|y| (0..kernel).map(move |x| (y, x))) {
                        let look = |at: usize, tap: usize, size: usize| {
                            let at = (at * stride + tap * dilation).checked_sub(padding[0]);
                            at.filter(|at| *at < size)
                        };
                        if let (Some(iy), Some(ix)) = (look(y, ky, height), look(x, kx, width)) {
                            visit(
                                ((n * shape.filters + f) * out[0] + y) * out[1] + x,
                                ((n * shape.channels + channel) * height + iy) * width + ix,
                                ((f * c_group + c) * kernel + ky) * kernel + kx,
                            );
                        }
                    }
                }
            }
        }
    }
}

/// The relative errors of the result and of the gradients of x and w.
fn errors(shape: &Shape, seed: u64) -> [f64; 3] {
    let Shape { batch, channels, filters, groups, size, window } = *shape;
    let x = normal(&[batch, channels, size[0], size[1]], "x", seed);
    let w = normal(&[filters, channels / groups, window.kernel, window.kernel], "w", seed);
    let mut tape = Tape::recording();
    let (vx, vw) = (tape.leaf(&x, true), tape.leaf(&w, true));
    let y = conv2d(&mut tape, &vx, &vw, None, [window; 2], groups, None).unwrap();
    let y = leave(&mut tape, &y).unwrap();
    let slopes = normal(y.dims(), "slopes", seed);
    let kept = numbers(&slopes).unwrap().to_vec();
    let total = tensor(vec![0.0], ()).unwrap();
    let total = tape.record(total, &[&y], move |_, _| Ok(vec![Some(kept)]));
    let mut gradients = tape.backward(&total).unwrap();
    let out = [y.dims()[2], y.dims()[3]];
    let wide = |tensor: &Tensor| -> Vec<f64> {
        numbers(tensor).unwrap().iter().map(|x| f64::from(*x)).collect()
    };
    let (x, w, slopes) = (wide(&x), wide(&w), wide(&slopes));
    let mut expected = [vec![0.0; slopes.len()], vec![0.0; x.len()], vec![0.0; w.len()]];
    each_product(shape, out, |o, i, k| {
        expected[0][o] += x[i] * w[k];
        expected[1][i] += slopes[o] * w[k];
        expected[2][k] += slopes[o] * x[i];
    });
    [
        relative_error(&numbers(y.tensor()).unwrap(), &expected[0]),
        relative_error(&taken(&mut gradients, &vx).unwrap(), &expected[1]),
        relative_error(&taken(&mut gradients, &vw).unwrap(), &expected[2]),
    ]
}

#[test]
fn convolutions_deep_in_a_network_follow_the_definition() {
    let window = Window { kernel: 3, stride: 1, padding: [1; 2], dilation: 1 };
    // Groups of channels and shares of filters that are not full; more images than one round takes.
    for (batch, channels, filters, size) in
        [(21, 80, 72, [4, 5]), (37, 130, 131, [8, 7]), (131, 512, 32, [4, 4])]
    {
        let shape = Shape { batch, channels, filters, groups: 1, size, window };
        for error in errors(&shape, 1) {
            assert!(error < 1e-4, "{channels} to {filters}: {error}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..Default::default() })]

    #[test]
    fn convolutions_of_any_shape_follow_the_definition(
        batch in prop::sample::select(vec![1usize, 3, 8, 16, 19]),
        [c, f, groups] in [1usize..8, 1usize..12, 1usize..4],
        size in [1usize..12, 1usize..12],
        [kernel, stride, padding, dilation] in [1usize..5, 1usize..4, 0usize..4, 1usize..3],
        ahead in 0usize..2,
        seed in 0u64..1000,
    ) {
        let window = Window { kernel, stride, padding: [padding, padding + ahead], dilation };
        prop_assume!(size.iter().all(|size| window.out(*size).is_some()));
        let (channels, filters) = (c * groups, f * groups);
        let shape = Shape { batch, channels, filters, groups, size, window };
        for error in errors(&shape, seed) {
            prop_assert!(error < 1e-5, "{error}");
        }
    }

    #[test]
    fn depthwise_convolutions_of_any_shape_follow_the_definition(
        batch in prop::sample::select(vec![1usize, 3, 8, 19]),
        channels in 2usize..20,
        size in [1usize..40, 1usize..20],
        [kernel, stride, padding, dilation] in [1usize..6, 1usize..4, 0usize..5, 1usize..3],
        ahead in 0usize..2,
        seed in 0u64..1000,
    ) {
        let window = Window { kernel, stride, padding: [padding, padding + ahead], dilation };
        prop_assume!(size.iter().all(|size| window.out(*size).is_some()));
        let shape = Shape { batch, channels, filters: channels, groups: channels, size, window };
        for error in errors(&shape, seed) {
            prop_assert!(error < 1e-5, "{error}");
        }
    }

    #[test]
    fn winograds_algorithm_stays_within_a_ten_thousandth_of_the_definition(
        batch in 8usize..20,
        [channels, filters] in [16usize..40, 16usize..40],
        size in [2usize..14, 2usize..14],
        padding in [0usize..3, 0usize..3],
        seed in 0u64..1000,
    ) {
        let window = Window { kernel: 3, stride: 1, padding, dilation: 1 };
        prop_assume!(size.iter().all(|size| window.out(*size).is_some()));
        let shape = Shape { batch, channels, filters, groups: 1, size, window };
        for error in errors(&shape, seed) {
            prop_assert!(error < 1e-4, "{error}");
        }
    }

    #[test]
    fn max_pools_of_any_shape_follow_the_definition(
        batch in prop::sample::select(vec![1usize, 8, 17]),
        size in [1usize..12, 1usize..12],
        [kernel, stride, padding] in [1usize..5, 1usize..4, 0usize..3],
        ceil in any::<bool>(),
        seed in 0u64..1000,
    ) {
        let window = Window { kernel, stride, padding: [padding; 2], dilation: 1 };
        prop_assume!(2 * padding <= kernel);
        let out = size.map(|size| if ceil { window.out_ceil(size) } else { window.out(size) });
        let [Some(height), Some(width)] = out else { return Ok(()) };
        let x = normal(&[batch, 2, size[0], size[1]], "x", seed);
        let mut tape = Tape::recording();
        let vx = tape.leaf(&x, true);
        let y = max_pool2d(&mut tape, &vx, [window; 2], ceil).unwrap();
        let y = leave(&mut tape, &y).unwrap();
        let slopes = normal(y.dims(), "slopes", seed);
        let kept = numbers(&slopes).unwrap().to_vec();
        let slopes = kept.clone();
        let total = tensor(vec![0.0], ()).unwrap();
        let total = tape.record(total, &[&y], move |_, _| Ok(vec![Some(kept)]));
        let found = taken(&mut tape.backward(&total).unwrap(), &vx).unwrap();
        let (x, y) = (numbers(&x).unwrap(), numbers(y.tensor()).unwrap());
        let mut expected = vec![0.0; x.len()];
        for (at, slope) in slopes.iter().enumerate() {
            let (map, row, column) = (at / (height * width), at / width % height, at % width);
            let reach = |position: usize, size: usize| {
                let end = (position * stride + kernel).saturating_sub(padding).min(size);
                (position * stride).saturating_sub(padding)..end
            };
            let places = reach(row, size[0]).flat_map(|y| {
                reach(column, size[1]).map(move |x| (map * size[0] + y) * size[1] + x)
            });
            let best = places.reduce(|best, new| if x[new] > x[best] { new } else { best });
            let best = best.unwrap();
            prop_assert_eq!(y[at], x[best]);
            expected[best] += f64::from(*slope);
        }
        prop_assert!(relative_error(&found, &expected) < 1e-6);
    }
}

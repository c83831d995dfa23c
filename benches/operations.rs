//! The time of single operations, shape by shape: forward alone, and forward with all gradients.
//!
//! `cargo bench --bench operations -- conv` runs those whose name contains "conv". They use all
//! cores; `RAYON_NUM_THREADS=1` shows one.

use std::fmt;

use candle_core::{Device, Result, Tensor};
use candlewick::basis::memory::Allocator;
use candlewick::basis::optimizer::{Optimizer, Sgd};
use candlewick::basis::seed::derive;
use candlewick::basis::shape::Window;
use candlewick::kernels::activation::Activation;
use candlewick::kernels::buffer::Buffer;
use candlewick::kernels::conv::conv2d;
use candlewick::kernels::dense::dense;
use candlewick::kernels::loss::cross_entropy;
use candlewick::kernels::norm::{Statistics, batch_norm};
use candlewick::kernels::pool::{adaptive_avg_pool2d, avg_pool2d, max_pool2d};
use candlewick::kernels::tape::{Tape, Value};
use candlewick::kernels::update::apply;
use divan::Bencher;
use divan::counter::ItemsCount;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn main() {
    divan::main();
}

fn normal(shape: &[usize], name: &str) -> Tensor {
    let mut stream = derive(1, name, &[]);
    let numbers: Vec<f32> =
        (0..shape.iter().product()).map(|_| stream.normal() as f32 * 0.1).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu).expect("as many numbers as the shape says")
}

/// Times `operation` on leaves of these shapes, the first of which is a batch of images or rows.
fn run(
    bencher: Bencher,
    train: bool,
    shapes: &[&[usize]],
    operation: impl Fn(&mut Tape, &[Value]) -> Result<Value> + Sync,
) {
    let leaves: Vec<Tensor> = shapes
        .iter()
        .enumerate()
        .map(|(index, shape)| normal(shape, &format!("leaf {index}")))
        .collect();
    let pass = |slopes: Option<Vec<f32>>| {
        let mut tape = if train { Tape::recording() } else { Tape::inference() };
        let values: Vec<Value> = leaves.iter().map(|leaf| tape.leaf(leaf, true)).collect();
        let out = operation(&mut tape, &values)?;
        let gradients = slopes.map(|slopes| tape.backward_from(&out, slopes)).transpose()?;
        Ok::<_, candle_core::Error>((out, gradients))
    };
    let (out, _) = pass(None).expect("shapes fit");
    let count: usize = out.dims().iter().product();
    bencher
        .counter(ItemsCount::new(shapes[0][0]))
        .with_inputs(|| train.then(|| vec![0.01; count]))
        .bench_values(|slopes| pass(slopes).expect("shapes fit"));
}

/// A convolution with as many pixels around as keep the size of maps at stride 1.
struct Conv {
    name: &'static str,
    batch: usize,
    channels: usize,
    filters: usize,
    size: usize,
    kernel: usize,
    stride: usize,
    groups: usize,
}

impl fmt::Display for Conv {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Conv { name, batch, channels, filters, size, .. } = self;
        write!(f, "{name} {channels} to {filters} at {size}, batch {batch}")
    }
}

const fn conv(name: &'static str, sizes: [usize; 4], kernel: usize, stride: usize) -> Conv {
    let [batch, channels, filters, size] = sizes;
    Conv { name, batch, channels, filters, size, kernel, stride, groups: 1 }
}

const fn depthwise(batch: usize, channels: usize, size: usize, stride: usize) -> Conv {
    let name = if stride == 1 { "depthwise" } else { "depthwise strided" };
    Conv { name, batch, channels, filters: channels, size, kernel: 3, stride, groups: channels }
}

const CONVOLUTIONS: [Conv; 22] = [
    conv("3×3", [256, 3, 6, 32], 3, 1),
    conv("3×3", [256, 6, 16, 15], 3, 1),
    conv("3×3", [32, 3, 64, 32], 3, 1),
    conv("3×3", [64, 64, 64, 16], 3, 1),
    conv("3×3", [32, 128, 128, 16], 3, 1),
    conv("3×3", [32, 256, 256, 8], 3, 1),
    conv("3×3", [32, 512, 512, 4], 3, 1),
    conv("3×3", [12, 64, 64, 16], 3, 1),
    conv("3×3", [1, 64, 64, 56], 3, 1),
    conv("strided 3×3", [32, 64, 128, 32], 3, 2),
    conv("strided 3×3", [32, 256, 512, 8], 3, 2),
    conv("strided 1×1", [32, 64, 128, 32], 1, 2),
    conv("1×1", [32, 32, 192, 28], 1, 1),
    conv("1×1", [32, 192, 32, 28], 1, 1),
    conv("1×1", [12, 96, 576, 14], 1, 1),
    conv("1×1", [1, 96, 576, 14], 1, 1),
    depthwise(32, 192, 28, 1),
    depthwise(32, 192, 28, 2),
    depthwise(12, 192, 28, 1),
    depthwise(4, 192, 28, 1),
    depthwise(1, 192, 28, 1),
    depthwise(1, 192, 28, 2),
];

fn convolution(bencher: Bencher, shape: &Conv, train: bool) {
    let Conv { batch, channels, filters, size, kernel, stride, groups, .. } = *shape;
    let window = Window { kernel, stride, padding: [kernel / 2; 2], dilation: 1 };
    let shapes: [&[usize]; 3] =
        [&[batch, channels, size, size], &[filters, channels / groups, kernel, kernel], &[filters]];
    run(bencher, train, &shapes, |tape, v| {
        conv2d(tape, &v[0], &v[1], Some(&v[2]), [window; 2], groups, Some(Activation::Relu))
    });
}

#[divan::bench(args = &CONVOLUTIONS)]
fn conv_forward(bencher: Bencher, shape: &Conv) {
    convolution(bencher, shape, false);
}

#[divan::bench(args = &CONVOLUTIONS)]
fn conv_train(bencher: Bencher, shape: &Conv) {
    convolution(bencher, shape, true);
}

/// Maps: batch, channels, size.
const MAPS: [[usize; 3]; 4] = [[256, 6, 30], [128, 32, 32], [32, 64, 32], [1, 64, 56]];

#[divan::bench(args = MAPS)]
fn max_pool_train(bencher: Bencher, [batch, channels, size]: [usize; 3]) {
    let window = Window { kernel: 2, stride: 2, padding: [0; 2], dilation: 1 };
    run(bencher, true, &[&[batch, channels, size, size]], |tape, v| {
        max_pool2d(tape, &v[0], [window; 2], false)
    });
}

#[divan::bench(args = MAPS)]
fn overlapping_max_pool_train(bencher: Bencher, [batch, channels, size]: [usize; 3]) {
    let window = Window { kernel: 3, stride: 2, padding: [1; 2], dilation: 1 };
    run(bencher, true, &[&[batch, channels, size, size]], |tape, v| {
        max_pool2d(tape, &v[0], [window; 2], false)
    });
}

#[divan::bench(args = MAPS)]
fn avg_pool_train(bencher: Bencher, [batch, channels, size]: [usize; 3]) {
    let window = Window { kernel: 2, stride: 2, padding: [0; 2], dilation: 1 };
    run(bencher, true, &[&[batch, channels, size, size]], |tape, v| {
        avg_pool2d(tape, &v[0], [window; 2], false, true)
    });
}

#[divan::bench(args = MAPS)]
fn global_avg_pool_train(bencher: Bencher, [batch, channels, size]: [usize; 3]) {
    run(bencher, true, &[&[batch, channels, size, size]], |tape, v| {
        adaptive_avg_pool2d(tape, &v[0], [1, 1])
    });
}

fn norm(bencher: Bencher, [batch, channels, size]: [usize; 3], train: bool) {
    let shapes: [&[usize]; 3] = [&[batch, channels, size, size], &[channels], &[channels]];
    let [mean, variance] = [0.1, 1.1].map(|value| Buffer::Host(vec![value; channels]));
    run(bencher, train, &shapes, |tape, v| {
        let statistics = if train {
            Statistics::Batch
        } else {
            Statistics::Running { mean: &mean, variance: &variance }
        };
        Ok(batch_norm(tape, &v[0], &v[1], &v[2], 1e-5, statistics, Some(Activation::Relu))?.0)
    });
}

#[divan::bench(args = MAPS)]
fn batch_norm_forward(bencher: Bencher, maps: [usize; 3]) {
    norm(bencher, maps, false);
}

#[divan::bench(args = MAPS)]
fn batch_norm_train(bencher: Bencher, maps: [usize; 3]) {
    norm(bencher, maps, true);
}

/// Dense layers: batch, inputs, neurons.
const DENSE: [[usize; 3]; 4] = [[256, 576, 120], [128, 2048, 256], [32, 512, 10], [1, 2048, 256]];

fn fully_connected(bencher: Bencher, [batch, inputs, neurons]: [usize; 3], train: bool) {
    let shapes: [&[usize]; 3] = [&[batch, inputs], &[neurons, inputs], &[neurons]];
    run(bencher, train, &shapes, |tape, v| dense(tape, &v[0], &v[1], Some(&v[2]), None));
}

#[divan::bench(args = DENSE)]
fn dense_forward(bencher: Bencher, sizes: [usize; 3]) {
    fully_connected(bencher, sizes, false);
}

#[divan::bench(args = DENSE)]
fn dense_train(bencher: Bencher, sizes: [usize; 3]) {
    fully_connected(bencher, sizes, true);
}

#[divan::bench(args = [[32, 10], [256, 10], [128, 1000]])]
fn cross_entropy_train(bencher: Bencher, [batch, classes]: [usize; 2]) {
    let labels: Vec<u32> = (0..batch).map(|image| (image % classes) as u32).collect();
    run(bencher, true, &[&[batch, classes]], |tape, v| {
        Ok(cross_entropy(tape, &v[0], &labels, 0.1, None)?.mean)
    });
}

#[divan::bench(args = [10_000, 11_000_000])]
fn sgd_update(bencher: Bencher, count: usize) {
    let parameter = normal(&[count], "parameter");
    let sgd = Sgd { lr: 0.01, momentum: 0.9, nesterov: false, weight_decay: 1e-4 };
    let mut state = [Buffer::default(), Buffer::default()];
    bencher
        .counter(ItemsCount::new(count))
        .with_inputs(|| Buffer::Host(vec![0.01; count]))
        .bench_local_values(|gradient| {
            apply(&Optimizer::Sgd(sgd), state.each_mut(), &parameter, gradient, sgd.lr, 1)
        });
}

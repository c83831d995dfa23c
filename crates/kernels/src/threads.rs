//! The same bits for any number of threads.

use candle_core::Result;

use candlewick_basis::optimizer::{AdamW, AdjustLr, Lamb, Muon, Optimizer, Rmsprop, Sgd};
use candlewick_basis::seed::derive;

use super::activation::{Activation, activation};
use super::arrange::{channels, flatten, reshape};
use super::buffer::Buffer;
use super::conv::conv2d;
use super::dense::dense;
use super::dropout::{Granularity, dropout};
use super::group_norm::group_norm;
use super::lanes::leave;
use super::layer_norm::layer_norm;
use super::layer_scale::layer_scale;
use super::loss::cross_entropy;
use super::merge::{product, scale};
use super::norm::{Statistics, batch_norm};
use super::pool::{adaptive_avg_pool2d, adaptive_max_pool2d, max_pool2d};
use super::rectified_pool::normalised_max_pool2d;
use super::response_norm::{LocalResponse, global_response_norm, local_response_norm};
use super::tape::{Tape, numbers};
use super::tests::{in_its_order, spread, taken, window};
use super::update::apply;

/// Runs `work` with one thread, then with more, and compares what it returns.
fn same_bits<T: PartialEq + Send>(work: impl Fn() -> T + Sync) {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(&work)
    };
    let one = run(1);
    for threads in [2, 3, 8] {
        assert!(run(threads) == one, "{threads} threads give other bits");
    }
}

#[test]
fn a_network_gives_the_same_bits_for_any_number_of_threads() {
    for is_one_operation in [false, true] {
        same_bits(|| network(is_one_operation));
    }
}

/// Loss, statistics and gradients of a network, whose norm and pool may be one operation.
fn network(is_one_operation: bool) -> (u64, [Vec<f32>; 2], Vec<Vec<f32>>) {
    let mut tape = Tape::recording();
    let x = tape.leaf(&spread(&[37, 3, 12, 12], "x"), true);
    let w = tape.leaf(&spread(&[17, 3, 3, 3], "w"), true);
    let v = tape.leaf(&spread(&[17, 17, 3, 3], "v"), true);
    let b = tape.leaf(&spread(&[17], "b"), true);
    let gamma = tape.leaf(&spread(&[17], "gamma"), true);
    let d = tape.leaf(&spread(&[130, 17 * 36], "d"), true);
    let same = window(3, 1, 1, 1);
    let y = conv2d(&mut tape, &x, &w, Some(&b), [same; 2], 1, None).unwrap();
    let y = conv2d(&mut tape, &y, &v, None, [same; 2], 1, None).unwrap();
    let (halves, of_batch) = ([window(2, 2, 0, 1); 2], Statistics::Batch);
    let (y, found) = if is_one_operation {
        let affine = [&gamma, &b];
        normalised_max_pool2d(&mut tape, &y, affine, 1e-5, of_batch, None, halves, false).unwrap()
    } else {
        let relu = Some(Activation::Relu);
        let (y, found) = batch_norm(&mut tape, &y, &gamma, &b, 1e-5, of_batch, relu).unwrap();
        (max_pool2d(&mut tape, &y, halves, false).unwrap(), found)
    };
    let stream = derive(3, "dropout", &[]);
    let y = dropout(&mut tape, &y, 0.5, Granularity::Elements, stream).unwrap();
    let y = flatten(&mut tape, &y).unwrap();
    let y = dense(&mut tape, &y, &d, None, None).unwrap();
    let labels: Vec<u32> = (0..37).collect();
    let loss = cross_entropy(&mut tape, &y, &labels, 0.1, None).unwrap();
    let mut gradients = tape.backward(&loss.mean).unwrap();
    let gradients: Vec<_> =
        [&x, &w, &v, &b, &gamma, &d].map(|leaf| taken(&mut gradients, leaf).unwrap()).into();
    let found = found.unwrap();
    let found = [found.mean, found.unbiased_variance].map(|row| row.into_numbers().unwrap());
    (loss.sum.to_bits(), found, gradients)
}

#[test]
fn norms_of_single_images_and_moves_of_channels_give_the_same_bits_for_any_number_of_threads() {
    for is_in_lanes in [false, true] {
        same_bits(|| norms(is_in_lanes).unwrap());
    }
}

/// Loss and gradients of a network of norms of single images and moves of channels, with more channels and more
/// numbers in a map than these take at once.
fn norms(is_in_lanes: bool) -> Result<(u64, Vec<Vec<f32>>)> {
    const CHANNELS: usize = 40;
    let mut tape = Tape::recording();
    let mut leaves = Vec::new();
    let mut leaf = |tape: &mut Tape, shape: &[usize]| {
        leaves.push(tape.leaf(&spread(shape, &format!("leaf{}", leaves.len())), true));
        leaves[leaves.len() - 1].clone()
    };
    let mut y = leaf(&mut tape, &[37, CHANNELS, 9, 9]);
    if is_in_lanes {
        y = in_its_order(&mut tape, &y)?;
    }
    let of_channels = [CHANNELS];
    let [gamma, beta] = [(); 2].map(|()| leaf(&mut tape, &of_channels));
    y = layer_norm(&mut tape, &y, &gamma, &beta, 1e-5)?;
    for groups in [1, 8, CHANNELS] {
        let [gamma, beta] = [(); 2].map(|()| leaf(&mut tape, &of_channels));
        y = group_norm(&mut tape, &y, &gamma, &beta, groups, 1e-5)?;
    }
    for size in [5, 4] {
        let settings = LocalResponse { size, alpha: 0.5, beta: 0.75, k: 2.0 };
        y = local_response_norm(&mut tape, &y, settings)?;
    }
    let [gamma, beta] = [(); 2].map(|()| leaf(&mut tape, &of_channels));
    y = global_response_norm(&mut tape, &y, &gamma, &beta, 1e-6)?;
    let factors = leaf(&mut tape, &[CHANNELS, 1, 1]);
    y = layer_scale(&mut tape, &y, &factors)?;
    // A shuffle of four groups; a chunk; channels of zeros on both sides.
    let shuffle: Vec<_> = (0..CHANNELS).map(|at| Some(at % 4 * (CHANNELS / 4) + at / 4)).collect();
    y = channels(&mut tape, &y, &shuffle)?;
    let chunk: Vec<_> = (CHANNELS / 2..CHANNELS).map(Some).collect();
    let half = channels(&mut tape, &y, &chunk)?;
    let padded: Vec<_> = (0..CHANNELS).map(|at| at.checked_sub(5).filter(|at| *at < 20)).collect();
    let padded = channels(&mut tape, &half, &padded)?;
    y = product(&mut tape, &[y, padded])?;
    // A dense layer of each pixel.
    let dense_weights = leaf(&mut tape, &[CHANNELS, CHANNELS]);
    let as_conv = reshape(&mut tape, &dense_weights, &[CHANNELS, CHANNELS, 1, 1])?;
    y = conv2d(&mut tape, &y, &as_conv, None, [window(1, 1, 0, 1); 2], 1, None)?;
    y = activation(&mut tape, &y, Activation::Hardsigmoid)?;
    // Efficient channel attention.
    let means = adaptive_avg_pool2d(&mut tape, &y, [1, 1])?;
    let rows = reshape(&mut tape, &means, &[37, 1, CHANNELS, 1])?;
    let filter = leaf(&mut tape, &[1, 1, 3, 1]);
    let across = [window(3, 1, 1, 1), window(1, 1, 0, 1)];
    let rows = conv2d(&mut tape, &rows, &filter, None, across, 1, None)?;
    let factors = reshape(&mut tape, &rows, &[37, CHANNELS, 1, 1])?;
    y = scale(&mut tape, &y, &factors)?;
    y = adaptive_max_pool2d(&mut tape, &y, [2, 4])?;
    y = flatten(&mut tape, &y)?;
    let labels: Vec<u32> = (0..37).collect();
    let loss = cross_entropy(&mut tape, &y, &labels, 0.1, None)?;
    let mut gradients = tape.backward(&loss.mean)?;
    let found = leaves.iter().map(|leaf| taken(&mut gradients, leaf).unwrap()).collect();
    Ok((loss.sum.to_bits(), found))
}

#[test]
fn convolutions_deep_depthwise_and_strided_give_the_same_bits_for_any_number_of_threads() {
    let same = window(3, 1, 1, 1);
    let all = [
        (37, 80, 72, 4, same, 1),
        (37, 24, 24, 9, same, 24),
        (5, 24, 24, 9, same, 24),
        (19, 24, 24, 9, window(5, 2, 1, 1), 24),
        (37, 12, 20, 9, window(3, 2, 1, 1), 2),
    ];
    // One of each kind, as small as it can be, for Miri, which is slow.
    let smallest = [
        (17, 32, 32, 4, same, 1),
        (17, 16, 16, 6, same, 1),
        (17, 2, 2, 3, same, 2),
        (3, 2, 2, 3, same, 2),
        (17, 2, 3, 3, window(3, 2, 1, 1), 1),
    ];
    let cases = if cfg!(miri) { &smallest[..] } else { &all[..] };
    for (batch, channels, filters, size, w, groups) in cases.iter().copied() {
        same_bits(|| {
            let mut tape = Tape::recording();
            let x = tape.leaf(&spread(&[batch, channels, size, size], "x"), true);
            let shape = [filters, channels / groups, w.kernel, w.kernel];
            let weights = tape.leaf(&spread(&shape, "w"), true);
            let run = |tape: &mut Tape| -> Result<_> {
                let y = conv2d(tape, &x, &weights, None, [w; 2], groups, None)?;
                leave(tape, &y)
            };
            let y = run(&mut tape).unwrap();
            let slopes = numbers(&spread(y.dims(), "slopes")).unwrap().to_vec();
            let result = numbers(y.tensor()).unwrap().to_vec();
            let mut gradients = tape.backward_from(&y, slopes).unwrap();
            let [for_x, for_w] = [&x, &weights].map(|leaf| taken(&mut gradients, leaf).unwrap());
            (result, for_x, for_w)
        });
    }
}

#[test]
fn updates_give_the_same_bits_for_any_number_of_threads() {
    // More than two pieces, the last of them odd.
    const ROWS: usize = 7;
    const COUNT: usize = ROWS * 10_001;
    same_bits(|| {
        let parameter = spread(&[ROWS, COUNT / ROWS], "parameter").copy().unwrap();
        let mut states = [(); 4].map(|()| <[Buffer; 2]>::default());
        for step in 1..=3 {
            let gradient = Buffer::Host(numbers(&spread(&[COUNT], "gradient")).unwrap().to_vec());
            let (lr, momentum, weight_decay) = (0.1, 0.9, 0.01);
            let sgd = Sgd { lr, momentum, nesterov: true, weight_decay };
            let rmsprop = Rmsprop { lr, alpha: 0.9, eps: 1e-8, momentum, weight_decay };
            let lamb = Lamb { lr, betas: [0.9, 0.999], eps: 1e-6, weight_decay };
            let adamw = AdamW { lr, betas: [0.9, 0.999], eps: 1e-8, weight_decay };
            let (nesterov, ns_steps, adjust_lr) = (true, 2, AdjustLr::Original);
            let muon = Muon { lr, momentum, nesterov, weight_decay, ns_steps, adjust_lr, adamw };
            let all = [
                Optimizer::Sgd(sgd),
                Optimizer::Rmsprop(rmsprop),
                Optimizer::Lamb(lamb),
                Optimizer::Muon(muon),
            ];
            for (optimizer, state) in all.iter().zip(&mut states) {
                apply(optimizer, state.each_mut(), &parameter, gradient.clone(), lr, step).unwrap();
            }
        }
        let state = states.map(|state| state.map(|row| row.into_numbers().unwrap()));
        (numbers(&parameter).unwrap().to_vec(), state)
    });
}

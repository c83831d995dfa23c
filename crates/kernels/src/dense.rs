//! The fully connected layer.

use candle_core::Result;
use rayon::prelude::*;

use super::activation::{Activation, Elementwise};
use super::device;
use super::matmul::{Matrix, matmul};
use super::tape::{Gradient, Tape, Value, numbers, tensor};

/// Rows (images forward, neurons for weights) in one piece of work.
const ROWS: usize = 64;

/// `activation(x · wᵀ + bias)`.
///
/// # Shapes
/// x `[batch, inputs]`, w `[neurons, inputs]`, bias `[neurons]` → `[batch, neurons]`, as PyTorch's
/// `Linear`. The activation has to be [known by its result](Activation::is_known_by_result).
pub fn dense(
    tape: &mut Tape,
    x: &Value,
    w: &Value,
    bias: Option<&Value>,
    activation: Option<Activation>,
) -> Result<Value> {
    let (batch, inputs) = x.tensor().dims2()?;
    let (neurons, expected) = w.tensor().dims2()?;
    if inputs != expected {
        candle_core::bail!("dense weights {:?} do not fit an input {:?}", w.dims(), x.dims());
    }
    if tape.is_by_candle() {
        return device::dense::dense(tape, x, w, bias, activation);
    }
    let mut result = vec![0.0; batch * neurons];
    {
        let (x, w) = (numbers(x.tensor())?, numbers(w.tensor())?);
        let bias = bias.map(|bias| numbers(bias.tensor())).transpose()?;
        let (bias, w) = (bias.as_deref(), &w[..]);
        result.par_chunks_mut(ROWS * neurons).zip(x.par_chunks(ROWS * inputs)).for_each(
            |(result, x)| {
                let rows = x.len() / inputs;
                if let Some(bias) = bias {
                    result.chunks_mut(neurons).for_each(|row| row.copy_from_slice(bias));
                }
                let weights = Matrix::new(w, neurons, inputs).t();
                matmul(Matrix::new(x, rows, inputs), weights, result, bias.is_some());
                if let Some(activation) = activation {
                    activation.apply_in_place(result);
                }
            },
        );
    }
    let result = tensor(result, (batch, neurons))?;
    let (kept_x, kept_w, kept) = (x.tensor().clone(), w.tensor().clone(), result.clone());
    let mut arguments = vec![x, w];
    arguments.extend(bias);
    Ok(tape.record(result, &arguments, move |mut gradient: Gradient, wanted| {
        let (x, w) = (numbers(&kept_x)?, numbers(&kept_w)?);
        if let Some(activation) = activation {
            activation.back_in_place(&mut gradient, &numbers(&kept)?);
        }
        let (x, w, gradient) = (&x[..], &w[..], &gradient[..]);
        let for_x = wanted[0].then(|| {
            let mut for_x = vec![0.0; batch * inputs];
            for_x.par_chunks_mut(ROWS * inputs).zip(gradient.par_chunks(ROWS * neurons)).for_each(
                |(for_x, gradient)| {
                    let gradient = Matrix::new(gradient, for_x.len() / inputs, neurons);
                    matmul(gradient, Matrix::new(w, neurons, inputs), for_x, false);
                },
            );
            for_x
        });
        let for_w = wanted[1].then(|| {
            let mut for_w = vec![0.0; neurons * inputs];
            let all = Matrix::new(gradient, batch, neurons);
            for_w.par_chunks_mut(ROWS * inputs).enumerate().for_each(|(piece, for_w)| {
                let columns = all.columns(piece * ROWS, for_w.len() / inputs);
                matmul(columns.t(), Matrix::new(x, batch, inputs), for_w, false);
            });
            for_w
        });
        let mut gradients = vec![for_x, for_w];
        if wanted.len() == 3 {
            gradients.push(wanted[2].then(|| {
                let mut sums = vec![0.0f64; neurons];
                for row in gradient.chunks(neurons) {
                    sums.iter_mut().zip(row).for_each(|(sum, g)| *sum += f64::from(*g));
                }
                sums.into_iter().map(|sum| sum as f32).collect()
            }));
        }
        Ok(gradients)
    }))
}

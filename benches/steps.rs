//! Training steps of whole networks directly over the kernels: forward, backward and SGD on random
//! 32×32×3 images.
//!
//! usage: `steps NETWORK --batch B --steps N --threads T`; prints images per second over the fastest
//! of five equal parts of the run, and the peak memory in MB.

use std::time::Instant;

use candle_core::{Device, Result, Tensor};
use candlewick::basis::seed::{Stream, derive};
use candlewick::basis::shape::Window;
use candlewick::kernels::activation::{Activation, activation};
use candlewick::kernels::arrange::{add, flatten};
use candlewick::kernels::conv::conv2d;
use candlewick::kernels::dense::dense;
use candlewick::kernels::loss::cross_entropy;
use candlewick::kernels::norm::{Statistics, batch_norm};
use candlewick::kernels::pool::{adaptive_avg_pool2d, max_pool2d};
use candlewick::kernels::tape::{Tape, Value};
use candlewick::kernels::update::{Update, apply};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Parameters in the order in which a network first asks for them.
struct Model {
    stream: Stream,
    parameters: Vec<Tensor>,
}

/// One pass through a model.
struct Pass<'a> {
    model: &'a mut Model,
    tape: Tape,
    leaves: Vec<Value>,
}

const RELU: Option<Activation> = Some(Activation::Relu);

impl Pass<'_> {
    fn parameter(&mut self, shape: &[usize], value: Option<f32>) -> Result<Value> {
        let index = self.leaves.len();
        if index == self.model.parameters.len() {
            let fan_in = shape[1..].iter().product::<usize>() as f64;
            let stream = &mut self.model.stream;
            let numbers: Vec<f32> = (0..shape.iter().product())
                .map(|_| value.unwrap_or_else(|| (stream.normal() * (2.0 / fan_in).sqrt()) as f32))
                .collect();
            self.model.parameters.push(Tensor::from_vec(numbers, shape, &Device::Cpu)?);
        }
        let leaf = self.tape.leaf(&self.model.parameters[index], true);
        self.leaves.push(leaf.clone());
        Ok(leaf)
    }

    fn conv(
        &mut self,
        x: &Value,
        filters: usize,
        [kernel, stride, padding]: [usize; 3],
        bias: bool,
        activation: Option<Activation>,
    ) -> Result<Value> {
        let window = Window { kernel, stride, padding: [padding; 2], dilation: 1 };
        let w = self.parameter(&[filters, x.dims()[1], kernel, kernel], None)?;
        let bias = if bias { Some(self.parameter(&[filters], Some(0.0))?) } else { None };
        conv2d(&mut self.tape, x, &w, bias.as_ref(), [window; 2], 1, activation)
    }

    fn norm(&mut self, x: &Value, activation: Option<Activation>) -> Result<Value> {
        let gamma = self.parameter(&[x.dims()[1]], Some(1.0))?;
        let beta = self.parameter(&[x.dims()[1]], Some(0.0))?;
        let tape = &mut self.tape;
        Ok(batch_norm(tape, x, &gamma, &beta, 1e-5, Statistics::Batch, activation)?.0)
    }

    fn pool(&mut self, x: &Value) -> Result<Value> {
        let window = Window { kernel: 2, stride: 2, padding: [0; 2], dilation: 1 };
        max_pool2d(&mut self.tape, x, [window; 2], false)
    }

    fn dense(&mut self, x: &Value, neurons: usize, function: Option<Activation>) -> Result<Value> {
        let w = self.parameter(&[neurons, x.dims()[1]], None)?;
        let bias = self.parameter(&[neurons], Some(0.0))?;
        dense(&mut self.tape, x, &w, Some(&bias), function)
    }

    fn block(&mut self, x: &Value, filters: usize, stride: usize) -> Result<Value> {
        let y = self.conv(x, filters, [3, stride, 1], false, None)?;
        let y = self.norm(&y, RELU)?;
        let y = self.conv(&y, filters, [3, 1, 1], false, None)?;
        let y = self.norm(&y, None)?;
        let shortcut = if stride != 1 || x.dims()[1] != filters {
            let shortcut = self.conv(x, filters, [1, stride, 0], false, None)?;
            self.norm(&shortcut, None)?
        } else {
            x.clone()
        };
        let sum = add(&mut self.tape, &y, &shortcut)?;
        activation(&mut self.tape, &sum, Activation::Relu)
    }

    fn network(&mut self, name: &str, mut x: Value) -> Result<Value> {
        match name {
            "plain" => {
                for filters in [6, 16] {
                    x = self.conv(&x, filters, [3, 1, 0], true, RELU)?;
                    x = self.pool(&x)?;
                }
                x = flatten(&mut self.tape, &x)?;
                x = self.dense(&x, 120, RELU)?;
                x = self.dense(&x, 84, RELU)?;
            }
            "demo" => {
                for filters in [32, 64, 128] {
                    x = self.conv(&x, filters, [3, 1, 1], true, RELU)?;
                    x = self.pool(&x)?;
                }
                x = flatten(&mut self.tape, &x)?;
                x = self.dense(&x, 256, RELU)?;
                x = self.dense(&x, 128, RELU)?;
            }
            "vgg6" => {
                for (index, filters) in [32, 32, 64, 64, 128, 128].into_iter().enumerate() {
                    x = self.conv(&x, filters, [3, 1, 1], true, None)?;
                    x = self.norm(&x, RELU)?;
                    if index % 2 == 1 {
                        x = self.pool(&x)?;
                    }
                }
                x = flatten(&mut self.tape, &x)?;
                x = self.dense(&x, 256, RELU)?;
            }
            "resnet18" => {
                x = self.conv(&x, 64, [3, 1, 1], false, None)?;
                x = self.norm(&x, RELU)?;
                for (filters, stride) in [(64, 1), (128, 2), (256, 2), (512, 2)] {
                    x = self.block(&x, filters, stride)?;
                    x = self.block(&x, filters, 1)?;
                }
                x = adaptive_avg_pool2d(&mut self.tape, &x, [1, 1])?;
                x = flatten(&mut self.tape, &x)?;
            }
            other => candle_core::bail!("unknown network {other}"),
        }
        self.dense(&x, 10, None)
    }
}

fn step(model: &mut Model, name: &str, images: &Tensor, labels: &[u32]) -> Result<f64> {
    let mut pass = Pass { model, tape: Tape::recording(), leaves: Vec::new() };
    let x = pass.tape.leaf(images, false);
    let logits = pass.network(name, x)?;
    let Pass { mut tape, leaves, .. } = pass;
    let loss = cross_entropy(&mut tape, &logits, labels, 0.0, None)?;
    drop(logits);
    let mut gradients = tape.backward(&loss.mean)?;
    for (parameter, leaf) in model.parameters.iter().zip(&leaves) {
        let Some(mut gradient) = gradients.take(leaf) else { continue };
        let update = Update::Sgd { velocity: &mut Vec::new(), momentum: 0.0, nesterov: false };
        apply(update, parameter, &mut gradient, 0.01, 0.0)?;
    }
    Ok(loss.sum / loss.weight)
}

fn option(arguments: &[String], name: &str, default: usize) -> usize {
    let place = arguments.iter().position(|argument| argument == name);
    place.and_then(|place| arguments.get(place + 1)?.parse().ok()).unwrap_or(default)
}

/// The most memory this process has held, in MB.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    kb.unwrap_or(0.0) / 1024.0
}

#[expect(clippy::print_stdout, reason = "a bench prints")]
#[expect(clippy::disallowed_methods, reason = "a bench looks at the clock")]
fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(name) = arguments.iter().find(|argument| !argument.starts_with("--")) else {
        println!("usage: steps NETWORK --batch B --steps N --threads T");
        return Ok(());
    };
    let batch = option(&arguments, "--batch", 32);
    let steps = option(&arguments, "--steps", 20);
    let threads = option(&arguments, "--threads", 1);
    let mut stream = derive(1, "images", &[]);
    let images = (0..batch * 3 * 32 * 32).map(|_| stream.normal() as f32).collect();
    let images = Tensor::from_vec(images, (batch, 3, 32, 32), &Device::Cpu)?;
    let labels: Vec<u32> = (0..batch).map(|_| stream.below(10) as u32).collect();
    let mut model = Model { stream: derive(1, "weights", &[]), parameters: Vec::new() };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(candle_core::Error::wrap)?;
    let (fastest, loss) = pool.install(|| -> Result<(f64, f64)> {
        let mut loss = 0.0;
        for _ in 0..3 {
            loss = step(&mut model, name, &images, &labels)?;
        }
        let part = (steps / 5).max(1);
        let mut fastest = f64::INFINITY;
        for _ in 0..5 {
            let start = Instant::now();
            for _ in 0..part {
                loss = step(&mut model, name, &images, &labels)?;
            }
            fastest = fastest.min(start.elapsed().as_secs_f64() / part as f64);
        }
        Ok((fastest, loss))
    })?;
    println!("{:.1} {:.0} {loss:.6}", batch as f64 / fastest, peak());
    Ok(())
}

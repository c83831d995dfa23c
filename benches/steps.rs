//! Training steps of whole networks directly over the kernels: forward, backward and SGD on random
//! 32×32×3 images.
//!
//! usage: `steps NETWORK --batch B --steps N --threads T`; prints images per second over the fastest
//! of five equal parts of the run; the most memory of the process in MB; the loss; the most that was
//! in use at a time, in MB; and, of this, what any implementation needs ([`Needs`]).

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicUsize, Ordering};
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
static ALLOCATOR: Counting = Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The program's allocator, counting the bytes that are in use.
struct Counting;

// SAFETY: every call goes to mimalloc as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { mimalloc::MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        taken(layout.size());
        unsafe { mimalloc::MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { mimalloc::MiMalloc.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        taken(size);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { mimalloc::MiMalloc.realloc(memory, layout, size) }
    }
}

fn taken(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Ordering::Relaxed) + bytes;
    MOST.fetch_max(live, Ordering::Relaxed);
}

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
    needs: Needs,
}

/// A value and its place among the operations of [`Needs`].
#[derive(Clone)]
struct Node {
    value: Value,
    place: usize,
}

/// What a training step has to hold: the least memory that any order of backward passes can do with.
#[derive(Default)]
struct Needs {
    operations: Vec<Operation>,
}

/// Sizes are counted in numbers.
struct Operation {
    arguments: Vec<usize>,
    result: usize,
    /// Whether this or a later backward pass looks at the result.
    kept: bool,
    parameters: usize,
}

impl Needs {
    /// The most bytes held at a time: parameters, what backward passes still need, and gradients
    /// between the moment they are made and the moment they are used up.
    fn bytes(&self) -> usize {
        let parameters: usize = self.operations.iter().map(|operation| operation.parameters).sum();
        let kept = |operation: &&Operation| operation.kept;
        let mut held: usize = parameters
            + self.operations.iter().filter(kept).map(|operation| operation.result).sum::<usize>();
        let mut most = held;
        let mut has_gradient = vec![false; self.operations.len()];
        for operation in self.operations.iter().rev() {
            held += operation.parameters;
            for argument in &operation.arguments {
                let first = &self.operations[*argument];
                // Images want no gradient.
                if !std::mem::replace(&mut has_gradient[*argument], true)
                    && !first.arguments.is_empty()
                {
                    held += first.result;
                }
            }
            most = most.max(held);
            if !operation.arguments.is_empty() {
                held -= operation.result * (1 + usize::from(operation.kept));
            }
        }
        4 * most
    }
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

    /// The result of an operation that has asked for its parameters since `parameters` leaves.
    fn node(&mut self, value: Value, arguments: &[&Node], parameters: usize, kept: bool) -> Node {
        let count = |value: &Value| value.dims().iter().product();
        let parameters = self.leaves[parameters..].iter().map(count).sum();
        let arguments = arguments.iter().map(|node| node.place).collect();
        let result = count(&value);
        self.needs.operations.push(Operation { arguments, result, kept, parameters });
        Node { value, place: self.needs.operations.len() - 1 }
    }

    fn conv(
        &mut self,
        x: &Node,
        filters: usize,
        [kernel, stride, padding]: [usize; 3],
        bias: bool,
        activation: Option<Activation>,
    ) -> Result<Node> {
        let first = self.leaves.len();
        let window = Window { kernel, stride, padding: [padding; 2], dilation: 1 };
        let w = self.parameter(&[filters, x.value.dims()[1], kernel, kernel], None)?;
        let bias = if bias { Some(self.parameter(&[filters], Some(0.0))?) } else { None };
        let tape = &mut self.tape;
        let y = conv2d(tape, &x.value, &w, bias.as_ref(), [window; 2], 1, activation)?;
        Ok(self.node(y, &[x], first, true))
    }

    fn norm(&mut self, x: &Node, activation: Option<Activation>) -> Result<Node> {
        let first = self.leaves.len();
        let channels = x.value.dims()[1];
        let gamma = self.parameter(&[channels], Some(1.0))?;
        let beta = self.parameter(&[channels], Some(0.0))?;
        let tape = &mut self.tape;
        let batch = Statistics::Batch;
        let (y, _) = batch_norm(tape, &x.value, &gamma, &beta, 1e-5, batch, activation)?;
        Ok(self.node(y, &[x], first, activation.is_some()))
    }

    fn pool(&mut self, x: &Node) -> Result<Node> {
        let window = Window { kernel: 2, stride: 2, padding: [0; 2], dilation: 1 };
        let y = max_pool2d(&mut self.tape, &x.value, [window; 2], false)?;
        Ok(self.node(y, &[x], self.leaves.len(), true))
    }

    fn dense(&mut self, x: &Node, neurons: usize, function: Option<Activation>) -> Result<Node> {
        let first = self.leaves.len();
        let w = self.parameter(&[neurons, x.value.dims()[1]], None)?;
        let bias = self.parameter(&[neurons], Some(0.0))?;
        let y = dense(&mut self.tape, &x.value, &w, Some(&bias), function)?;
        Ok(self.node(y, &[x], first, true))
    }

    fn block(&mut self, x: &Node, filters: usize, stride: usize) -> Result<Node> {
        let y = self.conv(x, filters, [3, stride, 1], false, None)?;
        let y = self.norm(&y, RELU)?;
        let y = self.conv(&y, filters, [3, 1, 1], false, None)?;
        let y = self.norm(&y, None)?;
        let shortcut = if stride != 1 || x.value.dims()[1] != filters {
            let shortcut = self.conv(x, filters, [1, stride, 0], false, None)?;
            self.norm(&shortcut, None)?
        } else {
            x.clone()
        };
        let sum = add(&mut self.tape, &y.value, &shortcut.value)?;
        let result = activation(&mut self.tape, &sum, Activation::Relu)?;
        Ok(self.node(result, &[&y, &shortcut], self.leaves.len(), true))
    }

    fn network(&mut self, name: &str, mut x: Node) -> Result<Node> {
        match name {
            "plain" => {
                for filters in [6, 16] {
                    x = self.conv(&x, filters, [3, 1, 0], true, RELU)?;
                    x = self.pool(&x)?;
                }
                x.value = flatten(&mut self.tape, &x.value)?;
                x = self.dense(&x, 120, RELU)?;
                x = self.dense(&x, 84, RELU)?;
            }
            "demo" => {
                for filters in [32, 64, 128] {
                    x = self.conv(&x, filters, [3, 1, 1], true, RELU)?;
                    x = self.pool(&x)?;
                }
                x.value = flatten(&mut self.tape, &x.value)?;
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
                x.value = flatten(&mut self.tape, &x.value)?;
                x = self.dense(&x, 256, RELU)?;
            }
            "resnet18" => {
                x = self.conv(&x, 64, [3, 1, 1], false, None)?;
                x = self.norm(&x, RELU)?;
                for (filters, stride) in [(64, 1), (128, 2), (256, 2), (512, 2)] {
                    x = self.block(&x, filters, stride)?;
                    x = self.block(&x, filters, 1)?;
                }
                let y = adaptive_avg_pool2d(&mut self.tape, &x.value, [1, 1])?;
                x = self.node(y, &[&x], self.leaves.len(), true);
                x.value = flatten(&mut self.tape, &x.value)?;
            }
            other => candle_core::bail!("unknown network {other}"),
        }
        self.dense(&x, 10, None)
    }
}

/// One step: the loss, and the bytes it needs.
fn step(model: &mut Model, name: &str, images: &Tensor, labels: &[u32]) -> Result<(f64, usize)> {
    let needs = Needs::default();
    let mut pass = Pass { model, tape: Tape::recording(), leaves: Vec::new(), needs };
    let x = pass.tape.leaf(images, false);
    let x = pass.node(x, &[], 0, true);
    let logits = pass.network(name, x)?;
    let Pass { mut tape, leaves, needs, .. } = pass;
    let loss = cross_entropy(&mut tape, &logits.value, labels, 0.0, None)?;
    drop(logits);
    let mut gradients = tape.backward(&loss.mean)?;
    for (parameter, leaf) in model.parameters.iter().zip(&leaves) {
        let Some(mut gradient) = gradients.take(leaf) else { continue };
        let update = Update::Sgd { velocity: &mut Vec::new(), momentum: 0.0, nesterov: false };
        apply(update, parameter, &mut gradient, 0.01, 0.0)?;
    }
    Ok((loss.sum / loss.weight, needs.bytes()))
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
    let (fastest, loss, needs) = pool.install(|| -> Result<(f64, f64, usize)> {
        let (mut loss, mut needs) = (0.0, 0);
        for _ in 0..3 {
            (loss, needs) = step(&mut model, name, &images, &labels)?;
        }
        let part = (steps / 5).max(1);
        let mut fastest = f64::INFINITY;
        for _ in 0..5 {
            let start = Instant::now();
            for _ in 0..part {
                (loss, needs) = step(&mut model, name, &images, &labels)?;
            }
            fastest = fastest.min(start.elapsed().as_secs_f64() / part as f64);
        }
        Ok((fastest, loss, needs))
    })?;
    let held = MOST.load(Ordering::Relaxed) as f64 / 1048576.0;
    let needs = needs as f64 / 1048576.0;
    let speed = batch as f64 / fastest;
    println!("{speed:.1} {:.0} {loss:.6} {held:.1} {needs:.1}", peak());
    Ok(())
}

//! `wick bench-step`: how many images per second a network trains on, and the memory it takes; for
//! `benches/peers`, which runs PyTorch beside it, and `benches/scaling.py`, which runs it twice.

use candle_core::{Device, Tensor};

use crate::basis::memory;
use crate::basis::optimizer::{Optimizer as Kind, Sgd};
use crate::basis::seed::derive;
use crate::config::presets::text;
use crate::kernels::device as kernels;
use crate::kernels::loss::cross_entropy;
use crate::model::network::Network;
use crate::plan::memory::{step_bytes, training_bytes};
use crate::plan::network::network;
use crate::plan::segments::cuts;
use crate::sweep::clock::Stopwatch;
use crate::train::optimizer::Optimizer;
use crate::train::steps::Steps;

use super::arguments::BenchStep;
use super::error::{Error, Result};
use super::exit::Exit;
use super::output::{is_closed, print};
use super::trained::{model_of, wrong};

/// Classes of the random images.
const CLASSES: usize = 10;

const LR: f64 = 0.001;

/// The run is measured in so many parts, of which the fastest counts: what else runs on a machine
/// only ever makes it slower.
const PARTS: usize = 5;

/// Runs the command.
pub(super) fn bench_step(arguments: &BenchStep) -> Result {
    let BenchStep { batch, steps, threads, image_size: size, .. } = *arguments;
    let [batch, steps, threads, size] = [batch, steps, threads, size].map(usize::from);
    // A preset for large images has a variant for small ones.
    let small = format!("{}-32", arguments.network);
    let name = if size == 32 && text(&small).is_some() { &small } else { &arguments.network };
    let plan =
        network(&model_of(name, &arguments.sets)?, [3, size, size], CLASSES).map_err(wrong)?;
    let device = kernels::Device::open(arguments.device)
        .map_err(|error| Error::wrong(format!("--device: {error}")))?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let segments = if arguments.gradient_checkpointing { cuts(&plan) } else { Vec::new() };
    let fastest = pool.install(|| -> Result<f64> {
        let mut network = Network::new(&plan, 1)?.on(&device)?;
        if arguments.gradient_checkpointing {
            network.checkpoint_gradients(&plan);
        }
        let mut stream = derive(1, "bench", &[]);
        let count = batch * 3 * size * size;
        let pixels: Vec<f32> = (0..count).map(|_| stream.normal() as f32).collect();
        let images = Tensor::from_vec(pixels, (batch, 3, size, size), &Device::Cpu)?;
        let labels: Vec<u32> = (0..batch).map(|i| (i % CLASSES) as u32).collect();
        let sgd = Sgd { lr: LR, momentum: 0.0, nesterov: false, weight_decay: 0.0 };
        let mut optimizer = Optimizer::alone(Kind::Sgd(sgd), network.parameters().len());
        let mut step = |number: u64| -> Result<()> {
            let mut pass = network.forward(&images, !arguments.forward, number)?;
            if arguments.forward {
                return Ok(());
            }
            let loss = cross_entropy(&mut pass.tape, &pass.logits, &labels, 0.0, None)?;
            let gradients = network.backward(pass, &loss.mean)?;
            optimizer.step(network.parameters(), gradients, 1.0, &Steps::even(1))?;
            Ok(())
        };
        step(0)?;
        device.finish()?;
        if arguments.endless {
            for number in 1.. {
                step(number)?;
                device.finish()?;
                // Where nobody reads any more, it ends.
                print(&format!("{number}\n"));
                if is_closed() {
                    return Err(Exit::Done.into());
                }
            }
        }
        let part = steps.div_ceil(PARTS).max(1);
        let mut fastest: f64 = 0.0;
        for number in 0..PARTS {
            let stopwatch = Stopwatch::start();
            for offset in 0..part {
                step((1 + number * part + offset) as u64)?;
            }
            device.finish()?;
            fastest = fastest.max((part * batch) as f64 / stopwatch.seconds());
        }
        Ok(fastest)
    })?;
    let large = memory::large();
    let memory = peak_memory().map(|peak| format!(", {peak:.0} MB at the peak"));
    let least = training_bytes(&plan, batch, &segments) as f64 / 1e6;
    print(&format!("{fastest:.1} img/s{}\n", memory.unwrap_or_default()));
    let all = step_bytes(&plan, batch) as f64 / 1e6;
    print(&format!(
        "activations, weights and gradients of both: {all:.0} MB, of which a step needs {least:.0} MB at once\n"
    ));
    print(&format!(
        "its large blocks took {:.0} MB at the peak, on pages of {:.0} MB\n",
        large.peak as f64 / 1e6,
        large.touched as f64 / 1e6
    ));
    Ok(())
}

/// The most memory that this process has held, where the system tells.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().split(' ').next()?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

//! What trials will cost: seconds by estimate, for people and budgets. Nothing else depends on it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use candle_core::Tensor;

use crate::data;
use crate::kernels::device::Device;
use crate::model::network::Weights;
use crate::plan::Plan;
use crate::plan::data::DataPlan;
use crate::plan::memory::feature_bytes;
use crate::plan::model::{LayerPlan, ModelPlan};
use crate::plan::sweep::{Experiment, Trial};
use crate::train::learner::{Learner, Learnt};
use crate::train::steps::Steps;

use super::clock::Stopwatch;
use super::counts::Counts;
use super::store::Store;

/// What a trial costs, in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// One epoch.
    pub epoch: f64,
    /// All epochs that are still to be trained.
    pub to_go: f64,
}

/// Time for measuring, in seconds; what is not measured by then is told by its FLOPs.
const MEASURING: f64 = 0.3;

/// FLOPs that a measured step has about.
const STEP: u64 = 400_000_000;

/// FLOPs (multiplications with addition) that a thread does in a second, where nothing was measured.
const RATE: f64 = 20e9;

/// An evaluation step's part in a training step.
const EVALUATION: f64 = 1.0 / 3.0;

/// Networks that cost about the same: forward FLOPs, parameters that learn, images in a batch.
type Kind = (u64, u64, usize);

fn kind(plan: &Plan) -> Kind {
    (flops(plan), plan.model.trainable(), plan.train.batch_size)
}

/// What each trial of `experiment` costs with so many threads: by what epochs have taken in `store`,
/// else by a step that is measured now.
pub fn costs(
    experiment: &Experiment,
    store: &Store,
    images: &data::Cache,
    threads: usize,
) -> Vec<Cost> {
    let mut rates: BTreeMap<Kind, f64> = BTreeMap::new();
    let stopwatch = Stopwatch::start();
    let mut measured: Vec<(u64, f64)> = Vec::new();
    let mut known_counts: HashMap<*const DataPlan, Counts> = HashMap::new();
    let mut known_kinds: HashMap<(*const ModelPlan, usize), Kind> = HashMap::new();
    let glance = store.glance(experiment);
    let device = experiment.run.devices.first();
    let device = device.and_then(|device| Device::open(*device).ok()).unwrap_or(Device::cpu());
    experiment
        .trials
        .iter()
        .map(|trial| {
            let Plan { data, model, train, .. } = &trial.plan;
            let own = known_kinds.entry((Arc::as_ptr(model), train.batch_size));
            let kind = *own.or_insert_with(|| kind(&trial.plan));
            let flops = kind.0;
            let rate = *rates.entry(kind).or_insert_with(|| {
                let fits = 3 * flops <= STEP && stopwatch.seconds() < MEASURING;
                let rate = known(trial, store, threads)
                    .or_else(|| if fits { measure(&trial.plan, &device, threads) } else { None });
                match rate {
                    Some(rate) => {
                        measured.push((flops, rate));
                        rate
                    }
                    None => by_flops(flops, &measured, threads),
                }
            });
            let counts = known_counts.entry(Arc::as_ptr(data));
            let Counts { train, validation, .. } =
                *counts.or_insert_with(|| Counts::of(data, images));
            let epoch = (train as f64 + EVALUATION * validation as f64) / rate;
            let is_begun = glance.may_have(&trial.digest);
            let done = if is_begun { store.trial(trial).epochs().len() } else { 0 };
            let left = trial.plan.train.epochs.saturating_sub(done);
            Cost { epoch, to_go: left as f64 * epoch }
        })
        .collect()
}

/// Images per second of the epochs that the trial has trained with so many threads.
fn known(trial: &Trial, store: &Store, threads: usize) -> Option<f64> {
    let timings = store.trial(trial).timings();
    let mut rates: Vec<f64> = timings
        .iter()
        .filter(|timing| timing.epoch > 0 && timing.threads == threads)
        .map(|timing| timing.images_per_second)
        .collect();
    rates.sort_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied()
}

fn by_flops(flops: u64, measured: &[(u64, f64)], threads: usize) -> f64 {
    let nearest = measured.iter().min_by_key(|(other, _)| other.abs_diff(flops));
    match nearest {
        Some((other, rate)) => rate * (*other).max(1) as f64 / flops.max(1) as f64,
        None => RATE * threads as f64 / (3 * flops).max(1) as f64,
    }
}

/// Images per second of one training step on noise.
fn measure(plan: &Plan, device: &Device, threads: usize) -> Option<f64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().ok()?;
    let step = || -> candle_core::Result<f64> {
        let flops = 3 * flops(plan);
        let batch = (STEP / flops.max(1)).clamp(1, plan.train.batch_size as u64) as usize;
        let mut learner = Learner::new(plan, device, Weights::new(), None)?;
        let epoch = plan.train.epochs;
        learner.network.begin(&plan.model, epoch);
        let mut shape = vec![batch];
        let from = left_out(plan);
        let input =
            from.checked_sub(1).map_or(&plan.model.input, |last| &plan.model.layers[last].output);
        shape.extend_from_slice(input);
        let mut stream = crate::basis::seed::derive(plan.seed, "cost", &[]);
        let count = shape.iter().product();
        let pixels: Vec<f32> = (0..count).map(|_| stream.uniform() as f32).collect();
        let inputs = Tensor::from_vec(pixels, shape, &candle_core::Device::Cpu)?;
        let labels: Vec<u32> = (0..batch).map(|i| (i % plan.model.classes) as u32).collect();
        let mut seconds = 0.0;
        // The first step also makes buffers.
        for _ in 0..2 {
            let stopwatch = Stopwatch::start();
            let Learnt { gradients, .. } =
                learner.learn_from(from, &inputs, (&labels).into(), None)?;
            learner.step(gradients, 0.0, epoch, &Steps::even(0))?;
            device.finish()?;
            seconds = stopwatch.seconds();
        }
        Ok(batch as f64 / seconds)
    };
    pool.install(step).ok()
}

/// How many leading layers are left out of every step, because what they give is kept. Whoever asks
/// first passes the images through them once, which is in no trial's cost.
fn left_out(plan: &Plan) -> usize {
    match feature_bytes(plan, 1) {
        0 => 0,
        // Layers that begin to learn later are taken to learn from the start.
        _ => plan.model.frozen_prefix(plan.train.epochs),
    }
}

/// Multiplications with addition of the forward pass of a step, for one image.
fn flops(plan: &Plan) -> u64 {
    match left_out(plan) {
        0 => plan.model.flops(),
        from => plan.model.layers[from..].iter().map(LayerPlan::flops).sum(),
    }
}

/// Those of the trials `missing` that fit into `seconds` with so many at once: the cheapest first.
pub fn within(seconds: f64, workers: usize, missing: &[usize], costs: &[Cost]) -> Vec<usize> {
    let mut order = missing.to_vec();
    // Stable: of equal ones the first in the plan comes first.
    order.sort_by(|a, b| costs[*a].to_go.total_cmp(&costs[*b].to_go));
    let mut left = seconds * workers as f64;
    order.retain(|index| {
        left -= costs[*index].to_go;
        left >= 0.0
    });
    order
}

/// Seconds in words.
pub fn span(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..120 => format!("{whole} s"),
        120..7200 => format!("{} min", (seconds / 60.0).round()),
        _ => format!("{:.1} h", seconds / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_takes_the_cheapest_trials_and_no_more_than_fit() {
        let costs = [30.0, 10.0, 20.0, 10.0].map(|to_go| Cost { epoch: 1.0, to_go });
        assert_eq!(within(40.0, 1, &[0, 1, 2, 3], &costs), [1, 3, 2]);
        assert_eq!(within(20.0, 2, &[0, 1, 2, 3], &costs), [1, 3, 2]);
        assert_eq!(within(15.0, 1, &[0, 2, 3], &costs), [3]);
        assert!(within(5.0, 1, &[0, 1, 2, 3], &costs).is_empty());
    }
}

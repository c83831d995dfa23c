//! Training is right: the loss follows PyTorch's from the same weights on the same batches.
//! `goldens/training.py` and `recipes.py` made the numbers, in f64. Training makes rounding grow, so large networks
//! start anew every few steps.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Tensor;
use candlewick::config::layering::{Request, load};
use candlewick::data::{Cache, Labels};
use candlewick::kernels::device::Device;
use candlewick::kernels::loss::{Targets, cross_entropy};
use candlewick::model::network::{Network, Weights};
use candlewick::plan::Plan;
use candlewick::plan::distill::DistillPlan;
use candlewick::plan::prune::Nothing;
use candlewick::plan::sweep::expand;
use candlewick::sweep::survey::Files;
use candlewick::train::learner::Learner;
use candlewick::train::optimizer::Optimizer;
use candlewick::train::steps::Steps;

use super::bench::Bench;

const BATCH: usize = 16;
const STARTS: usize = 10;
const STEPS: usize = 5;

/// `count` numbers in [-1, 1) of SplitMix64 with state `key`, as in the script.
fn uniform(key: u64, count: usize) -> Vec<f32> {
    (1..=count as u64)
        .map(|index| {
            let mut z = key.wrapping_add(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(index));
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            (z >> 40) as f32 / 8_388_608.0 - 1.0
        })
        .collect()
}

fn plan(name: &str) -> Plan {
    plan_with(name, &[])
}

fn plan_with(name: &str, sets: &[&str]) -> Plan {
    let file = PathBuf::from("tests/goldens").join(name).with_extension("toml");
    let sets = sets.iter().map(|set| (*set).to_owned()).collect();
    let root = load(&Request { file, sets, ..Request::default() }).unwrap();
    let images = Cache::new(1);
    let survey = Files::new(&images, Path::new("results"));
    let mut experiment = expand(&root, &survey, &Nothing).unwrap();
    experiment.trials.remove(0).plan
}

fn start(network: &mut Network, number: usize) -> Weights {
    let mut weights = network.weights().unwrap();
    for (index, parameter) in network.parameters().iter().enumerate() {
        let dims = parameter.tensor.dims();
        let mut values =
            uniform((1000 * (1 + number) + index) as u64, parameter.tensor.elem_count());
        let fan_in: usize = dims[1..].iter().product();
        let scale = if dims.len() > 1 { 1.0 / (fan_in as f32).sqrt() } else { 0.1 };
        values.iter_mut().for_each(|value| *value *= scale);
        if parameter.name.ends_with("norm.weight") {
            values.fill(1.0);
        } else if parameter.name.ends_with("norm.bias") {
            values.fill(0.0);
        }
        weights.insert(parameter.name.clone(), (dims.to_vec(), values));
    }
    weights
}

fn batch(step: u64) -> (Tensor, Vec<u32>) {
    let mut images = uniform(5_000_000 + step, BATCH * 3 * 32 * 32);
    let labels: Vec<u32> = (0..BATCH as u32).map(|image| image * 7 % 10).collect();
    for (map, pixels) in images.chunks_mut(32 * 32).enumerate() {
        for line in pixels.chunks_mut(32).take(8) {
            line[..8].iter_mut().for_each(|pixel| *pixel += labels[map / 3] as f32 / 4.0);
        }
    }
    let cpu = candle_core::Device::Cpu;
    (Tensor::from_vec(images, (BATCH, 3, 32, 32), &cpu).unwrap(), labels)
}

fn golden(network: &str) -> Vec<f64> {
    csv::Reader::from_path(Path::new("tests/goldens/training.csv"))
        .unwrap()
        .deserialize::<(String, usize, f64)>()
        .map(Result::unwrap)
        .filter(|(name, _, _)| name == network)
        .map(|(_, _, loss)| loss)
        .collect()
}

fn follows_pytorch(name: &str) {
    // The kernels, and candle's operations as on every other device.
    for device in [Device::cpu(), Device::cpu_by_candle()] {
        follows_pytorch_on(&device, name);
    }
}

fn follows_pytorch_on(device: &Device, name: &str) {
    let plan = plan(name);
    let train = &plan.train;
    let golden = golden(name);
    assert_eq!(golden.len(), STARTS * (STEPS + 1));
    let mut network = Network::new(&plan.model, 1).unwrap().on(device).unwrap();
    let fresh = network.weights().unwrap();
    let mut optimizer = Optimizer::new(train, network.parameters());
    for (step, expected) in golden.iter().enumerate() {
        if step % (STEPS + 1) == 0 {
            network.load(&fresh).unwrap();
            let weights = start(&mut network, step / (STEPS + 1));
            network.load(&weights).unwrap();
            optimizer = Optimizer::new(train, network.parameters());
        }
        let is_last = step % (STEPS + 1) == STEPS;
        let (images, labels) = batch(step as u64);
        let mut forward = network.forward(&images, !is_last, step as u64).unwrap();
        let smoothing = if is_last { 0.0 } else { train.label_smoothing };
        let loss =
            cross_entropy(&mut forward.tape, &forward.logits, &labels, smoothing, None).unwrap();
        let found = loss.sum / loss.weight;
        let error = (found - expected).abs() / expected;
        assert!(error < 1e-5, "{name}, step {step}: {found}, PyTorch {expected}: {error:.1e}");
        if !is_last {
            let gradients = network.backward(forward, &loss.mean).unwrap();
            optimizer.step(network.parameters(), gradients, 1.0, &Steps::even(1)).unwrap();
        }
    }
}

/// Steps of each recipe.
const RECIPE_STEPS: u64 = 50;

/// Steps of an epoch, and batches for running statistics, where they matter.
const EPOCH: u64 = 10;
const FOR_STATISTICS: u64 = 6;

/// Each recipe of recipes.py, as it is set in recipe.toml.
const RECIPES: [(&str, &[&str]); 12] = [
    ("ema", &["train.average={ ema = 0.9 }"]),
    ("swa", &["train.average={ swa = { from-epoch = 3 } }"]),
    ("sam", &["train.sam=0.1"]),
    ("look-ahead", &["train.look-ahead={ steps = 5, rate = 0.5 }"]),
    ("lion", &["train.optimizer={ lion = { lr = 1e-3, weight-decay = 0.01 } }"]),
    ("lamb", &["train.optimizer={ lamb = { lr = 1e-2 } }"]),
    ("nadam", &["train.optimizer={ nadam = { lr = 2e-3 } }"]),
    ("muon", &["train.optimizer={ muon = { lr = 0.02, adamw = { lr = 3e-3 } } }"]),
    ("bce", &["train.loss=\"bce\""]),
    ("focal", &["train.loss={ focal = 2 }"]),
    (
        "groups",
        &[
            "train.decay-on=\"weights\"",
            "train.parameters=[{ names = \"conv1.weight\", lr-factor = 0.1, weight-decay = 0.1 }, \
             { names = \"*.bias\", lr-factor = 2 }]",
        ],
    ),
    ("distill", &[]),
];

#[test]
fn every_recipe_follows_pytorch_through_fifty_steps_and_in_what_it_keeps() {
    let golden = |recipe: &str| -> Vec<f64> {
        csv::Reader::from_path(Path::new("tests/goldens/recipes.csv"))
            .unwrap()
            .deserialize::<(String, usize, f64)>()
            .map(Result::unwrap)
            .filter(|(name, _, _)| name == recipe)
            .map(|(_, _, loss)| loss)
            .collect()
    };
    for device in [Device::cpu(), Device::cpu_by_candle()] {
        for (recipe, sets) in RECIPES {
            let golden = golden(recipe);
            assert_eq!(golden.len() as u64, RECIPE_STEPS + 1, "{recipe}");
            let mut plan = plan_with("recipe", sets);
            let is_taught = recipe == "distill";
            if is_taught {
                let (file, hash, bytes) = (PathBuf::new(), String::new(), 0);
                let distill = DistillPlan { file, hash, temperature: 3.0, weight: 0.7, bytes };
                Arc::make_mut(&mut plan.train).distill = Some(distill);
            }
            let weights = start(&mut Network::new(&plan.model, 1).unwrap(), 0);
            let mut learner = Learner::new(&plan, &device, weights, None).unwrap();
            for step in 0..RECIPE_STEPS {
                let (images, labels) = batch(step);
                let mut teacher = uniform(9_000_000 + step, BATCH * 10);
                teacher.iter_mut().for_each(|logit| *logit *= 3.0);
                let teacher = is_taught.then_some(&teacher[..]);
                let learnt = learner.learn_from(0, &images, (&labels).into(), teacher).unwrap();
                close(recipe, step, learnt.sum / learnt.weight, golden[step as usize]);
                learner.step(learnt.gradients, 1.0, 1, &Steps::even(RECIPE_STEPS)).unwrap();
                let epoch = (step + 1) / EPOCH;
                if (step + 1).is_multiple_of(EPOCH) {
                    let Learner { averaged, network, .. } = &mut learner;
                    averaged.after_epoch(network, epoch as usize).unwrap();
                }
            }
            learner.averaged.exchange(&mut learner.network).unwrap();
            if recipe == "swa" {
                for number in 0..FOR_STATISTICS {
                    let (images, _) = batch(number);
                    learner.network.estimate_statistics(0, &images, number + 1).unwrap();
                }
            }
            let (images, labels) = batch(RECIPE_STEPS);
            let mut forward = learner.network.forward(&images, false, 0).unwrap();
            let loss = cross_entropy(&mut forward.tape, &forward.logits, &labels, 0.0, None);
            let loss = loss.unwrap();
            close(recipe, RECIPE_STEPS, loss.sum / loss.weight, golden[RECIPE_STEPS as usize]);
        }
    }
}

#[test]
fn several_labels_follow_pytorch_through_fifty_steps() {
    let golden: Vec<f64> = csv::Reader::from_path("tests/goldens/multi_label_steps.csv")
        .unwrap()
        .deserialize::<(u64, f64)>()
        .map(|row| row.unwrap().1)
        .collect();
    assert_eq!(golden.len() as u64, RECIPE_STEPS);
    let plan = plan_with("recipe", &["train.loss=\"bce\"", "train.label-smoothing=0.1"]);
    let positive = (0..10).map(|class| 1.0 + 0.25 * f64::from(class)).collect();
    for device in [Device::cpu(), Device::cpu_by_candle()] {
        let weights = start(&mut Network::new(&plan.model, 1).unwrap(), 0);
        let weighted = Some(Vec::clone(&positive));
        let mut learner = Learner::new(&plan, &device, weights, weighted).unwrap();
        for (step, expected) in (0..).zip(&golden) {
            let (images, labels) = batch(step);
            // As in the script: class 9 has no label, and the even ones have two.
            let several = labels.iter().map(|label| {
                let second = (label % 2 == 0).then_some((3 * label + 1) % 10);
                let mut own: Vec<u32> = (*label != 9).then_some(*label).into_iter().collect();
                own.extend(second);
                own
            });
            let targets = Labels::Several(several.collect()).multi_hot(10);
            let targets = Targets::MultiHot(&targets);
            let learnt = learner.learn_from(0, &images, targets, None).unwrap();
            close("several labels", step, learnt.sum / learnt.weight, *expected);
            learner.step(learnt.gradients, 1.0, 1, &Steps::even(RECIPE_STEPS)).unwrap();
        }
    }
}

fn close(recipe: &str, step: u64, found: f64, expected: f64) {
    let error = (found - expected).abs() / expected;
    assert!(error < 1e-4, "{recipe}, step {step}: {found}, PyTorch {expected}: {error:.1e}");
}

#[test]
fn the_plain_cnn_follows_pytorch_through_steps_of_adam() {
    follows_pytorch("plain");
}

#[test]
fn a_network_with_batch_norm_follows_pytorch_through_steps_of_sgd_and_in_evaluation() {
    follows_pytorch("normed");
}

#[test]
fn filters_that_whiten_stay_what_the_training_images_have_made_of_them() {
    let experiment = |name: &str, epochs: usize, seed: usize| {
        format!(
            "name = \"{name}\"\nseed = {seed}\n[data]\nsource = \"digits\"\nsubset = {{ per-class = 8 }}\n\
             image = {{ size = [8, 8], channels = 1 }}\n\
             [model]\nlayers = [{{ whiten = 2, name = \"first\" }}, \"flatten\", {{ dense = \"classes\" }}]\n\
             [train]\nepochs = {epochs}\n"
        )
    };
    let bench = Bench::new("");
    let weights = |name: &str, epochs: usize, seed: usize| {
        bench.write("experiment.toml", &experiment(name, epochs, seed));
        bench.done(&["run", "experiment.toml", "--threads", "1"]);
        let trials = bench.path().join("results").join(name).join("trials");
        let mut inside = std::fs::read_dir(trials).unwrap().map(|entry| entry.unwrap().path());
        let trial = inside.find(|path| path.is_dir()).unwrap();
        let file = trial.join("best.safetensors");
        let all = candle_core::safetensors::load(file, &candle_core::Device::Cpu).unwrap();
        ["first.weight", "first.bias"]
            .map(|name| all[name].flatten_all().unwrap().to_vec1::<f32>().unwrap())
    };
    let [short, long, other] =
        [weights("short", 1, 1), weights("long", 3, 1), weights("other", 1, 2)];
    assert_eq!(short[0].len(), 8 * 4);
    assert_eq!(short[0], long[0], "filters do not learn");
    assert_ne!(short[1], long[1], "biases do");
    assert_ne!(short[0], other[0], "other images have other filters");
}

//! What every device but the processor computes, by candle's operations, on the processor: training
//! follows that of the kernels, and a trial goes on from a checkpoint of either. Which instructions the
//! processor has, and which of them are used.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use candlewick::basis::instructions::{self, Set, VARIABLE};
use candlewick::config::layering::{Request, load};
use candlewick::data::{self, Cache, Epochs};
use candlewick::kernels::device::Device;
use candlewick::model::network::Weights;
use candlewick::plan::Plan;
use candlewick::plan::prune::Nothing;
use candlewick::plan::sweep::expand;
use candlewick::sweep::clock;
use candlewick::sweep::survey::Files;
use candlewick::train::checkpoint::Checkpoint;
use candlewick::train::trainer::{Event, Observer, Trainer, TrialData};
use candlewick::transfer::features::Features;

use super::bench::{Bench, bare};

/// A bit of everything: convolutions that are dense, in groups, depthwise, strided and dilated; pools of
/// all kinds; norms; masks of elements, channels and images; a residual, an Inception, a squeeze and
/// excitation; an auxiliary head.
const EVERYTHING: &str = r#"
name = "everything"
seed = 5

[data]
source = "digits"
image = { size = [12, 12], channels = 1 }
validation = 0.2
batch-size = 24

[model]
defaults = { norm = "batch" }
layers = [
  { conv = 8, kernel = 3, padding = "same" },
  { max-pool = 3, stride = 2, padding = 1 },
  { residual = [
    { conv = 8, kernel = 3, padding = 1, groups = 2, dropout = { channels = 0.1 } },
    { conv = "channels", kernel = 3, padding = 1, groups = "channels" },
    { squeeze-excite = 4 },
  ], stochastic-depth = 0.2 },
  { branches = [
    [{ conv = 6, kernel = 1, dropout = 0.1 }],
    [{ conv = 4, kernel = 3, padding = 2, dilation = 2, norm = "none", activation = "gelu" }],
    [{ avg-pool = 3, stride = 1, padding = 1 }],
  ] },
  { auxiliary = [{ adaptive-avg-pool = 1 }, "flatten", { dense = "classes" }], loss-weight = 0.3 },
  { conv = 12, kernel = 3, stride = 2, padding = "same", activation = { leaky-relu = 0.1 } },
  { adaptive-avg-pool = 2 },
  "flatten",
  { dense = 20, dropout = 0.25 },
  { dense = "classes" },
]

[train]
epochs = 1
label-smoothing = 0.1
"#;

fn plan(train: &str) -> Plan {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("experiment.toml");
    std::fs::write(&file, format!("{EVERYTHING}{train}\n")).unwrap();
    let root = load(&Request { file, ..Request::default() }).unwrap();
    let images = Cache::new(1);
    let survey = Files::new(&images, Path::new("results"));
    expand(&root, &survey, &Nothing).unwrap().trials.remove(0).plan
}

/// Remembers losses and checkpoints, and stops after some batches.
#[derive(Default)]
struct Heard {
    losses: Vec<f64>,
    validation: Vec<f64>,
    /// By how many steps were taken.
    checkpoints: BTreeMap<u64, Checkpoint>,
    stop_after: Option<usize>,
}

impl Observer for Heard {
    fn notice(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Batch { loss, .. } => self.losses.push(*loss),
            Event::Epoch { record, .. } => {
                self.validation.extend(record.validation.map(|scores| scores.loss));
            }
            Event::Checkpoint(checkpoint) => {
                self.checkpoints.insert(self.losses.len() as u64, (*checkpoint).clone());
            }
        }
        Ok(())
    }

    fn interrupts(&self) -> bool {
        self.stop_after.is_some_and(|batches| self.losses.len() >= batches)
    }

    fn wants_checkpoint(&self, _: u64) -> bool {
        self.stop_after.is_none()
    }
}

fn trainer<'a>(plan: &'a Plan, device: &Device) -> Trainer<'a> {
    let images = Cache::new(1);
    let dataset = images.get(&plan.data).unwrap();
    let split = data::split(&dataset, &plan.data, plan.seed).unwrap();
    let normalisation =
        data::normalisation(&dataset, &split.train, &plan.data.normalise, plan.seed).unwrap();
    let data = TrialData { dataset, split: Arc::new(split), normalisation };
    let epochs = Arc::new(Epochs::new(0, [plan], clock::seconds)).of(plan);
    let features = Arc::new(Features::new(None, 0));
    Trainer::new(plan, device, data, epochs, features, Weights::new(), None).unwrap()
}

/// The rest of a trial of which `before` has taken some steps, or so many batches of it.
fn trained(
    plan: &Plan,
    device: &Device,
    before: Option<&Checkpoint>,
    batches: Option<usize>,
) -> Heard {
    let mut trainer = trainer(plan, device);
    if let Some(before) = before {
        trainer.resume(Vec::new(), before, None).unwrap();
    }
    let mut heard = Heard { stop_after: batches, ..Heard::default() };
    trainer.run(&mut heard).unwrap();
    heard
}

fn agree(what: &str, found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs() / expected;
        assert!(error < 1e-5, "{what}, {index}: {found}, by the kernels {expected}: {error:.1e}");
    }
}

/// Two steps at a time, from the state that the kernels are in: the first loss tells of the forward pass, the
/// second one of gradients, update and state. Training makes any difference grow, so nothing is compared that
/// is further from a common state; and a loss is continuous, so that a ReLU that decides the other way where
/// it is fed a 0, up to rounding, is a rounding error as well.
fn follows_the_kernels(train: &str) {
    let plan = plan(train);
    let kernels = trained(&plan, &Device::cpu(), None, None);
    let steps = kernels.losses.len();
    assert!(steps >= 40, "{steps} steps");
    for start in (0..steps - 2).step_by(2) {
        let before = kernels.checkpoints.get(&(start as u64));
        assert_eq!(before.is_some(), start > 0);
        let candle = trained(&plan, &Device::cpu_by_candle(), before, Some(2));
        agree(&format!("from step {start}"), &candle.losses, &kernels.losses[start..start + 2]);
    }
    // The end, with what validation makes of running averages.
    let before = &kernels.checkpoints[&(steps as u64 - 2)];
    let candle = trained(&plan, &Device::cpu_by_candle(), Some(before), None);
    agree("at the end", &candle.losses, &kernels.losses[steps - 2..]);
    agree("validation", &candle.validation, &kernels.validation);
    assert!(kernels.losses.last() < kernels.losses.first(), "nothing was learnt");
}

#[test]
fn training_by_candle_follows_the_kernels_with_momentum() {
    follows_the_kernels(
        "optimizer = { sgd = { lr = 0.02, momentum = 0.9, weight-decay = 1e-3 } }\n\
         clip = { norm = 2.0 }",
    );
}

#[test]
fn training_by_candle_follows_the_kernels_with_adam() {
    follows_the_kernels("optimizer = { adam = { lr = 1e-3 } }\naccumulate = 1");
}

#[test]
fn a_trial_goes_on_from_its_checkpoint_on_a_device_and_from_that_of_another() {
    let plan = plan("optimizer = { adam = { lr = 1e-3 } }");
    let whole = trained(&plan, &Device::cpu_by_candle(), None, None);
    let before = &whole.checkpoints[&20];
    let again = trained(&plan, &Device::cpu_by_candle(), Some(before), None);
    assert_eq!(again.losses, whole.losses[20..]);
    let kernels = trained(&plan, &Device::cpu(), Some(before), None);
    assert_eq!(kernels.losses.len(), whole.losses.len() - 20);
    agree("from a checkpoint of candle's", &whole.losses[20..22], &kernels.losses[..2]);
}

#[test]
fn a_trial_of_any_recipe_goes_on_from_the_middle_of_an_epoch_as_if_nothing_had_been() {
    for recipe in [
        "average = { ema = { decay = 0.9, warmup = true } }",
        "average = { swa = { from-epoch = 1 } }",
        "look-ahead = { steps = 3 }\naverage = { ema = 0.9 }",
        "progressive-resizing = [{ until = 1, size = [8, 6] }]",
        "sam = 0.05\nloss = { focal = 2 }",
        "optimizer = { lion = { lr = 1e-3 } }\nloss = \"bce\"",
        "optimizer = { lamb = { lr = 1e-2 } }",
        "optimizer = { muon = { lr = 0.02, adamw = { lr = 1e-3 } } }",
        "optimizer = { nadam = { lr = 1e-3 } }\ndecay-on = \"weights\"",
        "optimizer = { adagrad = { lr = 1e-2, lr-decay = 0.1 } }",
        "optimizer = { adadelta = { lr = 1 } }",
    ] {
        let plan = plan(recipe);
        // Candle computes the same whatever the instruction set is, and takes its time.
        let is_portable = instructions::used().set() == Set::Portable;
        let devices = [Some(Device::cpu()), (!is_portable).then(Device::cpu_by_candle)];
        for device in devices.into_iter().flatten() {
            let whole = trained(&plan, &device, None, None);
            let middle = whole.losses.len() * 3 / 4;
            let before = &whole.checkpoints[&(middle as u64)];
            let again = trained(&plan, &device, Some(before), None);
            assert_eq!(again.losses, whole.losses[middle..], "{recipe}");
            assert_eq!(again.validation, whole.validation, "{recipe}");
        }
    }
}

#[test]
fn an_instruction_set_that_this_processor_does_not_have_is_refused_before_anything_is_done() {
    let bench = Bench::new("nothing = here");
    let missing = if cfg!(target_arch = "aarch64") { "avx2" } else { "neon" };
    for word in ["sse9", missing] {
        let mut command = bare(env!("CARGO_BIN_EXE_wick"));
        command.current_dir(bench.path()).env(VARIABLE, word).args(["check", "experiment.toml"]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.starts_with(&format!("error: {VARIABLE} is {word:?}, ")), "{errors}");
    }
}

#[test]
fn the_instruction_set_that_the_environment_names_is_used_and_recorded() {
    let bench = Bench::new(
        "name = \"small\"\ndata = { source = \"digits\" }\ntrain = { epochs = 1 }\n\
         model = { layers = [\"flatten\", { dense = \"classes\" }] }",
    );
    let mut command = bare(env!("CARGO_BIN_EXE_wick"));
    command.current_dir(bench.path()).env(VARIABLE, "portable").args(["run", "experiment.toml"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let environment = bench.path().join("results/small/environment.toml");
    let environment = std::fs::read_to_string(environment).unwrap();
    assert!(environment.contains("instruction-set = \"Portable\""), "{environment}");
}

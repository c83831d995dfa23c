//! What every device but the processor computes, by candle's operations, on the processor: training
//! follows that of the kernels, and a trial goes on from a checkpoint of either.

use std::path::Path;
use std::sync::Arc;

use candlewick::basis::instructions::VARIABLE;
use candlewick::config::layering::{Request, load};
use candlewick::data::{self, Cache, Epochs};
use candlewick::kernels::device::Device;
use candlewick::model::network::Weights;
use candlewick::plan::prune::Nothing;
use candlewick::plan::resolve::Plan;
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

/// Remembers losses, the last checkpoint of the epoch that has ended, and stops after some batches.
#[derive(Default)]
struct Heard {
    losses: Vec<f64>,
    validation: Vec<f64>,
    last: Option<Checkpoint>,
    stop_after: Option<usize>,
    checkpoint_after: Option<u64>,
}

impl Observer for Heard {
    fn notice(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Batch { loss, .. } => self.losses.push(*loss),
            Event::Epoch { record, last, .. } => {
                self.validation.extend(record.validation.map(|scores| scores.loss));
                self.last = Some((*last).clone());
            }
            Event::Checkpoint(checkpoint) => self.last = Some((*checkpoint).clone()),
        }
        Ok(())
    }

    fn interrupts(&self) -> bool {
        self.stop_after.is_some_and(|batches| self.losses.len() >= batches)
    }

    fn wants_checkpoint(&self, steps: u64) -> bool {
        self.checkpoint_after == Some(steps)
    }
}

fn trainer<'a>(plan: &'a Plan, device: &Device) -> Trainer<'a> {
    let images = Cache::new(1);
    let dataset = images.get(&plan.data).unwrap();
    let split = data::split(&dataset, &plan.data, plan.seed).unwrap();
    let normalisation = data::normalisation(&dataset, &split.train, &plan.data.normalise);
    let data = TrialData { dataset, split: Arc::new(split), normalisation };
    let epochs = Arc::new(Epochs::new(0, [plan], clock::seconds)).of(plan);
    let features = Arc::new(Features::new(None, 0));
    Trainer::new(plan, device, data, epochs, features, Weights::new()).unwrap()
}

fn trained(plan: &Plan, device: &Device) -> Heard {
    let mut heard = Heard::default();
    trainer(plan, device).run(&mut heard).unwrap();
    heard
}

fn follows_the_kernels(train: &str) {
    let plan = plan(train);
    let (kernels, candle) =
        (trained(&plan, &Device::cpu()), trained(&plan, &Device::cpu_by_candle()));
    assert!(kernels.losses.len() >= 40, "{} steps", kernels.losses.len());
    // Training makes any difference grow, so what follows closely for 40 steps may stray a little later.
    let pairs = |of: fn(&Heard) -> &[f64]| of(&kernels).iter().zip(of(&candle)).enumerate();
    let steps = pairs(|heard| &heard.losses).map(|(step, both)| (step, both, 1e-4)).take(40);
    let validation = pairs(|heard| &heard.validation).map(|(epoch, both)| (epoch, both, 1e-2));
    for (index, (expected, found), bound) in steps.chain(validation) {
        let error = (found - expected).abs() / expected;
        assert!(error < bound, "{index}: {found}, by the kernels {expected}: {error:.1e}");
    }
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
    let whole = trained(&plan, &Device::cpu_by_candle());
    let mut stopped =
        Heard { stop_after: Some(25), checkpoint_after: Some(20), ..Heard::default() };
    trainer(&plan, &Device::cpu_by_candle()).run(&mut stopped).unwrap();
    let checkpoint = stopped.last.unwrap();
    for device in [Device::cpu_by_candle(), Device::cpu()] {
        let mut again = trainer(&plan, &device);
        again.resume(Vec::new(), &checkpoint, None).unwrap();
        let mut heard = Heard::default();
        again.run(&mut heard).unwrap();
        assert_eq!(heard.losses.len(), whole.losses.len() - 20);
        for (expected, found) in whole.losses[20..].iter().zip(&heard.losses) {
            assert!((found - expected).abs() / expected < 1e-4, "{found}, at once {expected}");
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
    assert!(environment.contains("instruction_set = \"Portable\""), "{environment}");
}

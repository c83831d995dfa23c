//! The recipe of one trial.

use serde::de::{Deserializer, Error};
use serde::{Deserialize, Serialize};

use crate::basis::fault::{Fault, Faults};
use crate::basis::loss::LossFunction;
use crate::basis::optimizer::Optimizer;
use crate::basis::record::Metric;
use crate::config::train::average::Average;
use crate::config::train::batch_sizes::{self, BatchStage};
use crate::config::train::look_ahead::LookAhead;
use crate::config::train::parameters::{DecayOn, ParameterRule};
use crate::config::train::progressive::{self, ResizingStage};
use crate::config::train::schedule::Schedule;
use crate::config::train::{ClassWeights, Clip, EarlyStop, Train};
use crate::document::{KeyPath, Problem};

use super::data::Task;
use super::distill::DistillPlan;
use super::model::{LayerPlan, ModelPlan};
use super::task;

/// Everything about training that is not data or model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TrainPlan {
    /// Passes over the training images; 0: the network is evaluated as it starts.
    pub epochs: usize,
    /// Images in one batch.
    pub batch_size: usize,
    /// Whether a smaller last batch of an epoch is left out, unless it is the only one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub drop_last: bool,
    /// Batches whose gradients are averaged into one step.
    pub accumulate: usize,
    /// The optimiser.
    #[serde(deserialize_with = "with_underscores")]
    pub optimizer: Optimizer,
    /// The factor on its learning rate.
    pub schedule: Schedule,
    /// Epochs over which the factor rises linearly from 0.
    pub warmup: f64,
    /// When to stop before the last epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stop: Option<EarlyStop>,
    /// The metric that chooses the best epoch.
    pub best: Metric,
    /// What is minimised.
    #[serde(default, skip_serializing_if = "LossFunction::is_cross_entropy")]
    pub loss: LossFunction,
    /// Part of the target that is spread over all classes, 0 ≤ s < 1.
    pub label_smoothing: f64,
    /// Weight of each class in the loss.
    pub class_weights: ClassWeights,
    /// Limit on gradients.
    pub clip: Clip,
    /// What the optimiser's weight decay works on.
    #[serde(default, skip_serializing_if = "DecayOn::is_all")]
    pub decay_on: DecayOn,
    /// Settings of parameters, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<ParameterRule>,
    /// How far uphill the gradient is taken; 0: where the weights are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sam: f64,
    /// Weights that follow those of the optimiser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look_ahead: Option<LookAhead>,
    /// Other batches in the first epochs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub batch_sizes: Vec<BatchStage>,
    /// Smaller images in the first epochs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progressive_resizing: Vec<ResizingStage>,
    /// A trained network to learn from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distill: Option<DistillPlan>,
    /// Which mean of the weights is evaluated and kept.
    #[serde(default, skip_serializing_if = "Average::is_none")]
    pub average: Average,
    /// The k of top-k accuracy, at most the number of classes.
    pub top_k: usize,
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// Reads an optimiser whose keys have underscores, as a plan writes them, and not hyphens, as a file.
fn with_underscores<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Optimizer, D::Error> {
    let value = hyphenated(toml::Table::deserialize(deserializer)?);
    Optimizer::deserialize(value).map_err(D::Error::custom)
}

/// The same with hyphens in all keys.
fn hyphenated(table: toml::Table) -> toml::Table {
    let hyphenated = |(key, value): (String, toml::Value)| {
        let value = match value {
            toml::Value::Table(table) => toml::Value::Table(hyphenated(table)),
            other => other,
        };
        (key.replace('_', "-"), value)
    };
    table.into_iter().map(hyphenated).collect()
}

/// What `[data]` says of batches.
#[derive(Clone, Copy, Debug)]
pub struct Batches {
    /// Images in one.
    pub batch_size: usize,
    /// Whether a smaller last one is left out.
    pub drop_last: bool,
}

impl TrainPlan {
    /// How many batches of `size` images an epoch of so many images has.
    pub fn batches(&self, images: usize, size: usize) -> usize {
        match self.drop_last {
            true => (images / size).max(1),
            false => images.div_ceil(size),
        }
    }

    /// Images in a batch of epoch `epoch`, counted from 1.
    pub fn batch_size_in(&self, epoch: usize) -> usize {
        let stage = self.batch_sizes.iter().find(|stage| epoch <= stage.until);
        stage.map_or(self.batch_size, |stage| stage.size)
    }

    /// Images in the largest batch.
    pub fn largest_batch(&self) -> usize {
        let sizes = self.batch_sizes.iter().map(|stage| stage.size);
        sizes.fold(self.batch_size, usize::max)
    }

    /// The recipe that `train` describes, or what is wrong with it. `has_validation` says whether
    /// metrics of a validation set exist, `task` how many labels an image has.
    pub fn new(
        train: &Train,
        Batches { batch_size, drop_last }: Batches,
        classes: usize,
        has_validation: bool,
        task: Task,
    ) -> Result<TrainPlan, Vec<Problem>> {
        let (schedule, warmup) = train.schedule.and_warmup();
        let plan = TrainPlan {
            epochs: train.epochs,
            batch_size,
            drop_last,
            accumulate: train.accumulate,
            optimizer: train.optimizer,
            schedule,
            warmup,
            early_stop: train.early_stop,
            best: train.best,
            loss: task::loss(train.loss, task),
            label_smoothing: train.label_smoothing,
            class_weights: train.class_weights.clone(),
            clip: train.clip,
            decay_on: train.decay_on,
            parameters: train.parameters.clone(),
            sam: train.sam,
            look_ahead: train.look_ahead,
            batch_sizes: train.batch_sizes.clone(),
            progressive_resizing: train.progressive_resizing.clone(),
            // Known where its file is looked at.
            distill: None,
            average: train.average,
            top_k: train.top_k,
        };
        let mut faults = Faults::default();
        plan.check(classes, has_validation, &mut faults);
        if faults.0.is_empty() {
            return Ok(TrainPlan { top_k: plan.top_k.min(classes), ..plan });
        }
        Err(faults.0.into_iter().map(Problem::from).collect())
    }

    /// What of the recipe has nothing to work on in the network `model`.
    pub fn idle(&self, model: &ModelPlan) -> Vec<Problem> {
        let learns = |layer: &&LayerPlan| layer.learns(usize::MAX);
        let plans = model.layers.iter().filter(learns).flat_map(LayerPlan::parameter_plans);
        let names: Vec<String> = plans.map(|plan| plan.name).collect();
        let at = KeyPath::root().key("train");
        let mut problems = Vec::new();
        for (index, rule) in self.parameters.iter().enumerate() {
            let fits: Vec<&String> = names.iter().filter(|name| rule.fits(name)).collect();
            let is_taken = |name: &&String| self.parameters[..index].iter().any(|it| it.fits(name));
            let message = if fits.is_empty() {
                format!("no trainable parameter matches {}", rule.names)
            } else if fits.iter().all(is_taken) {
                format!("earlier rules match all parameters {}", rule.names)
            } else {
                continue;
            };
            let mut some = names.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
            if names.len() > 3 {
                some.push_str(", …");
            }
            let at = at.key("parameters").index(index).key("names");
            let help = format!("trainable parameters are {some}; * matches any text");
            problems.push(Problem::value(at, message).label("does nothing").help(help));
        }
        if let Optimizer::Muon(_) = self.optimizer
            && !names.iter().any(|name| model.hidden_matrices().contains(name))
        {
            let message = "Muon needs trainable matrices between the first and the last layer";
            let at = at.key("optimizer").key("muon");
            let help = "use adamw, or add layers";
            problems.push(Problem::value(at, message).label("no such matrix").help(help));
        }
        problems
    }

    fn check(&self, classes: usize, has_validation: bool, faults: &mut Faults) {
        let at = |key: &str| format!("train.{key}");
        let batch_at = "data.batch-size".to_owned();
        faults.that(self.batch_size >= 1, batch_at, "a batch needs at least one image", "0 images");
        let message = "a step needs at least one batch";
        faults.that(self.accumulate >= 1, at("accumulate"), message, "0 batches");
        let message = "top-k must be at least 1";
        faults.that(self.top_k >= 1, at("top-k"), message, "0 classes");
        faults.within(self.label_smoothing, 0.0, 1.0, at("label-smoothing"));
        let (name, numbers) = self.optimizer.named();
        numbers.check(&at(&format!("optimizer.{name}")), faults);
        self.schedule.check(&at("schedule"), faults);
        let TrainPlan { epochs, schedule, warmup, early_stop, .. } = self;
        let message = "a warm-up must not be negative";
        faults.that(*warmup >= 0.0, at("schedule"), message, "negative");
        if schedule.depends_on_epochs() && *epochs > 0 {
            let message = format!("a warm-up of {warmup} epochs is too long for {epochs} epochs");
            faults.that(*warmup < *epochs as f64, at("schedule"), &message, "too long");
        }
        if let Some(stop) = early_stop {
            stop.check(&at("early-stop"), faults);
        }
        let metrics = [
            ("best", Some(self.best)),
            ("early-stop", early_stop.map(|stop| stop.metric)),
            ("schedule", schedule.metric()),
        ];
        for (key, metric) in metrics {
            let needs = metric.filter(|metric| metric.needs_validation() && !has_validation);
            if let Some(metric) = needs {
                let name = metric.name();
                faults.0.push(Fault {
                    at: at(key),
                    message: format!("{name} needs a validation set, and there is none"),
                    label: "cannot be measured",
                    help: Some("set data.validation = 0.1, or use train_loss or train_accuracy"),
                });
            }
        }
        self.loss.check(&at("loss"), faults);
        for (index, rule) in self.parameters.iter().enumerate() {
            rule.check(&format!("{}[{index}]", at("parameters")), faults);
        }
        faults.not_negative(self.sam, at("sam"));
        batch_sizes::check(&self.batch_sizes, &at("batch-sizes"), faults);
        let stages = &self.progressive_resizing;
        progressive::check(stages, &at("progressive-resizing"), faults);
        if let Some(look_ahead) = &self.look_ahead {
            look_ahead.check(&at("look-ahead"), faults);
        }
        self.average.check(&at("average"), faults);
        self.class_weights.check(classes, &at("class-weights"), faults);
        self.clip.check(&at("clip"), faults);
    }
}

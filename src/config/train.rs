//! `[train]`: the recipe.
//!
//! ```toml
//! [train]
//! epochs = 10
//! optimizer = { sgd = { lr = 0.1, momentum = 0.9, weight-decay = 5e-4 } }
//! schedule = { cosine = { warmup = 1 } }
//! early-stop = { metric = "val_loss", patience = 3 }
//! ```

pub mod average;
pub mod batch_sizes;
pub mod distill;
pub mod look_ahead;
pub mod parameters;
pub mod progressive;
pub mod schedule;

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::basis::fault::Faults;
use crate::basis::loss::LossFunction;
use crate::basis::optimizer::Optimizer;
use crate::basis::record::Metric;
use crate::basis::written::written;

/// The table `[train]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Train {
    /// Passes over the training images; with 0, a network with `model.weights` is evaluated as it is.
    pub epochs: usize,
    /// The optimiser with its numbers.
    pub optimizer: Optimizer,
    /// How the learning rate moves.
    pub schedule: schedule::Written,
    /// When to stop before the last epoch.
    #[serde(deserialize_with = "EarlyStop::read")]
    #[schemars(with = "EarlyStopOrNone")]
    pub early_stop: Option<EarlyStop>,
    /// The metric that chooses the best epoch.
    pub best: Metric,
    /// The loss that is minimised.
    pub loss: LossFunction,
    /// Part of the target that is spread over all classes, in the loss that is minimised.
    #[schemars(range(min = 0, max = 1))]
    pub label_smoothing: f64,
    /// Weight of each class in the loss that is minimised.
    #[serde(deserialize_with = "ClassWeights::read")]
    pub class_weights: ClassWeights,
    /// Limit on gradients.
    pub clip: Clip,
    /// Batches whose gradients are averaged into one step.
    #[schemars(range(min = 1))]
    pub accumulate: usize,
    /// Where the optimiser's weight decay applies.
    pub decay_on: parameters::DecayOn,
    /// Learning rates and weight decays of their own for parameters, by name.
    pub parameters: Vec<parameters::ParameterRule>,
    /// Sharpness-aware minimisation (Foret et al., 2021): the gradient is that at a point so far uphill; 0: where the
    /// weights are.
    #[schemars(range(min = 0))]
    pub sam: f64,
    /// Weights that follow those of the optimiser.
    #[serde(deserialize_with = "look_ahead::LookAhead::read")]
    #[schemars(with = "look_ahead::LookAheadOrNone")]
    pub look_ahead: Option<look_ahead::LookAhead>,
    /// Other batches in the first epochs than `data.batch-size` says.
    pub batch_sizes: Vec<batch_sizes::BatchStage>,
    /// Smaller images in the first epochs.
    pub progressive_resizing: Vec<progressive::ResizingStage>,
    // Read by [`distill::Distill`].
    /// A trained network as teacher.
    #[schemars(with = "distill::DistillOrNone")]
    pub distill: IgnoredAny,
    /// Which mean of the weights is evaluated and kept.
    pub average: average::Average,
    /// The k of top-k accuracy.
    #[schemars(range(min = 1))]
    pub top_k: usize,
}

/// Stop when a metric has not improved for `patience` epochs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EarlyStop {
    /// `val_loss` if not given.
    #[serde(default = "val_loss")]
    pub metric: Metric,
    /// Epochs without improvement.
    pub patience: usize,
    /// The least change that counts; 0 if not given.
    #[serde(default)]
    pub min_delta: f64,
}

fn val_loss() -> Metric {
    Metric::ValLoss
}

/// How [`EarlyStop::read`] reads it.
struct EarlyStopOrNone;

written!(EarlyStopOrNone, "EarlyStopOrNone", |types| {
    "anyOf": [{ "const": "none" }, types.subschema_for::<EarlyStop>()],
});

impl EarlyStop {
    /// Reads a table, or `"none"`.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Option<EarlyStop>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"none\" or a table")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                match name {
                    "none" => Ok(None),
                    other => Err(E::unknown_variant(other, &["none"])),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                EarlyStop::deserialize(MapAccessDeserializer::new(map)).map(Some)
            }
        }
        deserializer.deserialize_any(Reader)
    }

    /// Says what is wrong with the rule, which stands at `at` in the file.
    pub fn check(&self, at: &str, faults: &mut Faults) {
        let message = "patience must be at least one epoch";
        faults.that(self.patience >= 1, format!("{at}.patience"), message, "0");
        let (sound, message) = (self.min_delta >= 0.0, "min-delta must not be negative");
        faults.that(sound, format!("{at}.min-delta"), message, "negative");
    }
}

/// Weight of each class in the loss.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClassWeights {
    /// All the same.
    None,
    /// Images / (classes · images of the class), over the training images.
    Balanced,
    /// One number per class.
    By(Vec<f64>),
}

written!(ClassWeights, "ClassWeights", {
    "anyOf": [
        { "const": "none" },
        { "const": "balanced", "description": "Images / (classes · images of the class)." },
        { "type": "array", "items": { "type": "number" }, "description": "One number per class." },
    ],
});

impl ClassWeights {
    /// Reads `"none"`, `"balanced"` or the numbers alone.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = ClassWeights;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"none\", \"balanced\" or one number per class")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<ClassWeights, E> {
                match name {
                    "none" => Ok(ClassWeights::None),
                    "balanced" => Ok(ClassWeights::Balanced),
                    other => Err(E::unknown_variant(other, &["none", "balanced"])),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<ClassWeights, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(ClassWeights::By)
            }
        }
        deserializer.deserialize_any(Reader)
    }

    /// Says what is wrong with the weights of so many `classes`, which stand at `at` in the file.
    pub fn check(&self, classes: usize, at: &str, faults: &mut Faults) {
        let ClassWeights::By(weights) = self else { return };
        let message = format!("{} weights for {classes} classes", weights.len());
        faults.that(weights.len() == classes, at.to_owned(), &message, "one number per class");
        let sound = weights.iter().all(|weight| *weight > 0.0);
        let message = "the weight of a class is positive";
        faults.that(sound, at.to_owned(), message, "some are not");
    }
}

/// Limit on gradients before each step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Clip {
    /// No limit.
    None,
    /// Scale all gradients so that their common 2-norm is at most this.
    Norm(f64),
    /// Cut each element to ± this.
    Value(f64),
}

impl Clip {
    /// Says what is wrong with the limit, which stands at `at` in the file.
    pub fn check(&self, at: &str, faults: &mut Faults) {
        let (key, limit) = match *self {
            Clip::None => return,
            Clip::Norm(limit) => ("norm", limit),
            Clip::Value(limit) => ("value", limit),
        };
        faults.that(limit > 0.0, format!("{at}.{key}"), "a limit is positive", "not positive");
    }
}

//! `[train]`: the recipe.
//!
//! ```toml
//! [train]
//! epochs = 10
//! optimizer = { sgd = { lr = 0.1, momentum = 0.9, weight-decay = 5e-4 } }
//! schedule = { cosine = { warmup = 1 } }
//! early-stop = { metric = "val_loss", patience = 3 }
//! ```

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::basis::record::Metric;
use crate::basis::written::written;

/// The table `[train]`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Train {
    /// Passes over the training images.
    #[schemars(range(min = 1))]
    pub epochs: usize,
    /// The optimiser with its numbers.
    pub optimizer: Optimizer,
    /// How the learning rate moves.
    pub schedule: Schedule,
    /// When to stop before the last epoch.
    pub early_stop: OrNone<EarlyStop>,
    /// The metric that chooses the best epoch.
    pub best: Metric,
    /// Part of the target that is spread over all classes.
    #[schemars(range(min = 0, max = 1))]
    pub label_smoothing: f64,
    /// Weight of each class in the loss.
    pub class_weights: ClassWeights,
    /// Limit on gradients.
    pub clip: Clip,
    /// Batches whose gradients are averaged into one step.
    #[schemars(range(min = 1))]
    pub accumulate: usize,
    /// The k of top-k accuracy.
    #[schemars(range(min = 1))]
    pub top_k: usize,
}

/// A setting that can be switched off with `"none"`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OrNone<T> {
    /// `"none"`.
    None,
    /// A table with its numbers.
    Some(T),
}

written!(OrNone<EarlyStop>, "EarlyStopOrNone", |types| {
    "anyOf": [{ "const": "none" }, types.subschema_for::<EarlyStop>()],
});

impl<'de, T: Deserialize<'de>> Deserialize<'de> for OrNone<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
            type Value = OrNone<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"none\" or a table")
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<OrNone<T>, E> {
                match name {
                    "none" => Ok(OrNone::None),
                    other => Err(E::unknown_variant(other, &["none"])),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OrNone<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(OrNone::Some)
            }
        }
        deserializer.deserialize_any(Reader(std::marker::PhantomData))
    }
}

/// Optimisers, with PyTorch's names and defaults.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam (Kingma and Ba, 2015), weight decay as an L2 term.
    Adam(Adam),
    /// AdamW (Loshchilov and Hutter, 2019), decoupled weight decay.
    #[serde(rename = "adamw")]
    AdamW(Adam),
    /// RMSprop (Hinton, 2012).
    Rmsprop(Rmsprop),
}

/// Stochastic gradient descent with momentum.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sgd {
    /// Learning rate.
    pub lr: f64,
    /// 0 if not given.
    #[serde(default)]
    pub momentum: f64,
    /// Look ahead along the momentum; false if not given.
    #[serde(default)]
    pub nesterov: bool,
    /// 0 if not given.
    #[serde(default)]
    pub weight_decay: f64,
}

/// Adam's and AdamW's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Adam {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the two moments; [0.9, 0.999] if not given.
    #[serde(default = "betas")]
    pub betas: [f64; 2],
    /// 1e-8 if not given.
    #[serde(default = "eps")]
    pub eps: f64,
    /// 0 for Adam and 0.01 for AdamW if not given.
    pub weight_decay: Option<f64>,
}

/// RMSprop's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Rmsprop {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the squared gradient; 0.99 if not given.
    #[serde(default = "alpha")]
    pub alpha: f64,
    /// 1e-8 if not given.
    #[serde(default = "eps")]
    pub eps: f64,
    /// 0 if not given.
    #[serde(default)]
    pub momentum: f64,
    /// 0 if not given.
    #[serde(default)]
    pub weight_decay: f64,
}

fn betas() -> [f64; 2] {
    [0.9, 0.999]
}

fn eps() -> f64 {
    1e-8
}

fn alpha() -> f64 {
    0.99
}

/// How the learning rate moves: a factor on the optimiser's `lr`. `warmup` is a number of epochs
/// over which the factor rises linearly from 0.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Stays at 1.
    Constant(Option<Constant>),
    /// Times `factor` after each `every` epochs.
    Step(Step),
    /// Times `factor` after each epoch.
    Exponential(Exponential),
    /// Half a cosine from 1 down to `floor` over all steps (Loshchilov and Hutter, 2017).
    Cosine(Option<Cosine>),
    /// Up to 1 and far down again over all steps (Smith and Topin, 2019).
    OneCycle(Option<OneCycle>),
    /// Times `factor` when a metric has not improved for `patience` epochs.
    Plateau(Plateau),
}

/// A constant rate.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Constant {
    /// Epochs of linear rise.
    #[serde(default)]
    pub warmup: f64,
}

/// Stairs.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Step {
    /// Epochs on each stair.
    pub every: usize,
    /// From one stair to the next; 0.1 if not given.
    #[serde(default = "tenth")]
    pub factor: f64,
    /// Epochs of linear rise.
    #[serde(default)]
    pub warmup: f64,
}

/// Exponential decay.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Exponential {
    /// From one epoch to the next.
    pub factor: f64,
    /// Epochs of linear rise.
    #[serde(default)]
    pub warmup: f64,
}

/// Cosine decay.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Cosine {
    /// Epochs of linear rise.
    #[serde(default)]
    pub warmup: f64,
    /// The factor at the end; 0 if not given.
    #[serde(default)]
    pub floor: f64,
}

/// One cycle, cosine up and cosine down, as PyTorch's `OneCycleLR` without the momentum cycle.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OneCycle {
    /// Part of all steps that rises; 0.3 if not given.
    #[serde(default = "rise")]
    pub rise: f64,
    /// 1 / factor at the start; 25 if not given.
    #[serde(default = "start_divisor")]
    pub start_divisor: f64,
    /// Start over end; 10,000 if not given.
    #[serde(default = "end_divisor")]
    pub end_divisor: f64,
}

/// Reduce on plateau.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plateau {
    /// The metric that has to improve.
    #[serde(default = "val_loss")]
    pub metric: Metric,
    /// Epochs without improvement before the rate falls.
    pub patience: usize,
    /// 0.1 if not given.
    #[serde(default = "tenth")]
    pub factor: f64,
    /// Epochs of linear rise.
    #[serde(default)]
    pub warmup: f64,
}

fn tenth() -> f64 {
    0.1
}

fn rise() -> f64 {
    0.3
}

fn start_divisor() -> f64 {
    25.0
}

fn end_divisor() -> f64 {
    10_000.0
}

fn val_loss() -> Metric {
    Metric::ValLoss
}

/// Stop when a metric has not improved for `patience` epochs.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
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

/// Weight of each class in the loss.
#[derive(Clone, Debug, PartialEq)]
pub enum ClassWeights {
    /// `"none"`.
    None,
    /// `"balanced"`: images / (classes · images of the class), over the training images.
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

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
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
}

/// Limit on gradients before each step.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Clip {
    /// No limit.
    None,
    /// Scale all gradients so that their common 2-norm is at most this.
    Norm(f64),
    /// Cut each element to ± this.
    Value(f64),
}

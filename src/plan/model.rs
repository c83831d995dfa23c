//! The network of one trial: every layer with its name, shapes, parameters and cost.
//!
//! Shapes leave the batch axis out: `[channels, height, width]` or `[features]`.

mod check;
mod layer;
mod maps;
mod receptive_field;

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use self::layer::*;
pub use self::receptive_field::ReceptiveField;

/// The network, first layer first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ModelPlan {
    /// `[channels, height, width]` of an image.
    pub input: Vec<usize>,
    /// Number of classes, the length of the output.
    pub classes: usize,
    /// The layers in order: each stands behind those that it takes its input from. The last one
    /// gives the logits.
    pub layers: Vec<LayerPlan>,
    /// Heads that give logits of their own to the loss.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auxiliary: Vec<AuxiliaryPlan>,
    /// A file of weights to start from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<WeightsPlan>,
    /// What holds for a network whose lower part is that of another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferPlan>,
}

/// Transfer, beyond what each layer says in its [`Tuning`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TransferPlan {
    /// Strength α of L2-SP (Li et al., 2018): α/2 · ‖w − w₀‖² is added to the loss, over all weights
    /// that started as pretrained.
    pub l2_sp: f64,
    /// So many augmented variants of each image go round while leading layers are frozen; 0: each
    /// epoch has its own.
    pub feature_variants: usize,
    /// Whether the last layer starts as the linear head that fits the training images best.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fits_head: bool,
}

/// A file of weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WeightsPlan {
    /// Where it is; no part of a plan's identity.
    pub file: PathBuf,
    /// blake3 of the file.
    pub hash: String,
    /// Pairs of names: in the file, and the parameter; a `*` stands for any part.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rename: Vec<[String; 2]>,
    /// Whether every parameter has to be there and every tensor used.
    pub strict: bool,
    /// Of several sets of tensors in the file, the key of the one that is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_dict: Option<String>,
    /// The keys of the other sets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_state_dicts: Vec<String>,
    /// Parameters for which it has nothing that fits: they start as the layer's `init` says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<String>,
    /// Filters of gray images that are the sums of its filters over red, green and blue.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub summed: Vec<String>,
}

impl WeightsPlan {
    /// Nothing is known of the file yet.
    pub fn new(file: PathBuf, rename: Vec<[String; 2]>, strict: bool) -> WeightsPlan {
        WeightsPlan {
            file,
            hash: String::new(),
            rename,
            strict,
            state_dict: None,
            other_state_dicts: Vec::new(),
            absent: Vec::new(),
            summed: Vec::new(),
        }
    }
}

/// A head that takes part in training only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AuxiliaryPlan {
    /// Number of the layer that gives its logits, counted from 1.
    pub logits: usize,
    /// Weight of its loss.
    pub loss_weight: f64,
}

impl ModelPlan {
    /// Numbers of all parameters, those of filters that are fixed too.
    pub fn parameters(&self) -> u64 {
        self.layers.iter().map(LayerPlan::parameters).sum()
    }

    /// Multiplications with addition for one image, forward, as at test time: without auxiliary
    /// heads.
    pub fn flops(&self) -> u64 {
        let needed = self.needed(false);
        let layers = self.layers.iter().zip(needed);
        layers.filter(|(_, needed)| *needed).map(|(layer, _)| layer.flops()).sum()
    }

    /// The network as evaluation sees it: without auxiliary heads and their layers.
    pub fn without_auxiliary(&self) -> ModelPlan {
        let needed = self.needed(false);
        // The new number of each layer that stays; 0 is the image.
        let mut numbers = vec![0; self.layers.len() + 1];
        let mut layers: Vec<LayerPlan> = Vec::new();
        for (index, layer) in self.layers.iter().enumerate().filter(|(index, _)| needed[*index]) {
            let mut from: Vec<usize> =
                self.sources(index).into_iter().map(|source| numbers[source]).collect();
            if from == [layers.len()] {
                from.clear();
            }
            layers.push(LayerPlan { from, ..layer.clone() });
            numbers[index + 1] = layers.len();
        }
        ModelPlan { layers, auxiliary: Vec::new(), ..self.clone() }
    }

    /// Names of hidden matrices and filters: those of neither the first layer with such, nor of one that gives logits.
    pub fn hidden_matrices(&self) -> BTreeSet<String> {
        let matrices = |layer: &LayerPlan| -> Vec<String> {
            let plans = layer.parameter_plans().into_iter();
            plans.filter(|plan| plan.shape.len() > 1).map(|plan| plan.name).collect()
        };
        let of_layers: Vec<Vec<String>> = self.layers.iter().map(matrices).collect();
        let has_some = |index: &usize| !of_layers[*index].is_empty();
        let heads = self.auxiliary.iter().map(|head| head.logits);
        let last_before = |logits: usize| (0..logits).rev().find(has_some);
        let ends = heads.chain([self.layers.len()]).filter_map(last_before);
        let outer: BTreeSet<usize> = ends.chain((0..of_layers.len()).find(has_some)).collect();
        let hidden = of_layers.into_iter().enumerate().filter(|(index, _)| !outer.contains(index));
        hidden.flat_map(|(_, names)| names).collect()
    }

    /// Name and shape of everything that weights hold: parameters and running statistics.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        self.layers
            .iter()
            .flat_map(|layer| {
                let parameters = layer.parameter_plans().into_iter().map(|p| (p.name, p.shape));
                parameters.chain(layer.buffers())
            })
            .collect()
    }

    /// Name and shape of everything that a file of weights has to give: all of a network that starts
    /// from a file, or of a transfer what starts as pretrained.
    pub fn pretrained_tensors(&self) -> Vec<(String, Vec<usize>)> {
        if self.transfer.is_none() {
            return self.tensors();
        }
        let pretrained = |layer: &&LayerPlan| layer.tuning.is_some_and(|tuning| tuning.pretrained);
        let layers = self.layers.iter().filter(pretrained).cloned().collect();
        ModelPlan { layers, ..self.clone() }.tensors()
    }

    /// Whether layer `index` starts with pretrained weights, and with nothing else.
    pub fn starts_pretrained(&self, index: usize) -> bool {
        let layer = &self.layers[index];
        layer.tuning.is_some_and(|tuning| tuning.pretrained) && !self.lacks_weights(layer)
    }

    /// Whether the file of weights has nothing that fits for some of what `layer` holds.
    pub fn lacks_weights(&self, layer: &LayerPlan) -> bool {
        let absent = self.weights.as_ref().map_or(&[][..], |weights| &weights.absent);
        let parameters = layer.parameter_plans().into_iter().map(|parameter| parameter.name);
        let mut names = parameters.chain(layer.buffers().into_iter().map(|(name, _)| name));
        !absent.is_empty() && names.any(|name| absent.contains(&name))
    }

    /// How many leading layers do not learn in `epoch`, counted from 1, with nothing behind them
    /// that looks at anything but the last one's result. What they give for an image is then the
    /// same all the time.
    pub fn frozen_prefix(&self, epoch: usize) -> usize {
        let learns = |layer: &LayerPlan| layer.learns(epoch) && layer.parameters() > 0;
        let first = self.layers.iter().position(learns).unwrap_or(self.layers.len());
        // Behind the last frozen layer with weights nothing is gained; dropout there is the head's.
        let frozen = self.layers[..first].iter().rposition(|layer| layer.parameters() > 0);
        let Some(last) = frozen else { return 0 };
        let pooled = self.layers[last + 1..first].iter().take_while(|layer| layer.is_fixed());
        (1..=last + 1 + pooled.count()).rev().find(|place| self.is_neck(*place)).unwrap_or(0)
    }

    /// Whether all layers behind number `place`, counted from 1, see what stands before them through
    /// its result alone.
    pub fn is_neck(&self, place: usize) -> bool {
        (place..self.layers.len())
            .all(|index| self.sources(index).into_iter().all(|source| source >= place))
            && self.auxiliary.iter().all(|head| head.logits > place)
    }

    /// Numbers that learn at one time or another.
    pub fn trainable(&self) -> u64 {
        let learns = |layer: &&LayerPlan| layer.learns(usize::MAX);
        self.layers.iter().filter(learns).map(LayerPlan::trainable).sum()
    }

    /// Where the inputs of layer `index` come from: 0 is the image, else the number of a layer,
    /// counted from 1.
    pub fn sources(&self, index: usize) -> Vec<usize> {
        let from = &self.layers[index].from;
        if from.is_empty() { vec![index] } else { from.clone() }
    }

    /// Which layers a pass needs: those that the logits depend on and, in training, those of
    /// auxiliary heads.
    pub fn needed(&self, training: bool) -> Vec<bool> {
        let mut needed = vec![false; self.layers.len() + 1];
        needed[self.layers.len()] = true;
        if training {
            self.auxiliary.iter().for_each(|head| needed[head.logits] = true);
        }
        for index in (0..self.layers.len()).rev() {
            if needed[index + 1] {
                self.sources(index).into_iter().for_each(|source| needed[source] = true);
            }
        }
        needed.split_off(1)
    }
}

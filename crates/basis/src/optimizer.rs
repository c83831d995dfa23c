//! Optimisers: the numbers of each, as they are written in a file, checked, planned and run with.
//! `kernels::update` has the step of each.

mod adadelta;
mod adagrad;
mod adam;
mod adamw;
mod lamb;
mod lion;
mod muon;
mod nadam;
mod rmsprop;
mod sgd;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fault::Faults;

pub use adadelta::Adadelta;
pub use adagrad::Adagrad;
pub use adam::Adam;
pub use adamw::AdamW;
pub use lamb::Lamb;
pub use lion::Lion;
pub use muon::{AdjustLr, Muon};
pub use nadam::NAdam;
pub use rmsprop::Rmsprop;
pub use sgd::Sgd;

/// Optimisers, with PyTorch's names and defaults.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam (Kingma and Ba, 2015), weight decay as an L2 term.
    Adam(Adam),
    /// AdamW (Loshchilov and Hutter, 2019), decoupled weight decay.
    #[serde(rename = "adamw")]
    #[schemars(with = "Adam")]
    AdamW(AdamW),
    /// RMSprop (Hinton, 2012).
    Rmsprop(Rmsprop),
    /// Lion (Chen et al., 2023): steps of one size, by the sign of the momentum.
    Lion(Lion),
    /// LAMB (You et al., 2020): Adam's direction, as long as the parameter itself.
    Lamb(Lamb),
    /// Muon (Jordan et al., 2024) for hidden matrices and filters, AdamW for all else.
    Muon(Muon),
    /// NAdam (Dozat, 2016), weight decay as an L2 term.
    #[serde(rename = "nadam")]
    NAdam(NAdam),
    /// Adagrad (Duchi et al., 2011).
    Adagrad(Adagrad),
    /// Adadelta (Zeiler, 2012).
    Adadelta(Adadelta),
}

/// The numbers of one optimiser. A file writes their names with hyphens, a plan with underscores.
pub trait Numbers {
    /// The learning rate before the schedule.
    fn lr(&self) -> f64;

    /// What weights shrink by.
    fn weight_decay(&mut self) -> &mut f64;

    /// How many numbers a step remembers of each number of a parameter.
    fn state_rows(&self) -> u64;

    /// Says what is wrong with the numbers, which stand at `at` in the file.
    fn check(&self, at: &str, faults: &mut Faults);
}

impl Optimizer {
    /// Its name in a file, and its numbers.
    pub fn named(&self) -> (&'static str, &dyn Numbers) {
        match self {
            Optimizer::Sgd(sgd) => ("sgd", sgd),
            Optimizer::Adam(adam) => ("adam", adam),
            Optimizer::AdamW(adamw) => ("adamw", adamw),
            Optimizer::Rmsprop(rmsprop) => ("rmsprop", rmsprop),
            Optimizer::Lion(lion) => ("lion", lion),
            Optimizer::Lamb(lamb) => ("lamb", lamb),
            Optimizer::Muon(muon) => ("muon", muon),
            Optimizer::NAdam(nadam) => ("nadam", nadam),
            Optimizer::Adagrad(adagrad) => ("adagrad", adagrad),
            Optimizer::Adadelta(adadelta) => ("adadelta", adadelta),
        }
    }

    fn numbers_mut(&mut self) -> &mut dyn Numbers {
        match self {
            Optimizer::Sgd(sgd) => sgd,
            Optimizer::Adam(adam) => adam,
            Optimizer::AdamW(adamw) => adamw,
            Optimizer::Rmsprop(rmsprop) => rmsprop,
            Optimizer::Lion(lion) => lion,
            Optimizer::Lamb(lamb) => lamb,
            Optimizer::Muon(muon) => muon,
            Optimizer::NAdam(nadam) => nadam,
            Optimizer::Adagrad(adagrad) => adagrad,
            Optimizer::Adadelta(adadelta) => adadelta,
        }
    }

    /// The optimiser of a parameter: Muon leaves to AdamW what is no hidden matrix.
    pub fn of(&self, is_hidden_matrix: bool) -> Optimizer {
        match self {
            Optimizer::Muon(muon) if !is_hidden_matrix => Optimizer::AdamW(muon.adamw),
            other => *other,
        }
    }

    /// The same with another weight decay.
    pub fn with_weight_decay(mut self, weight_decay: f64) -> Optimizer {
        *self.numbers_mut().weight_decay() = weight_decay;
        self
    }

    /// Its numbers.
    pub fn numbers(&self) -> &dyn Numbers {
        self.named().1
    }
}

//! Optimisers: the numbers of each, as they are written in a file, checked, planned and run with.
//! `kernels::update` has the step of each.

mod adam;
mod adamw;
mod rmsprop;
mod sgd;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fault::Faults;

pub use adam::Adam;
pub use adamw::AdamW;
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
}

/// The numbers of one optimiser. A file writes their names with hyphens, a plan with underscores.
pub trait Numbers {
    /// The learning rate before the schedule.
    fn lr(&self) -> f64;

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
        }
    }

    /// Its numbers.
    pub fn numbers(&self) -> &dyn Numbers {
        self.named().1
    }
}

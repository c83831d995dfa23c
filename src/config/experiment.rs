//! The whole file: which tables there are.

use schemars::JsonSchema;

use super::augment::Augment;
use super::data::Data;
use super::launcher::Launcher;
use super::model::Model;
use super::run::Run;
use super::sweep::Sweep;
use super::train::Train;
use super::transfer::Transfer;

/// An experiment as it is written. Its tables are merged from layers and read one by one, so this
/// only says what there is.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Experiment {
    /// Names the folder of the results, `results/<name>/`.
    pub name: String,
    /// What the experiment is about, in your words.
    pub description: String,
    /// All randomness comes from it.
    pub seed: u64,
    /// Which images, how they are split and what size they have.
    pub data: Data,
    /// How images are changed before the network gets them.
    pub augment: Augment,
    /// The network.
    pub model: Model,
    /// How a pretrained network is reused.
    pub transfer: Transfer,
    /// The recipe.
    pub train: Train,
    /// Which settings are varied.
    pub sweep: Sweep,
    /// How trials are run; changes no number.
    pub run: Run,
    /// Where trials are run when one machine is not enough; changes no number.
    pub launcher: Launcher,
}

//! What is known of the files that an experiment names, without running anything.

use std::path::{Path, PathBuf};

use crate::config::data::Data;
use crate::config::weights::Which;
use crate::document::{KeyPath, Problem};

use super::Plan;
use super::data::{DataFacts, DataPlan, Fold, data_plan};
use super::distill::TeacherFacts;
use super::model::{ModelPlan, WeightsPlan};
use super::transfer::Case;

/// What a file of weights gives a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeightsFacts {
    /// blake3 of the file.
    pub hash: String,
    /// Of several sets of tensors in it, the key of the one that was taken, and those of the others.
    pub state_dict: Option<(String, Vec<String>)>,
    /// Parameters for which it has nothing that fits.
    pub absent: Vec<String>,
    /// Filters that are the sums of its filters over red, green and blue.
    pub summed: Vec<String>,
}

/// Tells what is known of the files that an experiment names, without running anything.
pub trait Survey: Sync {
    /// What is known of a data set without decoding images, or why nothing is.
    fn data(&self, plan: &DataPlan) -> Result<DataFacts, String>;

    /// What a file of weights gives the network, or why it gives nothing.
    fn weights(&self, plan: &WeightsPlan, network: &ModelPlan) -> Result<WeightsFacts, String>;

    /// The checkpoint of the best epoch of a trial of an earlier experiment, or why there is none.
    fn earlier(&self, experiment: &str, trial: Which) -> Result<PathBuf, String>;

    /// What is known of a checkpoint that shall teach, or why it cannot.
    fn teacher(&self, file: &Path) -> Result<TeacherFacts, String>;

    /// The case of the data of a plan to advise on, measured, and the layer to cut behind; or why
    /// it cannot be measured. A set of `border` images is large.
    fn advise(&self, plan: &Plan, border: usize) -> Result<(Case, String), String>;
}

/// What is known of the source of `[data]`.
pub(super) fn facts(
    data: &Data,
    fold: Option<Fold>,
    survey: &dyn Survey,
) -> Result<DataFacts, Problem> {
    let plan = data_plan(data, fold, &|path| path.path.clone());
    survey.data(&plan).map_err(|message| {
        let at = KeyPath::root().key("data").key("source");
        Problem::value(at, message).label("this source")
    })
}

//! What is known of the files that an experiment names, without running anything.

use std::path::{Path, PathBuf};

use crate::basis::record::{EpochRecord, Metric};
use crate::config::data::Data;
use crate::config::weights::Which;
use crate::document::{KeyPath, Node, Problem};

use super::data::{DataFacts, DataPlan, Fold, data_plan};
use super::distill::TeacherFacts;
use super::model::{ModelPlan, WeightsPlan};
use super::strategy::Strategy;

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

/// A trial of an earlier sweep.
#[derive(Clone, Debug)]
pub struct Tried {
    /// The paths that were swept and the values as tables have them; empty where one was left out.
    pub settings: Vec<(String, String)>,
    /// The metric that chose its best epoch.
    pub metric: Metric,
    /// Its epochs; none if it failed.
    pub records: Vec<EpochRecord>,
}

/// Tells what is known of the files that an experiment names, without running anything.
pub trait Survey: Sync {
    /// What is known of a data set without decoding images, or why nothing is.
    fn data(&self, plan: &DataPlan) -> Result<DataFacts, String>;

    /// What a file of weights gives the network, or why it gives nothing.
    fn weights(&self, plan: &WeightsPlan, network: &ModelPlan) -> Result<WeightsFacts, String>;

    /// The checkpoint of the best epoch of a trial of an earlier experiment, or why there is none.
    fn earlier(&self, experiment: &str, trial: Which) -> Result<PathBuf, String>;

    /// The trials of an earlier sweep, all of which have ended, in plan order; or why there are none.
    fn tried(&self, experiment: &str) -> Result<Vec<Tried>, String>;

    /// What is known of a checkpoint that shall teach, or why it cannot.
    fn teacher(&self, file: &Path) -> Result<TeacherFacts, String>;

    /// What to do with the pretrained network of the experiment `root`, measured and tried on the training
    /// images of `fold`; or what is wrong. `root` is the same for all seeds, folds and recipes of a sweep.
    fn advise(&self, root: &Node, fold: Option<Fold>) -> Result<Strategy, Vec<Problem>>;
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

//! What is known of an experiment's files before anything runs.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::basis::regular;
use crate::config::weights::Which;
use crate::data::Cache;
use crate::document::{KeyPath, Node, Problem, Problems};
use crate::model::bundled_weights::{self, Hashed};
use crate::model::weights::matched;
use crate::plan::data::{DataFacts, DataPlan, Fold};
use crate::plan::distill::TeacherFacts;
use crate::plan::memory::inference_bytes;
use crate::plan::model::{ModelPlan, WeightsPlan};
use crate::plan::run::RunPlan;
use crate::plan::strategy::Strategy;
use crate::plan::survey::{Survey, Tried, WeightsFacts};
use crate::plan::sweep::{Experiment, expand};
use crate::train::card::Card;
use crate::train::checkpoint::{Checkpoint, identity};
use crate::transfer::extractor::IMAGES;
use crate::transfer::features::Features;
use crate::weights::{Entry, hub};

use super::advice::{self, Answer, Asked, BUDGET, Textbook};
use super::earlier::{checkpoint, tried};
use super::memory::limit_in_bytes;
use super::runner::FEATURES;
use super::store::Store;

/// Looks at each file once, however many trials name it.
pub struct Files<'a> {
    images: &'a Cache,
    /// Where the results of all experiments are.
    results: PathBuf,
    /// By path and the key of the tensors in it.
    weights: Mutex<BTreeMap<StateDict, Arc<WeightsFile>>>,
    /// By path.
    teachers: Mutex<BTreeMap<PathBuf, Result<TeacherFacts, String>>>,
    /// By the question.
    advice: Mutex<BTreeMap<String, Result<Answer, Vec<Problem>>>>,
    /// The part of the work of the four cases that advice may try for.
    budget: f64,
    /// Is told how advice gets on.
    tell: Option<Box<Tell>>,
}

/// Is called with lines for people.
type Tell = dyn Fn(&str) + Send + Sync;

/// The path of a file, and the key of the tensors in it, if one is named.
type StateDict = (PathBuf, Option<String>);

/// What is known of a file of weights; or why nothing is.
type WeightsFile = Result<Known, String>;

/// A file of weights.
struct Known {
    entries: Vec<Entry>,
    hash: String,
    /// Where these stand, if it holds several sets of tensors, and where the others do.
    state_dict: Option<(String, Vec<String>)>,
}

impl Files<'_> {
    /// Nothing has been looked at yet. Earlier experiments have their results under `results`.
    pub fn new<'a>(images: &'a Cache, results: &Path) -> Files<'a> {
        Files {
            images,
            results: results.to_owned(),
            weights: Mutex::default(),
            teachers: Mutex::default(),
            advice: Mutex::default(),
            budget: BUDGET,
            tell: None,
        }
    }

    /// Advice tries for `budget` of the work of the four cases, and tells `tell` how it gets on.
    pub fn advising(self, budget: f64, tell: Box<Tell>) -> Self {
        Files { budget, tell: Some(tell), ..self }
    }

    /// Where the results of all experiments are.
    pub(super) fn results(&self) -> &Path {
        &self.results
    }

    /// Tells whoever listens.
    pub(super) fn tell(&self, line: &str) {
        if let Some(tell) = &self.tell {
            tell(line);
        }
    }

    /// What frozen layers make of images, where it is kept for trials as `run` says; where it is not, as long as
    /// advice takes.
    pub(super) fn features(&self, run: &RunPlan) -> Arc<Features> {
        const ALONE: u64 = 4 << 30;
        let limit = limit_in_bytes(run.feature_cache);
        let folder = limit.map(|_| self.results.join(FEATURES));
        Arc::new(Features::new(folder, limit.unwrap_or(ALONE)))
    }

    fn weights_file(&self, path: &Path, state_dict: Option<&str>) -> Arc<WeightsFile> {
        let mut known = self.weights.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (path.to_owned(), state_dict.map(str::to_owned));
        known.entry(key).or_insert_with(|| Arc::new(look(path, state_dict))).clone()
    }

    /// What advice answers on the experiment `root`, for the training images of `fold`.
    ///
    /// # Errors
    /// What is wrong with the experiment, or why nothing can be measured.
    pub fn answer(&self, root: &Node, fold: Option<Fold>) -> Result<Answer, Vec<Problem>> {
        let key = format!("{fold:?} {}", root.to_toml());
        let mut known = self.advice.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known.get(&key) {
            return answer.clone();
        }
        let asked = Asked { budget: self.budget, fold };
        let answer = apart(|| advice::answer(root, asked, self, self.images)).and_then(|it| it);
        known.insert(key, answer.clone());
        answer
    }

    /// The same if it is known already.
    pub(super) fn known_answer(&self, root: &Node, fold: Option<Fold>) -> Option<Answer> {
        let asked = Asked { budget: self.budget, fold };
        apart(|| advice::known(root, asked, self, self.images)).ok().flatten()
    }

    /// The number of training images, and what the textbook's rule says of them, without trying anything.
    pub(super) fn textbook(&self, root: &Node, fold: Option<Fold>) -> Option<(usize, Textbook)> {
        let asked = Asked { budget: self.budget, fold };
        apart(|| advice::textbook(root, asked, self, self.images)).ok()?.ok()
    }
}

/// Does it in as many threads as the current pool has, but in threads of its own: those of the pool may be waiting for
/// the answer.
fn apart<T: Send>(what: impl FnOnce() -> T + Send) -> Result<T, Vec<Problem>> {
    let threads = rayon::current_num_threads();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Problem::value(KeyPath::root(), error.to_string()))?;
    let found = std::thread::scope(|scope| scope.spawn(|| pool.install(what)).join());
    Ok(found.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// All trials of the experiment `root`, whose results are in `store`, beside those of earlier experiments.
pub fn expand_in(store: &Store, root: &Node, images: &Cache) -> Result<Experiment, Problems> {
    let results = store.root().parent().unwrap_or(Path::new(""));
    expand(root, &Files::new(images, results), store)
}

fn look(path: &Path, state_dict: Option<&str>) -> WeightsFile {
    let archive = bundled_weights::open(path, state_dict).map_err(|error| error.to_string())?;
    if bundled_weights::find(path).is_none() {
        check_own(&hub::locate(path).map_err(|error| error.to_string())?)?;
    }
    Ok(Known {
        entries: archive.entries().to_vec(),
        hash: Hashed::open(path).map_err(|error| error.to_string())?.hash,
        state_dict: archive.state_dict().map(|(taken, others)| (taken.to_owned(), others.to_vec())),
    })
}

fn teacher(path: &Path) -> Result<TeacherFacts, String> {
    let (hash, checkpoint) = read_teacher(path)?;
    let card = Card::of(&checkpoint).map_err(|error| format!("{}: {error}", path.display()))?;
    let names = card.model.without_auxiliary().tensors().into_iter().map(|(name, _)| name);
    if let Some(name) = names.into_iter().find(|name| !checkpoint.tensors.contains_key(name)) {
        return Err(format!(
            "{}: {name} is missing from the weights; the best.safetensors of a finished trial has all of them",
            path.display()
        ));
    }
    let Card { model, classes, task, .. } = card;
    if task.is_multi_label() {
        return Err(format!(
            "{}: it predicts several labels, but a teacher must predict one class",
            path.display()
        ));
    }
    let bytes = inference_bytes(&model, IMAGES);
    Ok(TeacherFacts { hash, input: model.input, classes, bytes })
}

/// The checkpoint at `path`, and the hash of the file.
///
/// # Errors
/// If it cannot be read, or is none.
pub fn read_teacher(path: &Path) -> Result<(String, Checkpoint), String> {
    let wrong = |error: &dyn Display| format!("{}: {error}", path.display());
    let bytes = regular::read(path).map_err(|error| wrong(&error))?;
    let checkpoint = Checkpoint::from_bytes(&bytes).map_err(|error| wrong(&error))?;
    Ok((blake3::hash(&bytes).to_hex().to_string(), checkpoint))
}

/// A checkpoint of this program knows whether it is whole.
fn check_own(path: &Path) -> Result<(), String> {
    let wrong = |error: &dyn Display| format!("{}: {error}", path.display());
    let is_own = regular::open(path).ok().and_then(|mut file| identity(&mut file)).is_some();
    if is_own {
        let bytes = regular::read(path).map_err(|error| wrong(&error))?;
        Checkpoint::from_bytes(&bytes).map_err(|error| wrong(&error))?;
    }
    Ok(())
}

impl Survey for Files<'_> {
    fn data(&self, plan: &DataPlan) -> Result<DataFacts, String> {
        self.images.survey(plan).map_err(|error| error.to_string())
    }

    fn weights(&self, plan: &WeightsPlan, network: &ModelPlan) -> Result<WeightsFacts, String> {
        let file = self.weights_file(&plan.file, plan.state_dict.as_deref());
        let Known { entries, hash, state_dict } = file.as_ref().as_ref().map_err(Clone::clone)?;
        let report = matched(plan, network, entries).map_err(|error| error.to_string())?;
        let summed = report.summed.iter().map(|found| found.parameter.clone()).collect();
        let (hash, state_dict) = (hash.clone(), state_dict.clone());
        Ok(WeightsFacts { hash, state_dict, absent: report.absent(), summed })
    }

    fn earlier(&self, experiment: &str, trial: Which) -> Result<PathBuf, String> {
        checkpoint(&self.results, experiment, trial)
    }

    fn tried(&self, experiment: &str) -> Result<Vec<Tried>, String> {
        tried(&self.results, experiment)
    }

    fn teacher(&self, file: &Path) -> Result<TeacherFacts, String> {
        let mut known = self.teachers.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(file.to_owned()).or_insert_with(|| teacher(file)).clone()
    }

    fn advise(&self, root: &Node, fold: Option<Fold>) -> Result<Strategy, Vec<Problem>> {
        self.answer(root, fold).map(|answer| answer.strategy().clone())
    }
}

//! What is known of an experiment's files before anything runs.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::basis::regular;
use crate::config::weights::Which;
use crate::data::{Cache, Epochs, Views, normalisation, split};
use crate::document::{Node, Problems};
use crate::model::bundled_weights::{self, Hashed};
use crate::model::weights::{matched, read};
use crate::plan::Plan;
use crate::plan::data::{DataFacts, DataPlan};
use crate::plan::distill::TeacherFacts;
use crate::plan::memory::inference_bytes;
use crate::plan::model::{ModelPlan, WeightsPlan};
use crate::plan::survey::{Survey, WeightsFacts};
use crate::plan::sweep::{Experiment, expand};
use crate::plan::transfer::Case;
use crate::train::card::Card;
use crate::train::checkpoint::{Checkpoint, identity};
use crate::transfer::advise::{Advice, Border, Evidence, advise};
use crate::transfer::evidence::evidence;
use crate::transfer::extractor::IMAGES;
use crate::weights::{Entry, hub};

use super::earlier::checkpoint;
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
    /// By plan and border.
    advice: Mutex<BTreeMap<(String, usize), CaseAndCut>>,
}

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

/// The case, and the layer to cut behind; or why neither can be known.
type CaseAndCut = Result<(Case, String), String>;

impl Files<'_> {
    /// Nothing has been looked at yet. Earlier experiments have their results under `results`.
    pub fn new<'a>(images: &'a Cache, results: &Path) -> Files<'a> {
        Files {
            images,
            results: results.to_owned(),
            weights: Mutex::default(),
            teachers: Mutex::default(),
            advice: Mutex::default(),
        }
    }

    fn weights_file(&self, path: &Path, state_dict: Option<&str>) -> Arc<WeightsFile> {
        let mut known = self.weights.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (path.to_owned(), state_dict.map(str::to_owned));
        known.entry(key).or_insert_with(|| Arc::new(look(path, state_dict))).clone()
    }
}

/// All trials of the experiment `root`, whose results are in `store`, beside those of earlier experiments.
pub fn expand_in(store: &Store, root: &Node, images: &Cache) -> Result<Experiment, Problems> {
    let results = store.root().parent().unwrap_or(Path::new(""));
    expand(root, &Files::new(images, results), store)
}

/// Measures the pretrained network of `plan` on its images, and judges.
pub fn advice(plan: &Plan, border: usize, images: &Cache) -> Result<(Evidence, Advice), String> {
    let Some(file) = &plan.model.weights else {
        return Err("there are no pretrained weights to measure".to_owned());
    };
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let (weights, _) = read(file, &plan.model).map_err(|error| words(&error))?;
    let dataset = images.get(&plan.data).map_err(|error| words(&error))?;
    let split = split(&dataset, &plan.data, plan.seed).map_err(|error| words(&error))?;
    let normalisation = normalisation(&dataset, &split.train, &plan.data.normalise, plan.seed)
        .map_err(|error| words(&error))?;
    let epochs = Arc::new(Epochs::new(0, [plan], || 0.0)).of(plan);
    let views = Views::new(dataset, &normalisation, plan, epochs).map_err(|error| words(&error))?;
    let border = Border { images: border };
    let evidence =
        evidence(plan, &weights, &views, &split, border).map_err(|error| words(&error))?;
    let advice = advise(&evidence).map_err(|error| words(&error))?;
    Ok((evidence, advice))
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
    let Card { model, classes, .. } = card;
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

    fn teacher(&self, file: &Path) -> Result<TeacherFacts, String> {
        let mut known = self.teachers.lock().unwrap_or_else(PoisonError::into_inner);
        known.entry(file.to_owned()).or_insert_with(|| teacher(file)).clone()
    }

    fn advise(&self, plan: &Plan, border: usize) -> Result<(Case, String), String> {
        let key = (toml::to_string(plan).expect("a plan is plain data"), border);
        let mut known = self.advice.lock().unwrap_or_else(PoisonError::into_inner);
        let advice = known.entry(key).or_insert_with(|| {
            let (evidence, advice) = advice(plan, border, self.images)?;
            Ok((advice.case, evidence.depths[advice.cut].layer.clone()))
        });
        advice.clone()
    }
}

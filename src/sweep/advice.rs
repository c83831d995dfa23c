//! Advice on a transfer: what was measured, what was tried, and what follows. An answer is found once for each
//! network and its training images, and kept.

mod kept;
mod tries;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::basis::number::number;
use crate::data::{Cache, Epochs, Split, Views, normalisation, split};
use crate::document::{KeyPath, Node, Problem};
use crate::kernels::device::Device;
use crate::measures::{Accuracy, Measures};
use crate::model::weights;
use crate::plan::Plan;
use crate::plan::data::Fold;
use crate::plan::resolve::{advisable, in_case, resolve};
use crate::plan::run::{RunPlan, run};
use crate::plan::strategy::Strategy;
use crate::plan::transfer::Case;
use crate::plan::work::Work;
use crate::train::trainer::TrialData;
use crate::transfer::advise::{Advice, Border, Depth, Evidence, advise};
use crate::transfer::candidates::candidates;
use crate::transfer::evidence::{evidence, kept_layers};
use crate::transfer::tournament::{Entrant, FOLDS, Fate, Outcome, Tournament};

use super::survey::Files;

pub use kept::ADVICE;

/// The part of the work of the four cases that trying may take.
pub const BUDGET: f64 = 0.25;

/// Seeds by which the four cases are compared, where they are: a comparison by one says little.
pub const SEEDS: u64 = 5;

/// Fewer training images cannot be parted.
const LEAST: usize = 2 * FOLDS;

/// What was measured of the features at one depth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Measured {
    /// The layer; or the pixels.
    pub layer: String,
    /// Features of an image.
    pub width: usize,
    /// Accuracy of a linear head, by folds.
    pub linear: f64,
    /// Its standard error.
    pub linear_error: f64,
    /// Accuracy of the nearest class mean.
    pub centroid: f64,
    /// Log evidence.
    pub logme: f64,
    /// Shrunk.
    pub h_score: f64,
}

impl Measured {
    fn of(layer: &str, width: usize, measures: &Measures) -> Measured {
        Measured {
            layer: layer.to_owned(),
            width,
            linear: measures.linear.value(),
            linear_error: measures.linear.standard_error(),
            centroid: measures.nearest_centroid.value(),
            logme: measures.logme,
            h_score: measures.h_score.shrunk,
        }
    }

    fn at(depth: &Depth) -> Measured {
        Measured::of(&depth.layer, depth.width, &depth.measures)
    }
}

/// What the textbook's rule says of what was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Textbook {
    /// The case.
    pub case: String,
    /// Whether there are enough images to be large.
    pub is_large: bool,
    /// "open", "likely" or "clear".
    pub size_confidence: String,
    /// Whether the images are like those the network knows.
    pub is_similar: bool,
    /// 0 (nothing in common) to 1.
    pub similarity: f64,
    /// "open", "likely" or "clear".
    pub similarity_confidence: String,
    /// Why, a sentence each.
    pub reasons: Vec<String>,
}

impl Textbook {
    fn of(advice: Advice) -> Textbook {
        Textbook {
            case: advice.case.name().to_owned(),
            is_large: advice.large,
            size_confidence: advice.size_confidence.name().to_owned(),
            is_similar: advice.similar,
            similarity: advice.similarity,
            similarity_confidence: advice.similarity_confidence.name().to_owned(),
            reasons: advice.reasons,
        }
    }
}

/// How a strategy that was tried, or would have been, came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Tried {
    /// What it does.
    pub strategy: Strategy,
    /// Its learning rate.
    pub lr: f64,
    /// Epochs that it was trained on each fold.
    pub epochs: usize,
    /// Over all folds, of the images that it had not learned from; none if it was not tried or failed.
    pub accuracy: Option<f64>,
    /// What it is expected to come to after all epochs.
    pub expected: f64,
    /// How far it is below the best, image by image.
    pub behind: f64,
    /// Standard error of that.
    pub behind_error: f64,
    /// "untried", "failed", "dropped" or "last".
    pub fate: String,
}

/// What advice comes to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Answer {
    /// Training images.
    pub images: usize,
    /// How many of them were measured.
    pub measured: usize,
    /// Classes.
    pub classes: usize,
    /// Epochs that the experiment trains.
    pub epochs: usize,
    /// The depth behind which a head on frozen layers is best put, by the measures: an index.
    pub cut: usize,
    /// The most accurate depth: an index.
    pub peak: usize,
    /// The entrant that is recommended: an index.
    pub chosen: usize,
    /// The best one: an index.
    pub best: usize,
    /// Those that cannot be told from the best: indices.
    pub tied: Vec<usize>,
    /// Whether a round was left out because the budget had no room.
    pub is_cut_short: bool,
    /// Work of trying, in multiplications with addition.
    pub spent: f64,
    /// Work that was allowed.
    pub budget: f64,
    /// Work of the four cases by [`SEEDS`] seeds.
    pub cases: f64,
    /// The textbook's rule.
    pub textbook: Textbook,
    /// The pixels.
    pub pixels: Measured,
    /// The best depth of the same network with random weights.
    pub random: Option<Measured>,
    /// The pretrained network, nearest to the image first.
    pub depths: Vec<Measured>,
    /// All that took part, in the order of what the measures promise.
    pub tries: Vec<Tried>,
}

impl Answer {
    /// What is recommended.
    pub fn strategy(&self) -> &Strategy {
        &self.tries[self.chosen].strategy
    }

    /// What is recommended, and how it came out.
    pub fn recommended(&self) -> &Tried {
        &self.tries[self.chosen]
    }
}

/// What is asked, beside the experiment.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// The part of the work of the four cases that trying may take.
    pub budget: f64,
    /// The fold whose training images are looked at.
    pub fold: Option<Fold>,
}

/// A question whose answer may be kept.
struct Question<'a> {
    root: &'a Node,
    asked: Asked,
    files: &'a Files<'a>,
    plan: Plan,
    border: usize,
    data: TrialData,
    device: Device,
    how: RunPlan,
    shelf: kept::Shelf,
}

impl<'a> Question<'a> {
    fn new(
        root: &'a Node,
        asked: Asked,
        files: &'a Files<'a>,
        images: &Cache,
    ) -> Result<Question<'a>, Vec<Problem>> {
        let (plan, border) = advisable(root, asked.fold, files)?;
        let data = data(&plan, images).map_err(trouble)?;
        let how = run(root)?;
        let device = Device::open(how.devices[0]).map_err(|error| trouble(error.to_string()))?;
        let name = kept::name(&kept::Asked {
            plan: &plan,
            written: root.get("transfer"),
            border,
            budget: asked.budget,
            computed_by: &device.name(),
            images: data.dataset.fingerprint().map_err(|error| trouble(error.to_string()))?,
        });
        let shelf = kept::Shelf::new(files.results(), name);
        Ok(Question { root, asked, files, plan, border, data, device, how, shelf })
    }
}

/// Why nothing can be measured.
fn trouble(message: String) -> Vec<Problem> {
    let at = KeyPath::root().key("transfer").key("case");
    vec![Problem::value(at, message).label("cannot be measured")]
}

/// The answer to the question what to do with the pretrained network of the experiment `root`, if it was kept.
pub(super) fn known(root: &Node, asked: Asked, files: &Files, images: &Cache) -> Option<Answer> {
    Question::new(root, asked, files, images).ok()?.shelf.answer()
}

/// What the textbook's rule says of the experiment `root`, without trying: images that are learnt from, and the
/// case. It takes the threads of the current pool.
pub(super) fn textbook(
    root: &Node,
    asked: Asked,
    files: &Files,
    images: &Cache,
) -> Result<(usize, Textbook), Vec<Problem>> {
    let (plan, border) = advisable(root, asked.fold, files)?;
    let data = data(&plan, images).map_err(trouble)?;
    let (evidence, advice) = measured(&plan, &data, border, files).map_err(trouble)?;
    Ok((evidence.images, Textbook::of(advice)))
}

/// Measures and tries the pretrained network of the experiment `root` on its training images; or takes the answer
/// that was kept. Validation and test images are not looked at. It takes the threads of the current pool.
///
/// # Errors
/// What is wrong with the experiment, or why nothing can be measured.
pub(super) fn answer(
    root: &Node,
    asked: Asked,
    files: &Files,
    images: &Cache,
) -> Result<Answer, Vec<Problem>> {
    let question = Question::new(root, asked, files, images)?;
    match question.shelf.answer() {
        Some(answer) => Ok(answer),
        None => question.search(),
    }
}

impl Question<'_> {
    /// Measures and tries.
    fn search(self) -> Result<Answer, Vec<Problem>> {
        let Question { root, asked, files, plan, border, data, device, how, shelf } = self;
        let found = data.split.train.len();
        if found < LEAST {
            let message =
                format!("advice needs at least {LEAST} training images, but there are {found}");
            return Err(trouble(message));
        }
        let cores = rayon::current_num_threads();
        let (evidence, advice) = measured(&plan, &data, border, files).map_err(trouble)?;
        let (entrants, plans) = entrants(root, asked.fold, files, &plan, &evidence, &data.split)?;
        if entrants.is_empty() {
            return Err(trouble("no strategy fits the keys of [transfer]".to_owned()));
        }
        let cases = cases(root, asked.fold, files, &data.split);
        let budget = (asked.budget * cases as f64) as u64;
        let tries = tries::Tries {
            plans: &plans,
            data: &data,
            device: &device,
            memory: how.memory_limit,
            in_segments: how.gradient_checkpointing,
            features: files.features(&how),
            cores,
            shelf: &shelf,
        };
        let folds = tries.folds();
        let mut round = |wanted: &[(usize, usize)]| {
            let epochs = wanted.first().map_or(0, |(_, epochs)| *epochs);
            files.tell(&format!(
                "advice: {} of {} strategies on {FOLDS} folds, until epoch {epochs} of {}",
                wanted.len(),
                entrants.len(),
                plan.train.epochs
            ));
            tries.round(wanted, &folds)
        };
        let tournament = Tournament::new(&entrants, plan.train.epochs, budget);
        let outcome = tournament.hold(&mut round).map_err(trouble)?;
        let work = Budgeted { budget, cases };
        let answer = summary(&plan, &plans, &evidence, advice, &entrants, &outcome, work);
        // An answer that cannot be kept is found again.
        shelf.keep(&answer);
        Ok(answer)
    }
}

/// The images that a trial of `plan` learns from, and how they are seen.
fn data(plan: &Plan, images: &Cache) -> Result<TrialData, String> {
    let words = |error: crate::data::Error| error.to_string();
    let dataset = images.get(&plan.data).map_err(words)?;
    let split = split(&dataset, &plan.data, plan.seed).map_err(words)?;
    let normalisation =
        normalisation(&dataset, &split.train, &plan.data.normalise, plan.seed).map_err(words)?;
    Ok(TrialData { dataset, split: Arc::new(split), normalisation })
}

/// Measures the pretrained network of `plan`, and judges as the textbook does.
fn measured(
    plan: &Plan,
    data: &TrialData,
    border: usize,
    files: &Files,
) -> Result<(Evidence, Advice), String> {
    let Some(file) = &plan.model.weights else {
        return Err("there are no pretrained weights to measure".to_owned());
    };
    files.tell(&format!(
        "advice: measuring the network on {} training images",
        number(data.split.train.len() as u64)
    ));
    let (weights, _) = weights::read(file, &plan.model).map_err(|error| error.to_string())?;
    let epochs = Arc::new(Epochs::new(0, [plan], || 0.0)).of(plan);
    let views = Views::new(data.dataset.clone(), &data.normalisation, plan, epochs)
        .map_err(|error| error.to_string())?;
    let evidence = evidence(plan, &weights, &views, &data.split, Border { images: border })
        .map_err(|error| error.to_string())?;
    let advice = advise(&evidence).map_err(|error| error.to_string())?;
    Ok((evidence, advice))
}

/// The strategies that take part, each once, and their plans.
fn entrants(
    root: &Node,
    fold: Option<Fold>,
    files: &Files,
    whole: &Plan,
    evidence: &Evidence,
    split: &Split,
) -> Result<(Vec<Entrant>, Vec<Plan>), Vec<Problem>> {
    let model = &whole.model;
    let depth = |depth: &Depth| depth.measures.linear.value();
    let depths: Vec<(&str, f64)> =
        evidence.depths.iter().map(|it| (it.layer.as_str(), depth(it))).collect();
    let judged = advise(evidence).map_or(0, |advice| advice.cut);
    let mut digests: Vec<String> = Vec::new();
    let (mut entrants, mut plans) = (Vec::new(), Vec::new());
    let mut wrong = Vec::new();
    let images = split.train.len();
    let (learnt, left) = (images - images / FOLDS, images / FOLDS);
    for strategy in candidates(model, kept_layers(model), &depths, judged) {
        let (laid, _) = strategy.laid_over(root, &[])?;
        match resolve(&laid, fold, files) {
            Ok((plan, digest)) if !digests.contains(&digest) => {
                digests.push(digest);
                let (work, frozen) = (Work::of(&plan, learnt, left), plan.model.frozen_prefix(1));
                entrants.push(Entrant { strategy, work, frozen });
                plans.push(plan);
            }
            Ok(_) => {}
            // What the file settles may not go with it: a head for other features.
            Err(problems) => wrong = problems,
        }
    }
    if entrants.is_empty() && !wrong.is_empty() { Err(wrong) } else { Ok((entrants, plans)) }
}

/// The work of the four cases by [`SEEDS`] seeds, as the file has them.
fn cases(root: &Node, fold: Option<Fold>, files: &Files, split: &Split) -> u64 {
    let table = root.get("transfer").and_then(Node::entries).unwrap_or_default();
    let keys: Vec<&str> =
        table.iter().map(|entry| entry.key.as_str()).filter(|key| *key != "case").collect();
    let work = |case: Case| {
        let root = in_case(root, case, &keys).ok()?;
        let (plan, _) = resolve(&root, fold, files).ok()?;
        let work = Work::of(&plan, split.train.len(), split.validation.len());
        Some(work.whole(plan.train.epochs))
    };
    SEEDS * Case::ALL.into_iter().filter_map(work).sum::<u64>()
}

/// Work, in multiplications with addition.
struct Budgeted {
    budget: u64,
    cases: u64,
}

fn summary(
    plan: &Plan,
    plans: &[Plan],
    evidence: &Evidence,
    advice: Advice,
    entrants: &[Entrant],
    outcome: &Outcome,
    work: Budgeted,
) -> Answer {
    let best = &outcome.standings[outcome.best].accuracy;
    let tried = |((entrant, plan), standing): ((&Entrant, &Plan), _)| {
        let standing: &crate::transfer::tournament::Standing = standing;
        let behind = best.as_ref().zip(standing.accuracy.as_ref());
        let behind = behind.and_then(|(best, own)| best.above(own));
        Tried {
            strategy: entrant.strategy.clone(),
            lr: plan.train.optimizer.numbers().lr(),
            epochs: standing.epochs,
            accuracy: standing.accuracy.as_ref().map(Accuracy::value),
            expected: standing.expected,
            behind: behind.map_or(0.0, |difference| difference.mean),
            behind_error: behind.map_or(0.0, |difference| difference.standard_error),
            fate: match standing.fate {
                Fate::Untried => "untried",
                Fate::Failed => "failed",
                Fate::Dropped => "dropped",
                Fate::Last => "last",
            }
            .to_owned(),
        }
    };
    let random = evidence.random.iter();
    let random =
        random.max_by(|a, b| a.measures.linear.value().total_cmp(&b.measures.linear.value()));
    Answer {
        images: evidence.images,
        measured: evidence.pixels.linear.images(),
        classes: evidence.classes,
        epochs: plan.train.epochs,
        cut: advice.cut,
        peak: advice.peak,
        chosen: outcome.chosen,
        best: outcome.best,
        tied: outcome.tied.clone(),
        is_cut_short: outcome.is_cut_short,
        spent: outcome.spent as f64,
        budget: work.budget as f64,
        cases: work.cases as f64,
        textbook: Textbook::of(advice),
        pixels: Measured::of("the pixels", 0, &evidence.pixels),
        random: random.map(Measured::at),
        depths: evidence.depths.iter().map(Measured::at).collect(),
        tries: entrants.iter().zip(plans).zip(&outcome.standings).map(tried).collect(),
    }
}

//! What a results folder answers: its trials by setting, ranked, with intervals and paired tests.
//!
//! Everything is read from the tables of the folder, so that a report can be made of results that were
//! copied from elsewhere, without the program that made them or their images.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::basis::record::Outcome;
use crate::results::folders::Folders;
use crate::results::hashes::verified;
use crate::results::layout::{ENVIRONMENT, EXPERIMENT};
use crate::results::scores::SetScores;
use crate::results::table::TableError;
use crate::sweep::advised::{Advised, read_advice};
use crate::sweep::store::Damage;

use super::factor::{Factor, factors};
use super::importance::Told;
use super::measure::{self, Measure};
use super::predictions;
use super::scores;
use super::sets;
use super::setting::{self, Setting};
use super::tables::{self, Tables, Trial};

/// A results folder as it answers.
#[derive(Clone, Debug)]
pub struct Answers {
    /// The folder.
    pub root: PathBuf,
    /// Name of the experiment.
    pub name: String,
    /// What it is about, in its author's words.
    pub description: String,
    /// The columns of swept settings.
    pub axes: Vec<String>,
    /// By what settings are compared.
    pub measure: Measure,
    /// In plan order.
    pub trials: Vec<Trial>,
    /// What each set of images is called that trials are about, in plan order; empty for a single one.
    pub sets: Vec<String>,
    /// The best one first, then the others on the same images, then those on other ones; of each set those without a
    /// value last.
    pub settings: Vec<Setting>,
    /// What was varied; columns that vary together are one factor.
    pub factors: Vec<Factor>,
    /// The experiment as it was resolved; empty where the file is missing.
    pub experiment: toml::Table,
    /// Its text.
    pub text: String,
    /// What was advised for each kind of data of a sweep over cases of transfer.
    pub advice: Vec<Advised>,
    /// The scores of the predictions of each trial; none where it was not completed or has left none.
    pub scores: Vec<Option<SetScores>>,
    /// Files of trials that are not as they were written, and that say nothing here therefore.
    pub damaged: Vec<Damage>,
    /// Computed when somebody asks for it.
    pub(super) importances: OnceLock<Told>,
    folders: Folders,
    set_of_trial: Vec<usize>,
    epochs: Vec<[f64; 4]>,
}

impl Answers {
    /// Reads the folder `root`. Settings are compared by `measure`, or by the metric that chose the best
    /// epochs.
    ///
    /// # Errors
    /// If there is no table of trials, or it is a table of something else, or a file is not as it was written.
    pub fn read(root: &Path, measure: Option<Measure>) -> Result<Answers, TableError> {
        let mut answers = Answers::of_tables(root, measure)?;
        answers.damaged = predictions::damaged(&answers);
        let folders = answers.trials.iter().map(|trial| (trial, answers.folder(trial)));
        let (scores, damaged) = scores::read(folders);
        answers.scores = scores;
        for damage in damaged {
            // An outcome vouches for several files.
            if !answers.damaged.contains(&damage) {
                answers.damaged.push(damage);
            }
        }
        Ok(answers)
    }

    /// What the tables of the folder `root` answer alone: no file of a trial is looked at, so there are no scores of
    /// predictions, and nothing is known to be damaged.
    ///
    /// # Errors
    /// As for [`read`](Self::read).
    pub fn of_tables(root: &Path, measure: Option<Measure>) -> Result<Answers, TableError> {
        let Tables { axes, trials, epochs } = tables::read(root)?;
        let text = verified(root, EXPERIMENT)?.unwrap_or_default();
        let text = String::from_utf8(text).unwrap_or_default();
        verified(root, ENVIRONMENT)?;
        let experiment: toml::Table = toml::from_str(&text).unwrap_or_default();
        let word = |key: &str| experiment.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        let folder = || Some(root.canonicalize().ok()?.file_name()?.to_string_lossy().into_owned());
        let first = trials.first().map(|trial| &trial.digest[..]);
        let measure = match measure {
            Some(measure) => measure,
            None => measure::of_folder(root, first, &experiment)?,
        };
        let (set_of_trial, sets) = sets::sets(&axes, &trials, &experiment);
        let settings = setting::ranked(&axes, &trials, &set_of_trial, measure);
        let folders = Folders::of(root, &axes, &experiment);
        let factors = factors(&axes, &trials, &experiment);
        let count = trials.len();
        Ok(Answers {
            root: root.to_owned(),
            name: word("name").or_else(folder).unwrap_or_default(),
            description: word("description").unwrap_or_default(),
            axes,
            measure,
            sets,
            settings,
            factors,
            trials,
            experiment,
            text,
            advice: read_advice(root)?,
            scores: vec![None; count],
            damaged: Vec::new(),
            importances: OnceLock::new(),
            folders,
            set_of_trial,
            epochs,
        })
    }

    /// Takes notice that the trial with the index `trial` has ended since the tables were written; [`rank`](Self::rank)
    /// ranks it.
    pub fn end(&mut self, trial: usize, outcome: &Outcome) {
        self.trials[trial].end(outcome);
    }

    /// Ranks the settings again.
    pub fn rank(&mut self) {
        self.settings = setting::ranked(&self.axes, &self.trials, &self.set_of_trial, self.measure);
    }

    /// How many epochs a trial is to be trained for; none if nothing says so.
    pub fn planned(&self, trial: &Trial) -> Option<usize> {
        self.folders.epochs(trial)
    }

    /// The folder of a trial.
    pub fn folder(&self, trial: &Trial) -> PathBuf {
        self.folders.folder(trial)
    }

    /// The value of a trial by which settings are compared; none unless it was completed.
    pub fn value(&self, trial: &Trial) -> Option<f64> {
        trial.value(self.measure)
    }

    /// The finished epochs of a trial, each with the scores of [`CURVES`](super::curves::CURVES); NaN where there is none.
    pub fn curve(&self, trial: &Trial) -> &[[f64; 4]] {
        &self.epochs[trial.epochs.clone()]
    }

    /// The best setting, if any trial was completed.
    pub fn best(&self) -> Option<&Setting> {
        self.settings.first().filter(|best| best.estimate.is_some())
    }

    /// The best trial of the best setting, if any trial was completed; of equal ones the first.
    pub fn best_trial(&self) -> Option<&Trial> {
        let trials = self.completed(self.best()?);
        let values = trials.filter_map(|trial| Some((trial, self.value(trial)?)));
        let better = |best: (_, f64), other: (_, f64)| {
            if self.measure.improves(other.1, best.1) { other } else { best }
        };
        values.reduce(better).map(|(trial, _)| trial)
    }

    /// The completed trials of a setting.
    pub fn completed<'a>(&'a self, setting: &'a Setting) -> impl Iterator<Item = &'a Trial> {
        setting.trials.iter().map(|index| &self.trials[*index]).filter(|trial| trial.is_completed())
    }

    /// What was varied, in words.
    pub fn varied(&self) -> impl Iterator<Item = &Factor> {
        self.factors.iter().filter(|factor| factor.levels.len() > 1)
    }

    /// How many different seeds, and how many folds there are (1 without a cross-validation).
    pub fn repeats(&self) -> (usize, usize) {
        let distinct = |of: fn(&Trial) -> &str| {
            self.trials.iter().map(of).collect::<std::collections::BTreeSet<_>>().len()
        };
        (distinct(|trial| &trial.seed), distinct(|trial| &trial.fold))
    }
}

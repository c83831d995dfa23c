//! Strategies in training: each on every fold of the training images, some at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::basis::record::EpochRecord;
use crate::config::run::Memory;
use crate::data::{Epochs, Split};
use crate::kernels::device::Device;
use crate::measures::{Accuracy, folds};
use crate::model::network::Weights;
use crate::model::weights;
use crate::plan::Plan;
use crate::plan::memory::trial_bytes;
use crate::sweep::memory::limit_in_bytes;
use crate::sweep::trial::teacher;
use crate::train::checkpoint::Checkpoint;
use crate::train::trainer::{Event, Observer, TrainError, Trainer, TrialData};
use crate::transfer::features::Features;
use crate::transfer::tournament::FOLDS;

use super::kept::{Key, Shelf};

/// What trying takes.
pub(super) struct Tries<'a> {
    /// Of each entrant.
    pub(super) plans: &'a [Plan],
    /// All training images.
    pub(super) data: &'a TrialData,
    pub(super) device: &'a Device,
    /// Of the machine, for all that goes on.
    pub(super) memory: Memory,
    /// Whether gradients are checkpointed.
    pub(super) in_segments: bool,
    pub(super) features: Arc<Features>,
    pub(super) cores: usize,
    pub(super) shelf: &'a Shelf,
}

/// The folds, what is known of them, and where each entrant has got to on each.
pub(super) struct Folds {
    splits: Vec<TrialData>,
    known: Mutex<BTreeMap<Key, Option<Vec<bool>>>>,
    states: Mutex<BTreeMap<(usize, usize), State>>,
}

/// Where training goes on.
struct State {
    records: Vec<EpochRecord>,
    last: Checkpoint,
    best: Option<Weights>,
}

/// Keeps the last checkpoint.
#[derive(Default)]
struct Keeper {
    last: Option<Checkpoint>,
    until: usize,
}

impl Observer for Keeper {
    fn notice(&mut self, event: &Event) -> Result<(), String> {
        if let Event::Epoch { record, last, .. } = event
            && record.epoch >= self.until
        {
            self.last = Some((*last).clone());
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tries<'_> {
    /// The training images in [`FOLDS`] folds by class; images of a group stay together.
    pub(super) fn folds(&self) -> Folds {
        let (dataset, train) = (&self.data.dataset, &self.data.split.train);
        let classes = dataset.classes().len();
        let units: Vec<u32> =
            train.iter().map(|image| dataset.group(*image).unwrap_or(*image)).collect();
        // A group counts as one image of the class of its first.
        let mut firsts: BTreeMap<u32, usize> = BTreeMap::new();
        let mut labels = Vec::new();
        for (unit, image) in units.iter().zip(train) {
            firsts.entry(*unit).or_insert_with(|| {
                labels.push(dataset.label(*image));
                labels.len() - 1
            });
        }
        let dealt = folds(&labels, classes, FOLDS, 0);
        let part = |fold: usize| {
            let of = |is_in: bool| {
                let pairs = train.iter().zip(&units);
                let wanted = pairs.filter(|(_, unit)| (dealt[firsts[*unit]] == fold) == is_in);
                wanted.map(|(image, _)| *image).collect::<Vec<u32>>()
            };
            let split = Split { train: of(false), validation: of(true), test: Vec::new() };
            TrialData { split: Arc::new(split), ..self.data.clone() }
        };
        Folds {
            splits: (0..FOLDS).map(part).collect(),
            known: Mutex::new(self.shelf.tried()),
            states: Mutex::default(),
        }
    }

    /// Trains entrants, each until its epoch, on all folds: which images of all each had right.
    ///
    /// # Errors
    /// If images cannot be read, or an operation cannot be done.
    pub(super) fn round(
        &self,
        wanted: &[(usize, usize)],
        folds: &Folds,
    ) -> Result<Vec<Option<Accuracy>>, String> {
        let jobs: Vec<Key> = wanted
            .iter()
            .flat_map(|(entrant, epochs)| (0..FOLDS).map(|fold| (*entrant, *epochs, fold)))
            .filter(|key| !lock(&folds.known).contains_key(key))
            .collect();
        // States of those that are out are not needed any more.
        lock(&folds.states).retain(|(entrant, _), _| wanted.iter().any(|(it, _)| it == entrant));
        let largest = wanted
            .iter()
            .map(|(entrant, _)| trial_bytes(&self.plans[*entrant], self.in_segments))
            .max();
        let room = limit_in_bytes(self.memory).unwrap_or(u64::MAX) / 2;
        let fitting = usize::try_from(room / largest.unwrap_or(1).max(1)).unwrap_or(usize::MAX);
        let workers = self.cores.min(jobs.len()).min(fitting).max(1);
        let threads = (self.cores / workers).max(1);
        let next = AtomicUsize::new(0);
        let trouble: Mutex<Option<String>> = Mutex::new(None);
        let work = || -> Result<(), String> {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.map_err(|error| error.to_string())?;
            while let Some(key) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if lock(&trouble).is_some() {
                    break;
                }
                let right = pool.install(|| self.attempt(*key, folds))?;
                self.shelf.add(*key, right.as_deref());
                lock(&folds.known).insert(*key, right);
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            for _ in 0..workers {
                scope.spawn(|| {
                    if let Err(error) = work() {
                        lock(&trouble).get_or_insert(error);
                    }
                });
            }
        });
        if let Some(trouble) = lock(&trouble).take() {
            return Err(trouble);
        }
        Ok(wanted.iter().map(|(entrant, epochs)| self.accuracy(*entrant, *epochs, folds)).collect())
    }

    /// Over all folds, in the order of the training images.
    fn accuracy(&self, entrant: usize, epochs: usize, folds: &Folds) -> Option<Accuracy> {
        let known = lock(&folds.known);
        let mut right: Vec<(u32, bool)> = Vec::new();
        for (fold, data) in folds.splits.iter().enumerate() {
            let of_fold = known.get(&(entrant, epochs, fold))?.as_ref()?;
            right.extend(data.split.validation.iter().copied().zip(of_fold.iter().copied()));
        }
        right.sort_unstable();
        Some(Accuracy::new(right.into_iter().map(|(_, right)| right).collect()))
    }

    /// Trains one entrant on one fold: which images of the fold it had right; none if its loss is no number.
    fn attempt(
        &self,
        (entrant, until, fold): Key,
        folds: &Folds,
    ) -> Result<Option<Vec<bool>>, String> {
        let plan = &self.plans[entrant];
        let data = &folds.splits[fold];
        let held = &data.split.validation;
        if held.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let words = |error: TrainError| error.to_string();
        let start = match &plan.model.weights {
            Some(file) => weights::read(file, &plan.model).map_err(|error| error.to_string())?.0,
            None => Weights::new(),
        };
        let epochs = Arc::new(Epochs::new(0, [plan], || 0.0)).of(plan);
        let features = self.features.clone();
        let teacher = teacher(plan, self.device)?;
        let mut trainer =
            Trainer::new(plan, self.device, data.clone(), epochs, features, start, teacher)
                .map_err(words)?;
        if self.in_segments {
            trainer.checkpoint_gradients();
        }
        let state = lock(&folds.states).remove(&(entrant, fold));
        if let Some(State { records, last, best }) = state {
            trainer.resume(records, &last, best).map_err(words)?;
        }
        let mut keeper = Keeper { until, ..Keeper::default() };
        match trainer.run_until(until, &mut keeper) {
            Ok(_) => {}
            Err(TrainError::NotFinite { .. }) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        }
        let network = trainer.network_alone().map_err(words)?;
        let evaluation = trainer.evaluate(&network.tensors, held).map_err(words)?;
        let classes = plan.model.classes;
        let right = held.iter().zip(evaluation.probabilities.chunks(classes.max(1)));
        let right = right.map(|(image, row)| {
            // Of equals the first class wins, as elsewhere.
            let best = (0..classes)
                .fold(0, |best, class| if row[class] > row[best] { class } else { best });
            best == data.dataset.label(*image) as usize
        });
        let right = right.collect();
        if let Some(last) = keeper.last.filter(|_| until < plan.train.epochs) {
            let state =
                State { records: trainer.records().to_vec(), last, best: trainer.best().cloned() };
            lock(&folds.states).insert((entrant, fold), state);
        }
        Ok(Some(right))
    }
}

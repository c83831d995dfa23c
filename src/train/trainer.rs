//! The training loop of one trial.

mod evaluation;
mod probe;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use candle_core::Tensor;
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::basis::record::{EpochRecord, Scores};
use crate::config::train::ClassWeights;
use crate::config::train::progressive::size_in;
use crate::data::{Batch, Dataset, Labels, Normalisation, Order, Split, TrialEpochs, Views};
use crate::kernels::buffer::Buffer;
use crate::kernels::device::Device;
use crate::kernels::loss::Targets;
use crate::measures::Unmeasurable;
use crate::model::network::{Network, Weights};
use crate::plan::Plan;
use crate::transfer::extractor::Extractor;
use crate::transfer::features::Features;

use super::ahead::ahead;
use super::card::Card;
use super::checkpoint::{COUNTERS, Checkpoint, in_training, without_training};
use super::inputs::Inputs;
use super::learner::{Learner, Learnt};
use super::metrics::Tally;
use super::schedule::Factor;
use super::shrink::shrink;
use super::steps::Steps;
use super::stopping::{best_epoch, early_stop};
use super::teacher::Teacher;

pub use evaluation::Evaluation;

/// Why a trial failed.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The loss is NaN or infinite.
    #[error(
        "the loss became {loss} in epoch {epoch}, batch {batch}: a smaller learning rate may help"
    )]
    NotFinite {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1.
        batch: usize,
        /// What it became.
        loss: f64,
    },
    /// Images do not fit what shall become of them.
    #[error(transparent)]
    Images(#[from] crate::data::Error),
    /// Threads cannot be had.
    #[error("failed to start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// An operation could not be done.
    #[error("an operation failed: {0}")]
    Operation(#[from] candle_core::Error),
    /// The head cannot be fitted.
    #[error("the head cannot be fitted: {0}")]
    Head(#[from] Unmeasurable),
    /// Somebody who listens could not do his part.
    #[error("{0}")]
    Observer(String),
}

/// What happens in a trial.
pub enum Event<'a> {
    /// A batch was trained on.
    Batch {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1.
        batch: usize,
        /// Batches of an epoch.
        batches: usize,
        /// Images in it.
        images: usize,
        /// Its mean loss.
        loss: f64,
    },
    /// In the middle of an epoch there is a state to go on from, which was asked for.
    Checkpoint(&'a Checkpoint),
    /// An epoch has ended.
    Epoch {
        /// Its record.
        record: &'a EpochRecord,
        /// Whether it is the best so far.
        is_best: bool,
        /// The state to go on from.
        last: &'a Checkpoint,
    },
}

/// Somebody who listens to a trial.
pub trait Observer {
    /// Takes notice; an error ends the trial.
    fn notice(&mut self, event: &Event) -> Result<(), String>;

    /// Whether the trial shall stop at the next batch.
    fn interrupts(&self) -> bool {
        false
    }

    /// Whether to give a checkpoint now, in the middle of an epoch and after so many steps in all.
    fn wants_checkpoint(&self, _steps: u64) -> bool {
        false
    }
}

/// The images of a trial.
#[derive(Clone)]
pub struct TrialData {
    /// All images, shared between trials.
    pub dataset: Arc<Dataset>,
    /// Which of them are for what.
    pub split: Arc<Split>,
    /// How pixels become numbers.
    pub normalisation: Normalisation,
}

/// How training ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All epochs were done, or its own rule stopped it: the reason, else empty.
    Completed(String),
    /// As many epochs as were asked for are done, and the plan has more.
    Paused,
    /// Stopped from outside; the last checkpoint is where to go on.
    Interrupted,
}

/// One trial in training.
pub struct Trainer<'a> {
    plan: &'a Plan,
    data: TrialData,
    inputs: Arc<Inputs>,
    features: Arc<Features>,
    /// Makes batches ahead of the steps, if there is anything to make.
    maker: Option<Arc<ThreadPool>>,
    learner: Learner<'a>,
    records: Vec<EpochRecord>,
    best: Option<Weights>,
    /// What never changes, by name.
    fixed: BTreeSet<String>,
    /// An epoch that was left in the middle: its counts and its batches so far.
    under_way: Option<(Tally, usize)>,
    /// What every checkpoint says of itself, from the first one on: it names the images, which takes a look at all
    /// of them.
    card: Option<(String, String)>,
}

impl<'a> Trainer<'a> {
    /// A trial at its beginning on `device`, which shares augmented epochs and features with others and
    /// starts with the pretrained weights `start`, as far as they go. `teacher` is that of its plan, if it has one.
    ///
    /// # Errors
    /// If a tensor of `start` has another shape than the network's, an image has a size that a chain cannot
    /// take, or the device has no room.
    pub fn new(
        plan: &'a Plan,
        device: &Device,
        data: TrialData,
        epochs: TrialEpochs,
        features: Arc<Features>,
        start: Weights,
        teacher: Option<Teacher>,
    ) -> Result<Trainer<'a>, TrainError> {
        let learner = Learner::new(plan, device, start, class_weights(plan, &data))?;
        let Split { train, validation, test } = &*data.split;
        let images = train.len() + validation.len() + test.len();
        let views = Views::new(data.dataset.clone(), &data.normalisation, plan, epochs)?;
        let teacher = teacher.map(|teacher| teacher.extractor(&data.normalisation)).transpose()?;
        let inputs = Inputs::new(Arc::new(views), images, teacher, features.clone());
        Ok(Trainer {
            plan,
            data,
            inputs: Arc::new(inputs),
            features,
            fixed: Network::fixed(&plan.model),
            maker: None,
            learner,
            records: Vec::new(),
            best: None,
            under_way: None,
            card: None,
        })
    }

    /// Has steps keep only some values for the way back, and compute the others again: no number depends on it.
    pub fn checkpoint_gradients(&mut self) {
        self.learner.network.checkpoint_gradients(&self.plan.model);
    }

    /// Goes on after `records`, from the `last` checkpoint and, if an epoch was finished, the weights
    /// of the best one.
    pub fn resume(
        &mut self,
        records: Vec<EpochRecord>,
        last: &Checkpoint,
        best: Option<Weights>,
    ) -> Result<(), TrainError> {
        let whole = self.whole(&last.tensors)?;
        let Learner { network, optimizer, averaged, batches, .. } = &mut self.learner;
        if let Some(training) = last.in_training() {
            averaged.load(network, &whole)?;
            network.load(&whole.into_iter().chain(training).collect())?;
        } else {
            network.load(&whole)?;
        }
        let steps = last.number("steps");
        let device = network.device().clone();
        optimizer.load(network.parameters(), &last.tensors, steps, &device)?;
        *batches = last.number("batches");
        self.records = records;
        self.best = best;
        let tally = Tally::load(last, self.plan.train.top_k);
        self.under_way = tally.map(|tally| (tally, last.number(BATCH) as usize));
        Ok(())
    }

    /// `checkpoint` of another trial that has all epochs until there in common with this one, which is at its
    /// beginning: as this one would have stored it.
    ///
    /// # Errors
    /// If an image cannot be decoded, or the device does not give what is missing.
    pub fn as_own(&mut self, checkpoint: &Checkpoint) -> Result<Checkpoint, TrainError> {
        let is_fixed = |name: &str| self.fixed.contains(without_training(name));
        let kept = checkpoint.tensors.iter().filter(|(name, _)| !is_fixed(name));
        let mut tensors: Weights =
            kept.map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
        // What never changes in the other trial, and begins to learn later in this one, is as it was at the beginning.
        let has_mean = checkpoint.in_training().is_some();
        let fixed = &self.fixed;
        let missing = |name: &str| !fixed.contains(name) && !checkpoint.tensors.contains_key(name);
        let missing = self.learner.network.weights_called(missing)?;
        if has_mean {
            tensors.extend(in_training(missing.clone()));
        }
        tensors.extend(missing);
        let words = checkpoint.words.iter();
        let mut words: BTreeMap<String, String> =
            words.map(|(name, word)| (name.clone(), word.clone())).collect();
        words.extend([self.card()?]);
        Ok(Checkpoint { tensors, words })
    }

    /// The epochs so far.
    pub fn records(&self) -> &[EpochRecord] {
        &self.records
    }

    /// The weights of the best epoch so far.
    pub fn best(&self) -> Option<&Weights> {
        self.best.as_ref()
    }

    /// How images reach the network.
    pub fn views(&self) -> &Arc<Views> {
        self.inputs.views()
    }

    /// Whether checkpoints leave out something, which never changes.
    pub fn leaves_out(&self) -> bool {
        !self.fixed.is_empty()
    }

    /// `weights`, which leave out what never changes, with that.
    pub fn whole(&mut self, weights: &Weights) -> Result<Weights, TrainError> {
        let mut whole = weights.clone();
        if !self.fixed.is_empty() {
            whole.extend(self.learner.network.weights_called(|name| self.fixed.contains(name))?);
        }
        Ok(whole)
    }

    /// What changes of the network's weights.
    fn moving(&mut self) -> Result<Weights, TrainError> {
        Ok(self.learner.network.weights_called(|name| !self.fixed.contains(name))?)
    }

    /// Has epoch `epoch`, counted from 1, begin: layers may begin to learn.
    fn begin(&mut self, epoch: usize) -> Result<(), TrainError> {
        let plan = &self.plan.model;
        self.learner.network.begin(plan, epoch);
        let prefix = plan.frozen_prefix(epoch);
        if prefix != self.inputs.from() {
            let extractor = match prefix {
                0 => None,
                layers => Some(Extractor::new(plan, layers, &mut self.learner.network)?),
            };
            self.inputs = Arc::new(self.inputs.behind(extractor, self.features.clone(), plan));
        }
        Ok(())
    }

    /// The network as it stands, for tests and tools.
    pub fn network(&mut self) -> &mut Network {
        &mut self.learner.network
    }

    /// Trains until the last epoch, an early stop or an interruption.
    pub fn run(&mut self, observer: &mut dyn Observer) -> Result<End, TrainError> {
        self.run_until(self.plan.train.epochs, observer)
    }

    /// Trains until so many epochs are done, or until there is another reason to end.
    pub fn run_until(
        &mut self,
        epochs: usize,
        observer: &mut dyn Observer,
    ) -> Result<End, TrainError> {
        while self.records.len() < epochs.min(self.plan.train.epochs) {
            if let Some(reason) = early_stop(&self.records, self.plan.train.early_stop.as_ref()) {
                return Ok(End::Completed(reason));
            }
            let Some(record) = self.epoch(observer)? else { return Ok(End::Interrupted) };
            self.records.push(record);
            let is_best = best_epoch(&self.records, self.plan.train.best)
                .is_none_or(|best| best + 1 == self.records.len());
            let last = self.checkpoint()?;
            if is_best {
                self.best = Some(last.weights());
            }
            let event = Event::Epoch { record: &record, is_best, last: &last };
            observer.notice(&event).map_err(TrainError::Observer)?;
        }
        match early_stop(&self.records, self.plan.train.early_stop.as_ref()) {
            Some(reason) => Ok(End::Completed(reason)),
            None if self.records.len() < self.plan.train.epochs => Ok(End::Paused),
            None => Ok(End::Completed(String::new())),
        }
    }

    /// One pass over the training images; none if interrupted.
    fn epoch(&mut self, observer: &mut dyn Observer) -> Result<Option<EpochRecord>, TrainError> {
        let plan = &self.plan.train;
        let epoch = self.records.len() + 1;
        let (dataset, train) = (&self.data.dataset, &self.data.split.train);
        let order = Order::new(dataset, train, &self.plan.data, self.plan.seed, epoch as u64);
        let nothing = || (Tally::new(self.plan.model.classes, plan.top_k, self.plan.data.task), 0);
        let (mut tally, done) = self.under_way.take().unwrap_or_else(nothing);
        self.begin(epoch)?;
        if epoch == 1 && done == 0 {
            self.fit_head()?;
        }
        let inputs = self.inputs.clone();
        let is_made = inputs.prepare_training(epoch as u64, &order.distinct())?;
        let maker = self.maker(is_made)?;
        let size = plan.batch_size_in(epoch);
        let images = order.images().len();
        let batches = plan.batches(images, size);
        let spread = Steps::of(plan, images);
        let make = |index: usize| {
            let index = done + index;
            let places = index * size..((index + 1) * size).min(images);
            inputs.training(epoch as u64, &order, places, index)
        };
        let take = |made: &mut Made| self.steps(observer, &mut tally, done..batches, &spread, made);
        let left = batches.saturating_sub(done);
        let Some(lr) = ahead(maker.as_deref(), left, make, take)? else { return Ok(None) };
        let Learner { averaged, network, .. } = &mut self.learner;
        let lacks_statistics = averaged.after_epoch(network, epoch)?;
        self.exchange()?;
        if lacks_statistics {
            self.estimate_statistics()?;
        }
        let split = self.data.split.clone();
        let validation = self.evaluate_on(&split.validation, 0)?.tally;
        self.exchange()?;
        Ok(Some(EpochRecord {
            epoch,
            steps: self.learner.optimizer.steps(),
            lr,
            train: tally.scores().unwrap_or(NOTHING),
            validation: validation.scores(),
        }))
    }

    /// A step on each of the batches `places` of an epoch, which reach to its end; the last learning
    /// rate, or none if interrupted. `spread` is that of all steps over the epochs.
    fn steps(
        &mut self,
        observer: &mut dyn Observer,
        tally: &mut Tally,
        places: Range<usize>,
        spread: &Steps,
        made: &mut Made,
    ) -> Result<Option<f64>, TrainError> {
        let plan = &self.plan.train;
        let epoch = self.records.len() + 1;
        let batches = places.end;
        let mut gathered: Option<Vec<Buffer>> = None;
        let mut lr = 0.0;
        for (index, made) in places.zip(made) {
            if observer.interrupts() {
                return Ok(None);
            }
            let made = made?;
            let (batch, images) = (index + 1, made.labels.len());
            let (loss, gradients) = self.train_on(made, tally, epoch, batch)?;
            match &mut gathered {
                empty @ None => *empty = Some(gradients),
                Some(sums) => {
                    let mut both = sums.iter_mut().zip(&gradients);
                    both.try_for_each(|(sum, more)| sum.add(more))?;
                }
            }
            let in_step = index % plan.accumulate + 1;
            if (in_step == plan.accumulate || batch == batches)
                && let Some(mut gradients) = gathered.take()
            {
                if in_step > 1 {
                    let share = 1.0 / in_step as f32;
                    gradients.iter_mut().try_for_each(|gradient| gradient.scale(share))?;
                }
                let factor =
                    Factor::new(plan, spread).at(self.learner.optimizer.steps(), &self.records);
                lr = self.learner.step(gradients, factor, epoch, spread)?;
            }
            let event = Event::Batch { epoch, batch, batches, images, loss };
            observer.notice(&event).map_err(TrainError::Observer)?;
            // Gradients that wait for their step are in no checkpoint.
            let is_between = gathered.is_none() && batch < batches;
            if is_between && observer.wants_checkpoint(self.learner.optimizer.steps()) {
                let mut checkpoint = self.checkpoint()?;
                checkpoint.words.insert(BATCH.to_owned(), batch.to_string());
                tally.save(&mut checkpoint);
                let event = Event::Checkpoint(&checkpoint);
                observer.notice(&event).map_err(TrainError::Observer)?;
            }
        }
        Ok(Some(lr))
    }

    /// The threads that make batches; none if they are made already.
    fn maker(&mut self, is_made: bool) -> Result<Option<Arc<ThreadPool>>, TrainError> {
        if !is_made && self.maker.is_none() {
            let threads = rayon::current_num_threads();
            let named = |index| format!("batches-{index}");
            let pool = ThreadPoolBuilder::new().num_threads(threads).thread_name(named).build()?;
            self.maker = Some(Arc::new(pool));
        }
        Ok(self.maker.clone().filter(|_| !is_made))
    }

    /// Exchanges the weights and their mean, if there is one.
    fn exchange(&mut self) -> Result<(), TrainError> {
        let Learner { averaged, network, .. } = &mut self.learner;
        Ok(averaged.exchange(network)?)
    }

    /// Loss and gradients of one batch. Predictions on mixed images count as right if they name the
    /// class, or the labels, of the larger part.
    fn train_on(
        &mut self,
        mut made: Batch,
        tally: &mut Tally,
        epoch: usize,
        batch: usize,
    ) -> Result<(f64, Vec<Buffer>), TrainError> {
        let pixels = std::mem::take(&mut made.pixels);
        let inputs = self.in_epoch(epoch, pixels, made.labels.len())?;
        let Batch { labels, partners, taught, .. } = &made;
        let larger = match partners {
            Some((partners, own)) if *own < 0.5 => partners,
            _ => labels,
        };
        let multi_hot = multi_hot(labels, partners.as_ref(), self.plan.model.classes);
        let targets = match (labels, partners) {
            (Labels::Several(_), _) => Targets::MultiHot(&multi_hot),
            (Labels::One(labels), Some((Labels::One(others), own))) => {
                Targets::Classes { labels, partners: Some((others, *own)) }
            }
            (Labels::One(labels), _) => Targets::Classes { labels, partners: None },
        };
        let from = self.inputs.from();
        let Learnt { sum, weight, logits, gradients } =
            self.learner.learn_from(from, &inputs, targets, taught.as_deref())?;
        let loss = sum / weight;
        if !loss.is_finite() {
            return Err(TrainError::NotFinite { epoch, batch, loss });
        }
        tally.add(&logits, larger, sum, weight);
        Ok((loss, gradients))
    }

    /// What the network sees of training images in epoch `epoch`.
    fn in_epoch(
        &self,
        epoch: usize,
        pixels: Vec<f32>,
        images: usize,
    ) -> Result<Tensor, TrainError> {
        let stages = &self.plan.train.progressive_resizing;
        let (Some(size), &[channels, height, width]) =
            (size_in(stages, epoch), &self.plan.model.input[..])
        else {
            return self.tensor(pixels, images);
        };
        let pixels = shrink(&pixels, [height, width], size);
        let shape = (images, channels, size[0], size[1]);
        Ok(Tensor::from_vec(pixels, shape, &candle_core::Device::Cpu)?)
    }

    fn tensor(&self, pixels: Vec<f32>, images: usize) -> Result<Tensor, TrainError> {
        let mut shape = vec![images];
        shape.extend_from_slice(self.inputs.shape().unwrap_or(&self.plan.model.input));
        Ok(Tensor::from_vec(pixels, shape, &candle_core::Device::Cpu)?)
    }

    /// The network as it stands, whole and without what training needs.
    pub fn network_alone(&mut self) -> Result<Checkpoint, TrainError> {
        let moving = self.moving()?;
        let tensors = self.whole(&moving)?;
        let mut words = self.checkpoint()?.words;
        let card = self.card()?.0;
        words.retain(|name, _| name == "epoch" || *name == card);
        Ok(Checkpoint { tensors, words })
    }

    fn card(&mut self) -> Result<(String, String), TrainError> {
        let card = match self.card.take() {
            Some(card) => card,
            None => Card::new(self.plan, &self.data)?.word(),
        };
        Ok(self.card.insert(card).clone())
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, TrainError> {
        let mut tensors = self.moving()?;
        if self.learner.averaged.has_begun() {
            // Whoever reads the checkpoint finds the mean under the names of the weights.
            self.exchange()?;
            let mean = self.moving()?;
            self.exchange()?;
            tensors = in_training(tensors).chain(mean).collect();
        }
        let Learner { optimizer, network, batches, .. } = &self.learner;
        tensors.extend(optimizer.state(network.parameters())?);
        let counts = [self.records.len() as u64, optimizer.steps(), *batches];
        let words = COUNTERS.into_iter().zip(counts);
        let words = words.map(|(name, number)| (name.to_owned(), number.to_string()));
        let words = words.chain([self.card()?]).collect();
        Ok(Checkpoint { tensors, words })
    }
}

/// Batches as they are made.
type Made<'a> = dyn Iterator<Item = Result<Batch, TrainError>> + 'a;

/// The word of a checkpoint that counts the batches of an epoch under way.
const BATCH: &str = "batch";

/// The scores of an empty training set, which the split does not allow.
const NOTHING: Scores =
    Scores { loss: 0.0, accuracy: 0.0, top_k: 0.0, precision: 0.0, recall: 0.0, f1: 0.0 };

/// What a batch of images with several labels should say, `[images, classes]`; empty where each has one label. A mixture
/// has of each label the part that is of images with it.
fn multi_hot(labels: &Labels, partners: Option<&(Labels, f64)>, classes: usize) -> Vec<f32> {
    if !labels.are_several() {
        return Vec::new();
    }
    let mut targets = labels.multi_hot(classes);
    if let Some((partners, own)) = partners {
        for (target, other) in targets.iter_mut().zip(partners.multi_hot(classes)) {
            *target = (own * f64::from(*target) + (1.0 - own) * f64::from(other)) as f32;
        }
    }
    targets
}

fn class_weights(plan: &Plan, data: &TrialData) -> Option<Vec<f64>> {
    match &plan.train.class_weights {
        ClassWeights::None => None,
        ClassWeights::By(weights) => Some(weights.clone()),
        ClassWeights::Balanced => {
            let mut counts = vec![0usize; plan.model.classes];
            for image in &data.split.train {
                for label in data.dataset.labels_of(*image) {
                    counts[*label as usize] += 1;
                }
            }
            let total = data.split.train.len() as f64;
            if plan.data.task.is_multi_label() {
                // As many images as have the label not, for each that has it.
                let odds =
                    |count: &usize| (total - *count as f64).max(1.0) / (*count).max(1) as f64;
                return Some(counts.iter().map(odds).collect());
            }
            let share =
                |count: &usize| total / (plan.model.classes as f64 * (*count).max(1) as f64);
            Some(counts.iter().map(share).collect())
        }
    }
}

//! How a sweep stands, as told by its events. What is shown is made from this.

use std::collections::BTreeMap;

use crate::basis::device::Device;
use crate::basis::naming::short;
use crate::basis::record::{EpochRecord, Metric, Outcome, Status};
use crate::plan::stage::StageTree;
use crate::plan::sweep::{Experiment, Trial};
use crate::sweep::runner::SweepEvent;
use crate::sweep::trial::Ended;
use crate::train::stopping::value;
use crate::train::trainer::Event;

use super::eta::{Pace, to_go};

/// A sweep on its way.
pub(super) struct Situation {
    /// The name of the experiment.
    pub(super) name: String,
    /// Trials of the sweep.
    pub(super) total: usize,
    /// Trials that were done before this run.
    pub(super) done: usize,
    /// Trials that this run completed.
    pub(super) completed: usize,
    /// Trials that this run pruned.
    pub(super) pruned: usize,
    /// Trials that failed in this run.
    pub(super) failed: usize,
    /// Reasons of failures, each with the trial that was the first to fail for it.
    failures: BTreeMap<String, usize>,
    /// The metric that trials are compared by.
    pub(super) metric: Metric,
    /// The paths of what is swept.
    pub(super) axes: Vec<String>,
    /// Trials of this run that have not ended, by number.
    pub(super) courses: BTreeMap<usize, Course>,
    /// The best of the trials that have ended.
    best: Option<Best>,
    /// What axes are called where room is short.
    names: Vec<String>,
    /// Whether the seed tells trials apart.
    seeds_differ: bool,
    /// Trials that this run has not started, among them those that were done before.
    unseen: usize,
    /// Their work, without epochs that they have in common with earlier trials.
    unseen_work: f64,
    /// Epochs that each trial has in common with an earlier one; empty where no trial has any.
    in_common: Vec<usize>,
    /// The work of all trials.
    work: f64,
    pace: Pace,
    /// The most trials that ran at once.
    workers: usize,
}

/// A trial on its way.
pub(super) struct Course {
    /// Its settings in words.
    pub(super) settings: String,
    /// Epochs of the plan.
    pub(super) epochs: usize,
    /// Epochs done, with the part that is done of the one under way.
    pub(super) position: f64,
    /// The loss of the last batch.
    pub(super) loss: Option<f64>,
    /// Images per second in the epoch under way or the last one.
    pub(super) rate: Option<f64>,
    /// The trial's metric after each epoch of this run.
    pub(super) series: Vec<f64>,
    /// Whether it runs, or stands where it was left.
    pub(super) is_running: bool,
    /// Where it runs or ran.
    pub(super) device: Device,
    /// The best value so far of the metric that trials are compared by.
    best: Option<f64>,
    /// Work of an epoch.
    work: f64,
    pace: Pace,
    /// When it started.
    since: f64,
    /// When its epoch began.
    epoch_since: f64,
    /// When its last event was; none before the first.
    at: Option<f64>,
    /// When the first batch of the epoch was done, and images since.
    images_since: (f64, usize),
}

/// The best trial.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Best {
    /// Its value of the metric that trials are compared by.
    pub(super) value: f64,
    /// Its number.
    pub(super) trial: usize,
    /// Its settings in words.
    pub(super) settings: String,
}

impl Situation {
    /// Nothing has happened yet, but that `done` trials were done before.
    pub(super) fn new(experiment: &Experiment, done: usize) -> Situation {
        let Experiment { name, axes, trials, .. } = experiment;
        let first = trials.first().map(|trial| &trial.plan);
        let seed = first.map(|plan| plan.seed);
        let in_common = in_common(experiment);
        let work = trials.iter().map(|trial| own_work(trial, &in_common)).sum();
        Situation {
            name: name.clone(),
            total: trials.len(),
            done,
            completed: 0,
            pruned: 0,
            failed: 0,
            failures: BTreeMap::new(),
            metric: first.map_or(Metric::ValAccuracy, |plan| plan.train.best),
            axes: axes.clone(),
            courses: BTreeMap::new(),
            best: None,
            names: axes.iter().map(|axis| short(axis, axes)).collect(),
            seeds_differ: trials.iter().any(|trial| Some(trial.plan.seed) != seed),
            unseen: trials.len(),
            in_common,
            unseen_work: work,
            work,
            pace: Pace::default(),
            workers: 0,
        }
    }

    /// Takes notice of an event at `now` seconds of this run. Gives the seconds of what has ended: an
    /// epoch, or the trial since it was last started.
    pub(super) fn notice(&mut self, event: &SweepEvent, now: f64) -> f64 {
        match event {
            SweepEvent::Started(trial, slot) => {
                if !self.courses.contains_key(&trial.number) {
                    self.unseen = self.unseen.saturating_sub(1);
                    self.unseen_work -= own_work(trial, &self.in_common);
                    self.courses.insert(trial.number, Course::new(trial, self.words(trial)));
                }
                if let Some(course) = self.courses.get_mut(&trial.number) {
                    course.is_running = true;
                    course.device = slot.device;
                    (course.since, course.epoch_since, course.at) = (now, now, None);
                }
                self.workers = self.workers.max(self.running().count());
                0.0
            }
            SweepEvent::In(trial, event) => {
                let Some(course) = self.courses.get_mut(&trial.number) else { return 0.0 };
                let (work, seconds) = match event {
                    Event::Batch { epoch, batch, batches, images, loss } => {
                        course.loss = Some(*loss);
                        course.count(*batch, *images, now);
                        course.advance((epoch - 1) as f64 + *batch as f64 / *batches as f64, now)
                    }
                    Event::Checkpoint(_) => return 0.0,
                    Event::Epoch { record, .. } => {
                        course.take(record, trial.plan.train.best, self.metric);
                        course.advance(record.epoch as f64, now)
                    }
                };
                self.pace.add(work, seconds);
                match event {
                    Event::Batch { .. } | Event::Checkpoint(_) => 0.0,
                    Event::Epoch { .. } => now - std::mem::replace(&mut course.epoch_since, now),
                }
            }
            SweepEvent::Trained(trial) => {
                if let Some(course) = self.courses.get_mut(&trial.number) {
                    course.is_running = false;
                }
                0.0
            }
            SweepEvent::Ended(trial, ended) => {
                let since = self.courses.get(&trial.number).map_or(now, |course| course.since);
                match ended {
                    Ended::Interrupted | Ended::Paused => {
                        if let Some(course) = self.courses.get_mut(&trial.number) {
                            course.is_running = false;
                        }
                    }
                    Ended::With(outcome) => {
                        self.courses.remove(&trial.number);
                        self.end(trial, outcome);
                    }
                }
                now - since
            }
            SweepEvent::Pruned(trial, ..) => {
                if self.courses.remove(&trial.number).is_none() {
                    self.unseen = self.unseen.saturating_sub(1);
                    self.unseen_work -= own_work(trial, &self.in_common);
                }
                self.pruned += 1;
                0.0
            }
            SweepEvent::Damaged(..) => 0.0,
        }
    }

    /// A search has suggested further trials: those of `experiment` behind the ones that are known.
    pub(super) fn extend(&mut self, experiment: &Experiment) {
        let further = &experiment.trials[self.total.min(experiment.trials.len())..];
        self.in_common = in_common(experiment);
        let work = further.iter().map(|trial| own_work(trial, &self.in_common)).sum::<f64>();
        self.total += further.len();
        self.unseen += further.len();
        self.unseen_work += work;
        self.work += work;
    }

    fn end(&mut self, trial: &Trial, outcome: &Outcome) {
        if outcome.status == Status::Failed {
            self.failed += 1;
            self.failures.entry(outcome.reason.clone()).or_insert(trial.number);
            return;
        }
        self.completed += 1;
        // The best epoch may be one of an earlier run, so the outcome tells, not the course.
        let Some(value) = value(self.metric, outcome) else { return };
        if is_better(self.metric, value, self.best.as_ref().map(|best| best.value)) {
            self.best = Some(Best { value, trial: trial.number, settings: self.words(trial) });
        }
    }

    /// The first trial of this run that failed for `reason`.
    pub(super) fn first_failure(&self, reason: &str) -> Option<usize> {
        self.failures.get(reason).copied()
    }

    /// Trials that run, by number.
    pub(super) fn running(&self) -> impl Iterator<Item = (usize, &Course)> {
        self.courses.iter().filter(|(_, course)| course.is_running).map(|(n, course)| (*n, course))
    }

    /// Trials that are done, however they ended.
    pub(super) fn ended(&self) -> usize {
        self.done + self.completed + self.pruned + self.failed
    }

    /// The best trial of this run so far. One that fails does not count.
    pub(super) fn best(&self) -> Option<Best> {
        let mut best = self.best.clone();
        for (trial, course) in &self.courses {
            let Some(value) = course.best else { continue };
            if is_better(self.metric, value, best.as_ref().map(|best| best.value)) {
                best = Some(Best { value, trial: *trial, settings: course.settings.clone() });
            }
        }
        best
    }

    /// Part of the sweep's work that is done, earlier runs' included.
    pub(super) fn part_done(&self) -> f64 {
        let left = self.courses.values().map(Course::left).sum::<f64>() + self.waiting();
        if self.work > 0.0 { (1.0 - left / self.work).clamp(0.0, 1.0) } else { 1.0 }
    }

    /// Seconds to go; none before there is something to tell by.
    pub(super) fn eta(&self) -> Option<f64> {
        let left = self.courses.values().map(|course| {
            // A trial's own pace counts as soon as it has been through a whole epoch.
            let pace = if course.series.is_empty() { self.pace } else { course.pace };
            pace.seconds_for(course.left())
        });
        let left: Vec<f64> = left.collect::<Option<_>>()?;
        Some(to_go(&left, self.pace.seconds_for(self.waiting())?, self.workers))
    }

    /// The work of trials that wait for their start. Which of the unseen were done before is not known:
    /// as many as wait are taken to be average.
    fn waiting(&self) -> f64 {
        let count = self.unseen.saturating_sub(self.done);
        if count > 0 { self.unseen_work * count as f64 / self.unseen as f64 } else { 0.0 }
    }

    /// What tells a trial from others, in words, on one line.
    fn words(&self, trial: &Trial) -> String {
        let pairs = self.names.iter().zip(trial.settings.iter());
        let mut words: Vec<String> =
            pairs.map(|(name, value)| format!("{name} = {value}")).collect();
        if self.seeds_differ {
            words.push(format!("seed = {}", trial.plan.seed));
        }
        if let Some(fold) = trial.plan.data.fold {
            words.push(format!("fold = {}", fold.index + 1));
        }
        words.join(", ").replace(char::is_control, " ")
    }
}

impl Course {
    fn new(trial: &Trial, settings: String) -> Course {
        Course {
            settings,
            epochs: trial.plan.train.epochs,
            position: 0.0,
            loss: None,
            rate: None,
            series: Vec::new(),
            is_running: true,
            device: Device::Cpu,
            best: None,
            work: epoch_work(trial),
            pace: Pace::default(),
            since: 0.0,
            epoch_since: 0.0,
            at: None,
            images_since: (0.0, 0),
        }
    }

    /// Goes on to `position`. Gives the work that was done, and the seconds that it took.
    fn advance(&mut self, position: f64, now: f64) -> (f64, f64) {
        // What is before the first event, such as the decoding of images, happens once.
        let (work, seconds) = match self.at {
            Some(at) => ((position - self.position) * self.work, now - at),
            None => (0.0, 0.0),
        };
        self.pace.add(work, seconds);
        (self.position, self.at) = (position, Some(now));
        (work, seconds)
    }

    fn count(&mut self, batch: usize, images: usize, now: f64) {
        // Nothing tells when the first batch of an epoch began.
        if batch == 1 {
            self.images_since = (now, 0);
            return;
        }
        self.images_since.1 += images;
        let (since, images) = self.images_since;
        if now > since {
            self.rate = Some(images as f64 / (now - since));
        }
    }

    fn take(&mut self, record: &EpochRecord, own: Metric, compared: Metric) {
        self.series.push(own.of(record).unwrap_or(f64::NAN));
        if let Some(value) = compared.of(record)
            && is_better(compared, value, self.best)
        {
            self.best = Some(value);
        }
    }

    fn left(&self) -> f64 {
        (self.epochs as f64 - self.position).max(0.0) * self.work
    }
}

/// The work of an epoch. A network without products has some all the same.
fn epoch_work(trial: &Trial) -> f64 {
    trial.plan.model.flops().max(1) as f64
}

/// Epochs that each trial has in common with an earlier one, where these are shared; empty where none are.
fn in_common(experiment: &Experiment) -> Vec<usize> {
    let Some(_) = experiment.run.stage_cache else { return Vec::new() };
    let tree = StageTree::new(&experiment.trials);
    match tree.is_empty() {
        true => Vec::new(),
        false => (0..experiment.trials.len()).map(|index| tree.in_common(index)).collect(),
    }
}

/// Work of the epochs that no earlier trial has trained.
fn own_work(trial: &Trial, in_common: &[usize]) -> f64 {
    let common = in_common.get(trial.number - 1).copied().unwrap_or(0);
    trial.plan.train.epochs.saturating_sub(common) as f64 * epoch_work(trial)
}

/// Whether `value` is the best so far. NaN never is.
fn is_better(metric: Metric, value: f64, best: Option<f64>) -> bool {
    !value.is_nan() && best.is_none_or(|best| metric.improves(value, best, 0.0))
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::{batch, completed, epoch, experiment, failed, record, started};
    use super::*;

    /// Trial `index` from its start at `from` to the end of its first epoch, `seconds` after its
    /// first batch.
    fn one_epoch(
        situation: &mut Situation,
        experiment: &Experiment,
        index: usize,
        from: f64,
        seconds: f64,
    ) {
        let trial = &experiment.trials[index];
        situation.notice(&started(trial), from);
        situation.notice(&SweepEvent::In(trial, &batch(1, 1)), from + 1.0);
        let record = record(1, 0.5, Some(0.5));
        situation.notice(&SweepEvent::In(trial, &epoch(&record)), from + 1.0 + seconds);
    }

    #[test]
    fn after_the_first_epoch_the_time_to_go_is_known() {
        // Four trials of two epochs by one worker; three quarters of an epoch took 3 seconds.
        let experiment = experiment(&[]);
        let mut situation = Situation::new(&experiment, 0);
        assert_eq!(situation.eta(), None);
        one_epoch(&mut situation, &experiment, 0, 10.0, 3.0);
        assert_close(situation.eta(), 7.0 * 4.0);
        assert_close(Some(situation.part_done()), 1.0 / 8.0);
        // A second worker takes half of what is left.
        one_epoch(&mut situation, &experiment, 1, 10.0, 3.0);
        assert_close(situation.eta(), 6.0 * 4.0 / 2.0);
    }

    #[test]
    fn a_trial_goes_by_its_own_pace_and_those_that_wait_by_that_of_all() {
        let experiment = experiment(&[]);
        let mut situation = Situation::new(&experiment, 0);
        one_epoch(&mut situation, &experiment, 0, 0.0, 3.0);
        one_epoch(&mut situation, &experiment, 1, 0.0, 9.0);
        // 4 and 12 seconds for the epochs under way, 8 for each of four that wait, by two workers.
        assert_close(situation.eta(), (4.0 + 12.0 + 4.0 * 8.0) / 2.0);
    }

    #[test]
    fn the_longest_trial_is_waited_for() {
        let experiment = experiment(&["train.epochs=100"]);
        let mut situation = Situation::new(&experiment, 2);
        one_epoch(&mut situation, &experiment, 0, 0.0, 3.0);
        one_epoch(&mut situation, &experiment, 1, 0.0, 9.0);
        assert_close(situation.eta(), 99.0 * 12.0);
    }

    #[test]
    fn what_was_done_before_is_no_work_and_what_is_resumed_only_what_is_left() {
        let experiment = experiment(&["train.epochs=10"]);
        let mut situation = Situation::new(&experiment, 3);
        assert_close(Some(situation.part_done()), 0.75);
        let trial = &experiment.trials[3];
        situation.notice(&started(trial), 0.0);
        situation.notice(&SweepEvent::In(trial, &batch(9, 2)), 5.0);
        situation.notice(&SweepEvent::In(trial, &batch(9, 4)), 6.0);
        assert_close(situation.eta(), 2.0);
        situation.notice(&SweepEvent::Ended(trial, &completed(None)), 9.0);
        assert_eq!((situation.eta(), situation.ended()), (Some(0.0), 4));
        assert_close(Some(situation.part_done()), 1.0);
    }

    #[test]
    fn networks_of_other_costs_take_as_much_longer() {
        let experiment = experiment(&["sweep.grid={ \"model.layers.conv1.conv\" = [8, 64] }"]);
        let flops = |index: usize| experiment.trials[index].plan.model.flops() as f64;
        let mut situation = Situation::new(&experiment, 0);
        one_epoch(&mut situation, &experiment, 0, 0.0, 3.0);
        assert_close(situation.eta(), 4.0 + 2.0 * 4.0 * flops(1) / flops(0));
    }

    #[test]
    fn the_best_is_of_running_and_completed_trials_but_not_of_failed_ones() {
        let experiment = experiment(&[]);
        let mut situation = Situation::new(&experiment, 0);
        let [first, second, ..] = &experiment.trials[..] else { panic!("four trials") };
        let best = |situation: &Situation| situation.best().map(|best| (best.trial, best.value));
        for (trial, accuracy) in [(first, f64::NAN), (second, 0.75)] {
            let record = record(1, 0.5, Some(accuracy));
            situation.notice(&started(trial), 0.0);
            situation.notice(&SweepEvent::In(trial, &epoch(&record)), 1.0);
        }
        assert_eq!(best(&situation), Some((2, 0.75)));
        situation.notice(&SweepEvent::Ended(first, &completed(Some(0.5))), 2.0);
        assert_eq!(best(&situation), Some((2, 0.75)));
        situation.notice(&SweepEvent::Ended(second, &failed("so")), 2.0);
        assert_eq!(best(&situation), Some((1, 0.5)));
        assert_eq!((situation.completed, situation.failed), (1, 1));
    }

    #[test]
    fn a_trained_trial_leaves_its_place_to_the_next_one_and_ends_when_it_is_stored() {
        let experiment = experiment(&[]);
        let mut situation = Situation::new(&experiment, 0);
        let [first, second, ..] = &experiment.trials[..] else { panic!("four trials") };
        situation.notice(&started(first), 0.0);
        situation.notice(&SweepEvent::Trained(first), 1.0);
        situation.notice(&started(second), 1.0);
        assert_eq!((situation.running().count(), situation.workers, situation.ended()), (1, 1, 0));
        let seconds = situation.notice(&SweepEvent::Ended(first, &completed(Some(0.5))), 2.0);
        assert_eq!((seconds, situation.running().count(), situation.ended()), (2.0, 1, 1));
    }

    #[test]
    fn a_trial_that_is_left_and_started_again_goes_on_where_it_was() {
        let experiment = experiment(&[]);
        let mut situation = Situation::new(&experiment, 0);
        let trial = &experiment.trials[0];
        one_epoch(&mut situation, &experiment, 0, 0.0, 3.0);
        let seconds = situation.notice(&SweepEvent::Ended(trial, &Ended::Interrupted), 4.5);
        assert_eq!((seconds, situation.running().count(), situation.ended()), (4.5, 0, 0));
        situation.notice(&started(trial), 100.0);
        situation.notice(&SweepEvent::In(trial, &batch(2, 1)), 101.0);
        let record = record(2, 0.5, Some(0.75));
        let seconds = situation.notice(&SweepEvent::In(trial, &epoch(&record)), 104.0);
        let (_, course) = situation.running().next().unwrap();
        assert_eq!((seconds, &course.series[..]), (4.0, &[0.5, 0.75][..]));
        // The pause counts for nothing: what is left are three trials of two epochs of 4 seconds.
        assert_close(situation.eta(), 3.0 * 2.0 * 4.0);
    }

    #[test]
    fn seeds_and_folds_are_named_where_they_tell_trials_apart() {
        let experiment = experiment(&["sweep.grid={}", "sweep.seeds=2", "sweep.folds=2"]);
        let situation = Situation::new(&experiment, 0);
        assert_eq!(situation.words(&experiment.trials[1]), "seed = 123, fold = 2");
        assert_eq!(situation.words(&experiment.trials[2]), "seed = 124, fold = 1");
    }

    fn assert_close(found: Option<f64>, expected: f64) {
        let found = found.expect("something is known");
        assert!((found - expected).abs() < 1e-9 * expected.max(1.0), "{found}, not {expected}");
    }
}

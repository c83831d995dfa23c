//! A trial as the page shows it, and how it is followed while it runs.
//!
//! While nothing happens in a trial's folder, one look at the folder is all that is done: the system gives it another date
//! when a file in it is made or replaced, and whoever takes the trial up makes some. Only a trial that runs is looked at
//! more closely, since rows are added to its table without that.

use crate::analysis::{Answers, Measure, State, Trial};
use crate::basis::record::{EpochRecord, Outcome, Status};
use crate::data::Stamp;
use crate::results::layout::OUTCOME;
use crate::results::timings::Timing;
use crate::sweep::store::{Followed, Growth, TrialStore, host};

use super::curve::Curve;

/// Bytes of a table of epochs that is read: a million epochs.
const BYTES: u64 = 256 << 20;
/// A trial.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) number: usize,
    pub(super) digest: String,
    pub(super) shown: Shown,
    /// The version since which it is so.
    pub(super) changed: u64,
    pub(super) curve: Curve,
    /// Where it is followed; none if the tables say how it ended.
    following: Option<Following>,
}

/// What the page shows of a trial.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Shown {
    pub(super) state: State,
    pub(super) reason: String,
    /// The machine that it runs on, if that is another one.
    pub(super) place: String,
    /// Finished epochs.
    pub(super) epochs: usize,
    pub(super) planned: Option<usize>,
    /// The best epoch so far, with its value.
    pub(super) best: Option<(usize, f64)>,
    pub(super) seconds: Option<f64>,
    /// Epochs that were taken over from a trial that begins alike.
    pub(super) shared: usize,
}

/// How a trial is followed.
#[derive(Debug)]
struct Following {
    store: TrialStore,
    folder: Option<Stamp>,
    /// Whether it was another one at the last look. A date has steps of some milliseconds, so that what happens in the
    /// one in which somebody looks does not change it: the next look is a close one too.
    is_fresh: bool,
    epochs: Followed,
    /// When somebody was asked last whether it runs.
    asked: f64,
    outcome_file: Option<Stamp>,
    outcome: Option<Outcome>,
    /// Whether the outcome has been told.
    is_told: bool,
}

/// What a look at a trial has come to.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Whether there are other files in its folder.
    pub(super) has_other_files: bool,
    /// Whether its end is another one.
    pub(super) has_ended: bool,
}

impl Course {
    /// The trial `trial` of which nothing is known yet, with room for so many `points`.
    pub(super) fn new(trial: &Trial, points: usize) -> Course {
        Course {
            number: trial.number,
            digest: trial.digest.clone(),
            shown: Shown {
                state: State::ToRun,
                reason: String::new(),
                place: String::new(),
                epochs: 0,
                planned: None,
                best: None,
                seconds: None,
                shared: 0,
            },
            changed: 0,
            curve: Curve::new(points),
            following: None,
        }
    }

    /// How it ended, if its folder says so and the tables do not yet.
    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.following.as_ref()?.outcome.as_ref().filter(|_| self.shown.state.has_ended())
    }

    /// Whether it is followed in a folder.
    pub(super) fn has_folder(&self) -> bool {
        self.following.as_ref().is_some_and(|following| following.folder.is_some())
    }

    /// Takes what the tables say of it, as `trial`, for the version `version`.
    pub(super) fn take(&mut self, trial: &Trial, answers: &Answers, version: u64) {
        let before = self.shown.clone();
        self.shown.planned = answers.planned(trial);
        self.shown.seconds = trial.seconds.or(self.shown.seconds);
        let curve = answers.curve(trial);
        let is_over = trial.is_completed() || trial.status == Status::Pruned.name();
        if is_over {
            self.following = None;
            (self.shown.state, self.shown.reason) =
                State::of(trial, false, None, self.shown.planned, curve.len());
            self.shown.place.clear();
        } else {
            let folder = answers.folder(trial);
            let is_same = self.following.as_ref().is_some_and(|it| it.store.folder() == folder);
            if !is_same {
                self.following = Some(Following {
                    store: TrialStore::at(folder),
                    folder: None,
                    is_fresh: false,
                    epochs: Followed::default(),
                    asked: f64::NEG_INFINITY,
                    outcome_file: None,
                    outcome: None,
                    is_told: false,
                });
                self.shown.state = match trial.status == Status::Failed.name() {
                    true => State::Failed,
                    false => State::ToRun,
                };
                self.shown.reason = trial.reason.clone();
            }
        }
        // Where it is followed, the trial's own table says more.
        let is_followed = self.following.as_ref().is_some_and(|it| it.store.folder().is_dir());
        if !is_followed && curve.len() != self.shown.epochs {
            if curve.len() < self.shown.epochs {
                self.curve.clear(version);
                self.shown.epochs = 0;
            }
            for (index, values) in curve.iter().enumerate().skip(self.shown.epochs) {
                self.curve.push(index + 1, *values, version);
            }
            self.shown.epochs = curve.len();
        }
        if is_over || !is_followed {
            let value = trial.at_best(answers.measure);
            self.shown.best = value.map(|value| (trial.best_epoch, value));
            if let Some(first) = trial.trained_from {
                self.shown.shared = (first - 1).min(self.shown.epochs);
            }
        }
        if self.shown != before {
            self.changed = version;
        }
    }

    /// Looks at its folder, `now` seconds after the start, where the tables have it as `trial`. Whether a process still
    /// works on it is asked again after `pause` seconds.
    pub(super) fn look(
        &mut self,
        trial: &Trial,
        measure: Measure,
        version: u64,
        now: f64,
        pause: f64,
    ) -> Seen {
        let mut seen = Seen::default();
        let Some(following) = &mut self.following else { return seen };
        let folder = Stamp::of(following.store.folder());
        let is_fresh = folder != following.folder;
        let is_other = is_fresh || following.is_fresh;
        following.is_fresh = is_fresh;
        let is_running = self.shown.state == State::Running;
        if !is_other && !is_running {
            return seen;
        }
        seen.has_other_files = is_other;
        following.folder = folder;
        let growth = following.store.follow(&mut following.epochs, BYTES);
        // A process that has written how its trial ended lets it go next.
        let is_due = now - following.asked >= pause || following.outcome.is_some();
        let mut is_locked = is_running;
        let mut place = self.shown.place.clone();
        if is_other || is_due {
            following.asked = now;
            is_locked = following.store.is_locked();
        }
        if is_other {
            let file = Stamp::of(&following.store.folder().join(OUTCOME));
            if file != following.outcome_file {
                following.outcome_file = file;
                following.outcome = file.and_then(|_| following.store.outcome());
                following.is_told = false;
            }
            place = following.store.host().filter(|there| *there != host()).unwrap_or_default();
        }
        if !is_locked {
            place.clear();
        }
        let mut is_changed = place != self.shown.place || growth != Growth::None;
        self.shown.place = place;
        match growth {
            Growth::None => {}
            Growth::By(records) => self.grow(&records, measure, version),
            Growth::Anew(records) => {
                self.curve.clear(version);
                (self.shown.epochs, self.shown.best, self.shown.shared) = (0, None, 0);
                self.grow(&records, measure, version);
            }
        }
        let Some(following) = &mut self.following else { return seen };
        let outcome = following.outcome.as_ref();
        let (state, reason) =
            State::of(trial, is_locked, outcome, self.shown.planned, self.shown.epochs);
        is_changed |= (state, &reason) != (self.shown.state, &self.shown.reason);
        let has_ended = state.has_ended() && outcome.is_some();
        (self.shown.state, self.shown.reason) = (state, reason);
        seen.has_ended = has_ended && !following.is_told;
        following.is_told |= has_ended;
        if is_changed {
            let timings = following.store.timings();
            self.take_timings(&timings);
            self.changed = version;
        }
        seen
    }

    /// Takes further epochs.
    fn grow(&mut self, records: &[EpochRecord], measure: Measure, version: u64) {
        let known = self.shown.epochs;
        for record in records.iter().filter(|record| record.epoch > known) {
            let validation = record.validation.as_ref();
            let values = [
                record.train.loss,
                record.train.accuracy,
                validation.map_or(f64::NAN, |scores| scores.loss),
                validation.map_or(f64::NAN, |scores| scores.accuracy),
            ];
            self.curve.push(record.epoch, values, version);
            self.shown.epochs = record.epoch;
            if let Some(value) = measure.of(record).filter(|value| value.is_finite())
                && self.shown.best.is_none_or(|(_, best)| measure.improves(value, best))
            {
                self.shown.best = Some((record.epoch, value));
            }
        }
    }

    /// Takes what the clock said.
    fn take_timings(&mut self, timings: &[Timing]) {
        let finite = || timings.iter().map(|timing| timing.seconds).filter(|it| it.is_finite());
        self.shown.seconds = finite().next().map(|_| finite().sum());
        let trained = timings.iter().map(|timing| timing.epoch).filter(|epoch| *epoch > 0);
        self.shown.shared = match trained.min() {
            Some(first) => (first - 1).min(self.shown.epochs),
            // Time beside the epochs alone: all were there already.
            None if !timings.is_empty() && self.shown.state.has_ended() => self.shown.epochs,
            None => 0,
        };
    }
}

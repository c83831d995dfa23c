//! A results folder as it is now, and since which version each part of it is so.
//!
//! Everything is read by those who read it for other commands: the tables by [`Answers`], the trials by their
//! [store](crate::sweep::store). A version is a look that has found something new.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::analysis::{Answers, State};
use crate::basis::naming::short;
use crate::basis::number::number;
use crate::data::Stamp;
use crate::results::layout::{self, EXPERIMENT, HASHES, REPORT};
use crate::results::table::TableError;
use crate::results::{metrics, timings, trials};
use crate::sweep::clock::Stopwatch;

use super::course::{Course, Seen};
use super::pictures::Pictures;
use super::ranking::ranking;

/// Trials that are shown one by one.
const TRIALS: usize = 10_000;
/// Points of curves together, and of one of them.
const POINTS: usize = 250_000;
const POINTS_OF_ONE: std::ops::Range<usize> = 24..512;
/// Bytes of a table that is read.
const BYTES: u64 = 1 << 30;
/// Seconds from one look to the next, at least.
const EVERY: f64 = 0.4;
/// Tables and the ranking are worked out again at most in this part of the time.
const SHARE: f64 = 0.05;
/// Trials whose end is known and whose folders are looked at again, at each look.
const AGAIN: usize = 16;
/// Seconds until it is asked again whether a trial still runs, at least; and how many are asked in a second.
const PAUSE: f64 = 2.0;
const ASKED: f64 = 50.0;

/// What the page shows once for all trials.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) value: Value,
    /// The version since which it is so.
    pub(super) since: u64,
}

impl Part {
    fn new() -> Part {
        Part { value: Value::Null, since: 0 }
    }

    /// Takes a value, if it is another one: whether it is.
    fn set(&mut self, value: Value, version: u64) -> bool {
        let is_other = self.value != value;
        if is_other {
            *self = Part { value, since: version };
        }
        is_other
    }
}

/// A results folder as it is now.
#[derive(Debug)]
pub(super) struct Live {
    root: PathBuf,
    clock: Stopwatch,
    looked: f64,
    /// The last look that has found something new.
    pub(super) version: u64,
    /// The version since which trials are counted as they are: all others before it are of no use.
    pub(super) begun: u64,
    tables: [Option<Stamp>; 4],
    /// The folder of the trials' folders, and whether it was another one at the last look.
    trials: (Option<Stamp>, bool),
    /// When the tables were read, and how long that took.
    read: (f64, f64),
    /// The same of the ranking.
    ranked: (f64, f64),
    is_unranked: bool,
    answers: Option<Answers>,
    pub(super) courses: Vec<Course>,
    /// The next trial whose folder is looked at again for pictures.
    next: usize,
    pictures: Pictures,
    pub(super) head: Part,
    pub(super) counts: Part,
    pub(super) ranking: Part,
    pub(super) album: Part,
    pub(super) notice: Part,
    pub(super) has_report: Part,
}

/// What went by since `then`, if what took `cost` seconds is to take no more than its share.
fn is_due(now: f64, (then, cost): (f64, f64)) -> bool {
    now - then >= cost / SHARE
}

impl Live {
    /// The folder `root`, which nobody has looked at yet.
    pub(super) fn new(root: PathBuf) -> Live {
        Live {
            root,
            clock: Stopwatch::start(),
            looked: f64::NEG_INFINITY,
            version: 0,
            begun: 0,
            tables: [None; 4],
            trials: (None, true),
            read: (f64::NEG_INFINITY, 0.0),
            ranked: (f64::NEG_INFINITY, 0.0),
            is_unranked: false,
            answers: None,
            courses: Vec::new(),
            next: 0,
            pictures: Pictures::default(),
            head: Part::new(),
            counts: Part::new(),
            ranking: Part::new(),
            album: Part::new(),
            notice: Part::new(),
            has_report: Part::new(),
        }
    }

    /// The file of a picture, and its type.
    pub(super) fn picture(&self, number: usize) -> Option<(PathBuf, &'static str)> {
        self.pictures.file(number)
    }

    /// Looks what is new, unless somebody just has.
    pub(super) fn look(&mut self) {
        let now = self.clock.seconds();
        if now - self.looked < EVERY {
            return;
        }
        self.looked = now;
        let version = self.version + 1;
        if self.look_at_all(version, now) {
            self.version = version;
        }
    }

    /// Whether anything is new, which is marked with `version`.
    fn look_at_all(&mut self, version: u64, now: f64) -> bool {
        let mut is_new = false;
        let tables = [trials::FILE, metrics::FILE, timings::FILE, EXPERIMENT]
            .map(|name| Stamp::of(&self.root.join(name)));
        if (tables != self.tables || self.version == 0) && is_due(now, self.read) {
            self.read_tables(version);
            self.tables = tables;
            self.read = (now, self.clock.seconds() - now);
            is_new = true;
        }
        let has_report = Stamp::of(&self.root.join(REPORT)).is_some();
        is_new |= self.has_report.set(json!(has_report), version);
        let mut has_pictures = self.pictures.look(&self.root);
        has_pictures |= self.follow(version, now);
        if self.is_unranked && is_due(now, self.ranked) {
            self.rank(version);
            is_new = true;
        }
        if has_pictures {
            let pictures = self.pictures.all();
            let pictures: Vec<Value> =
                pictures.map(|(number, it)| json!([number, it.name, it.edition])).collect();
            is_new |= self.album.set(pictures.into(), version);
        }
        is_new |= self.courses.iter().any(|course| course.changed == version);
        if is_new {
            let counts = self.counts();
            self.counts.set(counts, version);
        }
        is_new
    }

    /// Reads the tables.
    fn read_tables(&mut self, version: u64) {
        let large = [trials::FILE, metrics::FILE, timings::FILE]
            .into_iter()
            .find(|name| Stamp::of(&self.root.join(name)).is_some_and(|it| it.bytes > BYTES));
        if let Some(name) = large {
            let text = format!("{name} is too large for a live page. Use wick status.");
            self.notice.set(json!(text), version);
            return;
        }
        let mut answers = match Answers::of_tables(&self.root, None) {
            Ok(answers) => answers,
            Err(error) => return self.miss(&error, version),
        };
        self.notice.set(Value::Null, version);
        let shown = answers.trials.len().min(TRIALS);
        let is_known = |course: &Course, index: usize| {
            let trial = &answers.trials[index];
            course.number == trial.number && course.digest == trial.digest
        };
        // A search suggests further trials, which come behind those that are known.
        let goes_on = self.courses.len() <= shown
            && self.answers.as_ref().is_some_and(|before| before.axes == answers.axes)
            && self.courses.iter().enumerate().all(|(index, course)| is_known(course, index));
        if !goes_on {
            self.courses.clear();
            self.begun = version;
        }
        let points = (POINTS / shown.max(1)).clamp(POINTS_OF_ONE.start, POINTS_OF_ONE.end);
        for trial in &answers.trials[self.courses.len()..shown] {
            self.courses.push(Course::new(trial, points));
        }
        for (course, trial) in self.courses.iter_mut().zip(&answers.trials) {
            course.take(trial, &answers, version);
        }
        self.head.set(head(&answers, shown), version);
        for (index, course) in self.courses.iter().enumerate() {
            if let Some(outcome) = course.outcome() {
                answers.end(index, outcome);
            }
        }
        self.answers = Some(answers);
        self.is_unranked = true;
        self.trials = (None, true);
    }

    /// There are no tables that can be read. What is shown of earlier ones stays.
    fn miss(&mut self, error: &TableError, version: u64) {
        let text = match error {
            // One that is not there yet is none that is wrong.
            TableError::NoTable(_) if Stamp::of(&self.root.join(HASHES)).is_none() => {
                format!(
                    "There are no results in {} yet. This page waits for them.",
                    self.root.display()
                )
            }
            error => error.to_string(),
        };
        self.notice.set(json!(text), version);
    }

    /// Follows the trials: whether there are other pictures.
    fn follow(&mut self, version: u64, now: f64) -> bool {
        let Some(answers) = &mut self.answers else { return false };
        let mut has_pictures = false;
        let running = self.courses.iter().filter(|it| it.shown.state == State::Running).count();
        let pause = (running as f64 / ASKED).max(PAUSE);
        // A trial gets its folder in this one.
        let stamp = Stamp::of(&layout::trials(&self.root));
        let is_fresh = stamp != self.trials.0;
        let has_others = is_fresh || self.trials.1;
        self.trials = (stamp, is_fresh);
        let again = self.next..self.next + AGAIN;
        let count = self.courses.len();
        let is_again = |index: usize| again.contains(&index) || again.contains(&(index + count));
        for (index, course) in self.courses.iter_mut().enumerate() {
            let seen = match has_others || course.has_folder() {
                true => course.look(&answers.trials[index], answers.measure, version, now, pause),
                false => Seen::default(),
            };
            if seen.has_ended
                && let Some(outcome) = course.outcome()
            {
                answers.end(index, outcome);
                self.is_unranked = true;
                let trial = &answers.trials[index];
                if let Some(value) = trial.at_best(answers.measure) {
                    course.shown.best = Some((trial.best_epoch, value));
                }
            }
            if seen.has_other_files || is_again(index) {
                let folder = answers.folder(&answers.trials[index]);
                let called = |name: &str| format!("trial {}: {name}", course.number);
                has_pictures |= self.pictures.look_into(&folder, called);
            }
        }
        self.next = if count == 0 { 0 } else { (self.next + AGAIN) % count };
        has_pictures
    }

    fn rank(&mut self, version: u64) {
        let Some(answers) = &mut self.answers else { return };
        let begun = self.clock.seconds();
        answers.rank();
        self.ranking.set(ranking(answers), version);
        self.is_unranked = false;
        self.ranked = (begun, self.clock.seconds() - begun);
    }

    /// How many trials stand how, and how many epochs they have come to.
    fn counts(&self) -> Value {
        let of =
            |state: State| self.courses.iter().filter(|course| course.shown.state == state).count();
        let planned = |course: &Course| match course.shown.state.has_ended() {
            true => course.shown.epochs,
            false => course.shown.planned.unwrap_or(course.shown.epochs),
        };
        json!({
            "states": State::ALL.map(of),
            "epochs": self.courses.iter().map(|course| course.shown.epochs).sum::<usize>(),
            "planned": self.courses.iter().map(planned).sum::<usize>(),
            "shared": self.courses.iter().map(|course| course.shown.shared).sum::<usize>(),
        })
    }
}

/// What the page says of the experiment.
fn head(answers: &Answers, shown: usize) -> Value {
    let Answers { name, description, axes, measure, trials, .. } = answers;
    let (seeds, folds) = answers.repeats();
    let names: Vec<String> = axes.iter().map(|axis| short(axis, axes)).collect();
    // What a value is called stands with its setting.
    let mut called: Vec<&[String]> = vec![&[]; trials.len()];
    for setting in &answers.settings {
        for trial in &setting.trials {
            called[*trial] = &setting.names;
        }
    }
    let rows: Vec<Value> = trials
        .iter()
        .zip(called)
        .take(shown)
        .map(|(trial, called)| json!([trial.number, called, trial.seed, trial.fold]))
        .collect();
    let left_out = match trials.len() - shown {
        0 => Value::Null,
        _ => json!(format!(
            "The first {} of {} trials are shown.",
            number(shown as u64),
            number(trials.len() as u64)
        )),
    };
    json!({
        "name": name,
        "description": description.trim(),
        "axes": axes,
        "names": names,
        "seeds": seeds,
        "folds": folds,
        "measure": measure.words(),
        "is_loss": measure.is_loss(),
        "states": State::ALL.map(State::name),
        "trials": rows,
        "left_out": left_out,
    })
}

/// Whether there are results in the folder `root` to look at.
pub fn has_results(root: &Path) -> bool {
    Stamp::of(&root.join(trials::FILE)).is_some()
}

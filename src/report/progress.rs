//! Progress of a run: bars on a terminal, lines in a pipe. Always on standard error.

use std::collections::BTreeMap;
use std::sync::Mutex;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::basis::record::{EpochRecord, Status};
use crate::plan::sweep::Trial;
use crate::sweep::clock::Stopwatch;
use crate::sweep::runner::SweepEvent;
use crate::sweep::trial::Ended;
use crate::train::trainer::Event;

/// Shows what happens in a sweep.
pub struct Progress {
    total: usize,
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    sweep: ProgressBar,
    trials: Mutex<BTreeMap<usize, Running>>,
}

struct Running {
    bar: ProgressBar,
    epoch: Stopwatch,
    images: usize,
}

impl Progress {
    /// For `total` trials, `done` of which are done already; as bars if `is_terminal`.
    pub fn new(total: usize, done: usize, is_terminal: bool) -> Progress {
        let bars = is_terminal.then(|| {
            let all = MultiProgress::new();
            let sweep = all.add(ProgressBar::new(total as u64));
            let style = "{bar:30} {pos}/{len} trials, {elapsed} so far, {eta} to go";
            sweep.set_style(ProgressStyle::with_template(style).expect("a fixed template"));
            // Time to go is told by the trials of this run alone.
            sweep.set_position(done as u64);
            sweep.reset_eta();
            sweep.tick();
            Bars { all, sweep, trials: Mutex::default() }
        });
        Progress { total, bars }
    }

    /// Takes notice of an event.
    pub fn notice(&self, event: &SweepEvent) {
        match &self.bars {
            Some(bars) => bars.notice(event),
            None => self.line(event),
        }
    }

    /// Clears the bars.
    pub fn finish(&self) {
        if let Some(bars) = &self.bars {
            bars.sweep.finish_and_clear();
        }
    }

    #[expect(clippy::print_stderr, reason = "progress is what this file is for")]
    fn line(&self, event: &SweepEvent) {
        let total = self.total;
        match event {
            SweepEvent::In(trial, Event::Epoch { record, .. }) => {
                let (number, epochs) = (trial.number, trial.plan.train.epochs);
                eprintln!(
                    "trial {number}/{total} epoch {}/{epochs} {}",
                    record.epoch,
                    words(record)
                );
            }
            SweepEvent::Ended(trial, ended) => eprintln!("{}", end(trial, total, ended)),
            SweepEvent::Pruned(trial, _, reason) => {
                eprintln!("trial {}/{total} pruned: {reason}", trial.number);
            }
            SweepEvent::Started(_) | SweepEvent::In(..) => {}
        }
    }
}

impl Bars {
    fn notice(&self, event: &SweepEvent) {
        let mut trials = self.trials.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match event {
            SweepEvent::Started(trial) => {
                let bar = self.all.insert_before(&self.sweep, ProgressBar::new(1));
                let style = "{prefix:>12} {bar:30} {msg}";
                bar.set_style(ProgressStyle::with_template(style).expect("a fixed template"));
                bar.set_prefix(format!("trial {}", trial.number));
                let running = Running { bar, epoch: Stopwatch::start(), images: 0 };
                trials.insert(trial.number, running);
            }
            SweepEvent::In(trial, Event::Batch { epoch, batch, batches, images, loss }) => {
                let Some(running) = trials.get_mut(&trial.number) else { return };
                if *batch == 1 {
                    (running.epoch, running.images) = (Stopwatch::start(), 0);
                }
                running.images += images;
                let epochs = trial.plan.train.epochs;
                running.bar.set_length((epochs * batches) as u64);
                running.bar.set_position(((epoch - 1) * batches + batch) as u64);
                let rate = running.images as f64 / running.epoch.seconds().max(1e-3);
                running.bar.set_message(format!(
                    "epoch {epoch}/{epochs}  loss {loss:.4}  {rate:.0} images/s"
                ));
            }
            SweepEvent::In(_, Event::Epoch { .. } | Event::Checkpoint(_)) => {}
            SweepEvent::Pruned(trial, _, reason) => {
                self.sweep.inc(1);
                let total = self.sweep.length().unwrap_or(0);
                let _ = self.all.println(format!("trial {}/{total} pruned: {reason}", trial.number));
            }
            SweepEvent::Ended(trial, ended) => {
                if let Some(running) = trials.remove(&trial.number) {
                    running.bar.finish_and_clear();
                    self.all.remove(&running.bar);
                }
                self.sweep.inc(1);
                let total = self.sweep.length().unwrap_or(0) as usize;
                // The terminal may be gone; the results do not depend on it.
                let _ = self.all.println(end(trial, total, ended));
            }
        }
    }
}

fn words(record: &EpochRecord) -> String {
    let train = format!(
        "train_loss {:.4} train_accuracy {:.2} %",
        record.train.loss,
        100.0 * record.train.accuracy
    );
    match record.validation {
        Some(scores) => {
            format!(
                "{train} val_loss {:.4} val_accuracy {:.2} %",
                scores.loss,
                100.0 * scores.accuracy
            )
        }
        None => train,
    }
}

fn end(trial: &Trial, total: usize, ended: &Ended) -> String {
    let number = trial.number;
    match ended {
        Ended::Interrupted => format!("trial {number}/{total} interrupted, to be resumed"),
        Ended::Paused => format!("trial {number}/{total} waits for others at its rung"),
        Ended::With(outcome) if outcome.status == Status::Failed => {
            format!("trial {number}/{total} failed: {}", outcome.reason)
        }
        Ended::With(outcome) => {
            let scores = outcome.validation.or(outcome.train);
            let accuracy = scores.map_or(String::new(), |scores| {
                format!(", accuracy {:.2} %", 100.0 * scores.accuracy)
            });
            format!("trial {number}/{total} completed: best epoch {}{accuracy}", outcome.best_epoch)
        }
    }
}

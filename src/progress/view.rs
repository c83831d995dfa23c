//! How a run is shown, and what shows it.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::basis::printable;
use crate::plan::sweep::Experiment;
use crate::sweep::clock::Stopwatch;
use crate::sweep::runner::SweepEvent;

use super::bars::Bars;
use super::situation::Situation;
use super::{json, lines};

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Bars on standard error, which is a terminal.
    Bars,
    /// Lines on standard error.
    Lines,
    /// Not at all.
    Quiet,
    /// One JSON object per line on standard output.
    Json,
}

impl View {
    /// What was asked for; if nothing, bars where they can be drawn, else lines.
    pub fn new(quiet: bool, json: bool) -> View {
        match (quiet, json) {
            (_, true) => View::Json,
            (true, false) => View::Quiet,
            // A dumb terminal cannot go back to a line to draw it anew.
            _ if std::io::stderr().is_terminal() && !console::is_dumb() => View::Bars,
            _ => View::Lines,
        }
    }

    /// Whether people read along, who like to know what happens around the trials too.
    pub fn is_for_people(self) -> bool {
        matches!(self, View::Bars | View::Lines)
    }
}

/// Shows what happens in a sweep.
pub struct Progress {
    view: View,
    /// Puts text on standard output.
    print: fn(&str),
    clock: Stopwatch,
    situation: Arc<Mutex<Situation>>,
    bars: Option<Bars>,
}

impl Progress {
    /// For the trials of `experiment`, `done` of which are done already. `print` puts text on standard output.
    pub fn new(view: View, print: fn(&str), experiment: &Experiment, done: usize) -> Progress {
        let clock = Stopwatch::start();
        let situation = Arc::new(Mutex::new(Situation::new(experiment, done)));
        let bars = match view {
            View::Bars => Bars::start(situation.clone(), clock),
            View::Lines | View::Quiet | View::Json => None,
        };
        Progress { view, print, clock, situation, bars }
    }

    fn situation(&self) -> MutexGuard<'_, Situation> {
        self.situation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes notice of an event.
    pub fn notice(&self, event: &SweepEvent) {
        // What is written while the lock is held is in the order of the events.
        let mut situation = self.situation();
        let seconds = situation.notice(event, self.clock.seconds());
        match (self.view, &self.bars) {
            (View::Quiet, _) => {
                if let SweepEvent::Damaged(..) = event
                    && let Some(line) = lines::line(&situation, event)
                {
                    write(&mut std::io::stderr(), &line);
                }
            }
            (View::Json, _) => {
                if let Some(object) = json::event(&situation, event, seconds) {
                    (self.print)(&format!("{object}\n"));
                }
            }
            (View::Bars, Some(bars)) => {
                if let SweepEvent::Ended(..) | SweepEvent::Pruned(..) | SweepEvent::Damaged(..) =
                    event
                    && let Some(line) = lines::above(&situation, event)
                {
                    bars.above()(&line);
                }
            }
            (View::Bars, None) | (View::Lines, _) => {
                if let Some(line) = lines::line(&situation, event) {
                    write(&mut std::io::stderr(), &line);
                }
            }
        }
    }

    /// A search has suggested further trials.
    pub fn extend(&self, experiment: &Experiment) {
        self.situation().extend(experiment);
    }

    /// Puts lines on standard error, without spoiling what is drawn there.
    pub fn voice(&self) -> Box<dyn Fn(&str) + Send> {
        match &self.bars {
            Some(bars) => Box::new(bars.above()),
            None => Box::new(|line| write(&mut std::io::stderr(), line)),
        }
    }

    /// The run is over: clears the bars, or tells scripts.
    pub fn finish(self) {
        if self.view == View::Json {
            let object = json::finished(&self.situation(), self.clock.seconds());
            (self.print)(&format!("{object}\n"));
        }
        if let Some(bars) = self.bars {
            bars.finish();
        }
    }
}

/// Writes a line. Nobody may be listening any more; the results do not depend on it.
fn write(stream: &mut dyn Write, line: &str) {
    let _ = stream.write_all(format!("{}\n", printable::lines(line)).as_bytes());
}

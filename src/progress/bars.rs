//! Progress as bars, drawn anew ten times a second by a thread of its own, so that no trial waits for
//! the terminal.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressStyle};

use crate::basis::device::Device;
use crate::basis::number::number;
use crate::basis::printable;
use crate::basis::record::Metric;
use crate::sweep::clock::Stopwatch;

use super::fit::{Part, columns, cut, fit};
use super::lines::{metric, named};
use super::situation::{Course, Situation};
use super::sparkline::sparkline;

const EVERY: Duration = Duration::from_millis(100);

/// Bars on standard error.
pub(super) struct Bars {
    /// All of them: one message of many lines.
    bar: ProgressBar,
    stop: Sender<()>,
    drawing: JoinHandle<()>,
}

impl Bars {
    /// Draws `situation` until [`finish`](Self::finish). None if there is no thread to be had.
    pub(super) fn start(situation: Arc<Mutex<Situation>>, clock: Stopwatch) -> Option<Bars> {
        let bar = ProgressBar::no_length();
        bar.set_style(ProgressStyle::with_template("{msg}").expect("a fixed template"));
        let (stop, stopped) = channel();
        let drawn = bar.clone();
        let draw = move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                let situation = situation.lock().unwrap_or_else(PoisonError::into_inner);
                let text = text(&situation, clock.seconds(), Term::stderr().size());
                // Trials go on while the terminal takes its time.
                drop(situation);
                drawn.set_message(text);
            }
        };
        let drawing = std::thread::Builder::new().name("progress".to_owned()).spawn(draw).ok()?;
        Some(Bars { bar, stop, drawing })
    }

    /// Puts lines above the bars, to stay.
    pub(super) fn above(&self) -> impl Fn(&str) + Send + use<> {
        let bar = self.bar.clone();
        move |line| bar.println(printable::lines(line))
    }

    /// Clears the bars.
    pub(super) fn finish(self) {
        // A thread that has gone has stopped.
        let _ = self.stop.send(());
        let _ = self.drawing.join();
        self.bar.finish_and_clear();
    }
}

/// One line for each running trial and one for the sweep, on a terminal of `size`, rows and columns.
fn text(situation: &Situation, now: f64, size: (u16, u16)) -> String {
    let (rows, room) = (usize::from(size.0), usize::from(size.1));
    let mut running: Vec<(usize, &Course)> = situation.running().collect();
    // The sweep's line, that of the trials without room, and one for the cursor.
    let most = rows.saturating_sub(3).max(1);
    let hidden = running.len().saturating_sub(most);
    running.truncate(most);
    let mut lines = trials(&running, situation.metric, room);
    if hidden > 0 {
        lines.push(cut(&format!("and {hidden} more"), room));
    }
    lines.push(sweep(situation, now, room));
    lines.join("\n")
}

/// The cells of a trial's line.
const CELLS: usize = 8;
/// Which of them holds the settings, the only one that is shortened.
const SETTINGS: usize = 1;
/// Which of them are left out first where there is no room.
const RANKS: [usize; CELLS] = [0, 5, 1, 6, 2, 7, 3, 4];

/// The lines of trials, in columns.
fn trials(running: &[(usize, &Course)], metric: Metric, room: usize) -> Vec<String> {
    const GAP: usize = 2;
    let rows: Vec<[String; CELLS]> =
        running.iter().map(|(n, course)| cells(*n, course, metric)).collect();
    let parts: Vec<Part> = (0..CELLS)
        .map(|column| {
            let gap = if column == 0 { 0 } else { GAP };
            let widest = rows.iter().map(|row| columns(&row[column])).max().unwrap_or(0);
            let natural = if widest == 0 { 0 } else { gap + widest };
            let least = if column == SETTINGS { natural.min(gap + 8) } else { natural };
            Part { natural, least, rank: RANKS[column] }
        })
        .collect();
    let widths = fit(&parts, room);
    let line = |row: &[String; CELLS]| {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let Some(width) = *width else { continue };
            let gap = if column == 0 { 0 } else { GAP.min(width) };
            let cell = cut(cell, width - gap);
            let free = " ".repeat(width - gap - columns(&cell));
            line.push_str(&" ".repeat(gap));
            // Numbers stand to the right, words and drawings to the left.
            match column {
                2 | 4 | 5 | 7 => line.extend([&free[..], &cell]),
                _ => line.extend([&cell[..], &free]),
            }
        }
        cut(line.trim_end(), room)
    };
    rows.iter().map(line).collect()
}

fn cells(number_of: usize, course: &Course, metric: Metric) -> [String; CELLS] {
    // At the end of an epoch the position is a whole number: that epoch's, not the next one's.
    let epoch = (course.position.ceil() as usize).clamp(1, course.epochs.max(1));
    let within = (course.position - (epoch - 1) as f64).clamp(0.0, 1.0);
    [
        match course.device {
            Device::Cpu => format!("trial {number_of}"),
            device => format!("trial {number_of} on {device}"),
        },
        course.settings.clone(),
        format!("epoch {epoch}/{}", course.epochs),
        bar(within, 6),
        course.loss.map_or(String::new(), |loss| format!("loss {loss:.4}")),
        course.rate.map_or(String::new(), |rate| format!("{} images/s", number(rate as u64))),
        sparkline(&course.series, 12),
        // What the last column of the drawing stands for.
        course.series.last().map_or(String::new(), |value| match metric.is_loss() {
            true => format!("{value:.3}"),
            false => format!("{:.1} %", 100.0 * value),
        }),
    ]
}

/// The line of the sweep.
fn sweep(situation: &Situation, now: f64, room: usize) -> String {
    let count = format!("{}/{} trials", situation.ended(), situation.total);
    let (best, trial, shortest) = match situation.best() {
        None => <(String, String, String)>::default(),
        Some(best) => (
            format!(", best {}", metric(situation.metric, best.value)),
            format!(" ({}", named(best.trial, &best.settings)),
            format!(" (trial {}…)", best.trial),
        ),
    };
    let so_far = format!(", {} so far", duration(now));
    let to_go = situation.eta().map_or(String::new(), |eta| format!(", {} to go", duration(eta)));
    let rigid = |text: &str, rank| Part { natural: columns(text), least: columns(text), rank };
    let closing = usize::from(!trial.is_empty());
    let parts = [
        Part { natural: 21, least: 5, rank: 4 },
        rigid(&count, 0),
        Part { natural: columns(&best) + columns(&trial) + closing, ..rigid(&best, 2) },
        rigid(&so_far, 3),
        rigid(&to_go, 1),
    ];
    let widths = fit(&parts, room);
    let mut line = String::new();
    if let Some(width) = widths[0] {
        line = bar(situation.part_done(), width - 1) + " ";
    }
    line += &count;
    if let Some(width) = widths[2] {
        line += &best;
        let width = width - columns(&best);
        // Part of a name says less than none.
        if width > 0 && width >= columns(&shortest).min(columns(&trial) + 1) {
            line += &cut(&trial, width - 1);
            line.push(')');
        }
    }
    for (text, width) in [(so_far, widths[3]), (to_go, widths[4])] {
        if width.is_some() {
            line += &text;
        }
    }
    cut(&line, room)
}

/// A bar that is full up to `part`, in steps of half a column.
fn bar(part: f64, width: usize) -> String {
    let halves = ((part * 2.0 * width as f64) as usize).min(2 * width);
    let bar = "█".repeat(halves / 2) + &"▌".repeat(halves % 2);
    bar + &"░".repeat(width - halves.div_ceil(2))
}

/// Seconds as minutes and seconds, with hours if there are any.
fn duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::synthetic::{batch, completed, epoch, experiment, record, started};
    use super::*;
    use crate::plan::sweep::Experiment;
    use crate::sweep::runner::SweepEvent;

    /// Trials 1 and 12 have run for an epoch and a half, and trial 2 has ended.
    fn on_its_way(experiment: &Experiment) -> Situation {
        let mut situation = Situation::new(experiment, 0);
        let ended = &experiment.trials[1];
        situation.notice(&started(ended), 0.0);
        situation.notice(&SweepEvent::Ended(ended, &completed(Some(0.875))), 0.0);
        for trial in [&experiment.trials[0], &experiment.trials[11]] {
            situation.notice(&started(trial), 0.0);
            for step in 1..=4 {
                let event = batch(1, step);
                situation.notice(&SweepEvent::In(trial, &event), f64::from(step as u32));
            }
            let end = record(1, 0.5, Some(0.75));
            situation.notice(&SweepEvent::In(trial, &epoch(&end)), 5.0);
            for step in 1..=2 {
                let event = batch(2, step);
                situation.notice(&SweepEvent::In(trial, &event), f64::from(5 + step as u32));
            }
        }
        situation
    }

    fn twelve_trials() -> Experiment {
        experiment(&["sweep.seeds=3"])
    }

    #[test]
    fn with_room_for_it_everything_is_shown() {
        let experiment = twelve_trials();
        let text = text(&on_its_way(&experiment), 80.0, (24, 150));
        let expected = "\
trial 1   dropout = 0.0, lr = 0.001, seed = 123  epoch 2/2  ███░░░  loss 0.5000  10 images/s  ▄  75.0 %
trial 12  dropout = 0.25, lr = 0.1, seed = 125   epoch 2/2  ███░░░  loss 0.5000  10 images/s  ▄  75.0 %
████░░░░░░░░░░░░░░░░ 1/12 trials, best val_accuracy 87.50 % \
(trial 2: dropout = 0.0, lr = 0.001, seed = 124), 1:20 so far, 0:46 to go";
        assert_eq!(text, expected);
    }

    #[test]
    fn no_line_is_ever_wider_than_the_terminal() {
        let experiment = twelve_trials();
        let situation = on_its_way(&experiment);
        for room in 1..200 {
            let text = text(&situation, 80.0, (24, room));
            assert_eq!(text.lines().count(), 3);
            for line in text.lines() {
                assert!(columns(line) <= usize::from(room), "{line} in {room} columns");
            }
        }
    }

    #[test]
    fn forty_columns_are_enough_for_what_matters() {
        let experiment = twelve_trials();
        let text = text(&on_its_way(&experiment), 80.0, (24, 40));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "trial 1   epoch 2/2  loss 0.5000  ▄");
        assert_eq!(lines[2], "1/12 trials, 1:20 so far, 0:46 to go");
    }

    #[test]
    fn the_best_trial_is_named_where_there_is_room_for_its_number() {
        let experiment = twelve_trials();
        let situation = on_its_way(&experiment);
        for (room, expected) in [
            (79, "▌░░░ 1/12 trials, best val_accuracy 87.50 % (trial 2…), 1:20 so far, 0:46 to go"),
            (78, "▌░░░ 1/12 trials, best val_accuracy 87.50 %, 1:20 so far, 0:46 to go"),
            (60, "▌░░░ 1/12 trials, best val_accuracy 87.50 %, 0:46 to go"),
        ] {
            assert_eq!(sweep(&situation, 80.0, room), expected, "{room} columns");
        }
    }

    #[test]
    fn settings_are_cut_before_anything_is_left_out() {
        let experiment = twelve_trials();
        let text = text(&on_its_way(&experiment), 80.0, (24, 80));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[1],
            "trial 12  dropout = 0.2…  epoch 2/2  ███░░░  loss 0.5000  10 images/s  ▄  75.0 %"
        );
    }

    #[test]
    fn of_more_trials_than_rows_the_rest_is_counted() {
        let experiment = twelve_trials();
        let mut situation = Situation::new(&experiment, 0);
        for trial in &experiment.trials {
            situation.notice(&started(trial), 0.0);
        }
        let text = text(&situation, 0.0, (8, 80));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 7);
        assert!(lines[4].starts_with("trial 5"), "{text}");
        assert_eq!(lines[5], "and 7 more");
        assert!(lines[6].contains("0/12 trials"), "{text}");
    }

    #[test]
    fn a_trial_at_the_end_of_an_epoch_shows_that_epoch_as_full() {
        let experiment = experiment(&["sweep.grid={}"]);
        let trial = &experiment.trials[0];
        let mut situation = Situation::new(&experiment, 0);
        situation.notice(&started(trial), 0.0);
        assert!(text(&situation, 0.0, (24, 80)).starts_with("trial 1  epoch 1/2  ░░░░░░\n"));
        situation.notice(&SweepEvent::In(trial, &batch(1, 4)), 1.0);
        assert!(text(&situation, 1.0, (24, 80)).starts_with("trial 1  epoch 1/2  ██████  loss"));
        situation.notice(&SweepEvent::In(trial, &batch(2, 1)), 2.0);
        assert!(text(&situation, 2.0, (24, 80)).starts_with("trial 1  epoch 2/2  █▌░░░░  loss"));
    }

    #[test]
    fn durations_are_minutes_and_seconds() {
        for (seconds, expected) in
            [(0.4, "0:00"), (59.6, "1:00"), (190.0, "3:10"), (3600.0, "1:00:00"), (1e5, "27:46:40")]
        {
            assert_eq!(duration(seconds), expected);
        }
    }
}

//! Re-execution beside the tables alone: a results folder without the folders of its trials, such as one that was
//! published, still says what each epoch and each trial came to.

use std::collections::BTreeMap;
use std::path::Path;

use crate::basis::device::Device;
use crate::basis::record::Status;
use crate::plan::sweep::{Experiment, Trial};
use crate::results::layout;
use crate::results::metrics;
use crate::results::table::{Damage, TableError};
use crate::results::trials::{self, Row, Trials};
use crate::sweep::recorder::Callback;
use crate::sweep::store::TrialStore;

use super::{Again, Compared, Repro, execute};

/// What the tables of a results folder say of its trials.
#[derive(Debug)]
pub struct Tables {
    axes: Vec<String>,
    /// The rows of `metrics.csv` by the number of their trial.
    epochs: BTreeMap<usize, Vec<metrics::Row>>,
}

impl Tables {
    /// Whether the tables are all that there is of the trials in the results folder `root`.
    pub fn are_all(root: &Path) -> bool {
        !layout::trials(root).is_dir()
    }

    /// Those of the results folder `root`, whose `trials.csv` is `trials`.
    ///
    /// # Errors
    /// If `metrics.csv` is missing or damaged.
    pub fn read(root: &Path, trials: &Trials) -> Result<Tables, TableError> {
        let mut epochs = BTreeMap::<usize, Vec<metrics::Row>>::new();
        metrics::read(root, Damage::Refused, |row| {
            epochs.entry(row.trial).or_default().push(row);
            Ok(())
        })?;
        Ok(Tables { axes: trials.axes.clone(), epochs })
    }

    /// Executes the trial of `row`, one of `experiment`'s, again, as far as it got, and compares it with the tables.
    pub fn repro(
        &self,
        row: &Row,
        experiment: &Experiment,
        again: &Again,
        callback: &Callback,
    ) -> Repro {
        let Some(trial) = experiment.trials.iter().find(|trial| trial.digest == row.digest) else {
            let reason = "the experiment gives no trial with this digest: another version of the program wrote it, or \
                          its weights or images are others";
            return Repro::Impossible(reason.to_owned());
        };
        let epochs = self.epochs.get(&row.number).map_or(&[][..], Vec::as_slice);
        let is_failed = row.status == Status::Failed.name();
        if epochs.is_empty() && !is_failed {
            return Repro::Impossible("it has no finished epoch".to_owned());
        }
        let until = (!is_failed).then_some(epochs.len());
        let fresh = match execute(trial, until, Device::first(trial.plan.device), again, callback) {
            Ok(fresh) => fresh,
            Err(ended) => return ended,
        };
        let mut differences = differing_epoch(epochs, trial, &fresh);
        differences.extend(self.differing_outcome(row, trial, &fresh));
        match differences.is_empty() {
            true => Repro::Identical(Compared { epochs: epochs.len(), ..Compared::default() }),
            false => Repro::Differs(differences),
        }
    }

    /// In which columns the row of a trial that has ended differs.
    fn differing_outcome(&self, row: &Row, trial: &Trial, fresh: &TrialStore) -> Vec<String> {
        let ended = [Status::Completed, Status::Failed].map(Status::name);
        if !ended.contains(&row.status.as_str()) {
            return Vec::new();
        }
        let now = Row { number: row.number, ..Row::of(trial, fresh.outcome().as_ref()) };
        let cells = [row.clone(), now].map(Row::cells);
        differing(trials::columns(&self.axes), cells)
            .map(|words| format!("{}: {words}", trials::FILE))
            .collect()
    }
}

/// In which columns the first epoch differs that does.
fn differing_epoch(epochs: &[metrics::Row], trial: &Trial, fresh: &TrialStore) -> Vec<String> {
    let records = fresh.epochs();
    let (then, now) = (epochs.len(), records.len());
    for (row, record) in epochs.iter().zip(&records) {
        let again = metrics::Row::of(row.trial, &trial.digest, record);
        let cells = [row.clone(), again].map(metrics::Row::cells);
        let columns = metrics::columns().map(str::to_owned);
        let found: Vec<String> = differing(columns, cells)
            .map(|words| format!("{}, epoch {}: {words}", metrics::FILE, row.epoch))
            .collect();
        if !found.is_empty() {
            return found;
        }
    }
    match then == now {
        true => Vec::new(),
        false => vec![format!("there were {then} epochs and are {now}")],
    }
}

/// Which of two rows' cells differ, in words.
fn differing(
    columns: impl Iterator<Item = String>,
    [then, now]: [Vec<String>; 2],
) -> impl Iterator<Item = String> {
    columns.zip(then.into_iter().zip(now)).filter(|(_, (then, now))| then != now).map(
        |(column, (then, now))| {
            let shown = |cell: String| if cell.is_empty() { "empty".to_owned() } else { cell };
            format!("{column} was {} and is {}", shown(then), shown(now))
        },
    )
}

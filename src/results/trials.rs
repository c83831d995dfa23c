//! `trials.csv`: what each trial is, how it ended, and what it came to.

use std::path::Path;

use crate::basis::record::{Outcome, Status};
use crate::basis::regular;
use crate::plan::sweep::Trial;

use super::hashes::settled;
use super::table::{
    Damage, ScoreCells, Table, TableError, bytes, cell, score_cells, score_columns,
};

/// The table's name.
pub const FILE: &str = "trials.csv";

/// The columns before those of swept settings.
const LEADING: [&str; 2] = ["trial", "digest"];

/// The columns behind those, before numbers.
const ENDING: [&str; 5] = ["seed", "fold", "status", "reason", "best_epoch"];

/// A row: a trial. A number that is none, or not finite, is none.
#[derive(Clone, Debug)]
pub struct Row {
    /// Counted from 1.
    pub number: usize,
    /// Identity of its plan.
    pub digest: String,
    /// The swept values, one for each axis.
    pub values: Vec<String>,
    /// Its seed, as written.
    pub seed: String,
    /// Its fold, counted from 1; empty without a cross-validation.
    pub fold: String,
    /// How it ended.
    pub status: String,
    /// Why.
    pub reason: String,
    /// The epoch with the best value of its metric; 0 if there is none.
    pub best_epoch: usize,
    /// Scores at the best epoch on validation images.
    pub validation: ScoreCells,
    /// Scores at the best epoch on test images.
    pub test: ScoreCells,
    /// Parameters of its network.
    pub parameters: Option<f64>,
    /// Those of them that learn.
    pub trainable: Option<f64>,
    /// Multiplications with addition for one image.
    pub flops: Option<f64>,
}

/// The table.
#[derive(Clone, Debug)]
pub struct Trials {
    /// The columns of swept settings.
    pub axes: Vec<String>,
    /// In plan order.
    pub rows: Vec<Row>,
}

/// The columns of numbers, which come last: scores, and what the network costs.
fn numbers() -> impl Iterator<Item = String> {
    let costs = ["parameters", "trainable", "flops"].map(str::to_owned);
    score_columns("val").chain(score_columns("test")).chain(costs)
}

/// The columns, with those of the swept settings `axes`.
pub fn columns(axes: &[String]) -> impl Iterator<Item = String> {
    let owned = |name: &str| name.to_owned();
    let settings = LEADING.map(owned).into_iter().chain(axes.iter().cloned());
    settings.chain(ENDING.map(owned)).chain(numbers())
}

impl Row {
    /// The row of `trial`, which has ended with `outcome`, if it has.
    pub fn of(trial: &Trial, outcome: Option<&Outcome>) -> Row {
        let model = &trial.plan.model;
        // Whole numbers below 2⁵³, like all of these, are written as they are.
        let [parameters, trainable, flops] =
            [model.parameters(), model.trainable(), model.flops()].map(|n| Some(n as f64));
        let fold = trial.plan.data.fold;
        Row {
            number: trial.number,
            digest: trial.digest.clone(),
            values: trial.settings.to_vec(),
            seed: trial.plan.seed.to_string(),
            fold: fold.map_or(String::new(), |fold| (fold.index + 1).to_string()),
            status: outcome.map_or(Status::Unfinished, |it| it.status).name().to_owned(),
            reason: outcome.map_or(String::new(), |outcome| outcome.reason.clone()),
            best_epoch: outcome.map_or(0, |outcome| outcome.best_epoch),
            validation: score_cells(outcome.and_then(|outcome| outcome.validation.as_ref())),
            test: score_cells(outcome.and_then(|outcome| outcome.test.as_ref())),
            parameters,
            trainable,
            flops,
        }
    }

    /// As it is written, in the order of [`columns`].
    pub fn cells(self) -> Vec<String> {
        let mut cells = vec![self.number.to_string(), self.digest];
        cells.extend(self.values);
        cells.extend([self.seed, self.fold, self.status, self.reason]);
        cells.push(cell((self.best_epoch > 0).then_some(self.best_epoch as f64)));
        let costs = [self.parameters, self.trainable, self.flops];
        cells.extend(self.validation.into_iter().chain(self.test).chain(costs).map(cell));
        cells
    }

    /// Whether it trained to its end.
    pub fn is_completed(&self) -> bool {
        self.status == Status::Completed.name()
    }
}

impl Trials {
    /// The table as CSV.
    pub fn csv(self) -> Vec<u8> {
        bytes(columns(&self.axes), self.rows.into_iter().map(Row::cells))
    }

    /// Reads the table of the results folder `root`. Columns of numbers may be missing.
    ///
    /// # Errors
    /// If there is none, or it is damaged or a table of something else.
    pub fn read(root: &Path) -> Result<Trials, TableError> {
        if regular::open(&root.join(FILE)).is_err() {
            return Err(TableError::NoTable(root.to_owned()));
        }
        settled(root, || Trials::read_once(root))
    }

    fn read_once(root: &Path) -> Result<Trials, TableError> {
        let mut table = Table::open(root, FILE, Damage::Refused)?;
        let ending = ENDING.iter().map(|name| table.place(name)).collect::<Result<Vec<_>, _>>();
        let leads = table.columns.iter().take(2).eq(LEADING);
        let (Ok(ending), true) = (&ending, leads) else {
            table.verify()?;
            return Err(match ending {
                Err(error) => error,
                Ok(_) => table.wrong("the first columns are not \"trial\" and \"digest\""),
            });
        };
        let (ending, seed) = (ending.clone(), ending[0]);
        let axes = (2..seed).map(|column| table.columns[column].to_owned()).collect();
        let numbers = numbers().map(|name| table.place(&name).ok()).collect::<Vec<_>>();
        let mut rows = Vec::new();
        table.each(|cells| {
            let number = |number: usize| {
                cells.number(numbers[number]?).ok().flatten().filter(|number| number.is_finite())
            };
            let [seed_text, fold, status, reason] = [0, 1, 2, 3].map(|it| cells.text(ending[it]));
            rows.push(Row {
                number: cells.whole(0)?,
                digest: cells.text(1),
                values: (2..seed).map(|place| cells.text(place)).collect(),
                seed: seed_text,
                fold,
                status,
                reason,
                best_epoch: cells.whole(ending[4]).unwrap_or(0),
                validation: std::array::from_fn(number),
                test: std::array::from_fn(|score| number(6 + score)),
                parameters: number(12),
                trainable: number(13),
                flops: number(14),
            });
            Ok(())
        })?;
        Ok(Trials { axes, rows })
    }

    /// The swept values, the seed and the fold of `row`, in words.
    pub fn settings(&self, row: &Row) -> String {
        let names = self.axes.iter().map(String::as_str).chain(["seed", "fold"]);
        let named = names.zip(row.values.iter().chain([&row.seed, &row.fold]));
        let filled = named.filter(|(_, value)| !value.is_empty());
        filled.map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join(", ")
    }
}

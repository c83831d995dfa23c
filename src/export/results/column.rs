//! Columns and rows of the long form.

use crate::analysis::{Answers, Trial};
use crate::basis::record::Scores;

use super::runs::{Run, measures};
use super::typed::{Kind, Value};

/// A number with its place.
pub(super) struct Row<'a> {
    run: &'a Run<'a>,
    epoch: u64,
    set: &'static str,
    metric: &'static str,
    value: f64,
}

/// What a cell holds, by its row.
type Cell<'a> = Box<dyn for<'r> Fn(&'r Row<'a>) -> Option<Value<'r>> + 'a>;

/// A column.
pub(super) struct Column<'a> {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether every row has it.
    pub(super) is_full: bool,
    pub(super) cell: Cell<'a>,
}

/// The names of all columns that are not settings.
const FIXED: [&str; 10] =
    ["trial", "digest", "seed", "fold", "status", "epoch", "best", "set", "metric", "value"];

/// A column that every row has.
fn fixed<'a>(name: &str, kind: Kind, cell: Cell<'a>) -> Column<'a> {
    Column { name: name.to_owned(), kind, is_full: true, cell }
}

/// All columns, in their order.
pub(super) fn columns(answers: &Answers) -> Vec<Column<'_>> {
    let of_trials = |name: &str, of: fn(&Trial) -> &str| {
        let values = answers.trials.iter().map(of);
        // Folds are numbers even where there are none.
        let is_empty = values.clone().all(str::is_empty);
        let kind = if is_empty { Kind::Whole } else { Kind::of(values) };
        let cell: Cell = Box::new(move |row| kind.read(of(row.run.trial)));
        Column { name: name.to_owned(), kind, is_full: false, cell }
    };
    let mut columns = vec![
        fixed("trial", Kind::Whole, Box::new(|row| whole(row.run.trial.number as u64))),
        fixed("digest", Kind::Words, Box::new(|row| Some(Value::Words(&row.run.trial.digest)))),
    ];
    for (axis, name) in answers.axes.iter().enumerate() {
        let kind = Kind::of(answers.trials.iter().map(|trial| trial.values[axis].as_str()));
        let is_taken = FIXED.contains(&name.as_str());
        columns.push(Column {
            name: if is_taken { format!("setting.{name}") } else { name.clone() },
            kind,
            is_full: false,
            cell: Box::new(move |row| kind.read(&row.run.trial.values[axis])),
        });
    }
    columns.extend([
        of_trials("seed", |trial| &trial.seed),
        of_trials("fold", |trial| &trial.fold),
        fixed("status", Kind::Words, Box::new(|row| Some(Value::Words(&row.run.trial.status)))),
        fixed("epoch", Kind::Whole, Box::new(|row| whole(row.epoch))),
        fixed("best", Kind::Flag, Box::new(|row| Some(Value::Flag(row.is_best())))),
        fixed("set", Kind::Words, Box::new(|row| Some(Value::Words(row.set)))),
        fixed("metric", Kind::Words, Box::new(|row| Some(Value::Words(row.metric)))),
        fixed("value", Kind::Real, Box::new(|row| Some(Value::Real(row.value)))),
    ]);
    columns
}

fn whole(number: u64) -> Option<Value<'static>> {
    i64::try_from(number).ok().map(Value::Whole)
}

impl Row<'_> {
    fn is_best(&self) -> bool {
        self.run.trial.best_epoch as u64 == self.epoch
    }
}

/// The rows of a trial: epoch by epoch, and the scores on test images with the epoch that they are of.
pub(super) fn rows<'a>(run: &'a Run<'a>) -> impl Iterator<Item = Row<'a>> {
    let row = |epoch, (set, metric), value: Option<f64>| {
        Some(Row { run, epoch, set, metric, value: value? })
    };
    run.epochs.iter().flat_map(move |epoch| {
        let own = measures().into_iter().zip(epoch.values);
        let is_best = run.trial.best_epoch as u64 == epoch.number;
        let test = Scores::NAMES.into_iter().zip(run.trial.scores_on(2));
        let test = test.filter(move |_| is_best).map(|(name, value)| (("test", name), value));
        own.chain(test).filter_map(move |(what, value)| row(epoch.number, what, value))
    })
}

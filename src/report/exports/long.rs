//! The long form: a row for each number, with everything that it belongs to beside it.
//!
//! What `pandas`, `polars` and R group, pivot and draw as it stands. `docs/report.md` has the schema.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::basis::record::Scores;
use crate::report::answers::{Answers, Trial};
use crate::sweep::store::UNFINISHED;

use super::runs::{Run, measures, runs};
use super::typed::{Kind, Value};
use super::{ExportError, failed, parquet, write};

/// How the file is written, by its ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// `.csv`
    Csv,
    /// `.parquet`
    Parquet,
}

impl Ending {
    /// The one of `path`.
    ///
    /// # Errors
    /// In words, if it is another one.
    pub fn of(path: &Path) -> Result<Ending, String> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Ok(Ending::Csv),
            Some("parquet") => Ok(Ending::Parquet),
            _ => Err("expected a file whose name ends in .csv or .parquet".to_owned()),
        }
    }
}

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

/// Writes every number of the results folder to `path` and returns how many there are.
///
/// # Errors
/// If a table of the results folder is damaged, or the file cannot be written.
pub fn long(answers: &Answers, path: &Path, ending: Ending) -> Result<usize, ExportError> {
    let runs = runs(answers)?;
    let columns = columns(answers);
    // It is there as a whole or not at all.
    let mut beside = path.as_os_str().to_owned();
    beside.push(UNFINISHED);
    let beside = PathBuf::from(beside);
    write(&beside, b"")?;
    let file = File::create(&beside).map_err(failed(&beside))?;
    let rows = runs.iter().flat_map(rows);
    let written = match ending {
        Ending::Csv => csv(&columns, rows, BufWriter::new(file)),
        Ending::Parquet => {
            parquet::write(&columns, rows, BufWriter::new(file)).map_err(io::Error::other)
        }
    };
    let finished = written.and_then(|count| std::fs::rename(&beside, path).map(|()| count));
    finished.map_err(|cause| {
        // Half a table is of no use to anybody.
        let _ = std::fs::remove_file(&beside);
        failed(path)(cause)
    })
}

/// A column that every row has.
fn fixed<'a>(name: &str, kind: Kind, cell: Cell<'a>) -> Column<'a> {
    Column { name: name.to_owned(), kind, is_full: true, cell }
}

/// All columns, in their order.
fn columns(answers: &Answers) -> Vec<Column<'_>> {
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
fn rows<'a>(run: &'a Run<'a>) -> impl Iterator<Item = Row<'a>> {
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

/// Writes the table as CSV.
fn csv<'a>(
    columns: &[Column<'a>],
    rows: impl Iterator<Item = Row<'a>>,
    into: impl Write,
) -> io::Result<usize> {
    let mut writer = csv::Writer::from_writer(into);
    writer.write_record(columns.iter().map(|column| &column.name))?;
    let mut count = 0;
    for row in rows {
        for column in columns {
            match (column.cell)(&row) {
                None => writer.write_field("")?,
                Some(Value::Words(words)) => writer.write_field(words)?,
                Some(Value::Flag(flag)) => {
                    writer.write_field(if flag { "true" } else { "false" })?
                }
                Some(Value::Whole(number)) => writer.write_field(number.to_string())?,
                Some(Value::Real(number)) => writer.write_field(number.to_string())?,
            }
        }
        writer.write_record(None::<&[u8]>)?;
        count += 1;
    }
    writer.flush()?;
    Ok(count)
}

//! The long form: a row for each number, with everything that it belongs to beside it.
//!
//! What `pandas`, `polars` and R group, pivot and draw as it stands. `docs/report.md` has the schema.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::analysis::Answers;
use crate::sweep::store::UNFINISHED;

use super::column::{Column, Row, columns, rows};
use super::error::{ExportError, failed, write};
use super::parquet;
use super::runs::runs;
use super::typed::Value;

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

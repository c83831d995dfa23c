//! A table of a results folder as CSV: its bytes, and its rows one after the other.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use csv::{ByteRecord, StringRecord};
use serde::Serialize;

use crate::basis::record::Scores;
use crate::basis::regular;

use super::hashes::Stored;

/// Why a table cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// There is no table of trials.
    #[error("{} has no trials.csv: it is not the results folder of an experiment", .0.display())]
    NoTable(PathBuf),
    /// A table is damaged, or is a table of something else.
    #[error("{}: {reason}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// What is wrong, and in which line.
        reason: String,
    },
    /// A file is not as it was written.
    #[error(
        "{} was changed after it was written, or is out of date: its hash is not the one in hashes.toml\n  = \
         help: `wick run` with the experiment writes it again from the trials; to keep its present content, copy \
         it first",
        .0.display()
    )]
    Changed(PathBuf),
}

/// What a reader does about damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// The first damage is an error.
    Refused,
    /// A missing column and a cell that is no number are empty. A row without its place is left out. A row
    /// that is torn ends the table, and a table that is missing has no rows.
    Tolerated,
}

/// Six scores on a part of the images; none where a cell is empty.
pub type ScoreCells = [Option<f64>; Scores::NAMES.len()];

/// The columns of the scores on a part of the images.
pub(super) fn score_columns(part: &str) -> impl Iterator<Item = String> {
    Scores::NAMES.into_iter().map(move |name| format!("{part}_{name}"))
}

/// The cells of `scores`.
pub fn score_cells(scores: Option<&Scores>) -> ScoreCells {
    scores.map_or([None; Scores::NAMES.len()], |scores| scores.values().map(Some))
}

/// A number as a cell.
pub(super) fn cell(number: Option<f64>) -> String {
    number.map_or(String::new(), |number| number.to_string())
}

/// Rows with their header as CSV.
pub fn csv_bytes<R: Serialize>(rows: impl IntoIterator<Item = R>) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = rows.into_iter().try_for_each(|row| writer.serialize(row));
    written.expect("rows are plain data of one length");
    writer.into_inner().expect("writing to memory does not fail")
}

/// A table with its header as CSV.
pub(super) fn bytes(
    columns: impl Iterator<Item = impl ToString>,
    rows: impl Iterator<Item = Vec<String>>,
) -> Vec<u8> {
    let header = columns.map(|name| name.to_string()).collect();
    csv_bytes(std::iter::once(header).chain(rows))
}

/// The place of a column that is missing: its cells are empty.
const MISSING: usize = usize::MAX;

/// A table that is read row by row.
pub(super) struct Table {
    path: PathBuf,
    name: &'static str,
    damage: Damage,
    stored: Stored,
    reader: csv::Reader<Hashed>,
    pub(super) columns: StringRecord,
}

/// A file that is hashed while it is read; none: nothing.
struct Hashed {
    file: Option<File>,
    hasher: blake3::Hasher,
}

impl Read for Hashed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else { return Ok(0) };
        let count = file.read(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }
}

/// The cells of one row.
pub(super) struct Cells<'a> {
    record: &'a ByteRecord,
    damage: Damage,
}

impl Table {
    /// The table `name` of the results folder `root`.
    pub(super) fn open(
        root: &Path,
        name: &'static str,
        damage: Damage,
    ) -> Result<Table, TableError> {
        let path = root.join(name);
        // Before the table: what is read may be newer than its hash, and not older.
        let stored = Stored::read(root);
        let file = match regular::open(&path) {
            Ok(file) => Some(file),
            Err(_) if damage == Damage::Tolerated => None,
            Err(error) => return Err(TableError::Table { path, reason: error.to_string() }),
        };
        let mut reader = csv::ReaderBuilder::new()
            .buffer_capacity(1 << 16)
            .from_reader(Hashed { file, hasher: blake3::Hasher::new() });
        let header = reader.headers().cloned();
        let mut table = Table { path, name, damage, stored, reader, columns: StringRecord::new() };
        match header {
            Err(error) if damage == Damage::Refused => {
                table.verify()?;
                Err(table.wrong(error))
            }
            header => {
                table.columns = header.unwrap_or_default();
                Ok(table)
            }
        }
    }

    /// Reads what is left, and holds the whole against its hash.
    pub(super) fn verify(&mut self) -> Result<(), TableError> {
        let hashed = self.reader.get_mut();
        let read = io::copy(hashed, &mut io::sink());
        read.map_err(|error| self.wrong(error))?;
        let hashed = self.reader.get_ref();
        let hash = hashed.hasher.finalize().to_hex();
        match hashed.file.is_none() || self.stored.allows(self.name, &hash) {
            true => Ok(()),
            false => Err(TableError::Changed(self.path.clone())),
        }
    }

    pub(super) fn wrong(&self, reason: impl ToString) -> TableError {
        TableError::Table { path: self.path.clone(), reason: reason.to_string() }
    }

    /// The place of the column `name`. Of two with one name it is the last: an axis may be called like a
    /// column behind it.
    pub(super) fn place(&self, name: &str) -> Result<usize, TableError> {
        match self.columns.iter().enumerate().filter(|(_, column)| *column == name).last() {
            Some((place, _)) => Ok(place),
            None if self.damage == Damage::Tolerated => Ok(MISSING),
            None => Err(self.wrong(format!("there is no column \"{name}\""))),
        }
    }

    /// Calls `row` with the cells of each row; what it says is wrong is told with the line. What it was told counts
    /// only if the table is as it was written, which shows at the end.
    pub(super) fn each(
        mut self,
        row: impl FnMut(Cells) -> Result<(), String>,
    ) -> Result<(), TableError> {
        let read = self.rows(row);
        self.verify()?;
        read
    }

    fn rows(&mut self, mut row: impl FnMut(Cells) -> Result<(), String>) -> Result<(), TableError> {
        let (damage, mut record) = (self.damage, ByteRecord::new());
        loop {
            match self.reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(_) if damage == Damage::Tolerated => return Ok(()),
                Err(error) => return Err(self.wrong(error)),
            }
            match row(Cells { record: &record, damage }) {
                Err(reason) if damage == Damage::Refused => {
                    let line = record.position().map_or(0, csv::Position::line);
                    return Err(self.wrong(format!("line {line}: {reason}")));
                }
                _ => {}
            }
        }
    }
}

impl Cells<'_> {
    pub(super) fn text(&self, place: usize) -> String {
        String::from_utf8_lossy(self.record.get(place).unwrap_or_default()).into_owned()
    }

    /// The number in a cell, finite or not; none if the cell is empty.
    pub(super) fn number(&self, place: usize) -> Result<Option<f64>, String> {
        let text = self.text(place);
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) if text.is_empty() || self.damage == Damage::Tolerated => Ok(None),
            Err(_) => Err(format!("\"{text}\" is no number")),
        }
    }

    /// The number of a trial or an epoch.
    pub(super) fn whole(&self, place: usize) -> Result<usize, String> {
        let text = self.text(place);
        text.parse().map_err(|_| format!("\"{text}\" is not the number of a trial or an epoch"))
    }
}

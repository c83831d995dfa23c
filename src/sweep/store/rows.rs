//! Rows of the small tables in a trial's folder: each with the hash of itself and of all before it.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use csv::ByteRecord;
use csv_core::{ReadRecordResult, Reader};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::basis::regular;
use crate::results::seal::{COLUMN, Chain, Check};

use super::file::{Lasting, sync_folder};
use super::holder;

thread_local! {
    /// A reader takes longer to make than most of these tables take to read, and a plan of thousands
    /// of trials has several for each. (Its clone is none: it lacks its classes of bytes.)
    static READER: RefCell<Reader> = RefCell::new(Reader::new());
}

/// The rows of a table, as far as they are whole.
pub(super) struct Rows<R> {
    /// In order; none behind the first that is torn or damaged: its numbers, and those of the rows behind it,
    /// are not known.
    pub(super) rows: Vec<R>,
    /// The check of each of them.
    pub(super) checks: Vec<Check>,
    /// Whether nothing is behind them.
    pub(super) is_whole: bool,
    pub(super) end: End,
}

/// How far a table is written, or read.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    bytes: u64,
    chain: Chain,
}

impl End {
    /// The check of the last row.
    pub(super) fn check(&self) -> Check {
        self.chain.last()
    }

    /// The bytes up to there.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The rows of the table at `path`; none if it is missing.
pub(super) fn read<R: DeserializeOwned>(path: &Path) -> Rows<R> {
    parsed(&regular::read(path).unwrap_or_default(), chain(path), |_| true)
}

/// As [`read`], with cells by their place. A table whose columns are not `columns` in this order has no rows:
/// its cells would be taken for others.
pub(super) fn read_in_order<R: DeserializeOwned>(path: &Path, columns: &[&str]) -> Rows<R> {
    in_order(&regular::read(path).unwrap_or_default(), path, columns)
}

/// As [`read_in_order`], where a table that is there and cannot be read is an error.
pub(super) fn try_read_in_order<R: DeserializeOwned>(
    path: &Path,
    columns: &[&str],
) -> io::Result<Rows<R>> {
    let bytes = match regular::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        read => read?,
    };
    Ok(in_order(&bytes, path, columns))
}

fn in_order<R: DeserializeOwned>(bytes: &[u8], path: &Path, columns: &[&str]) -> Rows<R> {
    parsed(bytes, chain(path), |header| {
        header.iter().eq(columns.iter().map(|name| name.as_bytes()))
    })
}

/// The rows behind `from` of the table at `path`, whose columns are `columns` in this order; from its start if nothing
/// was read of it yet. Of rows that are not whole yet, `end` says where they will be read.
pub(super) fn read_on<R: DeserializeOwned>(
    path: &Path,
    columns: &[&str],
    from: Option<End>,
) -> Rows<R> {
    let Some(from) = from.filter(|from| from.bytes > 0) else {
        return read_in_order(path, columns);
    };
    let read = || {
        let mut file = regular::open(path)?;
        file.seek(SeekFrom::Start(from.bytes))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    let bytes = read().unwrap_or_default();
    let mut found = Rows { rows: Vec::new(), checks: Vec::new(), is_whole: false, end: from };
    found.take(Lines::of(&bytes), &ByteRecord::from(columns.to_vec()), from);
    found.is_whole = found.end.bytes == from.bytes + bytes.len() as u64;
    found
}

/// No rows of the table at `path`, as if it were not there.
pub(super) fn nothing_of<R>(path: &Path) -> Rows<R> {
    let end = End { bytes: 0, chain: chain(path) };
    Rows { rows: Vec::new(), checks: Vec::new(), is_whole: true, end }
}

/// No rows of the table at `path`: they are of one kind and of one trial, whose folder is called after it.
fn chain(path: &Path) -> Chain {
    let name = |path: Option<&Path>| {
        path.and_then(Path::file_name).unwrap_or_default().to_string_lossy().into_owned()
    };
    let folder = name(path.parent());
    // The same trial with fewer epochs has the same rows.
    let trial = folder.split('-').next().unwrap_or_default();
    Chain::new(&format!("{trial} {}", name(Some(path))))
}

/// A table of `rows` for `path`.
pub(super) fn table<R: Serialize>(path: &Path, rows: impl IntoIterator<Item = R>) -> Vec<u8> {
    let mut end = End { bytes: 0, chain: chain(path) };
    encoded(rows, &mut end).expect("rows are plain data of one length")
}

/// The check of the last row of `bytes`, a whole table for `path`.
pub(super) fn last(path: &Path, bytes: &[u8]) -> Check {
    parsed::<Vec<String>>(bytes, chain(path), |_| true).end.check()
}

/// The check of the table at `path` with no rows.
pub(super) fn nothing(path: &Path) -> Check {
    chain(path).last()
}

/// Adds rows at the end, below a header if there is nothing yet. `end` is where this process has
/// written to last, if it has: rows behind it are another one's. Where it has written to now.
pub(super) fn append<R: Serialize>(
    path: &Path,
    end: Option<End>,
    rows: impl IntoIterator<Item = R>,
    lasting: Lasting,
) -> io::Result<End> {
    let options = &mut File::options();
    let options = options.create(true).read(true).write(true).truncate(false);
    let mut file = regular::open_as(path, options)?;
    let there = file.metadata()?.len();
    let mut at = match end {
        Some(end) if end.bytes != there => {
            return Err(io::Error::other(holder::TakenOver("one that wrote here".to_owned())));
        }
        Some(end) => end,
        None => {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            let whole = parsed::<Vec<String>>(&bytes, chain(path), |_| true);
            // Nobody would find rows behind a torn one.
            if !whole.is_whole {
                file.set_len(whole.end.bytes)?;
            }
            whole.end
        }
    };
    let is_new = at.bytes == 0;
    file.seek(SeekFrom::Start(at.bytes))?;
    file.write_all(&encoded(rows, &mut at)?)?;
    if lasting == Lasting::Power {
        file.sync_data()?;
        if is_new {
            sync_folder(path)?;
        }
    }
    Ok(at)
}

/// `rows` as they go behind `end`, with their checks; moves it on.
fn encoded<R: Serialize>(rows: impl IntoIterator<Item = R>, end: &mut End) -> io::Result<Vec<u8>> {
    let is_first = end.bytes == 0;
    let mut writer = csv::WriterBuilder::new().has_headers(is_first).from_writer(Vec::new());
    let mut ends = Vec::new();
    for row in rows {
        writer.serialize(row)?;
        writer.flush()?;
        ends.push(writer.get_ref().len());
    }
    let plain = writer.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    if ends.is_empty() {
        return Ok(Vec::new());
    }
    let mut checked = Vec::with_capacity(plain.len() + ends.len() * (Check::DIGITS + 1));
    let mut start = 0;
    if is_first {
        // The names of columns have no line ends.
        start = plain.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        checked.extend_from_slice(&plain[..start.saturating_sub(1)]);
        checked.extend_from_slice(format!(",{COLUMN}\n").as_bytes());
        end.chain.add(&checked);
    }
    for row_end in ends {
        let row = &plain[start..row_end - 1];
        checked.extend_from_slice(row);
        checked.push(b',');
        checked.extend_from_slice(end.chain.add(row).as_bytes());
        checked.push(b'\n');
        start = row_end;
    }
    end.bytes += checked.len() as u64;
    Ok(checked)
}

fn parsed<R: DeserializeOwned>(
    bytes: &[u8],
    chain: Chain,
    is_known: impl Fn(&ByteRecord) -> bool,
) -> Rows<R> {
    let mut found = Rows {
        rows: Vec::new(),
        checks: Vec::new(),
        is_whole: bytes.is_empty(),
        end: End { bytes: 0, chain },
    };
    let mut lines = Lines::of(bytes);
    let Some((line, mut header)) = lines.next() else { return found };
    let is_checked = header.iter().next_back() == Some(COLUMN.as_bytes());
    header.truncate(header.len().saturating_sub(1));
    if !is_checked || !is_known(&header) {
        return found;
    }
    let mut end = found.end;
    end.chain.add(line);
    end.bytes = line.len() as u64;
    found.take(lines, &header, end);
    found.is_whole = found.end.bytes == bytes.len() as u64;
    found
}

impl<R: DeserializeOwned> Rows<R> {
    /// Takes the rows of `lines` as far as they are whole; the table is known up to `end`.
    fn take(&mut self, lines: Lines, header: &ByteRecord, mut end: End) {
        for (line, mut record) in lines {
            // Before its check stands a comma, and behind it the line end.
            let Some(length) = line.len().checked_sub(Check::DIGITS + 2) else { break };
            let (row, written) = line.split_at(length);
            let check = end.chain.add(row);
            if written[0] != b',' || written[1..=Check::DIGITS] != *check.as_bytes() {
                break;
            }
            record.truncate(record.len().saturating_sub(1));
            if record.len() != header.len() {
                break;
            }
            let Ok(row) = record.deserialize(Some(header)) else { break };
            self.rows.push(row);
            self.checks.push(check);
            end.bytes += line.len() as u64;
            self.end = end;
        }
    }
}

/// The lines of a table, each as it is written and with its cells. A line without its end is none: it may have lost
/// some of its last digits.
struct Lines<'a> {
    rest: &'a [u8],
    /// Room for the text of a row and for the ends of its cells.
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(bytes: &'a [u8]) -> Lines<'a> {
        Lines { rest: bytes, text: vec![0; 256], ends: vec![0; 32] }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (&'a [u8], ByteRecord);

    fn next(&mut self) -> Option<Self::Item> {
        let Lines { rest: from, text, ends } = self;
        let (mut used, mut fields, mut length) = (0, 0, 0);
        READER.with_borrow_mut(|reader| {
            reader.reset();
            loop {
                let (result, read, written, ended) =
                    reader.read_record(&from[length..], &mut text[used..], &mut ends[fields..]);
                length += read;
                used += written;
                fields += ended;
                match result {
                    ReadRecordResult::Record => break,
                    ReadRecordResult::OutputFull => text.resize(2 * text.len() + 64, 0),
                    ReadRecordResult::OutputEndsFull => ends.resize(2 * ends.len(), 0),
                    ReadRecordResult::InputEmpty | ReadRecordResult::End => return None,
                }
            }
            let line;
            (line, *from) = from.split_at(length);
            if line.last() != Some(&b'\n') {
                return None;
            }
            let starts = std::iter::once(0).chain(ends.iter().copied());
            let cells = starts.zip(&ends[..fields]).map(|(start, end)| &text[start..*end]);
            Some((line, cells.collect()))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    type Row = (usize, String, Option<f64>);

    const HEADER: &str = "epoch,host,loss,blake3\n";

    #[derive(Serialize)]
    struct Written {
        epoch: usize,
        host: &'static str,
        loss: Option<f64>,
    }

    fn written(rows: &[(usize, &'static str, Option<f64>)]) -> Vec<u8> {
        let rows =
            rows.iter().map(|(epoch, host, loss)| Written { epoch: *epoch, host, loss: *loss });
        table(Path::new("0123/epochs.csv"), rows)
    }

    fn read(bytes: &[u8]) -> (Vec<Row>, bool) {
        let Rows { rows, checks, is_whole, .. } =
            parsed(bytes, chain(Path::new("x/0123-4-epochs/epochs.csv")), |_| true);
        assert_eq!(rows.len(), checks.len());
        (rows, is_whole)
    }

    #[test]
    fn rows_come_back_with_their_quotes_undone() {
        let bytes = written(&[(1, "a, \"b\"\nc", Some(0.5)), (2, "d", None)]);
        assert!(bytes.starts_with(HEADER.as_bytes()));
        let rows = vec![(1, "a, \"b\"\nc".to_owned(), Some(0.5)), (2, "d".to_owned(), None)];
        assert_eq!(read(&bytes), (rows.clone(), true));
        let same: Vec<(usize, String, Option<f64>, String)> =
            csv::Reader::from_reader(&bytes[..]).deserialize().collect::<Result<_, _>>().unwrap();
        assert!(same.into_iter().map(|(a, b, c, _)| (a, b, c)).eq(rows));
        assert_eq!(read(b""), (vec![], true));
    }

    #[test]
    fn a_flipped_bit_ends_the_rows_wherever_it_is() {
        let all = [(1, "a", Some(0.5)), (2, "b", Some(0.25)), (3, "\"c\"", None)];
        let bytes = written(&all);
        let whole = read(&bytes).0;
        for (place, bit) in (0..bytes.len()).flat_map(|place| (0..8).map(move |bit| (place, bit))) {
            let mut other = bytes.clone();
            other[place] ^= 1 << bit;
            let (rows, is_whole) = read(&other);
            assert!(
                !is_whole && rows.len() < 3 && whole.starts_with(&rows),
                "bit {bit} of {place}"
            );
        }
        for end in 1..bytes.len() {
            let (rows, _) = read(&bytes[..end]);
            assert!(rows.len() < 3 && whole.starts_with(&rows), "{end} bytes");
        }
    }

    #[test]
    fn rows_of_another_trial_or_table_do_not_fit() {
        let bytes = written(&[(1, "a", Some(0.5))]);
        for other in ["x/4567/epochs.csv", "x/0123/batches.csv"] {
            assert_eq!(parsed::<Row>(&bytes, chain(Path::new(other)), |_| true).rows, []);
        }
    }

    #[test]
    fn rows_are_added_behind_the_last_whole_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("epochs.csv");
        let row = |epoch| Written { epoch, host: "a", loss: None };
        append(&path, None, [row(1), row(2)], Lasting::Process).unwrap();
        let two = fs::read(&path).unwrap();
        for torn in [two.len() - 3, two.len()] {
            fs::write(&path, &two[..torn]).unwrap();
            append(&path, None, [row(3)], Lasting::Power).unwrap();
            let rows: Rows<Row> = super::read(&path);
            let epochs: Vec<usize> = rows.rows.iter().map(|row| row.0).collect();
            let expected: &[usize] = if torn < two.len() { &[1, 3] } else { &[1, 2, 3] };
            assert_eq!((&epochs[..], rows.is_whole), (expected, true));
        }
    }
}

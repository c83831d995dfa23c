//! Rows of the small tables in a trial's folder.

use std::cell::RefCell;
use std::path::Path;
use std::{fs, iter};

use csv::ByteRecord;
use csv_core::{ReadRecordResult, Reader};
use serde::de::DeserializeOwned;

thread_local! {
    /// A reader takes longer to make than most of these tables take to read, and a plan of thousands
    /// of trials has several for each. (Its clone is none: it lacks its classes of bytes.)
    static READER: RefCell<Reader> = RefCell::new(Reader::new());
}

/// The rows of the table at `path`, in order; none if it is missing. A row that is torn or damaged ends
/// them: its numbers, and those of the rows behind it, are not known.
pub(super) fn read<R: DeserializeOwned>(path: &Path) -> Vec<R> {
    parsed(&fs::read(path).unwrap_or_default(), |_| true)
}

/// As [`read`], with cells by their place. A table whose columns are not `columns` in this order has no rows:
/// its cells would be taken for others.
pub(super) fn read_in_order<R: DeserializeOwned>(path: &Path, columns: &[&str]) -> Vec<R> {
    parsed(&fs::read(path).unwrap_or_default(), |header| {
        header.iter().eq(columns.iter().map(|name| name.as_bytes()))
    })
}

fn parsed<R: DeserializeOwned>(bytes: &[u8], is_known: impl Fn(&ByteRecord) -> bool) -> Vec<R> {
    // A row without its line end may have lost some of its last digits.
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut records = records(&bytes[..whole]).into_iter();
    let Some(header) = records.next().filter(is_known) else { return Vec::new() };
    records
        .take_while(|row| row.len() == header.len())
        .map_while(|row| row.deserialize(Some(&header)).ok())
        .collect()
}

fn records(mut rest: &[u8]) -> Vec<ByteRecord> {
    // Without quotes and line ends, fields take no more room than here.
    let mut text = vec![0; rest.len()];
    let mut ends = vec![0; rest.iter().filter(|byte| b",\r\n".contains(byte)).count() + 1];
    READER.with_borrow_mut(|reader| {
        reader.reset();
        let mut records = Vec::new();
        loop {
            let (result, read, _, fields) = reader.read_record(rest, &mut text, &mut ends);
            if result != ReadRecordResult::Record {
                return records;
            }
            rest = &rest[read..];
            let ends = &ends[..fields];
            let starts = iter::once(0).chain(ends.iter().copied());
            records.push(starts.zip(ends).map(|(start, end)| &text[start..*end]).collect());
        }
    })
}

#[cfg(test)]
mod tests {
    use super::parsed;

    type Row = (usize, String, Option<f64>);

    #[test]
    fn rows_come_back_with_their_quotes_undone() {
        let text = b"epoch,host,loss\n1,\"a, \"\"b\"\"\nc\",0.5\n2,d,\n";
        let rows: Vec<Row> = parsed(text, |_| true);
        assert_eq!(rows, [(1, "a, \"b\"\nc".to_owned(), Some(0.5)), (2, "d".to_owned(), None)]);
        let same: Vec<Row> =
            csv::Reader::from_reader(&text[..]).deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!(rows, same);
    }

    #[test]
    fn a_row_that_is_torn_or_damaged_ends_them() {
        for damaged in ["2,b,0.", "2,b\n", "2,b,0.5,7\n", "x,b,0.5\n", "2,\"b,0.5\n", "2,\u{fffd}"]
        {
            let text = format!("epoch,host,loss\n1,a,0.5\n{damaged}3,c,0.5");
            assert_eq!(
                parsed::<Row>(text.as_bytes(), |_| true),
                [(1, "a".to_owned(), Some(0.5))],
                "{damaged}"
            );
        }
        for nothing in ["", "epoch,host,loss", "epoch,host,loss\n"] {
            assert_eq!(parsed::<Row>(nothing.as_bytes(), |_| true), []);
        }
    }
}

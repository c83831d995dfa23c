//! Columns of Parquet files of strangers, read page by page.
//!
//! What a file claims of itself is held against its length before anything is taken into memory for it: a page is
//! unpacked to no more than [`MAX_RATIO`] times what it takes, and no more rows are read than [`ROWS`] for each byte.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, get_column_reader};
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{
    ParquetMetaData, ParquetMetaDataOptions, ParquetMetaDataReader, ParquetStatisticsPolicy,
};
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use parquet::schema::types::ColumnDescriptor;

use super::error::reason;
use crate::basis::regular;

/// A page takes at most this many times its bytes in the file when it is unpacked. Pages of numbers that are all the same
/// come close.
const MAX_RATIO: u64 = 1 << 12;

/// A page may claim to unpack to so many bytes, whatever it takes in the file.
const SMALL_PAGE: u64 = 1 << 20;

/// A file has no more rows than this for each of its bytes, or so many in all.
const ROWS: u64 = 4;
const SMALL_TABLE: u64 = 1 << 16;

/// Begins what is said of pages in an encoding that is not read.
const ENCODED: &str = "encoded as ";

/// The header of a page is read with so many bytes at a time.
const HEADER: usize = 1 << 9;

/// A file whose footer has been read.
pub(super) struct Table {
    pub(super) metadata: ParquetMetaData,
    /// The first row of each group of them.
    starts: Vec<usize>,
    path: PathBuf,
    length: u64,
}

impl Table {
    /// Reads the footer of the file at `path`; an error is the reason in words.
    pub(super) fn open(path: &Path) -> Result<Table, String> {
        let mut file = regular::open(path).map_err(|cause| reason(&cause))?;
        let length = file.metadata().map_err(|cause| reason(&cause))?.len();
        let mut start = Vec::new();
        (&mut file).take(4).read_to_end(&mut start).map_err(|cause| reason(&cause))?;
        if start != b"PAR1" {
            return Err(match &start[..] {
                b"" => "is empty".to_owned(),
                b"vers" => {
                    "is a pointer to a large file that has not been downloaded: git lfs pull"
                        .to_owned()
                }
                b"PARE" => "is encrypted; write it anew without encryption".to_owned(),
                _ => "does not begin as a Parquet file does".to_owned(),
            });
        }
        let options = ParquetMetaDataOptions::new()
            .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll);
        let metadata = ParquetMetaDataReader::new()
            .with_metadata_options(Some(options))
            .parse_and_finish(&file)
            .map_err(|error| in_words(&error))?;
        check(&metadata, length)?;
        let mut starts = Vec::new();
        let mut next = 0;
        for group in metadata.row_groups() {
            starts.push(next);
            next += group.num_rows() as usize;
        }
        Ok(Table { metadata, starts, path: path.to_owned(), length })
    }

    /// The number of rows.
    pub(super) fn rows(&self) -> usize {
        self.groups().sum()
    }

    /// The number of rows in each group of them.
    pub(super) fn groups(&self) -> impl Iterator<Item = usize> {
        self.metadata.row_groups().iter().map(|group| group.num_rows() as usize)
    }

    /// The group that a row belongs to, and its place there.
    pub(super) fn place(&self, row: usize) -> (usize, usize) {
        let group = self.starts.partition_point(|start| *start <= row).saturating_sub(1);
        (group, row - self.starts.get(group).copied().unwrap_or(0))
    }

    /// The columns that hold values.
    pub(super) fn columns(&self) -> impl Iterator<Item = &ColumnDescriptor> {
        self.metadata.file_metadata().schema_descr().columns().iter().map(|column| &**column)
    }

    /// The `column` in the `group` of rows, from its first row on. Each reader opens the file anew and closes it in
    /// the end: a data set can have more files than may be open at once.
    pub(super) fn column(&self, group: usize, column: usize) -> Result<ColumnReader, String> {
        let file = regular::open(&self.path).map_err(|cause| reason(&cause))?;
        let length = file.metadata().map_err(|cause| reason(&cause))?.len();
        if length != self.length {
            return Err("has changed meanwhile".to_owned());
        }
        let file = Arc::new(Pages { file: Arc::new(Mutex::new(file)), length });
        let group = self.metadata.row_group(group);
        let chunk = group.column(column);
        let rows = group.num_rows() as usize;
        let pages = SerializedPageReader::new(file, chunk, rows, None);
        let pages = pages.map_err(|error| in_words(&error))?;
        let column = chunk.column_descr_ptr();
        let levels = [column.max_def_level(), column.max_rep_level()].map(|level| level > 0);
        let pages = Checked { pages, levels, has_dictionary: false };
        Ok(get_column_reader(column, Box::new(pages)))
    }
}

/// Pages that can be decoded: the decoder panics, or makes room for what a page claims, where it takes for granted what
/// is looked at here.
struct Checked<P> {
    pages: P,
    /// Whether there are levels of what is there, and of repetitions.
    levels: [bool; 2],
    has_dictionary: bool,
}

impl<P> Checked<P> {
    fn check(&mut self, page: &Page) -> ParquetResult<()> {
        let wrong = |problem: String| Err(ParquetError::General(problem));
        match page {
            // Room is made for all of its values before the first is read; each takes four bytes or more.
            Page::DictionaryPage { buf, num_values, .. }
                if *num_values as usize > buf.len() / 4 =>
            {
                return wrong(format!(
                    "a dictionary of {} bytes claims {num_values} values",
                    buf.len()
                ));
            }
            Page::DictionaryPage { .. } => self.has_dictionary = true,
            Page::DataPage { def_level_encoding, rep_level_encoding, .. } => {
                let encodings = [def_level_encoding, rep_level_encoding];
                let other = |(encoding, is_there): &(&Encoding, bool)| {
                    *is_there && **encoding != Encoding::RLE
                };
                if let Some((other, _)) = encodings.into_iter().zip(self.levels).find(other) {
                    return wrong(format!("{ENCODED}{other} (levels)"));
                }
            }
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let levels = u64::from(*def_levels_byte_len) + u64::from(*rep_levels_byte_len);
                if levels > buf.len() as u64 {
                    return wrong(format!(
                        "a page of {} bytes claims {levels} bytes of levels",
                        buf.len()
                    ));
                }
            }
        }
        if page.is_data_page() {
            match page.encoding() {
                Encoding::RLE_DICTIONARY | Encoding::PLAIN_DICTIONARY if !self.has_dictionary => {
                    return wrong("a page refers to a dictionary that is not there".to_owned());
                }
                // How many texts there are stands in front of them, and room is made for so many.
                other @ (Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY) => {
                    return wrong(format!("{ENCODED}{other}"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl<P: PageReader> PageReader for Checked<P> {
    fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.iter().try_for_each(|page| self.check(page))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> ParquetResult<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> ParquetResult<bool> {
        self.pages.at_record_boundary()
    }
}

impl<P: PageReader> Iterator for Checked<P> {
    type Item = ParquetResult<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

/// Holds what a footer claims against the length of its file.
fn check(metadata: &ParquetMetaData, length: u64) -> Result<(), String> {
    let mut rows = 0_u64;
    // Images that are the same share their bytes, but what is listed of each row takes memory.
    let most = length.saturating_mul(ROWS).saturating_add(SMALL_TABLE);
    let columns = metadata.file_metadata().schema_descr().num_columns();
    for group in metadata.row_groups() {
        let own = u64::try_from(group.num_rows()).ok();
        let total = own.and_then(|own| rows.checked_add(own)).filter(|total| *total <= most);
        rows = total.ok_or_else(|| {
            format!("is damaged: it claims {} rows in {length} bytes", group.num_rows())
        })?;
        if group.num_columns() != columns {
            return Err("is damaged: its groups of rows have different columns".to_owned());
        }
        for column in group.columns() {
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let end =
                start.checked_add(column.compressed_size()).and_then(|it| u64::try_from(it).ok());
            let is_inside =
                start >= 0 && column.compressed_size() >= 0 && end.is_some_and(|end| end <= length);
            if !is_inside {
                return Err(format!(
                    "is damaged: its column {} does not lie inside the file's {length} bytes; get it anew",
                    column.column_path().string()
                ));
            }
            if column.file_path().is_some() {
                return Err("keeps its columns in other files; write it anew in one".to_owned());
            }
        }
    }
    Ok(())
}

/// What the reader of the format says, as the rest of a sentence about a file.
pub(super) fn in_words(error: &ParquetError) -> String {
    let text = match error {
        ParquetError::General(text) | ParquetError::EOF(text) | ParquetError::NYI(text) => {
            text.clone()
        }
        ParquetError::External(cause) => cause.to_string(),
        other => other.to_string(),
    };
    if let Some(encoding) = text.strip_prefix(ENCODED) {
        return format!(
            "has pages in the encoding {encoding}, which is not read; write it anew with PLAIN or with dictionaries, as \
             pyarrow.parquet.write_table does if nothing else is asked for"
        );
    }
    match text.strip_prefix("Disabled feature at compile time: ") {
        Some(codec) => format!(
            "is compressed with {codec}; snappy, gzip, zstd, lz4 and none are read: write it anew with one of these"
        ),
        None => {
            format!("is damaged ({}); get it anew, or write it anew", text.trim_end_matches('.'))
        }
    }
}

/// The bytes of a file.
struct Pages {
    file: Arc<Mutex<File>>,
    length: u64,
}

/// The bytes of a file from a place on.
pub(super) struct From {
    file: Arc<Mutex<File>>,
    at: u64,
}

impl Read for From {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        // A panic elsewhere can leave only the position wrong, which is set anew each time.
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let got = file.read(into)?;
        self.at += got as u64;
        Ok(got)
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Pages {
    type T = BufReader<From>;

    /// Asked for where the header of a page stands.
    fn get_read(&self, start: u64) -> ParquetResult<Self::T> {
        let from = || From { file: Arc::clone(&self.file), at: start };
        let mut begin = Vec::new();
        from().take(32).read_to_end(&mut begin)?;
        let Some([unpacked, packed]) = sizes(&begin) else {
            let problem = "a page does not begin with its kind and its sizes";
            return Err(ParquetError::General(problem.to_owned()));
        };
        if unpacked > SMALL_PAGE.max(packed.saturating_mul(MAX_RATIO)) {
            return Err(ParquetError::General(format!(
                "a page of {packed} bytes claims to unpack to {unpacked}"
            )));
        }
        Ok(BufReader::with_capacity(HEADER, from()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> ParquetResult<Bytes> {
        let end = start.checked_add(length as u64);
        if end.is_none_or(|end| end > self.length) {
            let problem = format!("{length} bytes at {start} in a file of {}", self.length);
            return Err(ParquetError::EOF(problem));
        }
        let mut bytes = vec![0; length];
        (From { file: Arc::clone(&self.file), at: start }).read_exact(&mut bytes)?;
        Ok(bytes.into())
    }
}

/// The sizes of a page, unpacked and packed, as its header begins: the fields 1 to 3 of a structure in Thrift's
/// compact protocol, numbers of 32 bits. Nobody writes them in the other ways that the protocol would allow.
fn sizes(mut header: &[u8]) -> Option<[u64; 2]> {
    let mut field = || {
        let (start, rest) = header.split_first()?;
        let mut number = 0_u64;
        let mut length = 0;
        for (place, byte) in rest.iter().take(10).enumerate() {
            number |= u64::from(byte & 0x7f).checked_shl(7 * place as u32).unwrap_or(0);
            length = place + 1;
            if byte & 0x80 == 0 {
                break;
            }
        }
        header = &rest[length..];
        // Zigzag: negative ones are odd.
        (*start == 0x15).then_some(number >> 1)
    };
    let [_, unpacked, packed] = [field()?, field()?, field()?];
    Some([unpacked, packed])
}

/// Readers that stand at a row, to go on from there.
pub(super) struct Cursors<T> {
    kept: Mutex<VecDeque<(Place, T)>>,
}

/// A row of a group of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) file: usize,
    pub(super) group: usize,
    pub(super) row: usize,
}

/// A reader goes on from so many rows before the one that is wanted; one that is further away is left for the thread
/// that it belongs to.
const NEAR: usize = 32;

impl<T> Cursors<T> {
    pub(super) fn new() -> Self {
        Cursors { kept: Mutex::default() }
    }

    /// The reader that stands nearest before `place`, and its own place.
    pub(super) fn take(&self, place: Place) -> Option<(Place, T)> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let distance = |at: &Place| {
            let is_same = (at.file, at.group) == (place.file, place.group);
            place.row.checked_sub(at.row).filter(|rows| is_same && *rows <= NEAR)
        };
        let near = kept.iter().enumerate();
        let near = near.filter_map(|(index, (at, _))| Some((distance(at)?, index))).min()?;
        kept.remove(near.1)
    }

    /// Keeps a reader that stands at `place`, in place of the oldest where there are many.
    pub(super) fn keep(&self, place: Place, reader: T) {
        let most = 2 * rayon::current_num_threads();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back((place, reader));
        while kept.len() > most {
            kept.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(content: &[u8]) -> Pages {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, content).unwrap();
        Pages { file: Arc::new(Mutex::new(file)), length: content.len() as u64 }
    }

    #[test]
    fn a_page_that_claims_to_unpack_to_more_than_its_bytes_can_hold_is_refused() {
        // A page of data of 8 bytes that become 100, and 2 GiB.
        let sound = [0x15, 0, 0x15, 0xc8, 0x01, 0x15, 16, 0x2c];
        let bomb = [0x15, 0, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x15, 16, 0x2c];
        assert_eq!(sizes(&sound), Some([100, 8]));
        assert_eq!(sizes(&bomb), Some([i32::MAX as u64, 8]));
        assert!(pages(&sound).get_read(0).is_ok());
        let said = pages(&bomb).get_read(0).err().unwrap().to_string();
        assert!(said.contains("a page of 8 bytes claims to unpack to 2147483647"), "{said}");
        assert_eq!((sizes(&bomb[..6]), sizes(b"PAR1")), (None, None));
    }

    #[test]
    fn a_page_whose_header_is_written_in_another_form_is_refused() {
        // The same numbers, but the fields are counted in a byte of their own.
        let long = [0x05, 2, 0, 0x05, 4, 0xc8, 0x01, 0x05, 6, 16];
        let said = pages(&long).get_read(0).err().unwrap().to_string();
        assert!(said.contains("does not begin with its kind and its sizes"), "{said}");
    }

    /// Pages that somebody wrote by hand.
    struct Written(VecDeque<Page>);

    impl Iterator for Written {
        type Item = ParquetResult<Page>;

        fn next(&mut self) -> Option<Self::Item> {
            self.0.pop_front().map(Ok)
        }
    }

    impl PageReader for Written {
        fn get_next_page(&mut self) -> ParquetResult<Option<Page>> {
            Ok(self.0.pop_front())
        }

        fn peek_next_page(&mut self) -> ParquetResult<Option<PageMetadata>> {
            Ok(None)
        }

        fn skip_next_page(&mut self) -> ParquetResult<()> {
            Ok(())
        }
    }

    fn said_of(pages: impl IntoIterator<Item = Page>) -> Result<usize, String> {
        let written = Written(pages.into_iter().collect());
        let checked = Checked { pages: written, levels: [true, false], has_dictionary: false };
        let all = checked.collect::<ParquetResult<Vec<Page>>>();
        all.map(|all| all.len()).map_err(|error| in_words(&error))
    }

    #[test]
    fn pages_that_the_decoder_would_panic_at_or_make_too_much_room_for_are_refused() {
        let buf = || Bytes::from_static(&[0; 16]);
        let dictionary = |num_values| Page::DictionaryPage {
            buf: buf(),
            num_values,
            encoding: Encoding::PLAIN,
            is_sorted: false,
        };
        let first = |encoding, levels| Page::DataPage {
            buf: buf(),
            num_values: 4,
            encoding,
            def_level_encoding: levels,
            // Of no use where nothing is repeated.
            rep_level_encoding: Encoding::PLAIN,
            statistics: None,
        };
        let second = |levels: [u32; 2]| Page::DataPageV2 {
            buf: buf(),
            num_values: 4,
            encoding: Encoding::PLAIN,
            num_nulls: 0,
            num_rows: 4,
            def_levels_byte_len: levels[0],
            rep_levels_byte_len: levels[1],
            is_compressed: false,
            statistics: None,
        };
        let refused = |page: Page, problem: &str| {
            let said = said_of([dictionary(4), page]).unwrap_err();
            assert!(said.contains(problem), "{said}");
        };
        let sound = [
            dictionary(4),
            first(Encoding::PLAIN, Encoding::RLE),
            first(Encoding::RLE_DICTIONARY, Encoding::RLE),
            second([8, 8]),
        ];
        assert_eq!(said_of(sound), Ok(4));
        refused(dictionary(5), "a dictionary of 16 bytes claims 5 values");
        refused(dictionary(u32::MAX), "a dictionary of 16 bytes claims 4294967295 values");
        #[expect(deprecated, reason = "old files have it")]
        refused(first(Encoding::PLAIN, Encoding::BIT_PACKED), "the encoding BIT_PACKED (levels)");
        refused(second([8, 9]), "a page of 16 bytes claims 17 bytes of levels");
        refused(second([u32::MAX; 2]), "claims 8589934590 bytes of levels");
        for encoding in [Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY] {
            let problem = format!("in the encoding {encoding}, which is not read; write it anew");
            refused(first(encoding, Encoding::RLE), &problem);
        }
        let none = said_of([first(Encoding::RLE_DICTIONARY, Encoding::RLE)]).unwrap_err();
        assert!(none.contains("a dictionary that is not there"), "{none}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn no_table_keeps_its_file_open_and_a_file_of_another_length_is_noticed() {
        let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data_sources/parquet");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        std::fs::copy(made.join("numbers.parquet"), &path).unwrap();
        let is_open = || {
            let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
            open.filter_map(|it| it.path().read_link().ok()).any(|it| it == path)
        };
        let table = Table::open(&path).unwrap();
        assert!(!is_open());
        let reader = table.column(0, 0).unwrap();
        assert!(is_open());
        drop(reader);
        assert!(!is_open());
        let file = File::options().append(true).open(&path).unwrap();
        file.set_len(table.length + 1).unwrap();
        drop(file);
        assert_eq!(table.column(0, 0).err().unwrap(), "has changed meanwhile");
    }

    #[test]
    fn bytes_outside_of_a_file_are_never_made_room_for() {
        let pages = pages(b"PAR1");
        assert_eq!(pages.get_bytes(1, 3).unwrap().as_ref(), b"AR1");
        assert!(pages.get_bytes(2, 3).is_err() && pages.get_bytes(u64::MAX, usize::MAX).is_err());
    }

    #[test]
    fn a_reader_goes_on_where_it_stands_and_is_not_taken_from_afar() {
        let place = |group, row| Place { file: 0, group, row };
        let cursors = Cursors::new();
        cursors.keep(place(0, 5), "five");
        cursors.keep(place(0, 9), "nine");
        cursors.keep(place(1, 10), "other");
        assert_eq!(cursors.take(place(0, 10)), Some((place(0, 9), "nine")));
        assert_eq!(cursors.take(place(0, 4)), None);
        assert_eq!(cursors.take(place(0, 6 + NEAR)), None);
        assert_eq!(cursors.take(place(0, 5)), Some((place(0, 5), "five")));
        for row in 0..1000 {
            cursors.keep(place(2, row), "many");
        }
        assert!(cursors.kept.lock().unwrap().len() <= 2 * rayon::current_num_threads());
    }
}

//! Parquet files as the Hugging Face Hub publishes data sets of images.
//!
//! A row is an image. The column of images is a structure of `bytes`, an encoded image, and `path`; or the bytes
//! alone. The label is a whole number, whose name stands in the features that the `datasets` library writes beside the
//! schema, or a text. Only labels and the footer are read to list a file; images are read when they are needed, a
//! page at a time.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use parquet::basic::Type as Physical;
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArrayType, DataType};
use parquet::schema::types::ColumnDescriptor;
use rayon::prelude::*;
use serde_json::Value;

use super::class_names;
use super::dataset::Part;
use super::decode::check_length;
use super::error::{Error, enumerate};
use super::listing::{Images, Inside, Listing, classes_of};
use super::manifest::LABELS;
use super::parquet_pages::{Cursors, Place, Table, in_words};
use super::part_names::PartNames;
use super::shards::{self, Shard};
use crate::plan::data::{Columns, DataPlan};

/// What the column of images is called, the first before others.
const IMAGES: [&str; 6] = ["image", "img", "images", "picture", "photo", "jpg"];

/// No name of a class is longer: it would be a caption.
const LONGEST_CLASS: usize = 256;

/// So many labels are read at a time, and so many images, which keep their pages in memory.
const BATCH: usize = 1 << 12;
const FEW: usize = 1 << 5;

/// The images of the Parquet files that `pattern` stands for, as `plan` says how their columns are called.
pub(super) fn list(pattern: &Path, plan: &DataPlan) -> Result<Listing, Error> {
    let found = shards::find(pattern, "parquet")?;
    let wrong =
        |shard: &Shard, problem: String| Error::format(shard.path.display().to_string(), problem);
    // In order, so that of several errors the first is told.
    let read: Vec<Result<Rows, String>> =
        found.par_iter().map(|shard| Rows::read(&shard.path, plan)).collect();
    let mut all: Option<(PathBuf, Rows)> = None;
    let (mut declared, mut names) = (Vec::new(), Vec::new());
    let mut stored = Stored { files: Vec::new(), starts: Vec::new(), cursors: Cursors::new() };
    for (shard, rows) in found.iter().zip(read) {
        let mut rows = rows.map_err(|problem| wrong(shard, problem))?;
        stored.starts.push(names.len());
        names.extend((0..rows.labels.len()).map(|row| format!("{}#{row}", shard.name)));
        declared.push((shard, rows.labels.len(), rows.parts.take()));
        let (path, column) = (shard.path.clone(), rows.images);
        stored.files.push(Stretch { path, column, table: OnceLock::new() });
        match &mut all {
            None => all = Some((shard.path.clone(), rows)),
            Some((first, all)) => {
                let first = first.display();
                all.append(&mut rows)
                    .map_err(|what| wrong(shard, format!("has {what} {first}{WAY_OUT}")))?;
            }
        }
    }
    let parts = parts(&declared)?;
    let folder = shards::literal(pattern);
    let Some((_, Rows { labels, classes, named, groups, .. })) = all else {
        return Err(Error::layout(pattern, "matches no file"));
    };
    let (classes, labels) = classes.named(&labels, named.as_deref(), &folder)?;
    let beside = found.into_iter().map(|shard| shard.path).chain(class_names::file(&folder));
    let (origin, beside) = (pattern.display().to_string(), beside.collect());
    let images = Images::Inside(Box::new(stored));
    Ok(Listing { origin, classes, labels: labels.into(), parts, names, groups, images, beside })
}

/// The files that `pattern` stands for, and what names their classes.
pub(super) fn paths(pattern: &Path) -> Result<Vec<PathBuf>, Error> {
    let files = shards::find(pattern, "parquet")?.into_iter().map(|shard| shard.path);
    Ok(files.chain(class_names::file(&shards::literal(pattern))).collect())
}

/// The classes of a file, each once.
#[derive(Debug, PartialEq)]
enum Classes {
    Numbers(Vec<u64>),
    Texts(Vec<String>),
}

impl Classes {
    /// Their names in order, and the labels of all rows as indices into these. `named` are the names that the file
    /// has for numbers; in `folder` there may be others.
    fn named(
        self,
        rows: &[u32],
        named: Option<&[String]>,
        folder: &Path,
    ) -> Result<(Vec<String>, Vec<u32>), Error> {
        let (classes, places) = match self {
            Classes::Texts(texts) => classes_of(&texts),
            Classes::Numbers(numbers) => match named {
                None => class_names::classes(folder, &numbers)?,
                Some(names) => {
                    let mut order: Vec<u64> = numbers.clone();
                    order.sort_unstable();
                    let place = |number| order.binary_search(number).unwrap_or(0) as u32;
                    let places = numbers.iter().map(place).collect();
                    (order.iter().map(|number| names[*number as usize].clone()).collect(), places)
                }
            },
        };
        Ok((classes, rows.iter().map(|row| places[*row as usize]).collect()))
    }
}

/// What files whose columns differ need.
const WAY_OUT: &str = "; files of one source agree in that: write them again in the same form, or name common \
                       columns in data.columns";

/// What a file says of its images.
struct Rows {
    /// The column of encoded images.
    images: usize,
    /// What that column is called, and that of labels.
    columns: [String; 2],
    /// Of each row the place of its class.
    labels: Vec<u32>,
    classes: Classes,
    /// What numbers are called.
    named: Option<Vec<String>>,
    /// What a column says that they are for, as it is written.
    parts: Option<Texts>,
    groups: Vec<String>,
}

impl Rows {
    fn read(path: &Path, plan: &DataPlan) -> Result<Rows, String> {
        let table = Table::open(path)?;
        let features = features(&table);
        let Columns { image, label, split, .. } = &plan.columns;
        let images = image_column(&table, &features, image.as_deref())?;
        let (name, column) = label_column(&table, &features, label.as_deref())?;
        let named = features.iter().find(|(other, _)| *other == name);
        let named = named.and_then(|(_, feature)| feature.names.clone());
        let (labels, classes) = labels(&table, column, &name, named.as_deref())?;
        let place = |key: &str, name: &str| {
            let found = find(&table, name).map(|(_, column)| column);
            found.ok_or_else(|| lacks(&table, name, &format!("data.{key} chooses one of these")))
        };
        let parts = split.as_deref().map(|name| {
            Texts::read(&table, place("columns.split", name)?, name, "which names no part")
        });
        let groups =
            plan.group.column().map(|name| self::groups(&table, place("group", name)?, name));
        let (parts, groups) = (parts.transpose()?, groups.transpose()?.unwrap_or_default());
        let image = table.columns().nth(images).map_or("", top).to_owned();
        Ok(Rows { images, columns: [image, name], labels, classes, named, parts, groups })
    }

    /// Adds the rows of another file, if both say the same in the same columns; an error says how they differ, and
    /// ends before the name of the other file.
    fn append(&mut self, other: &mut Rows) -> Result<(), String> {
        fn join<T: Ord + Clone>(all: &mut Vec<T>, own: &[T]) -> Vec<u32> {
            let mut known: BTreeMap<T, u32> = all.iter().cloned().zip(0..).collect();
            own.iter()
                .map(|class| {
                    *known.entry(class.clone()).or_insert_with(|| {
                        all.push(class.clone());
                        all.len() as u32 - 1
                    })
                })
                .collect()
        }
        let [[images, labels], [own_images, own_labels]] = [&self.columns, &other.columns];
        if labels != own_labels {
            return Err(format!(
                "its classes in the column `{own_labels}`, and not in `{labels}` as"
            ));
        }
        if images != own_images {
            return Err(format!(
                "its images in the column `{own_images}`, and not in `{images}` as"
            ));
        }
        let places = match (&mut self.classes, &other.classes) {
            (Classes::Numbers(all), Classes::Numbers(own)) => join(all, own),
            (Classes::Texts(all), Classes::Texts(own)) => join(all, own),
            (Classes::Numbers(_), Classes::Texts(_)) => {
                return Err("texts as labels, and not numbers as".to_owned());
            }
            (Classes::Texts(_), Classes::Numbers(_)) => {
                return Err("numbers as labels, and not texts as".to_owned());
            }
        };
        if self.named != other.named {
            return Err("other names of classes in its features than".to_owned());
        }
        self.labels.extend(other.labels.iter().map(|label| places[*label as usize]));
        self.groups.append(&mut other.groups);
        Ok(())
    }
}

/// What the `datasets` library says of a column.
struct Feature {
    /// `Image`, `ClassLabel` and others.
    kind: String,
    /// The names of classes.
    names: Option<Vec<String>>,
}

/// The features by the names of their columns, if the file has them.
fn features(table: &Table) -> Vec<(String, Feature)> {
    let pairs = table.metadata.file_metadata().key_value_metadata();
    let written = pairs.into_iter().flatten().find(|pair| pair.key == "huggingface");
    let written = written.and_then(|pair| pair.value.as_deref());
    let Some(Ok(written)) = written.map(serde_json::from_str::<Value>) else { return Vec::new() };
    let Some(features) = written.pointer("/info/features").and_then(Value::as_object) else {
        return Vec::new();
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    features
        .iter()
        .filter_map(|(name, feature)| {
            let kind = text(feature.get("_type")?)?;
            let names = feature.get("names").and_then(Value::as_array);
            let names = names.and_then(|names| names.iter().map(text).collect());
            Some((name.clone(), Feature { kind, names }))
        })
        .collect()
}

/// The name of a column as it stands at the top of the schema.
fn top(column: &ColumnDescriptor) -> &str {
    column.path().parts().first().map_or("", |name| name)
}

/// The column that holds the values of `name`; of a list or a structure, its first one.
fn find(table: &Table, name: &str) -> Option<(String, usize)> {
    let place = table.columns().position(|column| top(column) == name);
    place.map(|place| (name.to_owned(), place))
}

/// What is said where a column is not there.
fn lacks(table: &Table, name: &str, rest: &str) -> String {
    let mut names: Vec<String> = table.columns().map(|column| top(column).to_owned()).collect();
    names.dedup();
    format!("has no column `{name}`, but {}; {rest}", enumerate(&names))
}

/// The column that holds encoded images, which is called `wanted` if something is.
fn image_column(
    table: &Table,
    features: &[(String, Feature)],
    wanted: Option<&str>,
) -> Result<usize, String> {
    let bytes = |name: &str| {
        table.columns().position(
            |column| matches!(column.path().parts(), [first, bytes] if first == name && bytes == "bytes"),
        )
    };
    let of = |name: &str| bytes(name).or_else(|| find(table, name).map(|(_, place)| place));
    let told: Vec<&str> = features
        .iter()
        .filter(|(_, feature)| feature.kind == "Image")
        .map(|(name, _)| name.as_str())
        .collect();
    let hint = "data.columns = { image = \"NAME\" } names the column of images";
    let found = match (wanted, &told[..]) {
        (Some(name), _) => of(name),
        (None, [only]) => of(only),
        _ => IMAGES.iter().find_map(|name| of(name)),
    };
    let Some(place) = found else {
        return Err(match (wanted, &told[..]) {
            (None, [_, _, ..]) => {
                let told: Vec<String> = told.iter().map(|name| (*name).to_owned()).collect();
                format!("has several columns of images, {}; {hint}", enumerate(&told))
            }
            (wanted, _) => lacks(table, wanted.unwrap_or("image"), hint),
        });
    };
    let column = table.columns().nth(place).expect("the place is that of a column");
    if column.physical_type() != Physical::BYTE_ARRAY || column.max_rep_level() > 0 {
        return Err(format!(
            "has no encoded images in its column `{}`, but {}; {hint}: a structure with `bytes`, or bytes",
            top(column),
            kind(column)
        ));
    }
    Ok(place)
}

/// The column of labels, which is called `wanted` if something is.
fn label_column(
    table: &Table,
    features: &[(String, Feature)],
    wanted: Option<&str>,
) -> Result<(String, usize), String> {
    let told: Vec<String> = features
        .iter()
        .filter(|(_, feature)| feature.kind == "ClassLabel")
        .map(|(name, _)| name.clone())
        .collect();
    let found = match (wanted, &told[..]) {
        (Some(name), _) => find(table, name),
        (None, [only]) => find(table, only),
        _ => LABELS.iter().chain(&["labels"]).find_map(|name| find(table, name)),
    };
    let hint = "data.columns = { label = \"NAME\" } names the column of classes";
    found.ok_or_else(|| match (wanted, &told[..]) {
        (None, [_, _, ..]) => {
            format!("has several columns of classes, {}; {hint}", enumerate(&told))
        }
        (wanted, _) => lacks(table, wanted.unwrap_or("label"), hint),
    })
}

/// What a column holds, for messages.
fn kind(column: &ColumnDescriptor) -> String {
    let kind = match column.physical_type() {
        Physical::BOOLEAN => "truth values",
        Physical::INT32 | Physical::INT64 | Physical::INT96 => "whole numbers",
        Physical::FLOAT | Physical::DOUBLE => "numbers with a fraction",
        Physical::BYTE_ARRAY => "texts or bytes",
        Physical::FIXED_LEN_BYTE_ARRAY => "bytes of one length",
    };
    if column.max_rep_level() > 0 { format!("lists of {kind}") } else { kind.to_owned() }
}

/// All values of a column through `note`, one after the other, each with its row; none may be missing.
fn walk<T: DataType>(
    table: &Table,
    column: usize,
    name: &str,
    mut open: impl FnMut(ColumnReader) -> Option<ColumnReaderImpl<T>>,
    mut note: impl FnMut(usize, &T::T) -> Result<(), String>,
) -> Result<(), String> {
    let mut first = 0;
    let level = table.columns().nth(column).map_or(0, ColumnDescriptor::max_def_level);
    for (group, rows) in table.groups().enumerate() {
        let mut reader =
            open(table.column(group, column)?).ok_or("is damaged: a column changes its type")?;
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let mut done = 0;
        while done < rows {
            levels.clear();
            values.clear();
            let (records, found, _) = reader
                .read_records(BATCH.min(rows - done), Some(&mut levels), None, &mut values)
                .map_err(|error| in_words(&error))?;
            if records == 0 {
                return Err(format!(
                    "is damaged: its column `{name}` has {} values for {} rows",
                    first + done,
                    table.rows()
                ));
            }
            if found < records {
                let missing = levels.iter().position(|own| *own < level);
                return Err(format!(
                    "has nothing in column `{name}` of row {}; every row needs a value there",
                    first + done + missing.unwrap_or(0)
                ));
            }
            for (index, value) in values.iter().enumerate() {
                note(first + done + index, value)?;
            }
            done += records;
        }
        first += rows;
    }
    Ok(())
}

/// The classes of all rows; numbers have to have one of the names that are `named`.
fn labels(
    table: &Table,
    column: usize,
    name: &str,
    named: Option<&[String]>,
) -> Result<(Vec<u32>, Classes), String> {
    let described = table.columns().nth(column).expect("the column was found");
    let kind = kind(described);
    if described.max_rep_level() > 0 {
        return Err(format!(
            "has {kind} in its column `{name}`; an image has one class, and several labels for one image are not read"
        ));
    }
    check_plain(described, name, "labels are whole numbers or texts")?;
    if let Some(twice) = named.and_then(class_names::twice) {
        return Err(format!(
            "names two classes of its column `{name}` `{twice}`; each has a name of its own"
        ));
    }
    let mut labels = Vec::new();
    let mut numbers: BTreeMap<u64, u32> = BTreeMap::new();
    let mut number = |row: usize, number: i64, labels: &mut Vec<u32>| {
        let known = u64::try_from(number).ok();
        let known = known.filter(|it| named.is_none_or(|names| *it < names.len() as u64));
        let Some(known) = known else {
            return Err(match named {
                Some(names) if number >= 0 => format!(
                    "has the label {number} in row {row}, but names for 0 to {} only",
                    names.len().saturating_sub(1)
                ),
                _ => format!(
                    "has the label {number} in row {row}, which stands for an image without a label; leave such files out"
                ),
            });
        };
        let next = numbers.len() as u32;
        labels.push(*numbers.entry(known).or_insert(next));
        Ok(())
    };
    match described.physical_type() {
        Physical::INT64 => {
            let open = |reader| match reader {
                ColumnReader::Int64ColumnReader(reader) => Some(reader),
                _ => None,
            };
            walk(table, column, name, open, |row, value| number(row, *value, &mut labels))?;
        }
        Physical::INT32 => {
            let open = |reader| match reader {
                ColumnReader::Int32ColumnReader(reader) => Some(reader),
                _ => None,
            };
            walk(table, column, name, open, |row, value| {
                number(row, (*value).into(), &mut labels)
            })?;
        }
        Physical::BOOLEAN => {
            let open = |reader| match reader {
                ColumnReader::BoolColumnReader(reader) => Some(reader),
                _ => None,
            };
            walk(table, column, name, open, |row, value| {
                number(row, (*value).into(), &mut labels)
            })?;
        }
        Physical::BYTE_ARRAY => {
            let captions = "which is a caption, not a class";
            let Texts { rows, texts } = Texts::read(table, column, name, captions)?;
            return Ok((rows, Classes::Texts(texts)));
        }
        _ => {
            return Err(format!(
                "has {kind} in its column `{name}`; labels are whole numbers or texts, and data.columns = {{ label = \
                 \"NAME\" }} names another column"
            ));
        }
    }
    Ok((labels, Classes::Numbers(in_order(numbers))))
}

/// What is numbered, in the order of the numbers.
fn in_order<T>(numbered: BTreeMap<T, u32>) -> Vec<T> {
    let mut order: Vec<(u32, T)> = numbered.into_iter().map(|(it, place)| (place, it)).collect();
    order.sort_unstable_by_key(|(place, _)| *place);
    order.into_iter().map(|(_, it)| it).collect()
}

/// The texts of a column, each once.
struct Texts {
    /// Of each row the place of its text.
    rows: Vec<u32>,
    texts: Vec<String>,
}

impl Texts {
    /// Those of a column; `too_long` says of a longer text that it is none of them.
    fn read(table: &Table, column: usize, name: &str, too_long: &str) -> Result<Texts, String> {
        let (mut rows, mut places) = (Vec::new(), BTreeMap::<String, u32>::new());
        each_text(table, column, name, too_long, |text| {
            let next = places.len() as u32;
            rows.push(match places.get(text) {
                Some(place) => *place,
                None => *places.entry(text.to_owned()).or_insert(next),
            });
        })?;
        Ok(Texts { rows, texts: in_order(places) })
    }
}

/// The group of each row, which a text or a whole number names.
fn groups(table: &Table, column: usize, name: &str) -> Result<Vec<String>, String> {
    let described = table.columns().nth(column).expect("the column was found");
    check_plain(described, name, "groups are texts or whole numbers")?;
    let mut groups = Vec::new();
    match described.physical_type() {
        Physical::INT64 => {
            let open = |reader| match reader {
                ColumnReader::Int64ColumnReader(reader) => Some(reader),
                _ => None,
            };
            let note = |_, number: &i64| {
                groups.push(number.to_string());
                Ok(())
            };
            walk(table, column, name, open, note)?;
        }
        Physical::INT32 => {
            let open = |reader| match reader {
                ColumnReader::Int32ColumnReader(reader) => Some(reader),
                _ => None,
            };
            let note = |_, number: &i32| {
                groups.push(number.to_string());
                Ok(())
            };
            walk(table, column, name, open, note)?;
        }
        _ => {
            let note = |text: &str| groups.push(text.to_owned());
            each_text(table, column, name, "which is too long for the name of a group", note)?;
        }
    }
    Ok(groups)
}

/// An error if a column holds lists or structures, of which the first member alone would be read.
fn check_plain(described: &ColumnDescriptor, name: &str, due: &str) -> Result<(), String> {
    let kind = kind(described);
    if described.max_rep_level() > 0 {
        return Err(format!("has {kind} in its column `{name}`; {due}"));
    }
    if described.path().parts().len() > 1 {
        return Err(format!("has a structure of {kind} in its column `{name}`; {due}"));
    }
    Ok(())
}

/// All texts of a column through `note`, which are names, short and not empty.
fn each_text(
    table: &Table,
    column: usize,
    name: &str,
    too_long: &str,
    mut note: impl FnMut(&str),
) -> Result<(), String> {
    let described = table.columns().nth(column).expect("the column was found");
    check_plain(described, name, "texts are due")?;
    if described.physical_type() != Physical::BYTE_ARRAY {
        return Err(format!("has {} in its column `{name}`, where texts are due", kind(described)));
    }
    let open = |reader| match reader {
        ColumnReader::ByteArrayColumnReader(reader) => Some(reader),
        _ => None,
    };
    walk::<ByteArrayType>(table, column, name, open, |row, value| {
        let text = value.as_utf8().map(str::trim).ok().filter(|text| !text.is_empty());
        match text {
            Some(text) if text.len() <= LONGEST_CLASS => note(text),
            Some(_) => {
                return Err(format!(
                    "has a text of {} bytes in column `{name}` of row {row}, {too_long}",
                    value.len()
                ));
            }
            None => return Err(format!("has no text in column `{name}` of row {row}")),
        }
        Ok(())
    })
}

/// What the images of all files are for, of each file the number of its rows and what a column says of them; else the
/// file's name says it. What `eval` means depends on the parts of all files.
fn parts(files: &[(&Shard, usize, Option<Texts>)]) -> Result<Vec<Part>, Error> {
    let written = files.iter().filter_map(|(.., texts)| texts.as_ref());
    let names = PartNames::among(written.flat_map(|it| it.texts.iter().map(String::as_str)));
    let mut parts = Vec::new();
    for (shard, count, texts) in files {
        let Some(Texts { rows, texts }) = texts else {
            parts.resize(parts.len() + count, shard.part);
            continue;
        };
        let own = texts.iter().map(|text| {
            names.part(text).ok_or_else(|| {
                let problem = format!(
                    "has the split `{text}`, which is not one of train, validation (val, dev) and test"
                );
                Error::format(shard.path.display().to_string(), problem)
            })
        });
        let own = own.collect::<Result<Vec<Part>, Error>>()?;
        parts.extend(rows.iter().map(|row| own[*row as usize]));
    }
    Ok(parts)
}

/// The images of all files.
struct Stored {
    files: Vec<Stretch>,
    /// The index of each file's first image.
    starts: Vec<usize>,
    cursors: Cursors<ColumnReaderImpl<ByteArrayType>>,
}

/// The images of a file, which is opened when the first of them is wanted.
struct Stretch {
    path: PathBuf,
    column: usize,
    table: OnceLock<Table>,
}

impl Stored {
    /// The number of the file in which image `index` lies.
    fn file_of(&self, index: usize) -> usize {
        self.starts.partition_point(|start| *start <= index) - 1
    }

    fn open(&self, place: Place) -> Result<ColumnReaderImpl<ByteArrayType>, String> {
        let file = &self.files[place.file];
        let table = file.table()?;
        let column = table.column(place.group, file.column);
        match column.map_err(|reason| format!("its file {reason}"))? {
            ColumnReader::ByteArrayColumnReader(reader) => Ok(reader),
            _ => Err("its file has changed meanwhile".to_owned()),
        }
    }

    /// Where image `index` stands.
    fn place(&self, index: usize) -> Result<Place, String> {
        let file = self.file_of(index);
        let (group, row) = self.files[file].table()?.place(index - self.starts[file]);
        Ok(Place { file, group, row })
    }
}

impl Stretch {
    fn table(&self) -> Result<&Table, String> {
        if let Some(table) = self.table.get() {
            return Ok(table);
        }
        // What cannot be opened now may be later, as where too many files are open.
        let table = Table::open(&self.path).map_err(|reason| format!("its file {reason}"))?;
        Ok(self.table.get_or_init(|| table))
    }
}

impl Inside for Stored {
    fn read(&self, index: usize, max_pixels: u64) -> Result<Vec<u8>, String> {
        let place = self.place(index)?;
        let (at, mut reader) = match self.cursors.take(place) {
            Some(kept) => kept,
            None => (Place { row: 0, ..place }, self.open(place)?),
        };
        let damaged = |error| format!("its file {}", in_words(&error));
        let (mut levels, mut values) = (Vec::new(), Vec::new());
        let mut read = |rows: usize| {
            levels.clear();
            values.clear();
            let (records, ..) =
                reader.read_records(rows, Some(&mut levels), None, &mut values).map_err(damaged)?;
            match records == rows {
                true => Ok(values.pop()),
                false => Err("its file ends before it".to_owned()),
            }
        };
        // Not skipped: the reader takes it for granted there that the headers of pages are whole.
        let mut ahead = place.row - at.row;
        while ahead > 0 {
            let rows = ahead.min(FEW);
            read(rows)?;
            ahead -= rows;
        }
        let image = read(1)?;
        self.cursors.keep(Place { row: place.row + 1, ..place }, reader);
        match image {
            Some(bytes) => {
                check_length(bytes.len() as u64, max_pixels)?;
                Ok(bytes.data().to_vec())
            }
            None => Err(
                "no bytes, but perhaps a path; `datasets` writes bytes with Dataset.push_to_hub and, after \
                 embed_table_storage, to_parquet"
                    .to_owned(),
            ),
        }
    }

    /// A row is reached through the rows before it in its group.
    fn is_sequential(&self) -> bool {
        true
    }

    fn file(&self, index: usize) -> &Path {
        &self.files[self.file_of(index)].path
    }
}

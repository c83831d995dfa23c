//! A table of images in CSV.
//!
//! ```csv
//! path,label,split,x1,y1,x2,y2
//! images/0001.png,stop,train,5,5,48,49
//! ```
//!
//! `path` is relative to the table and `label` a name or a number. Optional: `split` (train,
//! validation, test, or empty for "not declared") and a box, in the columns of its format. Usual other
//! names of columns are understood ([`PATHS`], [`LABELS`]), among them those of the German Traffic Sign
//! Recognition Benchmark (`Filename` or `Path`, `ClassId`, `Roi.X1` …), and so are semicolons and tabs
//! between cells, backslashes in paths, and a column of 0 and 1 for each class in place of `label`. Where an image may
//! have several labels, these stand in the one column `labels`, `cat|dog`, or in a column of 0 and 1 for each. Other
//! columns are passed over, unless their names look like a misspelt optional one: an unnoticed `spilt`
//! would let test images into training.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::dataset::Part;
use super::error::{Error, reason};
use super::labels::Labels;
use super::listing::{ImageFile, Images, Listing, WrittenBox, classes_of, sort_classes};
use super::part_names::PartNames;
use crate::augment::BoxFormat;
use crate::basis::regular;
use crate::plan::data::{BoxPlan, Columns, DataPlan, SEPARATOR, Task};

const SPLIT: &str = "split";

/// What the column of paths is called, the first before others.
const PATHS: [&str; 10] = [
    "path",
    "filename",
    "file",
    "filepath",
    "file_name",
    "file_path",
    "image",
    "image_path",
    "image_name",
    "img",
];

/// What the column of classes is called, the first before others.
pub(super) const LABELS: [&str; 9] = [
    "label",
    "class",
    "classid",
    "class_name",
    "category",
    "target",
    "label_name",
    "class_id",
    "y",
];

/// What the column of all labels of an image is called, the first before others.
const SEVERAL: [&str; 8] =
    ["labels", "tags", "classes", "categories", "label", "tag", "class", "category"];

/// What may stand between labels, where it is not what was said.
const SEPARATORS: [&str; 6] = ["|", ";", ",", "/", "+", "&"];

const ROI: [&str; 4] = ["roi.x1", "roi.y1", "roi.x2", "roi.y2"];

/// Names under which corners of a box are written, the least and the greatest of each side.
const CORNERS: [[&str; 4]; 3] = [
    ["x1", "y1", "x2", "y2"],
    ["x_min", "y_min", "x_max", "y_max"],
    ["xmin", "ymin", "xmax", "ymax"],
];

/// Further names that columns of boxes have, without what joins their words.
const OF_BOXES: [&str; 12] = [
    "minx",
    "miny",
    "maxx",
    "maxy",
    "xcenter",
    "ycenter",
    "centerx",
    "centery",
    "cx",
    "cy",
    "bbox",
    "boundingbox",
];

/// Whether a column called `name` most likely holds a number of a box, or all of them.
fn is_of_box(name: &str) -> bool {
    let plain = |name: &str| name.replace(['_', '-', '.', ' '], "");
    let name = plain(name);
    let is_corner = CORNERS.iter().flatten().any(|corner| plain(corner) == name);
    is_corner || OF_BOXES.contains(&&name[..]) || name.starts_with("bbox")
}

/// Where the columns are.
struct Places {
    path: usize,
    label: Label,
    split: Option<usize>,
    group: Option<usize>,
    bbox: Option<([usize; 4], BoxFormat)>,
}

/// How a row says its class.
enum Label {
    /// In a column.
    Named(usize),
    /// By a 1 in the column of that class, with its name, and 0 in the others.
    OneHot(Vec<(usize, String)>),
    /// All of its labels in a column, with this between them.
    Several(usize, String),
    /// By a 1 in the column of each of its labels, and 0 in the others.
    MultiHot(Vec<(usize, String)>),
}

/// The rows of one or several tables.
#[derive(Default)]
pub(super) struct Rows {
    /// The class of each image; empty where an image may have several labels.
    pub(super) labels: Vec<String>,
    /// The labels of each image, where it may have several, and all that there are.
    several: Vec<Vec<String>>,
    all: Vec<String>,
    pub(super) parts: Vec<Part>,
    pub(super) names: Vec<String>,
    groups: Vec<String>,
    files: Vec<ImageFile>,
    tables: Vec<PathBuf>,
}

impl Rows {
    pub(super) fn append(&mut self, mut other: Rows) {
        self.labels.append(&mut other.labels);
        self.several.append(&mut other.several);
        self.all.append(&mut other.all);
        self.parts.append(&mut other.parts);
        self.names.append(&mut other.names);
        self.groups.append(&mut other.groups);
        self.files.append(&mut other.files);
        self.tables.append(&mut other.tables);
    }

    pub(super) fn into_listing(
        self,
        origin: String,
        classes: Vec<String>,
        labels: Labels,
    ) -> Listing {
        let Rows { parts, names, groups, files, tables: beside, .. } = self;
        let images = Images::Files(files);
        Listing { origin, classes, labels, parts, names, groups, images, beside }
    }
}

/// The images of the table at `path`, as `plan` says how to read it.
pub(super) fn list(path: &Path, plan: &DataPlan) -> Result<Listing, Error> {
    // Attributes are those of the class that an image is of.
    let task = if plan.has_attributes() { Task::SingleLabel } else { plan.task };
    let rows = rows(path, plan.boxes, &plan.columns, plan.group.column(), task)?;
    let (classes, labels) = match task {
        Task::SingleLabel => {
            let (classes, labels) = classes_of(&rows.labels);
            (classes, labels.into())
        }
        Task::MultiLabel => rows.labels_and_classes(),
    };
    if let Some(class) = classes.iter().find(|class| class.contains(SEPARATOR))
        && task.is_multi_label()
    {
        let problem = format!(
            "has a label `{class}`; where an image may have several, \"{SEPARATOR}\" separates labels in tables \
             of results: rename it"
        );
        return Err(Error::format(path.display().to_string(), problem));
    }
    Ok(rows.into_listing(path.display().to_string(), classes, labels))
}

/// The rows of the table at `path`, in `columns` of these names, of which `group` names one more.
pub(super) fn rows(
    path: &Path,
    boxes: BoxPlan,
    columns: &Columns,
    group: Option<&str>,
    task: Task,
) -> Result<Rows, Error> {
    let file = regular::read(path).map_err(|cause| Error::unreadable(path, &cause))?;
    let name = path.display().to_string();
    let broken = |error: csv::Error| Error::format(name.clone(), in_words(&error));
    let first = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
    // What stands most often in the first line; of those that stand equally often the last, commas before others.
    let count = |it: &u8| first.iter().filter(|byte| *byte == it).count();
    let delimiter = [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',');
    let mut table = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(file.as_slice());
    // Read before the rows, whose lines are counted from it.
    let header = table.headers().map_err(broken)?.clone();
    let records: Vec<(u64, csv::StringRecord)> = {
        let numbered = |record: csv::Result<csv::StringRecord>| {
            record.map(|record| (record.position().map_or(0, csv::Position::line), record))
        };
        table.records().map(numbered).collect::<csv::Result<_>>().map_err(broken)?
    };
    let columns = Places::find(&header, &records, &name, boxes.format, (columns, task), group)?;
    let written = records.iter().filter_map(|(_, record)| record.get(columns.split?));
    let parts = PartNames::among(written);
    // Of each image and box, the line and the class that were read first.
    let mut known: HashMap<(String, [u64; 4]), (u64, String)> = HashMap::new();
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut rows = Rows { tables: vec![path.to_owned()], ..Rows::default() };
    if let Label::MultiHot(classes) = &columns.label {
        rows.all = classes.iter().map(|(_, class)| class.clone()).collect();
    }
    for (line, record) in &records {
        let wrong = |problem: String| Error::format(format!("{name}:{line}"), problem);
        let cell = |column: usize| record.get(column).unwrap_or("");
        let image = cell(columns.path);
        let label = match &columns.label {
            Label::Named(column) => cell(*column),
            Label::OneHot(classes) => one_hot(classes, record).map_err(wrong)?,
            Label::Several(column, separator) => {
                rows.several.push(several(cell(*column), separator).map_err(wrong)?);
                cell(*column)
            }
            Label::MultiHot(classes) => {
                rows.several.push(multi_hot(classes, record).map_err(wrong)?);
                ""
            }
        };
        let lacks_label = label.is_empty() && task.is_single_label();
        if image.is_empty() || lacks_label {
            let empty = if image.is_empty() { "path" } else { "label" };
            let needed = if task.is_multi_label() { "a path" } else { "a path and a label" };
            return Err(wrong(format!("the {empty} is empty; every row needs {needed}")));
        }
        let bbox = match columns.bbox {
            Some((places, format)) => bbox(places.map(cell), format).map_err(wrong)?,
            None => None,
        };
        let part = columns.split.map_or(Ok(Part::Undeclared), |at| part(cell(at), &parts));
        let image = with_slashes(image, folder);
        let corners = bbox.map_or([u64::MAX; 4], |bbox| bbox.numbers.map(f64::to_bits));
        let first =
            known.entry((image.clone(), corners)).or_insert_with(|| (*line, label.to_owned()));
        if task.is_multi_label() && first.0 != *line {
            return Err(wrong(format!(
                "{image} is also in line {}; all labels of an image must be in one row",
                first.0
            )));
        }
        if first.1 != label {
            return Err(wrong(format!(
                "{image} has the label `{label}` here and `{}` in line {}; an image has one class: remove \
                 the wrong row",
                first.1, first.0
            )));
        }
        if let Some(column) = columns.group {
            let group = cell(column);
            if group.is_empty() {
                let message =
                    "the group is empty; every row names the group that its image belongs to";
                return Err(wrong(message.to_owned()));
            }
            rows.groups.push(group.to_owned());
        }
        rows.parts.push(part.map_err(wrong)?);
        if task.is_single_label() {
            rows.labels.push(label.to_owned());
        }
        rows.files.push(ImageFile { path: folder.join(&image), bbox });
        rows.names.push(image);
    }
    if rows.files.is_empty() {
        return Err(Error::format(name, "lists no images; every row names one"));
    }
    if boxes.crop && rows.files.iter().all(|file| file.bbox.is_none()) {
        let columns = boxes.format.columns().join(", ");
        let problem = format!("has no boxes to crop to; boxes need the columns {columns}");
        return Err(Error::format(name, problem));
    }
    Ok(rows)
}

impl Places {
    fn find(
        written: &csv::StringRecord,
        records: &[(u64, csv::StringRecord)],
        file: &str,
        format: BoxFormat,
        (columns, task): (&Columns, Task),
        group: Option<&str>,
    ) -> Result<Places, Error> {
        let header: Vec<String> = written.iter().map(str::to_lowercase).collect();
        let find = |name: &str| header.iter().position(|column| column == name);
        let found = || written.iter().collect::<Vec<_>>().join(", ");
        let lacks = |column: &str, rest: String| {
            let found = found();
            let problem = format!("has no column `{column}`; its first line names {found}; {rest}");
            Error::format(file, problem)
        };
        // A column that was named is that one or none.
        let named = |key: &str, name: &str| {
            find(&name.to_lowercase())
                .ok_or_else(|| lacks(name, format!("data.{key} chooses one of these")))
        };
        let usual = |wanted: &Option<String>, key: &str, names: &[&str]| match wanted {
            Some(name) => named(&format!("columns.{key}"), name).map(Some),
            None => Ok(names.iter().find_map(|name| find(name))),
        };
        let path = usual(&columns.path, "path", &PATHS)?;
        let path = path.ok_or_else(|| lacks("path", needed("path", "file")))?;
        let split = usual(&columns.split, "split", &[SPLIT])?;
        let group = group.map(|name| named("group", name)).transpose()?;
        let (key, hot) = match task {
            Task::SingleLabel => ("columns.one-hot", &columns.one_hot),
            Task::MultiLabel => ("columns.multi-hot", &columns.multi_hot),
        };
        let hot = hot.iter().map(|name| {
            let column = named(key, name)?;
            Ok((column, written[column].to_owned()))
        });
        let hot = hot.collect::<Result<Vec<(usize, String)>, Error>>()?;
        // Columns of 0 and 1 alone beside those that are known.
        let flags = || {
            let known = [Some(path), split, group];
            let others = (0..header.len()).filter(|column| !known.contains(&Some(*column)));
            let classes: Vec<(usize, String)> =
                others.map(|column| (column, written[column].to_owned())).collect();
            let are_flags = classes.len() > 1
                && records.iter().all(|(_, record)| {
                    classes.iter().all(|(column, _)| flag(&record[*column]).is_some())
                });
            are_flags.then_some(classes)
        };
        let one_label = || usual(&columns.label, "label", &LABELS);
        let several = || usual(&columns.labels, "labels", &SEVERAL);
        let label = match if task.is_multi_label() { several()? } else { one_label()? } {
            _ if !hot.is_empty() && task.is_multi_label() => Label::MultiHot(hot),
            Some(column) if task.is_multi_label() => {
                let separator = columns.separator.as_deref().unwrap_or(SEPARATOR);
                check_separator(column, separator, records)
                    .map_err(|problem| Error::format(file, problem))?;
                Label::Several(column, separator.to_owned())
            }
            None if task.is_multi_label() => match flags() {
                Some(classes) => Label::MultiHot(classes),
                None => {
                    let how = "`path` and `labels` are needed, or `path` and a column of 0 and 1 for each label; \
                               data.columns = { labels = \"tags\" } and { multi-hot = [\"cat\", \"dog\"] } name columns with other names";
                    return Err(lacks("labels", how.to_owned()));
                }
            },
            _ if !hot.is_empty() => Label::OneHot(hot),
            Some(column) => Label::Named(column),
            None => match flags() {
                Some(classes) => Label::OneHot(classes),
                None => return Err(lacks("label", needed("label", "breed"))),
            },
        };
        let boxes = |names: [&str; 4], format| match names.map(find) {
            [Some(a), Some(b), Some(c), Some(d)] => Ok(Some(([a, b, c, d], format))),
            [None, None, None, None] => Ok(None),
            // Sizes of images are often called like those of boxes.
            [None, None, ..] if names[2..] == ["width", "height"] => Ok(None),
            _ => {
                let problem =
                    format!("has some of the columns {}; a box needs all four", names.join(", "));
                Err(Error::format(file, problem))
            }
        };
        let mut bbox = boxes(ROI, BoxFormat::PascalVoc)?;
        let corners = if format.columns() == CORNERS[0] { &CORNERS[1..] } else { &[] };
        for names in std::iter::once(format.columns()).chain(corners.iter().copied()) {
            bbox = match bbox {
                None => boxes(names, format)?,
                found => found,
            };
        }
        if bbox.is_none() {
            let strange: Vec<&str> =
                header.iter().map(String::as_str).filter(|name| is_of_box(name)).collect();
            if !strange.is_empty() {
                let problem = format!(
                    "has columns that look like those of a box, {}; by data.box-format a box stands in {}: rename them, or \
                     choose the format that they are written in",
                    strange.join(", "),
                    format.columns().join(", ")
                );
                return Err(Error::format(file, problem));
            }
        }
        for column in &header {
            let is_known = PATHS.contains(&column.as_str()) || LABELS.contains(&column.as_str());
            let is_class = matches!(label, Label::OneHot(_) | Label::MultiHot(_));
            if split.is_none()
                && !is_known
                && !is_class
                && strsim::damerau_levenshtein(column, SPLIT) <= 2
            {
                return Err(Error::format(
                    file,
                    format!("has a column `{column}`; did you mean `{SPLIT}`? (rename it)"),
                ));
            }
        }
        Ok(Places { path, label, split, group, bbox })
    }
}

/// What is needed, and how a column of another name is said to be it.
fn needed(key: &str, example: &str) -> String {
    format!(
        "`path` and `label` are needed; data.columns = {{ {key} = \"{example}\" }} names a column with another name"
    )
}

/// Whether a cell says that an image is of the class of its column.
fn flag(cell: &str) -> Option<bool> {
    match cell.to_lowercase().as_str() {
        "0" | "0.0" | "false" => Some(false),
        "1" | "1.0" | "true" => Some(true),
        _ => None,
    }
}

/// The class that a row has a 1 for.
fn one_hot<'a>(
    classes: &'a [(usize, String)],
    record: &csv::StringRecord,
) -> Result<&'a str, String> {
    if let Some((column, class)) = classes.iter().find(|(at, _)| flag(&record[*at]).is_none()) {
        let cell = &record[*column];
        return Err(format!(
            "has `{cell}` in the column {class}; the column of a class holds 0 or 1"
        ));
    }
    let own = classes.iter().filter(|(column, _)| flag(&record[*column]) == Some(true));
    let own: Vec<&str> = own.map(|(_, class)| class.as_str()).collect();
    match own[..] {
        [class] => Ok(class),
        [] => Err("has a 1 in the column of no class; an image has one class".to_owned()),
        _ => Err(format!(
            "has a 1 in the columns {}; an image has one class, unless data.task = \"multi-label\" says that it may have \
             several labels",
            own.join(", ")
        )),
    }
}

/// The labels that a row has a 1 for.
fn multi_hot(
    classes: &[(usize, String)],
    record: &csv::StringRecord,
) -> Result<Vec<String>, String> {
    let mut own = Vec::new();
    for (column, class) in classes {
        let cell = &record[*column];
        match flag(cell) {
            Some(true) => own.push(class.clone()),
            Some(false) => {}
            None => {
                return Err(format!(
                    "has `{cell}` in the column {class}; the column of a label holds 1 for images that have it and 0 for \
                     the others"
                ));
            }
        }
    }
    Ok(own)
}

/// The labels in a cell; an empty one has none.
fn several(cell: &str, separator: &str) -> Result<Vec<String>, String> {
    if cell.is_empty() {
        return Ok(Vec::new());
    }
    let labels: Vec<String> = cell.split(separator).map(|label| label.trim().to_owned()).collect();
    if labels.iter().any(String::is_empty) {
        return Err(format!(
            "has the labels `{cell}`, of which one is empty; \"{separator}\" separates labels, and an image \
             without a label has an empty cell"
        ));
    }
    Ok(labels)
}

/// Labels are hardly separated by what stands in no cell, where something else does.
fn check_separator(
    column: usize,
    separator: &str,
    records: &[(u64, csv::StringRecord)],
) -> Result<(), String> {
    let has = |text: &str| records.iter().find(|(_, record)| record[column].contains(text));
    if has(separator).is_some() {
        return Ok(());
    }
    match SEPARATORS.iter().find_map(|other| Some((other, has(other)?))) {
        None => Ok(()),
        Some((other, (line, record))) => Err(format!(
            "has \"{separator}\" between labels in no row, and `{}` in line {line}: data.columns = {{ separator = \
             \"{other}\" }} names the separator",
            &record[column]
        )),
    }
}

impl Rows {
    /// The labels of images that may have several, and their names in order.
    fn labels_and_classes(&self) -> (Vec<String>, Labels) {
        let mut classes: Vec<String> =
            self.several.iter().flatten().chain(&self.all).cloned().collect();
        classes.sort();
        classes.dedup();
        sort_classes(&mut classes);
        let places: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
        let of = |names: &Vec<String>| {
            let mut labels: Vec<u32> = names.iter().map(|name| places[name.as_str()]).collect();
            labels.sort_unstable();
            labels.dedup();
            labels
        };
        let labels: Vec<Vec<u32>> = self.several.iter().map(of).collect();
        (classes, labels.into())
    }
}

/// A path with backslashes, as Windows writes them, with slashes, unless a file is called so.
fn with_slashes(image: &str, folder: &Path) -> String {
    match image.contains('\\') && !folder.join(image).exists() {
        true => image.replace('\\', "/"),
        false => image.to_owned(),
    }
}

fn part(written: &str, names: &PartNames) -> Result<Part, String> {
    if written.is_empty() {
        return Ok(Part::Undeclared);
    }
    names.part(written).ok_or_else(|| {
        format!("the split `{written}` is not one of train, validation (val, dev) and test")
    })
}

fn bbox(cells: [&str; 4], format: BoxFormat) -> Result<Option<WrittenBox>, String> {
    if cells.iter().all(|cell| cell.is_empty()) {
        return Ok(None);
    }
    let wrong = |what: &str| Err(format!("the box {} {what}", cells.join(",")));
    let mut numbers = [0.0; 4];
    for (number, cell) in numbers.iter_mut().zip(cells) {
        match cell.parse::<f64>() {
            Ok(read) if read.is_finite() => *number = read,
            _ => return wrong("is not four numbers"),
        }
    }
    let [a, b, c, d] = numbers;
    let (is_sound, rule) = match format {
        BoxFormat::PascalVoc | BoxFormat::Albumentations => {
            (a < c && b < d, "has not x1 < x2 and y1 < y2")
        }
        BoxFormat::Coco | BoxFormat::Yolo => (c > 0.0 && d > 0.0, "has no width or no height"),
    };
    let is_part = matches!(format, BoxFormat::Yolo | BoxFormat::Albumentations);
    if !is_sound || a < 0.0 || b < 0.0 {
        return wrong(if is_sound { "has negative numbers" } else { rule });
    }
    if is_part && numbers.iter().any(|number| *number > 1.001) {
        return wrong("is not made of parts of the image, as data.box-format says");
    }
    Ok(Some(WrittenBox { numbers, format }))
}

fn in_words(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Io(cause) => reason(cause),
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8 text".to_owned(),
        csv::ErrorKind::UnequalLengths { pos, expected_len, len } => format!(
            "line {} has {len} cells where the first line names {expected_len} columns",
            pos.as_ref().map_or(0, csv::Position::line)
        ),
        _ => error.to_string().to_lowercase(),
    }
}

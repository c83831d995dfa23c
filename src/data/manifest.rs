//! A table of images in CSV.
//!
//! ```csv
//! path,label,split,x1,y1,x2,y2
//! images/0001.png,stop,train,5,5,48,49
//! ```
//!
//! `path` is relative to the table and `label` a name or a number. Optional: `split` (train,
//! validation, test, or empty for "not declared") and a box, in the columns of its format. Columns of
//! the German Traffic Sign Recognition Benchmark (`Filename` or `Path`, `ClassId`, `Roi.X1` …) and
//! semicolons between cells are understood. Other columns are passed over, unless their names look
//! like a misspelt optional one: an unnoticed `spilt` would let test images into training.

use std::path::{Path, PathBuf};

use super::dataset::Part;
use super::error::{Error, reason};
use super::listing::{ImageFile, Images, Listing, WrittenBox, classes_of};
use crate::augment::BoxFormat;
use crate::plan::data::BoxPlan;

const SPLIT: &str = "split";
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
struct Columns {
    path: usize,
    label: usize,
    split: Option<usize>,
    bbox: Option<([usize; 4], BoxFormat)>,
}

/// The rows of one or several tables.
#[derive(Default)]
pub(super) struct Rows {
    pub(super) labels: Vec<String>,
    pub(super) parts: Vec<Part>,
    pub(super) names: Vec<String>,
    files: Vec<ImageFile>,
    tables: Vec<PathBuf>,
}

impl Rows {
    pub(super) fn append(&mut self, mut other: Rows) {
        self.labels.append(&mut other.labels);
        self.parts.append(&mut other.parts);
        self.names.append(&mut other.names);
        self.files.append(&mut other.files);
        self.tables.append(&mut other.tables);
    }

    pub(super) fn into_listing(
        self,
        origin: String,
        classes: Vec<String>,
        labels: Vec<u32>,
    ) -> Listing {
        let Rows { parts, names, files, tables: beside, .. } = self;
        Listing { origin, classes, labels, parts, names, images: Images::Files(files), beside }
    }
}

/// The images of the table at `path`.
pub(super) fn list(path: &Path, boxes: BoxPlan) -> Result<Listing, Error> {
    let rows = rows(path, boxes)?;
    let (classes, labels) = classes_of(&rows.labels);
    Ok(rows.into_listing(path.display().to_string(), classes, labels))
}

/// The rows of the table at `path`.
pub(super) fn rows(path: &Path, boxes: BoxPlan) -> Result<Rows, Error> {
    let file = std::fs::read(path).map_err(|cause| Error::unreadable(path, &cause))?;
    let name = path.display().to_string();
    let broken = |error: csv::Error| Error::format(name.clone(), in_words(&error));
    let first = file.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let delimiter = if first.contains(&b';') && !first.contains(&b',') { b';' } else { b',' };
    let mut table = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(file.as_slice());
    let columns = Columns::find(table.headers().map_err(broken)?, &name, boxes.format)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut rows = Rows { tables: vec![path.to_owned()], ..Rows::default() };
    for record in table.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |problem: String| Error::format(format!("{name}:{line}"), problem);
        let cell = |column: usize| record.get(column).unwrap_or("");
        let (image, label) = (cell(columns.path), cell(columns.label));
        if image.is_empty() || label.is_empty() {
            let empty = if image.is_empty() { "path" } else { "label" };
            return Err(wrong(format!("the {empty} is empty; every row needs a path and a label")));
        }
        let bbox = match columns.bbox {
            Some((places, format)) => bbox(places.map(cell), format).map_err(wrong)?,
            None => None,
        };
        let part = columns.split.map_or(Ok(Part::Undeclared), |at| part(cell(at)));
        rows.parts.push(part.map_err(wrong)?);
        rows.labels.push(label.to_owned());
        rows.names.push(image.to_owned());
        rows.files.push(ImageFile { path: folder.join(image), bbox });
    }
    if rows.files.is_empty() {
        return Err(Error::format(name, "lists no images; every row names one"));
    }
    if boxes.crop && rows.files.iter().all(|file| file.bbox.is_none()) {
        let columns = boxes.format.columns().join(", ");
        let problem = format!("has no boxes to crop to; they stand in the columns {columns}");
        return Err(Error::format(name, problem));
    }
    Ok(rows)
}

impl Columns {
    fn find(header: &csv::StringRecord, file: &str, format: BoxFormat) -> Result<Columns, Error> {
        let header: Vec<String> = header.iter().map(str::to_lowercase).collect();
        let find = |name: &str| header.iter().position(|column| column == name);
        let found = || header.join(", ");
        let needed = |name: &str, alias: &[&str]| {
            find(name).or_else(|| alias.iter().find_map(|alias| find(alias))).ok_or_else(|| {
                Error::format(
                    file,
                    format!("has no column `{name}`; its first line names {}; `path` and `label` are needed", found()),
                )
            })
        };
        let path = needed("path", &["filename"])?;
        let label = needed("label", &["classid"])?;
        let split = find(SPLIT);
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
            if split.is_none()
                && !["path", "label"].contains(&column.as_str())
                && strsim::damerau_levenshtein(column, SPLIT) <= 2
            {
                return Err(Error::format(
                    file,
                    format!("has a column `{column}`; did you mean `{SPLIT}`? (rename it)"),
                ));
            }
        }
        Ok(Columns { path, label, split, bbox })
    }
}

fn part(written: &str) -> Result<Part, String> {
    match written.to_lowercase().as_str() {
        "" => Ok(Part::Undeclared),
        "train" | "training" => Ok(Part::Train),
        "val" | "valid" | "validation" => Ok(Part::Validation),
        "test" | "testing" => Ok(Part::Test),
        _ => Err(format!("the split `{written}` is not one of train, validation and test")),
    }
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

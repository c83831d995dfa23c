//! `wick augment`: what training images look like, as a contact sheet or as a data set.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;

use crate::augment::{AnyTransform, BoxRules, Scene, Step};
use crate::basis::seed::derive;
use crate::data::{self, Cache};
use crate::plan::sweep::Trial;
use crate::report::augmented::{Augmented, Variant, in_words};
use crate::report::sheet::{Picture, Sheet, png};
use crate::sweep::store::write_whole;

use super::arguments::Augment as Arguments;
use super::check::experiment;
use super::error::{Error, Result};
use super::output::print;
use super::trained::chain;

/// More would make a picture that nobody can look at.
const MOST_PICTURES: usize = 2000;

/// Draws from which those that cover the range of a transform are taken.
const DRAWS: u64 = 257;

/// Runs the command.
pub(super) fn augment(arguments: &Arguments) -> Result {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let images = Cache::new(cores);
    let (_, experiment, _) = experiment(&arguments.written, &images, true)?;
    let number = arguments.trial.unwrap_or(1);
    let Some(trial) = number.checked_sub(1).and_then(|index| experiment.trials.get(index)) else {
        let last = experiment.trials.len();
        return Err(Error::wrong(format!(
            "there is no trial {number}: trials are numbered from 1 to {last}"
        )));
    };
    let dataset = images.get(&trial.plan.data).map_err(Error::wrong)?;
    dataset.check([&trial.plan.augment.train]).map_err(Error::wrong)?;
    let split = data::split(&dataset, &trial.plan.data, trial.plan.seed).map_err(Error::wrong)?;
    let train = split.train;
    let shown = Shown { trial, images: Augmented { plan: &trial.plan, dataset } };
    if let Some(folder) = &arguments.export {
        return export(&shown, &train, arguments, folder);
    }
    let Some(out) = &arguments.out else {
        return Err(Error::wrong("name the output: --out sheet.png, or --export FOLDER"));
    };
    let ending = out.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    if ending.as_deref() != Some("png") {
        let out = out.display();
        return Err(Error::wrong(format!(
            "{out}: a sheet is a PNG file: use a name that ends with .png"
        )));
    }
    let chosen = shown.images.some_of_each_class(&train, arguments.images.unwrap_or(6));
    let variants = arguments.variants.unwrap_or(5);
    if chosen.len() * (variants + 1) > MOST_PICTURES {
        let pictures = chosen.len() * (variants + 1);
        return Err(Error::wrong(format!(
            "{pictures} pictures are too many for one sheet (at most {MOST_PICTURES}): use fewer --images or --variants"
        )));
    }
    let sheet = match &arguments.transform {
        None => shown.chain(&chosen, variants, arguments.boxes),
        Some(text) => shown.range(&shown.transform(text)?, &chosen, variants, arguments.boxes),
    };
    let sheet = sheet.map_err(Error::wrong)?;
    write_whole(out, &sheet.png().context("failed to write the sheet as PNG")?)?;
    print(&format!(
        "{}: {} images of trial {number}, {variants} variants each\n",
        out.display(),
        chosen.len()
    ));
    Ok(())
}

/// What comes of images, each of which is decoded when it is looked at.
type Looked<T> = std::result::Result<T, data::Error>;

/// A trial's images.
struct Shown<'a> {
    trial: &'a Trial,
    images: Augmented<'a>,
}

impl Shown<'_> {
    fn title(&self, what: &str) -> String {
        let trial = self.trial;
        let settings = match &trial.settings[..] {
            [] => String::new(),
            settings => format!(" ({})", settings.join(", ")),
        };
        format!("{}, trial {}{settings}: {what}", self.images.dataset.origin(), trial.number)
    }

    fn first_column(&self, image: u32, with_boxes: bool) -> Looked<Picture> {
        let mut picture = self.images.original_picture(image)?;
        picture.words.push(self.images.dataset.names()[image as usize].clone());
        Ok(with(picture, with_boxes))
    }

    /// The trial's chain, in as many epochs as there are variants.
    fn chain(&self, chosen: &[u32], variants: usize, with_boxes: bool) -> Looked<Sheet> {
        let first = chosen.iter().map(|image| Ok(vec![self.first_column(*image, with_boxes)?]));
        let mut rows = first.collect::<Looked<Vec<Vec<Picture>>>>()?;
        for epoch in 1..=variants as u64 {
            let column = self.images.epoch(chosen, epoch)?.into_iter();
            let column = column.map(|picture| with(picture, with_boxes));
            rows.iter_mut().zip(column).for_each(|(row, picture)| row.push(picture));
        }
        let columns: Vec<String> = std::iter::once("original".to_owned())
            .chain((1..=variants).map(|epoch| format!("epoch {epoch}")))
            .collect();
        Ok(Sheet::draw(&self.title("augmented training images"), &columns, &rows))
    }

    /// The transform that is named: one of the trial's chain by its kind, or written as in a chain.
    fn transform(&self, text: &str) -> Result<AnyTransform> {
        let mut found = Vec::new();
        transforms(&self.trial.plan.augment.train.steps, &mut found);
        if let Some(transform) = found.into_iter().find(|transform| transform.kind() == text) {
            return Ok(transform.clone());
        }
        let item = if text.contains('=') || text.starts_with('"') {
            text.to_owned()
        } else {
            format!("\"{text}\"")
        };
        let chain = chain(&format!("[{item}]"), self.images.dataset.frame(0))?;
        self.images.dataset.check([&chain]).map_err(Error::wrong)?;
        match &chain.steps[..] {
            [Step::Transform { transform, .. }] => Ok(transform.clone()),
            _ => Err(Error::wrong(format!("{text} is not a single transform"))),
        }
    }

    /// One transform from one end of what it draws to the other.
    fn range(
        &self,
        transform: &AnyTransform,
        chosen: &[u32],
        variants: usize,
        with_boxes: bool,
    ) -> Looked<Sheet> {
        let rows = chosen
            .iter()
            .map(|index| {
                let original = self.images.original(*index)?;
                let mut row = vec![self.first_column(*index, with_boxes)?];
                for drawn in self.spread(transform, &original, variants) {
                    let (mut image, mut bboxes) = (original.image.clone(), original.boxes.clone());
                    transform
                        .apply_drawn(drawn.clone(), &mut image, &mut bboxes)
                        .expect("it has drawn this itself");
                    BoxRules::default().apply(&mut bboxes, image.frame());
                    let words = vec![in_words(&(transform.kind(), drawn))];
                    row.push(with(Picture { image, boxes: bboxes, words }, with_boxes));
                }
                Ok(row)
            })
            .collect::<Looked<Vec<Vec<Picture>>>>()?;
        let columns: Vec<String> = std::iter::once("original".to_owned())
            .chain((1..=variants).map(|variant| variant.to_string()))
            .collect();
        Ok(Sheet::draw(&self.title(transform.kind()), &columns, &rows))
    }

    /// Draws that cover the range of what a transform draws, by the first number in them.
    fn spread(&self, transform: &AnyTransform, original: &Variant, count: usize) -> Vec<Value> {
        let scene = Scene { frame: original.image.frame(), boxes: &original.boxes };
        let mut draws: Vec<Value> = (0..DRAWS)
            .map(|n| transform.draw(&scene, &mut derive(self.trial.plan.seed, "range", &[n])))
            .collect();
        draws.sort_by(|a, b| first_number(a).total_cmp(&first_number(b)));
        let last = DRAWS as usize - 1;
        (0..count).map(|k| draws[k * last / (count - 1).max(1)].clone()).collect()
    }
}

/// The picture with its boxes, or without them.
fn with(mut picture: Picture, boxes: bool) -> Picture {
    if !boxes {
        picture.boxes.clear();
    }
    picture
}

fn transforms<'a>(steps: &'a [Step], into: &mut Vec<&'a AnyTransform>) {
    for step in steps {
        match step {
            Step::Transform { transform, .. } => into.push(transform),
            Step::Sometimes { sometimes: inner, .. }
            | Step::OneOf { one_of: inner, .. }
            | Step::SomeOf { some_of: inner, .. } => transforms(inner, into),
        }
    }
}

fn first_number(value: &Value) -> f64 {
    match value {
        Value::Number(number) => number.as_f64().unwrap_or(0.0),
        Value::Array(items) => items.first().map_or(0.0, first_number),
        Value::Object(fields) => fields.values().next().map_or(0.0, first_number),
        _ => 0.0,
    }
}

/// Writes augmented images into folders of classes, with a table of labels and boxes beside them.
fn export(shown: &Shown, train: &[u32], arguments: &Arguments, folder: &Path) -> Result {
    if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        let folder = folder.display();
        return Err(Error::wrong(format!("{folder} is not empty: name a new folder for --export")));
    }
    let chosen = match arguments.images {
        Some(count) => shown.images.some_of_each_class(train, count),
        None => train.to_vec(),
    };
    let variants = arguments.variants.unwrap_or(1);
    let format = shown.trial.plan.data.boxes.format;
    let has_boxes = chosen.iter().any(|image| shown.images.dataset.bbox(*image).is_some());
    let mut table = csv::Writer::from_writer(Vec::new());
    let columns = format.columns();
    let header = ["path", "label"].into_iter().chain(columns.into_iter().filter(|_| has_boxes));
    table.write_record(header)?;
    for index in &chosen {
        let class = &shown.images.dataset.label_names(*index);
        // Names of classes may hold what names of folders cannot.
        let safe = class.replace(|c: char| !(c.is_alphanumeric() || "-_. ".contains(c)), "_");
        let safe = if safe.is_empty() { "no label".to_owned() } else { safe };
        std::fs::create_dir_all(folder.join(&safe))
            .with_context(|| format!("failed to make {}", folder.join(&safe).display()))?;
        for epoch in 1..=variants as u64 {
            let variant = shown.images.variant(*index, epoch).map_err(Error::wrong)?;
            let name = format!("{safe}/{index:06}-{epoch}.png");
            let bytes = png(variant.image.frame(), variant.image.pixels())?;
            write_whole(&folder.join(&name), &bytes)?;
            let numbers = match (has_boxes, variant.boxes.first()) {
                (false, _) => Vec::new(),
                (true, None) => vec![String::new(); 4],
                (true, Some(bbox)) => format
                    .write(bbox, variant.image.frame())
                    .map(|number| format!("{number:.6}"))
                    .to_vec(),
            };
            table.write_record([name, class.clone()].into_iter().chain(numbers))?;
        }
    }
    let bytes = table.into_inner().context("failed to write the table")?;
    write_whole(&folder.join("images.csv"), &bytes)?;
    print(&format!(
        "{}: {} images, {variants} of each of {}; train on it with data.source = {{ csv = \"{}\" }}{}\n",
        folder.display(),
        chosen.len() * variants,
        chosen.len(),
        folder.join("images.csv").display(),
        match shown.images.dataset.is_multi_label() {
            true => " and data.task = \"multi-label\"",
            false => "",
        }
    ));
    Ok(())
}

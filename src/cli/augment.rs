//! `wick augment`: what training images look like, as a contact sheet or as a data set.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::augment::{AnyTransform, Applied, BBox, BoxRules, Image, Mixing, Scene, Step};
use crate::basis::seed::derive;
use crate::data::{self, Cache, Dataset, augmentation_stream, mixing_stream};
use crate::plan::sweep::Trial;
use crate::report::sheet::{Picture, Sheet, png};
use crate::sweep::store::write_whole;

use super::arguments::Augment as Arguments;
use super::check::experiment;
use super::exit::{Exit, print, say};
use super::trained::chain;

/// More would make a picture that nobody can look at.
const MOST_PICTURES: usize = 2000;

/// Draws from which those that cover the range of a transform are taken.
const DRAWS: u64 = 257;

/// Runs the command.
pub(super) fn augment(arguments: &Arguments) -> Result<Exit> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let images = Cache::new(cores);
    let (_, experiment, _) = match experiment(&arguments.written, &images) {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    let number = arguments.trial.unwrap_or(1);
    let Some(trial) = number.checked_sub(1).and_then(|index| experiment.trials.get(index)) else {
        let last = experiment.trials.len();
        return Ok(wrong(&format!("there is no trial {number}: they go from 1 to {last}")));
    };
    let dataset = match images.get(&trial.plan.data) {
        Ok(dataset) => dataset,
        Err(error) => return Ok(wrong(&error.to_string())),
    };
    let train = match data::split(&dataset, &trial.plan.data, trial.plan.seed) {
        Ok(split) => split.train,
        Err(error) => return Ok(wrong(&error.to_string())),
    };
    let shown = Shown { trial, dataset };
    if let Some(folder) = &arguments.export {
        return export(&shown, &train, arguments, folder);
    }
    let Some(out) = &arguments.out else {
        return Ok(wrong("say where to: --out sheet.png, or --export FOLDER"));
    };
    let chosen = shown.some_of_each_class(&train, arguments.images.unwrap_or(6));
    let variants = arguments.variants.unwrap_or(5);
    if chosen.len() * (variants + 1) > MOST_PICTURES {
        let pictures = chosen.len() * (variants + 1);
        return Ok(wrong(&format!(
            "{pictures} pictures on one sheet, more than {MOST_PICTURES}: ask for fewer --images or --variants"
        )));
    }
    let sheet = match &arguments.transform {
        None => shown.chain(&chosen, variants, arguments.boxes),
        Some(text) => match shown.transform(text) {
            Ok(transform) => shown.range(&transform, &chosen, variants, arguments.boxes),
            Err(message) => {
                say(&message);
                return Ok(Exit::Wrong);
            }
        },
    };
    write_whole(out, &sheet.png().context("failed to write the sheet as PNG")?)?;
    print(&format!(
        "{}: {} images of trial {number}, {variants} variants each\n",
        out.display(),
        chosen.len()
    ));
    Ok(Exit::Done)
}

fn wrong(message: &str) -> Exit {
    say(&format!("error: {message}\n"));
    Exit::Wrong
}

/// A trial's images.
struct Shown<'a> {
    trial: &'a Trial,
    dataset: Arc<Dataset>,
}

/// An image as it is in some epoch.
struct Variant {
    image: Image,
    boxes: Vec<BBox>,
    applied: Vec<Applied>,
}

impl Shown<'_> {
    fn title(&self, what: &str) -> String {
        let trial = self.trial;
        let settings = match &trial.settings[..] {
            [] => String::new(),
            settings => format!(" ({})", settings.join(", ")),
        };
        format!("{}, trial {}{settings}: {what}", self.dataset.origin(), trial.number)
    }

    /// `count` of the images `train`, from one class after the other.
    fn some_of_each_class(&self, train: &[u32], count: usize) -> Vec<u32> {
        let classes = self.dataset.classes().len();
        let mut by_class = vec![Vec::new(); classes];
        for image in train {
            by_class[self.dataset.label(*image) as usize].push(*image);
        }
        let most = by_class.iter().map(Vec::len).max().unwrap_or(0);
        let rounds = (0..most)
            .flat_map(|round| by_class.iter().filter_map(move |images| images.get(round)).copied());
        rounds.take(count).collect()
    }

    fn original(&self, image: u32) -> Variant {
        Variant {
            image: Image::new(self.dataset.frame(), self.dataset.image(image).to_vec()),
            boxes: Vec::from_iter(self.dataset.bbox(image)),
            applied: Vec::new(),
        }
    }

    /// Exactly what training sees of `image` in epoch `epoch`.
    fn variant(&self, image: u32, epoch: u64) -> Variant {
        let plan = &self.trial.plan;
        let mut variant = self.original(image);
        let mut stream = augmentation_stream(plan.seed, plan.data.fold, epoch, image);
        plan.augment.train.apply(
            &mut variant.image,
            &mut variant.boxes,
            plan.augment.boxes,
            &mut stream,
            Some(&mut variant.applied),
        );
        variant
    }

    fn first_column(&self, image: u32, with_boxes: bool) -> Picture {
        let original = self.original(image);
        let class = &self.dataset.classes()[self.dataset.label(image) as usize];
        let words = vec![class.clone(), self.dataset.names()[image as usize].clone()];
        Picture { boxes: boxes(original.boxes, with_boxes), image: original.image, words }
    }

    /// The trial's chain, in as many epochs as there are variants.
    fn chain(&self, chosen: &[u32], variants: usize, with_boxes: bool) -> Sheet {
        let mut rows: Vec<Vec<Picture>> =
            chosen.iter().map(|image| vec![self.first_column(*image, with_boxes)]).collect();
        for epoch in 1..=variants as u64 {
            let mut column: Vec<Picture> = chosen
                .iter()
                .map(|image| {
                    let variant = self.variant(*image, epoch);
                    let words = match &variant.applied[..] {
                        [] => vec!["as it was".to_owned()],
                        applied => applied.iter().map(in_words).collect(),
                    };
                    let boxes = boxes(variant.boxes, with_boxes);
                    Picture { image: variant.image, boxes, words }
                })
                .collect();
            if let Some(mixing) = &self.trial.plan.augment.mixing {
                self.mix(mixing, epoch, &mut column);
            }
            rows.iter_mut().zip(column).for_each(|(row, picture)| row.push(picture));
        }
        let columns: Vec<String> = std::iter::once("original".to_owned())
            .chain((1..=variants).map(|epoch| format!("epoch {epoch}")))
            .collect();
        Sheet::draw(&self.title("augmented training images"), &columns, &rows)
    }

    /// Mixes the pictures of a column with each other, as training mixes those of a batch.
    fn mix(&self, mixing: &Mixing, epoch: u64, column: &mut [Picture]) {
        let Some(frame) = column.first().map(|picture| picture.image.frame()) else { return };
        let plan = &self.trial.plan;
        let mut stream = mixing_stream(plan.seed, plan.data.fold, epoch, 0);
        let Some(mixed) = mixing.draw(column.len(), frame, &mut stream) else { return };
        let area = frame.height * frame.width;
        let mut pixels = vec![0.0; column.len() * frame.bytes()];
        for (picture, planes) in column.iter().zip(pixels.chunks_mut(frame.bytes())) {
            for (place, value) in picture.image.pixels().iter().enumerate() {
                planes[place % frame.channels * area + place / frame.channels] = f32::from(*value);
            }
        }
        mixed.apply(&mut pixels, frame);
        let kind = if mixed.window.is_some() { "cutmix" } else { "mixup" };
        for (row, (picture, planes)) in
            column.iter_mut().zip(pixels.chunks(frame.bytes())).enumerate()
        {
            for (place, value) in picture.image.pixels_mut().iter_mut().enumerate() {
                let from = planes[place % frame.channels * area + place / frame.channels];
                *value = from.round_ties_even() as u8;
            }
            let partner = mixed.partners[row] + 1;
            picture.words.push(format!("{kind} own {:.2} with row {partner}", mixed.own));
        }
    }

    /// The transform that is named: one of the trial's chain by its kind, or written as in a chain.
    fn transform(&self, text: &str) -> Result<AnyTransform, String> {
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
        let chain = chain(&format!("[{item}]"), self.dataset.frame())?;
        match &chain.steps[..] {
            [Step::Transform { transform, .. }] => Ok(transform.clone()),
            _ => Err(format!("error: {text} is not a single transform\n")),
        }
    }

    /// One transform from one end of what it draws to the other.
    fn range(
        &self,
        transform: &AnyTransform,
        chosen: &[u32],
        variants: usize,
        with_boxes: bool,
    ) -> Sheet {
        let rows: Vec<Vec<Picture>> = chosen
            .iter()
            .map(|index| {
                let original = self.original(*index);
                let mut row = vec![self.first_column(*index, with_boxes)];
                for drawn in self.spread(transform, &original, variants) {
                    let (mut image, mut bboxes) = (original.image.clone(), original.boxes.clone());
                    transform
                        .apply_drawn(drawn.clone(), &mut image, &mut bboxes)
                        .expect("it has drawn this itself");
                    BoxRules::default().apply(&mut bboxes, image.frame());
                    let words = vec![in_words(&(transform.kind(), drawn))];
                    row.push(Picture { image, boxes: boxes(bboxes, with_boxes), words });
                }
                row
            })
            .collect();
        let columns: Vec<String> = std::iter::once("original".to_owned())
            .chain((1..=variants).map(|variant| variant.to_string()))
            .collect();
        Sheet::draw(&self.title(transform.kind()), &columns, &rows)
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

fn boxes(boxes: Vec<BBox>, shown: bool) -> Vec<BBox> {
    if shown { boxes } else { Vec::new() }
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

/// `rotate angle -12.3`; keys of random streams and long lists say nothing to people.
fn in_words((kind, drawn): &Applied) -> String {
    let mut words = vec![(*kind).to_owned()];
    let mut say = |key: &str, value: &Value| {
        if key != "key" && !key.ends_with("_key") {
            words.extend(short(value).map(|value| format!("{key} {value}").trim().to_owned()));
        }
    };
    match drawn {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| say(key, value)),
        other => say("", other),
    }
    words.join(" ")
}

/// Numbers with up to three digits behind the point, short lists of them, names.
fn short(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) if number.is_f64() => {
            // No zero has a sign.
            let text = format!("{:.3}", (number.as_f64()? * 1000.0).round() / 1000.0 + 0.0);
            Some(text.trim_end_matches('0').trim_end_matches('.').to_owned())
        }
        Value::Number(number) => Some(number.to_string()),
        Value::String(name) => Some(name.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Array(items) if items.len() <= 4 => {
            Some(items.iter().filter_map(short).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => Some(format!("{} of them", items.len())),
        Value::Object(fields) => {
            let inner =
                fields.iter().filter_map(|(key, value)| Some(format!("{key} {}", short(value)?)));
            Some(inner.collect::<Vec<_>>().join(" "))
        }
        Value::Null => None,
    }
}

/// Writes augmented images into folders of classes, with a table of labels and boxes beside them.
fn export(shown: &Shown, train: &[u32], arguments: &Arguments, folder: &Path) -> Result<Exit> {
    if std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        let folder = folder.display();
        return Ok(wrong(&format!("{folder} is not empty: name a new folder for --export")));
    }
    let chosen = match arguments.images {
        Some(count) => shown.some_of_each_class(train, count),
        None => train.to_vec(),
    };
    let variants = arguments.variants.unwrap_or(1);
    let format = shown.trial.plan.data.boxes.format;
    let has_boxes = chosen.iter().any(|image| shown.dataset.bbox(*image).is_some());
    let mut table = csv::Writer::from_writer(Vec::new());
    let columns = format.columns();
    let header = ["path", "label"].into_iter().chain(columns.into_iter().filter(|_| has_boxes));
    table.write_record(header)?;
    for index in &chosen {
        let label = shown.dataset.label(*index) as usize;
        let class = &shown.dataset.classes()[label];
        // Names of classes may hold what names of folders cannot.
        let safe = class.replace(|c: char| !(c.is_alphanumeric() || "-_. ".contains(c)), "_");
        std::fs::create_dir_all(folder.join(&safe))
            .with_context(|| format!("failed to make {}", folder.join(&safe).display()))?;
        for epoch in 1..=variants as u64 {
            let variant = shown.variant(*index, epoch);
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
        "{}: {} images, {variants} of each of {}; train on it with data.source = {{ csv = \"{}\" }}\n",
        folder.display(),
        chosen.len() * variants,
        chosen.len(),
        folder.join("images.csv").display()
    ));
    Ok(Exit::Done)
}

//! A network that an experiment file describes, for use with weights from elsewhere.

use std::path::Path;

use crate::config::data::{Classes, Data};
use crate::config::layering::load;
use crate::data::{Cache, Normalisation, normalisation, split};
use crate::document::{KeyPath, Node, read};
use crate::plan::data::{DataPlan, Moments, Normalise, Task, data_plan};
use crate::plan::network::{Described, described};
use crate::sweep::memory::hold_usually;
use crate::train::card::Card;

use super::arguments::{Trained, request};
use super::error::{Error, Result};
use super::output::say;
use super::trained::{class_names, wrong};

/// What a network without training looks at; other settings would do nothing.
const LOOKED_AT: [&str; 5] = ["model", "data", "augment", "transfer", "seed"];

/// What can be said of the network of the experiment at `file` without its weights.
pub(super) fn own_card(asked: &Trained, file: &Path) -> Result<Card> {
    let is_idle = |set: &&String| !LOOKED_AT.contains(&set.split(['.', '=']).next().unwrap_or(""));
    if let Some(set) = asked.sets.iter().find(is_idle) {
        return Err(Error::wrong(format!(
            "--set {set} has no effect here: only {} of the experiment are used",
            LOOKED_AT.join(", ")
        )));
    }
    let root = load(&request(file, &asked.sets))?;
    let classes = match class_names(asked)? {
        Some(names) => names,
        None => classes(&root)?,
    };
    let Described { model, image, fit, own_size, normalise, augment } =
        described(&root, classes.len()).map_err(wrong)?;
    let Normalisation { mean, std } = match normalise {
        Normalise::None => {
            Normalisation { mean: vec![0.0; image.channels], std: vec![1.0; image.channels] }
        }
        Normalise::By(Moments { mean, std }) => Normalisation { mean, std },
        Normalise::Dataset | Normalise::Sample(_) => {
            let plan = data(&root).map_err(unsaid)?;
            let seed = KeyPath::root().key("seed");
            let seed = root.at(&seed).and_then(|node| read(node, &seed).ok()).unwrap_or(0);
            let plan = DataPlan { own_size: own_size.clone(), ..plan };
            of_training_images(plan, seed).map_err(unsaid)?
        }
    };
    Ok(Card {
        program: String::new(),
        seed: 0,
        images: String::new(),
        task: task(&root),
        classes,
        thresholds: Vec::new(),
        top_k: None,
        mean,
        std,
        image,
        fit,
        own_size,
        centre: false,
        evaluation: augment.evaluation,
        test_time: augment.test_time,
        data: None,
        model,
    })
}

/// The classes of the experiment: those that it names, else those of its data.
fn classes(root: &Node) -> Result<Vec<String>> {
    let at = KeyPath::root().key("data").key("classes");
    if let Some(Ok(Classes::Some(names))) = root.at(&at).map(|node| read(node, &at)) {
        return Ok(names);
    }
    let found = data(root).and_then(|plan| {
        let facts = Cache::new(1).survey(&plan);
        facts.map(|facts| facts.classes).map_err(|error| error.to_string())
    });
    found.map_err(|message| {
        Error::wrong(format!(
            "the names of the classes are not known: {message}\nname them with --classes FILE, one per line in \
             the order of the logits"
        ))
    })
}

/// How many labels an image of the experiment has.
fn task(root: &Node) -> Task {
    let at = KeyPath::root().key("data").key("task");
    root.at(&at).and_then(|node| read(node, &at).ok()).unwrap_or_default()
}

/// The data of the experiment, if it names any.
fn data(root: &Node) -> Result<DataPlan, String> {
    let at = KeyPath::root().key("data");
    let node = root.at(&at).ok_or("the experiment has no [data]")?;
    if node.get("source").is_none() {
        return Err("the experiment names no data.source".to_owned());
    }
    let data: Data = read(node, &at).map_err(|problem| problem.message().to_owned())?;
    Ok(data_plan(&data, None, &|path| path.path.clone()))
}

/// Mean and standard deviation of the training images, as training would take them.
fn of_training_images(plan: DataPlan, seed: u64) -> Result<Normalisation, String> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let images = Cache::new(cores);
    hold_usually(&images, None);
    let dataset = images.get(&plan).map_err(|error| error.to_string())?;
    let split = split(&dataset, &plan, seed).map_err(|error| error.to_string())?;
    let found = normalisation(&dataset, &split.train, &plan.normalise, seed)
        .map_err(|error| error.to_string())?;
    let what = match plan.normalise {
        Normalise::Sample(images) => format!("{{ sample = {images} }}"),
        _ => "\"dataset\"".to_owned(),
    };
    say(&format!(
        "note: pixels are normalised as the training images of {} are, because data.normalise = \
         {what}: mean {:?}, std {:?}\n",
        dataset.origin(),
        found.mean,
        found.std
    ));
    Ok(found)
}

/// Nobody says how pixels become numbers.
fn unsaid(message: String) -> Error {
    Error::wrong(format!(
        "data.normalise needs the training images, which are missing: {message}\nset the normalisation that the \
         weights were trained with: --set 'data.normalise={{ mean = [0.485, 0.456, \
         0.406], std = [0.229, 0.224, 0.225] }}', or \"none\" for pixels from 0 to 1"
    ))
}

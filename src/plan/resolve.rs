//! The crossing from what was written to what will run: one experiment tree becomes one [`Plan`],
//! or all that is wrong with it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::augment::Frame;
use crate::config::augment::Augment;
use crate::config::data as written;
use crate::config::model::Defaults;
use crate::config::path::KeyPath;
use crate::config::problem::{Problem, Problems};
use crate::config::read::{WrittenPath, read};
use crate::config::suggest;
use crate::config::template::{self, Element};
use crate::config::train::Train;
use crate::config::transfer::{Case as Written, Cut, Layers, Transfer, Which};
use crate::config::tree::{Content, Node};
use crate::config::weights::{Origin, Weights};

use super::architecture::architecture;
use super::augment::{AugmentPlan, augment};
use super::data::{
    BoxPlan, Bundled, DataFacts, DataPlan, Fold, ImagePlan, Normalise, OnBadImage, Source, Subset,
    TestSet,
};
use super::model::{ModelPlan, WeightsPlan};
use super::train::TrainPlan;
use super::transfer::{BORDER, Case, transfer};
use crate::basis::device::{Device, Kind};

/// Raised when the same plan would give other numbers than before, so that old results are not
/// taken for new ones.
const REVISION: u32 = 3;

/// One trial, with nothing left open.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Plan {
    /// All randomness of the trial comes from it.
    pub seed: u64,
    /// What computes: its kind changes numbers, as nothing else of `[run]` does.
    #[serde(default, skip_serializing_if = "Kind::is_cpu")]
    pub device: Kind,
    /// The images.
    pub data: DataPlan,
    /// What happens to them on their way to the network.
    #[serde(default, skip_serializing_if = "AugmentPlan::is_nothing")]
    pub augment: AugmentPlan,
    /// The network.
    pub model: ModelPlan,
    /// The recipe.
    pub train: TrainPlan,
}

/// Tells what is known of the files that an experiment names, without running anything.
pub trait Survey: Sync {
    /// What is known of a data set without decoding images, or why nothing is.
    fn data(&self, plan: &DataPlan) -> Result<DataFacts, String>;

    /// The hash of a file of weights that fits the network, or why it does not.
    fn weights(&self, plan: &WeightsPlan, network: &ModelPlan) -> Result<String, String>;

    /// The checkpoint of the best epoch of a trial of an earlier experiment, or why there is none.
    fn earlier(&self, experiment: &str, trial: Which) -> Result<PathBuf, String>;

    /// The case of the data of an [`advisable`] plan, measured, and the layer to cut behind; or why
    /// it cannot be measured. A set of `border` images is large.
    fn advise(&self, plan: &Plan, border: usize) -> Result<(Case, String), String>;
}

/// The plan that advice on a transfer is measured with: the network without its end and everything
/// else as `root` has it, and the border between small and large. It is the same for all seeds.
pub fn advisable(root: &Node, survey: &dyn Survey) -> Result<(Plan, usize), Vec<Problem>> {
    let at = KeyPath::root().key("transfer");
    let Some(node) = root.get("transfer") else {
        return Err(vec![
            Problem::missing(at, "there is no table [transfer] to advise on")
                .label("nothing is transferred")
                .help("[transfer] with weights = … says what the pretrained network is"),
        ]);
    };
    let written: Transfer = read(node, &at).map_err(|problem| vec![problem])?;
    let mut root = root.clone();
    let value = |content| Node { content, place: node.place.clone() };
    let mut table = value(Content::Table(Vec::new()));
    let weights = node.get("weights").cloned();
    let case = value(Content::String(Case::SmallSimilar.name().to_owned()));
    for (key, value) in weights.map(|node| ("weights", node)).into_iter().chain([("case", case)]) {
        table.set(key, value, &at).map_err(|problem| vec![problem])?;
    }
    let seed = value(Content::Integer(0));
    for (key, value) in [("transfer", table), ("seed", seed)] {
        root.set(key, value, &at).map_err(|problem| vec![problem])?;
    }
    let (plan, _) = resolve(&root, None, survey)?;
    Ok((plan, written.border.unwrap_or(BORDER)))
}

/// The plan that `root` describes and its digest.
pub fn resolve(
    root: &Node,
    fold: Option<Fold>,
    survey: &dyn Survey,
) -> Result<(Plan, String), Vec<Problem>> {
    const KEYS: [&str; 11] = [
        "name",
        "description",
        "seed",
        "data",
        "augment",
        "model",
        "transfer",
        "train",
        "sweep",
        "run",
        "launcher",
    ];
    let at = KeyPath::root();
    let mut problems = unknown_keys(root, &at, &KEYS);
    let seed = section::<u64>(root, &at, "seed", &mut problems);
    let data = section::<written::Data>(root, &at, "data", &mut problems);
    let train = section::<Train>(root, &at, "train", &mut problems);
    let model = model(root, &mut problems);
    let facts = data.as_ref().and_then(|data| check_data(data, fold, survey, &mut problems));
    let augmentation = augmentation(root, data.as_ref(), &mut problems);
    // Without facts the layers are still checked, as if there were ten classes.
    let classes = facts.as_ref().map_or(10, |facts| facts.classes.len());
    let network = match (&model, &augmentation) {
        (Some((defaults, elements)), Some((_, frame))) => {
            let input = [frame.channels, frame.height, frame.width];
            take(architecture(elements, defaults, input, classes), &mut problems)
        }
        _ => None,
    };
    let network = network.and_then(|network| {
        transferred(root, network, model.as_ref()?, train.as_ref()?, survey, &mut problems)
    });
    let network = network.and_then(|network| weights(root, network, survey, &mut problems));
    let has_validation = fold.is_some()
        || data.as_ref().is_some_and(|data| data.validation > 0.0)
        || facts.as_ref().is_some_and(|facts| facts.declared_validation > 0);
    let train = match (&train, &data) {
        (Some(train), Some(data)) => {
            take(TrainPlan::new(train, data.batch_size, classes, has_validation), &mut problems)
        }
        _ => None,
    };
    let augment = augmentation.map(|(augment, _)| augment);
    match (seed, data, augment, network, train) {
        (Some(seed), Some(data), Some(augment), Some(model), Some(train))
            if problems.is_empty() =>
        {
            // On disk the paths lead somewhere; for the digest they read as written, so that the
            // same file has the same digests on every machine.
            let as_written = |path: &WrittenPath| PathBuf::from(&path.written);
            let device = kind(root);
            let mut identity = Plan {
                seed,
                device,
                data: data_plan(&data, fold, &as_written),
                augment: augment.clone(),
                model: model.clone(),
                train: train.clone(),
            };
            // A file of weights is what is in it.
            if let Some(weights) = &mut identity.model.weights {
                weights.file = PathBuf::new();
            }
            let digest = digest(identity);
            let data = data_plan(&data, fold, &|path| path.path.clone());
            Ok((Plan { seed, device, data, augment, model, train }, digest))
        }
        _ => Err(problems),
    }
}

/// The kind of the devices in `[run]`, which are all of one; `run` says what is wrong with others.
fn kind(root: &Node) -> Kind {
    let first = KeyPath::root().key("run").key("devices").index(0);
    match root.at(&first).map(|node| &node.content) {
        Some(Content::String(text)) => text.parse().map_or(Kind::Cpu, Device::kind),
        _ => Kind::Cpu,
    }
}

/// The identity of a plan: 16 hexadecimal digits. The number of epochs is no part of it unless the
/// learning rate depends on it, so that a trial can be trained for longer.
fn digest(mut plan: Plan) -> String {
    if !plan.train.schedule.depends_on_epochs() {
        plan.train.epochs = 0;
    }
    let text = toml::to_string(&plan).expect("a plan is plain data");
    let mut hasher = blake3::Hasher::new();
    hasher.update(&REVISION.to_le_bytes());
    hasher.update(text.as_bytes());
    hasher.finalize().to_hex()[..16].to_owned()
}

fn take<T>(result: Result<T, Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(found) => {
            problems.extend(found);
            None
        }
    }
}

fn section<T: serde::de::DeserializeOwned>(
    node: &Node,
    at: &KeyPath,
    key: &str,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    let path = at.key(key);
    let Some(value) = node.get(key) else {
        problems.push(
            Problem::missing(path.clone(), format!("the key \"{path}\" is missing"))
                .label("not in here"),
        );
        return None;
    };
    take(read::<T>(value, &path).map_err(|problem| vec![problem]), problems)
}

fn unknown_keys(node: &Node, at: &KeyPath, keys: &[&str]) -> Vec<Problem> {
    let Content::Table(entries) = &node.content else {
        return vec![Problem::value(at.clone(), format!("{at} is a table")).label("not a table")];
    };
    entries
        .iter()
        .filter(|entry| !keys.contains(&entry.key.as_str()))
        .map(|entry| {
            let problem =
                Problem::key(at.key(&entry.key), format!("unknown key \"{}\"", entry.key));
            let problem = match suggest::nearest(&entry.key, keys) {
                Some(near) => problem.label(format!("did you mean \"{near}\"?")),
                None => problem.label("unknown"),
            };
            problem.help(format!("the keys here are {}", keys.join(", ")))
        })
        .collect()
}

/// The network that `[model]` of `root` describes for images of shape `input` and `classes`.
pub fn network(root: &Node, input: [usize; 3], classes: usize) -> Result<ModelPlan, Problems> {
    let mut problems = Vec::new();
    let network = model(root, &mut problems).and_then(|(defaults, elements)| {
        take(architecture(&elements, &defaults, input, classes), &mut problems)
    });
    network.filter(|_| problems.is_empty()).ok_or_else(|| Problems::located(problems, root))
}

/// The layers one by one, and what holds for all of them.
fn model(root: &Node, problems: &mut Vec<Problem>) -> Option<(Defaults, Vec<Element>)> {
    let at = KeyPath::root().key("model");
    let Some(model) = root.get("model") else {
        problems.push(Problem::missing(at, "the table [model] is missing").label("not in here"));
        return None;
    };
    problems.extend(unknown_keys(
        model,
        &at,
        &["preset", "parameters", "defaults", "layers", "blocks", "weights"],
    ));
    let defaults = match model.get("defaults") {
        Some(node) => {
            let at = at.key("defaults");
            take(template::filled(model, node, &at), problems).and_then(|node| {
                take(read::<Defaults>(&node, &at).map_err(|problem| vec![problem]), problems)
            })
        }
        None => section::<Defaults>(model, &at, "defaults", problems),
    };
    let elements = take(template::unfold(model), problems);
    Some((defaults?, elements?))
}

/// The network that `[transfer]` makes of `base`, if there is one.
fn transferred(
    root: &Node,
    base: ModelPlan,
    (defaults, _): &(Defaults, Vec<Element>),
    train: &Train,
    survey: &dyn Survey,
    problems: &mut Vec<Problem>,
) -> Option<ModelPlan> {
    let at = KeyPath::root().key("transfer");
    let Some(node) = root.get("transfer") else { return Some(base) };
    let written = take(read::<Transfer>(node, &at).map_err(|problem| vec![problem]), problems)?;
    let head = match (node.get("head"), root.get("model")) {
        (Some(head), Some(model)) => {
            Some(take(template::head(model, head, &at.key("head")), problems)?)
        }
        _ => None,
    };
    let mut written = written;
    let case = match Case::try_from(written.case.unwrap_or(Written::LargeSimilar)) {
        Ok(case) => case,
        Err(()) => {
            let (plan, border) = take(advisable(root, survey), problems)?;
            match survey.advise(&plan, border) {
                Ok((case, cut)) => {
                    let (_, _, freeze) = case.settings();
                    // Where everything learns, the end is the place.
                    if freeze == Layers::All {
                        written.cut.get_or_insert(Cut::Layer(cut));
                    }
                    case
                }
                Err(message) => {
                    let problem = Problem::value(at.key("case"), message);
                    problems.push(problem.label("cannot be measured"));
                    return None;
                }
            }
        }
    };
    take(transfer(&base, &written, case, head.as_deref(), defaults, train.epochs), problems)
}

/// The network with the weights that it starts from, if some are named and fit.
fn weights(
    root: &Node,
    mut network: ModelPlan,
    survey: &dyn Survey,
    problems: &mut Vec<Problem>,
) -> Option<ModelPlan> {
    let keys = ["transfer", "model"].map(|table| KeyPath::root().key(table).key("weights"));
    let found = keys.iter().find_map(|at| Some((at.clone(), root.at(at)?)));
    let wanted = network.pretrained_tensors();
    let (at, node) = match (found, network.transfer) {
        // Nothing would be taken from them.
        (_, Some(_)) if wanted.is_empty() => return Some(network),
        (Some(found), _) => found,
        (None, None) => return Some(network),
        (None, Some(_)) => {
            problems.push(
                Problem::missing(keys[0].clone(), "a transfer needs pretrained weights")
                    .label("none are named in here")
                    .help("weights = \"FILE\", { experiment = \"NAME\" }, \"bundled:squeezenet1_1\"; or init = \"random\""),
            );
            return None;
        }
    };
    let written = match Weights::read(node, &at) {
        Ok(written) => written,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let file = match written.origin {
        Origin::File(file) => Ok(file.path),
        Origin::Experiment(experiment, trial) => survey.earlier(&experiment, trial),
    };
    let file = match file {
        Ok(file) => file,
        Err(message) => {
            problems.push(Problem::value(at, message).label("these weights"));
            return None;
        }
    };
    let mut plan = WeightsPlan {
        file,
        hash: String::new(),
        rename: written.rename.into_iter().map(|(from, to)| [from, to]).collect(),
        strict: written.strict.unwrap_or(true),
    };
    match survey.weights(&plan, &network) {
        Ok(hash) => {
            plan.hash = hash;
            network.weights = Some(plan);
            Some(network)
        }
        Err(message) => {
            let (first, rest) = message.split_once('\n').unwrap_or((&message, ""));
            let problem = Problem::value(at, first).label("these weights");
            let problem = rest.lines().fold(problem, |problem, line| problem.note(line.trim()));
            // Only a file that can be read can be made to fit.
            problems.push(if rest.is_empty() { problem } else { problem.help(
                "rename = { … } says which tensor is which; strict = false lets what does not fit start as init says",
            ) });
            None
        }
    }
}

/// `[augment]` as it will run, and the images that the network gets.
fn augmentation(
    root: &Node,
    data: Option<&written::Data>,
    problems: &mut Vec<Problem>,
) -> Option<(AugmentPlan, Frame)> {
    let written = match root.get("augment") {
        Some(node) => Some(take(Augment::read(node), problems)?),
        None => None,
    };
    let image = &data?.image;
    // Sizes that cannot be are told elsewhere.
    let [height, width] = image.size;
    let is_image = [height, width].iter().all(|side| (1..=4096).contains(side));
    if !is_image || !matches!(image.channels, 1 | 3) {
        return None;
    }
    let frame = Frame { height, width, channels: image.channels };
    match written {
        None => Some((AugmentPlan::default(), frame)),
        Some(written) => take(augment(&written, frame), problems),
    }
}

/// Checks `[data]`; the facts, if the source could be surveyed.
fn check_data(
    data: &written::Data,
    fold: Option<Fold>,
    survey: &dyn Survey,
    problems: &mut Vec<Problem>,
) -> Option<DataFacts> {
    let at = KeyPath::root().key("data");
    let before = problems.len();
    let mut that = |sound: bool, at: KeyPath, message: String, label: &str| {
        if !sound {
            problems.push(Problem::value(at, message).label(label));
        }
    };
    let part = |part: f64| (0.0..1.0).contains(&part);
    that(
        part(data.validation),
        at.key("validation"),
        format!("a part of {} is not in [0, 1)", data.validation),
        "a part of the training images",
    );
    if let written::TestSet::Part(test) = data.test {
        that(
            part(test),
            at.key("test"),
            format!("a part of {test} is not in [0, 1)"),
            "a part of the images",
        );
    }
    match data.subset {
        written::Subset::None => {}
        written::Subset::PerClass(count) => that(
            count >= 1,
            at.key("subset").key("per-class"),
            "a subset has at least one image of each class".to_owned(),
            "no images",
        ),
        written::Subset::Fraction(part) => that(
            part > 0.0 && part <= 1.0,
            at.key("subset").key("fraction"),
            format!("a part of {part} is not in (0, 1]"),
            "a part of the training images",
        ),
    }
    if let written::Classes::Some(names) = &data.classes {
        let twice = (1..names.len()).find(|index| names[..*index].contains(&names[*index]));
        if let Some(index) = twice {
            that(
                false,
                at.key("classes").index(index),
                format!("the class \"{}\" stands twice", names[index]),
                "already in the list",
            );
        }
        that(
            names.len() >= 2,
            at.key("classes"),
            format!("{} classes are not enough to tell apart", names.len()),
            "at least two",
        );
    }
    let has_boxes = matches!(data.source, written::Source::Csv(_) | written::Source::Gtsrb(_));
    that(
        data.crop == written::Crop::None || has_boxes,
        at.key("crop"),
        "the source has no boxes to crop to: tables (csv) and gtsrb have".to_owned(),
        "nothing to crop to",
    );
    let image = at.key("image");
    that(
        matches!(data.image.channels, 1 | 3),
        image.key("channels"),
        format!("images have 1 channel (gray) or 3 (RGB), not {}", data.image.channels),
        "1 or 3",
    );
    that(
        data.image.size.iter().all(|side| (1..=4096).contains(side)),
        image.key("size"),
        format!("an image of {}×{} pixels", data.image.size[0], data.image.size[1]),
        "sides are between 1 and 4096",
    );
    if let written::Normalise::By(moments) = &data.normalise {
        for (key, numbers) in [("mean", &moments.mean), ("std", &moments.std)] {
            that(
                numbers.len() == data.image.channels,
                at.key("normalise").key(key),
                format!("{} numbers for {} channels", numbers.len(), data.image.channels),
                "one number per channel",
            );
        }
        that(
            moments.std.iter().all(|std| *std > 0.0),
            at.key("normalise").key("std"),
            "a standard deviation is positive".to_owned(),
            "not positive",
        );
    }
    if problems.len() > before {
        return None;
    }
    match survey.data(&data_plan(data, fold, &|path| path.path.clone())) {
        Ok(facts) => Some(facts),
        Err(message) => {
            problems.push(Problem::value(at.key("source"), message).label("this source"));
            None
        }
    }
}

/// What was written about data as it will run; `path` says what becomes of paths.
pub fn data_plan(
    data: &written::Data,
    fold: Option<Fold>,
    path: &dyn Fn(&WrittenPath) -> PathBuf,
) -> DataPlan {
    DataPlan {
        source: source(&data.source, path),
        test: match &data.test {
            written::TestSet::Declared => TestSet::Declared,
            written::TestSet::Part(part) => TestSet::Part(*part),
            written::TestSet::Source(other) => TestSet::Source(source(other, path)),
        },
        validation: data.validation,
        fold,
        classes: match &data.classes {
            written::Classes::All => Vec::new(),
            written::Classes::Some(names) => names.clone(),
        },
        subset: match data.subset {
            written::Subset::None => Subset::All,
            written::Subset::PerClass(count) => Subset::PerClass(count),
            written::Subset::Fraction(part) => Subset::Fraction(part),
        },
        image: ImagePlan { size: data.image.size, channels: data.image.channels },
        normalise: match &data.normalise {
            written::Normalise::None => Normalise::None,
            written::Normalise::Dataset => Normalise::Dataset,
            written::Normalise::By(moments) => {
                Normalise::By { mean: moments.mean.clone(), std: moments.std.clone() }
            }
        },
        on_bad_image: match data.on_bad_image {
            written::OnBadImage::Error => OnBadImage::Error,
            written::OnBadImage::Skip => OnBadImage::Skip,
        },
        boxes: BoxPlan { format: data.box_format, crop: data.crop == written::Crop::Box },
    }
}

fn source(source: &written::Source, path: &dyn Fn(&WrittenPath) -> PathBuf) -> Source {
    match source {
        written::Source::Digits => Source::Bundled(Bundled::Digits),
        written::Source::FashionMnist => Source::Bundled(Bundled::FashionMnist),
        written::Source::Openclipart9 => Source::Bundled(Bundled::Openclipart9),
        written::Source::Folder(folder) => Source::Folder(path(folder)),
        written::Source::Idx(folder) => Source::Idx(path(folder)),
        written::Source::Cifar10(folder) => Source::Cifar10(path(folder)),
        written::Source::Cifar100(folder) => Source::Cifar100(path(folder)),
        written::Source::Csv(file) => Source::Csv(path(file)),
        written::Source::Gtsrb(folder) => Source::Gtsrb(path(folder)),
    }
}

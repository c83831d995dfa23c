//! The crossing from what was written to what will run: one experiment tree becomes one [`Plan`],
//! or all that is wrong with it. Each table is settled in the file of its concept; here stands in which
//! order, and what each needs to know of the others.

use std::path::PathBuf;
use std::sync::Arc;

use crate::basis::device::Kind;
use crate::config::data::Data;
use crate::config::setting::set;
use crate::config::train::Train;
use crate::config::train::distill::Distill;
use crate::config::transfer::Transfer;
use crate::document::{Content, KeyPath, Node, Problem, WrittenPath, read};

use super::Plan;
use super::architecture::architecture;
use super::augment::{AugmentPlan, Augmentation, augmentation};
use super::data::{self, DataPlan, Fold, Task, data_plan};
use super::distill::distill;
use super::model::ModelPlan;
use super::network::model;
use super::plan::{BodyText, digest, recipe_text};
use super::run::kind;
use super::section::{section, take, unknown_keys};
use super::survey::{Survey, facts};
use super::task;
use super::train::{Batches, TrainPlan};
use super::transfer::{BORDER, Case, transferred};
use super::weights::weights;

/// A plan in the parts that trials share, and what is hashed of each.
#[derive(Clone, Debug)]
pub(super) struct Body {
    pub(super) seed: u64,
    device: Kind,
    data: Arc<DataPlan>,
    augment: Arc<AugmentPlan>,
    pub(super) model: Arc<ModelPlan>,
    /// What a recipe is checked against.
    pub(super) classes: usize,
    pub(super) has_validation: bool,
    /// What advice says of the recipe, by dotted paths.
    pub(super) advised: Vec<(String, Node)>,
    text: BodyText,
    /// The hash so far, for its own seed.
    begun: blake3::Hasher,
}

/// The sweep that a tree is one combination of.
pub(super) struct Swept<'a> {
    /// The experiment without its sweep.
    pub(super) bare: &'a Node,
    /// What the combination replaces, by dotted paths.
    pub(super) paths: Vec<&'a str>,
}

/// How a network is trained, and what is hashed of it.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    train: Arc<TrainPlan>,
    text: String,
}

impl Recipe {
    fn of(train: TrainPlan) -> Recipe {
        let text = recipe_text(&train);
        Recipe { train: Arc::new(train), text }
    }

    /// What `[train]` and the batches of `[data]` of `root` come to for so many classes; none if something is
    /// wrong with them.
    pub(super) fn read(
        root: &Node,
        model: &ModelPlan,
        classes: usize,
        has_validation: bool,
    ) -> Option<Recipe> {
        let at = KeyPath::root();
        let [batch, drop] = ["batch-size", "drop-last"].map(|key| at.key("data").key(key));
        let batch_size = read::<usize>(root.at(&batch)?, &batch).ok()?;
        let drop_last = read::<bool>(root.at(&drop)?, &drop).ok()?;
        let batches = Batches { batch_size, drop_last };
        let train = read::<Train>(root.get("train")?, &at.key("train")).ok()?;
        let teacher = KeyPath::root().key("train").key("distill");
        if Distill::read(root.at(&teacher)?, &teacher).ok()?.is_some() {
            // Its file is looked at beside the rest.
            return None;
        }
        if !train.progressive_resizing.is_empty() {
            // The network is looked at in other sizes.
            return None;
        }
        let task = at.key("data").key("task");
        let task = read::<Task>(root.at(&task)?, &task).ok()?;
        let train = TrainPlan::new(&train, batches, classes, has_validation, task).ok()?;
        train.idle(model).is_empty().then(|| Recipe::of(train))
    }
}

impl Body {
    /// The plan with `seed` and `recipe`, and its digest.
    pub(super) fn with(&self, seed: u64, recipe: &Recipe) -> (Plan, String) {
        let begun = if seed == self.seed { self.begun.clone() } else { self.text.begin(seed) };
        let Body { device, data, augment, model, .. } = self;
        let plan = Plan {
            seed,
            device: *device,
            data: data.clone(),
            augment: augment.clone(),
            model: model.clone(),
            train: recipe.train.clone(),
        };
        (plan, digest(begun, &recipe.text))
    }
}

/// What is wrong with the smaller images of the first epochs: the same network has to take them. `at_size` is the
/// network for images of a size.
fn resized(
    root: &Node,
    train: &TrainPlan,
    model: &ModelPlan,
    at_size: &dyn Fn([usize; 2]) -> Result<ModelPlan, Vec<Problem>>,
) -> Vec<Problem> {
    let path = KeyPath::root().key("train").key("progressive-resizing");
    if train.progressive_resizing.is_empty() {
        return Vec::new();
    }
    if root.get("transfer").is_some() {
        let message = "[transfer] needs one image size, because features are cached";
        return vec![Problem::value(path, message).label("no smaller ones")];
    }
    let mut problems = Vec::new();
    for (index, stage) in train.progressive_resizing.iter().enumerate() {
        let [height, width] = stage.size;
        let shown = format!("{height}×{width}");
        let is_larger = height > model.input[1] || width > model.input[2];
        let reason = match at_size(stage.size) {
            _ if is_larger => Some(format!(
                "images of {}×{} cannot be enlarged to {shown}",
                model.input[1], model.input[2]
            )),
            Err(found) => {
                let first = found.first().map(|problem| problem.message().to_owned());
                Some(format!(
                    "the network cannot take images of {shown}: {}",
                    first.unwrap_or_default()
                ))
            }
            Ok(other) if other.tensors() != model.tensors() => {
                let both = model.tensors().into_iter().zip(other.tensors());
                let first = both.into_iter().find(|(own, other)| own != other);
                let name = first.map_or(String::new(), |((name, _), _)| name);
                Some(format!("{name} would have another shape for images of {shown}"))
            }
            Ok(_) => None,
        };
        if let Some(reason) = reason {
            let at = path.index(index).key("size");
            problems.push(Problem::value(at, reason).label("this size").help(
                "a network that ends in { adaptive-avg-pool = 1 } takes images of many sizes",
            ));
        }
    }
    problems
}

/// The plan that `root` describes and its digest.
pub fn resolve(
    root: &Node,
    fold: Option<Fold>,
    survey: &dyn Survey,
) -> Result<(Plan, String), Vec<Problem>> {
    let swept = Swept { bare: root, paths: Vec::new() };
    parts(root, fold, survey, &swept).map(|(body, recipe)| body.with(body.seed, &recipe))
}

/// The parts of the plan that `root` describes, one of the combinations of a sweep.
pub(super) fn parts(
    root: &Node,
    fold: Option<Fold>,
    survey: &dyn Survey,
    swept: &Swept,
) -> Result<(Body, Recipe), Vec<Problem>> {
    if !asks_for_advice(root) {
        return settled(root, fold, survey, Vec::new());
    }
    let found = task::check(root, task_of(root));
    if !found.is_empty() {
        return Err(found);
    }
    let strategy =
        survey.advise(&question(root, swept.bare)?, fold.map(|fold| Fold { index: 0, ..fold }))?;
    let (laid, advised) = strategy.laid_over(root, &swept.paths)?;
    settled(&laid, fold, survey, advised)
}

/// How many labels an image of `root` has, as far as that can be read.
fn task_of(root: &Node) -> Task {
    let at = KeyPath::root().key("data").key("task");
    root.at(&at).and_then(|node| read(node, &at).ok()).unwrap_or_default()
}

/// Whether `root` leaves the case of its transfer to advice.
fn asks_for_advice(root: &Node) -> bool {
    let case = root.get("transfer").and_then(|node| node.get("case"));
    case.is_some_and(|case| matches!(&case.content, Content::String(name) if name == "auto"))
}

/// What advice is asked about where `root` is one of the combinations of a sweep over `bare`: a question that all
/// seeds and all recipes share.
pub fn question(root: &Node, bare: &Node) -> Result<Node, Vec<Problem>> {
    let at = KeyPath::root();
    let mut question = root.clone();
    for path in ["seed", "train", "data.batch-size", "data.drop-last"] {
        let key = path.split('.').fold(KeyPath::root(), |at, key| at.key(key));
        if let Some(own) = bare.at(&key) {
            set(&mut question, path, own.clone(), &at)?;
        }
    }
    Ok(question)
}

/// As [`parts`], where nothing is left to advice; `advised` is what it has said of the recipe.
fn settled(
    root: &Node,
    fold: Option<Fold>,
    survey: &dyn Survey,
    advised: Vec<(String, Node)>,
) -> Result<(Body, Recipe), Vec<Problem>> {
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
    let data = section::<Data>(root, &at, "data", &mut problems);
    let train = section::<Train>(root, &at, "train", &mut problems);
    let model = model(root, &mut problems);
    let sound = data.as_ref().filter(|data| {
        let found = data::check(data);
        let is_sound = found.is_empty();
        problems.extend(found);
        is_sound
    });
    let facts = sound.and_then(|data| take(facts(data, fold, survey), &mut problems));
    let image = data.as_ref().map(|data| (data.image, data.fit));
    let augmentation = augmentation(root, image, &mut problems);
    // Without facts the layers are still checked, as if there were ten classes.
    let classes = facts.as_ref().map_or(10, |facts| facts.classes.len());
    let network = match (&model, &augmentation) {
        (Some((defaults, elements)), Some(augmentation)) => {
            let frame = augmentation.out;
            let input = [frame.channels, frame.height, frame.width];
            take(architecture(elements, defaults, input, classes), &mut problems)
        }
        _ => None,
    };
    let network = network.and_then(|network| {
        let (defaults, epochs) = (&model.as_ref()?.0, train.as_ref()?.epochs);
        transferred(root, network, defaults, epochs, &mut problems)
    });
    let network = network.and_then(|base| take(weights(root, base, survey), &mut problems));
    let has_validation = fold.is_some()
        || data.as_ref().is_some_and(|data| data.validation > 0.0)
        || facts.as_ref().is_some_and(|facts| facts.declared_validation > 0);
    let starts_trained = root.at(&KeyPath::root().key("model").key("weights")).is_some();
    if train.as_ref().is_some_and(|train| train.epochs == 0)
        && (!starts_trained || root.get("transfer").is_some())
    {
        let at = KeyPath::root().key("train").key("epochs");
        problems.push(
            Problem::value(at, "0 epochs evaluate the initial network, but its weights are random")
                .label("no training")
                .help("set model.weights = \"FILE\", or train for at least one epoch"),
        );
    }
    let train = match (&train, &data) {
        (Some(train), Some(data)) => {
            let Data { batch_size, drop_last, .. } = *data;
            let batches = Batches { batch_size, drop_last };
            take(TrainPlan::new(train, batches, classes, has_validation, data.task), &mut problems)
        }
        _ => None,
    };
    let written = &model;
    let mut train = train;
    if let (Some(train), Some(model)) = (&mut train, &network) {
        problems.extend(train.idle(model));
        if let Some((defaults, elements)) = written {
            let at_size = |[height, width]: [usize; 2]| {
                architecture(elements, defaults, [model.input[0], height, width], classes)
            };
            problems.extend(resized(root, train, model, &at_size));
        }
    }
    let task = data.as_ref().map_or_else(Task::default, |data| data.task);
    let found = task::check(root, task);
    let is_for_task = found.is_empty();
    problems.extend(found);
    if let Some(model) = network.as_ref().filter(|_| is_for_task) {
        let classes = facts.as_ref().map(|facts| &facts.classes[..]);
        match distill(root, classes, model, survey) {
            Ok(found) => train.iter_mut().for_each(|train| train.distill.clone_from(&found)),
            Err(found) => problems.extend(found),
        }
    }
    match (seed, data, augmentation, network, train) {
        (Some(seed), Some(data), Some(augmentation), Some(model), Some(train))
            if problems.is_empty() =>
        {
            // On disk the paths lead somewhere; for the digest they read as written, so that the
            // same file has the same digests on every machine.
            let as_written = |path: &WrittenPath| PathBuf::from(&path.written);
            let device = kind(root);
            let Augmentation { plan: augment, own_size, .. } = augmentation;
            let identity = data_plan(&data, fold, &as_written);
            let identity = DataPlan { own_size: own_size.clone(), ..identity };
            let text = BodyText::new(device, &identity, &augment, &model);
            let data = data_plan(&data, fold, &|path| path.path.clone());
            let body = Body {
                seed,
                device,
                data: Arc::new(DataPlan { own_size, ..data }),
                augment: Arc::new(augment),
                model: Arc::new(model),
                classes,
                has_validation,
                advised,
                begun: text.begin(seed),
                text,
            };
            Ok((body, Recipe::of(train)))
        }
        _ => Err(problems),
    }
}

/// The plan that the pretrained network of `root` is measured with: the network without its end and everything
/// else as it is written, and the border between small and large.
pub fn advisable(
    root: &Node,
    fold: Option<Fold>,
    survey: &dyn Survey,
) -> Result<(Plan, usize), Vec<Problem>> {
    let at = KeyPath::root().key("transfer");
    let Some(node) = root.get("transfer") else {
        return Err(vec![
            Problem::missing(at, "there is no table [transfer] to advise on")
                .label("nothing is transferred")
                .help("[transfer] with weights = … names the pretrained network"),
        ]);
    };
    if task_of(root).is_multi_label() {
        return Err(vec![task::unmeasured(at)]);
    }
    let written: Transfer = read(node, &at)?;
    let whole = in_case(root, Case::SmallSimilar, &["weights"])?;
    let (plan, _) = resolve(&whole, fold, survey)?;
    Ok((plan, written.border.unwrap_or(BORDER)))
}

/// The experiment `root` in one of the four cases, with `keys` of its `[transfer]` and no others.
pub fn in_case(root: &Node, case: Case, keys: &[&str]) -> Result<Node, Vec<Problem>> {
    let at = KeyPath::root().key("transfer");
    let Some(node) = root.get("transfer") else { return Ok(root.clone()) };
    let value = |content| Node { content, place: node.place.clone() };
    let mut table = value(Content::Table(Vec::new()));
    let kept = keys.iter().filter_map(|key| Some((*key, node.get(key)?.clone())));
    let case = value(Content::String(case.name().to_owned()));
    for (key, value) in kept.chain([("case", case)]) {
        set(&mut table, key, value, &at)?;
    }
    let mut root = root.clone();
    set(&mut root, "transfer", table, &at)?;
    Ok(root)
}

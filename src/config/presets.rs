//! Presets: the networks of papers as TOML files of the same language that users write, built into
//! the program. `wick presets NAME` prints one.
//!
//! A preset lies under the experiment file: what the file says of `[model]` holds.

use std::path::PathBuf;
use std::sync::Arc;

use super::defaults::{CHOICES, defaults};
use crate::document::parse::parse;
use crate::document::{Content, Entry, KeyPath, Node, Place, Problem, SourceFile};

macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("presets/", $name, ".toml")))),*]
    };
}

/// Name and text of every preset.
pub const PRESETS: [(&str, &str); 88] = presets![
    "plain",
    "lenet5",
    "demo",
    "vgg6",
    "alexnet",
    "alexnet_lrn",
    "alexnet-32",
    "vgg11",
    "vgg11-bn",
    "vgg11-32",
    "vgg13",
    "vgg13-bn",
    "vgg16",
    "vgg16-bn",
    "vgg19",
    "vgg19-bn",
    "resnet18",
    "resnet18-32",
    "resnet34",
    "resnet34-32",
    "cbam_resnet18",
    "resnet50",
    "cbam_resnet50",
    "resnet101",
    "resnet152",
    "wide_resnet50_2",
    "wide_resnet101_2",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "resnet9",
    "resnet20",
    "resnet32",
    "resnet44",
    "resnet56",
    "resnet110",
    "wrn-28-10",
    "airbench",
    "googlenet",
    "googlenet-32",
    "inception_v3",
    "squeezenet1_0",
    "squeezenet1_1",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
    "mnasnet0_5",
    "mnasnet0_75",
    "mnasnet1_0",
    "mnasnet1_3",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_s",
    "efficientnet_v2_m",
    "efficientnet_v2_l",
    "tf_efficientnet_lite0",
    "regnet_x_400mf",
    "regnet_x_800mf",
    "regnet_x_1_6gf",
    "regnet_x_3_2gf",
    "regnet_x_8gf",
    "regnet_x_16gf",
    "regnet_x_32gf",
    "regnet_y_400mf",
    "regnet_y_800mf",
    "regnet_y_1_6gf",
    "regnet_y_3_2gf",
    "regnet_y_8gf",
    "regnet_y_16gf",
    "regnet_y_32gf",
    "convnext_tiny",
    "convnext_small",
    "convnext_base",
    "convnext_large",
];

/// The 1,000 classes of ImageNet's challenge, one on a line, in the order of torchvision's weights.
pub const IMAGENET_CLASSES: &str = include_str!("presets/imagenet-classes.txt");

/// The text of the preset `name`.
pub fn text(name: &str) -> Option<&'static str> {
    PRESETS.iter().find(|(other, _)| *other == name).map(|(_, text)| *text)
}

/// What the paths of presets end with in messages.
const MARK: &str = "(preset)";

fn is_of_preset(place: &Place) -> bool {
    matches!(place, Place::File(file, _) if file.path.ends_with(MARK))
}

fn is_of_defaults(place: &Place) -> bool {
    matches!(place, Place::File(file, _) if file.is_built_in())
}

/// The table `[model]` of the preset, with that of the preset it is built on below it.
fn model(name: &str) -> Option<Node> {
    let source = SourceFile {
        path: format!("{name}.toml {MARK}"),
        text: text(name)?.to_owned(),
        folder: PathBuf::new(),
    };
    let root = parse(Arc::new(source)).ok()?;
    let mut model = root.get("model")?.clone();
    if let Some(Content::String(below)) = model.get("preset").map(|node| node.content.clone()) {
        lay_under(&mut model, &self::model(&below)?, "model");
    }
    if let Content::Table(entries) = &mut model.content {
        entries.retain(|entry| entry.key != "preset");
    }
    Some(model)
}

/// Puts the preset that `root` names under its `[model]`, in place of one that was there.
pub fn apply(root: &mut Node) -> Result<(), Problem> {
    let at = KeyPath::root().key("model").key("preset");
    let Some(named) = root.at(&at).cloned() else { return Ok(()) };
    withdraw(root);
    let Content::String(name) = &named.content else {
        let message = format!("{at}: expected a name, found {}", named.content.describe());
        return Err(Problem::value(at, message).label("not a name"));
    };
    let Some(preset) = model(name) else {
        let problem = Problem::value(at, format!("there is no preset \"{name}\""));
        let names = PRESETS.map(|(name, _)| name);
        let problem = problem.did_you_mean(name, &names, "unknown");
        return Err(problem.help(format!("`wick presets` lists all {}", names.len())));
    };
    let layers = root.get("model").and_then(|model| model.get("layers"));
    if layers.is_some_and(|layers| !uses(layers, &preset)) {
        let message = format!("[model] has its own layers, so the preset \"{name}\" has no effect");
        return Err(Problem::value(at, message).label("no effect beside model.layers").help(
            format!(
                "remove one of the two; `wick presets {name}` prints its layers, to copy and change"
            ),
        ));
    }
    if let Content::Table(entries) = &mut root.content
        && let Some(entry) = entries.iter_mut().find(|entry| entry.key == "model")
    {
        lay_under(&mut entry.value, &preset, "model");
        // A preset that was there before may have taken the place of a default.
        if let Some(defaults) = defaults().get("model") {
            lay_under(&mut entry.value, defaults, "model");
        }
    }
    Ok(())
}

/// Whether `layers` stand on a block or a parameter of the preset with the table `preset`.
fn uses(layers: &Node, preset: &Node) -> bool {
    let has = |table: &str, name: &str| preset.get(table).is_some_and(|it| it.get(name).is_some());
    match &layers.content {
        Content::String(text) => {
            // In an expression any number of parameters may stand.
            let words = text.split('$').skip(1);
            words
                .map(|rest| rest.split(|c: char| !c.is_alphanumeric() && !"-_".contains(c)).next())
                .any(|name| name.is_some_and(|name| has("parameters", name)))
        }
        Content::Array(items) => items.iter().any(|item| uses(item, preset)),
        Content::Table(entries) => entries.iter().any(|entry| match &entry.value.content {
            Content::String(name) if entry.key == "block" => has("blocks", name),
            _ => uses(&entry.value, preset),
        }),
        _ => false,
    }
}

/// Takes out of `[model]` what a preset has put there.
pub fn withdraw(root: &mut Node) {
    fn clean(node: &mut Node) {
        if let Content::Table(entries) = &mut node.content {
            entries.retain(|entry| !is_of_preset(&entry.value.place));
            entries.iter_mut().for_each(|entry| clean(&mut entry.value));
        }
    }
    if let Content::Table(entries) = &mut root.content {
        entries.iter_mut().filter(|entry| entry.key == "model").for_each(|e| clean(&mut e.value));
    }
}

/// Adds to the table `above` what only `below` has. The built-in defaults count as not written.
fn lay_under(above: &mut Node, below: &Node, path: &str) {
    let (Content::Table(entries), Content::Table(lower)) = (&mut above.content, &below.content)
    else {
        return;
    };
    for entry in lower {
        let path = format!("{path}.{}", entry.key);
        match entries.iter_mut().find(|other| other.key == entry.key) {
            None => entries.push(entry.clone()),
            Some(other) => {
                let both_tables = matches!(
                    (&other.value.content, &entry.value.content),
                    (Content::Table(_), Content::Table(_))
                );
                if both_tables && !CHOICES.contains(&path.as_str()) {
                    lay_under(&mut other.value, &entry.value, &path);
                } else if is_of_defaults(&other.value.place) {
                    *other = Entry::clone(entry);
                }
            }
        }
    }
}

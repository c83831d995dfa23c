//! `[augment]`: chains of transforms, written as their kinds and arguments.
//!
//! ```toml
//! [augment]
//! train = [                         # or "none", or the name of a chain below
//!   { rotate = 30, p = 0.5 },
//!   { blur = 5, p = 0.5 },
//!   { one-of = ["horizontal-flip", "vertical-flip"], p = 0.3 },
//!   { mixup = 0.2 },                # mixes whole batches: stands last
//! ]
//! until = 8                         # its last epoch; if not written, all have it
//! evaluation = [{ center-crop = 28 }]   # if not written: what decides the size in `train`
//! test-time = [["horizontal-flip"]] # further views of each test image, whose logits are averaged
//! boxes = { min-area = 16, min-visibility = 0.3 }
//!
//! [augment.chains]
//! flips = ["horizontal-flip"]
//! ```
//!
//! A transform is a table whose first key names its kind and main argument; one that needs no
//! argument can be written as its name alone. `p` is the probability with which it is applied.

mod element;
mod mixing;
mod step;
mod written;

use crate::augment::{BoxRules, Chain, Mixing, kind_of};
use crate::basis::written::written;

use self::mixing::{mixes, read_mixing};
use self::step::{Probability, read_steps};
use self::written::WrittenStep;
use crate::document::suggest;
use crate::document::{Content, Entry, KeyPath, Node, Problem, read};

/// The table `[augment]`.
#[derive(Clone, Debug)]
pub struct Augment {
    /// For training images.
    pub train: WrittenChain,
    /// The last epoch with it, if it is not all epochs.
    pub until: Option<usize>,
    /// For validation and test images, if it is written.
    pub evaluation: Option<WrittenChain>,
    /// Further views of each test image.
    pub test_time: Vec<WrittenChain>,
    /// Which boxes are left.
    pub boxes: BoxRules,
}

/// A chain and the place of its elements.
#[derive(Clone, Debug)]
pub struct WrittenChain {
    /// The list.
    pub at: KeyPath,
    /// Its transforms.
    pub chain: Chain,
    /// What mixes batches, behind the last transform.
    pub mixing: Option<Mixing>,
}

const KEYS: [&str; 6] = ["train", "until", "evaluation", "test-time", "boxes", "chains"];

written!(Augment, "Augment", |types| {
    "type": "object",
    "properties": {
        "train": {
            "description": "What happens to training images, anew in each epoch.",
            "$ref": types.subschema_for::<WrittenChain>().get("$ref"),
        },
        "until": {
            "description": "The last epoch in which training images pass `train`, counted from 1, or `\"end\"`; \
                            behind it they are seen as validation images are.",
            "anyOf": [{ "const": "end" }, { "type": "integer", "minimum": 1 }],
        },
        "evaluation": {
            "description": "What happens to validation and test images; if not written, that part of \
                            `train` which decides their size, with nothing left to chance.",
            "$ref": types.subschema_for::<WrittenChain>().get("$ref"),
        },
        "test-time": {
            "description": "Further views of each test image, whose logits are averaged: \
                            `[[\"horizontal-flip\"]]`.",
            "type": "array",
            "items": types.subschema_for::<WrittenChain>(),
        },
        "boxes": {
            "description": "Which boxes are left: `{ min-area = 16, min-visibility = 0.3 }`.",
            "$ref": types.subschema_for::<BoxRules>().get("$ref"),
        },
        "chains": {
            "description": "Chains with names of their own, for `train` and for sweeps.",
            "type": "object",
            "additionalProperties": { "type": "array", "items": types.subschema_for::<WrittenStep>() },
        },
    },
    "additionalProperties": false,
});

written!(WrittenChain, "Chain", |types| {
    "anyOf": [
        { "type": "array", "items": types.subschema_for::<WrittenStep>() },
        { "const": "none", "description": "Images stay as they are." },
        { "type": "string", "description": "The name of a chain in `[augment.chains]`." },
    ],
});

impl Augment {
    /// Reads the table at `node`, which stands at `augment`.
    pub fn read(node: &Node) -> Result<Augment, Vec<Problem>> {
        let at = KeyPath::root().key("augment");
        let Content::Table(entries) = &node.content else {
            let found = node.content.describe();
            return Err(vec![
                Problem::value(at, format!("augment: expected a table, found {found}"))
                    .label("of the wrong type")
                    .help("[augment] with train = [ … ]"),
            ]);
        };
        let mut problems = Vec::new();
        for entry in entries.iter().filter(|entry| !KEYS.contains(&entry.key.as_str())) {
            problems.push(Problem::unknown_key(at.key(&entry.key), &entry.key, &KEYS));
        }
        let chains = match node.get("chains").map(|chains| &chains.content) {
            None => &[][..],
            Some(Content::Table(chains)) => chains,
            Some(other) => {
                let message =
                    format!("augment.chains: expected a table, found {}", other.describe());
                problems.push(Problem::value(at.key("chains"), message).label("of the wrong type"));
                &[]
            }
        };
        let mut take = |result: Result<WrittenChain, Vec<Problem>>| match result {
            Ok(chain) => Some(chain),
            Err(found) => {
                problems.extend(found);
                None
            }
        };
        // Chains that nobody uses are read too: what is wrong with them is told at once.
        for chain in chains {
            let at = at.key("chains").key(&chain.key);
            _ = take(read_list(&chain.value, &at, Probability::Usual));
        }
        let mut chain = |key: &str, p: Probability| {
            let at = at.key(key);
            node.get(key).and_then(|node| take(read_chain(node, &at, chains, p)))
        };
        let train = chain("train", Probability::Usual);
        let evaluation = chain("evaluation", Probability::Sure);
        let mut test_time = Vec::new();
        if let Some(views) = node.get("test-time") {
            let at = at.key("test-time");
            match &views.content {
                Content::Array(views) => {
                    for (index, view) in views.iter().enumerate() {
                        let chain =
                            take(read_chain(view, &at.index(index), chains, Probability::Sure));
                        test_time.extend(chain);
                    }
                }
                other => {
                    let found = other.describe();
                    let message = format!("{at}: expected a list of chains, found {found}");
                    problems.push(
                        Problem::value(at, message)
                            .label("of the wrong type")
                            .help("test-time = [[\"horizontal-flip\"]] adds one view"),
                    );
                }
            }
        }
        let until = match node.get("until").map(|until| read_until(until, &at.key("until"))) {
            None => None,
            Some(Ok(until)) => until,
            Some(Err(problem)) => {
                problems.push(problem);
                None
            }
        };
        let boxes = match node.get("boxes").map(|node| read::<BoxRules>(node, &at.key("boxes"))) {
            None => BoxRules::default(),
            Some(Ok(rules)) => rules,
            Some(Err(problem)) => {
                problems.push(problem);
                BoxRules::default()
            }
        };
        problems.extend(check_rules(&boxes, &at.key("boxes")));
        for chain in evaluation.iter().chain(&test_time).filter(|chain| chain.mixing.is_some()) {
            problems.push(
                Problem::value(chain.at.clone(), "only training batches are mixed")
                    .label("mixes images")
                    .help("use mixup and cutmix only in augment.train"),
            );
        }
        match train {
            _ if !problems.is_empty() => Err(problems),
            Some(train) => Ok(Augment { train, until, evaluation, test_time, boxes }),
            None => Err(vec![Problem::missing(at.key("train"), "augment.train is missing")]),
        }
    }
}

/// The last epoch with the chain for training images: a number, or `"end"`.
fn read_until(node: &Node, at: &KeyPath) -> Result<Option<usize>, Problem> {
    let help = "the last epoch with augmentation, or \"end\"";
    match &node.content {
        Content::String(word) if word == "end" => Ok(None),
        Content::Integer(0) => {
            let problem = Problem::value(at.clone(), "epochs are counted from 1");
            Err(problem.label("0").help("train = \"none\" augments in no epoch"))
        }
        Content::Integer(epoch) => usize::try_from(*epoch).map(Some).map_err(|_| {
            let problem = Problem::value(at.clone(), "epochs are counted from 1");
            problem.label("negative").help(help)
        }),
        other => {
            let found = other.describe();
            let message = format!("{at}: expected an epoch or \"end\", found {found}");
            Err(Problem::value(at.clone(), message).label("of the wrong type").help(help))
        }
    }
}

fn check_rules(rules: &BoxRules, at: &KeyPath) -> Vec<Problem> {
    let mut problems = Vec::new();
    if rules.min_area < 0.0 {
        let message = format!("min-area = {}: an area is not negative", rules.min_area);
        problems.push(Problem::value(at.key("min-area"), message).label("negative"));
    }
    if !(0.0..=1.0).contains(&rules.min_visibility) {
        let message = format!("min-visibility = {} is not a fraction", rules.min_visibility);
        problems.push(Problem::value(at.key("min-visibility"), message).label("between 0 and 1"));
    }
    problems
}

/// A list of steps, `"none"`, or the name of one of `chains`.
fn read_chain(
    node: &Node,
    at: &KeyPath,
    chains: &[Entry],
    p: Probability,
) -> Result<WrittenChain, Vec<Problem>> {
    let Content::String(name) = &node.content else { return read_list(node, at, p) };
    if name == "none" {
        return Ok(WrittenChain { at: at.clone(), chain: Chain::default(), mixing: None });
    }
    if let Some(entry) = chains.iter().find(|entry| entry.key == *name) {
        let at = KeyPath::root().key("augment").key("chains").key(name);
        return read_list(&entry.value, &at, p);
    }
    let mut names: Vec<&str> = vec!["none"];
    names.extend(chains.iter().map(|entry| entry.key.as_str()));
    let problem = Problem::value(at.clone(), format!("there is no chain \"{name}\""));
    Err(vec![match (suggest::nearest(name, &names), kind_of(name)) {
        (Some(near), _) => problem.label(format!("did you mean \"{near}\"?")),
        (None, Some(kind)) => problem
            .label("a transform, not a chain")
            .help(format!("a chain of one transform is a list: [\"{kind}\"]")),
        (None, None) => problem.label("not a chain").help(format!(
            "the chains are {}; further ones are written as [augment.chains] {name} = [ … ]",
            names.join(", ")
        )),
    }])
}

fn read_list(node: &Node, at: &KeyPath, p: Probability) -> Result<WrittenChain, Vec<Problem>> {
    let Content::Array(items) = &node.content else {
        let found = node.content.describe();
        return Err(vec![
            Problem::value(
                at.clone(),
                format!("{at}: expected a list of transforms, found {found}"),
            )
            .label("not a list")
            .help("a chain is a list such as [{ rotate = 30, p = 0.5 }, \"horizontal-flip\"]"),
        ]);
    };
    // What mixes batches ends the chain, and is no transform of single images.
    let (items, mixing) = match items.split_last() {
        Some((last, before)) if mixes(last) => {
            (before, Some(read_mixing(last, &at.index(before.len()), 1.0)))
        }
        _ => (&items[..], None),
    };
    let mut problems = Vec::new();
    let steps = read_steps(items, at, p, &mut problems);
    let mixing = match mixing.transpose() {
        Ok(mixing) => mixing,
        Err(found) => {
            problems.extend(found);
            None
        }
    };
    if problems.is_empty() {
        Ok(WrittenChain { at: at.clone(), chain: Chain { steps }, mixing })
    } else {
        Err(problems)
    }
}

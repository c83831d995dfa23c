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

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::augment::{AnyTransform, BoxRules, Chain, KINDS, Mixing, Reader, Step, kind_of};

use super::path::KeyPath;
use super::problem::Problem;
use super::read::read;
use super::suggest;
use super::tree::{Content, Entry, Node};

/// The table `[augment]`.
#[derive(Clone, Debug)]
pub struct Augment {
    /// For training images.
    pub train: WrittenChain,
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

const COMPOSITIONS: [&str; 3] = ["one-of", "some-of", "sometimes"];
const MIXINGS: [&str; 2] = ["mixup", "cutmix"];
const KEYS: [&str; 5] = ["train", "evaluation", "test-time", "boxes", "chains"];

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
            problems.push(unknown(&at.key(&entry.key), &entry.key, &KEYS));
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
                    .help("leave mixup and cutmix to augment.train"),
            );
        }
        match train {
            _ if !problems.is_empty() => Err(problems),
            Some(train) => Ok(Augment { train, evaluation, test_time, boxes }),
            None => Err(vec![Problem::missing(at.key("train"), "augment.train is missing")]),
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
        let message = format!("min-visibility = {} is not a part", rules.min_visibility);
        problems.push(Problem::value(at.key("min-visibility"), message).label("between 0 and 1"));
    }
    problems
}

fn unknown(at: &KeyPath, key: &str, known: &[&str]) -> Problem {
    let problem = Problem::key(at.clone(), format!("unknown key \"{key}\""));
    let problem = match suggest::nearest(key, known) {
        Some(near) => problem.label(format!("did you mean \"{near}\"?")),
        None => problem.label("unknown"),
    };
    problem.help(format!("the keys here are {}", known.join(", ")))
}

/// What `p` is where it is not written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Probability {
    /// The default of each kind: Albumentations'.
    Usual,
    /// 1: views for evaluation are not left to chance.
    Sure,
}

impl Probability {
    fn or(self, usual: f64) -> f64 {
        if self == Probability::Sure { 1.0 } else { usual }
    }
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

fn read_steps(
    items: &[Node],
    at: &KeyPath,
    p: Probability,
    problems: &mut Vec<Problem>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match read_step(item, &at.index(index), p) {
            Ok(step) => steps.push(step),
            Err(found) => problems.extend(found),
        }
    }
    steps
}

/// The keys that the element at `node` has, or its name; what decides its kind comes first.
fn keys(node: &Node) -> Vec<&str> {
    match &node.content {
        Content::String(name) => vec![name],
        Content::Table(entries) => entries.iter().map(|entry| entry.key.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// Whether an element mixes batches.
fn mixes(node: &Node) -> bool {
    let Some(first) = keys(node).into_iter().find(|key| *key != "p") else { return false };
    let inner = |node: &Node| match &node.content {
        Content::Array(items) => items.iter().any(mixes),
        _ => false,
    };
    MIXINGS.contains(&first) || (first == "one-of" && node.get("one-of").is_some_and(inner))
}

fn read_step(node: &Node, at: &KeyPath, p: Probability) -> Result<Step, Vec<Problem>> {
    let kind = keys(node)
        .into_iter()
        .find(|key| kind_of(key).is_some() || COMPOSITIONS.contains(key) || MIXINGS.contains(key));
    let Some(kind) = kind else { return Err(vec![no_kind(node, at)]) };
    if MIXINGS.contains(&kind) {
        let problem = Problem::value(at.clone(), format!("\"{kind}\" mixes whole batches"))
            .label("not the last of the chain")
            .help("mixup, cutmix or a one-of of both stands at the end of a chain");
        return Err(vec![problem]);
    }
    if COMPOSITIONS.contains(&kind) {
        return read_composition(node, at, kind, p);
    }
    read_transform(node, at, kind, p)
}

/// Reads parameters with serde, from the table without `p`.
struct Parameters<'a> {
    node: &'a Node,
    at: &'a KeyPath,
}

impl Reader for Parameters<'_> {
    type Error = Problem;

    fn read<T: DeserializeOwned>(self) -> Result<T, Problem> {
        read(self.node, self.at)
    }
}

fn read_transform(
    node: &Node,
    at: &KeyPath,
    kind: &str,
    usual: Probability,
) -> Result<Step, Vec<Problem>> {
    let is_name = matches!(node.content, Content::String(_));
    let entries = match &node.content {
        Content::Table(entries) => entries.clone(),
        _ => {
            let value = Node { content: Content::Boolean(true), place: node.place.clone() };
            vec![Entry { key: kind.to_owned(), key_place: node.place.clone(), value }]
        }
    };
    let (p, parameters): (Vec<Entry>, Vec<Entry>) =
        entries.into_iter().partition(|entry| entry.key == "p");
    let table = Node { content: Content::Table(parameters), place: node.place.clone() };
    let read = AnyTransform::read(kind, Parameters { node: &table, at });
    let transform = read.unwrap_or_else(|| Err(no_kind(node, at))).map_err(|problem| {
        vec![if is_name {
            Problem::value(at.clone(), format!("the transform \"{kind}\" needs its argument"))
                .label("alone here")
                .help(format!("write {{ {kind} = … }}: see \"{kind}\" in the reference"))
        } else {
            problem.also_allowed("p")
        }]
    });
    let p = p.first().map(|entry| read_p(&entry.value, &at.key("p")));
    match (transform, p.transpose()) {
        (Ok(transform), Ok(p)) => {
            let p = p.unwrap_or(usual.or(transform.default_p()));
            Ok(Step::Transform { transform, p })
        }
        (Err(problems), Ok(_)) => Err(problems),
        (Ok(_), Err(problem)) => Err(vec![problem]),
        (Err(mut problems), Err(problem)) => {
            problems.push(problem);
            Err(problems)
        }
    }
}

fn read_p(node: &Node, at: &KeyPath) -> Result<f64, Problem> {
    let p = read::<f64>(node, at)?;
    if (0.0..=1.0).contains(&p) {
        return Ok(p);
    }
    let problem = Problem::value(at.clone(), format!("p = {p} is not a probability"));
    Err(problem.label("between 0 and 1"))
}

/// The settings beside the steps of a composition.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Settings {
    /// How many of `some-of`: a number, or the least and the greatest.
    n: Option<Count>,
    /// Whether one can be chosen twice.
    replace: Option<bool>,
}

#[derive(Deserialize)]
#[serde(from = "crate::augment::Range")]
struct Count([f64; 2]);

impl From<crate::augment::Range> for Count {
    fn from(range: crate::augment::Range) -> Count {
        Count([range.low, range.high])
    }
}

fn read_composition(
    node: &Node,
    at: &KeyPath,
    kind: &str,
    usual: Probability,
) -> Result<Step, Vec<Problem>> {
    let list = node.get(kind);
    let Some(Content::Array(items)) = list.map(|list| &list.content) else {
        let message = format!("\"{kind}\" needs a list of transforms");
        return Err(vec![
            Problem::value(at.clone(), message)
                .label("no list here")
                .help(format!("{{ {kind} = [\"horizontal-flip\", {{ rotate = 30 }}], p = 0.5 }}")),
        ]);
    };
    let mut problems = Vec::new();
    let inside = at.key(kind);
    let steps = read_steps(items, &inside, Probability::Usual, &mut problems);
    if items.is_empty() {
        problems.push(Problem::value(inside.clone(), format!("{kind} of nothing")).label("empty"));
    }
    // Albumentations' probabilities: Sequential and OneOf 0.5, SomeOf 1.
    let p = match node.get("p").map(|node| read_p(node, &at.key("p"))) {
        None => usual.or(if kind == "some-of" { 1.0 } else { 0.5 }),
        Some(Ok(p)) => p,
        Some(Err(problem)) => {
            problems.push(problem);
            0.0
        }
    };
    let rest: Vec<Entry> = match &node.content {
        Content::Table(entries) => {
            entries.iter().filter(|entry| entry.key != "p" && entry.key != kind).cloned().collect()
        }
        _ => Vec::new(),
    };
    if kind != "some-of"
        && let Some(entry) = rest.first()
    {
        problems.push(unknown(&at.key(&entry.key), &entry.key, &[kind, "p"]));
    }
    if kind == "one-of" && !steps.is_empty() && steps.iter().all(|step| step.p() == 0.0) {
        let problem = Problem::value(inside, "every p is 0: there is nothing to choose");
        problems.push(problem.label("inside of one-of, p is a weight"));
        return Err(problems);
    }
    let step = match kind {
        "one-of" => Step::OneOf { one_of: steps, p },
        "sometimes" => Step::Sometimes { sometimes: steps, p },
        _ => {
            let rest = Node { content: Content::Table(rest), place: node.place.clone() };
            let settings =
                read::<Settings>(&rest, at).map_err(|problem| problem.also_allowed("some-of, p"));
            match settings.and_then(|settings| some_of(steps, settings, p, at)) {
                Ok(step) => step,
                Err(problem) => {
                    problems.push(problem);
                    return Err(problems);
                }
            }
        }
    };
    if problems.is_empty() { Ok(step) } else { Err(problems) }
}

fn some_of(steps: Vec<Step>, settings: Settings, p: f64, at: &KeyPath) -> Result<Step, Problem> {
    let Some(Count([least, most])) = settings.n else {
        let problem = Problem::value(at.clone(), "some-of needs n: how many of them");
        return Err(problem.label("no n").help("n = 2, or n = [1, 3]"));
    };
    let replace = settings.replace.unwrap_or(false);
    let limit = if replace { 1000 } else { steps.len() };
    let whole = |n: f64| n.fract() == 0.0 && (0.0..=limit as f64).contains(&n);
    if !whole(least) || !whole(most) || least > most {
        let found = if least == most { format!("{least}") } else { format!("[{least}, {most}]") };
        let message = format!("n = {found} of {} transforms", steps.len());
        let label = format!("whole numbers from 0 to {limit}, the smaller one first");
        return Err(Problem::value(at.key("n"), message).label(label));
    }
    Ok(Step::SomeOf { some_of: steps, n: [least as usize, most as usize], replace, p })
}

fn read_mixing(node: &Node, at: &KeyPath, default_p: f64) -> Result<Mixing, Vec<Problem>> {
    let first = keys(node).into_iter().find(|key| *key != "p").unwrap_or_default();
    let p = node.get("p").map_or(Ok(default_p), |node| read_p(node, &at.key("p")));
    let p = p.map_err(|problem| vec![problem])?;
    if let Content::Table(entries) = &node.content
        && let Some(entry) = entries.iter().find(|entry| entry.key != "p" && entry.key != first)
    {
        return Err(vec![unknown(&at.key(&entry.key), &entry.key, &[first, "p"])]);
    }
    if first == "one-of" {
        let at = at.key("one-of");
        let Some(Content::Array(items)) = node.get("one-of").map(|node| &node.content) else {
            return Err(vec![Problem::value(at, "one-of needs a list").label("no list here")]);
        };
        let mut one_of = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let at = at.index(index);
            if !mixes(item) {
                let message = "transforms of images and of batches in one one-of";
                return Err(vec![
                    Problem::value(at, message)
                        .label("changes single images")
                        .help("mixup and cutmix can only be alternatives to each other"),
                ]);
            }
            one_of.push(read_mixing(item, &at, 1.0)?);
        }
        if one_of.iter().all(|mixing| mixing.p() == 0.0) {
            let problem = Problem::value(at, "every p is 0: there is nothing to choose");
            return Err(vec![problem.label("inside of one-of, p is a weight")]);
        }
        return Ok(Mixing::OneOf { one_of, p });
    }
    let at = at.key(first);
    let Some(alpha) = node.get(first) else {
        let above = at.split_last().map_or(KeyPath::root(), |(_, above)| above);
        let message = format!("\"{first}\" needs its argument");
        return Err(vec![
            Problem::value(above, message)
                .label("alone here")
                .help(format!("{{ {first} = 0.2 }} draws the mixture from Beta(0.2, 0.2)")),
        ]);
    };
    let alpha = read::<f64>(alpha, &at).map_err(|problem| vec![problem])?;
    if !(alpha > 0.0 && alpha <= 1000.0) {
        let problem = Problem::value(at, format!("{first} = {alpha}: α of Beta(α, α) is positive"));
        return Err(vec![problem.label("between 0 (not included) and 1000")]);
    }
    Ok(match first {
        "mixup" => Mixing::Mixup { mixup: alpha, p },
        _ => Mixing::Cutmix { cutmix: alpha, p },
    })
}

fn no_kind(node: &Node, at: &KeyPath) -> Problem {
    let all: Vec<&str> = KINDS.iter().copied().chain(COMPOSITIONS).chain(MIXINGS).collect();
    let help = format!("the transforms are {}", all.join(", "));
    let written = keys(node).into_iter().find(|key| *key != "p");
    let Some(written) = written else {
        let found = node.content.describe();
        let problem = Problem::value(at.clone(), format!("{found} is not a transform"));
        return problem.label("not a transform").help(help);
    };
    if ["normalise", "normalize"].contains(&written) {
        let problem = Problem::value(at.clone(), "images are normalised behind every chain");
        return problem
            .label("not a transform")
            .help("data.normalise = \"dataset\", or { mean = […], std = […] }");
    }
    let message = format!("there is no transform \"{written}\"");
    let problem = match &node.content {
        Content::Table(_) => Problem::key(at.key(written), message),
        _ => Problem::value(at.clone(), message),
    };
    match suggest::nearest(written, &all) {
        Some(near) => problem.label(format!("did you mean \"{near}\"?")),
        None => problem.label("unknown").help(help),
    }
}

//! The elements of a chain: a transform with its parameters, or a composition of others.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::augment::{AnyTransform, KINDS, Range, Reader, Step, kind_of};

use super::element::{keys, read_p};
use super::mixing::MIXINGS;
use crate::document::suggest;
use crate::document::{Content, Entry, KeyPath, Node, Problem, read};

const COMPOSITIONS: [&str; 3] = ["one-of", "some-of", "sometimes"];

/// What `p` is where it is not written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Probability {
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

pub(super) fn read_steps(
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

fn read_step(node: &Node, at: &KeyPath, p: Probability) -> Result<Step, Vec<Problem>> {
    let kind = keys(node)
        .into_iter()
        .find(|key| kind_of(key).is_some() || COMPOSITIONS.contains(key) || MIXINGS.contains(key));
    let Some(kind) = kind else { return Err(vec![no_kind(node, at)]) };
    if MIXINGS.contains(&kind) {
        let problem = Problem::value(at.clone(), format!("\"{kind}\" mixes whole batches"))
            .label("not the last of the chain")
            .help("put mixup, cutmix or a one-of of both at the end of the chain");
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
#[serde(from = "Range")]
struct Count([f64; 2]);

impl From<Range> for Count {
    fn from(range: Range) -> Count {
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
        problems.push(Problem::unknown_key(at.key(&entry.key), &entry.key, &[kind, "p"]));
    }
    if kind == "one-of" && !steps.is_empty() && steps.iter().all(|step| step.p() == 0.0) {
        let problem = Problem::value(inside, "every p is 0: there is nothing to choose");
        problems.push(problem.label("in one-of, p is a weight"));
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
        let problem =
            Problem::value(at.clone(), "some-of needs n, the number of its transforms to apply");
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
        let problem = Problem::value(at.clone(), "images are normalised after every chain");
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

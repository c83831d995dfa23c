//! `[sweep]`: which settings are varied.
//!
//! ```toml
//! [sweep]
//! seeds = 5                                     # or [1, 2, 3]
//! exclude = [{ "model.defaults.norm" = "none", "train.optimizer.sgd.lr" = 0.1 }]
//! [sweep.grid]                                  # every combination
//! "model.defaults.norm" = ["none", "batch"]
//! [sweep.zip]                                   # side by side
//! "data.image.size" = [[32, 32], [64, 64]]
//! "data.batch-size" = [256, 64]
//! [[sweep.list]]                                # named variants
//! name = "wide"
//! "model.layers.conv1.conv" = 64
//! ```
//!
//! Values stay as written, with their places: the plan puts them into the experiment's tree.

pub mod prune;

use self::prune::Prune;
use super::path::KeyPath;
use super::problem::Problem;
use super::read::read;
use super::suggest;
use super::tree::{Content, Entry, Node};

/// The table `[sweep]`.
#[derive(Clone, Debug, Default)]
pub struct Sweep {
    /// Seeds, one trial each; empty: the experiment's own.
    pub seeds: Seeds,
    /// Folds of a cross-validation, one trial each.
    pub folds: Option<usize>,
    /// Axes that are combined with each other.
    pub grid: Vec<Axis>,
    /// Axes that move together.
    pub zip: Vec<Axis>,
    /// Named variants.
    pub list: Vec<Variant>,
    /// Combinations that are left out.
    pub exclude: Vec<Exclusion>,
    /// Which trials are stopped before their last epoch.
    pub prune: Option<Prune>,
}

/// Which seeds are run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Seeds {
    /// The experiment's `seed` alone.
    #[default]
    Own,
    /// So many, counting up from the experiment's `seed`.
    Count(usize),
    /// These.
    List(Vec<u64>),
}

/// A setting and the values it takes.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The dotted path as written, which is also the name of its column.
    pub path: String,
    /// Where the axis stands.
    pub at: KeyPath,
    /// The values in order.
    pub values: Vec<Node>,
}

/// A named set of settings.
#[derive(Clone, Debug)]
pub struct Variant {
    /// The name, the value of the column `variant`.
    pub name: String,
    /// Where it stands.
    pub at: KeyPath,
    /// Dotted paths and values.
    pub settings: Vec<(String, Node)>,
}

/// A combination that is left out.
#[derive(Clone, Debug)]
pub struct Exclusion {
    /// Where it stands.
    pub at: KeyPath,
    /// Dotted paths (or `variant`) and values that all have to match.
    pub settings: Vec<(String, Node)>,
}

impl Sweep {
    /// Reads the table at `node`, which stands at `sweep`.
    pub fn read(node: &Node) -> Result<Sweep, Vec<Problem>> {
        const KEYS: [&str; 7] = ["seeds", "folds", "grid", "zip", "list", "exclude", "prune"];
        let at = KeyPath::root().key("sweep");
        let mut sweep = Sweep::default();
        let mut problems = Vec::new();
        let Some(entries) = table(node) else {
            return Err(vec![Problem::value(at, "[sweep] is a table").label("not a table")]);
        };
        for Entry { key, value, .. } in entries {
            let at = at.key(key);
            match key.as_str() {
                "seeds" => match seeds(value, &at) {
                    Ok(seeds) => sweep.seeds = seeds,
                    Err(problem) => problems.push(problem),
                },
                "folds" => match read::<usize>(value, &at) {
                    Ok(folds) if folds >= 2 => sweep.folds = Some(folds),
                    Ok(folds) => problems.push(
                        Problem::value(at, format!("{folds} folds leave nothing to validate on"))
                            .label("at least 2"),
                    ),
                    Err(problem) => problems.push(problem),
                },
                "grid" => sweep.grid = axes(value, &at, &mut problems),
                "zip" => sweep.zip = axes(value, &at, &mut problems),
                "list" => sweep.list = variants(value, &at, &mut problems),
                "prune" => match Prune::read(value, &at) {
                    Ok(prune) => sweep.prune = Some(prune),
                    Err(found) => problems.extend(found),
                },
                "exclude" => sweep.exclude = exclusions(value, &at, &mut problems),
                other => {
                    let problem = Problem::key(at, format!("unknown key \"{other}\" in [sweep]"));
                    let problem = match suggest::nearest(other, &KEYS) {
                        Some(near) => problem.label(format!("did you mean \"{near}\"?")),
                        None => problem.label("not a key of [sweep]"),
                    };
                    problems.push(problem.help(format!("the keys are {}", KEYS.join(", "))));
                }
            }
        }
        if let [first, others @ ..] = &sweep.zip[..] {
            for other in others.iter().filter(|other| other.values.len() != first.values.len()) {
                let (ours, theirs) = (other.values.len(), first.values.len());
                problems.push(
                    Problem::value(other.at.clone(), "zipped axes have the same number of values")
                        .label(format!("{ours} values, but \"{}\" has {theirs}", first.path)),
                );
            }
        }
        if problems.is_empty() { Ok(sweep) } else { Err(problems) }
    }
}

fn table(node: &Node) -> Option<&[Entry]> {
    match &node.content {
        Content::Table(entries) => Some(entries),
        _ => None,
    }
}

fn seeds(node: &Node, at: &KeyPath) -> Result<Seeds, Problem> {
    if matches!(node.content, Content::Array(_)) {
        let seeds: Vec<u64> = read(node, at)?;
        let mut sorted = seeds.clone();
        sorted.sort_unstable();
        sorted.dedup();
        return if seeds.is_empty() || sorted.len() < seeds.len() {
            Err(Problem::value(at.clone(), "a list of seeds names each of at least one seed once")
                .label(if seeds.is_empty() { "empty" } else { "some seed stands twice" }))
        } else {
            Ok(Seeds::List(seeds))
        };
    }
    match read::<usize>(node, at)? {
        0 => Err(Problem::value(at.clone(), "0 seeds leave no trials").label("at least 1")),
        count => Ok(Seeds::Count(count)),
    }
}

fn axes(node: &Node, at: &KeyPath, problems: &mut Vec<Problem>) -> Vec<Axis> {
    let Some(entries) = table(node) else {
        problems.push(
            Problem::value(at.clone(), format!("{at} is a table of paths and lists of values"))
                .label("not a table")
                .help("for instance \"model.defaults.dropout\" = [0.0, 0.5]"),
        );
        return Vec::new();
    };
    let mut axes = Vec::new();
    flatten(entries, at, "", &mut axes, problems);
    axes
}

/// Unquoted dotted keys (`model.defaults.norm = […]`) arrive as nested tables: both ways of writing
/// mean the same path.
fn flatten(
    entries: &[Entry],
    at: &KeyPath,
    prefix: &str,
    axes: &mut Vec<Axis>,
    problems: &mut Vec<Problem>,
) {
    for Entry { key, value, .. } in entries {
        let (path, at) = (format!("{prefix}{key}"), at.key(key));
        match &value.content {
            Content::Table(inner) => flatten(inner, &at, &format!("{path}."), axes, problems),
            Content::Array(values) if values.is_empty() => problems.push(
                Problem::value(at, format!("the axis \"{path}\" has no values"))
                    .label("empty")
                    .help("an axis lists the values that its setting takes; leave it out to keep the setting"),
            ),
            Content::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    if values[..index].iter().any(|earlier| earlier.content == value.content) {
                        problems.push(
                            Problem::value(at.index(index), format!("\"{path}\" takes this value twice"))
                                .label("already in the list"),
                        );
                    }
                }
                axes.push(Axis { path, at, values: values.clone() });
            }
            _ => problems.push(
                Problem::value(at, format!("the axis \"{path}\" is not a list of values"))
                    .label("put it in [ ]"),
            ),
        }
    }
}

fn settings(entries: &[Entry], prefix: &str, into: &mut Vec<(String, Node)>) {
    for Entry { key, value, .. } in entries {
        into.push((format!("{prefix}{key}"), value.clone()));
    }
}

fn variants(node: &Node, at: &KeyPath, problems: &mut Vec<Problem>) -> Vec<Variant> {
    let Content::Array(items) = &node.content else {
        problems.push(
            Problem::value(at.clone(), "sweep.list is a list of named variants")
                .label("not a list")
                .help("write [[sweep.list]] with a name and the settings of the variant"),
        );
        return Vec::new();
    };
    let mut variants: Vec<Variant> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let at = at.index(index);
        let name = item.get("name").map(|name| read::<String>(name, &at.key("name")));
        let (Some(entries), Some(name)) = (table(item), name) else {
            problems.push(
                Problem::value(at, "a variant is a table with a name")
                    .label("no name")
                    .help("for instance { name = \"wide\", \"model.layers.conv1.conv\" = 64 }"),
            );
            continue;
        };
        match name {
            Ok(name) if variants.iter().any(|variant| variant.name == name) => problems.push(
                Problem::value(at.key("name"), format!("two variants are named \"{name}\""))
                    .label("the second one"),
            ),
            Ok(name) => {
                let mut all = Vec::new();
                settings(entries, "", &mut all);
                all.retain(|(path, _)| path != "name");
                variants.push(Variant { name, at, settings: all });
            }
            Err(problem) => problems.push(problem),
        }
    }
    if items.is_empty() {
        problems.push(Problem::value(at.clone(), "sweep.list has no variants").label("empty"));
    }
    variants
}

fn exclusions(node: &Node, at: &KeyPath, problems: &mut Vec<Problem>) -> Vec<Exclusion> {
    let Content::Array(items) = &node.content else {
        problems.push(
            Problem::value(at.clone(), "sweep.exclude is a list of combinations")
                .label("not a list")
                .help("for instance [{ \"model.defaults.norm\" = \"batch\", \"model.defaults.dropout\" = 0.5 }]"),
        );
        return Vec::new();
    };
    let mut exclusions = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let at = at.index(index);
        match table(item) {
            Some(entries) if !entries.is_empty() => {
                let mut all = Vec::new();
                settings(entries, "", &mut all);
                exclusions.push(Exclusion { at, settings: all });
            }
            _ => problems.push(
                Problem::value(at, "a combination is a table of paths and values")
                    .label("nothing to match"),
            ),
        }
    }
    exclusions
}

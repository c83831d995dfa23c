//! `[sweep]`: which settings are varied.
//!
//! ```toml
//! [sweep]
//! seeds = 5                                     # or [1, 2, 3]
//! exclude = [{ "model.defaults.norm" = "none", "train.optimizer.sgd.lr" = 0.1 }]
//! prune = "asha"
//! [sweep.grid]                                  # every combination
//! "train.optimizer" = [{ sgd = { lr = 0.1 } }, { adam = { lr = 1e-3 } }]
//! "train.optimizer.sgd.momentum" = { values = [0.0, 0.9], when = { "train.optimizer" = "sgd" } }
//! [sweep.zip]                                   # side by side
//! "data.image.size" = [[32, 32], [64, 64]]
//! "data.batch-size" = [256, 64]
//! [sweep.random]                                # drawn
//! samples = 20
//! "model.defaults.dropout" = { uniform = [0.0, 0.5] }
//! [[sweep.list]]                                # named variants
//! name = "wide"
//! "model.layers.conv1.conv" = 64
//! ```
//!
//! Instead of these, `[sweep.search]` suggests settings by what the trials before came to.
//!
//! Values stay as written, with their places: the plan puts them into the experiment's tree.

pub mod axes;
pub mod condition;
pub mod distribution;
pub mod exclusion;
pub mod prune;
pub mod random;
pub mod search;
pub mod variant;

use schemars::JsonSchema;

use self::axes::Axis;
use self::exclusion::Exclusion;
use self::prune::Prune;
use self::random::Random;
use self::search::Search;
use self::variant::Variant;
use crate::basis::written::written;
use crate::document::{Content, Entry, KeyPath, Node, Problem, read};

/// The table `[sweep]`.
#[derive(Clone, Debug, Default, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sweep {
    /// Seeds, one trial each; if not given, the experiment's own.
    pub seeds: Seeds,
    /// Folds of a cross-validation, one trial each.
    #[schemars(range(min = 2))]
    pub folds: Option<usize>,
    /// Axes that are combined with each other.
    #[schemars(schema_with = "axes::grid")]
    pub grid: Vec<Axis>,
    /// Axes that move together.
    #[schemars(schema_with = "axes::zip")]
    pub zip: Vec<Axis>,
    /// Named variants.
    #[schemars(length(min = 1))]
    pub list: Vec<Variant>,
    /// Axes whose values are drawn.
    pub random: Option<Random>,
    /// Axes whose values are suggested, instead of all the above but seeds and folds.
    pub search: Option<Search>,
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

written!(Seeds, "Seeds", {
    "anyOf": [
        { "type": "integer", "minimum": 1, "description": "So many, counting up from `seed`." },
        {
            "type": "array",
            "items": { "type": "integer", "minimum": 0 },
            "minItems": 1,
            "uniqueItems": true,
            "description": "These.",
        },
    ],
});

impl Sweep {
    /// Reads the table at `node`, which stands at `sweep`.
    pub fn read(node: &Node) -> Result<Sweep, Vec<Problem>> {
        const KEYS: [&str; 9] =
            ["seeds", "folds", "grid", "zip", "list", "random", "search", "exclude", "prune"];
        let at = KeyPath::root().key("sweep");
        let mut sweep = Sweep::default();
        let mut problems = Vec::new();
        let Some(entries) = node.entries() else {
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
                        Problem::value(at, format!("{folds} folds leave no validation images"))
                            .label("at least 2"),
                    ),
                    Err(problem) => problems.push(problem),
                },
                "grid" => sweep.grid = axes::read(value, &at, true, &mut problems),
                "zip" => sweep.zip = axes::read(value, &at, false, &mut problems),
                "list" => sweep.list = variant::read_list(value, &at, &mut problems),
                "random" => sweep.random = Random::read(value, &at, &mut problems),
                "search" => sweep.search = Search::read(value, &at, &mut problems),
                "exclude" => sweep.exclude = exclusion::read_list(value, &at, &mut problems),
                "prune" => match Prune::read(value, &at) {
                    Ok(prune) => sweep.prune = Some(prune),
                    Err(found) => problems.extend(found),
                },
                other => {
                    let problem = Problem::key(at, format!("unknown key \"{other}\" in [sweep]"));
                    let problem = problem.did_you_mean(other, &KEYS, "not a key of [sweep]");
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
        if node.get("search").is_some() {
            const OTHERS: [&str; 5] = ["grid", "zip", "list", "random", "exclude"];
            // An empty table is one that a layer above has emptied.
            let is_filled = |key: &&str| {
                node.get(key).is_some_and(|node| match &node.content {
                    Content::Table(entries) => !entries.is_empty(),
                    _ => true,
                })
            };
            for key in OTHERS.into_iter().filter(is_filled) {
                problems.push(
                    Problem::key(at.key(key), format!("{key} cannot be combined with [sweep.search]"))
                        .label("a search suggests all settings itself")
                        .help("settings are axes of the search: \"model.defaults.norm\" = { choice = [\"none\", \"batch\"] }"),
                );
            }
        }
        if problems.is_empty() { Ok(sweep) } else { Err(problems) }
    }
}

/// Whether a table below `[sweep]` is an axis, which a higher layer replaces as a whole.
pub(super) fn is_axis(node: &Node) -> bool {
    node.get("values").is_some() || distribution::KINDS.iter().any(|kind| node.get(kind).is_some())
}

fn seeds(node: &Node, at: &KeyPath) -> Result<Seeds, Problem> {
    if matches!(node.content, Content::Array(_)) {
        let seeds: Vec<u64> = read(node, at)?;
        let mut sorted = seeds.clone();
        sorted.sort_unstable();
        sorted.dedup();
        return if seeds.is_empty() || sorted.len() < seeds.len() {
            Err(Problem::value(at.clone(), "a list of seeds needs at least one seed, each once")
                .label(if seeds.is_empty() { "empty" } else { "a seed is listed twice" }))
        } else {
            Ok(Seeds::List(seeds))
        };
    }
    match read::<usize>(node, at)? {
        0 => Err(Problem::value(at.clone(), "0 seeds leave no trials").label("at least 1")),
        count => Ok(Seeds::Count(count)),
    }
}

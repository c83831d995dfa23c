//! `sweep.prune`: which trials are stopped before their last epoch.
//!
//! ```toml
//! [sweep]
//! prune = "asha"
//! prune = { median = { warmup = 5 }, metric = "val_loss" }
//! prune = { paired = { rungs = [2, 5], confidence = 0.95 } }
//! ```

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;

use crate::basis::record::Metric;
use crate::config::written::or_default;
use crate::document::{Content, KeyPath, Node, Problem, read};

/// The value of `prune`.
#[derive(Clone, Debug)]
pub struct Prune {
    /// Where it stands.
    pub at: KeyPath,
    /// Which trials are stopped.
    pub rule: Rule,
    /// By which metric trials are compared; if not given, by the one that chooses their best epoch.
    pub metric: Option<Metric>,
}

/// Which trials are stopped. A *rung* is an epoch at which trials are compared.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Those that are worse than the median of the trials before them.
    #[serde(deserialize_with = "or_default")]
    #[schemars(with = "Option<Median>")]
    Median(Median),
    /// All but the best part of the trials at each rung (Jamieson and Talwalkar, 2016).
    #[serde(deserialize_with = "or_default")]
    #[schemars(with = "Option<Halving>")]
    SuccessiveHalving(Halving),
    /// Those that are not among the best part of the trials before them (Li et al., "A system for
    /// massively parallel hyperparameter tuning", 2020).
    #[serde(deserialize_with = "or_default")]
    #[schemars(with = "Option<Halving>")]
    Asha(Halving),
    /// Brackets of successive halving that begin later and later (Li et al., 2018).
    #[serde(deserialize_with = "or_default")]
    #[schemars(with = "Option<Halving>")]
    Hyperband(Halving),
    /// Settings that are worse than the best one beyond doubt, by differences between trials that
    /// share seed and fold.
    #[serde(deserialize_with = "or_default")]
    #[schemars(with = "Option<Paired>")]
    Paired(Paired),
}

/// The median rule's numbers.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Median {
    /// The first trials, which are never stopped; 5 if not given.
    pub warmup: usize,
    /// The first rung; 1 if not given.
    pub after: usize,
    /// Epochs from one rung to the next; 1 if not given.
    pub every: usize,
}

/// The numbers of successive halving, ASHA and Hyperband.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Halving {
    /// The first rung; 1 if not given.
    pub first: usize,
    /// From one rung to the next, and one over the part of the trials that goes on; 3 if not given.
    pub factor: usize,
}

/// The paired rule's numbers.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Paired {
    /// Epochs at which settings are compared; 2 and 5 if not given.
    pub rungs: Vec<usize>,
    /// Probability with which the interval covers the mean difference; 0.95 if not given.
    pub confidence: f64,
}

impl JsonSchema for Prune {
    fn schema_name() -> Cow<'static, str> {
        "Prune".into()
    }

    /// A rule, and perhaps a metric beside it.
    fn json_schema(types: &mut SchemaGenerator) -> Schema {
        let metric = types.subschema_for::<Metric>();
        let mut schema = Rule::json_schema(types);
        let forms = schema.get_mut("oneOf").and_then(|forms| forms.as_array_mut());
        for form in forms.into_iter().flatten() {
            if let Some(keys) = form.get_mut("properties").and_then(|keys| keys.as_object_mut()) {
                keys.insert("metric".to_owned(), metric.clone().into());
            }
        }
        schema
    }
}

impl Default for Median {
    fn default() -> Self {
        Median { warmup: 5, after: 1, every: 1 }
    }
}

impl Default for Halving {
    fn default() -> Self {
        Halving { first: 1, factor: 3 }
    }
}

impl Default for Paired {
    fn default() -> Self {
        Paired { rungs: vec![2, 5], confidence: 0.95 }
    }
}

/// The rules by their names in the file.
const RULES: [&str; 5] = ["median", "successive-halving", "asha", "hyperband", "paired"];

impl Prune {
    /// Reads the value at `node`, which stands at `at`.
    pub(super) fn read(node: &Node, at: &KeyPath) -> Result<Prune, Vec<Problem>> {
        let mut choice = node.clone();
        let mut metric = None;
        if let Content::Table(entries) = &mut choice.content {
            let known = [&RULES[..], &["metric"]].concat();
            let stranger = entries.iter().find(|entry| !known.contains(&entry.key.as_str()));
            if let Some(stranger) = stranger {
                let problem = Problem::key(
                    at.key(&stranger.key),
                    format!("there is no rule \"{}\"", stranger.key),
                );
                let problem = problem.did_you_mean(&stranger.key, &known, "not a rule");
                return Err(vec![problem.help(help())]);
            }
            entries.retain(|entry| entry.key != "metric");
            if entries.is_empty() {
                let problem = Problem::value(at.clone(), "prune needs a rule").label("no rule");
                return Err(vec![problem.help(help())]);
            }
            if let Some(written) = node.get("metric") {
                metric = Some(read(written, &at.key("metric"))?);
            }
        }
        let rule = read(&choice, at)?;
        let prune = Prune { at: at.clone(), rule, metric };
        let problems = prune.problems();
        if problems.is_empty() { Ok(prune) } else { Err(problems) }
    }

    /// What is wrong with its numbers.
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut that = |sound: bool, at: KeyPath, message: String, label: &str| {
            if !sound {
                problems.push(Problem::value(at, message).label(label));
            }
        };
        match &self.rule {
            Rule::Median(Median { after, every, .. }) => {
                let at = self.at.key("median");
                that(
                    *after >= 1,
                    at.key("after"),
                    "epochs are counted from 1".to_owned(),
                    "at least 1",
                );
                let message = "rungs are at least one epoch apart".to_owned();
                that(*every >= 1, at.key("every"), message, "at least 1");
            }
            Rule::SuccessiveHalving(halving) | Rule::Asha(halving) | Rule::Hyperband(halving) => {
                let at = self.at.key(self.rule.name());
                let Halving { first, factor } = halving;
                that(
                    *first >= 1,
                    at.key("first"),
                    "epochs are counted from 1".to_owned(),
                    "at least 1",
                );
                let message = format!("a factor of {factor} stops no trial");
                that(*factor >= 2, at.key("factor"), message, "at least 2");
            }
            Rule::Paired(Paired { rungs, confidence }) => {
                let at = self.at.key("paired");
                let rises = rungs.windows(2).all(|pair| pair[0] < pair[1]);
                let message = "rungs must be rising epochs from 1 on, at least one";
                let sound = rises && rungs.first().is_some_and(|first| *first >= 1);
                that(sound, at.key("rungs"), message.to_owned(), "for instance [2, 5]");
                let message = format!("a confidence of {confidence} is not between 0 and 1");
                let sound = 0.0 < *confidence && *confidence < 1.0;
                that(sound, at.key("confidence"), message, "for instance 0.95");
            }
        }
        problems
    }
}

fn help() -> String {
    format!("the rules are {}; each may have a metric", RULES.join(", "))
}

impl Rule {
    /// The name in the file.
    pub fn name(&self) -> &'static str {
        match self {
            Rule::Median(_) => RULES[0],
            Rule::SuccessiveHalving(_) => RULES[1],
            Rule::Asha(_) => RULES[2],
            Rule::Hyperband(_) => RULES[3],
            Rule::Paired(_) => RULES[4],
        }
    }
}

//! Factors: what was varied. Columns that move together (`zip`) are one factor.

use std::collections::BTreeMap;

use crate::basis::naming::{names, short};

use super::tables::Trial;

/// How the levels of a factor came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// They were written down, and combined with the levels of other factors.
    Chosen,
    /// They were drawn or suggested, so that hardly two trials differ in this factor alone.
    Drawn,
}

/// One factor.
#[derive(Clone, Debug)]
pub struct Factor {
    /// What it is called.
    pub name: String,
    /// Its columns among the axes.
    pub columns: Vec<usize>,
    /// How its levels came about.
    pub kind: Kind,
    /// In the order in which they appear in the plan.
    pub levels: Vec<Level>,
    /// For each trial, its level.
    pub of_trial: Vec<usize>,
}

/// One of the values of a factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// What it is called.
    pub name: String,
    /// The value in each of the factor's columns.
    pub values: Vec<String>,
}

impl Factor {
    /// The levels as numbers, if all of them are.
    pub fn numbers(&self) -> Option<Vec<f64>> {
        let number = |level: &Level| match &level.values[..] {
            [value] => value.parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        };
        self.levels.iter().map(number).collect()
    }

    fn of(name: String, columns: Vec<usize>, kind: Kind, trials: &[Trial]) -> Factor {
        let called: Vec<BTreeMap<&str, String>> = columns
            .iter()
            .map(|column| names(trials.iter().map(|trial| trial.values[*column].as_str())))
            .collect();
        let mut known: BTreeMap<Vec<&str>, usize> = BTreeMap::new();
        let mut levels = Vec::new();
        let of_trial = trials
            .iter()
            .map(|trial| {
                let values: Vec<&str> =
                    columns.iter().map(|column| trial.values[*column].as_str()).collect();
                *known.entry(values.clone()).or_insert_with(|| {
                    let name = |(value, names): (&&str, &BTreeMap<&str, String>)| match *value {
                        "" => "–".to_owned(),
                        value => names[value].clone(),
                    };
                    levels.push(Level {
                        name: values.iter().zip(&called).map(name).collect::<Vec<_>>().join(" / "),
                        values: values.iter().map(|value| (*value).to_owned()).collect(),
                    });
                    levels.len() - 1
                })
            })
            .collect();
        Factor { name, columns, kind, levels, of_trial }
    }
}

/// The factors behind the columns `axes`; which of them were drawn, and which move together, is read
/// from the experiment's `[sweep]`.
pub(super) fn factors(axes: &[String], trials: &[Trial], experiment: &toml::Table) -> Vec<Factor> {
    let sweep = experiment.get("sweep").and_then(toml::Value::as_table);
    let is_in = |table: &str, axis: &str| {
        let table = sweep.and_then(|sweep| sweep.get(table)).and_then(toml::Value::as_table);
        table.is_some_and(|table| table.contains_key(axis))
    };
    let mut factors = Vec::new();
    let together: Vec<usize> =
        (0..axes.len()).filter(|column| is_in("zip", &axes[*column])).collect();
    for (column, axis) in axes.iter().enumerate() {
        let is_drawn = is_in("random", axis) || is_in("search", axis);
        let kind = if is_drawn { Kind::Drawn } else { Kind::Chosen };
        if together.contains(&column) {
            if together[0] == column {
                let called: Vec<String> =
                    together.iter().map(|column| short(&axes[*column], axes)).collect();
                factors.push(Factor::of(called.join(" / "), together.clone(), kind, trials));
            }
            continue;
        }
        factors.push(Factor::of(short(axis, axes), vec![column], kind, trials));
    }
    factors
}

//! Conditions of axes, checked before any combination is made.

use crate::config::setting::look_up;
use crate::config::sweep::Sweep;
use crate::config::sweep::condition::Condition;
use crate::config::sweep::distribution::Distribution;
use crate::document::{Node, Problem};

use super::setting::{below, matches, within};
use super::text;

/// An axis, however its values come about.
struct Known<'a> {
    path: &'a str,
    when: &'a [Condition],
    values: Values<'a>,
}

enum Values<'a> {
    Listed(&'a [Node]),
    Drawn(&'a Distribution),
}

/// Conditions that look at an axis behind their own, and those that never hold.
pub(super) fn problems(root: &Node, sweep: &Sweep) -> Vec<Problem> {
    let listed = sweep.grid.iter().chain(&sweep.zip).map(|axis| Known {
        path: &axis.path,
        when: &axis.when,
        values: Values::Listed(&axis.values),
    });
    let drawn = [
        sweep.random.as_ref().map(|random| &random.axes),
        sweep.search.as_ref().map(|search| &search.axes),
    ];
    let drawn = drawn.into_iter().flatten().flatten().map(|axis| Known {
        path: &axis.path,
        when: &axis.when,
        values: Values::Drawn(&axis.values),
    });
    // In the order in which they are set.
    let axes: Vec<Known> = listed.chain(drawn).collect();
    let mut problems = Vec::new();
    for (index, axis) in axes.iter().enumerate() {
        for condition in axis.when {
            let (before, behind) = axes.split_at(index);
            let is_about = |axis: &&Known| below(&condition.path, axis.path).is_some();
            if let Some(later) =
                behind.iter().find(is_about).filter(|_| !before.iter().any(|it| is_about(&it)))
            {
                problems.push(later_axis(condition, axis, later));
                continue;
            }
            let before: Vec<&Known> = before.iter().filter(is_about).collect();
            problems.extend(never(root, sweep, condition, &before));
        }
    }
    problems
}

fn later_axis(condition: &Condition, axis: &Known, later: &Known) -> Problem {
    let path = &condition.path;
    let problem = if later.path == axis.path {
        Problem::key(condition.at.clone(), format!("the axis \"{path}\" is its own condition"))
            .label("this axis")
    } else {
        Problem::key(
            condition.at.clone(),
            format!(
                "a condition of \"{}\" tests \"{}\", which is set later",
                axis.path, later.path
            ),
        )
        .label("set after this axis")
    };
    problem.help("axes are set in this order: list, grid, zip, random, each as in the file; a condition can test \
                  earlier axes and the file")
}

/// A problem for each value that the setting never has.
fn never(root: &Node, sweep: &Sweep, condition: &Condition, before: &[&Known]) -> Vec<Problem> {
    let path = condition.path.as_str();
    // The values that are known, and whether the file's own value is ever left.
    let mut values: Vec<&Node> = Vec::new();
    let names: Vec<&str> = sweep.list.iter().map(|variant| variant.name.as_str()).collect();
    for variant in &sweep.list {
        let own =
            variant.settings.iter().filter_map(|(other, value)| within(value, below(path, other)?));
        values.extend(own);
    }
    for axis in before {
        let rest = below(path, axis.path).unwrap_or_default();
        let listed = match &axis.values {
            Values::Listed(listed) => listed,
            Values::Drawn(Distribution::Choice(listed)) => &listed[..],
            Values::Drawn(_) => continue,
        };
        values.extend(listed.iter().filter_map(|value| within(value, rest)));
    }
    let is_always_set = before.iter().any(|axis| axis.when.is_empty());
    if !is_always_set && path != "variant" {
        values.extend(look_up(root, path));
    }
    let can_be = |wanted: &Node| {
        let is_drawn = before.iter().any(|axis| match &axis.values {
            Values::Drawn(distribution) => axis.path == path && distribution.find(wanted).is_some(),
            Values::Listed(_) => false,
        });
        let is_name = path == "variant" && names.contains(&text(wanted).as_str());
        is_drawn || is_name || values.iter().any(|value| matches(value, wanted))
    };
    let is_drawn = before.iter().any(|axis| matches!(axis.values, Values::Drawn(_)));
    let mut takes: Vec<String> = values.iter().map(|value| text(value)).collect();
    if path == "variant" {
        takes = names.iter().map(|name| name.to_string()).collect();
    }
    let help = match &takes[..] {
        [] if path == "variant" => {
            "there are no variants: define them in [[sweep.list]]".to_owned()
        }
        [] if is_drawn => format!("\"{path}\" is drawn from a range without this value"),
        [] => format!(
            "neither the file nor an axis before this one has \"{path}\"; paths are quoted: \"train.optimizer\""
        ),
        takes => format!("\"{path}\" takes {}", takes.join(", ")),
    };
    let is_list = condition.values.len() > 1;
    let impossible = condition.values.iter().enumerate().filter(|(_, wanted)| !can_be(wanted));
    impossible
        .map(|(index, wanted)| {
            let at = if is_list { condition.at.index(index) } else { condition.at.clone() };
            let message = format!("\"{path}\" is never {}", super::toml_text(wanted));
            Problem::value(at, message).label("never true").help(help.clone())
        })
        .collect()
}

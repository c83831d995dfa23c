//! The numbers of the page for programs: a block of JSON that no browser shows.

use maud::{Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::analysis::cost::Cost;
use crate::analysis::effects::{effects, interactions};
use crate::analysis::importance::{Part, importances};
use crate::analysis::scores;
use crate::analysis::statistics::{ALPHA, Estimate, LEVEL, Paired};
use crate::analysis::{Answers, Factor, Setting, Verdict};

/// The block.
pub(super) fn block(answers: &Answers) -> Markup {
    // The one thing that ends a script is its closing tag, so that no "<" is let in.
    let text = numbers(answers).to_string().replace('<', "\\u003c");
    html! { script type="application/json" id="numbers" { (PreEscaped(text)) } }
}

/// All numbers.
pub(super) fn numbers(answers: &Answers) -> Value {
    let fronts = Cost::EXACT.map(|cost| (cost.name(), cost.front(answers)));
    let settings: Vec<Value> = answers
        .settings
        .iter()
        .enumerate()
        .map(|(rank, setting)| {
            let mut value = of_setting(answers, setting);
            let on = fronts.iter().filter(|(_, front)| front.contains(&rank));
            value["front"] = on.map(|(name, _)| *name).collect();
            value
        })
        .collect();
    let comparison = |factor: &Factor, to: usize, from: usize| {
        json!({
            "columns": factor.columns.iter().map(|column| &answers.axes[*column]).collect::<Vec<_>>(),
            "from": factor.levels[from].values,
            "to": factor.levels[to].values,
        })
    };
    let effects: Vec<Value> = effects(answers)
        .iter()
        .map(|effect| {
            json!({
                "factor": comparison(&answers.factors[effect.factor], effect.to, effect.from),
                "paired": of_paired(&effect.paired),
                "p_holm": effect.corrected,
            })
        })
        .collect();
    let interactions: Vec<Value> = interactions(answers)
        .iter()
        .map(|found| {
            let of = |which: usize| {
                comparison(
                    &answers.factors[found.factors[which]],
                    found.to[which],
                    found.from[which],
                )
            };
            json!({
                "factors": [of(0), of(1)],
                "paired": of_paired(&found.paired),
                "p_holm": found.corrected,
            })
        })
        .collect();
    json!({
        "name": answers.name,
        "measure": answers.measure.name(),
        "level": LEVEL,
        "alpha": ALPHA,
        "axes": answers.axes,
        "settings": settings,
        "effects": effects,
        "interactions": interactions,
        "importance": importances(answers).and_then(Result::ok).map(|found| json!({
            "explained": of_part(found.explained),
            "factors": found.factors.iter().map(|it| json!({
                "columns": answers.factors[it.factor].columns.iter().map(|column| &answers.axes[*column]).collect::<Vec<_>>(),
                "lost": of_part(it.lost),
            })).collect::<Vec<_>>(),
        })),
    })
}

fn of_setting(answers: &Answers, setting: &Setting) -> Value {
    let values: serde_json::Map<String, Value> = answers
        .axes
        .iter()
        .zip(&setting.values)
        .map(|(axis, value)| (axis.clone(), Value::from(value.as_str())))
        .collect();
    json!({
        "values": values,
        "set": answers.sets.get(setting.set).filter(|name| !name.is_empty()),
        "estimate": setting.estimate.as_ref().map(of_estimate),
        "test": setting.test.as_ref().map(of_estimate),
        "scores": scores::of_setting(answers, setting).map(|found| {
            let mut scores: serde_json::Map<String, Value> = scores::all(answers)
                .map(|(place, name)| {
                    (name.to_owned(), found.estimates[place].as_ref().map(of_estimate).into())
                })
                .collect();
            scores.insert("set".to_owned(), found.set.into());
            scores
        }),
        "behind": setting.behind.as_ref().map(of_paired),
        "p_holm": setting.corrected,
        "verdict": match setting.verdict {
            Verdict::Best => "best",
            Verdict::Tied => "tied",
            Verdict::Worse => "worse",
            Verdict::Unknown => "unknown",
        },
    })
}

fn of_part(part: Part) -> Value {
    json!({ "mean": part.mean, "half_width": part.half_width })
}

fn of_estimate(estimate: &Estimate) -> Value {
    json!({
        "n": estimate.n,
        "mean": estimate.mean,
        "deviation": estimate.deviation,
        "half_width": estimate.half_width,
    })
}

fn of_paired(paired: &Paired) -> Value {
    let mut value = of_estimate(&paired.difference);
    value["p"] = paired.p.into();
    value
}

//! The model card (Mitchell et al., 2019): what the best network is, what it was made from and how it was chosen, as
//! Markdown and as a section of the page.

use std::fmt::Write;

use maud::{Markup, html};

use crate::analysis::predictions::Predictions;
use crate::analysis::{Answers, Setting, Trial};
use crate::basis::number::{count, number};
use crate::data::split;
use crate::model::bundled_weights::SCHEME;
use crate::plan::Plan;
use crate::results::layout::BEST;
use crate::sweep::store::{Store, TrialStore};

use super::reproduce::quoted;
use super::section::{Section, estimate};
use super::sight::Sight;

/// Classes that are named, at most.
const CLASSES: usize = 30;
/// The classes that are recognised worst.
const WORST: usize = 3;

/// The names of data and weights that travel inside the program, and their licences.
const LICENCES: [(&str, &str); 4] = [
    ("digits", "CC BY 4.0 (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository)"),
    ("fashion-mnist", "MIT (Zalando SE)"),
    ("openclipart9", "public domain (Open Clip Art Library)"),
    (
        "bundled:squeezenet1_1",
        "BSD-3-Clause (torchvision); the network BSD-2-Clause (Iandola et al.)",
    ),
];

/// A part of the card: a heading, and what stands below it, each a name and words.
pub(super) struct Part {
    title: &'static str,
    lines: Vec<(&'static str, String)>,
}

/// The parts of the card; none if no trial was completed.
pub(super) fn parts(
    answers: &Answers,
    predictions: Option<&Predictions>,
    sight: Option<&Sight>,
) -> Option<Vec<Part>> {
    let best = answers.best()?;
    let trial = answers.best_trial()?;
    let plan = TrialStore::at(answers.folder(trial)).plan().ok();
    Some(vec![
        Part { title: "Model", lines: model(answers, trial, plan.as_ref()) },
        Part { title: "Data", lines: data(answers, plan.as_ref(), sight) },
        Part { title: "Results", lines: results(answers, best, trial, predictions) },
        Part { title: "How it was chosen", lines: choice(answers, best) },
        Part { title: "Limits", lines: limits(answers, best, predictions) },
        Part { title: "Licences", lines: licences(answers, plan.as_ref()) },
    ])
}

fn source(answers: &Answers) -> Option<String> {
    let source = answers.experiment.get("data")?.get("source")?;
    Some(source.as_str().map_or_else(|| source.to_string(), str::to_owned))
}

fn model(answers: &Answers, trial: &Trial, plan: Option<&Plan>) -> Vec<(&'static str, String)> {
    let mut lines = vec![(
        "Task",
        match plan {
            Some(plan) if plan.data.task.is_multi_label() => {
                "labels of an image, of which several may hold".to_owned()
            }
            _ => "the class of an image".to_owned(),
        },
    )];
    if let Some(plan) = plan {
        let model = &plan.model;
        let input = model.input.iter().map(usize::to_string).collect::<Vec<_>>().join("×");
        lines.push(("Input", format!("{input} (channels×height×width)")));
        lines.push((
            "Network",
            format!(
                "{}, {}, of which {} learn; {} multiplications with addition for one image",
                count(model.layers.len(), "layer"),
                count(usize::try_from(model.parameters()).unwrap_or(usize::MAX), "parameter"),
                number(model.trainable()),
                number(model.flops())
            ),
        ));
        if let Some(weights) = &model.weights {
            lines.push((
                "Started from",
                weights
                    .file
                    .file_name()
                    .map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            ));
        }
        let optimizer = plan.train.optimizer.named().0;
        let first = plan.train.batch_sizes.iter().map(|stage| stage.size);
        let sizes: Vec<String> =
            first.chain([plan.train.batch_size]).map(|size| size.to_string()).collect();
        lines.push((
            "Training",
            format!(
                "{} with {optimizer}, batches of {}",
                count(plan.train.epochs, "epoch"),
                sizes.join(", then ")
            ),
        ));
    }
    let folder = answers.folder(trial);
    let path = folder.strip_prefix(&answers.root).unwrap_or(&folder).join(BEST);
    if answers.root.join(&path).exists() {
        lines.push(("Weights", path.display().to_string()));
    }
    lines.push(("Seed", trial.seed.clone()));
    lines
}

fn data(
    answers: &Answers,
    plan: Option<&Plan>,
    sight: Option<&Sight>,
) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    lines.extend(source(answers).map(|source| ("Source", source)));
    for (_, images) in Store::of(&answers.root).images() {
        let skipped = match images.skipped.len() {
            0 => String::new(),
            some => format!("; {some} could not be decoded and were left out"),
        };
        lines.push(("Images", format!("{}{skipped}", number(images.images as u64))));
        lines.push(("Fingerprint", images.fingerprint));
        lines.extend(images.copies.map(|copies| ("Copies", copies)));
    }
    if let Some(sight) = sight {
        let classes = sight.dataset.classes();
        let named = classes.iter().take(CLASSES).cloned().collect::<Vec<_>>().join(", ");
        let more = if classes.len() > CLASSES { ", …" } else { "" };
        lines.push(("Classes", format!("{}: {named}{more}", classes.len())));
        if let Ok(split) = split(&sight.dataset, &sight.plan.data, sight.plan.seed) {
            lines.push((
                "Splits",
                format!(
                    "{} images for training, {} for validation, {} for testing",
                    number(split.train.len() as u64),
                    number(split.validation.len() as u64),
                    number(split.test.len() as u64)
                ),
            ));
        }
    }
    if let Some(plan) = plan {
        let steps = plan.augment.train.steps.len();
        lines.push((
            "Augmentation",
            match steps {
                0 => "none".to_owned(),
                steps => format!("a chain of {}", count(steps, "transform")),
            },
        ));
    }
    lines
}

fn results(
    answers: &Answers,
    best: &Setting,
    trial: &Trial,
    predictions: Option<&Predictions>,
) -> Vec<(&'static str, String)> {
    let measure = answers.measure;
    let mut lines = vec![("Setting", best.label.clone())];
    if let Some(found) = &best.estimate {
        lines.push((
            "Validation",
            format!(
                "{}: {}, over {}",
                measure.words(),
                estimate(answers, found),
                count(found.n, "run")
            ),
        ));
    }
    if let Some(test) = best.test.as_ref().filter(|_| !measure.is_test()) {
        lines.push((
            "Test",
            format!(
                "{}: {}, over {}",
                measure.on_test().words(),
                estimate(answers, test),
                count(test.n, "run")
            ),
        ));
    }
    let value =
        answers.value(trial).map(|value| format!("{}{}", measure.show(value), measure.unit()));
    lines.extend(value.map(|value| ("These weights", format!("{} {value}", measure.words()))));
    if let Some(predictions) = predictions {
        if let Some(error) = predictions.calibration_error() {
            lines.push((
                "Calibration error",
                format!("{:.1} points on {} images", 100.0 * error, predictions.set),
            ));
        }
        let mut by_class: Vec<(f64, &String)> = predictions
            .by_class()
            .iter()
            .zip(&predictions.classes)
            .filter_map(|(scores, class)| Some((scores.recall?, class)))
            .collect();
        by_class.sort_by(|a, b| a.0.total_cmp(&b.0));
        let worst = by_class
            .iter()
            .take(WORST)
            .map(|(recall, class)| format!("{class} {:.1} %", 100.0 * recall));
        lines.push(("Lowest recall", worst.collect::<Vec<_>>().join(", ")));
    }
    lines
}

fn choice(answers: &Answers, best: &Setting) -> Vec<(&'static str, String)> {
    let compared = answers.settings.iter().filter(|it| it.set == best.set).count();
    let (seeds, folds) = answers.repeats();
    let folds = if folds > 1 { format!(" and {}", count(folds, "fold")) } else { String::new() };
    let mut lines = vec![
        (
            "Rule",
            format!(
                "of {}, the one with the best mean {} over its runs; of these, the run with the best value; of its epochs, the best one",
                count(compared, "setting"),
                answers.measure.words()
            ),
        ),
        (
            "Runs",
            format!("{}, {}{folds}", count(answers.trials.len(), "trial"), count(seeds, "seed")),
        ),
    ];
    if let Some(luck) = answers.luck() {
        let measure = answers.measure;
        lines.push((
            "Luck of the best",
            format!(
                "about {}{}, were all settings equally good",
                measure.show(luck),
                measure.unit_of_difference()
            ),
        ));
    }
    lines
}

fn limits(
    answers: &Answers,
    best: &Setting,
    predictions: Option<&Predictions>,
) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        (
            "Intended use",
            "not stated: it is for the author to say what this network is for, and what not"
                .to_owned(),
        ),
        (
            "Other images",
            "results are of images like those above; nothing was measured on images from elsewhere"
                .to_owned(),
        ),
    ];
    if best.estimate.is_none_or(|found| found.n < 2) {
        lines.push(("Runs", "one run of this setting: its spread is not known".to_owned()));
    }
    if answers.measure.is_test() {
        lines
            .push(("Choice", "it was chosen by test images, so its number is too good".to_owned()));
    } else if best.test.is_none() {
        lines.push((
            "Test",
            "no test images: the validation number chose the setting and is too good".to_owned(),
        ));
    }
    if predictions.is_some_and(|found| found.by_class().iter().any(|scores| scores.images < 30)) {
        lines.push((
            "Few images",
            "some classes have fewer than 30 images that results are about".to_owned(),
        ));
    }
    lines.push(("Groups", "nothing is known of groups of people or places in the images, so no result is told by them".to_owned()));
    lines
}

fn licences(answers: &Answers, plan: Option<&Plan>) -> Vec<(&'static str, String)> {
    let known = |name: &str| {
        let found = LICENCES.iter().find(|(known, _)| *known == name);
        found.map_or_else(
            || "not known to the program".to_owned(),
            |(_, licence)| (*licence).to_owned(),
        )
    };
    let mut lines = Vec::new();
    lines.push(("Images", known(&source(answers).unwrap_or_default())));
    if let Some(weights) = plan.and_then(|plan| plan.model.weights.as_ref()) {
        let file = weights.file.to_string_lossy();
        let of_bundled = if file.starts_with(SCHEME) { known(&file) } else { known("") };
        lines.push(("Pretrained weights", of_bundled));
    }
    lines.push(("Trained weights", "for the author to say, within the licences above".to_owned()));
    lines
}

/// The card as Markdown.
pub(super) fn markdown(answers: &Answers, parts: &[Part]) -> String {
    let mut text = format!("# Model card: {}\n", inline(&answers.name));
    if !answers.description.trim().is_empty() {
        let _ = writeln!(text, "\n{}", inline(answers.description.trim()));
    }
    for part in parts {
        let _ = writeln!(text, "\n## {}\n", part.title);
        for (name, words) in &part.lines {
            let _ = writeln!(text, "- **{name}**: {}", inline(words));
        }
    }
    text
}

/// Words of strangers in one line of Markdown, without elements, links and emphasis of their own.
pub(super) fn inline(words: &str) -> String {
    let mut text = String::new();
    for letter in words.chars() {
        match letter {
            '<' => text.push_str("&lt;"),
            '&' => text.push_str("&amp;"),
            '\\' | '`' | '*' | '[' | ']' | '|' => text.extend(['\\', letter]),
            letter if letter.is_control() => text.push(' '),
            letter => text.push(letter),
        }
    }
    text
}

/// The section.
pub(super) fn section(answers: &Answers, parts: &[Part]) -> Section {
    let body = html! {
        p {
            "What the best network is and what it may be used for, in the form of a model card (Mitchell et al., 2019). The same is in "
            code { (crate::results::layout::MODEL_CARD) } " of the results folder. "
            "To use the weights: " code { "wick predict --model " (quoted(&answers.root.display().to_string())) " IMAGE" } "."
        }
        div class="cards" { @for part in parts { (part_of_page(part)) } }
    };
    Section { id: "card", title: "Model card", body }
}

fn part_of_page(part: &Part) -> Markup {
    html! {
        div {
            h3 { (part.title) }
            dl class="facts" { @for (name, words) in &part.lines { dt { (name) } dd { (words) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::inline;

    #[test]
    fn words_of_strangers_stay_words_in_markdown() {
        assert_eq!(inline("<b>*x*</b>\n# [a](b)"), "&lt;b>\\*x\\*&lt;/b> # \\[a\\](b)");
    }
}

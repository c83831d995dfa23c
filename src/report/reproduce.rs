//! What the results were computed with, and how to compute them again.

use std::collections::BTreeSet;

use maud::html;

use crate::analysis::Answers;
use crate::analysis::machines::{kinds, ranges};
use crate::basis::number::number;
use crate::basis::regular;
use crate::results::layout::ENVIRONMENT;
use crate::sweep::store::Store;

use super::section::Section;

/// The section.
pub(super) fn section(answers: &Answers) -> Section {
    let environment: toml::Table = regular::read_to_string(&answers.root.join(ENVIRONMENT))
        .ok()
        .and_then(|text| toml::from_str(&text).ok())
        .unwrap_or_default();
    let images = Store::of(&answers.root).images();
    let trials = answers.trials.iter().map(|trial| (trial.number, trial.digest.as_str()));
    let kinds = kinds(&answers.root, trials);
    let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
    let word = |value: &toml::Value| match value {
        toml::Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    let body = html! {
        p {
            "The same file and the same program give the same bytes in " code { "trials.csv" } " and " code { "metrics.csv" }
            ", for any number of workers and threads. Save the experiment below as " code { "experiment.toml" } ":"
        }
        pre { code {
            "wick run experiment.toml          # computes everything again\n"
            "wick repro " (quoted(&answers.root.display().to_string())) "    # executes stored trials again and compares, bit for bit"
        } }
        @if kinds.len() > 1 {
            p { "The trials ran on different kinds of machines, whose numbers may differ in their last digits." }
        }
        div class="scroll" { table class="data" { tbody {
            @for kind in &kinds {
                tr {
                    th { "trials " (ranges(&kind.trials)) }
                    td { "on " (list(&kind.hosts)) ", " (list(&kind.processors)) @if !kind.words.is_empty() { ": " (kind.words) } }
                }
            }
            @for (key, value) in &environment { tr { th { (key.replace('-', " ")) } td { (word(value)) } } }
            @for (_, images) in &images {
                tr { th { "images" } td { (number(images.images as u64)) ", fingerprint " code { (images.fingerprint.chars().take(16).collect::<String>()) } @if !images.skipped.is_empty() { ", " (images.skipped.len()) " left out" } } }
            }
        } } }
        @if !answers.text.is_empty() {
            details { summary { "The experiment as it was resolved" } pre { code { (answers.text) } } }
        }
    };
    Section { id: "reproduce", title: "Reproduce", body }
}

/// A path as a shell takes it.
pub(super) fn quoted(path: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(is_plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}

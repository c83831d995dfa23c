//! What is wrong with settings that do not go with the number of labels that an image has.

use crate::basis::loss::LossFunction;
use crate::config::data::{Classes, Data};
use crate::config::train::distill::Distill;
use crate::document::{Content, KeyPath, Node, Problem};

use super::data::{SEPARATOR, Task};

/// The loss that is minimised where `written` is what the file says: with several labels, the cross-entropy of an image
/// is that of each class by itself.
pub(super) fn loss(written: LossFunction, task: Task) -> LossFunction {
    match (written, task) {
        (LossFunction::CrossEntropy, Task::MultiLabel) => LossFunction::Bce,
        (written, _) => written,
    }
}

/// What `[data]` says that does not go with its task.
pub(super) fn check_data(data: &Data) -> Vec<Problem> {
    match data.task {
        Task::SingleLabel => without_several(data),
        Task::MultiLabel => with_several(data),
    }
}

fn at() -> KeyPath {
    KeyPath::root().key("data")
}

/// Keys that say something of several labels, where each image has one.
fn without_several(data: &Data) -> Vec<Problem> {
    let columns = at().key("columns");
    let named = [
        ("labels", data.columns.labels.is_some()),
        ("separator", data.columns.separator.is_some()),
        ("multi-hot", !data.columns.multi_hot.is_empty()),
    ];
    let named = named.into_iter().filter(|(_, is_written)| *is_written);
    let mut places: Vec<KeyPath> = named.map(|(key, _)| columns.key(key)).collect();
    if !data.class_attributes.is_empty() {
        places.push(at().key("class-attributes"));
    }
    let problem = |place: KeyPath| {
        let message = "it is for several labels per image, but data.task is \"single-label\"";
        let help = "set task = \"multi-label\" if an image may have several labels";
        Problem::value(place, message).label("no effect").help(help)
    };
    places.into_iter().map(problem).collect()
}

/// What does not go with several labels.
fn with_several(data: &Data) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut that = |place: KeyPath, message: &str, label: &str, help: &str| {
        problems.push(Problem::value(place, message).label(label).help(help));
    };
    let (columns, attributes) = (at().key("columns"), &data.class_attributes);
    let has_attributes = !attributes.is_empty();
    if !has_attributes && !data.source.0.has_several_labels() {
        that(
            at().key("task"),
            "the source gives one class to each image",
            "one label per image",
            "use a table, { csv = … }, or give labels to classes: data.class-attributes = { even = [\"0\", \"2\"] }",
        );
    }
    let several = [
        ("labels", data.columns.labels.is_some()),
        ("separator", data.columns.separator.is_some()),
        ("multi-hot", !data.columns.multi_hot.is_empty()),
    ];
    let one =
        [("label", data.columns.label.is_some()), ("one-hot", !data.columns.one_hot.is_empty())];
    let (wrong, message, help): (&[(&str, bool)], _, _) = match has_attributes {
        true => (
            &several,
            "data.class-attributes already gives the labels",
            "use label or one-hot for the class of an image, or remove class-attributes",
        ),
        false => (
            &one,
            "it is for one class per image, but data.task is \"multi-label\"",
            "use labels = \"tags\" for one column with all labels, or multi-hot = [\"cat\", \"dog\"] for columns \
             of 0 and 1",
        ),
    };
    for (key, _) in wrong.iter().filter(|(_, is_written)| *is_written) {
        that(columns.key(key), message, "of another task", help);
    }
    if !has_attributes {
        let [(_, in_one), (_, is_separated), (_, in_many)] = several;
        if in_many && (in_one || is_separated) {
            that(
                columns.key("multi-hot"),
                "a column with all labels is already set",
                "a second way",
                "use labels and separator, or multi-hot, not both",
            );
        }
        if data.columns.separator.as_deref().is_some_and(str::is_empty) {
            that(
                columns.key("separator"),
                "the separator must not be empty",
                "empty",
                "\"|\", \";\" or \" \" are usual",
            );
        }
    }
    let place = at().key("class-attributes");
    if has_attributes && attributes.len() < 2 {
        that(
            place.clone(),
            "at least two labels are needed",
            "at least two",
            "for one label, use two classes and task = \"single-label\"",
        );
    }
    for (name, classes) in attributes {
        if classes.is_empty() {
            that(
                place.key(name),
                "no class has this label",
                "nothing to learn",
                "name the classes whose images have it, or remove it",
            );
        }
        if name.contains(SEPARATOR) {
            that(
                place.key(name),
                "\"|\" separates labels in tables of results",
                "in a name",
                "rename the label",
            );
        }
    }
    if has_attributes && matches!(data.classes, Classes::Some(_)) {
        that(
            at().key("classes"),
            "data.class-attributes already gives the labels",
            "chooses nothing",
            "remove unused labels there",
        );
    }
    if !data.sampling.is_shuffle() {
        that(
            at().key("sampling"),
            "sampling by class needs one label per image",
            "with one label only",
            "use train.class-weights = \"balanced\" for rare labels",
        );
    }
    if data.subset.is_per_class() {
        that(
            at().key("subset"),
            "a subset by class needs one label per image",
            "with one label only",
            "subset = { fraction = 0.1 } takes a part of all training images",
        );
    }
    problems
}

/// What of the experiment `root` does not go with its task outside of `[data]`.
pub(super) fn check(root: &Node, task: Task) -> Vec<Problem> {
    if task.is_single_label() {
        return Vec::new();
    }
    let mut problems = advice(root);
    let probe = KeyPath::root().key("transfer").key("probe");
    if matches!(root.at(&probe).map(|node| &node.content), Some(Content::String(_))) {
        let message = "probe = \"fitted\" needs one label per image";
        let help = "use a number of epochs in which only the head learns";
        problems.push(Problem::value(probe, message).label("with one label only").help(help));
    }
    let distill = KeyPath::root().key("train").key("distill");
    let taught = root.at(&distill).and_then(|node| Distill::read(node, &distill).ok());
    if taught.flatten().is_some() {
        let message = "distillation needs one label per image";
        let help = "use distill = \"none\"";
        problems.push(Problem::value(distill, message).label("with one label only").help(help));
    }
    problems
}

/// Whether the case of transfer is left to advice.
fn advice(root: &Node) -> Vec<Problem> {
    let case = KeyPath::root().key("transfer").key("case");
    match root.at(&case).map(|node| &node.content) {
        Some(Content::String(name)) if name == "auto" => vec![unmeasured(case)],
        _ => Vec::new(),
    }
}

/// Nothing can be advised on several labels.
pub(super) fn unmeasured(place: KeyPath) -> Problem {
    let message = "advice needs one label per image";
    let help =
        "name the case: \"large-similar\" trains everything, \"small-similar\" only a new head";
    Problem::value(place, message).label("with one label only").help(help)
}

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
        let message = "it is about images with several labels, and each image has one by data.task";
        let help = "task = \"multi-label\" says that an image may have several labels, or none";
        Problem::value(place, message).label("says nothing").help(help)
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
            "no several labels",
            "several labels are read from a table, { csv = … }; data.class-attributes = { even = [\"0\", \"2\"] } says which \
             labels the images of a class have",
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
            "labels follow from the class of an image by data.class-attributes",
            "label or one-hot names the class of an image; or leave out class-attributes",
        ),
        false => (
            &one,
            "it names the one class of an image, and data.task is \"multi-label\"",
            "labels = \"tags\" names a column of all labels of an image, multi-hot = [\"cat\", \"dog\"] a column of 0 and 1 \
             for each",
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
                "labels stand in one column already",
                "a second way",
                "one of both says the labels of an image: labels and separator, or multi-hot",
            );
        }
        if data.columns.separator.as_deref().is_some_and(str::is_empty) {
            that(
                columns.key("separator"),
                "nothing cannot stand between labels",
                "empty",
                "\"|\", \";\" or \" \" are usual",
            );
        }
    }
    let place = at().key("class-attributes");
    if has_attributes && attributes.len() < 2 {
        that(
            place.clone(),
            "one label is not enough",
            "at least two",
            "with one, images of two classes have one label each: task = \"single-label\"",
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
                "\"|\" stands between labels in tables of results",
                "in a name",
                "call the label otherwise",
            );
        }
    }
    if has_attributes && matches!(data.classes, Classes::Some(_)) {
        that(
            at().key("classes"),
            "labels follow from the class of an image by data.class-attributes",
            "chooses nothing",
            "leave out the labels there that shall take no part",
        );
    }
    if !data.sampling.is_shuffle() {
        that(
            at().key("sampling"),
            "an image with several labels is of no one class by which it could be sampled",
            "with one label only",
            "train.class-weights = \"balanced\" makes up for labels that few images have",
        );
    }
    if data.subset.is_per_class() {
        that(
            at().key("subset"),
            "an image with several labels counts for no one class",
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
    let distill = KeyPath::root().key("train").key("distill");
    let taught = root.at(&distill).and_then(|node| Distill::read(node, &distill).ok());
    if taught.flatten().is_some() {
        let message = "a teacher says one class of each image, by a softmax";
        let help = "distill = \"none\" learns from labels alone";
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
    let message = "advice measures how well features tell one class from the others, which images with several labels \
                   are not of";
    let help =
        "name the case: \"large-similar\" retrains everything, \"small-similar\" a new end alone";
    Problem::value(place, message).label("with one label only").help(help)
}

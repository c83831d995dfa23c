//! `[model]`: the layers of the network and what holds for all of them.

use crate::config::layer::Element;
use crate::config::model::Defaults;
use crate::config::template;
use crate::document::{KeyPath, Node, Problem, Problems, read};

use super::architecture::architecture;
use super::model::ModelPlan;
use super::section::{section, take, unknown_keys};

/// The network that `[model]` of `root` describes for images of shape `input` and `classes`.
pub fn network(root: &Node, input: [usize; 3], classes: usize) -> Result<ModelPlan, Problems> {
    let mut problems = Vec::new();
    let network = model(root, &mut problems).and_then(|(defaults, elements)| {
        take(architecture(&elements, &defaults, input, classes), &mut problems)
    });
    network.filter(|_| problems.is_empty()).ok_or_else(|| Problems::located(problems, root))
}

/// The layers one by one, and what holds for all of them.
pub(super) fn model(root: &Node, problems: &mut Vec<Problem>) -> Option<(Defaults, Vec<Element>)> {
    let at = KeyPath::root().key("model");
    let Some(model) = root.get("model") else {
        problems.push(Problem::missing(at, "the table [model] is missing").label("not in here"));
        return None;
    };
    problems.extend(unknown_keys(
        model,
        &at,
        &["preset", "parameters", "defaults", "layers", "blocks", "weights"],
    ));
    let defaults = match model.get("defaults") {
        Some(node) => {
            let at = at.key("defaults");
            take(template::filled(model, node, &at), problems)
                .and_then(|node| take(read::<Defaults>(&node, &at), problems))
        }
        None => section::<Defaults>(model, &at, "defaults", problems),
    };
    let elements = take(template::unfold(model), problems);
    Some((defaults?, elements?))
}

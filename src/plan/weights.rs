//! `model.weights` and `transfer.weights`: the file that the network starts from.

use crate::config::weights::{Origin, Weights};
use crate::document::{KeyPath, Node, Problem};

use super::model::{LayerPlan, ModelPlan, WeightsPlan};
use super::survey::{Survey, WeightsFacts};

/// The network with the weights that it starts from, if some are named.
pub(super) fn weights(
    root: &Node,
    mut network: ModelPlan,
    survey: &dyn Survey,
) -> Result<ModelPlan, Problem> {
    let keys = ["transfer", "model"].map(|table| KeyPath::root().key(table).key("weights"));
    let found = keys.iter().find_map(|at| Some((at.clone(), root.at(at)?)));
    let (at, node) = match (found, network.transfer) {
        // Nothing would be taken from them.
        (_, Some(_)) if network.pretrained_tensors().is_empty() => return Ok(network),
        (Some(found), _) => found,
        (None, None) => return Ok(network),
        (None, Some(_)) => {
            return Err(Problem::missing(keys[0].clone(), "a transfer needs pretrained weights")
                .label("no weights")
                .help("weights = \"FILE\", { experiment = \"NAME\" }, \"bundled:squeezenet1_1\"; or init = \"random\""));
        }
    };
    let problem = |message: &str| Problem::value(at.clone(), message).label("these weights");
    let written = Weights::read(node, &at)?;
    let file = match written.origin {
        Origin::File(file) => file.path,
        Origin::Experiment(experiment, trial) => {
            survey.earlier(&experiment, trial).map_err(|message| problem(&message))?
        }
    };
    let rename = written.rename.into_iter().map(|(from, to)| [from, to]).collect();
    let mut plan = WeightsPlan::new(file, rename, written.strict.unwrap_or(true));
    plan.state_dict = written.state_dict;
    let WeightsFacts { hash, state_dict, absent, summed } = survey.weights(&plan, &network).map_err(|message| {
        let (first, rest) = message.split_once('\n').unwrap_or((&message, ""));
        let problem = rest.lines().fold(problem(first), |it, line| it.note(line.trim()));
        // Only a file that can be read can be made to fit.
        if rest.is_empty() { problem } else { problem.help(
            "use rename = { … } to map names; with strict = false, other parameters start with init",
        ) }
    })?;
    (plan.hash, plan.absent, plan.summed) = (hash, absent, summed);
    if let Some((taken, others)) = state_dict {
        (plan.state_dict, plan.other_state_dicts) = (Some(taken), others);
    }
    network.weights = Some(plan);
    match frozen_at_random(&network, &at) {
        Some(problem) => Err(problem),
        None => Ok(network),
    }
}

/// The problem if layers that never learn would start at random for want of weights that fit: they would
/// stay noise in front of everything that learns.
fn frozen_at_random(network: &ModelPlan, at: &KeyPath) -> Option<Problem> {
    let is_noise = |layer: &&LayerPlan| {
        let is_pretrained = layer.tuning.is_some_and(|tuning| tuning.pretrained);
        is_pretrained && !layer.learns(usize::MAX) && network.lacks_weights(layer)
    };
    let names: Vec<&str> =
        network.layers.iter().filter(is_noise).map(|layer| layer.name.as_str()).collect();
    let (first, more) = names.split_first()?;
    let more = match more.len() {
        0 => String::new(),
        more => format!(" and {more} more layers"),
    };
    Some(
        Problem::value(
            at.clone(),
            format!("{first}{more} would be frozen with random weights: the file has no tensors for them"),
        )
        .label("these weights")
        .help("use rename = { … } to map names, data.image.channels = 3 for colour images, or freeze = \"none\""),
    )
}

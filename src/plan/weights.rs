//! `model.weights` and `transfer.weights`: the file that the network starts from.

use crate::config::weights::{Origin, Weights};
use crate::document::{KeyPath, Node, Problem};

use super::model::{ModelPlan, WeightsPlan};
use super::survey::Survey;

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
                .label("none are named in here")
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
    let mut plan = WeightsPlan {
        file,
        hash: String::new(),
        rename: written.rename.into_iter().map(|(from, to)| [from, to]).collect(),
        strict: written.strict.unwrap_or(true),
    };
    plan.hash = survey.weights(&plan, &network).map_err(|message| {
        let (first, rest) = message.split_once('\n').unwrap_or((&message, ""));
        let problem = rest.lines().fold(problem(first), |it, line| it.note(line.trim()));
        // Only a file that can be read can be made to fit.
        if rest.is_empty() { problem } else { problem.help(
            "rename = { … } says which tensor is which; strict = false lets what does not fit start as init says",
        ) }
    })?;
    network.weights = Some(plan);
    Ok(network)
}

//! `[model]`: the layers of the network and what holds for all of them.

use crate::augment::Frame;
use crate::config::layer::Element;
use crate::config::model::Defaults;
use crate::config::template;
use crate::config::written::Written;
use crate::document::{KeyPath, Node, Problem, Problems, read};

use super::architecture::architecture;
use super::augment::{AugmentPlan, Augmentation, augmentation};
use super::data::{Fit, Image, Normalise, OwnSize, check_image, check_moments};
use super::model::ModelPlan;
use super::section::{section, take, unknown_keys};
use super::transfer::transferred;

/// A network as an experiment describes it, and how images reach it: all that is needed to use it with
/// weights from elsewhere.
pub struct Described {
    /// The network.
    pub model: ModelPlan,
    /// The size that images are brought to.
    pub image: Image,
    /// How an image of another shape is brought to that size.
    pub fit: Fit,
    /// How they come to it, if transforms bring them to it.
    pub own_size: Option<OwnSize>,
    /// How pixels become numbers.
    pub normalise: Normalise,
    /// What happens to images once they are read.
    pub augment: AugmentPlan,
}

/// What `root` describes for so many classes, whatever else it says: nothing is trained, and no image has
/// to be there.
pub fn described(root: &Node, classes: usize) -> Result<Described, Problems> {
    let mut problems = Vec::new();
    let found = describe(root, classes, &mut problems);
    found.filter(|_| problems.is_empty()).ok_or_else(|| Problems::located(problems, root))
}

fn describe(root: &Node, classes: usize, problems: &mut Vec<Problem>) -> Option<Described> {
    let at = KeyPath::root().key("data");
    let Some(data) = root.get("data") else {
        problems.push(Problem::missing(at, "the table [data] is missing").label("not in here"));
        return None;
    };
    let image = section::<Image>(data, &at, "image", problems)?;
    let fit = section::<Fit>(data, &at, "fit", problems)?;
    let normalise = section::<Written<Normalise>>(data, &at, "normalise", problems)?.0;
    problems.extend(check_image(image));
    problems.extend(check_moments(&normalise, image));
    let Augmentation { plan: augment, own_size, out } =
        augmentation(root, Some((image, fit)), problems)?;
    let (defaults, elements) = model(root, problems)?;
    let Frame { height, width, channels } = out;
    let network = architecture(&elements, &defaults, [channels, height, width], classes);
    let network = take(network, problems)?;
    let mut model = transferred(root, network, &defaults, usize::MAX, problems)?;
    // All of it is pretrained, and nothing learns.
    model.transfer = None;
    model.layers.iter_mut().for_each(|layer| layer.tuning = None);
    Some(Described { model, image, fit, own_size, normalise, augment })
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layering::preset;

    #[test]
    fn layers_without_parameters_in_unnamed_blocks_get_names_of_their_own() {
        let residual = |name: &str| {
            format!(
                "{{ residual = [{{ conv = 3, kernel = 1, name = \"{name}\" }}], name = \"\", stochastic-depth = 0.1 }}"
            )
        };
        let (one, other) = (residual("one"), residual("other"));
        let branches = "{ branches = [[], []], merge = \"sum\", name = \"\" }";
        let layers = format!(
            "model.layers=[{one}, {other}, {branches}, \"flatten\", {{ dense = \"classes\" }}]"
        );
        let model = network(&preset("plain", &[layers]).unwrap(), [3, 8, 8], 10).unwrap();
        let names: Vec<&str> = model.layers.iter().map(|layer| layer.name.as_str()).collect();
        let found: Vec<&str> = names.into_iter().filter(|name| name.starts_with('s')).collect();
        assert_eq!(found, ["stochastic-depth", "sum", "stochastic-depth2", "sum2", "sum3"]);
    }
}

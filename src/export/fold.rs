//! Batch norms worked into the products before them: at test time γ (Wx + b − μ) / √(σ² + ε) + β is
//! one product with other weights and another bias.

use crate::config::layer_settings::{BatchNormSettings, DropoutSettings};
use crate::model::network::Weights;
use crate::plan::model::{LayerKind, LayerPlan, ModelPlan};

use super::error::{ExportError, take};

/// `network`, which has no auxiliary heads, and `weights` without the batch norms that follow a
/// convolution or dense layer. Others, as those behind a sum or an activation, stay.
pub(super) fn fold(
    mut network: ModelPlan,
    weights: &mut Weights,
) -> Result<ModelPlan, ExportError> {
    for layer in &mut network.layers {
        let norm = match &layer.kind {
            LayerKind::Conv(conv) => conv.tail.norm,
            LayerKind::Dense(dense) => dense.tail.norm,
            _ => None,
        };
        if let Some(norm) = norm {
            absorb(layer, &layer.norm_prefix(), norm, weights)?;
            set_biased(layer);
        }
    }
    for index in 0..network.layers.len() {
        let LayerKind::BatchNorm(norm) = network.layers[index].kind else { continue };
        if let Some(product) = product_before(&network, index) {
            let prefix = network.layers[index].name.clone();
            absorb(&network.layers[product], &prefix, norm, weights)?;
            set_biased(&mut network.layers[product]);
            // What passes its input on.
            network.layers[index].kind =
                LayerKind::Dropout(DropoutSettings { p: 0.0, channels: false });
        }
    }
    Ok(network)
}

/// The layer whose product the batch norm `index` is alone to see, unchanged.
fn product_before(network: &ModelPlan, index: usize) -> Option<usize> {
    let uses = |number: usize| {
        let layers = 0..network.layers.len();
        layers.flat_map(|layer| network.sources(layer)).filter(|source| *source == number).count()
    };
    let mut at = network.sources(index)[0];
    loop {
        let place = at.checked_sub(1).filter(|_| uses(at) == 1)?;
        match &network.layers[place].kind {
            LayerKind::Conv(conv) => return conv.tail.activation.is_none().then_some(place),
            LayerKind::Dense(dense) => return dense.tail.activation.is_none().then_some(place),
            LayerKind::Dropout(_) | LayerKind::StochasticDepth(_) => {
                at = network.sources(place)[0];
            }
            _ => return None,
        }
    }
}

/// Works the batch norm whose parameters begin with `prefix` into weight and bias of `product`.
fn absorb(
    product: &LayerPlan,
    prefix: &str,
    norm: BatchNormSettings,
    weights: &mut Weights,
) -> Result<(), ExportError> {
    let parameters = product.parameter_plans();
    let (name, shape) = (&parameters[0].name, &parameters[0].shape);
    let outputs = shape[0];
    let mut weight = take(weights, name, shape)?;
    let bias_name = format!("{}.bias", product.name);
    let mut bias = match parameters.iter().any(|parameter| parameter.name == bias_name) {
        true => take(weights, &bias_name, &[outputs])?,
        false => vec![0.0; outputs],
    };
    let mut of = |word: &str| take(weights, &format!("{prefix}.{word}"), &[outputs]);
    let [beta, mean, variance] = [of("bias")?, of("running_mean")?, of("running_var")?];
    let gamma = if norm.weight { of("weight")? } else { vec![1.0; outputs] };
    let inputs = weight.len() / outputs;
    for (output, row) in weight.chunks_mut(inputs).enumerate() {
        let of = |values: &[f32]| f64::from(values[output]);
        let factor = of(&gamma) / (of(&variance) + norm.eps).sqrt();
        row.iter_mut().for_each(|weight| *weight = (f64::from(*weight) * factor) as f32);
        bias[output] = ((of(&bias) - of(&mean)) * factor + of(&beta)) as f32;
    }
    weights.insert(name.clone(), (shape.clone(), weight));
    weights.insert(bias_name, (vec![outputs], bias));
    Ok(())
}

fn set_biased(product: &mut LayerPlan) {
    let (bias, tail) = match &mut product.kind {
        LayerKind::Conv(conv) => (&mut conv.bias, &mut conv.tail),
        LayerKind::Dense(dense) => (&mut dense.bias, &mut dense.tail),
        _ => return,
    };
    (*bias, tail.norm) = (true, None);
}

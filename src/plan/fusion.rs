//! Which operations of the network run as one. The estimate of memory and the network both read it
//! here.

use crate::basis::activation::Activation;

use super::model::{LayerKind, ModelPlan, PoolPlan, Tail};

/// How the tail of a conv or dense layer runs with the operations before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fusion {
    /// The activation that the product applies to its own result.
    pub product: Option<Activation>,
    /// The activation that the norm applies to its own result.
    pub norm: Option<Activation>,
    /// The activation that is an operation of its own, since its derivative needs the argument.
    pub alone: Option<Activation>,
    /// Whether dropout overwrites what it drops from.
    pub drops_in_place: bool,
}

impl Fusion {
    /// Of the operations of `tail`.
    pub fn of(tail: &Tail) -> Fusion {
        let joined = tail.activation.filter(|activation| activation.is_known_by_result());
        let (norm, product) = if tail.norm.is_some() { (joined, None) } else { (None, joined) };
        Fusion {
            product,
            norm,
            alone: tail.activation.filter(|_| joined.is_none()),
            drops_in_place: is_rectified(tail),
        }
    }
}

/// Whether `tail` ends in a ReLU, or in dropout of single elements behind one: what is dropped is 0
/// as where the ReLU cuts.
fn is_rectified(tail: &Tail) -> bool {
    let of_elements = tail.dropout.is_none_or(|dropout| !dropout.channels);
    tail.activation == Some(Activation::Relu) && of_elements
}

/// The max pool right behind layer `index`, counted from 0, if in training both are one operation
/// behind the product: the layer is a convolution that ends in a ReLU, and nothing else asks for its
/// result.
pub fn pool_behind(model: &ModelPlan, index: usize) -> Option<&PoolPlan> {
    let LayerKind::MaxPool(pool) = &model.layers.get(index + 1)?.kind else { return None };
    let LayerKind::Conv(conv) = &model.layers[index].kind else { return None };
    (is_rectified(&conv.tail) && only_the_next_asks(model, index)).then_some(pool)
}

/// The activation right behind layer `index`, counted from 0, if in training both are one operation: the layer is
/// a batch norm, the derivative can be told from the activation's result, and nothing else asks for the layer's.
pub fn activation_behind(model: &ModelPlan, index: usize) -> Option<Activation> {
    let LayerKind::Activation(activation) = model.layers.get(index + 1)?.kind else { return None };
    let is_norm = matches!(model.layers[index].kind, LayerKind::BatchNorm(_));
    let joins = is_norm && activation.is_known_by_result() && only_the_next_asks(model, index);
    joins.then_some(activation)
}

/// Whether in training the layer behind layer `index` sees its result, and nothing else does.
fn only_the_next_asks(model: &ModelPlan, index: usize) -> bool {
    let needed = model.needed(true);
    let layers = (0..model.layers.len()).filter(|layer| needed[*layer]);
    let sources =
        layers.flat_map(|layer| model.sources(layer).into_iter().map(move |s| (s, layer)));
    let heads = model.auxiliary.iter().map(|head| (head.logits, usize::MAX));
    let mut asking = sources.chain(heads).filter(|(source, _)| *source == index + 1);
    asking.next() == Some((index + 1, index + 1)) && asking.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layer_settings::{BatchNormSettings, DropoutSettings};
    use crate::config::layering::preset;
    use crate::plan::network::network;

    const NORM: BatchNormSettings = BatchNormSettings { momentum: 0.1, eps: 1e-5, weight: true };

    #[test]
    fn an_activation_joins_the_operation_before_it_if_its_result_tells_the_derivative() {
        for (norm, activation, expected) in [
            (None, Activation::Tanh, [Some(Activation::Tanh), None, None]),
            (Some(NORM), Activation::Tanh, [None, Some(Activation::Tanh), None]),
            (None, Activation::Gelu, [None, None, Some(Activation::Gelu)]),
            (
                Some(NORM),
                Activation::LeakyRelu(0.0),
                [None, None, Some(Activation::LeakyRelu(0.0))],
            ),
        ] {
            let tail = Tail { norm, activation: Some(activation), dropout: None };
            let Fusion { product, norm, alone, .. } = Fusion::of(&tail);
            assert_eq!([product, norm, alone], expected);
        }
    }

    #[test]
    fn single_elements_behind_a_relu_are_dropped_in_place() {
        let of = |activation, channels| {
            let dropout = Some(DropoutSettings { p: 0.5, channels });
            Fusion::of(&Tail { norm: Some(NORM), activation, dropout }).drops_in_place
        };
        assert!(of(Some(Activation::Relu), false));
        assert!(!of(Some(Activation::Relu), true) && !of(Some(Activation::Tanh), false));
        assert!(!of(None, false));
    }

    #[test]
    fn an_activation_joins_a_batch_norm_whose_result_nothing_else_asks_for() {
        let joined = |layers: &str| {
            let set = format!("model.layers=[{layers}, \"flatten\", {{ dense = \"classes\" }}]");
            let model = network(&preset("plain", &[set]).unwrap(), [3, 32, 32], 10).unwrap();
            (0..model.layers.len()).find_map(|index| activation_behind(&model, index))
        };
        assert_eq!(joined("\"batch-norm\", \"relu\""), Some(Activation::Relu));
        assert_eq!(joined("\"batch-norm\", \"silu\""), None);
        assert_eq!(joined("\"layer-norm\", \"relu\""), None);
        assert_eq!(joined("\"batch-norm\", { branches = [[\"relu\"], []] }"), None);
    }

    #[test]
    fn a_pool_joins_a_rectified_convolution_whose_result_nothing_else_asks_for() {
        let joined = |layers: &str| {
            let set = format!("model.layers=[{layers}, \"flatten\", {{ dense = \"classes\" }}]");
            let model = network(&preset("plain", &[set]).unwrap(), [3, 32, 32], 10).unwrap();
            (0..model.layers.len()).find(|index| pool_behind(&model, *index).is_some())
        };
        assert_eq!(joined("{ conv = 4, kernel = 3 }, { max-pool = 2 }"), Some(0));
        assert_eq!(joined("{ conv = 4, kernel = 3, dropout = 0.5 }, { max-pool = 2 }"), Some(0));
        assert_eq!(
            joined("{ conv = 4, kernel = 3, activation = \"gelu\" }, { max-pool = 2 }"),
            None
        );
        assert_eq!(joined("{ conv = 4, kernel = 3 }, { avg-pool = 2 }"), None);
        let beside = "{ branches = [[{ max-pool = 2 }], [{ avg-pool = 2 }]] }";
        assert_eq!(joined(&format!("{{ conv = 4, kernel = 3 }}, {beside}")), None);
    }
}

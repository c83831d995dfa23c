//! Layers in a few words, for tables.

use super::model::{Activation, DropoutPlan, LayerKind, LayerPlan, Tail};

impl LayerPlan {
    /// What it does in a few words, for tables: `conv 32, 3×3, same`.
    pub fn summary(&self) -> String {
        let pair = |pair: &[usize; 2]| format!("{}×{}", pair[0], pair[1]);
        let mut words = Vec::new();
        match &self.kind {
            LayerKind::Conv(conv) => {
                words.push(format!("conv {} {}", conv.filters, pair(&conv.kernel)));
                if conv.stride != [1, 1] {
                    words.push(format!("stride {}", pair(&conv.stride)));
                }
                if conv.groups > 1 {
                    words.push(format!("groups {}", conv.groups));
                }
                tail_words(&conv.tail, &mut words);
            }
            LayerKind::Dense(dense) => {
                words.push(format!("dense {}", dense.neurons));
                tail_words(&dense.tail, &mut words);
            }
            LayerKind::MaxPool(pool) => words.push(format!("max-pool {}", pair(&pool.window))),
            LayerKind::AvgPool(avg) => words.push(format!("avg-pool {}", pair(&avg.pool.window))),
            LayerKind::AdaptiveAvgPool {} => words.push("adaptive-avg-pool".to_owned()),
            LayerKind::Flatten {} => words.push("flatten".to_owned()),
            LayerKind::BatchNorm(_) => words.push("batch-norm".to_owned()),
            LayerKind::Activation(activation) => words.push(activation.to_string()),
            LayerKind::Dropout(dropout) => words.push(dropout.to_string()),
            LayerKind::Sum(sum) => {
                words.push("sum".to_owned());
                words.extend(sum.activation.map(|activation| activation.to_string()));
            }
            LayerKind::Concat {} => words.push("concat".to_owned()),
            LayerKind::Scale {} => words.push("scale".to_owned()),
            LayerKind::StochasticDepth(p) => words.push(format!("stochastic-depth {p}")),
        }
        words.join(", ")
    }
}

fn tail_words(tail: &Tail, words: &mut Vec<String>) {
    words.extend(tail.norm.map(|_| "batch-norm".to_owned()));
    words.extend(tail.activation.map(|activation| activation.to_string()));
    words.extend(tail.dropout.map(|dropout| dropout.to_string()));
}

impl std::fmt::Display for DropoutPlan {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "dropout {}{}", self.p, if self.channels { " of channels" } else { "" })
    }
}

impl std::fmt::Display for Activation {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Activation::Relu => f.write_str("relu"),
            Activation::Relu6 => f.write_str("relu6"),
            Activation::LeakyRelu(slope) => write!(f, "leaky-relu {slope}"),
            Activation::Elu(alpha) => write!(f, "elu {alpha}"),
            Activation::Gelu => f.write_str("gelu"),
            Activation::Silu => f.write_str("silu"),
            Activation::Hardswish => f.write_str("hardswish"),
            Activation::Tanh => f.write_str("tanh"),
            Activation::Sigmoid => f.write_str("sigmoid"),
        }
    }
}

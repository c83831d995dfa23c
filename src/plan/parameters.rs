//! The tensors of a layer: parameters and running statistics, their names and shapes, and how they start.

use super::model::{ConvPlan, DensePlan, LayerKind, LayerPlan};
use crate::config::layer_settings::{BatchNormSettings, Init};

/// One parameter of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterPlan {
    /// `layer.weight`, `layer.bias`, `layer.norm.weight`, `layer.norm.bias`: PyTorch's words.
    pub name: String,
    /// Its shape: `[filters, channels / groups, height, width]`, `[neurons, inputs]`, `[channels]`.
    pub shape: Vec<usize>,
    /// How it starts.
    pub init: Init,
    /// Inputs of one output.
    pub fan_in: usize,
    /// Outputs that one input reaches.
    pub fan_out: usize,
    /// Whether it never learns, wherever the layer's others do.
    pub fixed: bool,
}

impl ParameterPlan {
    /// Its numbers.
    fn count(&self) -> u64 {
        self.shape.iter().map(|side| *side as u64).product()
    }
}

impl LayerPlan {
    /// The tensors of the layer that learn, or that stay what training images have made of them.
    pub fn parameter_plans(&self) -> Vec<ParameterPlan> {
        let mut plans = Vec::new();
        match &self.kind {
            LayerKind::Conv(conv) => {
                let taps = conv.kernel[0] * conv.kernel[1];
                let depth = self.input[0] / conv.groups;
                let shape = match conv.dense {
                    true => vec![conv.filters, depth],
                    false => vec![conv.filters, depth, conv.kernel[0], conv.kernel[1]],
                };
                let fans = (depth * taps, conv.filters / conv.groups * taps);
                self.product(shape, conv.bias, conv.init, fans, &mut plans);
                plans[0].fixed = conv.whitens.is_some();
                self.norm(&self.norm_prefix(), conv.tail.norm, conv.filters, &mut plans);
            }
            LayerKind::Dense(dense) => {
                let fans = (self.input[0], dense.neurons);
                let shape = vec![dense.neurons, self.input[0]];
                self.product(shape, dense.bias, dense.init, fans, &mut plans);
                self.norm(&self.norm_prefix(), dense.tail.norm, dense.neurons, &mut plans);
            }
            LayerKind::BatchNorm(norm) => {
                self.norm(&self.name, Some(*norm), self.input[0], &mut plans)
            }
            LayerKind::LayerNorm(_) | LayerKind::GroupNorm(_) => {
                self.affine(&self.name, self.input[0], [1.0, 0.0], &mut plans);
            }
            LayerKind::GlobalResponseNorm(_) => {
                self.affine(&self.name, self.input[0], [0.0, 0.0], &mut plans);
            }
            LayerKind::AcrossChannels(conv) => {
                let shape = vec![1, 1, conv.kernel];
                self.product(shape, false, conv.init, (conv.kernel, conv.kernel), &mut plans);
            }
            LayerKind::LayerScale(start) => plans.push(ParameterPlan {
                // torchvision's and timm's word is the whole name.
                name: self.name.clone(),
                shape: [&self.input[..1], &vec![1; self.input.len() - 1]].concat(),
                init: Init::Constant(*start),
                fan_in: 1,
                fan_out: 1,
                fixed: false,
            }),
            _ => {}
        }
        plans
    }

    /// Name and shape of what the layer remembers besides parameters: running statistics.
    pub fn buffers(&self) -> Vec<(String, Vec<usize>)> {
        let (prefix, channels) = match &self.kind {
            LayerKind::Conv(ConvPlan { tail, filters: width, .. })
            | LayerKind::Dense(DensePlan { tail, neurons: width, .. })
                if tail.norm.is_some() =>
            {
                (self.norm_prefix(), *width)
            }
            LayerKind::BatchNorm(_) => (self.name.clone(), self.input[0]),
            _ => return Vec::new(),
        };
        let named = |word: &str| (format!("{prefix}.{word}"), vec![channels]);
        ["running_mean", "running_var"].map(named).into()
    }

    /// What the names of the parameters of a conv or dense layer's norm begin with.
    pub fn norm_prefix(&self) -> String {
        self.norm_name.clone().unwrap_or_else(|| format!("{}.norm", self.name))
    }

    fn product(
        &self,
        shape: Vec<usize>,
        bias: bool,
        init: Init,
        (fan_in, fan_out): (usize, usize),
        plans: &mut Vec<ParameterPlan>,
    ) {
        let outputs = shape[0];
        let name = format!("{}.weight", self.name);
        plans.push(ParameterPlan { name, shape, init, fan_in, fan_out, fixed: false });
        if bias {
            let init = if init == Init::Pytorch { init } else { Init::Constant(0.0) };
            let name = format!("{}.bias", self.name);
            let shape = vec![outputs];
            plans.push(ParameterPlan { name, shape, init, fan_in, fan_out, fixed: false });
        }
    }

    fn norm(
        &self,
        prefix: &str,
        norm: Option<BatchNormSettings>,
        channels: usize,
        plans: &mut Vec<ParameterPlan>,
    ) {
        let Some(norm) = norm else { return };
        self.affine(prefix, channels, [1.0, 0.0], plans);
        if !norm.weight {
            plans.remove(plans.len() - 2);
        }
    }

    /// A weight and a bias for each channel, which start as `starts`.
    fn affine(
        &self,
        prefix: &str,
        channels: usize,
        starts: [f64; 2],
        plans: &mut Vec<ParameterPlan>,
    ) {
        for (word, value) in ["weight", "bias"].into_iter().zip(starts) {
            plans.push(ParameterPlan {
                name: format!("{prefix}.{word}"),
                shape: vec![channels],
                init: Init::Constant(value),
                fan_in: channels,
                fan_out: channels,
                fixed: false,
            });
        }
    }

    /// Numbers of its tensors: (F·F·D + 1)·filters for a convolution, (m + 1)·n for a dense layer.
    pub fn parameters(&self) -> u64 {
        self.parameter_plans().iter().map(ParameterPlan::count).sum()
    }

    /// Those of them that may learn.
    pub fn trainable(&self) -> u64 {
        let plans = self.parameter_plans();
        plans.iter().filter(|plan| !plan.fixed).map(ParameterPlan::count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::super::model::Tail;
    use super::*;

    #[test]
    fn a_dense_layer_has_m_plus_one_times_n_parameters() {
        let dense = LayerPlan {
            name: "dense1".to_owned(),
            from: Vec::new(),
            norm_name: None,
            tuning: None,
            input: vec![64 * 64 * 3],
            output: vec![10],
            kind: LayerKind::Dense(DensePlan {
                neurons: 10,
                bias: true,
                init: Init::Pytorch,
                tail: Tail { norm: None, activation: None, dropout: None },
            }),
        };
        assert_eq!(dense.parameters(), 122_880 + 10);
        assert_eq!(dense.flops(), 122_880);
    }

    #[test]
    fn a_convolution_has_window_times_depth_plus_one_times_filters_parameters() {
        let conv = |groups, bias| LayerPlan {
            name: "conv1".to_owned(),
            from: Vec::new(),
            norm_name: None,
            tuning: None,
            input: vec![16, 8, 8],
            output: vec![32, 8, 8],
            kind: LayerKind::Conv(ConvPlan {
                filters: 32,
                kernel: [3, 3],
                stride: [1, 1],
                padding: [[1, 1]; 2],
                dilation: [1, 1],
                groups,
                bias,
                dense: false,
                whitens: None,
                init: Init::Pytorch,
                tail: Tail { norm: None, activation: None, dropout: None },
            }),
        };
        assert_eq!(conv(1, true).parameters(), (3 * 3 * 16 + 1) * 32);
        assert_eq!(conv(16, false).parameters(), 3 * 3 * 32);
        assert_eq!(conv(1, true).flops(), 32 * 8 * 8 * 16 * 9);
    }
}

//! Layers as ONNX operators, at test time: dropout and stochastic depth pass their input on.

use crate::config::layer::ChannelPooling;
use crate::config::layer_settings::BatchNormSettings;
use crate::plan::model::{ConvPlan, DensePlan, LayerKind, LayerPlan, Tail};

use super::super::error::ExportError;
use super::graph::Graph;
use super::messages::Attribute;

impl Graph<'_> {
    /// Adds what `layer` does to the values called `inputs`; the name of its result.
    pub(super) fn layer(
        &mut self,
        layer: &LayerPlan,
        inputs: &[&str],
    ) -> Result<String, ExportError> {
        let (name, x) = (layer.name.as_str(), inputs[0]);
        Ok(match &layer.kind {
            LayerKind::Conv(conv) => self.conv(layer, conv, x)?,
            LayerKind::Dense(dense) => self.dense(layer, dense, x)?,
            LayerKind::MaxPool(pool) => self.max_pool(layer, pool, x),
            LayerKind::AvgPool(pool) => self.avg_pool(layer, pool, x),
            LayerKind::AdaptiveAvgPool {} => self.adaptive_avg_pool(layer, x),
            LayerKind::BlurPool(blur) => self.blur_pool(layer, *blur, x),
            LayerKind::ChannelPool(pooling) => {
                let operator = match pooling {
                    ChannelPooling::Mean => "ReduceMean",
                    ChannelPooling::Max => "ReduceMax",
                };
                let axes = self.whole_numbers(&format!("{name}/axes"), &[1]);
                self.node(name, operator, &[x, &axes], [])
            }
            LayerKind::Flatten {} => self.node(name, "Flatten", &[x], [Attribute::int("axis", 1)]),
            LayerKind::AdaptiveMaxPool {} => self.adaptive_max_pool(layer, x),
            LayerKind::LayerNorm(eps) => self.layer_norm(layer, *eps, x)?,
            LayerKind::GroupNorm(norm) => self.group_norm(layer, *norm, x)?,
            LayerKind::LocalResponseNorm(norm) => self.local_response_norm(layer, norm, x),
            LayerKind::GlobalResponseNorm(eps) => self.global_response_norm(layer, *eps, x)?,
            LayerKind::LayerScale(_) => {
                let shape = [&layer.input[..1], &vec![1; layer.input.len() - 1]].concat();
                let scale = self.parameter(name, &shape)?;
                self.node(name, "Mul", &[x, &scale], [])
            }
            LayerKind::ScaleBy(factor) => {
                let factor = self.scalar(*factor as f32);
                self.node(name, "Mul", &[x, &factor], [])
            }
            LayerKind::Channels(channels) => self.channels(layer, channels, x),
            LayerKind::AcrossChannels(conv) => self.across_channels(layer, *conv, x)?,
            LayerKind::BatchNorm(norm) => self.batch_norm(name, name, *norm, layer.input[0], x)?,
            LayerKind::Activation(activation) => self.activation(name, *activation, x),
            LayerKind::Dropout(_) | LayerKind::StochasticDepth(_) => x.to_owned(),
            LayerKind::Sum(sum) => {
                let operator = if inputs.len() == 2 { "Add" } else { "Sum" };
                let total = self.node(name, operator, inputs, []);
                match sum.activation {
                    Some(activation) => self.activation(name, activation, &total),
                    None => total,
                }
            }
            LayerKind::Product {} => {
                let mut product = x.to_owned();
                for factor in &inputs[1..] {
                    product = self.node(name, "Mul", &[&product, factor], []);
                }
                product
            }
            LayerKind::Concat {} => self.node(name, "Concat", inputs, [Attribute::int("axis", 1)]),
            LayerKind::ConcatRows {} => {
                self.node(name, "Concat", inputs, [Attribute::int("axis", 2)])
            }
            LayerKind::Scale {} => self.node(name, "Mul", inputs, []),
        })
    }

    fn conv(&mut self, layer: &LayerPlan, conv: &ConvPlan, x: &str) -> Result<String, ExportError> {
        let [rows, columns] = conv.padding;
        let attributes = [
            Attribute::ints("kernel_shape", conv.kernel),
            Attribute::ints("strides", conv.stride),
            Attribute::ints("pads", [rows[0], columns[0], rows[1], columns[1]]),
            Attribute::ints("dilations", conv.dilation),
            Attribute::int("group", conv.groups),
        ];
        let inputs = self.product(layer, conv.bias, x)?;
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let product = self.node(&layer.name, "Conv", &inputs, attributes);
        self.tail(layer, &conv.tail, conv.filters, product)
    }

    fn dense(
        &mut self,
        layer: &LayerPlan,
        dense: &DensePlan,
        x: &str,
    ) -> Result<String, ExportError> {
        let inputs = self.product(layer, dense.bias, x)?;
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        // Weights lie as [neurons, inputs].
        let product = self.node(&layer.name, "Gemm", &inputs, [Attribute::int("transB", 1)]);
        self.tail(layer, &dense.tail, dense.neurons, product)
    }

    /// The inputs of a product: `x`, the weight and, if there is one, the bias.
    fn product(
        &mut self,
        layer: &LayerPlan,
        bias: bool,
        x: &str,
    ) -> Result<Vec<String>, ExportError> {
        let parameters = layer.parameter_plans().into_iter().take(1 + usize::from(bias));
        // A convolution with the weights of a dense layer is one of window 1.
        let is_dense = matches!(&layer.kind, LayerKind::Conv(conv) if conv.dense);
        let parameters = parameters.map(|it| match it.shape[..] {
            [filters, channels] if is_dense => {
                self.parameter_as(&it.name, &it.shape, &[filters, channels, 1, 1])
            }
            _ => self.parameter(&it.name, &it.shape),
        });
        std::iter::once(Ok(x.to_owned())).chain(parameters).collect()
    }

    fn tail(
        &mut self,
        layer: &LayerPlan,
        tail: &Tail,
        channels: usize,
        product: String,
    ) -> Result<String, ExportError> {
        let normalised = match tail.norm {
            Some(norm) => {
                self.batch_norm(&layer.name, &layer.norm_prefix(), norm, channels, &product)?
            }
            None => product,
        };
        Ok(match tail.activation {
            Some(activation) => self.activation(&layer.name, activation, &normalised),
            None => normalised,
        })
    }

    fn batch_norm(
        &mut self,
        layer: &str,
        prefix: &str,
        norm: BatchNormSettings,
        channels: usize,
        x: &str,
    ) -> Result<String, ExportError> {
        let weight = format!("{prefix}.weight");
        let weight = match norm.weight {
            true => self.parameter(&weight, &[channels])?,
            false => self.constant(&weight, &[channels], &vec![1.0; channels]),
        };
        let mut of = |word: &str| self.parameter(&format!("{prefix}.{word}"), &[channels]);
        let [bias, mean, variance] = [of("bias")?, of("running_mean")?, of("running_var")?];
        let inputs = [x, &weight, &bias, &mean, &variance];
        let eps = Attribute::float("epsilon", norm.eps);
        Ok(self.node(layer, "BatchNormalization", &inputs, [eps]))
    }
}

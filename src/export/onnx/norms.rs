//! Normalisations of single images, and moves of channels, as ONNX operators.

use crate::plan::model::{
    AcrossChannelsPlan, ChannelsPlan, GroupNormPlan, LayerPlan, LocalResponseNormPlan,
};

use super::super::error::ExportError;
use super::graph::Graph;
use super::messages::Attribute;

impl Graph<'_> {
    /// Each pixel over its channels, in parts: `LayerNormalization` wants channels last.
    pub(super) fn layer_norm(
        &mut self,
        layer: &LayerPlan,
        eps: f64,
        x: &str,
    ) -> Result<String, ExportError> {
        let normal = self.normalised(&layer.name, x, [1], eps);
        self.affine(layer, &normal)
    }

    /// Each image over groups of channels. `GroupNormalization` came with a mistake in this set of operators:
    /// its weights were for groups, not for channels.
    pub(super) fn group_norm(
        &mut self,
        layer: &LayerPlan,
        norm: GroupNormPlan,
        x: &str,
    ) -> Result<String, ExportError> {
        let (name, channels) = (layer.name.as_str(), layer.input[0]);
        let pixels: usize = layer.input[1..].iter().product();
        // 0 keeps the axis of images.
        let groups = [0, norm.groups, channels / norm.groups * pixels];
        let groups = self.whole_numbers(&format!("{name}/groups"), &groups);
        let grouped = self.node(name, "Reshape", &[x, &groups], []);
        let normal = self.normalised(name, &grouped, [2], norm.eps);
        let maps = self.whole_numbers(&format!("{name}/maps"), &[&[0], &layer.input[..]].concat());
        let normal = self.node(name, "Reshape", &[&normal, &maps], []);
        self.affine(layer, &normal)
    }

    /// (x − mean) / √(variance + eps) over one axis.
    fn normalised(&mut self, layer: &str, x: &str, axes: [usize; 1], eps: f64) -> String {
        let axes = self.whole_numbers(&format!("{layer}/axes"), &axes);
        let mean = self.node(layer, "ReduceMean", &[x, &axes], []);
        let centred = self.node(layer, "Sub", &[x, &mean], []);
        let squares = self.node(layer, "Mul", &[&centred, &centred], []);
        let variance = self.node(layer, "ReduceMean", &[&squares, &axes], []);
        let eps = self.scalar(eps as f32);
        let shifted = self.node(layer, "Add", &[&variance, &eps], []);
        let deviation = self.node(layer, "Sqrt", &[&shifted], []);
        self.node(layer, "Div", &[&centred, &deviation], [])
    }

    /// The layer's weight and bias, for each channel.
    fn affine(&mut self, layer: &LayerPlan, x: &str) -> Result<String, ExportError> {
        let [weight, bias] = self.weight_and_bias(layer)?;
        let scaled = self.node(&layer.name, "Mul", &[x, &weight], []);
        Ok(self.node(&layer.name, "Add", &[&scaled, &bias], []))
    }

    fn weight_and_bias(&mut self, layer: &LayerPlan) -> Result<[String; 2], ExportError> {
        let channels = layer.input[0];
        let shown = [&[channels][..], &vec![1; layer.input.len() - 1]].concat();
        let mut of =
            |word: &str| self.parameter_as(&format!("{}.{word}", layer.name), &[channels], &shown);
        Ok([of("weight")?, of("bias")?])
    }

    /// x over the squares of the channels around each one. `LRN` has the middle of an even number of channels one
    /// channel further on than PyTorch and this program, so those are written in parts: a mean over windows of
    /// channels, which stand in the rows of one map for it, and zeros beyond the ends count.
    pub(super) fn local_response_norm(
        &mut self,
        layer: &LayerPlan,
        norm: &LocalResponseNormPlan,
        x: &str,
    ) -> String {
        let name = layer.name.as_str();
        if !norm.size.is_multiple_of(2) {
            let numbers = [("alpha", norm.alpha), ("beta", norm.beta), ("bias", norm.k)];
            let numbers = numbers.map(|(name, number)| Attribute::float(name, number));
            let size = [Attribute::int("size", norm.size)];
            return self.node(name, "LRN", &[x], size.into_iter().chain(numbers));
        }
        let pixels: usize = layer.input[1..].iter().product();
        let squares = self.node(name, "Mul", &[x, x], []);
        // 0 keeps the axis of images.
        let rows = self.whole_numbers(&format!("{name}/rows"), &[0, 1, layer.input[0], pixels]);
        let rows = self.node(name, "Reshape", &[&squares, &rows], []);
        let attributes = [
            Attribute::ints("kernel_shape", [norm.size, 1]),
            Attribute::ints("pads", [norm.size / 2, 0, norm.size / 2 - 1, 0]),
            Attribute::int("count_include_pad", 1),
        ];
        let means = self.node(name, "AveragePool", &[&rows], attributes);
        let maps = self.whole_numbers(&format!("{name}/maps"), &[&[0], &layer.input[..]].concat());
        let means = self.node(name, "Reshape", &[&means, &maps], []);
        let [alpha, k, beta] = [norm.alpha, norm.k, norm.beta].map(|it| self.scalar(it as f32));
        let shares = self.node(name, "Mul", &[&means, &alpha], []);
        let sums = self.node(name, "Add", &[&shares, &k], []);
        let divisors = self.node(name, "Pow", &[&sums, &beta], []);
        self.node(name, "Div", &[x, &divisors], [])
    }

    /// x + weight · x · n + bias, n from the norms of channels.
    pub(super) fn global_response_norm(
        &mut self,
        layer: &LayerPlan,
        eps: f64,
        x: &str,
    ) -> Result<String, ExportError> {
        let name = layer.name.as_str();
        let pixels = self.whole_numbers(&format!("{name}/pixels"), &[2, 3]);
        let channels = self.whole_numbers(&format!("{name}/channels"), &[1]);
        let squares = self.node(name, "Mul", &[x, x], []);
        let sums = self.node(name, "ReduceSum", &[&squares, &pixels], []);
        let norms = self.node(name, "Sqrt", &[&sums], []);
        let mean = self.node(name, "ReduceMean", &[&norms, &channels], []);
        let eps = self.scalar(eps as f32);
        let mean = self.node(name, "Add", &[&mean, &eps], []);
        let shares = self.node(name, "Div", &[&norms, &mean], []);
        let [weight, bias] = self.weight_and_bias(layer)?;
        let scaled = self.node(name, "Mul", &[&shares, &weight], []);
        let one = self.scalar(1.0);
        let factors = self.node(name, "Add", &[&scaled, &one], []);
        let product = self.node(name, "Mul", &[x, &factors], []);
        Ok(self.node(name, "Add", &[&product, &bias], []))
    }

    /// Other channels in the place of the channels.
    pub(super) fn channels(&mut self, layer: &LayerPlan, plan: &ChannelsPlan, x: &str) -> String {
        let name = layer.name.as_str();
        if let ChannelsPlan::Pad(before, behind) = *plan {
            let pads = [0, before, 0, 0, 0, behind, 0, 0];
            let pads = self.whole_numbers(&format!("{name}/pads"), &pads);
            return self.node(name, "Pad", &[x, &pads], []);
        }
        let order: Vec<usize> = plan.order(layer.input[0]).into_iter().flatten().collect();
        let order = self.whole_numbers(&format!("{name}/order"), &order);
        self.node(name, "Gather", &[x, &order], [Attribute::int("axis", 1)])
    }

    /// A convolution across channels, which stand in the rows of one map for it.
    pub(super) fn across_channels(
        &mut self,
        layer: &LayerPlan,
        conv: AcrossChannelsPlan,
        x: &str,
    ) -> Result<String, ExportError> {
        let (name, channels) = (layer.name.as_str(), layer.input[0]);
        let rows = self.whole_numbers(&format!("{name}/rows"), &[0, 1, channels, 1]);
        let map = self.node(name, "Reshape", &[x, &rows], []);
        let filter = format!("{name}.weight");
        let shapes = ([1, 1, conv.kernel], [1, 1, conv.kernel, 1]);
        let filter = self.parameter_as(&filter, &shapes.0, &shapes.1)?;
        let attributes = [
            Attribute::ints("kernel_shape", [conv.kernel, 1]),
            Attribute::ints("pads", [conv.kernel / 2, 0, conv.kernel / 2, 0]),
        ];
        let map = self.node(name, "Conv", &[&map, &filter], attributes);
        let back = self.whole_numbers(&format!("{name}/channels"), &[0, channels, 1, 1]);
        Ok(self.node(name, "Reshape", &[&map, &back], []))
    }
}

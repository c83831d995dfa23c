//! From layers as written to a network with names, shapes and connections: every mistake is found
//! here, before a tensor exists, and points at the layer's own line.

use std::collections::BTreeSet;

use crate::basis::activation::Activation;
use crate::basis::shape::display;
use crate::config::layer::{self, Element, Layer, Merge};
use crate::config::layer_settings::{DropoutSettings, EpsSettings, Norm};
use crate::config::layer_values::{Nested, Pair, Squeeze, Width, Yes};
use crate::config::model::Defaults;
use crate::config::template::through;
use crate::config::written::Written;
use crate::document::{KeyPath, Problem};

use super::layer::{Builder, LARGEST_SIDE, LARGEST_WIDTH, wrong_groups};
use super::model::{AcrossChannelsPlan, AuxiliaryPlan, LayerKind, LayerPlan, ModelPlan, SumPlan};

const NO_DROPOUT: Written<DropoutSettings> = Written(DropoutSettings { p: 0.0, channels: false });

/// The network of `elements` on images of shape `image` (`[channels, height, width]`); or what is
/// wrong with it.
pub fn architecture(
    elements: &[Element],
    defaults: &Defaults,
    image: [usize; 3],
    classes: usize,
) -> Result<ModelPlan, Vec<Problem>> {
    let mut graph = Graph::new(defaults, classes);
    if elements.is_empty() {
        let path = KeyPath::root().key("model").key("layers");
        graph.problems.push(
            Problem::value(path, "the network has no layers")
                .help("the smallest network is [\"flatten\", { dense = \"classes\" }]"),
        );
    }
    let input = Point { source: 0, shape: image.to_vec() };
    let output = graph.list(elements, Some(input), true);
    let input = image.to_vec();
    let base = ModelPlan { input, classes, ..ModelPlan::default() };
    graph.finish(output, elements.last(), base)
}

/// The network `kept` with `elements` behind its last layer; or what is wrong with these.
pub fn extended(
    mut kept: ModelPlan,
    elements: &[Element],
    defaults: &Defaults,
    classes: usize,
) -> Result<ModelPlan, Vec<Problem>> {
    let mut graph = Graph::new(defaults, classes);
    let shape = kept.layers.last().map_or(&kept.input, |last| &last.output).clone();
    let end = Point { source: kept.layers.len(), shape };
    for layer in &kept.layers {
        graph.names.insert(layer.name.clone());
        graph.names.extend(layer.norm_name.clone());
    }
    graph.layers = std::mem::take(&mut kept.layers);
    let output = graph.list(elements, Some(end), true);
    graph.finish(output, elements.last(), ModelPlan { classes, ..kept })
}

/// A value in the network: what gives it (0 is the image, else the number of a layer) and its shape.
#[derive(Clone)]
struct Point {
    source: usize,
    shape: Vec<usize>,
}

/// What stands behind a product as layers of its own.
struct Behind {
    norm: Norm,
    /// Where the norm is written.
    norm_at: KeyPath,
    activation: Written<Option<Activation>>,
    dropout: Written<DropoutSettings>,
    /// What the dropout is written in.
    dropout_at: KeyPath,
    /// Of the norm.
    name: Option<String>,
}

/// The network while it grows.
struct Graph<'a> {
    defaults: &'a Defaults,
    classes: usize,
    layers: Vec<LayerPlan>,
    auxiliary: Vec<AuxiliaryPlan>,
    names: BTreeSet<String>,
    problems: Vec<Problem>,
    /// So many problems know the blocks that they came through.
    noted: usize,
}

impl Graph<'_> {
    fn new(defaults: &Defaults, classes: usize) -> Graph<'_> {
        Graph {
            defaults,
            classes,
            layers: Vec::new(),
            auxiliary: Vec::new(),
            names: BTreeSet::new(),
            problems: Vec::new(),
            noted: 0,
        }
    }

    /// The network with these layers in place of those of `base`, if all is well up to its `output`.
    fn finish(
        mut self,
        output: Option<Point>,
        last: Option<&Element>,
        base: ModelPlan,
    ) -> Result<ModelPlan, Vec<Problem>> {
        if let (Some(output), Some(last)) = (output, last) {
            self.check_logits(&output, last);
        }
        let Graph { layers, auxiliary, problems, .. } = self;
        if problems.is_empty() {
            Ok(ModelPlan { layers, auxiliary, ..base })
        } else {
            Err(problems)
        }
    }

    /// Appends `elements`, each on the result of the one before. After a broken shape the numbers of
    /// later layers are still checked, on no shape at all.
    fn list(
        &mut self,
        elements: &[Element],
        input: Option<Point>,
        gives_logits: bool,
    ) -> Option<Point> {
        let mut point = input;
        for (index, element) in elements.iter().enumerate() {
            let before = self.problems.len();
            let is_last = gives_logits && index + 1 == elements.len();
            let next = self.element(element, point, is_last);
            point = next.filter(|_| self.problems.len() == before);
            for problem in &mut self.problems[self.noted..] {
                *problem = through(problem.clone(), &element.through);
            }
            self.noted = self.problems.len();
        }
        point
    }

    fn element(&mut self, element: &Element, input: Option<Point>, is_last: bool) -> Option<Point> {
        match &element.layer {
            Layer::Residual(residual) => self.residual(element, residual, input),
            Layer::Branches(branches) => self.branches(element, branches, input),
            Layer::Auxiliary(auxiliary) => self.auxiliary(element, auxiliary, input),
            Layer::SqueezeExcite(squeeze) => self.squeeze_excite(element, squeeze, input),
            Layer::Eca(eca) => self.eca(element, eca, input),
            Layer::Whiten(_) if input.as_ref().is_some_and(|input| input.source != 0) => {
                self.problems.push(
                    Problem::value(
                        element.at.key("whiten"),
                        format!("{} does not get the input images", element.name),
                    )
                    .label("must come first")
                    .help("put it before all other layers"),
                );
                None
            }
            Layer::SeparableConv(conv) => self.separable_conv(element, conv, input, is_last),
            layer => self.layer(element, layer, &element.name, input, is_last),
        }
    }

    /// Appends one layer of the plan.
    fn layer(
        &mut self,
        element: &Element,
        layer: &Layer,
        name: &str,
        input: Option<Point>,
        is_last: bool,
    ) -> Option<Point> {
        if let (false, Some((product, behind))) = (is_last, self.norm_apart(element, layer)) {
            return self.in_parts(element, &product, &behind, name, input);
        }
        self.single(element, &element.at, layer, name, input, is_last)
    }

    /// Appends one layer of the plan, whose settings are written at `at`.
    fn single(
        &mut self,
        element: &Element,
        at: &KeyPath,
        layer: &Layer,
        name: &str,
        input: Option<Point>,
        is_last: bool,
    ) -> Option<Point> {
        let mut builder = Builder {
            at,
            name,
            defaults: self.defaults,
            classes: self.classes,
            is_last,
            problems: &mut self.problems,
        };
        let built = builder.layer(layer, input.as_ref().map(|input| &input.shape[..]));
        let norm_name = match layer {
            Layer::Conv(conv) => conv.norm_name.as_ref(),
            Layer::Dense(dense) => dense.norm_name.as_ref(),
            _ => None,
        };
        let norm_name = norm_name.map(|own| format!("{}{own}", element.scope));
        self.name(element, name);
        if let Some(norm_name) = &norm_name {
            self.name(element, norm_name);
        }
        let (kind, output) = built?;
        Some(self.append(name.to_owned(), &[input?], output, norm_name, kind))
    }

    /// If `layer` has a norm that is a layer of its own: the product alone, and its norm, activation and dropout.
    fn norm_apart(&self, element: &Element, layer: &Layer) -> Option<(Layer, Behind)> {
        let own = match layer {
            Layer::Conv(conv) => (conv.norm, conv.activation, conv.dropout, &conv.norm_name),
            Layer::Dense(dense) => (dense.norm, dense.activation, dense.dropout, &dense.norm_name),
            _ => return None,
        };
        let norm = own.0.unwrap_or(self.defaults.norm);
        if matches!(norm, Norm::None | Norm::Batch(_)) {
            return None;
        }
        let written_in = |is_own: bool| match is_own {
            true => element.at.clone(),
            false => KeyPath::root().key("model").key("defaults"),
        };
        let behind = Behind {
            norm,
            norm_at: written_in(own.0.is_some()).key("norm"),
            activation: own.1.unwrap_or(self.defaults.activation),
            dropout: own.2.unwrap_or(self.defaults.dropout),
            dropout_at: written_in(own.2.is_some()),
            name: own.3.clone(),
        };
        let (norm, activation, dropout) = (Some(Norm::None), Some(Written(None)), Some(NO_DROPOUT));
        let product = match layer {
            Layer::Conv(conv) => Layer::Conv(layer::Conv {
                norm,
                activation,
                dropout,
                norm_name: None,
                ..conv.clone()
            }),
            Layer::Dense(dense) => Layer::Dense(layer::Dense {
                norm,
                activation,
                dropout,
                norm_name: None,
                ..dense.clone()
            }),
            other => other.clone(),
        };
        Some((product, behind))
    }

    /// A product, then a norm, an activation and dropout as layers of their own.
    fn in_parts(
        &mut self,
        element: &Element,
        product: &Layer,
        behind: &Behind,
        name: &str,
        input: Option<Point>,
    ) -> Option<Point> {
        let mut point = self.single(element, &element.at, product, name, input, false);
        let (word, norm) = match behind.norm {
            Norm::Group(groups) => {
                let at = behind.norm_at.key("group");
                let channels = point.as_ref().map(|point| point.shape[0]);
                if let Some(problem) = wrong_groups(at, groups, channels, &format!(" of {name}")) {
                    self.problems.push(problem);
                    return None;
                }
                let norm = layer::GroupNorm { group_norm: groups, eps: None, name: None };
                ("group", Layer::GroupNorm(norm))
            }
            Norm::Instance(EpsSettings { eps }) => {
                let norm = layer::InstanceNorm { instance_norm: Yes, eps, name: None };
                ("instance", Layer::InstanceNorm(norm))
            }
            Norm::Layer(EpsSettings { eps }) => {
                let norm = layer::LayerNorm { layer_norm: Yes, eps, name: None };
                ("layer", Layer::LayerNorm(norm))
            }
            Norm::None | Norm::Batch(_) => return point,
        };
        let norm_name = match &behind.name {
            Some(own) => format!("{}{own}", element.scope),
            None => format!("{name}.norm"),
        };
        let at = behind.norm_at.key(word);
        point = self.single(element, &at, &norm, &norm_name, point, false);
        if behind.activation.0.is_some() {
            let activation = behind.activation;
            let layer = Layer::Activation(layer::ActivationLayer { activation, name: None });
            let name = format!("{name}.activation");
            point = self.single(element, &element.at, &layer, &name, point, false);
        }
        let Written(dropout) = behind.dropout;
        if dropout.p != 0.0 {
            let dropout = behind.dropout;
            let layer = Layer::Dropout(layer::DropoutLayer { dropout, name: None });
            let name = format!("{name}.dropout");
            point = self.single(element, &behind.dropout_at, &layer, &name, point, false);
        }
        point
    }

    /// Takes a name, which nothing else may have.
    fn name(&mut self, element: &Element, name: &str) {
        if !self.names.insert(name.to_owned()) {
            let at = if element.is_named { element.at.key("name") } else { element.at.clone() };
            self.problems.push(
                Problem::value(at, format!("two layers are named \"{name}\""))
                    .label("the second one")
                    .help("a name is a prefix of parameters, so it must be unique"),
            );
        }
    }

    /// A name for a layer without parameters in `element`, such as where branches meet. If it is taken, a number is
    /// added: no parameter has it as its prefix.
    fn free_name(&mut self, element: &Element, word: &str) -> String {
        let wanted = format!("{}{word}", element.inner);
        let more = (2..).map(|number| format!("{wanted}{number}"));
        let mut names = std::iter::once(wanted.clone()).chain(more);
        let name = names.find(|name| !self.names.contains(name)).unwrap_or(wanted);
        self.name(element, &name);
        name
    }

    fn append(
        &mut self,
        name: String,
        inputs: &[Point],
        output: Vec<usize>,
        norm_name: Option<String>,
        kind: LayerKind,
    ) -> Point {
        let mut from: Vec<usize> = inputs.iter().map(|input| input.source).collect();
        if from == [self.layers.len()] {
            from.clear();
        }
        let input = inputs.first().map(|input| input.shape.clone()).unwrap_or_default();
        self.layers.push(LayerPlan {
            name,
            from,
            input,
            output: output.clone(),
            norm_name,
            kind,
            tuning: None,
        });
        Point { source: self.layers.len(), shape: output }
    }

    fn residual(
        &mut self,
        element: &Element,
        residual: &layer::Residual,
        input: Option<Point>,
    ) -> Option<Point> {
        let Nested(body) = &residual.residual;
        if body.is_empty() {
            self.problems.push(
                Problem::value(element.at.key("residual"), "a residual needs at least one layer")
                    .label("no layers")
                    .help("{ residual = [{ conv = 32, kernel = 3, padding = \"same\" }] }"),
            );
        }
        let p = residual.stochastic_depth.unwrap_or(0.0);
        if !(0.0..1.0).contains(&p) {
            self.problems.push(
                Problem::value(
                    element.at.key("stochastic-depth"),
                    format!("a stochastic depth of {p} is not in [0, 1)"),
                )
                .label("a probability")
                .help("0.1 skips the layers for every tenth image in training"),
            );
        }
        let mut inner = self.list(body, input.clone(), false);
        if p > 0.0
            && let Some(point) = inner
        {
            let name = self.free_name(element, "stochastic-depth");
            let shape = point.shape.clone();
            inner = Some(self.append(name, &[point], shape, None, LayerKind::StochasticDepth(p)));
        }
        let around = match &residual.shortcut {
            Some(Nested(shortcut)) => self.list(shortcut, input, false),
            None => input,
        };
        let (inner, around) = (inner?, around?);
        if inner.shape != around.shape {
            let (found, other) = (display(&inner.shape), display(&around.shape));
            let filters = inner.shape[0];
            self.problems.push(
                Problem::value(
                    element.at.key("residual"),
                    format!(
                        "the residual gives {found}, its shortcut {other}: they cannot be added"
                    ),
                )
                .label(format!("the output is {found}"))
                .help(format!(
                    "use a shortcut that gives the same shape: shortcut = [{{ conv = {filters}, \
                     kernel = 1, stride = …, activation = \"none\" }}]"
                )),
            );
            return None;
        }
        let Written(activation) = residual.activation.unwrap_or(self.defaults.activation);
        let name = self.free_name(element, "sum");
        let shape = inner.shape.clone();
        let kind = LayerKind::Sum(SumPlan { activation });
        Some(self.append(name, &[inner, around], shape, None, kind))
    }

    fn branches(
        &mut self,
        element: &Element,
        branches: &layer::Branches,
        input: Option<Point>,
    ) -> Option<Point> {
        let lists = &branches.branches.0;
        if lists.len() < 2 {
            self.problems.push(
                Problem::value(element.at.key("branches"), "branches needs at least two lists")
                    .label("too few")
                    .help("branches = [[ … ], [ … ]]: lists of layers; an empty one passes the input on"),
            );
        }
        let ends: Vec<Option<Point>> =
            lists.iter().map(|list| self.list(list, input.clone(), false)).collect();
        let ends: Vec<Point> = ends.into_iter().collect::<Option<_>>()?;
        let first = ends.first()?.shape.clone();
        let merge = branches.merge.unwrap_or(Merge::Concat);
        // Of two branches to be multiplied, the second may be factors for channels or for pixels.
        let are_factors = |shape: &[usize]| match first[..] {
            [channels, height, width] if ends.len() == 2 && *shape != first => {
                *shape == [channels, 1, 1] || *shape == [1, height, width]
            }
            _ => false,
        };
        let fits = |shape: &[usize]| match merge {
            Merge::Concat => shape.len() == first.len() && shape[1..] == first[1..],
            Merge::Rows => {
                let are_maps = shape.len() == 3 && first.len() == 3;
                are_maps && shape[0] == first[0] && shape[2] == first[2]
            }
            Merge::Sum => *shape == first,
            Merge::Multiply => *shape == first || are_factors(shape),
        };
        if let Some(index) = ends.iter().position(|end| !fits(&end.shape)) {
            let (found, other) = (display(&ends[index].shape), display(&first));
            let (verb, help) = match merge {
                Merge::Concat => ("concatenated", "their heights and widths must be the same"),
                Merge::Rows => (
                    "stacked",
                    "they must be maps with the same number of channels and the same width",
                ),
                Merge::Sum => ("added", "their shapes must be the same"),
                Merge::Multiply if ends.len() == 2 => (
                    "multiplied",
                    "their shapes must be the same, or the second branch needs one value per channel, or one channel",
                ),
                Merge::Multiply => ("multiplied", "their shapes must be the same"),
            };
            self.problems.push(
                Problem::value(
                    element.at.key("branches").index(index),
                    format!(
                        "this branch gives {found}, the first one {other}: they cannot be {verb}"
                    ),
                )
                .label(format!("the output is {found}"))
                .help(help),
            );
            return None;
        }
        let mut output = first.clone();
        let (word, kind) = match merge {
            Merge::Concat => {
                output[0] = ends.iter().map(|end| end.shape[0]).sum();
                ("concat", LayerKind::Concat {})
            }
            Merge::Rows => {
                output[1] = ends.iter().map(|end| end.shape[1]).sum();
                if output[1] > LARGEST_SIDE {
                    let message = format!("{} rows are more than {LARGEST_SIDE}", output[1]);
                    let at = element.at.key("branches");
                    self.problems.push(Problem::value(at, message).label("too many together"));
                    return None;
                }
                ("concat", LayerKind::ConcatRows {})
            }
            Merge::Sum => ("sum", LayerKind::Sum(SumPlan { activation: None })),
            Merge::Multiply if ends.iter().any(|end| are_factors(&end.shape)) => {
                ("scale", LayerKind::Scale {})
            }
            Merge::Multiply => ("product", LayerKind::Product {}),
        };
        let name = self.free_name(element, word);
        Some(self.append(name, &ends, output, None, kind))
    }

    fn auxiliary(
        &mut self,
        element: &Element,
        auxiliary: &layer::Auxiliary,
        input: Option<Point>,
    ) -> Option<Point> {
        let weight = auxiliary.loss_weight.unwrap_or(0.3);
        if weight < 0.0 {
            self.problems.push(
                Problem::value(
                    element.at.key("loss-weight"),
                    format!("a weight of {weight} is negative"),
                )
                .label("weight of this head's loss")
                .help("0 removes the head"),
            );
        }
        let before = self.layers.len();
        let logits = self.list(&auxiliary.auxiliary.0, input.clone(), true);
        if let Some(logits) = logits {
            match auxiliary.auxiliary.0.last() {
                Some(last) => self.check_logits(&logits, last),
                None => self.problems.push(
                    Problem::value(element.at.key("auxiliary"), "a head needs at least one layer")
                        .label("no layers")
                        .help("{ auxiliary = [\"flatten\", { dense = \"classes\" }] }"),
                ),
            }
            if weight > 0.0 {
                self.auxiliary.push(AuxiliaryPlan { logits: logits.source, loss_weight: weight });
            }
        }
        // A head without weight is checked, but left out.
        if weight <= 0.0 {
            self.layers.truncate(before);
        }
        input
    }

    /// The means of all channels, two products with a gate behind them, a factor for each channel.
    fn squeeze_excite(
        &mut self,
        element: &Element,
        squeeze: &layer::SqueezeExcite,
        input: Option<Point>,
    ) -> Option<Point> {
        let at = element.at.key("squeeze-excite");
        let channels = input.as_ref().map(|input| input.shape[0]);
        let neurons = match squeeze.squeeze_excite {
            Squeeze::Neurons(neurons) => neurons,
            Squeeze::Ratio(ratio) => {
                let channels = channels.unwrap_or(ratio);
                if ratio == 0 || ratio > channels {
                    self.problems.push(
                        Problem::value(
                            at,
                            format!("{channels} channels cannot be squeezed {ratio} times"),
                        )
                        .label("channels per hidden neuron")
                        .help(
                            "16 is the value of the paper; it must be between 1 and the number of channels",
                        ),
                    );
                    return None;
                }
                channels / ratio
            }
        };
        if neurons == 0 || neurons > LARGEST_WIDTH {
            let message = format!("{neurons} neurons are not between 1 and {LARGEST_WIDTH}");
            self.problems.push(Problem::value(at, message).label("number of neurons"));
            return None;
        }
        let channels = channels.unwrap_or(neurons);
        let product = |filters, activation| {
            Layer::Conv(layer::Conv {
                conv: Width::Count(filters),
                kernel: Pair([1, 1]),
                stride: None,
                padding: None,
                dilation: None,
                groups: None,
                bias: Some(true),
                norm: Some(Norm::None),
                activation: Some(activation),
                dropout: Some(NO_DROPOUT),
                init: squeeze.init,
                name: None,
                norm_name: None,
            })
        };
        let between = squeeze.activation.unwrap_or(Written(Some(Activation::Relu)));
        let gate = squeeze.gate.unwrap_or(Written(Some(Activation::Sigmoid)));
        let pool = Layer::AdaptiveAvgPool(layer::AdaptiveAvgPool {
            adaptive_avg_pool: Pair([1, 1]),
            name: None,
        });
        let steps =
            [("pool", pool), ("fc1", product(neurons, between)), ("fc2", product(channels, gate))];
        let mut point = input.clone();
        for (word, layer) in steps {
            let name = format!("{}{word}", element.inner);
            point = self.layer(element, &layer, &name, point, false);
        }
        let (input, factors) = (input?, point?);
        let name = format!("{}scale", element.inner);
        self.name(element, &name);
        let shape = input.shape.clone();
        Some(self.append(name, &[input, factors], shape, None, LayerKind::Scale {}))
    }

    /// The means of all channels, a convolution across them with a gate behind it, a factor for each channel.
    fn eca(&mut self, element: &Element, eca: &layer::Eca, input: Option<Point>) -> Option<Point> {
        let kernel = eca.eca;
        let wrong = match () {
            () if kernel.is_multiple_of(2) => Some(("has no middle", "an odd number")),
            () if kernel > LARGEST_SIDE => Some(("is too large", "at most 65535")),
            () => None,
        };
        if let Some((what, label)) = wrong {
            let message = format!("a window of {kernel} channels {what}");
            self.problems.push(
                Problem::value(element.at.key("eca"), message)
                    .label(label)
                    .help("the paper uses 3 for tens of channels, 5 for hundreds"),
            );
            return None;
        }
        let pool = Layer::AdaptiveAvgPool(layer::AdaptiveAvgPool {
            adaptive_avg_pool: Pair([1, 1]),
            name: None,
        });
        let name = format!("{}pool", element.inner);
        let means = self.layer(element, &pool, &name, input.clone(), false)?;
        let name = format!("{}conv", element.inner);
        self.name(element, &name);
        let init = eca.init.unwrap_or(self.defaults.init);
        let kind = LayerKind::AcrossChannels(AcrossChannelsPlan { kernel, init });
        let shape = means.shape.clone();
        let mut factors = self.append(name, &[means], shape.clone(), None, kind);
        if let Written(Some(gate)) = eca.gate.unwrap_or(Written(Some(Activation::Sigmoid))) {
            let name = format!("{}gate", element.inner);
            self.name(element, &name);
            factors = self.append(name, &[factors], shape, None, LayerKind::Activation(gate));
        }
        let input = input?;
        let name = format!("{}scale", element.inner);
        self.name(element, &name);
        let shape = input.shape.clone();
        Some(self.append(name, &[input, factors], shape, None, LayerKind::Scale {}))
    }

    fn separable_conv(
        &mut self,
        element: &Element,
        conv: &layer::SeparableConv,
        input: Option<Point>,
        is_last: bool,
    ) -> Option<Point> {
        let product = |filters, kernel, groups, dropout| layer::Conv {
            conv: filters,
            kernel,
            stride: None,
            padding: None,
            dilation: None,
            groups,
            bias: conv.bias,
            norm: conv.norm,
            activation: conv.activation,
            dropout,
            init: conv.init,
            name: None,
            norm_name: None,
        };
        let depthwise = layer::Conv {
            stride: conv.stride,
            padding: conv.padding,
            dilation: conv.dilation,
            ..product(Width::Channels, conv.kernel, Some(Width::Channels), Some(NO_DROPOUT))
        };
        let pointwise = product(conv.separable_conv, Pair([1, 1]), None, conv.dropout);
        let name = format!("{}depthwise", element.inner);
        let point = self.layer(element, &Layer::Conv(depthwise), &name, input, false);
        let name = format!("{}pointwise", element.inner);
        self.layer(element, &Layer::Conv(pointwise), &name, point, is_last)
    }

    /// Logits are one score for each class.
    fn check_logits(&mut self, output: &Point, last: &Element) {
        if output.shape[..] != [self.classes] {
            let problem = wrong_output(&output.shape, self.classes, &last.layer, &last.at);
            self.problems.push(through(problem, &last.through));
            self.noted = self.problems.len();
        }
    }
}

fn wrong_output(output: &[usize], classes: usize, last: &Layer, at: &KeyPath) -> Problem {
    let found = display(output);
    match last {
        Layer::Dense(_) => Problem::value(
            at.key("dense"),
            format!("the network gives {found} logits, but the data has {classes} classes"),
        )
        .label(format!("{found} neurons"))
        .help(
            "use dense = \"classes\"; for a network that was trained for other classes, use [transfer]; to \
             predict with it unchanged, use wick predict --experiment FILE --weights FILE --classes NAMES",
        ),
        _ => Problem::value(
            at.clone(),
            format!(
                "the network ends with {found}, not with one logit for each of {classes} classes"
            ),
        )
        .label("the last layer")
        .help("end with \"flatten\" and { dense = \"classes\" }"),
    }
}

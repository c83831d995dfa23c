//! A graph under construction: nodes in the order in which they run, and tensors.
//!
//! Parameters keep their names. A node and its result are called `LAYER/OPERATOR`.

use std::collections::BTreeSet;

use crate::model::network::Weights;
use crate::model::weights::bytes;
use crate::train::card::Card;

use super::super::error::{ExportError, take};
use super::Input;
use super::messages::{Attribute, DataType, GraphMessage, Node, TensorMessage, Value};

/// Nodes and tensors so far.
pub(super) struct Graph<'a> {
    weights: &'a mut Weights,
    names: BTreeSet<String>,
    nodes: Vec<Node>,
    tensors: Vec<TensorMessage>,
}

impl<'a> Graph<'a> {
    /// An empty graph, whose parameters will be taken out of `weights`.
    pub(super) fn new(weights: &'a mut Weights) -> Graph<'a> {
        // Parameters come first: theirs are the names that people look for.
        let names = weights.keys().cloned().collect();
        Graph { weights, names, nodes: Vec::new(), tensors: Vec::new() }
    }

    /// `wanted`, or if there is such a name already, one like it.
    pub(super) fn name(&mut self, wanted: &str) -> String {
        let more = (2..).map(|number| format!("{wanted}_{number}"));
        let mut names = std::iter::once(wanted.to_owned()).chain(more);
        let name = names.find(|name| !self.names.contains(name)).expect("endless");
        self.names.insert(name.clone());
        name
    }

    /// Adds a node to the layer called `layer`; the name of its result.
    pub(super) fn node(
        &mut self,
        layer: &str,
        operator: &str,
        inputs: &[&str],
        attributes: impl IntoIterator<Item = Attribute>,
    ) -> String {
        let name = self.name(&format!("{layer}/{operator}"));
        self.nodes.push(Node {
            input: inputs.iter().map(|input| (*input).to_owned()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: operator.to_owned(),
            attribute: attributes.into_iter().collect(),
        });
        name
    }

    /// Adds a parameter or running statistic of the network.
    pub(super) fn parameter(&mut self, name: &str, shape: &[usize]) -> Result<String, ExportError> {
        self.parameter_as(name, shape, shape)
    }

    /// As [`parameter`](Self::parameter), with its numbers in another shape.
    pub(super) fn parameter_as(
        &mut self,
        name: &str,
        shape: &[usize],
        shown: &[usize],
    ) -> Result<String, ExportError> {
        let values = take(self.weights, name, shape)?;
        self.add(name.to_owned(), shown, DataType::Float, bytes(&values).into_owned());
        Ok(name.to_owned())
    }

    /// Adds numbers that a layer needs and nobody learns.
    pub(super) fn constant(&mut self, wanted: &str, shape: &[usize], values: &[f32]) -> String {
        let name = self.name(wanted);
        self.add(name.clone(), shape, DataType::Float, bytes(values).into_owned());
        name
    }

    /// A single number; the same one is there once.
    pub(super) fn scalar(&mut self, value: f32) -> String {
        let name = format!("constant/{value}");
        if self.names.contains(&name) { name } else { self.constant(&name, &[], &[value]) }
    }

    /// Adds a list of whole numbers.
    pub(super) fn whole_numbers(&mut self, wanted: &str, values: &[usize]) -> String {
        let name = self.name(wanted);
        let raw = values.iter().flat_map(|value| (*value as i64).to_le_bytes()).collect();
        self.add(name.clone(), &[values.len()], DataType::Int64, raw);
        name
    }

    fn add(&mut self, name: String, shape: &[usize], data_type: DataType, raw_data: Vec<u8>) {
        let dims = shape.iter().map(|side| *side as i64).collect();
        self.tensors.push(TensorMessage { dims, data_type: data_type.into(), name, raw_data });
    }

    /// From what comes in to what the network was trained on; the name of the result.
    pub(super) fn preprocessing(&mut self, card: &Card, input: Input, images: &str) -> String {
        const LAYER: &str = "preprocessing";
        let pixels = match input {
            Input::Normalised => return images.to_owned(),
            Input::Pixels => images.to_owned(),
            Input::Bytes => {
                let to = Attribute::int("to", DataType::Float as usize);
                let numbers = self.node(LAYER, "Cast", &[images], [to]);
                let order = Attribute::ints("perm", [0, 3, 1, 2]);
                self.node(LAYER, "Transpose", &[&numbers], [order])
            }
        };
        // The arithmetic of training, operation by operation.
        let white = self.scalar(255.0);
        let mean = self.constant("preprocessing/mean", &[card.mean.len(), 1, 1], &card.mean);
        let std = self.constant("preprocessing/std", &[card.std.len(), 1, 1], &card.std);
        let scaled = self.node(LAYER, "Div", &[&pixels, &white], []);
        let centred = self.node(LAYER, "Sub", &[&scaled, &mean], []);
        self.node(LAYER, "Div", &[&centred, &std], [])
    }

    /// Probabilities of logits.
    pub(super) fn softmax(&mut self, logits: &str) -> String {
        self.node("probabilities", "Softmax", &[logits], [Attribute::int("axis", 1)])
    }

    /// Gives the result called `from` another name.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let names =
            self.nodes.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        names.filter(|name| *name == from).for_each(|name| to.clone_into(name));
    }

    /// The graph from `input` to `output`.
    pub(super) fn finish(self, name: &str, input: Value, output: Value) -> GraphMessage {
        GraphMessage {
            node: self.nodes,
            name: name.to_owned(),
            initializer: self.tensors,
            input: vec![input],
            output: vec![output],
        }
    }
}

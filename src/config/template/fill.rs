//! Parameters filled into the strings of an element.

use super::expression::{Filled, Parameters, fill};
use super::{LISTS, Scope, Unfolder};
use crate::config::layer::Layer;
use crate::document::{Content, Entry, KeyPath, Node, Problem};

impl Unfolder<'_> {
    /// The value that `node` stands for, and where that was written.
    pub(super) fn parameter_or_itself(
        &mut self,
        node: &Node,
        at: &KeyPath,
        scope: &Scope,
    ) -> Option<(Node, KeyPath)> {
        let Content::String(text) = &node.content else { return Some((node.clone(), at.clone())) };
        match fill(text, scope.parameters) {
            Ok(Filled::Plain) => Some((node.clone(), at.clone())),
            Ok(Filled::Parameter(node, at)) => Some((node, at)),
            Ok(Filled::Value(content)) => {
                Some((Node { content, place: node.place.clone() }, at.clone()))
            }
            Err(mistake) => {
                let problem = Problem::value(at.clone(), mistake.message).label("here");
                self.problem(problem.help(mistake.help), scope);
                None
            }
        }
    }

    /// An element with its settings filled in; lists of layers wait until they are unfolded,
    /// except for those that a block gets as arguments.
    pub(super) fn fill_shallow(&mut self, node: &Node, at: &KeyPath, scope: &Scope) -> Node {
        let is_call = Layer::kind_of(node) == Some("block");
        match &node.content {
            Content::Table(entries) => {
                let entries = entries
                    .iter()
                    .map(|entry| {
                        if LISTS.contains(&entry.key.as_str()) && !is_call {
                            return self.list_to_read(entry, at, scope);
                        }
                        let at = at.key(&entry.key);
                        let mut value =
                            self.fill(&entry.value, &at, scope.parameters, scope.through);
                        // `name = "${index + 1}"` is a name, whatever the expression's type.
                        if let (Content::Integer(number), Content::String(_)) =
                            (&value.content, &entry.value.content)
                            && ["name", "norm-name"].contains(&entry.key.as_str())
                        {
                            value.content = Content::String(number.to_string());
                        }
                        Entry { value, ..entry.clone() }
                    })
                    .collect();
                Node { content: Content::Table(entries), place: node.place.clone() }
            }
            _ => self.fill(node, at, scope.parameters, scope.through),
        }
    }

    /// A list of layers for reading its container, which only wants to see a list.
    pub(super) fn list_to_read(&mut self, entry: &Entry, at: &KeyPath, scope: &Scope) -> Entry {
        let at = at.key(&entry.key);
        let mut value = entry.value.clone();
        if let Some((node, _)) = self.parameter_or_itself(&entry.value, &at, scope) {
            value.content = node.content;
        }
        if let (Content::Array(lists), "branches") = (&mut value.content, entry.key.as_str()) {
            for (index, list) in lists.iter_mut().enumerate() {
                if let Some((node, _)) = self.parameter_or_itself(list, &at.index(index), scope) {
                    *list = node;
                }
            }
        }
        Entry { value, ..entry.clone() }
    }

    pub(super) fn fill(
        &mut self,
        node: &Node,
        at: &KeyPath,
        parameters: &Parameters,
        through: &[String],
    ) -> Node {
        let content = match &node.content {
            Content::String(text) => match fill(text, parameters) {
                Ok(Filled::Plain) => node.content.clone(),
                Ok(Filled::Parameter(value, _)) => value.content,
                Ok(Filled::Value(content)) => content,
                Err(mistake) => {
                    let scope = Scope { parameters, prefix: "", label: "", through };
                    let problem = Problem::value(at.clone(), mistake.message).label("here");
                    self.problem(problem.help(mistake.help), &scope);
                    node.content.clone()
                }
            },
            Content::Array(items) => Content::Array(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.fill(item, &at.index(index), parameters, through))
                    .collect(),
            ),
            Content::Table(entries) => Content::Table(
                entries
                    .iter()
                    .map(|entry| {
                        let at = at.key(&entry.key);
                        let value = self.fill(&entry.value, &at, parameters, through);
                        Entry { value, ..entry.clone() }
                    })
                    .collect(),
            ),
            other => other.clone(),
        };
        Node { content, place: node.place.clone() }
    }
}

//! From the layers as written to layers one by one: parameters filled in, blocks and repeats
//! unfolded, names completed.
//!
//! Each element keeps the path at which its template stands, so that what is wrong with the third
//! layer of a block points at that layer's own line.

mod blocks;
mod expression;
mod fill;

use self::expression::Parameters;
use super::layer::{Element, Layer, default_names};
use super::layer_values::{Nested, NestedLists};
use crate::document::{Content, KeyPath, Node, Problem};

/// Blocks inside blocks, at most.
const DEEPEST: usize = 64;

/// More layers than this are taken for a mistake.
const MOST_LAYERS: usize = 20_000;

/// Keys that hold layers.
const LISTS: [&str; 5] = ["residual", "shortcut", "branches", "auxiliary", "layers"];

/// The layers of the table `[model]`, unfolded; or all that is wrong with them. Mistakes in a
/// layer's own settings are found by the plan.
pub fn unfold(model: &Node) -> Result<Vec<Element>, Vec<Problem>> {
    let at = KeyPath::root().key("model");
    let mut unfolder = Unfolder { blocks: model.get("blocks"), ..Unfolder::default() };
    let path = at.key("layers");
    let Some(layers) = model.get("layers") else {
        return Err(vec![
            Problem::missing(path, "the key \"model.layers\" is missing")
                .label("no layers in here")
                .help("layers = [{ conv = 6, kernel = 3 }, { max-pool = 2 }, \"flatten\", { dense = \"classes\" }], or preset = \"resnet18-32\""),
        ]);
    };
    unfolder.globals = unfolder.global_parameters(model, &at);
    unfolder.check_blocks(&at);
    let globals = unfolder.globals.clone();
    let scope = Scope { parameters: &globals, prefix: "", label: "", through: &[] };
    let elements = unfolder.list(layers, &path, &scope);
    if unfolder.problems.is_empty() { Ok(elements) } else { Err(unfolder.problems) }
}

/// What the names of a new head's layers begin with.
pub const HEAD: &str = "head.";

/// The layers of `list`, which stand at `at` and are put on the network of the table `[model]`: they
/// may use its blocks and parameters.
pub fn head(model: &Node, list: &Node, at: &KeyPath) -> Result<Vec<Element>, Vec<Problem>> {
    let mut unfolder = Unfolder { blocks: model.get("blocks"), ..Unfolder::default() };
    let globals = unfolder.global_parameters(model, &KeyPath::root().key("model"));
    // The network itself tells what is wrong with them.
    unfolder.problems.clear();
    unfolder.globals = globals.clone();
    let scope = Scope { parameters: &globals, prefix: HEAD, label: "", through: &[] };
    let elements = unfolder.list(list, at, &scope);
    if unfolder.problems.is_empty() { Ok(elements) } else { Err(unfolder.problems) }
}

/// A copy of `node` with the network's parameters filled in.
pub fn filled(model: &Node, node: &Node, at: &KeyPath) -> Result<Node, Vec<Problem>> {
    let mut unfolder = Unfolder::default();
    let parameters = unfolder.global_parameters(model, &KeyPath::root().key("model"));
    unfolder.problems.clear();
    let node = unfolder.fill(node, at, &parameters, &[]);
    if unfolder.problems.is_empty() { Ok(node) } else { Err(unfolder.problems) }
}

/// What surrounds a list of layers.
#[derive(Clone, Copy)]
struct Scope<'a> {
    parameters: &'a Parameters,
    /// What names begin with: empty, or ends with a dot.
    prefix: &'a str,
    /// What names that nobody gave have between prefix and name, so that those of a body and of a
    /// shortcut, and those of two branches, differ.
    label: &'a str,
    through: &'a [String],
}

#[derive(Default)]
struct Unfolder<'a> {
    blocks: Option<&'a Node>,
    globals: Parameters,
    problems: Vec<Problem>,
    count: usize,
}

impl Unfolder<'_> {
    fn global_parameters(&mut self, model: &Node, at: &KeyPath) -> Parameters {
        let at = at.key("parameters");
        match model.get("parameters").map(|node| &node.content) {
            None => Parameters::new(),
            Some(Content::Table(entries)) => entries
                .iter()
                .map(|entry| (entry.key.clone(), (entry.value.clone(), at.key(&entry.key))))
                .collect(),
            Some(other) => {
                let message = format!("{at}: expected a table, found {}", other.describe());
                self.problems.push(
                    Problem::value(at, message)
                        .label("not a table")
                        .help("[model.parameters] holds names and values: width = 64"),
                );
                Parameters::new()
            }
        }
    }

    /// The elements of a list; the list may be the value of a parameter.
    fn list(&mut self, list: &Node, at: &KeyPath, scope: &Scope) -> Vec<Element> {
        let Some((list, at)) = self.parameter_or_itself(list, at, scope) else { return Vec::new() };
        let Content::Array(items) = &list.content else {
            let message = format!("{at}: expected a list, found {}", list.content.describe());
            self.problem(
                Problem::value(at, message).label("not a list").help("layers are a list: [ … ]"),
                scope,
            );
            return Vec::new();
        };
        // A parameter that is a list takes the place of its name among the elements.
        let mut nodes = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let at = at.index(index);
            match self.parameter_or_itself(item, &at, scope) {
                Some((Node { content: Content::Array(inner), .. }, at))
                    if matches!(item.content, Content::String(_)) =>
                {
                    nodes
                        .extend(inner.into_iter().enumerate().map(|(i, node)| (node, at.index(i))));
                }
                Some((node, at)) => nodes.push((node, at)),
                None => {}
            }
        }
        // What could not be filled in has been said, and is not looked at again.
        let mut items = Vec::new();
        nodes.retain(|(node, at)| {
            let before = self.problems.len();
            let item = self.fill_shallow(node, at, scope);
            let is_filled = self.problems.len() == before;
            items.extend(is_filled.then_some(item));
            is_filled
        });
        let names = default_names(&items);
        let mut elements = Vec::new();
        for ((item, (raw, at)), name) in items.iter().zip(&nodes).zip(&names) {
            let name = match item.get("name") {
                Some(_) => name.clone(),
                None => format!("{}{name}", scope.label),
            };
            self.element(item, raw, at, &name, scope, &mut elements);
        }
        elements
    }

    fn element(
        &mut self,
        item: &Node,
        raw: &Node,
        at: &KeyPath,
        name: &str,
        scope: &Scope,
        elements: &mut Vec<Element>,
    ) {
        if self.is_full(at, scope) {
            return;
        }
        let inner = if name.is_empty() {
            scope.prefix.to_owned()
        } else {
            format!("{}{name}.", scope.prefix)
        };
        let kind = Layer::kind_of(item);
        if let Some(name) = item.get("name")
            && let Some(problem) =
                bad_name(name, kind.unwrap_or_default(), scope.prefix.is_empty(), at)
        {
            self.problem(problem, scope);
        }
        match kind {
            Some("repeat") => self.repeat(item, raw, at, &inner, scope, elements),
            Some("block") => self.block(item, at, &inner, scope, elements),
            _ => {
                let layer = Layer::read(item, at).map(|layer| {
                    let within = Scope { prefix: &inner, label: "", ..*scope };
                    self.nested(layer, raw, at, &within)
                });
                match layer {
                    Ok(layer) => elements.push(Element {
                        layer,
                        at: at.clone(),
                        name: format!("{}{name}", scope.prefix),
                        scope: scope.prefix.to_owned(),
                        inner: inner.clone(),
                        is_named: item.get("name").is_some(),
                        through: scope.through.to_vec(),
                    }),
                    Err(problem) => self.problem(problem, scope),
                }
            }
        }
    }

    /// Fills the lists inside a container.
    fn nested(&mut self, layer: Layer, raw: &Node, at: &KeyPath, scope: &Scope) -> Layer {
        let mut list = |key: &str, label: &str| match raw.get(key) {
            Some(node) => self.list(node, &at.key(key), &Scope { label, ..*scope }),
            None => Vec::new(),
        };
        match layer {
            Layer::Residual(mut residual) => {
                residual.residual = Nested(list("residual", ""));
                residual.shortcut =
                    residual.shortcut.map(|_| Nested(list("shortcut", "shortcut.")));
                Layer::Residual(residual)
            }
            Layer::Auxiliary(mut auxiliary) => {
                auxiliary.auxiliary = Nested(list("auxiliary", ""));
                Layer::Auxiliary(auxiliary)
            }
            Layer::Branches(mut branches) => {
                let at = at.key("branches");
                let lists =
                    raw.get("branches").and_then(|node| self.parameter_or_itself(node, &at, scope));
                if let Some((Node { content: Content::Array(lists), .. }, at)) = lists {
                    let read = lists.iter().enumerate().map(|(index, node)| {
                        let label = &format!("{index}.");
                        self.list(node, &at.index(index), &Scope { label, ..*scope })
                    });
                    branches.branches = NestedLists(read.collect());
                }
                Layer::Branches(branches)
            }
            other => other,
        }
    }

    /// Counts one more; whether there are too many by now, which is said once.
    fn is_full(&mut self, at: &KeyPath, scope: &Scope) -> bool {
        self.count += 1;
        if self.count == MOST_LAYERS + 1 {
            let message = format!("the network has more than {MOST_LAYERS} layers");
            let problem = Problem::value(at.clone(), message).label("too many");
            self.problem(problem, scope);
        }
        self.count > MOST_LAYERS
    }

    fn repeat(
        &mut self,
        item: &Node,
        raw: &Node,
        at: &KeyPath,
        inner: &str,
        scope: &Scope,
        elements: &mut Vec<Element>,
    ) {
        self.only_keys(item, at, &["repeat", "layers", "name"], scope);
        let count = match item.get("repeat").map(|node| &node.content) {
            Some(Content::Integer(count)) if (0..=MOST_LAYERS as i64).contains(count) => *count,
            other => {
                let found = other.map_or(String::new(), Content::describe);
                let message =
                    format!("{}: expected a number of repeats, found {found}", at.key("repeat"));
                let problem = Problem::value(at.key("repeat"), message).label("how often");
                return self.problem(problem.help("{ repeat = 3, layers = [ … ] }"), scope);
            }
        };
        let Some(layers) = raw.get("layers") else {
            let problem = Problem::missing(at.clone(), "a repeat needs layers")
                .label("needs \"layers\"")
                .help("{ repeat = 3, layers = [ … ] }");
            return self.problem(problem, scope);
        };
        for index in 0..count {
            let before = self.problems.len();
            // A repeat of nothing takes time too.
            if self.is_full(at, scope) {
                return;
            }
            let mut parameters = scope.parameters.clone();
            let node = Node { content: Content::Integer(index), place: item.place.clone() };
            parameters.insert("index".to_owned(), (node, at.key("repeat")));
            let prefix = format!("{inner}{index}.");
            let prefix = if inner == scope.prefix { scope.prefix } else { &prefix };
            let within = Scope { parameters: &parameters, prefix, label: "", ..*scope };
            elements.extend(self.list(layers, &at.key("layers"), &within));
            // What is wrong once is wrong every time.
            if self.problems.len() > before {
                return;
            }
        }
    }

    fn only_keys(&mut self, item: &Node, at: &KeyPath, keys: &[&str], scope: &Scope) {
        let entries = item.entries().unwrap_or_default();
        for entry in entries.iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
            let problem = Problem::unknown_key(at.key(&entry.key), &entry.key, keys);
            self.problem(problem, scope);
        }
    }

    fn problem(&mut self, problem: Problem, scope: &Scope) {
        self.problems.push(through(problem, scope.through));
    }
}

/// The problem, with the blocks that lead to it.
pub fn through(problem: Problem, blocks: &[String]) -> Problem {
    blocks.iter().fold(problem, |problem, block| problem.note(block.clone()))
}

/// Kinds that may have the name `""`: the names within them then have no prefix of theirs.
const MAY_BE_TRANSPARENT: [&str; 5] = ["block", "repeat", "residual", "branches", "auxiliary"];

fn bad_name(name: &Node, kind: &str, is_outermost: bool, at: &KeyPath) -> Option<Problem> {
    let at = at.key("name");
    let Content::String(name) = &name.content else {
        // Other kinds say so themselves when they are read.
        return matches!(kind, "block" | "repeat").then(|| {
            let message = format!("{at}: expected a string, found {}", name.content.describe());
            Problem::value(at, message).label("of the wrong type")
        });
    };
    if name.is_empty() && MAY_BE_TRANSPARENT.contains(&kind) {
        return None;
    }
    let fits = name.split('.').all(|part| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    });
    // In the outermost list a number addresses an element by its place.
    let fits = fits && !(is_outermost && name.chars().all(|c| c.is_ascii_digit()));
    (!fits).then(|| {
        Problem::value(at, format!("\"{name}\" cannot be the name of a layer"))
            .label("not a name")
            .help("a name may have letters, digits, -, _ and inner dots, and must not be a number")
    })
}

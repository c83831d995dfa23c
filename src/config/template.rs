//! From the layers as written to layers one by one: parameters filled in, blocks and repeats
//! unfolded, names completed.
//!
//! Each element keeps the path at which its template stands, so that what is wrong with the third
//! layer of a block points at that layer's own line.

use std::collections::BTreeSet;

use super::expression::{Filled, Parameters, fill};
use super::layer::{Layer, default_names};
use super::layer_values::{Nested, NestedLists};
use super::path::KeyPath;
use super::problem::Problem;
use super::suggest;
use super::tree::{Content, Entry, Node};

/// A layer and where it comes from.
#[derive(Clone, Debug)]
pub struct Element {
    /// The layer.
    pub layer: Layer,
    /// Where it was written.
    pub at: KeyPath,
    /// Its name behind those of the containers around it: `layer1.0.conv1`.
    pub name: String,
    /// What the names around it begin with: `layer1.0.`.
    pub scope: String,
    /// What the names within it begin with: `layer1.0.conv1.`.
    pub inner: String,
    /// Whether the user gave the name.
    pub is_named: bool,
    /// The blocks that it came through, innermost last, in words.
    pub through: Vec<String>,
}

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
    let mut unfolder = Unfolder {
        blocks: model.get("blocks"),
        globals: Parameters::new(),
        problems: Vec::new(),
        count: 0,
    };
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

/// A copy of `node` with the network's parameters filled in.
pub fn filled(model: &Node, node: &Node, at: &KeyPath) -> Result<Node, Vec<Problem>> {
    let mut unfolder =
        Unfolder { blocks: None, globals: Parameters::new(), problems: Vec::new(), count: 0 };
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

    /// The blocks' own tables, used or not.
    fn check_blocks(&mut self, at: &KeyPath) {
        let at = at.key("blocks");
        let Some(blocks) = self.blocks else { return };
        let Content::Table(entries) = &blocks.content else {
            self.problems.push(
                Problem::value(at, "model.blocks is a table of blocks")
                    .label("not a table")
                    .help("[model.blocks.NAME] holds the layers of a block"),
            );
            return;
        };
        for entry in entries {
            let at = at.key(&entry.key);
            let Content::Table(keys) = &entry.value.content else {
                self.problems.push(
                    Problem::value(at, format!("the block \"{}\" is not a table", entry.key))
                        .label("not a table")
                        .help("a block has layers and perhaps parameters"),
                );
                continue;
            };
            for key in keys {
                if !["layers", "parameters"].contains(&key.key.as_str()) {
                    self.problems.push(
                        Problem::key(at.key(&key.key), format!("unknown key \"{}\"", key.key))
                            .label("unknown")
                            .help("the keys here are parameters, layers"),
                    );
                }
            }
            if entry.value.get("layers").is_none() {
                self.problems.push(
                    Problem::missing(at, format!("the block \"{}\" has no layers", entry.key))
                        .label("needs \"layers\""),
                );
            }
        }
    }

    /// The elements of a list; the list may be the value of a parameter.
    fn list(&mut self, list: &Node, at: &KeyPath, scope: &Scope) -> Vec<Element> {
        let Some((list, at)) = self.parameter_or_itself(list, at, scope) else { return Vec::new() };
        let Content::Array(items) = &list.content else {
            let message = format!("{at}: expected a list, found {}", list.content.describe());
            self.problem(
                Problem::value(at, message)
                    .label("not a list")
                    .help("layers stand in a list: [ … ]"),
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
        self.count += 1;
        if self.count > MOST_LAYERS {
            if self.count == MOST_LAYERS + 1 {
                let message = format!("the network has more than {MOST_LAYERS} layers");
                let problem = Problem::value(at.clone(), message).label("too many");
                self.problem(problem, scope);
            }
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
            let problem = Problem::missing(at.clone(), "a repeat has layers")
                .label("needs \"layers\"")
                .help("{ repeat = 3, layers = [ … ] }");
            return self.problem(problem, scope);
        };
        for index in 0..count {
            let before = self.problems.len();
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

    fn block(
        &mut self,
        item: &Node,
        at: &KeyPath,
        inner: &str,
        scope: &Scope,
        elements: &mut Vec<Element>,
    ) {
        let Some(Content::String(name)) = item.get("block").map(|node| &node.content) else {
            let problem = Problem::value(at.key("block"), "a block is called by its name")
                .label("not a name")
                .help("{ block = \"basic\" } for [model.blocks.basic]");
            return self.problem(problem, scope);
        };
        let names: Vec<&str> = match self.blocks.map(|blocks| &blocks.content) {
            Some(Content::Table(entries)) => entries.iter().map(|e| e.key.as_str()).collect(),
            _ => Vec::new(),
        };
        let Some(block) = self.blocks.and_then(|blocks| blocks.get(name)) else {
            let problem = Problem::value(at.key("block"), format!("there is no block \"{name}\""));
            let problem = match suggest::nearest(name, &names) {
                Some(near) => problem.label(format!("did you mean \"{near}\"?")),
                None => problem.label("not defined"),
            };
            let help = match names[..] {
                [] => format!("define it: [model.blocks.{name}] with layers = [ … ]"),
                _ => format!("the blocks are {}", names.join(", ")),
            };
            return self.problem(problem.help(help), scope);
        };
        if scope.through.len() >= DEEPEST {
            let problem =
                Problem::value(at.key("block"), format!("the block \"{name}\" contains itself"))
                    .label("without end");
            // The way there would fill pages.
            self.problems.push(problem);
            return;
        }
        let home = KeyPath::root().key("model").key("blocks").key(name);
        let Some(parameters) = self.arguments(item, at, name, block, &home, scope) else { return };
        let Some(layers) = block.get("layers") else { return };
        let called = inner.strip_suffix('.').unwrap_or(inner);
        let mut through = scope.through.to_vec();
        through.push(match called {
            "" => format!("in the block \"{name}\", used at {at}"),
            called => format!("in the block \"{name}\", used as {called} at {at}"),
        });
        let within = Scope { parameters: &parameters, prefix: inner, label: "", through: &through };
        elements.extend(self.list(layers, &home.key("layers"), &within));
    }

    /// The parameters of a block: the network's, the block's defaults, the arguments of the call.
    fn arguments(
        &mut self,
        call: &Node,
        at: &KeyPath,
        name: &str,
        block: &Node,
        home: &KeyPath,
        scope: &Scope,
    ) -> Option<Parameters> {
        let mut parameters = self.globals.clone();
        let (mut required, mut known) = (BTreeSet::new(), Vec::new());
        let path = home.key("parameters");
        let items = match block.get("parameters").map(|node| &node.content) {
            None => &[][..],
            Some(Content::Array(items)) => &items[..],
            Some(_) => {
                let problem = Problem::value(path, "parameters of a block are a list")
                    .label("not a list")
                    .help(
                        "parameters = [\"filters\", { stride = 1 }]: names, or names with defaults",
                    );
                self.problem(problem, scope);
                return None;
            }
        };
        for (index, item) in items.iter().enumerate() {
            match &item.content {
                Content::String(name) => {
                    required.insert(name.clone());
                    known.push(name.clone());
                }
                Content::Table(entries) => {
                    for entry in entries {
                        known.push(entry.key.clone());
                        let at = path.index(index).key(&entry.key);
                        parameters.insert(entry.key.clone(), (entry.value.clone(), at));
                    }
                }
                _ => {
                    let problem = Problem::value(path.index(index), "not a parameter")
                        .label("a name, or a table of names and defaults");
                    self.problem(problem, scope);
                    return None;
                }
            }
        }
        let Content::Table(given) = &call.content else { return None };
        let mut sound = true;
        for entry in given.iter().filter(|entry| entry.key != "block" && entry.key != "name") {
            if !known.contains(&entry.key) {
                let near: Vec<&str> = known.iter().map(String::as_str).collect();
                let problem = Problem::key(
                    at.key(&entry.key),
                    format!("the block \"{name}\" has no parameter \"{}\"", entry.key),
                );
                let problem = match suggest::nearest(&entry.key, &near) {
                    Some(near) => problem.label(format!("did you mean \"{near}\"?")),
                    None => problem.label("unknown"),
                };
                let problem = problem.help(format!("its parameters are {}", near.join(", ")));
                self.problem(problem, scope);
                sound = false;
            }
            required.remove(&entry.key);
            let value = (entry.value.clone(), at.key(&entry.key));
            parameters.insert(entry.key.clone(), value);
        }
        if !sound {
            return None;
        }
        if let Some(missing) = required.first() {
            let problem = Problem::missing(
                at.clone(),
                format!("the block \"{name}\" needs a value for \"{missing}\""),
            )
            .label(format!("needs \"{missing}\""));
            self.problem(problem, scope);
            return None;
        }
        Some(parameters)
    }

    fn only_keys(&mut self, item: &Node, at: &KeyPath, keys: &[&str], scope: &Scope) {
        let Content::Table(entries) = &item.content else { return };
        for entry in entries.iter().filter(|entry| !keys.contains(&entry.key.as_str())) {
            let problem =
                Problem::key(at.key(&entry.key), format!("unknown key \"{}\"", entry.key));
            let problem = match suggest::nearest(&entry.key, keys) {
                Some(near) => problem.label(format!("did you mean \"{near}\"?")),
                None => problem.label("unknown"),
            };
            self.problem(problem.help(format!("the keys here are {}", keys.join(", "))), scope);
        }
    }

    /// The value that `node` stands for, and where that was written.
    fn parameter_or_itself(
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
    fn fill_shallow(&mut self, node: &Node, at: &KeyPath, scope: &Scope) -> Node {
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
    fn list_to_read(&mut self, entry: &Entry, at: &KeyPath, scope: &Scope) -> Entry {
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

    fn fill(
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
            .help("names are made of letters, digits, -, _ and dots inside, and are not numbers")
    })
}

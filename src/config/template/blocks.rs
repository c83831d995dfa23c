//! `[model.blocks]`: layers with names of their own, and parameters that a call gives.

use std::collections::BTreeSet;

use super::expression::Parameters;
use super::{DEEPEST, MOST_LAYERS, Scope, Unfolder};
use crate::config::layer::Element;
use crate::document::{Content, KeyPath, Node, Problem};

impl Unfolder<'_> {
    /// The blocks' own tables, used or not.
    pub(super) fn check_blocks(&mut self, at: &KeyPath) {
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

    pub(super) fn block(
        &mut self,
        item: &Node,
        at: &KeyPath,
        inner: &str,
        scope: &Scope,
        elements: &mut Vec<Element>,
    ) {
        let Some(Content::String(name)) = item.get("block").map(|node| &node.content) else {
            let problem = Problem::value(at.key("block"), "a block needs its name")
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
            let problem = problem.did_you_mean(name, &names, "not defined");
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
            // The way there would fill pages, and so would every further way.
            self.problems.push(problem);
            self.count = self.count.max(MOST_LAYERS + 1);
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
    pub(super) fn arguments(
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
                let problem = problem.did_you_mean(&entry.key, &near, "unknown");
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
}

//! One combination of settings, before seeds and folds.

use std::ops::Deref;
use std::sync::Arc;

use crate::config::setting::look_up;
use crate::config::sweep::condition::Condition;
use crate::config::sweep::variant::Variant;
use crate::document::{Content, KeyPath, Node};

use super::{text, toml_text};

/// A value of an axis: one that the file lists, or one that was drawn. Of a million settings each has a few, so it is
/// small.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    Listed(&'a Node),
    Drawn(Box<Node>),
}

impl Deref for Value<'_> {
    type Target = Node;

    fn deref(&self) -> &Node {
        match self {
            Value::Listed(node) => node,
            Value::Drawn(node) => node,
        }
    }
}

/// A value that takes the place of another one in the experiment's tree.
#[derive(Clone, Debug)]
pub(super) struct Replacement<'a> {
    /// The dotted path.
    pub(super) path: &'a str,
    /// The axis, or the variant that names the path.
    stands_at: &'a KeyPath,
    is_of_variant: bool,
    pub(super) value: Value<'a>,
}

impl Replacement<'_> {
    /// Where it stands.
    pub(super) fn at(&self) -> KeyPath {
        if self.is_of_variant { self.stands_at.key(self.path) } else { self.stands_at.clone() }
    }
}

/// The values that a combination puts into the experiment's tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Setting<'a> {
    pub(super) variant: Option<&'a str>,
    /// Variant settings, then the values of axes.
    pub(super) replacements: Vec<Replacement<'a>>,
    /// The swept values as text, empty where an axis is left out.
    columns: Vec<String>,
}

impl<'a> Setting<'a> {
    /// The settings of a variant, if there are variants.
    pub(super) fn of(variant: Option<&'a Variant>) -> Setting<'a> {
        let mut setting = Setting::default();
        if let Some(Variant { name, at, settings }) = variant {
            setting.variant = Some(name);
            setting.columns.push(name.clone());
            setting.replacements.extend(settings.iter().map(|(path, value)| Replacement {
                path,
                stands_at: at,
                is_of_variant: true,
                value: Value::Listed(value),
            }));
        }
        setting
    }

    /// Puts the value of an axis in.
    pub(super) fn put(&mut self, path: &'a str, at: &'a KeyPath, value: Value<'a>) {
        self.columns.push(text(&value));
        let replacement = Replacement { path, stands_at: at, is_of_variant: false, value };
        self.replacements.push(replacement);
    }

    /// The columns, for all trials of the setting.
    pub(super) fn columns(&self) -> Arc<[String]> {
        self.columns.iter().cloned().collect()
    }

    /// Leaves an axis out: its setting stays as the file has it.
    pub(super) fn leave_out(&mut self) {
        self.columns.push(String::new());
    }

    /// Whether all conditions hold so far.
    pub(super) fn meets(&self, root: &Node, conditions: &[Condition]) -> bool {
        conditions.iter().all(|condition| {
            condition.values.iter().any(|wanted| self.has(root, &condition.path, wanted))
        })
    }

    /// Whether the setting at `path` (or `variant`) is `wanted`, here or in the file.
    pub(super) fn has(&self, root: &Node, path: &str, wanted: &Node) -> bool {
        if path == "variant" {
            return matches!(&wanted.content, Content::String(name) if self.variant == Some(name));
        }
        let own = self.replacements.iter().rev();
        let own = own.filter_map(|it| Some(within(&it.value, below(path, it.path)?))).next();
        own.unwrap_or_else(|| look_up(root, path)).is_some_and(|value| matches(value, wanted))
    }

    /// Two combinations with one key are the same trial.
    pub(super) fn key(&self) -> String {
        let values = self.replacements.iter();
        let mut words: Vec<String> =
            values.map(|it| format!("{:?} = {}", it.path, toml_text(&it.value))).collect();
        words.extend(self.variant.map(|variant| format!("variant = {variant:?}")));
        words.join(", ")
    }

    /// The values whose paths are `wanted`, by which settings can be told apart that differ in these.
    pub(super) fn key_of(&self, wanted: impl Fn(&str) -> bool) -> String {
        let mut key = String::new();
        for Replacement { path, value, .. } in self.replacements.iter().filter(|it| wanted(it.path))
        {
            key.push_str(path);
            key.push('=');
            key.push_str(&toml_text(value));
            key.push('\n');
        }
        key
    }

    /// The combination in words, for messages.
    pub(super) fn describe(&self) -> String {
        let mut words: Vec<String> =
            self.variant.iter().map(|variant| format!("variant \"{variant}\"")).collect();
        let values = self.replacements.iter();
        words.extend(values.map(|it| format!("{} = {}", it.path, text(&it.value))));
        words.join(", ")
    }
}

/// What is left of `path` below `above`, if it lies there; empty if both are the same.
pub(super) fn below<'p>(path: &'p str, above: &str) -> Option<&'p str> {
    let rest = path.strip_prefix(above)?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(['.', '[']) }
}

/// The value at a path below `value`.
pub(super) fn within<'n>(value: &'n Node, rest: &str) -> Option<&'n Node> {
    if rest.is_empty() { Some(value) } else { look_up(value, rest) }
}

/// Whether a value is what was asked for; a choice is also known by its name alone.
pub(super) fn matches(value: &Node, wanted: &Node) -> bool {
    let is_named = match (&value.content, &wanted.content) {
        (Content::Table(entries), Content::String(name)) => {
            matches!(&entries[..], [entry] if entry.key == *name)
        }
        _ => false,
    };
    is_named || value.content == wanted.content
}

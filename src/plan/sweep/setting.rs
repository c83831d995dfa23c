//! One combination of settings, before seeds and folds.

use std::borrow::Cow;

use crate::config::setting::look_up;
use crate::config::sweep::condition::Condition;
use crate::config::sweep::variant::Variant;
use crate::document::{Content, KeyPath, Node};

use super::{text, toml_text};

/// The values that a combination puts into the experiment's tree.
#[derive(Clone, Debug, Default)]
pub(super) struct Setting<'a> {
    pub(super) variant: Option<&'a str>,
    /// Variant settings, then the values of axes: dotted path, where it stands, value.
    pub(super) replacements: Vec<(&'a str, KeyPath, Cow<'a, Node>)>,
    /// The swept values as text, empty where an axis is left out.
    pub(super) columns: Vec<String>,
}

impl<'a> Setting<'a> {
    /// The settings of a variant, if there are variants.
    pub(super) fn of(variant: Option<&'a Variant>) -> Setting<'a> {
        let mut setting = Setting::default();
        if let Some(Variant { name, at, settings }) = variant {
            setting.variant = Some(name);
            setting.columns.push(name.clone());
            let replacements =
                settings.iter().map(|(path, value)| (&**path, at.key(path), Cow::Borrowed(value)));
            setting.replacements.extend(replacements);
        }
        setting
    }

    /// Puts the value of an axis in.
    pub(super) fn put(&mut self, path: &'a str, at: &KeyPath, value: Cow<'a, Node>) {
        self.columns.push(text(&value));
        self.replacements.push((path, at.clone(), value));
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
        let own =
            own.filter_map(|(other, _, value)| Some(within(value, below(path, other)?))).next();
        own.unwrap_or_else(|| look_up(root, path)).is_some_and(|value| matches(value, wanted))
    }

    /// Two combinations with one key are the same trial.
    pub(super) fn key(&self) -> String {
        let values = self.replacements.iter();
        let mut words: Vec<String> =
            values.map(|(path, _, value)| format!("{path:?} = {}", toml_text(value))).collect();
        words.extend(self.variant.map(|variant| format!("variant = {variant:?}")));
        words.join(", ")
    }

    /// The combination in words, for messages.
    pub(super) fn describe(&self) -> String {
        let mut words: Vec<String> =
            self.variant.iter().map(|variant| format!("variant \"{variant}\"")).collect();
        let values = self.replacements.iter();
        words.extend(values.map(|(path, _, value)| format!("{path} = {}", text(value))));
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

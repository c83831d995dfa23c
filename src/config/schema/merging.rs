//! Tables may be spread over layers: none of them has to have all keys, and the lowest has defaults.

use serde_json::Value;

use super::{Definitions, referred};
use crate::config::defaults::{CHOICES, defaults};
use crate::document::KeyPath;

/// Takes what is required from all tables that are merged key by key, and tells the defaults.
pub(super) fn relax(definitions: &mut Definitions) {
    relax_table("Experiment", &KeyPath::root(), definitions);
}

fn relax_table(name: &str, at: &KeyPath, definitions: &mut Definitions) {
    let mut table = definitions[name].take();
    if let Value::Object(table) = &mut table {
        table.remove("required");
    }
    for (key, value) in table["properties"].as_object_mut().into_iter().flatten() {
        let at = at.key(key);
        let is_choice = CHOICES.contains(&at.to_string().as_str());
        let inner = referred(value).map(str::to_owned);
        if let Some(inner) = inner.filter(|name| !is_choice && is_table(name, definitions)) {
            relax_table(&inner, &at, definitions);
            continue;
        }
        // Tables with names of their own: blocks.
        let named = value.get("additionalProperties").and_then(referred).map(str::to_owned);
        if let Some(inner) = named.filter(|name| is_table(name, definitions)) {
            relax_table(&inner, &at, definitions);
        }
        if let Some(default) = defaults().at(&at) {
            let default = serde_json::to_value(default.to_toml());
            value["default"] = default.expect("TOML is JSON but for dates, which are refused");
        }
    }
    definitions[name] = table;
}

fn is_table(name: &str, definitions: &Definitions) -> bool {
    definitions.get(name).is_some_and(|schema| schema.get("properties").is_some())
}

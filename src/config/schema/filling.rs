//! Strings with a `$` stand for any value in the layers of a network and in what holds for them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Definitions, inner, referred};

/// Allows parameters wherever they are filled in.
pub(super) fn allow_parameters(definitions: &mut Definitions) {
    let mut names = BTreeSet::new();
    for name in ["Layers", "Defaults"] {
        collect(name, definitions, &mut names);
    }
    // All that these definitions use is used by them alone, so it may say itself what it allows.
    let mut values = BTreeSet::from(["Layers".to_owned()]);
    for name in names {
        fill_inside(&mut definitions[&name], &mut values);
    }
    for name in values {
        or_parameter(&mut definitions[&name]);
    }
    definitions.insert(
        PARAMETER.to_owned(),
        json!({
            "description": "A parameter `$width` or an expression `${2 * width}`.",
            "type": "string",
            "pattern": "\\$",
        }),
    );
}

const PARAMETER: &str = "Parameter-of-a-network";

/// The definitions that `name` leads to.
fn collect(name: &str, definitions: &mut Definitions, names: &mut BTreeSet<String>) {
    if !names.insert(name.to_owned()) {
        return;
    }
    let mut within = Vec::new();
    references(&mut definitions[name], &mut within);
    for name in within {
        collect(&name, definitions, names);
    }
}

fn references(schema: &mut Value, found: &mut Vec<String>) {
    found.extend(referred(schema).map(str::to_owned));
    inner(schema).for_each(|schema| references(schema, found));
}

/// Allows parameters for the values within; those that are definitions are left in `values`.
fn fill_inside(schema: &mut Value, values: &mut BTreeSet<String>) {
    let Value::Object(keys) = schema else { return };
    for (key, within) in keys {
        match (key.as_str(), within) {
            ("properties", Value::Object(keys)) => {
                keys.values_mut().for_each(|value| fill(value, values));
            }
            ("items", value) => fill(value, values),
            ("anyOf" | "oneOf", Value::Array(forms)) => {
                forms.iter_mut().for_each(|form| fill_inside(form, values));
            }
            _ => {}
        }
    }
}

fn fill(value: &mut Value, values: &mut BTreeSet<String>) {
    match referred(value) {
        Some(name) => {
            values.insert(name.to_owned());
        }
        None => {
            fill_inside(value, values);
            or_parameter(value);
        }
    }
}

fn or_parameter(schema: &mut Value) {
    let parameter = json!({ "$ref": format!("#/$defs/{PARAMETER}") });
    let Value::Object(within) = schema else { return };
    for forms in ["anyOf", "oneOf"] {
        if let Some(Value::Array(forms)) = within.get_mut(forms) {
            forms.push(parameter);
            return;
        }
    }
    let is_text = within.get("type").is_some_and(|kind| kind == "string");
    if is_text && !within.contains_key("const") {
        return;
    }
    let mut outer = json!({});
    for key in ["description", "default", "examples"] {
        if let Some(value) = within.remove(key) {
            outer[key] = value;
        }
    }
    outer["anyOf"] = json!([within, parameter]);
    *schema = outer;
}

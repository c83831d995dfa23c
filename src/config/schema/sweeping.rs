//! The dotted paths that a sweep may vary, with what their values may be.

use serde_json::{Map, Value, json};

use super::{Definitions, referred};

/// Offers the paths of all settings wherever `[sweep]` takes one. Other paths, such as those of
/// layers, may stand there too.
pub(super) fn offer_paths(definitions: &mut Definitions) {
    let mut settings = Map::new();
    let tables = definitions["Experiment"]["properties"].as_object().into_iter().flatten();
    for (key, table) in
        tables.filter(|(key, _)| !["sweep", "run", "launcher"].contains(&key.as_str()))
    {
        collect(table, key, definitions, &mut settings);
    }
    let mut offer = |definition: &str, place: &str, written: &dyn Fn(&str, &Value) -> Value| {
        let table = definitions[definition].pointer_mut(place).and_then(Value::as_object_mut);
        let table = table.expect("a table of settings");
        let keys = table.entry("properties").or_insert_with(|| json!({}));
        for (path, schema) in &settings {
            keys[path] = written(path, schema);
            if let Some(description) = schema.get("description") {
                keys[path]["description"] = description.clone();
            }
        }
    };
    offer("Sweep", "/properties/grid", &|_, value| axis(value));
    // As there, but for the conditions.
    offer("Sweep", "/properties/zip", &|path, _| {
        let place = format!("#/$defs/Sweep/properties/grid/properties/{path}");
        json!({ "$ref": place, "properties": { "when": false } })
    });
    for table in ["Random", "Search"] {
        offer(table, "", &|_, value| {
            let choice = json!({ "items": undescribed(value) });
            json!({ "$ref": "#/$defs/Distribution", "properties": { "choice": choice } })
        });
    }
    offer("Variant", "", &|_, value| value.clone());
    offer("Exclusion", "", &|_, _| json!({}));
}

/// A list of values, or a table with it and a condition.
fn axis(value: &Value) -> Value {
    let values =
        json!({ "type": "array", "items": undescribed(value), "minItems": 1, "uniqueItems": true });
    let table = json!({
        "type": "object",
        "properties": { "values": values, "when": { "$ref": "#/$defs/When" } },
        "required": ["values"],
        "additionalProperties": false,
    });
    json!({ "anyOf": [values, table] })
}

fn undescribed(value: &Value) -> Value {
    let mut value = value.clone();
    if let Value::Object(value) = &mut value {
        value.remove("description");
        value.remove("examples");
    }
    value
}

/// The settings below `path`: keys of tables, and of the tables of choices.
fn collect(
    schema: &Value,
    path: &str,
    definitions: &Definitions,
    settings: &mut Map<String, Value>,
) {
    for (key, value) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let path = format!("{path}.{key}");
        let mut setting = value.clone();
        if let Value::Object(setting) = &mut setting {
            setting.remove("default");
        }
        settings.insert(path.clone(), setting);
        collect(value, &path, definitions, settings);
    }
    for forms in ["anyOf", "oneOf"] {
        for form in schema.get(forms).and_then(Value::as_array).into_iter().flatten() {
            collect(form, path, definitions, settings);
        }
    }
    if let Some(name) = referred(schema) {
        collect(&definitions[name], path, definitions, settings);
    }
}

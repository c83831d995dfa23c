//! The experiment file as a JSON Schema, from which editors complete and check.
//!
//! Each type says beside its reader how it is written: `schemars` derives it from what serde reads,
//! and [`written!`](crate::basis::written) says it for types that read several forms. What holds for
//! all of them is added here: choices by their name alone ([`tidy`]), tables that may be spread over
//! layers and defaults ([`merging`]), parameters of networks ([`filling`]), paths of sweeps
//! ([`sweeping`]). All of it is plain alternatives: editors complete from them, and not from conditions.

mod filling;
mod merging;
mod sweeping;
mod tidy;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::experiment::Experiment;

/// Definitions by name.
type Definitions = Map<String, Value>;

/// The JSON Schema (draft 2020-12) of the experiment file.
pub fn schema() -> Value {
    let mut types = SchemaGenerator::new(SchemaSettings::draft2020_12());
    types.subschema_for::<Experiment>();
    let mut definitions = types.take_definitions(true);
    definitions.values_mut().for_each(tidy::tidy);
    merging::relax(&mut definitions);
    filling::allow_parameters(&mut definitions);
    sweeping::offer_paths(&mut definitions);
    let mut root = definitions["Experiment"].clone();
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("An experiment of wick");
    root["description"] =
        json!("All keys: docs/reference/README.md. `wick check FILE` checks everything.");
    // What the layering itself reads.
    root["properties"]["extends"] = json!({
        "description": "Files that this one is laid over, relative to its folder.",
        "type": ["string", "array"],
        "items": { "type": "string" },
        "examples": ["base.toml"],
    });
    root["properties"]["profile"] = json!({
        "description": "Tables that are laid over the file with `--profile NAME`.",
        "type": "object",
        "additionalProperties": { "$ref": "#/$defs/Experiment" },
    });
    root["$defs"] = Value::Object(definitions);
    root
}

/// The definition that `schema` refers to, if it does.
fn referred(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")
}

/// The schemas directly inside of `schema`.
fn inner(schema: &mut Value) -> impl Iterator<Item = &mut Value> {
    let entries = schema.as_object_mut().into_iter().flatten();
    entries.flat_map(|(key, value)| match (key.as_str(), value) {
        ("properties", Value::Object(keys)) => keys.values_mut().collect(),
        ("anyOf" | "oneOf" | "prefixItems", Value::Array(forms)) => forms.iter_mut().collect(),
        ("items" | "additionalProperties", value) => vec![value],
        _ => Vec::new(),
    })
}

//! What the lists of layers are written with: layers, names alone, repeats and uses of blocks.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use crate::config::layer::{Layer, names_alone};
use crate::config::layer_values::Nested;

/// An element of a list of layers.
#[derive(Debug)]
pub struct Written;

impl JsonSchema for Written {
    fn schema_name() -> Cow<'static, str> {
        "Layer".into()
    }

    fn json_schema(types: &mut SchemaGenerator) -> Schema {
        let Some(Value::Array(mut forms)) = Layer::json_schema(types).remove("anyOf") else {
            unreachable!("an untagged enum is any of its variants")
        };
        forms.push(types.subschema_for::<Repeat>().into());
        forms.push(types.subschema_for::<Use>().into());
        forms.push(serde_json::json!({
            "description": "A layer that needs no argument, or an activation.",
            "enum": names_alone().collect::<Vec<_>>(),
        }));
        json_schema!({ "anyOf": forms })
    }
}

/// Layers that stand several times behind each other: `{ repeat = 3, layers = ["relu"] }`.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Repeat {
    /// How often.
    pub repeat: usize,
    /// The layers; in them `$index` counts from 0.
    pub layers: Nested,
    /// Prefix of the names within, with the number behind; `""` for none.
    pub name: Option<String>,
}

/// The layers of a block: `{ block = "basic", filters = 64 }`. All other keys are its parameters.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", extend("additionalProperties" = true))]
pub struct Use {
    /// The name of a table under `model.blocks`.
    pub block: String,
    /// Prefix of the names within; `""` for none.
    pub name: Option<String>,
}

/// Layers with a name of their own, and parameters that a use gives.
#[derive(Debug, JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Block {
    /// Names, and tables of names with defaults: `["filters", { stride = 1, shortcut = [] }]`.
    pub parameters: Option<Vec<Parameter>>,
    /// The layers; in them `$filters` is a parameter.
    pub layers: Nested,
}

/// A parameter of a block.
#[derive(Debug, JsonSchema)]
#[schemars(untagged)]
pub enum Parameter {
    /// One that every use has to give.
    Required(String),
    /// Some with their defaults.
    WithDefaults(BTreeMap<String, Value>),
}

//! What chains are written with: transforms, their names alone, compositions, mixings.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use crate::augment::AnyTransform;

/// An element of a chain.
pub(super) struct WrittenStep;

impl JsonSchema for WrittenStep {
    fn schema_name() -> Cow<'static, str> {
        "Transform".into()
    }

    fn json_schema(types: &mut SchemaGenerator) -> Schema {
        let mut forms = Vec::new();
        let mut names = Vec::new();
        for (kind, default_p, mut schema) in AnyTransform::schemas(types) {
            let argument = schema.pointer(&format!("/properties/{kind}/$ref"));
            if argument.and_then(Value::as_str).is_some_and(|name| name.ends_with("/Always")) {
                names.push(kind);
            }
            if let Some(keys) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                keys.insert("p".to_owned(), p(default_p));
            }
            types.definitions_mut().insert(kind.to_owned(), schema.into());
            forms.push(json!({ "$ref": format!("#/$defs/{kind}") }));
        }
        forms.push(json!({ "description": "A transform that needs no argument.", "enum": names }));
        let steps = json!({
            "type": "array",
            "items": types.subschema_for::<WrittenStep>(),
            "minItems": 1,
        });
        for (kind, default_p, description) in [
            ("sometimes", 0.5, "All of them, or none."),
            ("one-of", 0.5, "One of them for sure; their `p` are weights."),
            ("some-of", 1.0, "`n` of them, in their order, each with its own `p`."),
        ] {
            let mut keys = json!({ kind: steps, "p": p(default_p) });
            let mut required = vec![kind];
            if kind == "some-of" {
                keys["n"] = json!({
                    "description": "How many: a number, or the least and the greatest.",
                    "type": ["integer", "array"],
                    "minimum": 0,
                    "items": { "type": "integer", "minimum": 0 },
                    "minItems": 2,
                    "maxItems": 2,
                });
                keys["replace"] = json!({
                    "description": "Whether one can be chosen twice.",
                    "type": "boolean",
                    "default": false,
                });
                required.push("n");
            }
            forms.push(table(description, keys, &required));
        }
        for (kind, description) in [
            ("mixup", "Whole batches: each image becomes λ of itself and 1 − λ of another; last."),
            ("cutmix", "Whole batches: a window of each image is that of another; last."),
        ] {
            let alpha = json!({
                "description": "α of Beta(α, α), from which λ is drawn.",
                "type": "number",
                "exclusiveMinimum": 0,
                "maximum": 1000,
            });
            forms.push(table(description, json!({ kind: alpha, "p": p(1.0) }), &[kind]));
        }
        json_schema!({ "anyOf": forms })
    }
}

fn table(description: &str, keys: Value, required: &[&str]) -> Value {
    json!({
        "description": description,
        "type": "object",
        "properties": keys,
        "required": required,
        "additionalProperties": false,
    })
}

fn p(default: f64) -> Value {
    json!({
        "description": "The probability with which it is applied; inside of `one-of` its weight.",
        "type": "number",
        "minimum": 0,
        "maximum": 1,
        "default": default,
    })
}

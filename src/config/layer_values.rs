//! The arguments of layers: window sizes, paddings, widths, groups, lists of layers.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{
    Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor, value,
};

use crate::basis::written::written;

/// The main argument of a kind that has none: `true`.
#[derive(Clone, Copy, Debug)]
pub struct Yes;

written!(Yes, "Yes", { "const": true });

impl<'de> Deserialize<'de> for Yes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Yes;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("true (to switch the layer off, remove it)")
            }
            fn visit_bool<E: Error>(self, yes: bool) -> Result<Yes, E> {
                if yes { Ok(Yes) } else { Err(E::invalid_value(Unexpected::Bool(false), &self)) }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// One number for both axes, or height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair(pub [usize; 2]);

written!(Pair, "Pair", {
    "description": "One number, or [height, width].",
    "type": ["integer", "array"],
    "minimum": 0,
    "items": { "type": "integer", "minimum": 0 },
    "minItems": 2,
    "maxItems": 2,
});

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pair;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number, or two for height and width")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Pair, E> {
                let side = usize::try_from(number)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
                Ok(Pair([side; 2]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Pair, A::Error> {
                <[usize; 2]>::deserialize(value::SeqAccessDeserializer::new(seq)).map(Pair)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Zeros around the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// The same number before and after, per axis.
    Each([usize; 2]),
    /// As many as keep the size at stride 1.
    Same,
}

written!(Padding, "Padding", |types| {
    "anyOf": [
        { "const": "same", "description": "As many as keep the size at stride 1." },
        { "const": "valid", "description": "None." },
        types.subschema_for::<Pair>(),
    ],
});

impl<'de> Deserialize<'de> for Padding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Padding;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number, two for height and width, \"same\" or \"valid\"")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Padding, E> {
                let side = usize::try_from(number)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))?;
                Ok(Padding::Each([side; 2]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Padding, A::Error> {
                <[usize; 2]>::deserialize(value::SeqAccessDeserializer::new(seq)).map(Padding::Each)
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Padding, E> {
                match name {
                    "same" => Ok(Padding::Same),
                    "valid" => Ok(Padding::Each([0; 2])),
                    other => Err(E::unknown_variant(other, &["same", "valid"])),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A number of neurons or filters, or what it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// So many.
    Count(usize),
    /// `"classes"`: one for each class.
    Classes,
    /// `"channels"`: as many as channels come in.
    Channels,
}

written!(Width, "Width", {
    "anyOf": [
        { "type": "integer", "minimum": 0 },
        { "const": "classes", "description": "One for each class." },
        { "const": "channels", "description": "As many as channels come in." },
    ],
});

impl<'de> Deserialize<'de> for Width {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Width;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number, \"classes\" or \"channels\"")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Width, E> {
                usize::try_from(number)
                    .map(Width::Count)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
            }
            fn visit_str<E: Error>(self, name: &str) -> Result<Width, E> {
                match name {
                    "classes" => Ok(Width::Classes),
                    "channels" => Ok(Width::Channels),
                    other => Err(E::unknown_variant(other, &["classes", "channels"])),
                }
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Neurons between the two products of squeeze and excitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Squeeze {
    /// One for so many channels.
    Ratio(usize),
    /// So many.
    Neurons(usize),
}

written!(Squeeze, "Squeeze", {
    "anyOf": [
        { "type": "integer", "minimum": 0, "description": "Channels for each neuron in between." },
        {
            "description": "The neurons in between.",
            "type": "object",
            "properties": { "neurons": { "type": "integer", "minimum": 0 } },
            "required": ["neurons"],
            "additionalProperties": false,
        },
    ],
});

impl<'de> Deserialize<'de> for Squeeze {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        struct Table {
            neurons: usize,
        }
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Squeeze;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a whole number such as 16, or { neurons = 24 }")
            }
            fn visit_i64<E: Error>(self, number: i64) -> Result<Squeeze, E> {
                usize::try_from(number)
                    .map(Squeeze::Ratio)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Squeeze, A::Error> {
                let table = Table::deserialize(value::MapAccessDeserializer::new(map))?;
                Ok(Squeeze::Neurons(table.neurons))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Layers inside a layer. Reading takes a list and leaves it empty: its elements are read where
/// they know their places.
#[derive(Clone, Debug)]
pub struct Nested<T>(pub Vec<T>);

impl<T: JsonSchema> JsonSchema for Nested<T> {
    fn schema_name() -> Cow<'static, str> {
        "Layers".into()
    }

    fn json_schema(types: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": types.subschema_for::<T>() })
    }
}

impl<'de, T> Deserialize<'de> for Nested<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<T>(PhantomData<T>);
        impl<'de, T> Visitor<'de> for Reader<T> {
            type Value = Nested<T>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list of layers")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Nested<T>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Nested(Vec::new()))
            }
        }
        deserializer.deserialize_any(Reader(PhantomData))
    }
}

/// Lists of layers inside a layer, read as [`Nested`] is.
#[derive(Clone, Debug)]
pub struct NestedLists<T>(pub Vec<Vec<T>>);

impl<T: JsonSchema> JsonSchema for NestedLists<T> {
    fn schema_name() -> Cow<'static, str> {
        "ListsOfLayers".into()
    }

    fn json_schema(types: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "array", "items": types.subschema_for::<Nested<T>>() })
    }
}

impl<'de, T> Deserialize<'de> for NestedLists<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::<Nested<T>>::deserialize(deserializer).map(|_| NestedLists(Vec::new()))
    }
}

//! Values whose form in the file is another one than the one that plans hold and store.

use std::marker::PhantomData;

use schemars::Schema;
use serde::Deserialize;
use serde::de::value::EnumAccessDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IntoDeserializer, VariantAccess, Visitor,
};
use serde_json::Value;

/// A value, read from the form that it has in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Written<T>(pub T);

/// Reads a choice among `choices`: a `T`, or one of `names`, which stand alone for something else.
pub(super) fn choice<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
    choices: &'static [&'static str],
    names: &'static [&'static str],
) -> Result<Choice<T>, D::Error> {
    deserializer.deserialize_enum("Choice", choices, Reader { choices, names, of: PhantomData })
}

/// Reads the settings of a choice; its name alone stands for the usual ones.
pub(super) fn or_default<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// What [`choice`] has read.
pub(super) enum Choice<T> {
    /// One of the names.
    Name(&'static str),
    /// Another choice.
    Other(T),
}

/// The alternatives that the schema of a choice lists.
pub(super) fn alternatives(schema: &mut Schema) -> &mut Vec<Value> {
    let alternatives = schema.get_mut("oneOf").and_then(Value::as_array_mut);
    alternatives.expect("the schema of an enum lists its variants")
}

struct Reader<T> {
    choices: &'static [&'static str],
    names: &'static [&'static str],
    of: PhantomData<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Reader<T> {
    type Value = Choice<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("a name, or a table with one key")
    }

    fn visit_enum<A: EnumAccess<'de>>(self, choice: A) -> Result<Choice<T>, A::Error> {
        let (name, settings) = choice.variant_seed(Name(self.choices))?;
        if self.names.contains(&name) {
            return settings.unit_variant().map(|()| Choice::Name(name));
        }
        T::deserialize(EnumAccessDeserializer::new(Known { name, settings })).map(Choice::Other)
    }
}

/// Reads the name of a choice.
struct Name(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name {
    type Value = &'static str;

    fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str("the name of a choice")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<&'static str, E> {
        let known = self.0.iter().find(|name| **name == text).copied();
        known.ok_or_else(|| E::unknown_variant(text, self.0))
    }
}

/// A choice whose name has been read.
struct Known<A> {
    name: &'static str,
    settings: A,
}

impl<'de, A: VariantAccess<'de>> EnumAccess<'de> for Known<A> {
    type Error = A::Error;
    type Variant = A;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, A), A::Error> {
        Ok((seed.deserialize(self.name.into_deserializer())?, self.settings))
    }
}

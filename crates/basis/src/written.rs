//! How a value is written in a file, for types that read several forms and so cannot derive it.

/// Says the JSON Schema of a type: its name among the definitions, then the schema, in which
/// `types` gives those of other types.
#[doc(hidden)]
#[macro_export]
macro_rules! written {
    ($type:ty, $name:literal, { $($schema:tt)+ }) => {
        $crate::written::written!($type, $name, |_types| { $($schema)+ });
    };
    ($type:ty, $name:literal, |$types:ident| { $($schema:tt)+ }) => {
        $crate::written::written!($type, $name, |$types| = schemars::json_schema!({ $($schema)+ }));
    };
    ($type:ty, $name:literal, |$types:ident| = $schema:expr) => {
        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema($types: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $schema
            }
        }
    };
}

pub use written;

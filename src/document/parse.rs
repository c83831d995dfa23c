//! From TOML to a tree of values with places.

use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::{Problem, Problems};
use super::tree::{Content, Entry, Node, Place, SourceFile};

/// The tree of one file.
pub fn parse(source: Arc<SourceFile>) -> Result<Node, Problems> {
    let table = match DeTable::parse_recoverable(&source.text) {
        (table, errors) if errors.is_empty() => table,
        (_, errors) => {
            let mut problems = Problems::none();
            for error in errors {
                let end = source.text.len();
                let span = error.span().unwrap_or(end..end);
                let place = Place::File(source.clone(), span);
                problems.add(
                    Problem::at(place, format!("not TOML: {}", error.message()))
                        .label("the reader stopped here"),
                );
            }
            return Err(problems);
        }
    };
    let place = |span| Place::File(source.clone(), span);
    let value = Spanned::new(table.span(), DeValue::Table(table.into_inner()));
    match content(&value, &place) {
        // A problem with the whole file points at its first line.
        Ok(content) => Ok(Node { content, place: place(0..0) }),
        Err((message, span)) => {
            Err(Problem::at(place(span), message).label("not supported").into())
        }
    }
}

/// The value that `text` is, all of it at `place`; what is no TOML value is a string without quotes.
pub fn value(text: &str, place: &Place) -> Result<Node, Problem> {
    let content = match DeValue::parse(text.trim()) {
        Ok(value) => content(&value, &|_| place.clone())
            .map_err(|(message, _)| Problem::at(place.clone(), message))?,
        Err(_) => Content::String(text.to_owned()),
    };
    Ok(Node { content, place: place.clone() })
}

type Span = std::ops::Range<usize>;

fn content(
    value: &Spanned<DeValue>,
    place: &dyn Fn(Span) -> Place,
) -> Result<Content, (String, Span)> {
    Ok(match value.get_ref() {
        DeValue::String(text) => Content::String(text.to_string()),
        DeValue::Boolean(value) => Content::Boolean(*value),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            Content::Integer(parsed.map_err(|_| {
                (format!("the number {number} does not fit into 64 bits"), value.span())
            })?)
        }
        DeValue::Float(number) => {
            let parsed: f64 = number.as_str().parse().unwrap_or(f64::NAN);
            if !parsed.is_finite() {
                return Err((format!("{} is not a finite number", number.as_str()), value.span()));
            }
            Content::Float(parsed)
        }
        DeValue::Datetime(_) => {
            return Err(("an experiment cannot contain dates".to_owned(), value.span()));
        }
        DeValue::Array(items) => {
            Content::Array(items.iter().map(|item| node(item, place)).collect::<Result<_, _>>()?)
        }
        DeValue::Table(entries) => {
            let mut table = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let key_place = place(key.span());
                let value = node(value, place)?;
                table.push(Entry { key: key.get_ref().to_string(), key_place, value });
            }
            Content::Table(table)
        }
    })
}

fn node(value: &Spanned<DeValue>, place: &dyn Fn(Span) -> Place) -> Result<Node, (String, Span)> {
    Ok(Node { content: content(value, place)?, place: place(value.span()) })
}

//! From what `schemars` says of Rust types to what holds for the file.

use serde_json::{Map, Value, json};

use super::inner;

/// Tidies a schema and all within.
pub(super) fn tidy(schema: &mut Value) {
    names_alone(schema);
    nothing_is_null(schema);
    if let Value::Object(schema) = schema {
        // Rust's names of types are no formats.
        schema.remove("format");
        describe(schema);
    }
    inner(schema).for_each(tidy);
}

/// A choice whose settings are all optional can be written as its name alone, as the reader has it.
fn names_alone(schema: &mut Value) {
    let Some(Value::Array(forms)) = schema.get_mut("oneOf") else { return };
    let mut all = Vec::new();
    for form in forms.drain(..) {
        if let Some(name) = form.pointer("/required/0").and_then(Value::as_str)
            && form.pointer(&format!("/properties/{name}")).is_some_and(may_be_null)
        {
            let mut alone = json!({ "const": name });
            if let Some(description) = form.get("description") {
                alone["description"] = description.clone();
            }
            all.push(alone);
        }
        all.push(form);
    }
    *forms = all;
}

fn is_null(schema: &Value) -> bool {
    schema.get("type").is_some_and(|kind| kind == "null")
}

fn may_be_null(schema: &Value) -> bool {
    let among = |key: &str, found: fn(&Value) -> bool| {
        schema.get(key).and_then(Value::as_array).is_some_and(|all| all.iter().any(found))
    };
    among("type", |kind| kind == "null") || among("anyOf", is_null)
}

/// TOML has no null: what is optional is left out.
fn nothing_is_null(schema: &mut Value) {
    let Value::Object(schema) = schema else { return };
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = &kinds[..] {
            schema["type"] = kind.clone();
        }
    }
    if let Some(Value::Array(forms)) = schema.get_mut("anyOf") {
        forms.retain(|form| !is_null(form));
        if let [Value::Object(form)] = &forms[..] {
            let form = form.clone();
            schema.remove("anyOf");
            form.into_iter().for_each(|(key, value)| {
                schema.entry(key).or_insert(value);
            });
        }
    }
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

/// A docstring as text: its lines joined, its links to Rust names plain. Code in it that is a value
/// of TOML is an example.
fn describe(schema: &mut Map<String, Value>) {
    let Some(Value::String(docs)) = schema.get("description") else { return };
    let paragraphs: Vec<String> = docs
        .split("\n\n")
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let text = without_links(&paragraphs.join("\n\n"));
    let is_table = schema.get("type").is_some_and(|kind| kind == "object");
    let examples = text.split('`').skip(1).step_by(2).filter_map(example);
    let examples: Vec<Value> = examples.filter(|value| value.is_object() || !is_table).collect();
    if !examples.is_empty() {
        schema.insert("examples".to_owned(), Value::Array(examples));
    }
    schema.insert("description".to_owned(), Value::String(text));
}

fn without_links(text: &str) -> String {
    let mut pieces = text.split("[`");
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once("`]").unwrap_or((piece, ""));
        let target = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'));
        plain.push_str(&format!("`{name}`{}", target.map_or(rest, |(_, rest)| rest)));
    }
    plain
}

/// The value that `code` is, if it is a table, a list or a string.
fn example(code: &str) -> Option<Value> {
    if !code.starts_with(['{', '[', '"']) || code == "\"\"" {
        return None;
    }
    let table: toml::Table = format!("value = {code}").parse().ok()?;
    serde_json::to_value(&table["value"]).ok()
}

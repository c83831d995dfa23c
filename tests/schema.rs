//! The schema of the experiment file says what the reader says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use candlewick::config::layering::preset;
use candlewick::config::presets::PRESETS;
use candlewick::config::schema::schema;
use candlewick::config::weights::Which;
use candlewick::document::{KeyPath, Node, Problem};
use candlewick::plan::data::{DataFacts, DataPlan, Fold};
use candlewick::plan::distill::TeacherFacts;
use candlewick::plan::model::{ModelPlan, WeightsPlan};
use candlewick::plan::prune::Nothing;
use candlewick::plan::strategy::Strategy;
use candlewick::plan::survey::{Survey, Tried, WeightsFacts};
use candlewick::plan::sweep::expand;
use jsonschema::Validator;
use serde_json::Value;

/// What the schema has against a file; nothing against one that it allows.
fn against(validator: &Validator, text: &str) -> Vec<String> {
    let table: toml::Table = text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let value = serde_json::to_value(table).unwrap();
    validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

fn files(folder: &str) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| (stem(&path), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn the_schema_allows_every_experiment_and_preset_and_what_the_documents_show() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let mut all = files("experiments");
    all.extend(PRESETS.map(|(name, text)| (name.to_owned(), text.to_owned())));
    let mut pages: Vec<PathBuf> =
        ["README.md", "docs/tour.md", "docs/transforms.md"].map(PathBuf::from).to_vec();
    pages.extend(fs::read_dir("docs/reference").unwrap().map(|entry| entry.unwrap().path()));
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let snippets =
            text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        all.extend(snippets.map(|snippet| (page.display().to_string(), snippet.to_owned())));
    }
    assert!(all.len() > 40);
    for (name, text) in all {
        let errors = against(&validator, &text);
        assert!(errors.is_empty(), "{name}: {errors:#?}\n{text}");
    }
}

/// Files that are wrong by what their values mean: numbers out of range, shapes that do not fit,
/// names and files that there are not, settings that contradict each other.
const WRONG_BY_MEANING: &[&str] = &[
    "activation-on-logits",
    "augment-boxes",
    "augment-crop-too-large",
    "augment-evaluation-size",
    "augment-even-kernel",
    "augment-gray",
    "augment-mixing-in-the-middle",
    "augment-mixing-with-transforms",
    "augment-negative-limit",
    "augment-one-of-sizes",
    "augment-own-size-ends-elsewhere",
    "augment-own-size-in-one-chain",
    "augment-own-size-not-ended",
    "augment-size-now-and-then",
    "augment-test-time-mixes",
    "augment-unknown-chain",
    "augment-upside-down",
    "auxiliary-without-logits",
    "bad-layer-name",
    "batch-norm-momentum",
    "block-arguments",
    "block-contains-itself",
    "block-contains-itself-twice",
    "blurs-that-do-not-fit",
    "branches-do-not-fit",
    "class-weights",
    "columns-of-another-source",
    "conv-after-flatten",
    "crop-without-boxes",
    "data-fit-beside-chain",
    "data-group-brackets",
    "data-group-pattern",
    "data-group-prefix",
    "data-unknown-class",
    "dense-without-flatten",
    "duplicate-layer-names",
    "empty-network",
    "ends-with-maps",
    "everything-excluded",
    "exclusion-matches-nothing",
    "extends-itself",
    "extends-missing-file",
    "factors-that-do-not-fit",
    "group-without-column",
    "groups-do-not-divide",
    "kernel-larger-than-image",
    "launcher-slurm",
    "metric-without-validation",
    "missing-folder",
    "multi-label-advice",
    "multi-label-attributes",
    "multi-label-columns",
    "multi-label-distill",
    "multi-label-no-table",
    "multi-label-of-one-class",
    "multi-label-sampling",
    "multi-label-unknown-class",
    "multi-label-without-task",
    "name-too-long",
    "name-with-slash",
    "negative-rate",
    "nesterov-without-momentum",
    "norm-of-one-number",
    "normalise-channels",
    "norms-and-channels-of-today",
    "pool-larger-than-map",
    "pool-padding-too-large",
    "preset-beside-layers",
    "preset-for-larger-images",
    "repeated-names",
    "repeats-without-end",
    "residual-shapes-differ",
    "rules-without-parameters",
    "run-devices",
    "shape-inside-nested-blocks",
    "sweep-breaks-some-trials",
    "sweep-key-that-does-not-exist",
    "sweep-layer-that-does-not-exist",
    "sweep-path-that-does-not-exist",
    "sweep-paths-all-at-once",
    "sweep-prune-needs-validation",
    "sweep-prune-no-rung",
    "sweep-prune-numbers",
    "sweep-prune-without-pairs",
    "sweep-random-breaks-some-trials",
    "sweep-search-beside-grid",
    "sweep-when-later-axis",
    "sweep-when-never-holds",
    "sweep-when-never-together",
    "sweep-when-variant",
    "tensor-too-large",
    "transfer-cut-behind-everything",
    "transfer-cut-inside-a-block",
    "transfer-cut-is-no-part",
    "transfer-everything-frozen",
    "transfer-freezes-nothing-known",
    "transfer-head-that-cannot-be-fitted",
    "transfer-head-with-too-few-classes",
    "transfer-no-such-bundled-weights",
    "transfer-no-such-experiment",
    "transfer-numbers",
    "transfer-reinit-everything",
    "transfer-unfreezes-too-late",
    "transfer-unfreezes-what-learns",
    "transfer-unknown-cut",
    "transfer-weights-of-another-network",
    "transfer-without-weights",
    "trials-are-the-same",
    "unknown-block",
    "unknown-parameter",
    "warmup-longer-than-training",
    "weights-missing",
    "weights-of-another-network",
    "weights-that-run-code",
    "wrong-number-of-outputs",
    "zero-epochs-of-random-weights",
    "zero-filters-and-stride",
    "zip-of-different-lengths",
];

/// Files that lack what another layer of settings could have.
const INCOMPLETE: [&str; 5] =
    ["no-layers", "no-model", "no-name", "no-source", "sweep-random-without-samples"];

/// Files that no reader of TOML takes for what it is.
const NOT_TOML: [&str; 3] = ["not-toml", "number-too-large", "unclosed-string"];

#[test]
fn the_schema_refuses_every_file_that_is_wrong_by_its_shape() {
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    let mut allowed = Vec::new();
    let wrong = files("tests/bad-configs");
    let count = wrong.len();
    for (name, text) in wrong {
        if NOT_TOML.contains(&name.as_str()) {
            assert!(text.parse::<toml::Table>().is_err(), "{name} is TOML");
        } else if against(&validator, &text).is_empty() {
            allowed.push(name);
        }
    }
    let mut expected = [WRONG_BY_MEANING, &INCOMPLETE].concat();
    expected.sort_unstable();
    assert_eq!(allowed, expected);
    assert!(count > allowed.len() + 40, "{count} wrong files, of which {} pass", allowed.len());
}

/// A survey that knows the digits, without looking.
struct Digits;

impl Survey for Digits {
    fn data(&self, _: &DataPlan) -> Result<DataFacts, String> {
        let classes = (0..10).map(|digit| digit.to_string()).collect();
        Ok(DataFacts {
            classes,
            images: 1797,
            declared_test: 0,
            declared_validation: 0,
            counts: Vec::new(),
            left_out: Vec::new(),
        })
    }

    fn weights(&self, _: &WeightsPlan, _: &ModelPlan) -> Result<WeightsFacts, String> {
        Err("no weights here".to_owned())
    }

    fn earlier(&self, _: &str, _: Which) -> Result<PathBuf, String> {
        Err("no results here".to_owned())
    }

    fn tried(&self, _: &str) -> Result<Vec<Tried>, String> {
        Err("no results here".to_owned())
    }

    fn teacher(&self, _: &Path) -> Result<TeacherFacts, String> {
        Err("there are no teachers here".to_owned())
    }

    fn advise(&self, _: &Node, _: Option<Fold>) -> Result<Strategy, Vec<Problem>> {
        Err(Problem::value(KeyPath::root(), "nothing to measure here").into())
    }
}

/// What the reader has against `path` = `value`.
fn message(path: &str, value: &str) -> String {
    let sets = ["name=x", "data.source=digits", &format!("{path}={value}")].map(str::to_owned);
    let read = preset("plain", &sets).and_then(|root| expand(&root, &Digits, &Nothing).map(|_| ()));
    read.err().map(|problems| problems.render(false)).unwrap_or_default()
}

/// The names of choices that `schema` allows: alone, and as the keys of tables with one key.
fn names(
    schema: &Value,
    root: &Value,
    alone: &mut BTreeSet<String>,
    with_settings: &mut BTreeSet<String>,
) {
    let listed = schema["enum"].as_array().into_iter().flatten();
    let listed = listed.chain([&schema["const"]]);
    alone.extend(listed.filter_map(Value::as_str).map(str::to_owned));
    if let (Some(keys), Some(false)) =
        (schema["properties"].as_object(), schema["additionalProperties"].as_bool())
        && keys.len() == 1
    {
        with_settings.extend(keys.keys().cloned());
    }
    for forms in ["anyOf", "oneOf"] {
        for form in schema[forms].as_array().into_iter().flatten() {
            names(form, root, alone, with_settings);
        }
    }
    if let Some(definition) = schema["$ref"].as_str() {
        let definition = root.pointer(definition.strip_prefix('#').unwrap()).unwrap();
        names(definition, root, alone, with_settings);
    }
}

#[test]
fn every_choice_of_the_schema_is_one_of_the_reader_and_the_other_way_round() {
    let root = schema();
    let settings = root["$defs"]["Variant"]["properties"].as_object().unwrap();
    assert!(settings.len() > 80);
    let (mut offered, mut compared) = (0, 0);
    // Of a setting within a choice that is not made, nothing is said.
    let about = |path: &str, message: &str| message.starts_with(&format!("error: {path}: "));
    let is_refused = |path: &str, value: &str| {
        let message = message(path, value);
        let words = ["there is no choice", "wrong type"];
        let wrong = about(path, &message) && words.iter().any(|words| message.contains(words));
        (wrong || message.contains("there is no preset")).then_some(message)
    };
    for (path, setting) in settings.iter().filter(|(path, _)| *path != "name") {
        let (mut alone, mut with_settings) = (BTreeSet::new(), BTreeSet::new());
        names(setting, &root, &mut alone, &mut with_settings);
        for name in &alone {
            let refused = is_refused(path, &format!("\"{name}\""));
            assert_eq!(refused, None, "{path} = \"{name}\"");
            offered += 1;
        }
        for name in &with_settings {
            // No setting is a date or a list of truth values: the value is refused, not the name.
            let message = message(path, &format!("{{ {name} = [true] }}"));
            assert!(message.contains(name), "{path} = {{ {name} = … }}\n{message}");
            assert!(!message.contains("there is no choice"), "{message}");
            offered += 1;
        }
        let message = message(path, "\"qqqq\"");
        if !about(path, &message) {
            continue;
        }
        let Some(list) = message.split("the choices are ").nth(1) else { continue };
        let list = list.split("\n\n").next().unwrap();
        for name in list.split([',', ' ', '\n']).filter(|word| !word.is_empty()) {
            let is_known = alone.contains(name) || with_settings.contains(name);
            assert!(is_known, "{path} = \"{name}\" is not in the schema");
            compared += 1;
        }
    }
    assert!(offered > 80 && compared > 60, "{offered} offered, {compared} compared");
}

/// All schemas inside of `schema`.
fn within<'a>(schema: &'a Value, found: &mut Vec<&'a Value>) {
    found.push(schema);
    match schema {
        Value::Object(keys) => {
            let data = ["default", "examples", "enum", "const"];
            let keys = keys.iter().filter(|(key, _)| !data.contains(&key.as_str()));
            keys.for_each(|(_, value)| within(value, found));
        }
        Value::Array(items) => items.iter().for_each(|item| within(item, found)),
        _ => {}
    }
}

#[test]
fn descriptions_are_plain_words_and_examples_and_defaults_are_allowed() {
    let root = schema();
    let mut all = Vec::new();
    within(&root, &mut all);
    let mut described = 0;
    let (mut schemas, mut values) = (Vec::new(), Vec::new());
    for schema in all {
        if let Some(text) = schema["description"].as_str() {
            for source in ["](", "::", "[`", "\\", "  "] {
                assert!(!text.contains(source), "{text}");
            }
            described += 1;
        }
        let examples = schema["examples"].as_array().into_iter().flatten();
        for value in examples.chain(schema.get("default")) {
            schemas.push(schema.clone());
            values.push(value.clone());
        }
    }
    assert!(described > 400 && values.len() > 150, "{described}, {}", values.len());
    let side_by_side = serde_json::json!({ "prefixItems": schemas, "$defs": root["$defs"] });
    let validator = jsonschema::draft202012::new(&side_by_side).unwrap();
    let values = Value::Array(values);
    let errors: Vec<_> = validator.iter_errors(&values).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

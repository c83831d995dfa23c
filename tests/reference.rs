//! The reference pages of the file format list exactly the keys that the program reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use candlewick::augment::{self, AnyTransform, Reader, Step};
use candlewick::basis::activation::Activation;
use candlewick::basis::record::Scores;
use candlewick::config::defaults::DEFAULTS;
use candlewick::config::layer::KINDS;
use candlewick::config::layering::{Request, load};
use candlewick::config::schema::schema;
use candlewick::data::Cache;
use candlewick::plan::prune::Nothing;
use candlewick::plan::sweep::expand;
use candlewick::results::{decisions, metrics, timings, trials};
use candlewick::sweep::survey::Files;

fn page(name: &str) -> String {
    fs::read_to_string(format!("docs/reference/{name}.md")).unwrap()
}

/// The keys in the table under the heading that ends with `heading`.
fn documented(page: &str, heading: &str) -> BTreeSet<String> {
    let mut lines =
        page.lines().skip_while(|line| !(line.starts_with('#') && line.ends_with(heading)));
    assert!(lines.next().is_some(), "the page has no heading {heading}");
    lines
        .take_while(|line| !line.starts_with('#'))
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next().map(str::to_owned))
        .collect()
}

/// The keys that the program offers when it meets an unknown one in `toml`.
fn offered(sections: &str) -> BTreeSet<String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("experiment.toml");
    fs::write(&file, format!("name = \"x\"\n{sections}")).unwrap();
    let images = Cache::new(1);
    let survey = Files::new(&images, Path::new("results"));
    let problems = load(&Request { file, ..Request::default() })
        .and_then(|root| expand(&root, &survey, &Nothing).map(|_| ()))
        .expect_err("the unknown key is read");
    let text = problems.render(false);
    let list = ["the keys here are ", "the keys are "]
        .iter()
        .find_map(|words| text.split(words).nth(1))
        .unwrap_or_else(|| panic!("{text}"));
    // The frame wraps long lines.
    let list = list.split("\n\n").next().unwrap().split(';').next().unwrap();
    list.split([',', ' ', '\n']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The keys of a definition of the schema, without dotted paths.
fn in_schema(name: &str) -> BTreeSet<String> {
    let keys = schema()["$defs"][name]["properties"].as_object().cloned();
    let keys = keys.unwrap_or_else(|| panic!("the schema has no {name}"));
    keys.into_iter().map(|(key, _)| key).filter(|key| !key.contains('.')).collect()
}

/// `max-pool` as `MaxPool`.
fn type_name(kind: &str) -> String {
    let capital = |word: &str| format!("{}{}", word[..1].to_uppercase(), &word[1..]);
    kind.split('-').map(capital).collect()
}

/// A table of the file.
struct Table {
    /// The page and the end of the heading that have its keys.
    page: &'static str,
    heading: String,
    /// An experiment with an unknown key in the table.
    toml: String,
    /// Its definition in the schema.
    schema: String,
}

fn tables() -> Vec<Table> {
    let data = "[data]\nsource = \"digits\"\n";
    let model = "[model]\nlayers = [\"flatten\", { dense = \"classes\" }]\n";
    let layer = |kind: &str| {
        let argument = match kind {
            "flatten" | "batch-norm" | "layer-norm" | "instance-norm" | "global-response-norm" => {
                "true"
            }
            "activation" => "\"relu\"",
            "residual" | "auxiliary" => "[\"relu\"]",
            "branches" => "[[\"relu\"], []]",
            "channel-pool" => "\"max\"",
            _ => "1",
        };
        format!("{data}[model]\nlayers = [{{ {kind} = {argument}, qqqq = 1 }}]\n")
    };
    let train = |text: &str| format!("{data}{model}[train]\n{text}\n");
    let mut cases = [
        ("README", "A whole file", format!("qqqq = 1\n{data}{model}"), "Experiment"),
        ("data", "`[data]`", format!("{data}qqqq = 1\n{model}"), "Data"),
        ("augment", "`[augment]`", format!("{data}[augment]\nqqqq = 1\n{model}"), "Augment"),
        ("data", "`data.image`", format!("{data}image = {{ qqqq = 1 }}\n{model}"), "Image"),
        ("data", "`data.columns`", format!("{data}columns = {{ qqqq = 1 }}\n{model}"), "Columns"),
        ("model", "`[model]`", format!("{data}{model}qqqq = 1\n"), "Model"),
        (
            "model",
            "`model.defaults`",
            format!("{data}{model}defaults = {{ qqqq = 1 }}\n"),
            "Defaults",
        ),
        (
            "model",
            "`model.weights`",
            format!("{data}{model}weights = {{ qqqq = 1 }}\n"),
            "FromFile",
        ),
        ("transfer", "`[transfer]`", format!("{data}{model}[transfer]\nqqqq = 1\n"), "Transfer"),
        ("train", "`[train]`", train("qqqq = 1"), "Train"),
        ("train", "`train.early-stop`", train("early-stop = { qqqq = 1 }"), "EarlyStop"),
        ("train", "`train.parameters`", train("parameters = [{ qqqq = 1 }]"), "ParameterRule"),
        ("train", "`train.batch-sizes`", train("batch-sizes = [{ qqqq = 1 }]"), "BatchStage"),
        (
            "train",
            "`train.progressive-resizing`",
            train("progressive-resizing = [{ qqqq = 1 }]"),
            "ResizingStage",
        ),
        ("train", "`train.distill`", train("distill = { teacher = \"x\", qqqq = 1 }"), "Distill"),
        ("train", "`train.look-ahead`", train("look-ahead = { qqqq = 1 }"), "LookAhead"),
        ("train", "`ema`", train("average = { ema = { qqqq = 1 } }"), "Ema"),
        ("train", "`swa`", train("average = { swa = { qqqq = 1 } }"), "Swa"),
        ("run", "`[run]`", format!("{data}{model}[run]\nqqqq = 1\n"), "Run"),
        (
            "launcher",
            "`[launcher.slurm]`",
            format!("{data}{model}[launcher.slurm]\nqqqq = 1\n"),
            "Slurm",
        ),
        ("sweep", "`[sweep]`", format!("{data}{model}[sweep]\nqqqq = 1\n"), "Sweep"),
        // Any key may be the path of an axis, unless it is like one of the others.
        ("sweep", "`sweep.random`", format!("{data}{model}[sweep.random]\nsample = 1\n"), "Random"),
        ("sweep", "`sweep.search`", format!("{data}{model}[sweep.search]\nrounds = 1\n"), "Search"),
    ]
    .map(|(page, heading, toml, schema)| Table {
        page,
        heading: heading.to_owned(),
        toml,
        schema: schema.to_owned(),
    })
    .into_iter()
    .collect::<Vec<_>>();
    let mut kind = |page, kind: &str, toml, schema| {
        cases.push(Table { page, heading: format!("`{kind}`"), toml, schema });
    };
    // The keys of a block are its own parameters.
    for name in KINDS.into_iter().filter(|name| *name != "block") {
        let schema = match name {
            "activation" | "dropout" => format!("{}Layer", type_name(name)),
            _ => type_name(name),
        };
        kind("layers", name, layer(name), schema);
    }
    let optimizers =
        ["sgd", "adam", "rmsprop", "lion", "lamb", "muon", "nadam", "adagrad", "adadelta"];
    for optimizer in optimizers {
        let text = train(&format!("optimizer = {{ {optimizer} = {{ qqqq = 1 }} }}"));
        kind("optimisers", optimizer, text, type_name(optimizer));
    }
    let schedules = [
        "constant",
        "step",
        "steps",
        "exponential",
        "cosine",
        "cosine-restarts",
        "poly",
        "one-cycle",
        "plateau",
    ];
    for schedule in schedules {
        let text = train(&format!("schedule = {{ {schedule} = {{ qqqq = 1 }} }}"));
        kind("schedules", schedule, text, type_name(schedule));
    }
    for (rule, schema) in [
        ("median", "Median"),
        ("successive-halving", "Halving"),
        ("asha", "Halving"),
        ("hyperband", "Halving"),
        ("paired", "Paired"),
    ] {
        let text = format!("{data}{model}[sweep]\nprune = {{ {rule} = {{ qqqq = 1 }} }}\n");
        kind("sweep", rule, text, schema.to_owned());
    }
    cases
}

#[test]
fn the_reference_has_every_key_and_no_other() {
    for Table { page: name, heading, toml, .. } in tables() {
        let documented = documented(&page(name), &heading);
        assert_eq!(documented, offered(&toml), "under {heading} of {name}.md");
    }
}

#[test]
fn the_overview_of_the_reference_shows_a_whole_experiment() {
    let overview = page("README");
    let text = overview.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("experiment.toml");
    fs::write(&file, text).unwrap();
    let images = Cache::new(1);
    let survey = Files::new(&images, Path::new("results"));
    let root = load(&Request { file, ..Request::default() }).unwrap();
    let experiment =
        expand(&root, &survey, &Nothing).unwrap_or_else(|p| panic!("{}", p.render(false)));
    assert_eq!(experiment.trials.len(), 30);
}

#[test]
fn the_reference_has_every_column_and_no_other() {
    let page = page("results");
    let listed = |file: &str| -> Vec<String> {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{file}` |"))).unwrap();
        let names = row.split_once(": ").unwrap().1.split('`').skip(1).step_by(2);
        let columns = names.flat_map(|name| match name.strip_suffix('*') {
            Some(part) => Scores::NAMES.map(|score| format!("{part}{score}")).to_vec(),
            None => vec![name.to_owned()],
        });
        columns.collect()
    };
    assert_eq!(listed(trials::FILE), trials::columns(&[]).collect::<Vec<_>>());
    assert_eq!(listed(metrics::FILE), metrics::columns().collect::<Vec<_>>());
    assert_eq!(listed(decisions::FILE), decisions::COLUMNS);
    assert_eq!(listed(timings::FILE), timings::COLUMNS);
}

#[test]
fn the_schema_has_every_key_and_no_other() {
    for Table { toml, schema, .. } in tables() {
        assert_eq!(in_schema(&schema), offered(&toml), "in the schema of {schema}");
    }
}

#[test]
fn the_reference_shows_the_defaults_and_names_every_activation() {
    assert!(page("defaults").contains(&format!("```toml\n{DEFAULTS}```")), "the defaults differ");
    let model = page("model");
    for name in Activation::NAMES {
        assert!(model.contains(&format!("`{name}`")), "{name} is not documented");
    }
}

/// Reads a table with an unknown key, so that the message lists those that are known.
struct Keys;

impl Reader for Keys {
    type Error = String;
    fn read<T: serde::de::DeserializeOwned>(self) -> Result<T, String> {
        let table = serde_json::json!({ "qqqq": 1 });
        serde_json::from_value(table).map_err(|error| error.to_string())
    }
}

#[test]
fn the_page_of_transforms_has_every_kind_with_every_key_and_no_other() {
    let page = fs::read_to_string("docs/transforms.md").unwrap();
    let in_marks = |text: &str| -> Vec<String> {
        text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    let mut rows: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        let [written, _, _, keys] = cells[..] else { continue };
        let example = in_marks(written).remove(0);
        // The example has to be what it says.
        let chain = format!("augment.train=[{example}]");
        let root = candlewick::config::layering::preset("plain", &[chain]).unwrap();
        let read = candlewick::config::augment::Augment::read(root.get("augment").unwrap());
        let chain = read.unwrap_or_else(|problems| panic!("{example}: {problems:?}")).train.chain;
        let [Step::Transform { transform, .. }] = &chain.steps[..] else { panic!("{example}") };
        let keys = keys.split("; ").filter_map(|key| in_marks(key).into_iter().next());
        rows.insert(transform.kind().to_owned(), keys.collect());
    }
    for kind in augment::KINDS {
        let message = AnyTransform::read(kind, Keys).unwrap().unwrap_err();
        let offered: BTreeSet<String> =
            in_marks(&message).into_iter().filter(|key| key != "qqqq" && key != kind).collect();
        let row = rows.remove(*kind).unwrap_or_else(|| panic!("{kind} has no row"));
        assert_eq!(row, offered, "{kind}");
        let mut in_schema = in_schema(kind);
        assert!(in_schema.remove(*kind) && in_schema.remove("p"), "{kind}");
        assert_eq!(in_schema, offered, "in the schema of {kind}");
    }
    assert!(rows.is_empty(), "{rows:?}");
}

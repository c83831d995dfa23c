//! What a results folder answers: numbers that are recomputed, and folders of every kind, hostile ones too.

use std::fmt::Write;
use std::fs;

use serde_json::Value;

use super::bench::Bench;
use super::synthetic::{Synthetic, made};

/// The page of a folder.
fn page(bench: &Bench) -> String {
    bench.done(&["report", "results/made"]);
    fs::read_to_string(bench.path().join("results/made/report.html")).unwrap()
}

/// The numbers in a page.
fn numbers(page: &str) -> Value {
    let (_, after) = page.split_once("id=\"numbers\">").unwrap();
    serde_json::from_str(after.split_once("</script>").unwrap().0).unwrap()
}

/// Nothing may be asked for, and nothing may be shown that is no number.
fn check(page: &str) {
    for (index, _) in page.match_indices("src=\"").chain(page.match_indices("href=\"")) {
        let value = page[index..].split_once('"').unwrap().1;
        let is_own = value.starts_with("data:") || value.starts_with('#');
        assert!(is_own, "asks for {}", &value[..40.min(value.len())]);
    }
    let shown = page.rsplit_once("<script>").unwrap().0;
    for word in ["@import", "url(", "NaN", "inf "] {
        assert!(!shown.contains(word), "{word} in the page");
    }
    assert_eq!(page.matches("<script").count(), 2, "the numbers and the page's own script");
    assert_eq!(page.matches("</script").count(), 2);
}

#[track_caller]
fn close(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap();
    assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
}

#[test]
fn means_intervals_tests_and_effects_of_the_page_are_those_of_the_tables() {
    let settings: [&[&str]; 4] =
        [&["none", "0.0"], &["none", "0.5"], &["batch", "0.0"], &["batch", "0.5"]];
    let bench = made(&Synthetic::new(&["model.norm", "model.dropout"], &settings, 3));
    let page = page(&bench);
    check(&page);
    let numbers = numbers(&page);
    let value = Synthetic::value;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let half = |values: &[f64], t: f64| {
        let (n, mean) = (values.len() as f64, mean(values));
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
        t * (variance / n).sqrt()
    };
    // The quantiles 0.975 of Student's t for 2 and 5 degrees of freedom.
    let [two, five] = [4.302652729911275, 2.570581835636314];
    // The fourth setting is the best by 5 points.
    let best: Vec<f64> = (0..3).map(|seed| value(3, seed)).collect();
    let first = &numbers["settings"][0];
    assert_eq!(first["values"]["model.norm"], "batch");
    assert_eq!(first["values"]["model.dropout"], "0.5");
    assert_eq!((&first["verdict"], &first["estimate"]["n"]), (&"best".into(), &3.into()));
    close(&first["estimate"]["mean"], mean(&best));
    close(&first["estimate"]["half_width"], half(&best, two));
    close(&first["test"]["mean"], mean(&best) - 0.01);
    let second = &numbers["settings"][1];
    assert_eq!(second["values"]["model.norm"], "batch");
    let behind: Vec<f64> = (0..3).map(|seed| value(3, seed) - value(2, seed)).collect();
    close(&second["behind"]["mean"], mean(&behind));
    close(&second["behind"]["half_width"], half(&behind, two));
    // norm = batch against none: settings 2, 3 against 0, 1, on every seed.
    let pairs: Vec<f64> = [(2, 0), (3, 1)]
        .into_iter()
        .flat_map(|(to, from)| (0..3).map(move |seed| value(to, seed) - value(from, seed)))
        .collect();
    let effect = &numbers["effects"][0];
    assert_eq!(effect["factor"]["columns"][0], "model.norm");
    assert_eq!((&effect["factor"]["from"][0], &effect["paired"]["n"]), (&"none".into(), &6.into()));
    close(&effect["paired"]["mean"], mean(&pairs));
    close(&effect["paired"]["half_width"], half(&pairs, five));
    let fours: Vec<f64> = (0..3)
        .map(|seed| value(3, seed) - value(1, seed) - (value(2, seed) - value(0, seed)))
        .collect();
    close(&numbers["interactions"][0]["paired"]["mean"], mean(&fours));
    // What people read says the same.
    // Of the interval two digits.
    let shown = format!("{:.1} ± {:.1}", 100.0 * mean(&best), 100.0 * half(&best, two));
    assert!(page.contains(&shown), "{shown}");
}

#[test]
fn scores_of_predictions_are_means_over_the_trials_that_have_them() {
    let bench = made(&Synthetic::new(&["lr"], &[&["0.1"], &["0.2"], &["0.3"]], 2));
    let root = bench.path().join("results/made");
    // Trials 3 and 4 are those of 0.2; those of 0.3 have left none.
    for (trial, kappa) in [(1, "0.5"), (2, "0.7"), (3, "0.25"), (4, "")] {
        let folder = root.join(format!("trials/d{trial}"));
        fs::create_dir_all(&folder).unwrap();
        let text = format!("set,score,value\ntest,loss,0.125\ntest,cohen_kappa,{kappa}\n");
        fs::write(folder.join("scores.csv"), text).unwrap();
    }
    let csv = bench.done(&["report", "results/made", "--format", "csv", "--table", "scores"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let cell = |row: usize, name: &str| {
        &rows[row][header.iter().position(|column| column == name).unwrap()]
    };
    assert_eq!(rows.len(), 2, "{csv}");
    let of = |lr: &str| (0..2).find(|row| cell(*row, "lr") == lr).unwrap();
    assert_eq!(cell(of("0.1"), "set"), "test");
    assert_eq!(cell(of("0.1"), "cohen_kappa_n"), "2");
    assert_eq!(cell(of("0.1"), "cohen_kappa"), "0.6");
    assert_eq!((cell(of("0.2"), "cohen_kappa_n"), cell(of("0.2"), "cohen_kappa")), ("1", "0.25"));
    assert_eq!((cell(of("0.2"), "roc_auc_n"), cell(of("0.2"), "roc_auc")), ("0", ""));
    let page = page(&bench);
    check(&page);
    assert!(page.contains("Scores of predictions") && page.contains("0.6 ± 1.3"));
    let numbers = numbers(&page);
    let settings = numbers["settings"].as_array().unwrap();
    let of = |lr: &str| settings.iter().find(|setting| setting["values"]["lr"] == lr).unwrap();
    close(&of("0.1")["scores"]["cohen_kappa"]["mean"], 0.6);
    assert_eq!(of("0.1")["scores"]["set"], "test");
    assert_eq!(of("0.3")["scores"], Value::Null);
    let text = bench.done(&["report", "results/made", "--table", "scores"]);
    assert!(text.contains("Cohen's kappa") && text.contains("recall is the balanced"), "{text}");
}

#[test]
fn the_pareto_front_holds_the_settings_that_no_other_one_beats() {
    let values: Vec<String> = (0..9).map(|value| value.to_string()).collect();
    let settings: Vec<[&str; 1]> = values.iter().map(|value| [&value[..]]).collect();
    let settings: Vec<&[&str]> = settings.iter().map(|values| &values[..]).collect();
    let bench = made(&Synthetic::new(&["model.width"], &settings, 2));
    let csv = bench.done(&["report", "results/made", "--format", "csv", "--table", "cost"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    assert_eq!(
        header[1..],
        [
            "model.width",
            "n",
            "val_accuracy",
            "val_accuracy_half_width",
            "parameters",
            "flops",
            "front_parameters",
            "front_flops"
        ]
    );
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    let place = |row: &csv::StringRecord| -> (f64, f64) {
        (row[5].parse().unwrap(), row[3].parse().unwrap())
    };
    let mut on = Vec::new();
    for row in &rows {
        let (cost, value) = place(row);
        let is_beaten = rows.iter().map(place).any(|(other, better)| {
            other <= cost && better >= value && (other < cost || better > value)
        });
        assert_eq!(&row[7], if is_beaten { "false" } else { "true" }, "{row:?}");
        on.extend((!is_beaten).then(|| row[1].to_owned()));
    }
    assert!((2..9).contains(&on.len()), "{on:?}");
    let page = page(&bench);
    check(&page);
    // One chart by parameters: all cost the same FLOPs and the same time.
    assert_eq!(page.matches("class=\"ring\"").count(), on.len());
    let numbers = numbers(&page);
    for setting in numbers["settings"].as_array().unwrap() {
        let is_on = on.iter().any(|value| setting["values"]["model.width"] == **value);
        let front = setting["front"].as_array().unwrap();
        assert_eq!(front.contains(&"parameters".into()), is_on, "{setting}");
    }
    // With a second experiment, the same settings are on the front of both, each twice.
    let root = bench.path().join("results");
    fs::create_dir_all(root.join("other")).unwrap();
    for table in ["trials.csv", "metrics.csv", "timings.csv"] {
        fs::copy(root.join("made").join(table), root.join("other").join(table)).unwrap();
    }
    let said = bench.done(&["compare", "results/made", "results/other"]);
    let (_, front) = said.split_once("Pareto front by parameters").unwrap();
    for value in &on {
        let rows = front.lines().filter(|line| line.contains(&format!("width = {value} ")));
        assert_eq!(rows.count(), 2, "{value}: {said}");
    }
    let text = bench.done(&["report", "results/made", "--table", "cost"]);
    assert!(text.contains("front: no other setting"), "{text}");
}

#[test]
fn importance_names_the_drawn_axis_that_decides_and_is_not_told_of_few_settings() {
    let values: Vec<[String; 2]> =
        (0..40).map(|k| [(k % 4).to_string(), format!("{}", (k * 29) % 31)]).collect();
    let settings: Vec<[&str; 2]> = values.iter().map(|pair| [&pair[0][..], &pair[1][..]]).collect();
    let settings: Vec<&[&str]> = settings.iter().map(|values| &values[..]).collect();
    let experiment =
        "name = \"made\"\n[sweep.random]\n\"train.a\" = [0, 4]\n\"train.b\" = [0, 31]\n";
    let told = |settings: &[&[&str]]| {
        let bench = made(&Synthetic::new(&["train.a", "train.b"], settings, 1));
        fs::write(bench.path().join("results/made/experiment.toml"), experiment).unwrap();
        let csv = ["report", "results/made", "--format", "csv", "--table", "importance"];
        (bench.done(&csv), page(&bench))
    };
    let (csv, page) = told(&settings);
    check(&page);
    let rows: Vec<&str> = csv.lines().collect();
    assert_eq!(rows[0], "factor,lost,half_width");
    assert!(rows[1].starts_with("a,") && rows[2].starts_with("b,"), "{csv}");
    let numbers = numbers(&page);
    let factors = numbers["importance"]["factors"].as_array().unwrap();
    assert_eq!(factors[0]["columns"][0], "train.a");
    let lost = |factor: usize| factors[factor]["lost"]["mean"].as_f64().unwrap();
    assert!(lost(0) > 0.5 && lost(1).abs() < 0.1, "{csv}");
    assert!(page.contains("Importance for validation accuracy"));
    let explained = numbers["importance"]["explained"]["mean"].as_f64().unwrap();
    assert!((0.5..1.0).contains(&explained), "{explained}");
    let (csv, page) = told(&settings[..19]);
    assert_eq!(csv.lines().count(), 1, "{csv}");
    assert!(page.contains("The importance of axes needs 20 settings with a value; there are 19."));
}

#[test]
fn another_metric_ranks_by_it_and_less_loss_is_better() {
    let bench = made(&Synthetic::new(&["lr"], &[&["0.1"], &["0.2"]], 2));
    let csv = bench.done(&["report", "results/made", "--format", "csv", "--metric", "val_loss"]);
    let rows: Vec<&str> = csv.lines().collect();
    assert!(rows[0].starts_with("rank,lr,n,val_loss,val_loss_half_width,behind,"), "{csv}");
    assert!(rows[1].starts_with("1,0.2,2,0.2") && rows[2].starts_with("2,0.1,2,0.2"), "{csv}");
    assert!(!bench.path().join("results/made/report.html").exists(), "tables touch nothing");
    let output = bench.wick(&["report", "results/made", "--metric", "val_beauty"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("expected one of train_loss"));
}

#[test]
fn hostile_names_are_shown_as_they_are_and_do_nothing() {
    let evil = "</script><script>alert(1)</script>";
    let quote = "a\"b'c<img src=x onerror=alert(1)>&amp;";
    let mut synthetic = Synthetic::new(&["data.<b>path</b>"], &[&[evil], &[quote]], 2);
    let bench = made(&synthetic);
    let root = bench.path().join("results/made");
    let experiment = format!("name = {evil:?}\ndescription = {quote:?}\n");
    fs::write(root.join("experiment.toml"), experiment).unwrap();
    for trial in ["d1", "d2", "d3", "d4"] {
        let folder = root.join("trials").join(trial);
        fs::create_dir_all(&folder).unwrap();
        let mut confusion = csv::Writer::from_path(folder.join("confusion.csv")).unwrap();
        confusion.write_record(["class", evil, quote]).unwrap();
        confusion.write_record([evil, "5", "2"]).unwrap();
        confusion.write_record([quote, "1", "4"]).unwrap();
        confusion.flush().unwrap();
        let mut predictions = csv::Writer::from_path(folder.join("predictions.csv")).unwrap();
        let header = ["image", "set", "class", "predicted", "probability", "class_probability"];
        predictions.write_record(header).unwrap();
        predictions.write_record([quote, "test", evil, quote, "0.9", "0.1"]).unwrap();
        predictions.flush().unwrap();
    }
    let page = page(&bench);
    check(&page);
    assert!(!page.contains("<img src=x") && !page.contains("<b>path"), "names became elements");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert_eq!(numbers(&page)["name"], evil);
    let charts = bench.path().join("charts");
    bench.done(&["report", "results/made", "--plots", "charts"]);
    let confusion = fs::read_to_string(charts.join("confusion.svg")).unwrap();
    assert!(confusion.starts_with("<?xml") && !confusion.contains("<script"));
    let markdown = bench.done(&["report", "results/made", "--format", "markdown"]);
    assert!(markdown.contains("&lt;script>") && !markdown.contains("<script>"), "{markdown}");
    synthetic.status = "failed";
    synthetic.reason = "<script>alert(1)</script>";
    synthetic.write(&bench);
    check(&self::page(&bench));
}

#[test]
fn one_trial_is_a_report_without_intervals_and_tests() {
    let bench = made(&Synthetic::new(&[], &[&[]], 1));
    let page = page(&bench);
    check(&page);
    let numbers = numbers(&page);
    assert_eq!(numbers["settings"].as_array().unwrap().len(), 1);
    assert_eq!(numbers["settings"][0]["estimate"]["half_width"], Value::Null);
    assert!(page.contains("70.00 %") && page.contains("1 setting"), "{page}");
    assert!(!page.contains("id=\"effects\""));
}

#[test]
fn with_one_seed_nothing_is_called_better_than_luck() {
    let bench = made(&Synthetic::new(&["lr"], &[&["0.1"], &["0.2"], &["0.3"]], 1));
    let page = page(&bench);
    check(&page);
    let numbers = numbers(&page);
    assert_eq!(numbers["settings"][1]["verdict"], "unknown");
    assert_eq!(numbers["effects"][0]["paired"]["p"], Value::Null);
    assert!(page.contains("With one run per setting, the differences may be luck"));
}

#[test]
fn a_folder_in_which_everything_failed_says_why() {
    let mut synthetic = Synthetic::new(&["lr"], &[&["0.1"], &["1e9"]], 2);
    synthetic.status = "failed";
    synthetic.reason = "the loss was NaN in epoch 1";
    let bench = made(&synthetic);
    let said = bench.done(&["report", "results/made"]);
    assert!(said.contains("4 of 4 trials were not completed"), "{said}");
    let page = fs::read_to_string(bench.path().join("results/made/report.html")).unwrap();
    check(&page.replace("the loss was NaN", ""));
    assert!(page.contains("No trial was completed"));
    assert_eq!(page.matches("the loss was NaN in epoch 1").count(), 4);
    assert!(bench.done(&["curves", "results/made"]).contains("no completed trial"));
}

#[test]
fn a_folder_that_is_none_and_a_torn_table_are_told() {
    let bench = made(&Synthetic::new(&["lr"], &[&["0.1"]], 2));
    let output = bench.wick(&["report", "results"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has no trials.csv"));
    let root = bench.path().join("results/made");
    // Half of the epochs are gone, and the last row is torn.
    let metrics = fs::read_to_string(root.join("metrics.csv")).unwrap();
    fs::write(root.join("metrics.csv"), &metrics[..metrics.len() / 2]).unwrap();
    check(&page(&bench));
    fs::write(root.join("trials.csv"), "a,b\n1,2\n").unwrap();
    let output = bench.wick(&["report", "results/made"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no column \"seed\""));
}

#[test]
fn two_hundred_classes_fit_into_the_page() {
    let bench = made(&Synthetic::new(&["lr"], &[&["0.1"], &["0.2"]], 1));
    let folder = bench.path().join("results/made/trials/d2");
    fs::create_dir_all(&folder).unwrap();
    let classes: Vec<String> = (0..200).map(|class| format!("class {class}")).collect();
    let mut confusion = format!("class,{}\n", classes.join(","));
    for (row, class) in classes.iter().enumerate() {
        // Every cell is taken.
        let counts: Vec<String> = (0..200)
            .map(|column| if row == column { 900 } else { 1 + (row * column) % 3 }.to_string())
            .collect();
        let _ = writeln!(confusion, "{class},{}", counts.join(","));
    }
    fs::write(folder.join("confusion.csv"), confusion).unwrap();
    let page = page(&bench);
    check(&page);
    assert!(page.contains("data-cell=\"199-198\"") && page.contains("class 199"));
    assert!(page.len() < 8_000_000, "{} bytes", page.len());
}

#[test]
fn two_thousand_trials_are_a_page_of_a_few_megabytes() {
    let values: Vec<Vec<String>> =
        (0..400).map(|index| vec![(index / 20).to_string(), (index % 20).to_string()]).collect();
    let mut synthetic = Synthetic::new(&["a", "b"], &[], 5);
    synthetic.settings = values;
    synthetic.epochs = 20;
    let bench = made(&synthetic);
    let page = page(&bench);
    check(&page);
    assert!(page.len() < 4_000_000, "{} bytes", page.len());
    let numbers = numbers(&page);
    assert_eq!(numbers["settings"].as_array().unwrap().len(), 400);
    // 19 levels of each factor against its first one, over 20 levels of the other and 5 seeds.
    assert_eq!(numbers["effects"].as_array().unwrap().len(), 38);
    assert_eq!(numbers["effects"][37]["paired"]["n"], 100);
}

#[test]
fn tables_come_as_markdown_latex_and_csv_and_fit_their_window() {
    let settings: [&[&str]; 2] = [&["none_of"], &["batch"]];
    let bench = made(&Synthetic::new(&["model.norm"], &settings, 3));
    let report = |more: &[&str]| bench.done(&[&["report", "results/made"], more].concat());
    let markdown = report(&["--format", "markdown", "--table", "ranking"]);
    assert!(
        markdown.starts_with("|  | norm | n | val_accuracy, % | behind | p | verdict |"),
        "{markdown}"
    );
    assert!(markdown.lines().nth(1).unwrap().starts_with("|---|---|---:|"), "{markdown}");
    let latex = report(&["--format", "latex", "--table", "effects"]);
    assert!(
        latex.contains("\\toprule") && latex.contains("none\\_of") && latex.contains("$\\pm$"),
        "{latex}"
    );
    let csv = report(&["--format", "csv", "--table", "effects"]);
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let row = reader.records().next().unwrap().unwrap();
    assert_eq!(row.iter().take(4).collect::<Vec<_>>(), ["norm", "batch", "none_of", "3"]);
    let terminal = report(&[]);
    assert!(terminal.lines().all(|line| line.chars().count() <= 120), "{terminal}");
    assert!(terminal.contains("Effects, by matched pairs"));
}

#[test]
fn curves_are_drawn_with_a_letter_for_each_setting() {
    let bench = made(&Synthetic::new(&["lr"], &[&["0.1"], &["0.2"]], 2));
    let said = bench.done(&["curves", "results/made"]);
    assert!(said.starts_with("val_accuracy\n") && said.contains("\nval_loss\n"), "{said}");
    assert!(said.contains("  a    ") && said.contains("lr = 0.2"), "{said}");
    let said = bench.done(&["curves", "results/made", "--metric", "train_loss", "--settings", "1"]);
    assert!(said.starts_with("train_loss\n") && !said.contains("lr = 0.1"), "{said}");
    assert_eq!(
        bench.wick(&["curves", "results/made", "--metric", "val_f1"]).status.code(),
        Some(2)
    );
}

const DIGITS: &str = r#"
name = "one"
seed = 7

[data]
source = "digits"
image = { size = [8, 8], channels = 1 }
test = 0.2
batch-size = 100

[model]
layers = ["flatten", { dense = 16 }, { dense = "classes" }]

[train]
epochs = 2
optimizer = { adam = { lr = 0.01 } }

[sweep]
seeds = 2
[sweep.grid]
"model.defaults.dropout" = [0.0, 0.3]
"#;

#[test]
fn a_run_ends_with_a_report_that_shows_what_was_mistaken() {
    let bench = Bench::new(DIGITS);
    bench.done(&["run", "experiment.toml"]);
    let page = fs::read_to_string(bench.path().join("results/one/report.html")).unwrap();
    check(&page);
    assert!(page.contains("data:image/png;base64,") && page.contains("id=\"calibration\""));
    // A dense network on pixels has filters, but no maps.
    assert!(
        page.contains("What the best network sees")
            && page.contains("No layer of this network has maps")
    );
    assert!(page.contains("id=\"images\"") && page.contains("id=\"network\""));
    let card = fs::read_to_string(bench.path().join("results/one/model-card.md")).unwrap();
    for words in [
        "# Model card: one",
        "## Licences",
        "CC BY 4.0",
        "- [x] **Runs**: 4 trials, 4 completed",
        "- [ ] **Energy**",
    ] {
        assert!(card.contains(words), "{words} is not in {card}");
    }
    assert!(page.contains("wick repro results/one"));
    // With other images at the same place, pictures would be of the wrong ones.
    for entry in fs::read_dir(bench.path().join("results/one/trials")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = fs::read_to_string(&path).unwrap();
            fs::write(&path, text.replace("fingerprint = \"", "fingerprint = \"0")).unwrap();
        }
    }
    bench.done(&["report", "results/one"]);
    let page = fs::read_to_string(bench.path().join("results/one/report.html")).unwrap();
    assert!(
        !page.contains("data:image/png")
            && page.contains("Names instead of pictures: the images have changed")
            && page.contains("The network cannot be shown: the images have changed")
    );
}

#[test]
fn experiments_are_compared_on_what_they_share_and_their_files_line_by_line() {
    let bench = Bench::new(DIGITS);
    bench.done(&["run", "experiment.toml"]);
    let sets =
        ["--set", "name=two", "--set", "train.optimizer.adam.lr=0.001", "--set", "sweep.seeds=3"];
    bench.done(&[&["run", "experiment.toml"], &sets[..]].concat());
    let said = bench.done(&["compare", "results/one", "results/two"]);
    assert!(!said.contains("Pareto"), "all networks cost the same: {said}");
    let line = |start: &str| {
        let line = said.lines().find(|line| line.trim_start().starts_with(start));
        line.unwrap_or_else(|| panic!("no {start} in {said}")).to_owned()
    };
    // Two rates of dropout on the two seeds that both have.
    assert!(line("two").split_whitespace().any(|word| word == "4"), "{said}");
    assert!(said.contains("-train.optimizer = { adam = { lr = 0.01 } }"), "{said}");
    assert!(said.contains("+train.optimizer = { adam = { lr = 0.001 } }"), "{said}");
    assert!(said.contains("by setting"), "{said}");
    let by =
        bench.done(&["compare", "results/one", "results/two", "--by", "model.defaults.dropout"]);
    // Inside of each experiment: two seeds and three.
    let row = by.lines().find(|line| line.trim_start().starts_with("0.3")).unwrap();
    assert!(row.split_whitespace().any(|word| word == "5"), "{by}");
    let output = bench.wick(&["compare", "results/one", "--by", "train.epochs"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("train.epochs is 2 in all trials"));
}

#[test]
fn axes_that_move_together_are_one_factor_and_drawn_ones_have_no_pairs() {
    let settings: [&[&str]; 6] = [
        &["1", "x", "0.11"],
        &["1", "x", "0.52"],
        &["1", "x", "0.73"],
        &["2", "y", "0.11"],
        &["2", "y", "0.52"],
        &["2", "y", "0.73"],
    ];
    let bench = made(&Synthetic::new(&["a", "b", "c"], &settings, 2));
    let experiment = "name = \"made\"\n[sweep.zip]\na = [1, 2]\nb = [\"x\", \"y\"]\n\
                      [sweep.random]\nsamples = 3\nc = { uniform = [0, 1] }\n";
    fs::write(bench.path().join("results/made/experiment.toml"), experiment).unwrap();
    let page = page(&bench);
    check(&page);
    let numbers = numbers(&page);
    let effects = numbers["effects"].as_array().unwrap();
    assert_eq!(effects.len(), 1, "{effects:?}");
    assert_eq!(effects[0]["factor"]["columns"], serde_json::json!(["a", "b"]));
    assert_eq!(effects[0]["factor"]["to"], serde_json::json!(["2", "y"]));
    // Three samples on two seeds.
    assert_eq!(effects[0]["paired"]["n"], 6);
    assert!(page.contains("Validation accuracy of every trial, by c"));
}

#[test]
fn where_the_first_value_failed_others_are_compared_with_the_next_one() {
    let bench = made(&Synthetic::new(&["lr"], &[&["9.0"], &["0.1"], &["0.2"]], 2));
    let path = bench.path().join("results/made/trials.csv");
    let table = fs::read_to_string(&path).unwrap();
    let fail = |row: &str| {
        if row.contains(",9.0,") {
            row.replace(",completed,,", ",failed,it broke,")
        } else {
            row.to_owned()
        }
    };
    fs::write(&path, table.lines().map(|row| fail(row) + "\n").collect::<String>()).unwrap();
    let numbers = numbers(&page(&bench));
    let effects = numbers["effects"].as_array().unwrap();
    assert_eq!(effects.len(), 1, "{effects:?}");
    assert_eq!(effects[0]["factor"]["from"][0], "0.1");
    assert_eq!(effects[0]["factor"]["to"][0], "0.2");
}

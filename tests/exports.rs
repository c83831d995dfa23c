//! Exports: every number of the tables is in them, decoded without the code that wrote them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use super::bench::Bench;
use super::synthetic::{Synthetic, made};

/// A row of a CSV table by its columns.
type Row = BTreeMap<String, String>;

fn table(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let rows = reader.deserialize().map(|row| row.unwrap());
    rows.collect()
}

/// Two settings with different types, two seeds, three epochs.
fn four() -> Bench {
    let settings: [&[&str]; 2] = [&["none", "0.0", "true"], &["batch", "0.5", "false"]];
    made(&Synthetic::new(&["model.norm", "model.dropout", "seed"], &settings, 2))
}

/// The numbers of `metrics.csv`: trial, epoch, column, number.
fn metrics(bench: &Bench) -> Vec<(u64, u64, String, f64)> {
    let rows = table(&bench.path().join("results/made/metrics.csv"));
    let mut numbers = Vec::new();
    for row in rows {
        let at = |column: &str| row[column].parse::<u64>().unwrap();
        for (column, text) in &row {
            let is_number = !["trial", "digest", "epoch"].contains(&column.as_str());
            if is_number && !text.is_empty() {
                numbers.push((at("trial"), at("epoch"), column.clone(), text.parse().unwrap()));
            }
        }
    }
    assert!(numbers.len() > 100, "{}", numbers.len());
    numbers
}

/// All files below a folder with their bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let inner = files(&path).into_iter();
            found.extend(inner.map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

/// CRC-32C bit by bit, masked as TensorFlow masks it.
fn masked_crc(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg());
        }
    }
    (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The records of a TFRecord file.
fn records(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let crc = |place: usize| u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap());
        assert_eq!(crc(8), masked_crc(&bytes[..8]), "checksum of a length");
        let data = &bytes[12..12 + length];
        assert_eq!(crc(12 + length), masked_crc(data), "checksum of a record");
        records.push(data);
        bytes = &bytes[16 + length..];
    }
    records
}

/// A field of a message on the wire.
#[derive(Clone, Copy, Debug)]
enum Wire<'a> {
    Whole(u64),
    Eight(u64),
    Four(u32),
    Bytes(&'a [u8]),
}

impl<'a> Wire<'a> {
    fn bytes(self) -> &'a [u8] {
        let Wire::Bytes(bytes) = self else { panic!("{self:?}") };
        bytes
    }

    fn text(self) -> String {
        String::from_utf8(self.bytes().to_vec()).unwrap()
    }

    fn double(self) -> f64 {
        let Wire::Eight(bits) = self else { panic!("{self:?}") };
        f64::from_bits(bits)
    }
}

/// The fields of a message: number and value.
fn message(mut bytes: &[u8]) -> Vec<(u64, Wire<'_>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let byte = bytes[0];
            *bytes = &bytes[1..];
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let value = match key & 7 {
            0 => Wire::Whole(varint(&mut bytes)),
            1 => {
                let (now, rest) = bytes.split_at(8);
                bytes = rest;
                Wire::Eight(u64::from_le_bytes(now.try_into().unwrap()))
            }
            2 => {
                let length = varint(&mut bytes) as usize;
                let (now, rest) = bytes.split_at(length);
                bytes = rest;
                Wire::Bytes(now)
            }
            5 => {
                let (now, rest) = bytes.split_at(4);
                bytes = rest;
                Wire::Four(u32::from_le_bytes(now.try_into().unwrap()))
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, value));
    }
    fields
}

fn field<'a>(fields: &[(u64, Wire<'a>)], number: u64) -> Option<Wire<'a>> {
    fields.iter().find(|(found, _)| *found == number).map(|(_, value)| *value)
}

/// What an event file holds: scalars by tag and step, and contents for the HParams plugin by tag.
#[derive(Default)]
struct Events {
    scalars: BTreeMap<(String, u64), f32>,
    times: Vec<f64>,
    plugin: BTreeMap<String, Vec<u8>>,
}

fn events(bytes: &[u8]) -> Events {
    let records = records(bytes);
    let first = message(records[0]);
    assert_eq!(field(&first, 3).unwrap().text(), "brain.Event:2");
    let mut events = Events::default();
    for record in &records[1..] {
        let event = message(record);
        let step = match field(&event, 2) {
            Some(Wire::Whole(step)) => step,
            _ => 0,
        };
        events.times.push(field(&event, 1).map_or(0.0, Wire::double));
        for (number, value) in message(field(&event, 5).unwrap().bytes()) {
            assert_eq!(number, 1);
            let value = message(value.bytes());
            let tag = field(&value, 1).unwrap().text();
            match field(&value, 2) {
                Some(Wire::Four(bits)) => {
                    let before = events.scalars.insert((tag, step), f32::from_bits(bits));
                    assert!(before.is_none(), "a number twice");
                }
                _ => {
                    let metadata = message(field(&value, 9).unwrap().bytes());
                    let plugin = message(field(&metadata, 1).unwrap().bytes());
                    assert_eq!(field(&plugin, 1).unwrap().text(), "hparams");
                    events.plugin.insert(tag, field(&plugin, 2).unwrap().bytes().to_vec());
                }
            }
        }
    }
    events
}

#[test]
fn tensorboard_gets_every_number_of_every_epoch_and_the_settings() {
    let bench = four();
    let export = |folder: &str| bench.done(&["report", "results/made", "--tensorboard", folder]);
    export("runs");
    let found = files(&bench.path().join("runs"));
    assert_eq!(found.len(), 5, "{:?}", found.keys());
    let mut expected: BTreeMap<u64, BTreeMap<(String, u64), f32>> = BTreeMap::new();
    for (trial, epoch, column, number) in metrics(&bench) {
        let tag = match column.split_once('_') {
            Some((part, score)) => format!("{score}/{part}"),
            None => column,
        };
        expected.entry(trial).or_default().insert((tag, epoch), number as f32);
    }
    for (trial, expected) in &expected {
        let start = format!("trial-{trial}_");
        let (_, bytes) = found.iter().find(|(name, _)| name.starts_with(&start)).unwrap();
        let events = events(bytes);
        for (key, number) in expected {
            assert_eq!(events.scalars[key].to_bits(), number.to_bits(), "{trial} {key:?}");
        }
        // Seconds of three epochs, and two times six scores with two costs at the best one.
        assert_eq!(events.scalars.len(), expected.len() + 3 + 14);
        // Each epoch took half a second.
        assert_eq!(events.times, [0.0, 0.5, 1.0, 1.5, 1.5, 1.5]);
        let start = message(&events.plugin["_hparams_/session_start_info"]);
        let start = message(field(&start, 3).unwrap().bytes());
        let settings: BTreeSet<String> = start
            .iter()
            .filter(|(number, _)| *number == 1)
            .map(|(_, entry)| field(&message(entry.bytes()), 1).unwrap().text())
            .collect();
        assert_eq!(settings, ["model.dropout", "model.norm", "seed"].map(str::to_owned).into());
        let group = field(&start, 4).unwrap().text();
        let norm = if *trial <= 2 { "none" } else { "batch" };
        assert!(group.starts_with("made: norm = ") && group.contains(norm), "{group}");
        let end = message(&events.plugin["_hparams_/session_end_info"]);
        let end = message(field(&end, 4).unwrap().bytes());
        assert!(matches!(field(&end, 1), Some(Wire::Whole(1))), "success");
    }
    let experiment = &events(&found["events.out.tfevents.0.candlewick"]).plugin;
    let experiment = message(&experiment["_hparams_/experiment"]);
    let experiment = message(field(&experiment, 2).unwrap().bytes());
    let count = |number: u64| experiment.iter().filter(|(found, _)| *found == number).count();
    assert_eq!((count(4), count(5)), (3, 14), "settings and metrics");
    // The same folder, the same bytes; again and elsewhere.
    export("runs");
    export("elsewhere");
    assert_eq!(files(&bench.path().join("runs")), found);
    assert_eq!(files(&bench.path().join("elsewhere")), found);
    // Runs of something else would be shown beside these.
    fs::create_dir(bench.path().join("runs/trial-9")).unwrap();
    let output = bench.wick(&["report", "results/made", "--tensorboard", "runs"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("trial-9 is not part of this export"), "{said}");
}

#[test]
fn mlflow_gets_a_run_for_each_trial_with_every_number() {
    let bench = four();
    fs::write(
        bench.path().join("results/made/experiment.toml"),
        "name = \"a: \\\"b\\\"\"\ndescription = \"why\"\n",
    )
    .unwrap();
    bench.done(&["report", "results/made", "--mlflow", "mlruns"]);
    let found = files(&bench.path().join("mlruns"));
    let text = |name: &str| String::from_utf8(found[name].clone()).unwrap();
    let (experiment, _) = found.keys().next().unwrap().split_once('/').unwrap();
    assert!(experiment.len() == 18 && experiment.bytes().all(|byte| byte.is_ascii_digit()));
    let meta = text(&format!("{experiment}/meta.yaml"));
    assert!(meta.contains("name: \"a: \\\"b\\\"\"\n"), "{meta}");
    assert_eq!(text(&format!("{experiment}/tags/mlflow.note.content")), "why");
    let runs: BTreeSet<&str> = found
        .keys()
        .filter_map(|name| name.strip_suffix("/meta.yaml")?.split_once('/'))
        .map(|(_, run)| run)
        .collect();
    assert_eq!(runs.len(), 4);
    let folder = bench.path().join("mlruns").join(experiment);
    // Without it, MLflow does not find the run.
    assert!(runs.iter().all(|run| folder.join(run).join("artifacts").is_dir()));
    let of_trial: BTreeMap<u64, &str> = runs
        .iter()
        .map(|run| {
            let trial = text(&format!("{experiment}/{run}/tags/candlewick.trial"));
            (trial.parse().unwrap(), *run)
        })
        .collect();
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (trial, epoch, column, number) in metrics(&bench) {
        let name = format!("{experiment}/{}/metrics/{column}", of_trial[&trial]);
        lines.entry(name).or_default().push(format!("{} {number} {epoch}", 500 * epoch));
    }
    for (name, lines) in lines {
        assert_eq!(text(&name).lines().collect::<Vec<_>>(), lines, "{name}");
    }
    let run = format!("{experiment}/{}", of_trial[&3]);
    assert_eq!(text(&format!("{run}/params/model.norm")), "batch");
    assert_eq!(text(&format!("{run}/params/model.dropout")), "0.5");
    assert_eq!(text(&format!("{run}/metrics/best_val_accuracy")).split(' ').next(), Some("1500"));
    let meta = text(&format!("{run}/meta.yaml"));
    assert!(meta.contains("status: 3\n") && meta.contains("end_time: 1500\n"), "{meta}");
    bench.done(&["report", "results/made", "--mlflow", "mlruns"]);
    assert_eq!(files(&bench.path().join("mlruns")), found);
}

/// What a cell of a Parquet file holds, as the CSV file writes it.
fn as_text(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Bool(flag) => flag.to_string(),
        Field::Long(number) => number.to_string(),
        Field::Double(number) => number.to_string(),
        Field::Str(words) => words.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_long_form_has_a_row_for_each_number_and_is_the_same_as_csv_and_as_parquet() {
    let bench = four();
    bench.done(&["report", "results/made", "--long", "out/long.csv"]);
    bench.done(&["report", "results/made", "--long", "out/long.parquet"]);
    let rows = table(&bench.path().join("out/long.csv"));
    let mut of_csv: BTreeMap<(u64, u64, String), f64> = BTreeMap::new();
    for row in &rows {
        let at = |column: &str| row[column].parse::<u64>().unwrap();
        let column = match &row["metric"][..] {
            name @ ("lr" | "steps" | "seconds") => name.to_owned(),
            name => format!("{}_{name}", row["set"]),
        };
        assert_eq!(row["best"] == "true", row["epoch"] == "2");
        assert_eq!(row["model.norm"] == "none", at("trial") <= 2);
        // A setting that is called like a column stands beside it.
        assert!(row["setting.seed"] == "true" || row["setting.seed"] == "false");
        assert_eq!(at("seed"), 123 + (at("trial") + 1) % 2);
        let number = row["value"].parse().unwrap();
        assert!(of_csv.insert((at("trial"), at("epoch"), column), number).is_none());
    }
    let numbers = metrics(&bench);
    for (trial, epoch, column, number) in &numbers {
        assert_eq!(of_csv[&(*trial, *epoch, column.clone())], *number);
    }
    // Beside them: seconds of 4 × 3 epochs, and 6 scores on the test images of 4 trials.
    assert_eq!(of_csv.len(), numbers.len() + 12 + 24);
    let file = fs::File::open(bench.path().join("out/long.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let mut count = 0;
    for (row, expected) in reader.get_row_iter(None).unwrap().zip(&rows) {
        for (name, field) in row.unwrap().get_column_iter() {
            let (found, expected) = (as_text(field), &expected[name]);
            let same = match field {
                Field::Double(number) => *number == expected.parse::<f64>().unwrap(),
                _ => found == *expected,
            };
            assert!(same, "{name}: {found} is not {expected}");
        }
        count += 1;
    }
    assert_eq!(count, rows.len());
    assert_eq!(reader.metadata().file_metadata().num_rows() as usize, rows.len());
    let output = bench.wick(&["report", "results/made", "--long", "long.xlsx"]);
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("a file whose name ends in .csv or .parquet"), "{said}");
}

#[test]
fn failed_trials_and_hostile_names_are_exported_as_they_are() {
    let evil = "../../<script>\n\"' : {}";
    let mut synthetic = Synthetic::new(&["data.path", "data/path"], &[&[evil, "x"], &["", "y"]], 2);
    synthetic.status = "failed";
    synthetic.reason = "the loss\nwas NaN";
    let bench = made(&synthetic);
    let export = ["--tensorboard", "runs", "--mlflow", "mlruns", "--long", "long.csv"];
    bench.done(&[&["report", "results/made"], &export[..]].concat());
    let runs = files(&bench.path().join("runs"));
    assert_eq!(runs.len(), 5, "{:?}", runs.keys());
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.=+/".contains(c);
    for (name, bytes) in &runs {
        let climbs = name.split('/').any(|part| part == "..");
        assert!(name.chars().all(plain) && !climbs, "{name}");
        let ends = events(bytes).plugin.remove("_hparams_/session_end_info");
        let failure = |end: Vec<u8>| {
            let end = message(field(&message(&end), 4).unwrap().bytes()).len();
            assert_eq!(end, 1, "a status and no seconds");
        };
        ends.map(failure);
    }
    let mlruns = files(&bench.path().join("mlruns"));
    let ends =
        |end: &str| mlruns.iter().filter(|(name, _)| name.ends_with(end)).collect::<Vec<_>>();
    assert_eq!(ends("/tags/candlewick.reason")[0].1, b"the loss was NaN");
    // Two settings whose plain names are one, of which one has a value in two of four trials.
    assert_eq!((ends("/params/data.path").len(), ends("/params/data_path").len()), (2, 4));
    assert_eq!(ends("/params/data.path")[0].1, evil.replace('\n', " ").as_bytes());
    assert_eq!(table(&bench.path().join("long.csv")), Vec::<Row>::new());
    // Everything is where it was asked for.
    let mut beside: Vec<String> = fs::read_dir(bench.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    beside.sort();
    assert_eq!(beside, ["experiment.toml", "long.csv", "mlruns", "results", "runs"]);
}

#[test]
fn a_torn_table_is_told_instead_of_exported() {
    let bench = four();
    let path = bench.path().join("results/made/metrics.csv");
    let text = fs::read_to_string(&path).unwrap();
    let row = text.lines().nth(2).unwrap();
    fs::write(&path, text.replace(row, &row.replace(",2,2,", ",2,2,x"))).unwrap();
    let said = |arguments: &[&str]| {
        let output = bench.wick(&[&["report", "results/made"], arguments].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let words = said(&["--long", "long.csv"]);
    assert!(words.contains("metrics.csv: line 3: \"x0.1\" is no number"), "{words}");
    fs::write(&path, text.replace(&format!("{row}\n"), "")).unwrap();
    let words = said(&["--mlflow", "mlruns"]);
    assert!(words.contains("epoch 3 stands where epoch 2 belongs"), "{words}");
    fs::remove_file(&path).unwrap();
    assert!(said(&["--tensorboard", "runs"]).contains("metrics.csv: "));
    assert!(!bench.path().join("long.csv").exists() && !bench.path().join("runs").exists());
}

//! What the page shows of the best network, its images and its choice, and what it leaves out where these are not there.

use std::fs;

use serde_json::Value;

use super::bench::Bench;
use super::synthetic::{Synthetic, made};

const CONV: &str = r#"
name = "one"
seed = 7

[data]
source = "digits"
image = { size = [8, 8], channels = 1 }
test = 0.2
validation = 0.2
batch-size = 100

[model]
layers = [{ conv = 4, kernel = 3 }, "flatten", { dense = "classes" }]

[train]
epochs = 1
optimizer = { adam = { lr = 0.01 } }
"#;

fn written(bench: &Bench, file: &str) -> String {
    fs::read_to_string(bench.path().join("results/one").join(file)).unwrap()
}

/// The text of a section of the page.
fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let (_, after) = page.split_once(&format!("<section id=\"{id}\">")).unwrap();
    after.split_once("</section>").unwrap().0
}

#[test]
fn the_page_shows_filters_and_where_the_best_network_looks() {
    let bench = Bench::new(CONV);
    bench.done(&["run", "experiment.toml"]);
    let page = written(&bench, "report.html");
    let seen = section(&page, "seen");
    assert!(seen.contains("4 filters of 1×3×3"), "{seen}");
    assert_eq!(seen.matches("alt=\"filter ").count(), 4);
    assert!(seen.contains("its surest mistakes") && seen.contains("its surest right answers"));
    let maps = seen.matches("alt=\"where it looks for ").count();
    assert!((5..=8).contains(&maps), "{maps} maps");
    assert!(seen.contains("Of 256 of its 288 validation images"), "{seen}");
    let mistakes = section(&page, "mistakes");
    assert!(mistakes.contains("alt=\"where the network looks for "), "{mistakes}");
    // The pictures are the same each time.
    bench.done(&["report", "results/one"]);
    assert_eq!(section(&written(&bench, "report.html"), "seen"), seen);
}

#[test]
fn without_the_checkpoint_one_sentence_stands_for_what_it_sees() {
    let bench = Bench::new(CONV);
    bench.done(&["run", "experiment.toml"]);
    let trials = fs::read_dir(bench.path().join("results/one/trials")).unwrap();
    let folder = trials.map(|entry| entry.unwrap().path()).find(|path| path.is_dir()).unwrap();
    let checkpoint = folder.join("best.safetensors");
    let bytes = fs::read(&checkpoint).unwrap();
    for damage in [None, Some(&bytes[..bytes.len() / 2]), Some(&b"no weights"[..])] {
        match damage {
            None => fs::remove_file(&checkpoint).unwrap(),
            Some(bytes) => fs::write(&checkpoint, bytes).unwrap(),
        }
        bench.done(&["report", "results/one"]);
        let page = written(&bench, "report.html");
        let seen = section(&page, "seen");
        assert!(seen.contains("The network cannot be shown: its checkpoint"), "{seen}");
        assert!(!seen.contains("<img"));
    }
}

#[test]
fn the_first_screen_answers_and_the_card_says_how_the_network_was_chosen() {
    let bench = made(&Synthetic::new(&["train.lr"], &[&["0.1"], &["0.2"], &["0.3"]], 3));
    bench.done(&["report", "results/made"]);
    let root = bench.path().join("results/made");
    let page = fs::read_to_string(root.join("report.html")).unwrap();
    let header = page.split_once("<header>").unwrap().1.split_once("</header>").unwrap().0;
    for words in ["What won", "By how much", "Can I trust it", "What next", "lr = 0.3"] {
        assert!(header.contains(words), "{words} is not in {header}");
    }
    assert!(header.contains("Look beyond lr = 0.3: it is the greatest value that was tried"));
    assert!(header.contains("wick predict --model results/made IMAGE"));
    let card = fs::read_to_string(root.join("model-card.md")).unwrap();
    assert!(
        card.contains("of 3 settings, the one with the best mean validation accuracy"),
        "{card}"
    );
    // Another page is no reason to touch the folder.
    fs::remove_file(root.join("model-card.md")).unwrap();
    bench.done(&["report", "results/made", "--html", "other.html"]);
    assert!(!root.join("model-card.md").exists());
}

#[test]
fn settings_on_different_images_are_ranked_apart() {
    let settings: [&[&str]; 4] = [
        &["digits", "0.1"],
        &["digits", "0.2"],
        &["fashion-mnist", "0.1"],
        &["fashion-mnist", "0.2"],
    ];
    let bench = made(&Synthetic::new(&["data.source", "train.lr"], &settings, 3));
    bench.done(&["report", "results/made"]);
    let page = fs::read_to_string(bench.path().join("results/made/report.html")).unwrap();
    let ranking = section(&page, "ranking");
    assert_eq!(ranking.matches("<table").count(), 2, "{ranking}");
    assert_eq!(ranking.matches("mark best").count(), 2, "{ranking}");
    let (_, after) = page.split_once("id=\"numbers\">").unwrap();
    let numbers: Value = serde_json::from_str(after.split_once("</script>").unwrap().0).unwrap();
    let settings = numbers["settings"].as_array().unwrap();
    let found: Vec<(&str, &str)> = settings
        .iter()
        .map(|it| (it["set"].as_str().unwrap(), it["values"]["train.lr"].as_str().unwrap()))
        .collect();
    // The last setting is the best of all, so that its images come first.
    assert_eq!(
        found,
        [("fashion-mnist", "0.2"), ("fashion-mnist", "0.1"), ("digits", "0.2"), ("digits", "0.1")]
    );
    assert_eq!(settings[2]["verdict"], "best");
    assert_eq!(settings[2]["behind"], Value::Null);
    let behind = settings[3]["behind"]["mean"].as_f64().unwrap();
    let value =
        |setting: usize| (0..3).map(|seed| Synthetic::value(setting, seed)).sum::<f64>() / 3.0;
    assert!((behind - (value(1) - value(0))).abs() < 1e-9, "{behind}");
}

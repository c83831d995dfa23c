//! A first experiment for a folder of images, and the program's words about itself.

use std::fs;

use candlewick::basis::seed::derive;
use candlewick::config::schema::schema;
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};

use super::bench::Bench;

/// `count` noisy images of `size` (width, height) in `folder`.
fn images(bench: &Bench, folder: &str, count: usize, size: [u32; 2], is_gray: bool) {
    let path = bench.path().join(folder);
    fs::create_dir_all(&path).unwrap();
    for number in 0..count {
        let mut stream = derive(1, folder, &[number as u64]);
        let mut value = || stream.below(256) as u8;
        let [width, height] = size;
        let image: DynamicImage = if is_gray {
            GrayImage::from_fn(width, height, |_, _| Luma([value()])).into()
        } else {
            RgbImage::from_fn(width, height, |_, _| Rgb([value(), value(), value()])).into()
        };
        image.save(path.join(format!("{number:03}.png"))).unwrap();
    }
}

/// What a command that has to fail says.
fn refused(bench: &Bench, arguments: &[&str]) -> String {
    let output = bench.wick(arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_first_experiment_is_checked_and_trains() {
    let bench = Bench::new("");
    for class in ["stop", "go"] {
        images(&bench, &format!("data/my signs/{class}"), 12, [20, 16], false);
    }
    bench.write("data/my signs/go/broken.png", "no image");
    bench.write("data/my signs/go/notes.txt", "not an image, and not called one");
    let said = bench.done(&["new", "data/my signs", "--out", "data/first.toml"]);
    assert!(said.contains("2 classes, 24 training images, 12 of each\n"), "{said}");
    assert!(said.contains("height 16, width 20; all with colours\n"), "{said}");
    assert!(said.contains("1 file cannot be read, left out:\n  go/broken.png: "), "{said}");
    let next =
        "wrote data/first.toml; next: wick check data/first.toml, then wick run data/first.toml\n";
    assert!(said.ends_with(next), "{said}");
    let text = fs::read_to_string(bench.path().join("data/first.toml")).unwrap();
    insta::assert_snapshot!(text);
    let checked = bench.done(&["check", "data/first.toml"]);
    assert!(checked.contains("3 trials, 0 done, 3 to run"), "{checked}");
    let once = ["run", "data/first.toml", "--set", "train.epochs=1", "--set", "sweep.seeds=1"];
    bench.done(&once);
    assert!(bench.path().join("results/my-signs/trials.csv").exists());
}

/// A folder: its name, the number of images of each class, their width and height, whether they are
/// gray, and what is advised.
type Folder<'a> = (&'a str, &'a [usize], [u32; 2], bool, &'a [&'a str]);

#[test]
fn what_is_advised_can_be_run_for_every_kind_of_folder() {
    let cases: [Folder; 6] = [
        (
            "single",
            &[1, 1],
            [8, 8],
            false,
            &["validation = 0\n", "best = \"train_loss\"", "top-k = 1"],
        ),
        ("gray", &[3, 4, 3], [28, 28], true, &["channels = 1", "size = [32, 32]"]),
        ("wide", &[5, 5], [160, 80], false, &["size = [64, 128]"]),
        ("tall", &[2, 2], [130, 400], false, &["size = [192, 96]"]),
        ("uneven", &[30, 3], [10, 10], false, &["class-weights = \"balanced\"", "val_f1"]),
        ("tested", &[110, 120], [9, 9], true, &["test = 0.15", "validation = 0.2"]),
    ];
    let validator = jsonschema::draft202012::new(&schema()).unwrap();
    for (name, classes, size, is_gray, expected) in cases {
        let bench = Bench::new("");
        for (class, count) in classes.iter().enumerate() {
            images(&bench, &format!("{name}/class {class}"), *count, size, is_gray);
        }
        bench.done(&["new", name]);
        let text = fs::read_to_string(bench.path().join(format!("{name}.toml"))).unwrap();
        for words in expected {
            assert!(text.contains(words), "{name} lacks {words}:\n{text}");
        }
        assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
        let table: toml::Table = text.parse().unwrap();
        assert!(validator.is_valid(&serde_json::to_value(table).unwrap()), "{text}");
        let checked = bench.done(&["check", &format!("{name}.toml")]);
        assert!(checked.contains("3 trials, 0 done"), "{checked}");
    }
}

#[test]
fn declared_parts_are_used_as_they_are() {
    let bench = Bench::new("");
    for (part, count) in [("train", 6), ("val", 3), ("test", 2)] {
        for class in ["a", "b"] {
            images(&bench, &format!("set/{part}/{class}"), count, [12, 12], false);
        }
    }
    let said = bench.done(&["new", "set"]);
    let found = "2 classes, 12 training images, 6 of each; 6 for validation; 4 for testing";
    assert!(said.contains(found), "{said}");
    let text = fs::read_to_string(bench.path().join("set.toml")).unwrap();
    assert!(text.contains("test = \"declared\"") && !text.contains("validation ="), "{text}");
    bench.done(&["check", "set.toml"]);
}

#[test]
fn nothing_is_written_over_and_what_is_no_folder_of_images_is_told() {
    let bench = Bench::new("");
    images(&bench, "signs/stop", 2, [8, 8], false);
    images(&bench, "signs/go", 2, [8, 8], false);
    bench.write("signs.toml", "mine");
    let said = refused(&bench, &["new", "signs"]);
    assert!(
        said.contains("signs.toml exists and is not changed") && said.contains("--out"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(bench.path().join("signs.toml")).unwrap(), "mine");
    bench.done(&["new", "signs", "--out", "other.toml"]);

    fs::create_dir(bench.path().join("empty")).unwrap();
    images(&bench, "flat", 3, [8, 8], false);
    images(&bench, "one/only", 3, [8, 8], false);
    images(&bench, "hollow/full", 3, [8, 8], false);
    fs::create_dir(bench.path().join("hollow/none")).unwrap();
    for class in ["x", "y"] {
        fs::create_dir_all(bench.path().join("texts").join(class)).unwrap();
        bench.write(&format!("texts/{class}/a.png"), "words");
        images(&bench, &format!("half/{class}"), usize::from(class == "x"), [8, 8], false);
    }
    bench.write("half/y/a.jpg", "words");
    for (folder, words) in [
        ("missing", "cannot read missing"),
        ("signs.toml", "is a file, not a folder"),
        ("empty", "has no classes; at least two classes are needed"),
        ("flat", "holds 3 images but no class folders"),
        ("one", "one class only, `only`"),
        ("hollow", "no training image of `none`"),
        ("texts", "2 of 2 images in texts cannot be read"),
        ("half", "no training image of `y`; its files cannot be read as images"),
    ] {
        let said = refused(&bench, &["new", folder, "--out", "never.toml"]);
        assert!(said.contains(words), "{folder}: {said}");
        assert!(!bench.path().join("never.toml").exists(), "{folder}");
    }
}

#[test]
fn the_program_describes_its_file_and_its_command_line() {
    let bench = Bench::new("");
    let printed: serde_json::Value = serde_json::from_str(&bench.done(&["schema"])).unwrap();
    assert_eq!(printed, schema());
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = bench.done(&["completions", shell]);
        assert!(script.contains("evaluate") && script.contains("profile"), "{shell}");
    }
    let page = bench.done(&["man"]);
    assert!(page.starts_with(".ie") || page.contains(".TH wick 1"), "{page}");
    for command in ["run", "check", "new", "schema", "completions", "evaluate"] {
        let help = bench.done(&[command, "--help"]);
        let example = format!("  wick {command}");
        assert!(help.contains("Example") && help.contains(&example), "{help}");
        assert!(page.contains(&format!("wick {command}")), "{command} is not on the page");
    }
}

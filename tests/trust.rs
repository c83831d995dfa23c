//! What commands say of results folders, checkpoints and images that are not what they were.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use super::bench::Bench;
use super::trained::SIGNS;

const CLASSES: [&str; 3] = ["left", "middle", "right"];

/// Three classes of images, and trials on them.
fn bench() -> Bench {
    let bench = Bench::new(SIGNS);
    bench.images("train", &CLASSES, 12);
    bench.images("test", &CLASSES, 4);
    bench
}

fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    texts.concat()
}

/// Runs the program, which has to end with 2, and returns what it said.
fn refused(bench: &Bench, arguments: &[&str]) -> String {
    let output = bench.wick(arguments);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    said
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn a_table_that_was_edited_is_refused_by_name_and_the_next_run_makes_it_anew() {
    let bench = bench();
    bench.done(&["run", "experiment.toml"]);
    let root = bench.path().join("results/signs");
    let report = || bench.done(&["report", "results/signs", "--format", "csv"]);
    let whole = report();
    for (name, from, to) in [
        ("trials.csv", "completed,,", "completed,,9"),
        ("metrics.csv", "0.", "1."),
        ("timings.csv", "cpu", "gpu"),
        ("experiment.toml", "name = \"signs\"", "name = \"sighs\""),
        ("environment.toml", "version = ", "version  = "),
    ] {
        edit(&root.join(name), from, to);
        let said = refused(&bench, &["report", "results/signs"]);
        assert!(said.contains(&format!("{name} was changed after it was written")), "{said}");
        assert!(said.contains("wick run"), "{said}");
        if name == "trials.csv" {
            for command in ["status", "repro", "clean", "curves"] {
                assert!(refused(&bench, &[command, "results/signs"]).contains(name), "{command}");
            }
        }
        let said = refused(&bench, &["verify", "results/signs"]);
        assert!(said.contains(name), "{said}");
        bench.done(&["run", "experiment.toml"]);
        if name != "timings.csv" {
            assert_eq!(report(), whole, "{name}");
        }
        bench.done(&["verify", "results/signs"]);
    }
    // Copied without its hashes or its trials it says what it says, and what nobody knows.
    fs::remove_dir_all(root.join("trials")).unwrap();
    assert_eq!(report(), whole);
    fs::remove_file(root.join("hashes.toml")).unwrap();
    let output = bench.wick(&["report", "results/signs", "--format", "csv"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains("hashes.toml is missing"), "{}", said(&output));
}

#[test]
fn an_older_best_checkpoint_is_not_taken_for_that_of_the_finished_trial() {
    let bench = bench();
    // The last epoch is the best one.
    let set = ["run", "experiment.toml", "--set", "train.best=train_loss", "--set"];
    let run = |epochs: &'static str| bench.wick(&[&set[..], &[epochs]].concat());
    assert_eq!(run("train.epochs=1").status.code(), Some(0));
    let best = bench.trial("signs").join("best.safetensors");
    let older = fs::read(&best).unwrap();
    assert_eq!(run("train.epochs=6").status.code(), Some(0));
    let newer = fs::read(&best).unwrap();
    assert!(older != newer);
    fs::write(&best, &older).unwrap();
    let model = best.to_str().unwrap();
    let image = "signs/test/left/000.png";
    for arguments in [
        vec!["predict", "--model", model, image],
        vec!["evaluate", "--model", model, "--data", "{ folder = \"signs\" }"],
        vec!["export", "--model", model, "--to", "onnx"],
    ] {
        let said = refused(&bench, &arguments);
        assert!(said.contains("is not the one that its trial ended with"), "{said}");
    }
    // By itself it is a checkpoint like any other.
    fs::write(bench.path().join("older.safetensors"), &older).unwrap();
    bench.done(&["predict", "--model", "older.safetensors", image]);
    let output = run("train.epochs=6");
    assert!(said(&output).contains("best.safetensors"), "{}", said(&output));
    assert!(fs::read(&best).unwrap() == newer);
    // What was there is kept.
    let aside = best.with_file_name("best.safetensors.damaged");
    assert!(fs::read(&aside).unwrap() == older);
    assert!(bench.done(&["clean", "results/signs"]).contains("best.safetensors.damaged"));
    bench.done(&["predict", "--model", model, image]);
}

#[test]
fn class_names_and_means_that_were_changed_in_a_checkpoint_are_noticed() {
    let bench = bench();
    bench.done(&["run", "experiment.toml", "--set", "train.epochs=1"]);
    let best = fs::read(bench.trial("signs").join("best.safetensors")).unwrap();
    for (from, to) in
        [("middle", "muddle"), ("mean = [0.", "mean = [1."), ("input = [3", "input = [4")]
    {
        let place = best.windows(from.len()).position(|bytes| bytes == from.as_bytes()).unwrap();
        let mut bytes = best.clone();
        bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
        fs::write(bench.path().join("tampered.safetensors"), bytes).unwrap();
        let image = "signs/test/left/000.png";
        let said = refused(&bench, &["predict", "--model", "tampered.safetensors", image]);
        assert!(said.contains("damaged"), "{said}");
    }
}

#[test]
fn a_re_execution_says_what_it_could_not_compare() {
    let bench = bench();
    bench.done(&["run", "experiment.toml"]);
    let whole = bench.done(&["repro", "results/signs"]);
    assert!(whole.contains(": identical: 3 epochs, 12 batches"), "{whole}");
    let trial = bench.trial("signs");
    let batches = trial.join("batches.csv");
    let stored = fs::read(&batches).unwrap();
    let half = stored.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(6).unwrap().0 + 1;
    for (left, missing) in [(&b""[..], "12 of 12 batches"), (&stored[..half], "6 of 12 batches")] {
        fs::write(&batches, left).unwrap();
        let output = bench.wick(&["repro", "results/signs"]);
        let said = said(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(missing) && !said.contains(": identical: "), "{said}");
    }
    fs::write(&batches, &stored).unwrap();
    for name in
        ["last.safetensors", "outcome.toml", "predictions.csv", "confusion.csv", "scores.csv"]
    {
        let path = trial.join(name);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        let output = bench.wick(&["repro", "results/signs"]);
        assert_eq!(output.status.code(), Some(3), "{name}");
        assert!(said(&output).contains(name), "{}", said(&output));
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(bench.done(&["repro", "results/signs"]), whole);
}

#[test]
fn damaged_predictions_are_left_out_of_the_report_and_made_again_as_it_says() {
    let bench = bench();
    bench.done(&["run", "experiment.toml"]);
    let trial = bench.trial("signs");
    let path = trial.join("confusion.csv");
    let whole = fs::read(&path).unwrap();
    edit(&path, "left,", "left,9");
    let output = bench.wick(&["report", "results/signs"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(said(&output).contains("confusion.csv is not the one"), "{}", said(&output));
    let page = fs::read_to_string(bench.path().join("results/signs/report.html")).unwrap();
    assert!(!page.contains("Confusion matrix of the best setting"));
    assert!(page.contains("Left out: ") && page.contains("confusion.csv is not the one"));
    let output = bench.wick(&["run", "experiment.toml"]);
    assert!(said(&output).contains("confusion.csv is not the one"), "{}", said(&output));
    fs::remove_file(trial.join("outcome.toml")).unwrap();
    bench.done(&["run", "experiment.toml"]);
    assert_eq!(fs::read(&path).unwrap(), whole);
}

#[test]
fn a_manifest_lists_a_whole_folder_and_is_trusted_only_with_a_signature_by_the_key() {
    let bench = bench();
    bench.done(&["run", "experiment.toml"]);
    let root = bench.path().join("results/signs");
    let key = "RWQtFOjyun123n+FnQBE1NbgXYtJajpFKh2MqRV44/g/rvnXe6y4mozn";
    let said = refused(&bench, &["verify", "results/signs", "--signed-by", key]);
    assert!(said.contains("manifest.b3sum is missing: the author of the folder writes"), "{said}");
    let said = bench.done(&["verify", "results/signs", "--manifest"]);
    assert!(said.contains("manifest.b3sum with ") && said.contains("minisign -Sm "), "{said}");
    let listed = fs::read_to_string(root.join("manifest.b3sum")).unwrap();
    for name in ["trials.csv", "report.html", "best.safetensors", "images-"] {
        assert!(listed.contains(name), "{name}: {listed}");
    }
    // A manifest and its signature are known to the next command, which finds nothing foreign.
    let foreign = "untrusted comment: of another text\nRUQtFOjyun123tQ76SuyJea6I8ZZRXBB4QDC+RdIlxofsjrneupav7O4q6aL\
                   Ckf0J4Am2+GPTgunx9d2u3uIclPBZ2TUTHdmggk=\ntrusted comment: made for a test\nHLrEb0bKp39LhuaaWvr9EnGK\
                   6l8wu0oPyYO1E/GEN5WiuoKkdU//Ec2v4ofIGOkkfvUVtPiLYS7IcgfbTYVgBQ==\n";
    fs::write(root.join("manifest.b3sum.minisig"), foreign).unwrap();
    assert!(!bench.done(&["verify", "results/signs"]).contains("note:"));
    let said = refused(&bench, &["verify", "results/signs", "--signed-by", key]);
    assert!(said.contains("is not that of manifest.b3sum by this key"), "{said}");
    let said = refused(&bench, &["verify", "results/signs", "--signed-by", "no.pub"]);
    assert!(said.contains("no.pub cannot be read"), "{said}");
}

#[test]
fn verify_names_what_is_damaged_missing_or_foreign() {
    let bench = bench();
    bench.done(&["run", "experiment.toml"]);
    assert!(bench.done(&["verify", "results/signs"]).contains("are unchanged"));
    let trial = bench.trial("signs");
    fs::write(trial.join("notes.txt"), "mine").unwrap();
    let said = bench.done(&["verify", "results/signs"]);
    assert!(said.contains("note: ") && said.contains("notes.txt"), "{said}");
    let flip = |path: PathBuf| {
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    flip(trial.join("best.safetensors"));
    flip(trial.join("epochs.csv"));
    fs::remove_file(trial.join("predictions.csv")).unwrap();
    fs::remove_file(bench.path().join("results/signs/metrics.csv")).unwrap();
    let said = refused(&bench, &["verify", "results/signs"]);
    for name in ["best.safetensors", "epochs.csv", "metrics.csv"] {
        assert!(said.contains(name), "{name}: {said}");
    }
    assert!(said.contains("help: remove the file and run the experiment again"), "{said}");
    assert!(refused(&bench, &["verify", "signs"]).contains("has no trials.csv"));
}

/// Runs, changes images with `change`, and looks at what is said; `change` says which file it changed.
fn images_change(bench: &Bench, change: &dyn Fn() -> String) {
    bench.done(&["run", "experiment.toml"]);
    let before = fs::read(bench.path().join("results/signs/trials.csv")).unwrap();
    assert!(bench.done(&["check", "experiment.toml"]).contains("1 done, 0 to run"));
    let file = change();
    let later: &[&str] = &["run", "experiment.toml", "--launcher", "worker"];
    for command in [&["run", "experiment.toml"], &["check", "experiment.toml"], later] {
        let said = refused(bench, command);
        assert!(said.contains("the images have changed") && said.contains(&file), "{said}");
        assert!(said.contains("help: restore the images"), "{said}");
    }
    assert_eq!(fs::read(bench.path().join("results/signs/trials.csv")).unwrap(), before);
    bench.done(&["run", "experiment.toml", "--results", "other"]);
}

#[test]
fn images_of_a_folder_that_have_changed_are_named() {
    let folder = bench();
    let images = folder.path().join("signs/train");
    images_change(&folder, &|| {
        fs::copy(images.join("right/000.png"), images.join("left/000.png")).unwrap();
        "changed: ".to_owned() + "signs/train/left/000.png"
    });
    // Two classes change places: no file was written.
    let swapped = bench();
    let images = swapped.path().join("signs/train");
    images_change(&swapped, &|| {
        fs::rename(images.join("left"), images.join("aside")).unwrap();
        fs::rename(images.join("right"), images.join("left")).unwrap();
        fs::rename(images.join("aside"), images.join("right")).unwrap();
        "signs/train/left/000.png".to_owned()
    });
    let fewer = bench();
    let images = fewer.path().join("signs/train");
    images_change(&fewer, &|| {
        fs::remove_file(images.join("left/001.png")).unwrap();
        "missing: signs/train/left/001.png".to_owned()
    });
}

#[test]
fn images_that_were_only_touched_are_the_same() {
    let bench = bench();
    bench.done(&["run", "experiment.toml"]);
    let image = bench.path().join("signs/train/left/000.png");
    let bytes = fs::read(&image).unwrap();
    fs::remove_file(&image).unwrap();
    fs::write(&image, bytes).unwrap();
    assert!(bench.done(&["check", "experiment.toml"]).contains("1 done, 0 to run"));
    bench.done(&["run", "experiment.toml"]);
    bench.done(&["verify", "results/signs"]);
}

#[test]
fn which_images_they_were_is_recalled_from_checkpoints_where_the_file_about_them_is_lost() {
    let bench = bench();
    bench.done(&["run", "experiment.toml"]);
    let trials = bench.path().join("results/signs/trials");
    let lose = || {
        for entry in fs::read_dir(&trials).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_file() {
                fs::remove_file(entry).unwrap();
            }
        }
    };
    lose();
    bench.done(&["run", "experiment.toml"]);
    bench.done(&["verify", "results/signs"]);
    lose();
    let images = bench.path().join("signs/train");
    fs::copy(images.join("right/000.png"), images.join("left/000.png")).unwrap();
    let said = refused(&bench, &["run", "experiment.toml"]);
    assert!(said.contains("are not those of trial 1"), "{said}");
}

#[test]
fn tables_and_idx_files_that_have_changed_are_named() {
    let table = bench();
    let mut rows = "path,label,split\n".to_owned();
    for (part, class) in
        ["train", "test"].iter().flat_map(|part| CLASSES.map(|class| (part, class)))
    {
        for number in 0..4 {
            rows.push_str(&format!("signs/{part}/{class}/{number:03}.png,{class},{part}\n"));
        }
    }
    table.write("images.csv", &rows);
    table.write("experiment.toml", &SIGNS.replace("folder = \"signs\"", "csv = \"images.csv\""));
    images_change(&table, &|| {
        table.write("images.csv", &rows.replacen("000.png,left,train", "000.png,right,train", 1));
        "changed: images.csv".to_owned()
    });
    let idx = Bench::new(
        &SIGNS
            .replace("folder = \"signs\"", "idx = \"idx\"")
            .replace("channels = 3", "channels = 1")
            .replace("conv = 3", "conv = 1"),
    );
    fs::create_dir(idx.path().join("idx")).unwrap();
    let write = |part: &str, shade: u8| {
        let count = 30_u8;
        let mut images = [[0, 0, 8, 3], [0, 0, 0, count], [0, 0, 0, 12], [0, 0, 0, 12]].concat();
        let mut labels = [[0, 0, 8, 1], [0, 0, 0, count]].concat();
        for image in 0..count {
            images.extend((0..144).map(|pixel: u8| pixel.wrapping_mul(image % 3 * 7 + 1) ^ shade));
            labels.push(image % 3);
        }
        let file = |kind: &str| idx.path().join("idx").join(format!("{part}-{kind}-ubyte"));
        fs::write(file("images-idx3"), images).unwrap();
        fs::write(file("labels-idx1"), labels).unwrap();
    };
    write("train", 0);
    write("t10k", 1);
    images_change(&idx, &|| {
        write("t10k", 2);
        "changed: idx/t10k-images-idx3-ubyte".to_owned()
    });
}

#[cfg(unix)]
#[test]
fn a_fifo_in_the_place_of_a_file_keeps_nobody_waiting_and_changes_no_number() {
    let bench = bench();
    bench.done(&["run", "experiment.toml"]);
    let root = bench.path().join("results/signs");
    let table = || fs::read(root.join("trials.csv")).unwrap();
    let whole = table();
    let trial = fs::read_dir(root.join("trials")).unwrap().flatten().map(|entry| entry.path());
    let trial = trial.filter(|path| path.is_dir()).min().unwrap();
    let files = |folder: &Path| fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let files: Vec<PathBuf> =
        files(&root).chain(files(&trial)).filter(|path| path.is_file()).collect();
    assert!(files.len() > 15, "{files:?}");
    for path in files {
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        for command in ["verify", "report", "repro"] {
            let output = bench.wick(&[command, "results/signs"]);
            let code = output.status.code();
            assert!(matches!(code, Some(0 | 2 | 3)), "{path:?} {command}: {}", said(&output));
        }
        let output = bench.wick(&["run", "experiment.toml"]);
        let said = said(&output);
        if output.status.success() {
            assert_eq!(table(), whole, "{path:?}: {said}");
        } else {
            assert!(said.contains("not a regular file"), "{path:?}: {said}");
        }
        // Whatever is still there is a person's to remove.
        if !path.is_file() {
            fs::remove_file(&path).unwrap();
        }
        bench.done(&["run", "experiment.toml"]);
        assert_eq!(table(), whole, "{path:?}");
    }
}

#[test]
fn weights_that_have_changed_since_a_trial_was_planned_are_never_taken_for_those() {
    let bench = bench();
    bench.done(&["run", "experiment.toml", "--set", "seed=1"]);
    bench.done(&["run", "experiment.toml", "--set", "seed=2", "--set", "name=others"]);
    let best = |name: &str| fs::read(bench.trial(name).join("best.safetensors")).unwrap();
    let weights = bench.path().join("weights.safetensors");
    fs::write(&weights, best("signs")).unwrap();
    let set = ["--set", "name=tuned", "--set", "model.weights=weights.safetensors"];
    bench.done(&[&["run", "experiment.toml"][..], &set].concat());
    assert!(bench.done(&["repro", "results/tuned"]).contains("identical"));
    fs::write(&weights, best("others")).unwrap();
    let output = bench.wick(&["repro", "results/tuned"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("have changed since the trial was planned: their hash was"), "{said}");
    // The same experiment is another trial now.
    let said = bench.done(&[&["check", "experiment.toml"][..], &set].concat());
    assert!(said.contains("1 to run"), "{said}");
}

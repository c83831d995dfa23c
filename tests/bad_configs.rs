//! Wrong experiments: every file under `bad-configs` has its exact message beside it.

use std::fs;
use std::path::Path;

use candlewick::config::layering::{Request, load};
use candlewick::data::Cache;
use candlewick::document::Problems;
use candlewick::plan::prune::Nothing;
use candlewick::plan::sweep::expand;
use candlewick::sweep::survey::Files;

/// What `wick check` says of an experiment; none if nothing is wrong.
fn message(request: &Request) -> Option<String> {
    let images = Cache::new(1);
    // Nothing has been run there, whatever has been in the folder of this repository.
    let results = tempfile::tempdir().unwrap();
    let survey = Files::new(&images, results.path());
    let problems: Result<(), Problems> =
        load(request).and_then(|root| expand(&root, &survey, &Nothing).map(|_| ()));
    // Windows' separators are the one thing that may differ between machines.
    problems.err().map(|problems| {
        problems
            .render(false)
            .replace(results.path().to_str().unwrap(), "results")
            .replace('\\', "/")
    })
}

fn request(file: &Path) -> Request {
    Request { file: file.to_owned(), ..Request::default() }
}

#[test]
fn every_wrong_file_gets_exactly_its_message() {
    let folder = Path::new("tests/bad-configs");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    assert!(files.len() >= 30);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("bad-configs");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for file in files {
            let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
            let text = message(&request(&file)).unwrap_or_else(|| panic!("{name} is not wrong"));
            insta::assert_snapshot!(name, text);
        }
    });
}

#[test]
fn mistakes_on_the_command_line_and_in_the_environment_say_so() {
    let mut request = request(Path::new("experiments/quickstart.toml"));
    request.sets = vec![
        "train.epochs=many".to_owned(),
        "train.optimizr.lr=1".to_owned(),
        "model.layers.conv9.kernel=3".to_owned(),
        "nothing".to_owned(),
    ];
    request.environment = vec![
        ("WICK_DATA__BATCH_SIZE".to_owned(), "0".to_owned()),
        ("WICK_TRAIN__SPEED".to_owned(), "9".to_owned()),
        ("HOME".to_owned(), "/root".to_owned()),
    ];
    insta::assert_snapshot!(message(&request).unwrap());
    request.sets.drain(2..);
    insta::assert_snapshot!(message(&request).unwrap());
}

#[test]
fn a_value_for_what_is_swept_is_told_and_so_is_a_misspelt_choice() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("swept.toml");
    let text = "name = \"x\"\nseed = 1\n[data]\nsource = \"digits\"\n\
                [model]\nlayers = [\"flatten\", { dense = \"classes\" }]\n\
                [sweep]\nseeds = [1, 2]\n[sweep.grid]\n\
                \"train.optimizer\" = [{ sgd = { lr = 0.1 } }, { adam = { lr = 0.1 } }]\n\
                \"model.defaults.dropout\" = [0.0, 0.5]\n\
                [[sweep.list]]\nname = \"a\"\n\"data.batch-size\" = 16\n\
                [[sweep.list]]\nname = \"b\"\n\"data.batch-size\" = 32\n\"train.epochs\" = 3\n";
    fs::write(&file, text).unwrap();
    let mut request = request(&file);
    let sets = [
        "model.defaults.dropout=0.x3",
        "train.optimizer.sgd.lr=0.2",
        "data.batch-size=64",
        "seed=5",
        // Some trials have these.
        "train.epochs=7",
        "model.defaults.norm=batch",
    ];
    request.sets = sets.map(str::to_owned).to_vec();
    request.environment = vec![("WICK_MODEL__DEFAULTS__DROPOUT".to_owned(), "0.1".to_owned())];
    let text = message(&request).unwrap();
    for (set, path) in [
        ("--set data.batch-size=64", "data.batch-size"),
        ("--set train.optimizer.sgd.lr=0.2", "train.optimizer"),
        ("--set seed=5", "seed"),
    ] {
        let said =
            format!("error: \"{path}\" is swept, so no trial has the value that is set here");
        assert!(text.contains(&said) && text.contains(set), "{path}: {text}");
    }
    assert!(!text.contains("train.epochs=7") && !text.contains("norm=batch"), "{text}");
    // A choice that is laid over another one by its path is looked at by itself.
    let mut request = self::request(Path::new("experiments/quickstart.toml"));
    request.sets = vec!["train.optimizer.sdg.lr=1".to_owned()];
    let text = message(&request).unwrap();
    assert!(
        text.contains("there is no choice \"sdg\"") && text.contains("did you mean \"sgd\"?"),
        "{text}"
    );
    assert!(text.contains("--set train.optimizer.sdg.lr=1"), "{text}");
}

#[test]
fn an_unknown_profile_names_those_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("profiles.toml");
    fs::write(&file, "name = \"x\"\n[profile.fast]\ntrain.epochs = 1\n[profile.slow]\n").unwrap();
    let mut request = request(&file);
    request.profile = Some("fats".to_owned());
    let text = message(&request).unwrap().replace(file.to_str().unwrap(), "profiles.toml");
    insta::assert_snapshot!(text);
}

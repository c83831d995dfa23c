//! Two processes that both believe that a trial is theirs.

use std::{fs, io};

use crate::results::timings::Timing;
use crate::train::checkpoint::Checkpoint;

use super::{Mark, TrialStore, trouble};

fn lines(store: &TrialStore) -> usize {
    store.timings().len()
}

#[test]
fn a_process_that_was_overtaken_writes_nothing_more() {
    let folder = tempfile::tempdir().unwrap();
    let store = TrialStore::at(folder.path().join("trial"));
    let _lock = store.lock().unwrap().unwrap();
    assert_eq!(store.host(), Some(super::host()));
    store.time(&[Timing::default()]).unwrap();
    // The lock was lost without a word, and somebody else has taken the trial.
    fs::write(store.folder().join("holder"), "n2-77-0123abcd").unwrap();
    let attempts = [
        store.time(&[Timing::default()]),
        store.set_mark(Some(&Mark::Works("me".to_owned()))),
        store.forget(),
        store.keep_losses(&Checkpoint::default()).map(drop),
    ];
    for attempt in attempts {
        let error = attempt.unwrap_err();
        assert!(error.is_taken_over(), "{error}");
        assert!(error.to_string().contains("n2-77-0123abcd"), "{error}");
    }
    assert_eq!((lines(&store), store.mark()), (1, None));
    assert_eq!(store.host().as_deref(), Some("n2"));
}

#[test]
fn a_process_that_is_overtaken_while_it_writes_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = TrialStore::at(folder.path().join("trial"));
    let _lock = store.lock().unwrap().unwrap();
    let missing = || trouble("write", folder.path())(io::ErrorKind::NotFound.into());
    let error = store.held(|| Err::<(), _>(missing())).unwrap_err();
    assert!(!error.is_taken_over(), "{error}");
    let error = store.held(|| {
        // Whoever takes the trial removes files that are not finished: the own one cannot be renamed any more.
        fs::write(store.folder().join("holder"), "n2-77-0123abcd").unwrap();
        Err::<(), _>(missing())
    });
    assert!(error.unwrap_err().is_taken_over());
}

#[test]
fn rows_are_not_added_behind_rows_of_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let [one, other] = [0, 1].map(|_| TrialStore::at(folder.path().to_owned()));
    one.time(&[Timing::default()]).unwrap();
    other.time(&[Timing::default()]).unwrap();
    assert!(one.time(&[Timing::default()]).unwrap_err().is_taken_over());
    other.time(&[Timing::default()]).unwrap();
    assert_eq!(lines(&one), 3);
}

#[test]
fn a_trial_that_stays_where_it_is_is_noted_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = TrialStore::at(folder.path().to_owned());
    store.arrive(0, 1).unwrap();
    store.arrive(3, 1).unwrap();
    store.arrive(5, 2).unwrap();
    let stations = store.stations();
    let epochs: Vec<(usize, usize)> = stations.iter().map(|it| (it.epoch, it.threads)).collect();
    assert_eq!(epochs, [(0, 1), (5, 2)]);
}

#[test]
fn what_is_there_and_cannot_be_read_is_told_from_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let store = TrialStore::at(folder.path().to_owned());
    assert!(store.try_epochs().unwrap().is_empty());
    assert!(store.try_outcome_of(&[]).unwrap().is_none());
    // A folder in its place is one of the ways in which a file cannot be read.
    for name in ["epochs.csv", "outcome.toml"] {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let error = store.try_epochs().unwrap_err().to_string();
    assert!(error.contains("epochs.csv"), "{error}");
    let error = store.try_outcome_of(&[]).unwrap_err().to_string();
    assert!(error.contains("outcome.toml"), "{error}");
}

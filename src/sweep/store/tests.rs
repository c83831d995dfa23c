//! Two processes that both believe that a trial is theirs.

use std::fs;

use crate::basis::record::{EpochRecord, Scores};
use crate::results::metrics;
use crate::results::timings::Timing;

use super::{Lasting, Mark, TrialStore};

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
        store.keep_losses(0, 0),
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
fn an_epoch_has_the_same_columns_in_its_trial_as_in_the_table_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = TrialStore::at(folder.path().join("trial"));
    let _lock = store.lock().unwrap().unwrap();
    let scores =
        || Scores { loss: 0.5, accuracy: 0.5, top_k: 0.5, precision: 0.5, recall: 0.5, f1: 0.5 };
    let record = EpochRecord { epoch: 1, steps: 1, lr: 0.1, train: scores(), validation: None };
    store.add_epoch(&record, Lasting::Process).unwrap();
    let own = fs::read_to_string(store.folder().join("epochs.csv")).unwrap();
    assert_eq!(own.lines().next().unwrap(), metrics::columns()[2..].join(","));
}

//! Faults on purpose, so that it can be tested that a sweep survives them: with
//! `CANDLEWICK_FAULT="panic 3, hang 5"` in the environment, trial 3 panics when its second epoch begins,
//! and trial 5 never gets on.

/// Strikes if there is a fault for `trial` in `epoch`.
pub(super) fn strike(trial: usize, epoch: usize) {
    if epoch != 2 {
        return;
    }
    let Ok(faults) = std::env::var("CANDLEWICK_FAULT") else { return };
    for fault in faults.split(", ") {
        match fault.split_once(' ') {
            Some(("panic", of)) if of == trial.to_string() => panic!("a fault was asked for"),
            Some(("hang", of)) if of == trial.to_string() => loop {
                std::thread::park();
            },
            _ => {}
        }
    }
}

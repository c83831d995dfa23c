//! A fault on purpose, so that it can be tested that a sweep survives it: with
//! `CANDLEWICK_FAULT="panic 3"` in the environment, trial 3 panics when its second epoch begins.

/// Strikes if `trial` is the one that is named, in `epoch`.
pub(super) fn strike(trial: usize, epoch: usize) {
    if epoch != 2 {
        return;
    }
    let named = std::env::var("CANDLEWICK_FAULT").ok();
    let named = named.as_deref().and_then(|fault| fault.strip_prefix("panic "));
    assert!(named != Some(trial.to_string().as_str()), "a fault was asked for");
}

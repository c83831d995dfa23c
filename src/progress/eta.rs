//! The time to go, from the work that was done in this run.
//!
//! Work is counted in epochs times the FLOPs of the trial's network, so that small networks tell
//! something about large ones too. For networks of one cost it is the number of epochs.

/// How fast work is done.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pace {
    work: f64,
    seconds: f64,
}

impl Pace {
    /// So much more work was done in so many seconds.
    pub(super) fn add(&mut self, work: f64, seconds: f64) {
        self.work += work;
        self.seconds += seconds;
    }

    /// How long `work` takes; none if nothing was done yet.
    pub(super) fn seconds_for(self, work: f64) -> Option<f64> {
        (self.work > 0.0).then(|| work * self.seconds / self.work)
    }
}

/// Seconds until everything is done: trials with these `seconds` left, and others with `waiting`
/// seconds together, by so many `workers`. No trial is shared by workers, so it takes as long as the
/// longest at least.
pub(super) fn to_go(seconds: &[f64], waiting: f64, workers: usize) -> f64 {
    let shared = (seconds.iter().sum::<f64>() + waiting) / workers.max(1) as f64;
    seconds.iter().copied().fold(shared, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pace_is_all_work_over_all_seconds() {
        let mut pace = Pace::default();
        assert_eq!(pace.seconds_for(1.0), None);
        pace.add(2.0, 10.0);
        assert_eq!(pace.seconds_for(3.0), Some(15.0));
        pace.add(2.0, 30.0);
        assert_eq!(pace.seconds_for(3.0), Some(30.0));
    }

    #[test]
    fn workers_share_what_is_left_but_no_single_trial() {
        assert_eq!(to_go(&[10.0, 20.0], 70.0, 2), 50.0);
        assert_eq!(to_go(&[10.0, 60.0], 10.0, 2), 60.0);
        assert_eq!(to_go(&[5.0], 0.0, 4), 5.0);
        assert_eq!(to_go(&[], 0.0, 0), 0.0);
    }
}

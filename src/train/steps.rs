//! How the steps of a trial are spread over its epochs.

use crate::plan::train::TrainPlan;

/// The steps of each epoch, in runs of epochs that have as many.
#[derive(Clone, Debug)]
pub struct Steps {
    /// The last epoch of a run, counted from 1, and the steps of each of its epochs; rising.
    first: Vec<(usize, u64)>,
    /// The steps of each epoch behind those.
    rest: u64,
}

impl Steps {
    /// Those of `plan` with so many training images.
    pub fn of(plan: &TrainPlan, images: usize) -> Steps {
        let steps = |size: usize| {
            let batches = plan.batches(images, size);
            (batches.div_ceil(plan.accumulate) as u64).max(1)
        };
        let first = plan.batch_sizes.iter().map(|stage| (stage.until, steps(stage.size)));
        Steps { first: first.collect(), rest: steps(plan.batch_size) }
    }

    /// As many in each epoch.
    pub fn even(per_epoch: u64) -> Steps {
        Steps { first: Vec::new(), rest: per_epoch }
    }

    /// Those of an epoch behind all runs, by which schedules count.
    pub fn usual(&self) -> u64 {
        self.rest
    }

    /// Those of epoch `epoch`, counted from 1.
    pub fn in_epoch(&self, epoch: usize) -> u64 {
        let own = self.first.iter().find(|(until, _)| epoch <= *until);
        own.map_or(self.rest, |(_, steps)| *steps)
    }

    /// Those of all epochs before `epoch`, counted from 1.
    pub fn before(&self, epoch: usize) -> u64 {
        let (mut sum, mut from) = (0, 1);
        for (until, steps) in &self.first {
            let end = epoch.min(until + 1);
            sum += steps * end.saturating_sub(from) as u64;
            from = from.max(end);
        }
        sum + self.rest * epoch.saturating_sub(from) as u64
    }

    /// The epoch of `step`, both counted from 0.
    pub fn epoch_of(&self, step: u64) -> u64 {
        let mut start = 0;
        let mut from = 0;
        for (until, steps) in &self.first {
            let epochs = *until as u64 - from;
            if step < start + steps * epochs {
                return from + (step - start) / steps;
            }
            start += steps * epochs;
            from = *until as u64;
        }
        from + (step - start) / self.rest
    }

    /// Where `step`, counted from 0, would be if each epoch had the usual steps: a whole number where it has.
    pub fn at_usual_pace(&self, step: u64) -> f64 {
        if self.first.is_empty() {
            return step as f64;
        }
        let epoch = self.epoch_of(step);
        let inside = step - self.before(epoch as usize + 1);
        let share = inside as f64 / self.in_epoch(epoch as usize + 1) as f64;
        (epoch as f64 + share) * self.rest as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted_epoch_by_epoch() {
        let steps = Steps { first: vec![(2, 10), (3, 4)], rest: 5 };
        let mut all = Vec::new();
        for epoch in 1..=6 {
            assert_eq!(steps.before(epoch), all.len() as u64, "epoch {epoch}");
            all.extend(vec![epoch as u64 - 1; steps.in_epoch(epoch) as usize]);
        }
        for (step, epoch) in all.into_iter().enumerate() {
            assert_eq!(steps.epoch_of(step as u64), epoch, "step {step}");
        }
        let even = Steps::even(7);
        assert_eq!((even.before(4), even.epoch_of(20), even.at_usual_pace(20)), (21, 2, 20.0));
    }

    #[test]
    fn an_epoch_of_more_steps_passes_as_much_of_a_schedule() {
        let steps = Steps { first: vec![(2, 10)], rest: 5 };
        let found: Vec<f64> = [0, 1, 10, 19, 20, 21].map(|step| steps.at_usual_pace(step)).into();
        assert_eq!(found, [0.0, 0.5, 5.0, 9.5, 10.0, 11.0]);
    }
}

//! Which task runs which trials: a task costs seconds to start, so short trials share one.

/// Seconds of work that are worth a task.
const WORTH_A_TASK: f64 = 600.0;

/// How trials are shared out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Packing {
    /// Tasks that may run at once.
    pub slots: usize,
    /// Trials of a task; none: by their cost.
    pub trials_per_task: Option<usize>,
    /// Seconds that a task may take; none: no limit.
    pub limit: Option<f64>,
}

/// Packs trials, each told by the seconds that it takes by estimate, into tasks: for each task the
/// places of its trials in `costs`, in order.
pub fn pack(costs: &[f64], packing: Packing) -> Vec<Vec<usize>> {
    if let Some(trials) = packing.trials_per_task {
        let places: Vec<usize> = (0..costs.len()).collect();
        return places.chunks(trials.max(1)).map(<[usize]>::to_vec).collect();
    }
    let total: f64 = costs.iter().sum();
    // The estimate may be wrong by half, and the end of a task's time costs a start.
    let worth = WORTH_A_TASK.min(packing.limit.map_or(f64::INFINITY, |limit| limit / 2.0));
    let by_cost = (total / worth).ceil() as usize;
    let tasks = by_cost.max(packing.slots).clamp(1, costs.len().max(1));
    let mut packs: Vec<(f64, Vec<usize>)> = vec![(0.0, Vec::new()); tasks];
    for (place, cost) in costs.iter().enumerate() {
        let lightest = packs.iter_mut().min_by(|a, b| {
            // Of trials that cost nothing each task gets as many, too.
            a.0.total_cmp(&b.0).then(a.1.len().cmp(&b.1.len()))
        });
        let (load, places) = lightest.expect("there is a task");
        *load += cost;
        places.push(place);
    }
    packs.into_iter().map(|(_, places)| places).filter(|places| !places.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(costs: &[f64], slots: usize) -> Vec<usize> {
        let packs = pack(costs, Packing { slots, trials_per_task: None, limit: None });
        let mut all: Vec<usize> = packs.iter().flatten().copied().collect();
        all.sort();
        assert_eq!(all, (0..costs.len()).collect::<Vec<_>>(), "each trial is in one task");
        packs.iter().map(Vec::len).collect()
    }

    #[test]
    fn short_trials_share_tasks_as_long_as_all_slots_have_one() {
        assert_eq!(packed(&[3.0; 12], 2), [6, 6]);
        assert_eq!(packed(&[3.0; 12], 5), [3, 3, 2, 2, 2]);
        assert_eq!(packed(&[3.0; 12], 256), [1; 12]);
        assert_eq!(packed(&[0.0; 4], 2), [2, 2]);
        assert_eq!(packed(&[], 2), [0; 0]);
    }

    #[test]
    fn long_trials_have_tasks_of_their_own() {
        assert_eq!(packed(&[3600.0; 5], 2), [1; 5]);
        assert_eq!(packed(&[300.0; 8], 2), [2; 4]);
        // By load, not by number.
        assert_eq!(packed(&[30.0, 10.0, 10.0, 10.0], 2), [1, 3]);
    }

    #[test]
    fn a_task_fits_into_its_time_and_a_number_is_a_number() {
        let costs = [60.0; 12];
        let packing = Packing { slots: 2, trials_per_task: None, limit: Some(240.0) };
        assert_eq!(pack(&costs, packing).len(), 6);
        let packing = Packing { trials_per_task: Some(5), ..packing };
        assert_eq!(pack(&costs, packing).iter().map(Vec::len).collect::<Vec<_>>(), [5, 5, 2]);
        assert_eq!(pack(&costs, packing)[1], [5, 6, 7, 8, 9]);
    }
}

//! Batches that are made while the step before them is taken.

use std::sync::mpsc::sync_channel;

use rayon::ThreadPool;

/// Batches that wait, beside the one in the making and the one in use.
const WAITING: usize = 1;

/// Has `pool` make the batches `0..count` in their order, ahead of `take`, which gets them one by
/// one. `take` may stop before the end. Without a pool each is made when it is taken, which is faster
/// where there is little to make.
///
/// The threads of the trial cannot make them: with a single thread, a step that waits for a batch
/// would wait for itself.
pub(super) fn ahead<B: Send, R>(
    pool: Option<&ThreadPool>,
    count: usize,
    make: impl Fn(usize) -> B + Sync,
    take: impl FnOnce(&mut dyn Iterator<Item = B>) -> R,
) -> R {
    let Some(pool) = pool else { return take(&mut (0..count).map(make)) };
    let (sender, receiver) = sync_channel(WAITING);
    std::thread::scope(|scope| {
        let make = &make;
        let maker = scope.spawn(move || {
            for index in 0..count {
                let batch = pool.install(|| make(index));
                if sender.send(batch).is_err() {
                    return;
                }
            }
        });
        let taken = take(&mut receiver.into_iter());
        // To whoever takes them, a panic looks like the end of the batches: it must not be taken for it.
        match maker.join() {
            Ok(()) => taken,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap()
    }

    #[test]
    fn batches_come_in_order_and_all_of_them() {
        for pool in [Some(pool()), None] {
            let all = ahead(pool.as_ref(), 9, |index| index, |batches| batches.collect::<Vec<_>>());
            assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
        }
    }

    #[test]
    fn a_panic_in_the_making_is_that_of_whoever_takes_with_its_words() {
        let pool = pool();
        let make = |index| assert_ne!(index, 3, "torn");
        let failing = || ahead(Some(&pool), 5, make, |all| all.count());
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(failing)).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("torn"));
    }

    #[test]
    fn whoever_takes_them_may_stop_and_may_be_on_the_only_thread() {
        let (pool, trial) = (pool(), pool());
        let three = trial.install(|| {
            ahead(Some(&pool), 1_000_000, |index| index, |all| all.take(3).sum::<usize>())
        });
        assert_eq!(three, 3);
    }
}

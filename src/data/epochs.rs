//! Augmented epochs that trials share.
//!
//! What becomes of image i in epoch e depends on the data, the chain, the seed and the fold alone.
//! Trials that agree in these see the same pixels, so whoever needs a piece of an epoch first
//! computes it, and the others take it. Pieces are kept until the last trial that can use them has
//! ended, as long as they fit the limit. Those that do not fit are kept for a short while, for
//! trials that go side by side, and are computed again by later ones: results never depend on what
//! was kept.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::error::Error;
use crate::plan::Plan;
use crate::plan::data::DataPlan;

/// Images of a piece, in the order of their epoch.
pub(super) const PIECE: usize = 64;

/// The part of the limit that pieces get which are only kept for a while.
const PASSING: usize = 8;

/// Identity of everything that decides how training images look in each epoch.
type Group = [u8; 32];

/// Piece `index` of epoch `epoch`.
type Place = (Group, u64, usize);

type Pixels = Result<Arc<Vec<u8>>, Error>;

/// The augmented epochs of a sweep.
#[derive(Debug)]
pub struct Epochs {
    limit: usize,
    seconds: fn() -> f64,
    shelf: Mutex<Shelf>,
}

/// Maps are looked into and cleared, never iterated over in an order that could be seen.
#[derive(Debug, Default)]
struct Shelf {
    pieces: HashMap<Place, Arc<OnceLock<Pixels>>>,
    /// How many trials of each group have not ended.
    expected: BTreeMap<Group, usize>,
    /// Bytes of the pieces that stay.
    kept: BTreeMap<Group, usize>,
    passing: VecDeque<(Place, usize)>,
    passing_bytes: usize,
}

impl Epochs {
    /// Room for `limit` bytes of augmented images; `plans` are the trials that will run, `seconds`
    /// a clock for [`Work`].
    pub fn new<'a>(
        limit: usize,
        plans: impl IntoIterator<Item = &'a Plan>,
        seconds: fn() -> f64,
    ) -> Epochs {
        let mut shelf = Shelf::default();
        for plan in plans {
            *shelf.expected.entry(group(plan)).or_insert(0) += 1;
        }
        Epochs { limit, seconds, shelf: Mutex::new(shelf) }
    }

    /// A trial of `plan` that is about to stop will go on: what it shares is still needed.
    pub fn expect(&self, plan: &Plan) {
        if let Some(expected) = self.shelf().expected.get_mut(&group(plan)) {
            *expected += 1;
        }
    }

    /// The epochs of one trial, for as long as it runs.
    pub fn of(self: &Arc<Self>, plan: &Plan) -> TrialEpochs {
        TrialEpochs {
            epochs: self.clone(),
            group: group(plan),
            work: Tally::default(),
            recent: Mutex::default(),
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // A panic while the lock is held can only come from allocation, and leaves the maps whole.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The augmented epochs of one trial: those of its sweep, and what it took to make them.
#[derive(Debug)]
pub struct TrialEpochs {
    epochs: Arc<Epochs>,
    group: Group,
    work: Tally,
    /// The pieces that the trial has seen last: a batch may end inside of a piece, and the next one
    /// begins there.
    recent: Mutex<VecDeque<(u64, usize, Pixels)>>,
}

/// The last piece of a batch, and that of the batch before it, whose successor is still at work.
const RECENT: usize = 2;

#[derive(Debug, Default)]
struct Tally {
    augmented: AtomicU64,
    shared: AtomicU64,
    nanoseconds: AtomicU64,
}

/// What augmentation has cost a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Images that it augmented itself.
    pub augmented: u64,
    /// Images that another trial had augmented.
    pub shared: u64,
    /// Time for the former, summed over threads.
    pub seconds: f64,
}

impl TrialEpochs {
    /// Piece `index` of epoch `epoch`: `make` returns the pixels of its `images`. With `again`, the
    /// trial will ask for it once more. Where an image cannot be decoded, nobody who shares the piece tries again.
    pub(super) fn piece(
        &self,
        epoch: u64,
        index: usize,
        images: usize,
        bytes: usize,
        again: bool,
        make: impl FnOnce() -> Result<Vec<u8>, Error>,
    ) -> Pixels {
        let recent = || self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |(e, i, _): &&(u64, usize, Pixels)| (*e, *i) == (epoch, index);
        if let Some((.., pixels)) = recent().iter().find(is_it) {
            return pixels.clone();
        }
        let place = (self.group, epoch, index);
        let cell = self.epochs.shelf().cell(place, bytes, self.epochs.limit).unwrap_or_default();
        let mut is_own = false;
        // Whoever comes second waits here; it would be no faster on its own.
        let pixels = cell.get_or_init(|| {
            is_own = true;
            let start = (self.epochs.seconds)();
            let pixels = make().map(Arc::new);
            let nanoseconds = 1e9 * ((self.epochs.seconds)() - start);
            self.work.nanoseconds.fetch_add(nanoseconds as u64, Ordering::Relaxed);
            pixels
        });
        let counter = if is_own { &self.work.augmented } else { &self.work.shared };
        counter.fetch_add(images as u64, Ordering::Relaxed);
        if again {
            let mut recent = recent();
            recent.push_back((epoch, index, pixels.clone()));
            if recent.len() > RECENT {
                recent.pop_front();
            }
        }
        pixels.clone()
    }

    /// What was done since this was asked last.
    pub fn take_work(&self) -> Work {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        Work {
            augmented: take(&self.work.augmented),
            shared: take(&self.work.shared),
            seconds: take(&self.work.nanoseconds) as f64 * 1e-9,
        }
    }
}

impl Drop for TrialEpochs {
    fn drop(&mut self) {
        let mut shelf = self.epochs.shelf();
        if let Some(expected) = shelf.expected.get_mut(&self.group) {
            *expected = expected.saturating_sub(1);
            if *expected == 0 {
                shelf.clear(self.group);
            }
        }
    }
}

impl Shelf {
    /// The cell of a piece; none if nobody else would look into it.
    fn cell(&mut self, place: Place, bytes: usize, limit: usize) -> Option<Arc<OnceLock<Pixels>>> {
        if let Some(cell) = self.pieces.get(&place) {
            return Some(cell.clone());
        }
        if self.expected.get(&place.0).is_none_or(|trials| *trials < 2) {
            return None;
        }
        let cell: Arc<OnceLock<Pixels>> = Arc::default();
        let for_passing = limit / PASSING;
        if self.kept.values().sum::<usize>() + bytes <= limit - for_passing {
            *self.kept.entry(place.0).or_insert(0) += bytes;
        } else {
            while self.passing_bytes + bytes > for_passing {
                // Too large to be kept at all.
                let (oldest, bytes) = self.passing.pop_front()?;
                self.passing_bytes -= bytes;
                self.pieces.remove(&oldest);
            }
            self.passing_bytes += bytes;
            self.passing.push_back((place, bytes));
        }
        self.pieces.insert(place, cell.clone());
        Some(cell)
    }

    fn clear(&mut self, group: Group) {
        self.pieces.retain(|(other, ..), _| *other != group);
        self.kept.remove(&group);
        let mut bytes = 0;
        self.passing.retain(|((other, ..), size)| {
            let stays = *other != group;
            bytes += if stays { *size } else { 0 };
            stays
        });
        self.passing_bytes = bytes;
    }
}

fn group(plan: &Plan) -> Group {
    // How pixels become numbers is no part of it: what is shared are bytes.
    let normalise = crate::plan::data::Normalise::None;
    let data = DataPlan { normalise, ..DataPlan::clone(&plan.data) };
    let identity = (&data, &plan.augment.train, &plan.augment.boxes, plan.seed);
    let text = serde_json::to_string(&identity).expect("a plan is plain data");
    *blake3::hash(text.as_bytes()).as_bytes()
}

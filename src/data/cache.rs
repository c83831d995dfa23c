//! Data sets that trials share: each is surveyed and loaded once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::dataset::Dataset;
use super::error::Error;
use super::held::{Means, apart};
use super::holding::{Holding, News, Teller};
use super::load::load_into;
use super::survey::survey;
use crate::plan::data::{
    BoxPlan, Columns, DataFacts, DataPlan, Duplicates, Fit, Group, Image, OnBadImage, Source, Task,
    TestSet,
};

/// Data sets by [what they depend on](DataPlan::of_images). Whoever asks first for one loads it, the others wait.
#[derive(Debug)]
pub struct Cache {
    threads: usize,
    holding: Mutex<Holding>,
    /// Bytes of memory that data sets have taken.
    taken: Mutex<u64>,
    teller: Teller,
    datasets: Shelf<(Images, Read), Arc<Dataset>>,
    facts: Shelf<(Images, OnBadImage), DataFacts>,
}

/// Which images: the source, those to test on, the classes that take part, what their boxes are, the columns of a
/// table, and what labels are.
type Images = (Source, Testing, Vec<String>, BoxPlan, (Columns, Group), Labelling);

/// How many labels an image has, and which ones follow from its class.
type Labelling = (Task, BTreeMap<String, Vec<String>>);

/// How they are read: size, how images are brought to it, own sizes, what becomes of bad images and of copies, and the limit of pixels.
type Read = (Image, Fit, OwnSizes, OnBadImage, Duplicates, u64);

/// How images that keep their own sizes are read, as text; empty where all are resized.
type OwnSizes = String;

/// The images to test on, as far as loading depends on them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Testing {
    /// Those that the source declares.
    Declared,
    /// A part that is drawn later, which is an error for some sources.
    Drawn,
    /// None: those that the source declares are left out.
    Nothing,
    /// Those of another source.
    Source(Source),
}

/// One cell per key. A cell is filled outside the lock on the map, so that others can be read meanwhile. The map is
/// never iterated over, so its order does not matter.
type Shelf<K, V> = Mutex<HashMap<K, Arc<OnceLock<Result<V, Error>>>>>;

impl Cache {
    /// An empty cache that decodes images on `threads` threads.
    pub fn new(threads: usize) -> Self {
        Cache {
            threads: threads.max(1),
            holding: Mutex::default(),
            taken: Mutex::default(),
            teller: Teller::default(),
            datasets: Mutex::default(),
            facts: Mutex::default(),
        }
    }

    /// Holds images of data sets that are loaded from now on like this. Else all of them are in memory.
    pub fn hold(&self, holding: Holding) {
        *self.holding.lock().unwrap_or_else(PoisonError::into_inner) = holding;
    }

    /// Has `tell` called with what there is to know while images are looked at.
    pub fn listen(&self, tell: Box<dyn Fn(News) + Send>) {
        self.teller.set(tell);
    }

    /// Tells whoever listens.
    pub fn tell(&self, news: News) {
        self.teller.tell(news);
    }

    /// What is known without decoding, as [`survey`] says.
    pub fn survey(&self, plan: &DataPlan) -> Result<DataFacts, Error> {
        cell(&self.facts, (images(plan), plan.on_bad_image)).get_or_init(|| survey(plan)).clone()
    }

    /// The decoded images, as [`load`] says. An error is kept too: every trial that wants the data
    /// gets the same one.
    pub fn get(&self, plan: &DataPlan) -> Result<Arc<Dataset>, Error> {
        cell(&self.datasets, key(plan)).get_or_init(|| self.load(plan).map(Arc::new)).clone()
    }

    /// The decoded images, if somebody has loaded them.
    pub fn loaded(&self, plan: &DataPlan) -> Option<Arc<Dataset>> {
        cell(&self.datasets, key(plan)).get()?.as_ref().ok().cloned()
    }

    /// Loads what memory has room for after the data sets before it.
    fn load(&self, plan: &DataPlan) -> Result<Dataset, Error> {
        // One data set after the other, or two would take the same room.
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let Holding { memory, disk } =
            self.holding.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let left = if memory == u64::MAX { memory } else { memory.saturating_sub(*taken) };
        let holding = Holding { memory: left, disk };
        let means = Means { holding, threads: self.threads, teller: self.teller.clone() };
        let dataset = apart(self.threads, || load_into(plan, means))??;
        *taken = taken.saturating_add(dataset.memory());
        Ok(dataset)
    }
}

fn key(plan: &DataPlan) -> (Images, Read) {
    let own_size = plan.own_size.as_ref().map(|own_size| {
        serde_json::to_string(own_size).expect("how images are read is plain data")
    });
    let own_size = own_size.unwrap_or_default();
    let DataPlan { image, fit, on_bad_image, duplicates, max_pixels, .. } = *plan;
    (images(plan), (image, fit, own_size, on_bad_image, duplicates, max_pixels))
}

fn images(plan: &DataPlan) -> Images {
    let testing = match &plan.test {
        TestSet::Declared => Testing::Declared,
        TestSet::Part(0.0) => Testing::Nothing,
        TestSet::Part(_) => Testing::Drawn,
        TestSet::Source(test) => Testing::Source(test.clone()),
    };
    let columns = (plan.columns.clone(), plan.group.clone());
    let labelling = (plan.task, plan.class_attributes.clone());
    (plan.source.clone(), testing, plan.classes.clone(), plan.boxes, columns, labelling)
}

fn cell<K: std::hash::Hash + Eq, V>(
    shelf: &Shelf<K, V>,
    key: K,
) -> Arc<OnceLock<Result<V, Error>>> {
    // A panic while the lock is held can only come from allocation, and leaves the map whole.
    let mut shelf = shelf.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(shelf.entry(key).or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::data::{Bundled, MOST_PIXELS, Normalise, Sampling, Subset};
    use rayon::prelude::*;

    fn plan(validation: f64, side: usize) -> DataPlan {
        DataPlan {
            source: Source::Bundled(Bundled::Digits),
            test: TestSet::Declared,
            validation,
            fold: None,
            task: Default::default(),
            class_attributes: Default::default(),
            classes: Vec::new(),
            subset: Subset::All,
            image: Image { size: [side, side], channels: 1 },
            fit: Fit::Stretch,
            own_size: None,
            normalise: Normalise::None,
            on_bad_image: OnBadImage::Error,
            max_pixels: MOST_PIXELS,
            boxes: BoxPlan::default(),
            columns: Columns::default(),
            group: Group::None,
            duplicates: Duplicates::Keep,
            sampling: Sampling::Shuffle,
        }
    }

    #[test]
    fn trials_on_few_threads_share_one_data_set_and_never_wait_for_themselves() {
        let cache = Cache::new(2);
        // More askers than threads: whoever waits must not take up another asker meanwhile.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        let datasets: Vec<Arc<Dataset>> = pool.install(|| {
            let askers = (0..16_u32).into_par_iter().with_max_len(1);
            askers.map(|n| cache.get(&plan(f64::from(n) / 20.0, 8)).unwrap()).collect()
        });
        assert!(datasets.iter().all(|dataset| Arc::ptr_eq(dataset, &datasets[0])));
        assert!(!Arc::ptr_eq(&datasets[0], &cache.get(&plan(0.0, 9)).unwrap()));
    }

    #[test]
    fn a_drawn_test_part_shares_the_data_set_of_any_other_part() {
        let cache = Cache::new(1);
        let with = |test| cache.get(&DataPlan { test, ..plan(0.1, 8) }).unwrap();
        assert!(Arc::ptr_eq(&with(TestSet::Part(0.1)), &with(TestSet::Part(0.2))));
        assert_eq!(cache.survey(&plan(0.1, 8)).unwrap().images, 1797);
    }

    #[test]
    fn an_error_reaches_everyone_who_asks() {
        let cache = Cache::new(1);
        let plan = DataPlan { source: Source::Folder("no/such/folder".into()), ..plan(0.1, 8) };
        assert_eq!(cache.get(&plan).unwrap_err(), cache.get(&plan).unwrap_err());
        assert_eq!(cache.survey(&plan).unwrap_err(), cache.get(&plan).unwrap_err());
    }
}

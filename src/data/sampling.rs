//! Which training images an epoch goes through, in which order.

use super::dataset::Dataset;
use super::views::fold_number;
use crate::basis::seed::{Stream, derive};
use crate::plan::data::DataPlan;

/// The training images of an epoch in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Indices into the data set.
    images: Vec<u32>,
    /// How often each has come before in the epoch; empty where each comes once.
    repeats: Vec<u32>,
}

impl Order {
    /// The order in which epoch `epoch` of a trial goes through the images `train`. It depends on the data,
    /// how it is sampled, the seed, the fold and the epoch only, so trials that share them see the same
    /// batches.
    ///
    /// Where classes are sampled, an epoch has as many images as there are. The class of each is drawn with a
    /// probability in proportion to the number of its images to the plan's power (Mahajan et al., "Exploring the
    /// limits of weakly supervised pretraining", ECCV 2018, has 0.5); which image of it, is dealt from a shuffled
    /// deck of all of them, which is shuffled again when none is left: no image comes a second time before all
    /// others of its class have come.
    pub fn new(dataset: &Dataset, train: &[u32], plan: &DataPlan, seed: u64, epoch: u64) -> Order {
        let mut stream = derive(seed, "order of images", &[fold_number(plan.fold), epoch]);
        let Some(power) = plan.sampling.power() else {
            let mut images = train.to_vec();
            stream.shuffle(&mut images);
            return Order { images, repeats: Vec::new() };
        };
        let mut decks: Vec<Deck> = Vec::new();
        decks.resize_with(dataset.classes().len(), Deck::default);
        train.iter().for_each(|image| decks[dataset.label(*image) as usize].images.push(*image));
        decks.retain(|deck| !deck.images.is_empty());
        let mut total = 0.0;
        let ends: Vec<f64> = decks
            .iter()
            .map(|deck| {
                total += libm::pow(deck.images.len() as f64, power);
                total
            })
            .collect();
        let mut order = Order { images: Vec::new(), repeats: Vec::new() };
        for _ in train {
            let at = stream.uniform() * total;
            // Rounding can leave a little behind the last one.
            let class = ends.partition_point(|end| *end <= at).min(decks.len() - 1);
            let (image, repeat) = decks[class].deal(&mut stream);
            order.images.push(image);
            order.repeats.push(repeat);
        }
        order
    }

    /// The images, some of them more than once.
    pub fn images(&self) -> &[u32] {
        &self.images
    }

    /// How often the image at `place` has come before in the epoch.
    pub(super) fn repeat(&self, place: usize) -> u32 {
        self.repeats.get(place).copied().unwrap_or(0)
    }

    /// Each image once, in the order in which they come first.
    pub fn distinct(&self) -> Vec<u32> {
        let first = |place: &usize| self.repeat(*place) == 0;
        (0..self.images.len()).filter(first).map(|place| self.images[place]).collect()
    }
}

/// The images of a class.
#[derive(Default)]
struct Deck {
    images: Vec<u32>,
    /// How many of them were dealt since it was shuffled last.
    dealt: usize,
    /// How often it was shuffled.
    rounds: u32,
}

impl Deck {
    /// The next image, and how often it has come before.
    fn deal(&mut self, stream: &mut Stream) -> (u32, u32) {
        if self.dealt == self.images.len() || self.rounds == 0 {
            stream.shuffle(&mut self.images);
            (self.dealt, self.rounds) = (0, self.rounds + 1);
        }
        self.dealt += 1;
        (self.images[self.dealt - 1], self.rounds - 1)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::data::Part;
    use crate::plan::data::{Fold, Sampling};

    /// 60, 30 and 10 images of three classes.
    fn dataset() -> Dataset {
        let labels: Vec<u32> =
            (0..100).map(|image| if image < 60 { 0 } else { 1 + u32::from(image >= 90) }).collect();
        Dataset::of_labels(&labels, &[Part::Undeclared; 100])
    }

    fn order(sampling: Sampling, seed: u64, fold: Option<Fold>, epoch: u64) -> Order {
        let dataset = dataset();
        let plan = DataPlan { sampling, fold, ..dataset.plan() };
        let train: Vec<u32> = (0..100).collect();
        Order::new(&dataset, &train, &plan, seed, epoch)
    }

    #[test]
    fn a_shuffled_epoch_has_each_image_once() {
        let found = order(Sampling::Shuffle, 1, None, 1);
        let mut images = found.images().to_vec();
        images.sort_unstable();
        assert_eq!(images, (0..100).collect::<Vec<u32>>());
        assert_eq!(found.distinct(), found.images());
    }

    #[test]
    fn classes_come_as_often_as_their_images_to_the_power() {
        for (sampling, power) in [
            (Sampling::Balanced, 0.0),
            (Sampling::Power(0.0), 0.0),
            (Sampling::Power(0.5), 0.5),
            (Sampling::Power(1.0), 1.0),
        ] {
            let mut counts = [0.0; 3];
            for epoch in 1..=200 {
                let order = order(sampling, 7, None, epoch);
                assert_eq!(order.images().len(), 100);
                order.images().iter().for_each(|it| counts[dataset().label(*it) as usize] += 1.0);
            }
            let weights = [60_f64, 30.0, 10.0].map(|count| libm::pow(count, power));
            let total: f64 = weights.iter().sum();
            for (count, weight) in counts.iter().zip(weights) {
                let p = weight / total;
                // Five standard deviations of 20,000 draws.
                let off = 5.0 * (20_000.0 * p * (1.0 - p)).sqrt();
                assert!((count - 20_000.0 * p).abs() < off, "{sampling:?} {counts:?}");
            }
        }
    }

    #[test]
    fn no_image_comes_again_before_all_others_of_its_class() {
        let found = order(Sampling::Balanced, 3, None, 5);
        let mut seen: BTreeMap<u32, u32> = BTreeMap::new();
        for (place, image) in found.images().iter().enumerate() {
            let count = seen.entry(*image).or_insert(0);
            assert_eq!(found.repeat(place), *count);
            *count += 1;
        }
        for class in [0..60, 60..90, 90..100] {
            let counts = class.map(|image| seen.get(&image).copied().unwrap_or(0));
            let counts: Vec<u32> = counts.collect();
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        }
        assert!(seen[&95] >= 2);
        assert_eq!(found.distinct().len(), seen.len());
    }

    #[test]
    fn the_order_depends_on_seed_fold_and_epoch_and_on_nothing_else() {
        let fold = |index| Some(Fold { index, of: 3 });
        let base = order(Sampling::Balanced, 1, None, 1);
        assert_eq!(base, order(Sampling::Balanced, 1, None, 1));
        assert_eq!(base, order(Sampling::Power(0.0), 1, None, 1));
        for other in [
            order(Sampling::Balanced, 2, None, 1),
            order(Sampling::Balanced, 1, None, 2),
            order(Sampling::Balanced, 1, fold(0), 1),
            order(Sampling::Power(0.1), 1, None, 1),
        ] {
            assert_ne!(base, other);
        }
        // A class without training images is no class to draw.
        let dataset = dataset();
        let plan = DataPlan { sampling: Sampling::Balanced, ..dataset.plan() };
        let train: Vec<u32> = (50..90).collect();
        let found = Order::new(&dataset, &train, &plan, 1, 1);
        assert!(found.images().iter().all(|image| (50..90).contains(image)));
    }
}

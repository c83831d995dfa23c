//! Which images are learnt from, chosen by and tested on.
//!
//! In this order:
//! 1. *Test*: the declared test images or the other source's; or a part by class that depends on
//!    the data alone, so that all seeds are tested on the same images.
//! 2. *Validation*: with a fold, that fold of everything else (declared training and validation
//!    images together); else the declared validation images, which beat `validation = …`; else a
//!    part by class that depends on the seed.
//! 3. *Training*: the rest without copies of the others, if copies are not kept, or a subset of it that depends on the seed.
//!
//! Where images belong to groups, parts and folds are made of whole groups. Where an image may have several labels, "by
//! class" is by iterative stratification ([`deal`]).

use std::collections::BTreeMap;

use super::dataset::{Dataset, Part};
use super::error::Error;
use super::leaks::listed;
use super::stratified::deal;
use crate::basis::seed::{Stream, derive};
use crate::looks::copies;
use crate::plan::data::{DataPlan, Duplicates, Fold, Subset, TestSet};

/// The images of a trial by their use, as ascending indices into the data set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// To learn from.
    pub train: Vec<u32>,
    /// To choose by; empty if the experiment wants none.
    pub validation: Vec<u32>,
    /// To be looked at once, at the end; empty if there is none.
    pub test: Vec<u32>,
}

/// The split of a trial with `plan` and `seed`.
pub fn split(dataset: &Dataset, plan: &DataPlan, seed: u64) -> Result<Split, Error> {
    let part = |index: &u32| dataset.parts[*index as usize];
    let all = 0..dataset.len() as u32;
    let (test, rest) = match plan.test {
        TestSet::Part(size) if size > 0.0 => {
            let (held, pool): (Vec<u32>, Vec<u32>) =
                all.partition(|index| part(index) == Part::Validation);
            let stream = |class| derive(0, "test part", &[class]);
            let test = part_by_class(dataset, &pool, size, "test", stream)?;
            let mut rest = without(&pool, &test);
            rest.extend(held);
            rest.sort_unstable();
            (test, rest)
        }
        _ => all.partition(|index| part(index) == Part::Test),
    };
    let (declared, _): (Vec<u32>, Vec<u32>) =
        rest.iter().partition(|index| part(index) == Part::Validation);
    let validation = match plan.fold {
        Some(fold) => one_fold(dataset, &rest, fold, seed)?,
        None if !declared.is_empty() => declared,
        None if plan.validation > 0.0 => {
            let stream = |class| derive(seed, "validation", &[class]);
            part_by_class(dataset, &rest, plan.validation, "validation", stream)?
        }
        None => Vec::new(),
    };
    let train = without(&rest, &validation);
    whole_groups(dataset, [("training", &train), ("validation", &validation), ("test", &test)])?;
    let train = without_copies(dataset, train, [&validation, &test], plan.duplicates)?;
    let train = subset(dataset, train, plan.subset, seed)?;
    if train.is_empty() {
        return Err(Error::EmptyPart(format!(
            "{} has {} images, {} of them for validation and {} for testing: none are left to train on",
            dataset.origin,
            dataset.len(),
            validation.len(),
            test.len()
        )));
    }
    Ok(Split { train, validation, test })
}

/// How many training images a trial with `plan` and `seed` leaves out because they are copies of images that it is
/// chosen by or tested on.
pub fn left_out_as_copies(dataset: &Dataset, plan: &DataPlan, seed: u64) -> Result<usize, Error> {
    if plan.duplicates != Duplicates::DropFromTrain {
        return Ok(0);
    }
    let learnt = |duplicates| {
        let plan = DataPlan { duplicates, subset: Subset::All, ..plan.clone() };
        split(dataset, &plan, seed).map(|split| split.train.len())
    };
    Ok(learnt(Duplicates::Keep)? - learnt(Duplicates::DropFromTrain)?)
}

/// A part of `pool`, drawn from each class in proportion. The total is the part of the whole,
/// rounded; classes get their share rounded down, and then the largest remainders one more. No
/// class gives its last image away.
fn part_by_class(
    dataset: &Dataset,
    pool: &[u32],
    part: f64,
    key: &str,
    stream: impl Fn(u64) -> Stream,
) -> Result<Vec<u32>, Error> {
    if !dataset.groups.is_empty() {
        return part_by_group(dataset, pool, part, key, &mut stream(0));
    }
    if dataset.is_multi_label() {
        return part_by_labels(dataset, pool, part, key, &mut stream(0));
    }
    let mut classes = by_class(dataset, pool);
    let spare: Vec<usize> = classes.iter().map(|class| class.len().saturating_sub(1)).collect();
    let total = ((pool.len() as f64 * part).round() as usize).min(spare.iter().sum());
    if total == 0 {
        return Err(Error::EmptyPart(format!(
            "data.{key} = {part} of {} images in {} is not one image; make it larger, or 0",
            pool.len(),
            dataset.origin
        )));
    }
    let share = |class: usize| classes[class].len() as f64 * part;
    let mut counts: Vec<usize> =
        (0..classes.len()).map(|class| (share(class) as usize).min(spare[class])).collect();
    let mut order: Vec<usize> = (0..classes.len()).collect();
    // A stable sort: of equal remainders, the first class comes first.
    order.sort_by(|a, b| share(*b).fract().total_cmp(&share(*a).fract()));
    let mut left = total.saturating_sub(counts.iter().sum());
    while left > 0 {
        for class in &order {
            if left > 0 && counts[*class] < spare[*class] {
                counts[*class] += 1;
                left -= 1;
            }
        }
    }
    let mut drawn = Vec::with_capacity(total);
    for (class, (images, count)) in classes.iter_mut().zip(counts).enumerate() {
        stream(class as u64).shuffle(images);
        drawn.extend_from_slice(&images[..count]);
    }
    drawn.sort_unstable();
    Ok(drawn)
}

/// The part of each image of `pool`, dealt out by labels.
fn dealt(dataset: &Dataset, pool: &[u32], shares: &[f64], stream: &mut Stream) -> Vec<usize> {
    let labels: Vec<&[u32]> = pool.iter().map(|image| dataset.labels_of(*image)).collect();
    deal(&labels, dataset.classes.len(), shares, stream)
}

/// The images of `pool` that were dealt to `part`.
fn of_part(pool: &[u32], dealt: &[usize], part: usize) -> Vec<u32> {
    pool.iter().zip(dealt).filter(|(_, own)| **own == part).map(|(image, _)| *image).collect()
}

/// As [`part_by_class`], where an image may have several labels. No label gives its last image away.
fn part_by_labels(
    dataset: &Dataset,
    pool: &[u32],
    part: f64,
    key: &str,
    stream: &mut Stream,
) -> Result<Vec<u32>, Error> {
    let mut dealt = dealt(dataset, pool, &[part, 1.0 - part], stream);
    let mut left = vec![0usize; dataset.classes.len()];
    let rest = |dealt: &[usize]| of_part(pool, dealt, 1);
    for label in rest(&dealt).iter().flat_map(|image| dataset.labels_of(*image)) {
        left[*label as usize] += 1;
    }
    for (image, part) in pool.iter().zip(&mut dealt) {
        let labels = dataset.labels_of(*image);
        if *part == 0 && labels.iter().any(|label| left[*label as usize] == 0) {
            *part = 1;
            labels.iter().for_each(|label| left[*label as usize] += 1);
        }
    }
    let drawn = of_part(pool, &dealt, 0);
    if drawn.is_empty() {
        return Err(Error::EmptyPart(format!(
            "data.{key} = {part} of {} images in {} is not one image that leaves images with each label to train on; \
             make it larger, or 0",
            pool.len(),
            dataset.origin
        )));
    }
    Ok(drawn)
}

/// The training images without copies of the `held` ones, unless copies are kept.
fn without_copies(
    dataset: &Dataset,
    train: Vec<u32>,
    held: [&Vec<u32>; 2],
    duplicates: Duplicates,
) -> Result<Vec<u32>, Error> {
    if !duplicates.look_at_splits() {
        return Ok(train);
    }
    let mut others = held.map(|images| &images[..]).concat();
    others.sort_unstable();
    let found = copies(&dataset.looks, &train, &others, &|_, _| true);
    let origin = dataset.origin.clone();
    if !found.is_empty() && duplicates == Duplicates::Error {
        return Err(Error::Leaks { origin, total: found.len(), pairs: listed(dataset, &found) });
    }
    let found: Vec<u32> = found.iter().map(|pair| pair.image).collect();
    let left = without(&train, &found);
    let [before, after] = [&train, &left].map(|images| by_class(dataset, images));
    let emptied = before.iter().zip(&after).zip(&dataset.classes);
    let emptied = emptied.filter(|((before, after), _)| after.is_empty() && !before.is_empty());
    let classes: Vec<String> = emptied.map(|(_, class)| class.clone()).collect();
    if !classes.is_empty() {
        let way_out =
            "all that there are are copies of validation or test images, which data.duplicates = \
                       \"drop-from-train\" leaves out"
                .to_owned();
        return Err(Error::EmptyClasses { origin, classes, way_out });
    }
    Ok(left)
}

/// The part of the training images that is learnt from: the first ones of each class in an order that
/// depends on the seed alone, so that a smaller subset lies within a larger one.
fn subset(
    dataset: &Dataset,
    train: Vec<u32>,
    subset: Subset,
    seed: u64,
) -> Result<Vec<u32>, Error> {
    if subset == Subset::All {
        return Ok(train);
    }
    if let (Subset::Fraction(part), true) = (subset, dataset.is_multi_label()) {
        let mut images = train;
        derive(seed, "subset", &[0]).shuffle(&mut images);
        let count = (images.len() as f64 * part).round() as usize;
        images.truncate(count.max(1));
        images.sort_unstable();
        return Ok(images);
    }
    let mut drawn = Vec::new();
    for (class, mut images) in by_class(dataset, &train).into_iter().enumerate() {
        let count = match subset {
            Subset::All => images.len(),
            Subset::PerClass(count) => count,
            Subset::Fraction(part) => {
                ((images.len() as f64 * part).round() as usize).clamp(1, images.len().max(1))
            }
        };
        if count > images.len() {
            return Err(Error::EmptyPart(format!(
                "data.subset asks for {count} images of each class, but {} has {} of class {} to train on; \
                 ask for fewer, or for a fraction",
                dataset.origin,
                images.len(),
                dataset.classes[class]
            )));
        }
        derive(seed, "subset", &[class as u64]).shuffle(&mut images);
        drawn.extend_from_slice(&images[..count]);
    }
    drawn.sort_unstable();
    Ok(drawn)
}

/// One of `fold.of` folds of `pool`. Each class is shuffled and dealt out like cards, the next class
/// going on where the last one stopped: the folds' sizes differ by at most one, in each class and as
/// a whole.
fn one_fold(dataset: &Dataset, pool: &[u32], fold: Fold, seed: u64) -> Result<Vec<u32>, Error> {
    if pool.len() < fold.of {
        return Err(Error::EmptyPart(format!(
            "{} images in {} cannot be split into {} folds; use fewer folds",
            pool.len(),
            dataset.origin,
            fold.of
        )));
    }
    if dataset.groups.is_empty() && dataset.is_multi_label() {
        let shares = vec![1.0 / fold.of as f64; fold.of];
        let dealt = dealt(dataset, pool, &shares, &mut derive(seed, "folds", &[0]));
        return Ok(of_part(pool, &dealt, fold.index));
    }
    if !dataset.groups.is_empty() {
        return fold_of_groups(dataset, pool, fold, &mut derive(seed, "folds", &[0]));
    }
    let mut validation = Vec::new();
    let mut dealt = 0;
    for (class, mut images) in by_class(dataset, pool).into_iter().enumerate() {
        derive(seed, "folds", &[class as u64]).shuffle(&mut images);
        for image in images {
            if dealt % fold.of == fold.index {
                validation.push(image);
            }
            dealt += 1;
        }
    }
    validation.sort_unstable();
    Ok(validation)
}

/// Groups of images that stay together, the largest first, and of equal ones in an order that `stream`
/// draws.
fn shuffled_groups(dataset: &Dataset, pool: &[u32], stream: &mut Stream) -> Vec<Vec<u32>> {
    let mut by_group: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for image in pool {
        by_group.entry(dataset.groups[*image as usize]).or_default().push(*image);
    }
    let mut groups: Vec<Vec<u32>> = by_group.into_values().collect();
    stream.shuffle(&mut groups);
    groups.sort_by_key(|images| std::cmp::Reverse(images.len()));
    groups
}

/// How many images of each class there are, for the classes that there are; those without a label count for one more.
fn class_counts(dataset: &Dataset, images: &[u32]) -> Vec<(usize, f64)> {
    let mut counts: BTreeMap<usize, f64> = BTreeMap::new();
    for image in images {
        for label in dataset.labels_of(*image) {
            *counts.entry(*label as usize).or_default() += 1.0;
        }
        if dataset.labels_of(*image).is_empty() {
            // Images without a label are shared out as those with one more are.
            *counts.entry(dataset.classes.len()).or_default() += 1.0;
        }
    }
    counts.into_iter().collect()
}

/// As [`part_by_class`], of whole groups: each goes to the part or to the rest, whichever then has the less of
/// its classes, measured by what either shall have of them. No class gives its last image away.
fn part_by_group(
    dataset: &Dataset,
    pool: &[u32],
    part: f64,
    key: &str,
    stream: &mut Stream,
) -> Result<Vec<u32>, Error> {
    let mut totals = vec![0.0; dataset.classes.len() + 1];
    class_counts(dataset, pool).into_iter().for_each(|(class, count)| totals[class] = count);
    let mut sides = [part, 1.0 - part].map(|share| (share, vec![0.0; totals.len()]));
    let mut drawn = Vec::new();
    for images in shuffled_groups(dataset, pool, stream) {
        let counts = class_counts(dataset, &images);
        let [drawn_less, rest_less] = [0, 1].map(|side| {
            let (share, held): &(f64, Vec<f64>) = &sides[side];
            let more = |(class, count): &(usize, f64)| {
                ((held[*class] + count).powi(2) - held[*class].powi(2)) / totals[*class].powi(2)
            };
            counts.iter().map(more).sum::<f64>() / share
        });
        let held = &sides[0].1;
        let leaves_some = counts.iter().all(|(class, count)| held[*class] + count < totals[*class]);
        let side = usize::from(!(drawn_less < rest_less && leaves_some));
        counts.iter().for_each(|(class, count)| sides[side].1[*class] += count);
        if side == 0 {
            drawn.extend(images);
        }
    }
    if drawn.is_empty() {
        return Err(Error::EmptyPart(format!(
            "data.{key} = {part} of {} images in {} is no whole group that leaves images of each class to \
             train on; make it larger, or 0, or use smaller groups",
            pool.len(),
            dataset.origin
        )));
    }
    drawn.sort_unstable();
    Ok(drawn)
}

/// As [`one_fold`], of whole groups: each goes to the fold that has the least of its classes.
fn fold_of_groups(
    dataset: &Dataset,
    pool: &[u32],
    fold: Fold,
    stream: &mut Stream,
) -> Result<Vec<u32>, Error> {
    let groups = shuffled_groups(dataset, pool, stream);
    if groups.len() < fold.of {
        return Err(Error::EmptyPart(format!(
            "{} groups in {} cannot be split into {} folds; use fewer folds",
            groups.len(),
            dataset.origin,
            fold.of
        )));
    }
    let mut totals = vec![0.0; dataset.classes.len() + 1];
    class_counts(dataset, pool).into_iter().for_each(|(class, count)| totals[class] = count);
    let mut folds = vec![(vec![0.0; totals.len()], Vec::new()); fold.of];
    for images in groups {
        let counts = class_counts(dataset, &images);
        let more = |held: &[f64]| {
            let squares = counts.iter().map(|(class, count)| {
                ((held[*class] + count).powi(2) - held[*class].powi(2)) / totals[*class].powi(2)
            });
            squares.sum::<f64>()
        };
        let least = folds.iter_mut().min_by(|(one, images), (other, others)| {
            let sizes = images.len().cmp(&Vec::len(others));
            more(one).total_cmp(&more(other)).then(sizes)
        });
        if let Some((held, all)) = least {
            counts.iter().for_each(|(class, count)| held[*class] += count);
            all.extend(images);
        }
    }
    let mut validation = std::mem::take(&mut folds[fold.index].1);
    validation.sort_unstable();
    Ok(validation)
}

/// Every group stands on one side, whatever the source declares.
fn whole_groups(dataset: &Dataset, parts: [(&'static str, &Vec<u32>); 3]) -> Result<(), Error> {
    if dataset.groups.is_empty() {
        return Ok(());
    }
    let mut known: BTreeMap<u32, &'static str> = BTreeMap::new();
    let mut torn: BTreeMap<u32, [&'static str; 2]> = BTreeMap::new();
    for (part, images) in parts {
        for image in images {
            let group = dataset.groups[*image as usize];
            let first = *known.entry(group).or_insert(part);
            if first != part {
                torn.entry(group).or_insert([first, part]);
            }
        }
    }
    match torn.first_key_value() {
        None => Ok(()),
        Some((group, parts)) => Err(Error::TornGroup {
            origin: dataset.origin.clone(),
            group: dataset.group_names[*group as usize].clone(),
            more: torn.len() - 1,
            parts: *parts,
        }),
    }
}

/// The images of `pool` by their labels.
fn by_class(dataset: &Dataset, pool: &[u32]) -> Vec<Vec<u32>> {
    let mut classes = vec![Vec::new(); dataset.classes.len()];
    for image in pool {
        for label in dataset.labels_of(*image) {
            classes[*label as usize].push(*image);
        }
    }
    classes
}

/// The images of `pool` that are not among `taken`; both ascend.
fn without(pool: &[u32], taken: &[u32]) -> Vec<u32> {
    pool.iter().filter(|image| taken.binary_search(image).is_err()).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::data::{
        BoxPlan, Bundled, Columns, Fit, Group, Image, MOST_PIXELS, Normalise, OnBadImage, Sampling,
        Source,
    };
    use proptest::prelude::*;

    fn plan(test: TestSet, validation: f64, fold: Option<Fold>) -> DataPlan {
        DataPlan {
            source: Source::Bundled(Bundled::Digits),
            test,
            validation,
            fold,
            task: Default::default(),
            class_attributes: Default::default(),
            classes: Vec::new(),
            subset: Subset::All,
            image: Image { size: [1, 1], channels: 1 },
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

    /// `counts[c]` undeclared images of class c, interleaved.
    fn undeclared(counts: &[usize]) -> Dataset {
        let most = counts.iter().max().copied().unwrap_or(0);
        let labels: Vec<u32> = (0..most)
            .flat_map(|i| (0..counts.len()).filter(move |c| i < counts[*c]).map(|c| c as u32))
            .collect();
        Dataset::of_labels(&labels, &vec![Part::Undeclared; labels.len()])
    }

    fn of_class(dataset: &Dataset, images: &[u32], class: u32) -> usize {
        images.iter().filter(|image| dataset.label(**image) == class).count()
    }

    #[test]
    fn a_part_is_drawn_by_class_and_its_total_is_right() {
        let dataset = undeclared(&[15, 15, 15, 5]);
        let split = split(&dataset, &plan(TestSet::Declared, 0.1, None), 1).unwrap();
        // 1.5 + 1.5 + 1.5 + 0.5: every class rounded down, then the remainders, first class first.
        let counts: Vec<usize> =
            (0..4).map(|class| of_class(&dataset, &split.validation, class)).collect();
        assert_eq!(counts, [2, 2, 1, 0]);
        assert_eq!(split.train.len(), 45);
    }

    #[test]
    fn the_test_part_is_the_same_for_all_seeds_and_validation_is_not() {
        let dataset = undeclared(&[40, 60]);
        let at = |seed| split(&dataset, &plan(TestSet::Part(0.2), 0.25, None), seed).unwrap();
        assert_eq!(at(1), at(1));
        assert_eq!(at(1).test, at(2).test);
        assert_ne!(at(1).validation, at(2).validation);
        assert_eq!((at(1).test.len(), at(1).validation.len(), at(1).train.len()), (20, 20, 60));
    }

    #[test]
    fn declared_parts_are_honoured_and_beat_the_validation_fraction() {
        use Part::{Test, Train, Undeclared, Validation};
        let dataset = Dataset::of_labels(
            &[0, 1, 0, 1, 0, 1],
            &[Train, Undeclared, Validation, Test, Train, Train],
        );
        let split = split(&dataset, &plan(TestSet::Declared, 0.9, None), 1).unwrap();
        assert_eq!(split, Split { train: vec![0, 1, 4, 5], validation: vec![2], test: vec![3] });
    }

    #[test]
    fn a_drawn_test_part_leaves_declared_validation_alone() {
        use Part::{Train, Validation};
        let dataset = Dataset::of_labels(
            &[0, 1, 0, 1, 0, 1],
            &[Train, Train, Validation, Validation, Train, Train],
        );
        let split = split(&dataset, &plan(TestSet::Part(0.5), 0.0, None), 1).unwrap();
        assert_eq!(split.validation, [2, 3]);
        assert_eq!((split.train.len(), split.test.len()), (2, 2));
    }

    #[test]
    fn a_smaller_subset_lies_within_a_larger_one_and_leaves_validation_and_test_alone() {
        let dataset = undeclared(&[40, 60]);
        let with = |subset| DataPlan { subset, ..plan(TestSet::Part(0.2), 0.25, None) };
        let whole = split(&dataset, &with(Subset::All), 1).unwrap();
        let mut smaller: Vec<u32> = Vec::new();
        for subset in [Subset::PerClass(3), Subset::PerClass(10), Subset::Fraction(0.9)] {
            let part = split(&dataset, &with(subset), 1).unwrap();
            assert_eq!((&part.validation, &part.test), (&whole.validation, &whole.test));
            assert!(smaller.iter().all(|image| part.train.contains(image)));
            assert!(part.train.iter().all(|image| whole.train.contains(image)));
            if let Subset::PerClass(count) = subset {
                assert_eq!([0, 1].map(|class| of_class(&dataset, &part.train, class)), [count; 2]);
            }
            smaller = part.train;
        }
        assert_eq!(smaller.len(), 54);
        let other = split(&dataset, &with(Subset::PerClass(3)), 2).unwrap();
        assert_ne!(other.train, split(&dataset, &with(Subset::PerClass(3)), 1).unwrap().train);
        let error = split(&dataset, &with(Subset::PerClass(30)), 1).unwrap_err().to_string();
        assert!(error.contains("asks for 30 images of each class"), "{error}");
    }

    #[test]
    fn every_class_keeps_an_image_to_train_on() {
        let dataset = undeclared(&[1, 2, 30]);
        let split = split(&dataset, &plan(TestSet::Declared, 0.9, None), 1).unwrap();
        for class in 0..3 {
            assert!(of_class(&dataset, &split.train, class) >= 1, "class {class}");
        }
        assert_eq!(split.validation.len(), 30);
    }

    #[test]
    fn a_part_of_less_than_one_image_is_an_error() {
        let error =
            split(&undeclared(&[2, 2]), &plan(TestSet::Declared, 0.1, None), 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "data.validation = 0.1 of 4 images in a test is not one image; make it larger, or 0"
        );
    }

    #[test]
    fn nothing_left_to_train_on_is_an_error() {
        let dataset = Dataset::of_labels(&[0, 1, 1], &[Part::Validation, Part::Test, Part::Test]);
        let error = split(&dataset, &plan(TestSet::Declared, 0.0, None), 1).unwrap_err();
        assert!(error.to_string().ends_with("none are left to train on"), "{error}");
        let fold = Some(Fold { index: 0, of: 4 });
        let error = split(&undeclared(&[1, 2]), &plan(TestSet::Declared, 0.0, fold), 1);
        assert!(error.unwrap_err().to_string().contains("use fewer folds"));
    }

    /// Images of class 0 and 1 in groups of up to five.
    fn grouped(groups: usize) -> Dataset {
        let (mut labels, mut of_group) = (Vec::new(), Vec::new());
        for group in 0..groups as u32 {
            for place in 0..1 + group % 5 {
                labels.push((group + place / 3) % 2);
                of_group.push(group);
            }
        }
        let mut dataset = Dataset::of_labels(&labels, &vec![Part::Undeclared; labels.len()]);
        dataset.groups = of_group;
        dataset.group_names = (0..groups).map(|group| format!("p{group}")).collect();
        dataset
    }

    /// `groups[g][c]` images of class c in group g.
    fn of_groups(groups: &[Vec<usize>]) -> Dataset {
        let (mut labels, mut of_group) = (Vec::new(), Vec::new());
        for (group, counts) in groups.iter().enumerate() {
            for (class, count) in counts.iter().enumerate() {
                labels.extend(vec![class as u32; *count]);
                of_group.extend(vec![group as u32; *count]);
            }
        }
        let mut dataset = Dataset::of_labels(&labels, &vec![Part::Undeclared; labels.len()]);
        dataset.groups = of_group;
        dataset.group_names = (0..groups.len()).map(|group| format!("p{group}")).collect();
        dataset
    }

    fn are_apart(dataset: &Dataset, one: &[u32], other: &[u32]) -> bool {
        let group = |image: &u32| dataset.groups[*image as usize];
        one.iter().all(|image| !other.iter().any(|it| group(it) == group(image)))
    }

    #[test]
    fn groups_are_never_torn_by_parts_and_folds() {
        let dataset = grouped(40);
        for seed in 0..20 {
            let plan = plan(TestSet::Part(0.2), 0.25, None);
            let Split { train, validation, test } = split(&dataset, &plan, seed).unwrap();
            assert!(are_apart(&dataset, &train, &validation) && are_apart(&dataset, &train, &test));
            assert!(are_apart(&dataset, &validation, &test));
            let all = dataset.len() as f64;
            assert!((test.len() as f64 / all - 0.2).abs() < 0.05, "{}", test.len());
            assert!((validation.len() as f64 / (0.8 * all) - 0.25).abs() < 0.07);
            for class in 0..2 {
                assert!(of_class(&dataset, &train, class) > of_class(&dataset, &test, class));
            }
        }
        let fold = |index| {
            let fold = Some(Fold { index, of: 4 });
            split(&dataset, &plan(TestSet::Declared, 0.0, fold), 3).unwrap()
        };
        let folds: Vec<Split> = (0..4).map(fold).collect();
        let mut all: Vec<u32> = folds.iter().flat_map(|fold| fold.validation.clone()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..dataset.len() as u32).collect::<Vec<_>>());
        for Split { train, validation, .. } in &folds {
            assert!(are_apart(&dataset, train, validation));
            assert!(validation.len().abs_diff(dataset.len() / 4) <= 5, "{}", validation.len());
        }
    }

    #[test]
    fn a_declared_split_that_tears_a_group_is_an_error() {
        let mut dataset = grouped(5);
        let last = dataset.len() - 1;
        dataset.parts[last] = Part::Test;
        let error = split(&dataset, &plan(TestSet::Declared, 0.0, None), 1).unwrap_err();
        assert!(error.to_string().contains("group `p4`"), "{error}");
        let fold = Some(Fold { index: 0, of: 6 });
        let error = split(&grouped(5), &plan(TestSet::Declared, 0.0, fold), 1).unwrap_err();
        assert!(error.to_string().contains("5 groups in a test cannot be split into 6"), "{error}");
    }

    proptest! {
        #[test]
        fn folds_deal_out_every_image_once_and_evenly(
            counts in prop::collection::vec(1_usize..20, 2..6),
            of in 2_usize..6,
            seed in 0_u64..100,
        ) {
            let dataset = undeclared(&counts);
            prop_assume!(dataset.len() > of);
            let folds: Vec<Split> = (0..of)
                .map(|index| {
                    let plan = plan(TestSet::Declared, 0.5, Some(Fold { index, of }));
                    split(&dataset, &plan, seed).unwrap()
                })
                .collect();
            let mut all: Vec<u32> = folds.iter().flat_map(|fold| fold.validation.clone()).collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..dataset.len() as u32).collect::<Vec<_>>());
            for class in 0..counts.len() as u32 {
                let sizes: Vec<usize> =
                    folds.iter().map(|f| of_class(&dataset, &f.validation, class)).collect();
                prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            }
            for fold in &folds {
                prop_assert_eq!(fold.train.len() + fold.validation.len(), dataset.len());
            }
        }

        #[test]
        fn groups_stay_on_one_side_and_folds_deal_out_every_image_once(
            // For each group, how many images of each of three classes it has.
            groups in prop::collection::vec(prop::collection::vec(0_usize..4, 3), 24..60),
            of in 2_usize..6,
            seed in 0_u64..100,
        ) {
            let dataset = of_groups(&groups);
            prop_assume!((0..3).all(|class| dataset.labels().iter().filter(|it| **it == class).count() >= 20));
            let all: Vec<u32> = (0..dataset.len() as u32).collect();
            let folds: Vec<Split> = (0..of)
                .map(|index| {
                    let plan = plan(TestSet::Part(0.2), 0.5, Some(Fold { index, of }));
                    split(&dataset, &plan, seed).unwrap()
                })
                .collect();
            let mut dealt: Vec<u32> = folds.iter().flat_map(|fold| fold.validation.clone()).collect();
            dealt.extend(&folds[0].test);
            dealt.sort_unstable();
            prop_assert_eq!(&dealt, &all);
            let share = |images: &[u32], class| of_class(&dataset, images, class) as f64;
            for Split { train, validation, test } in &folds {
                prop_assert_eq!(test, &folds[0].test);
                prop_assert!(are_apart(&dataset, train, validation));
                prop_assert!(are_apart(&dataset, train, test));
                prop_assert!(are_apart(&dataset, validation, test));
                for class in 0..3 {
                    let total = share(&all, class);
                    let rest = total - share(test, class);
                    // A group has three of a class at most, so nothing can be nearer than that for sure.
                    prop_assert!((share(test, class) - 0.2 * total).abs() <= 4.0, "test {} of {}", share(test, class), total);
                    let wanted = rest / of as f64;
                    prop_assert!((share(validation, class) - wanted).abs() <= 5.0, "fold {} of {}", share(validation, class), rest);
                }
            }
        }

        #[test]
        fn the_three_parts_are_disjoint_and_cover_everything(
            counts in prop::collection::vec(3_usize..40, 2..6),
            test in 0.2_f64..0.45,
            validation in 0.2_f64..0.45,
            seed in 0_u64..100,
        ) {
            let dataset = undeclared(&counts);
            let plan = plan(TestSet::Part(test), validation, None);
            let Split { train, validation, test: tested } = split(&dataset, &plan, seed).unwrap();
            prop_assert!([&train, &validation, &tested].iter().all(|part| part.is_sorted()));
            let mut all = [train, validation, tested.clone()].concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..dataset.len() as u32).collect::<Vec<_>>());
            prop_assert_eq!(tested.len(), (dataset.len() as f64 * test).round() as usize);
        }
    }
}

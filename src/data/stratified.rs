//! Images with several labels dealt out in parts that have as much of each label as they shall.

use crate::basis::seed::Stream;

/// Deals the images at `0..labels.len()` out to parts that shall have these `shares` of them, which add up to 1: the
/// part of each image.
///
/// Iterative stratification (Sechidis, Tsoumakas, Vlahavas, "On the stratification of multi-label data", ECML PKDD
/// 2011): the label that fewest of the images left have comes first, the first one of equals, and each of its images goes
/// to the part that still wants most of that label, of equals to the one that wants most images, and then to one that
/// `stream` draws. Images without a label are dealt out last, by the number of images alone. The order of images is
/// `stream`'s too.
pub(super) fn deal(
    labels: &[&[u32]],
    classes: usize,
    shares: &[f64],
    stream: &mut Stream,
) -> Vec<usize> {
    let mut order: Vec<usize> = (0..labels.len()).collect();
    stream.shuffle(&mut order);
    let mut counts = vec![0usize; classes];
    for label in labels.iter().copied().flatten() {
        counts[*label as usize] += 1;
    }
    let mut wanted: Vec<f64> = shares.iter().map(|share| share * labels.len() as f64).collect();
    let mut wanted_of: Vec<Vec<f64>> = shares
        .iter()
        .map(|share| counts.iter().map(|count| share * *count as f64).collect())
        .collect();
    let mut dealt: Vec<Option<usize>> = vec![None; labels.len()];
    loop {
        let rarest =
            (0..classes).filter(|class| counts[*class] > 0).min_by_key(|class| counts[*class]);
        let is_next = |image: &usize| {
            dealt[*image].is_none()
                && rarest.is_none_or(|class| labels[*image].contains(&(class as u32)))
        };
        let images: Vec<usize> = order.iter().copied().filter(is_next).collect();
        for image in images {
            let wants = |part: usize| {
                let of_label = rarest.map_or(0.0, |class| wanted_of[part][class]);
                (of_label, wanted[part])
            };
            let most = (0..shares.len())
                .map(wants)
                .fold((f64::MIN, f64::MIN), |most, other| if other > most { other } else { most });
            let equals: Vec<usize> =
                (0..shares.len()).filter(|part| wants(*part) == most).collect();
            let part = match equals[..] {
                [part] => part,
                _ => equals[stream.below(equals.len() as u64) as usize],
            };
            dealt[image] = Some(part);
            wanted[part] -= 1.0;
            for label in labels[image] {
                counts[*label as usize] -= 1;
                wanted_of[part][*label as usize] -= 1.0;
            }
        }
        if rarest.is_none() {
            return dealt.into_iter().map(Option::unwrap_or_default).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basis::seed::derive;
    use proptest::prelude::*;

    fn dealt(labels: &[Vec<u32>], shares: &[f64], seed: u64) -> Vec<usize> {
        let labels: Vec<&[u32]> = labels.iter().map(Vec::as_slice).collect();
        deal(&labels, 4, shares, &mut derive(seed, "a test", &[]))
    }

    #[test]
    fn each_part_has_its_share_of_every_label_and_of_images_without_one() {
        // Labels 0 to 3 have 100, 40, 20 and 10 of 200 images; 60 have none.
        let labels: Vec<Vec<u32>> = (0..200)
            .map(|image| {
                let has = |label: &u32| match label {
                    0 => image < 100,
                    1 => image % 5 == 0 && (40..140).contains(&image) || image < 20,
                    2 => (80..100).contains(&image),
                    _ => (95..105).contains(&image),
                };
                (0..4).filter(has).collect()
            })
            .collect();
        let parts = dealt(&labels, &[0.2, 0.8], 1);
        let of = |label: Option<u32>| {
            let has = |own: &Vec<u32>| label.map_or(own.is_empty(), |label| own.contains(&label));
            let all = labels.iter().filter(|own| has(own)).count();
            let first = labels.iter().zip(&parts).filter(|(own, part)| has(own) && **part == 0);
            (first.count(), all)
        };
        for label in [Some(0), Some(1), Some(2), Some(3), None] {
            let (first, all) = of(label);
            assert!((first as f64 - 0.2 * all as f64).abs() <= 2.0, "{label:?}: {first} of {all}");
        }
        assert_eq!(parts.iter().filter(|part| **part == 0).count(), 40);
        assert_ne!(parts, dealt(&labels, &[0.2, 0.8], 2));
        assert_eq!(parts, dealt(&labels, &[0.2, 0.8], 1));
    }

    proptest! {
        #[test]
        fn every_image_is_in_one_part_and_a_single_label_is_dealt_evenly(
            labels in proptest::collection::vec(0u32..4, 1..80),
            parts in 2usize..5,
        ) {
            let sets: Vec<Vec<u32>> = labels.iter().map(|label| vec![*label]).collect();
            let shares = vec![1.0 / parts as f64; parts];
            let found = dealt(&sets, &shares, 3);
            prop_assert!(found.iter().all(|part| *part < parts));
            for label in 0..4 {
                let of = |part: usize| {
                    labels.iter().zip(&found).filter(|(own, it)| **own == label && **it == part).count()
                };
                let counts: Vec<usize> = (0..parts).map(of).collect();
                let [least, most] = [counts.iter().min(), counts.iter().max()].map(|it| *it.unwrap());
                prop_assert!(most - least <= 1, "{:?}", counts);
            }
        }
    }
}

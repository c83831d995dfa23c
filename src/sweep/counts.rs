//! How many images a trial looks at, as far as that is known without decoding any.

use crate::data;
use crate::plan::data::{DataPlan, Subset, TestSet};

/// Images by their use. All is exact where images are not grouped, none is left out for its pixels, and a
/// subset is no fraction, as long as no class is so small that it keeps its last image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Learnt from, in each epoch.
    pub train: usize,
    /// Chosen by, at the end of each epoch.
    pub validation: usize,
    /// Looked at once.
    pub test: usize,
}

impl Counts {
    /// What `plan` comes to; nothing, if the source cannot be surveyed.
    pub fn of(plan: &DataPlan, images: &data::Cache) -> Counts {
        let Ok(facts) = images.survey(plan) else { return Counts::default() };
        let part = |part: f64, of: usize| {
            let spare = of.saturating_sub(facts.classes.len());
            ((part * of as f64).round() as usize).min(spare)
        };
        let test = match plan.test {
            TestSet::Part(size) if size > 0.0 => {
                part(size, facts.images.saturating_sub(facts.declared_validation))
            }
            _ => facts.declared_test,
        };
        let rest = facts.images.saturating_sub(test);
        let validation = match (plan.fold, facts.declared_validation) {
            // Cards that are dealt out: the first folds may have one more.
            (Some(fold), _) => (rest + fold.of - 1 - fold.index) / fold.of,
            (None, 0) => part(plan.validation, rest),
            (None, declared) => declared,
        };
        let train = rest.saturating_sub(validation);
        let train = match plan.subset {
            Subset::All => train,
            Subset::PerClass(count) => train.min(count * facts.classes.len()),
            Subset::Fraction(part) => (part * train as f64) as usize,
        };
        Counts { train, validation, test }
    }

    /// All of them.
    pub fn all(self) -> usize {
        self.train + self.validation + self.test
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layering::preset;
    use crate::plan::prune::Nothing;
    use crate::plan::sweep::expand;
    use crate::sweep::survey::Files;

    fn counts(sets: &[&str]) -> Counts {
        let given = ["name=x", "data.source=digits", "data.test=0.2"];
        let sets: Vec<String> = given.iter().chain(sets).map(|set| (*set).to_owned()).collect();
        let images = data::Cache::new(1);
        let survey = Files::new(&images, std::path::Path::new("results"));
        let root = preset("plain", &sets).unwrap();
        let experiment = expand(&root, &survey, &Nothing).unwrap();
        Counts::of(&experiment.trials[0].plan.data, &images)
    }

    #[test]
    fn a_subset_leaves_validation_and_test_images_as_they_are() {
        let whole = counts(&[]);
        assert_eq!(whole, Counts { train: 1294, validation: 144, test: 359 });
        assert_eq!(whole.all(), 1797);
        assert_eq!(counts(&["data.subset={per-class=5}"]), Counts { train: 50, ..whole });
        assert_eq!(counts(&["data.subset={fraction=0.1}"]), Counts { train: 129, ..whole });
        let folded = counts(&["sweep.folds=5"]);
        assert_eq!((folded.validation, folded.train), (288, 1150));
    }
}

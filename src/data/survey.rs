//! Counts classes and images without decoding a single one.

use super::dataset::Part;
use super::error::Error;
use super::group::apart;
use super::listing::relabel;
use super::source::{count, in_words, list_classes};
use crate::plan::data::{DataFacts, DataPlan, TestSet};

/// Classes and counts of the data that `plan` names: a folder is listed, a table is read, of IDX
/// files the labels and headers. What is wrong with single images shows only in loading.
pub fn survey(plan: &DataPlan) -> Result<DataFacts, Error> {
    let main = count(plan)?;
    check_test(plan, main.test)?;
    let mut left_out = main.left_out;
    let (mut images, mut declared_test) = (main.images, main.test);
    if let TestSet::Source(source) = &plan.test {
        let origin = in_words(&plan.source);
        let mut test = list_classes(source, plan)?;
        left_out.extend(test.check_files(plan.on_bad_image)?);
        relabel((&origin, &main.classes), (&test.origin, &test.classes))?;
        declared_test = test.picks(|part| part == Part::Test).len();
        if declared_test == 0 {
            declared_test = test.picks(|_| true).len();
        }
        if !plan.group.is_none() {
            let main = list_classes(&plan.source, plan)?;
            let taught = main.picks(|part| part != Part::Test);
            let has_part = test.parts.contains(&Part::Test);
            let tested = test.picks(|part| !has_part || part == Part::Test);
            let training = taught.iter().map(|pick| &main.groups[*pick]);
            apart(&test.origin, training, tested.iter().map(|pick| &test.groups[*pick]))?;
        }
        images = main.images - main.test + declared_test;
    } else if plan.test == TestSet::Part(0.0) {
        (images, declared_test) = (main.images - main.test, 0);
    }
    Ok(DataFacts {
        classes: main.classes,
        images,
        declared_test,
        declared_validation: main.validation,
        counts: main.of_classes,
        left_out,
    })
}

/// A test set has one origin only: `source_test` images that the source itself declares leave no
/// room for a part drawn from the others, and no image is both trained on and tested on.
pub(super) fn check_test(plan: &DataPlan, source_test: usize) -> Result<(), Error> {
    let origin = in_words(&plan.source);
    match &plan.test {
        TestSet::Part(part) if *part > 0.0 && source_test > 0 => Err(Error::TestTwice {
            problem: format!(
                "{origin} declares {source_test} test images; test on these with test = \"declared\" instead of drawing a part of {part}"
            ),
        }),
        TestSet::Source(test) if *test == plan.source && source_test == 0 => {
            Err(Error::TestTwice {
                problem: format!(
                    "{origin} is the source and the test set, and declares no test part; draw one, such as test = 0.1"
                ),
            })
        }
        _ => Ok(()),
    }
}

//! Labels that follow from the class of an image: its attributes.

use std::collections::BTreeMap;

use super::error::Error;
use super::labels::Labels;
use super::listing::{Listing, OUTSIDE};

/// Gives each image of `listing`, which has one class, the labels that `attributes` names its class for: the names of
/// attributes become the classes, in their order. `all` says whether every class that is named has to be there.
///
/// # Errors
/// If a class is named that there is not.
pub(super) fn attribute(
    listing: &mut Listing,
    attributes: &BTreeMap<String, Vec<String>>,
    all: bool,
) -> Result<(), Error> {
    let place = |class: &String| listing.classes.iter().position(|other| other == class);
    let named = attributes.values().flatten();
    let mut unknown: Vec<String> = named.filter(|class| place(class).is_none()).cloned().collect();
    unknown.dedup();
    if all && !unknown.is_empty() {
        let (origin, classes) = (listing.origin.clone(), listing.classes.clone());
        return Err(Error::NoSuchClasses { origin, unknown, classes });
    }
    let mut of_class: Vec<Vec<u32>> = vec![Vec::new(); listing.classes.len()];
    for (label, classes) in (0..).zip(attributes.values()) {
        for class in classes.iter().filter_map(place) {
            if of_class[class].last() != Some(&label) {
                of_class[class].push(label);
            }
        }
    }
    let labels = listing.labels.iter().map(|own| match own {
        [OUTSIDE] => vec![OUTSIDE],
        own => own.iter().flat_map(|class| &of_class[*class as usize]).copied().collect(),
    });
    listing.labels = Labels::Several(labels.collect());
    listing.classes = attributes.keys().cloned().collect();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::bundled;
    use crate::plan::data::Bundled;

    fn attributes(written: &[(&str, &[&str])]) -> BTreeMap<String, Vec<String>> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        written.iter().map(|(name, classes)| ((*name).to_owned(), owned(classes))).collect()
    }

    #[test]
    fn an_image_has_the_attributes_of_its_class_and_may_have_none() {
        let mut listing = bundled::list(Bundled::Digits).unwrap();
        let classes: Vec<u32> = listing.labels.iter().map(|own| own[0]).collect();
        let written = attributes(&[("prime", &["2", "3", "5", "7"]), ("even", &["0", "2", "2"])]);
        attribute(&mut listing, &written, true).unwrap();
        assert_eq!(listing.classes, ["even", "prime"]);
        for (class, labels) in classes.iter().zip(listing.labels.iter()) {
            let expected: &[u32] = match class {
                2 => &[0, 1],
                0 => &[0],
                3 | 5 | 7 => &[1],
                _ => &[],
            };
            assert_eq!(labels, expected, "{class}");
        }
    }

    #[test]
    fn a_class_that_is_not_there_is_told_unless_a_test_set_may_lack_it() {
        let written = attributes(&[("even", &["0", "zero"])]);
        let mut listing = bundled::list(Bundled::Digits).unwrap();
        let said = attribute(&mut listing, &written, true).unwrap_err().to_string();
        assert!(said.starts_with("digits has no class `zero`; its classes are `0`"), "{said}");
        attribute(&mut listing, &written, false).unwrap();
    }
}

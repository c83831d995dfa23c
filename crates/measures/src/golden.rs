//! Every measure against numpy, scipy and scikit-learn; `tests/goldens/transfer_measures.py` has made
//! the numbers.

use faer::Mat;
use safetensors::SafeTensors;

use super::labelled::LabelledFeatures;
use super::linear_probe::{cross_validate, fit, objective};
use super::{h_score, leep, logme, nearest_centroid};

const CASES: [&str; 4] = ["tall", "wide", "gaps", "many"];

struct Golden(Vec<u8>);

impl Golden {
    fn load() -> Golden {
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../tests/goldens/transfer_measures.safetensors"
        );
        Golden(std::fs::read(path).unwrap())
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        SafeTensors::deserialize(&self.0).unwrap().tensor(name).unwrap().data().to_vec()
    }

    fn floats(&self, name: &str) -> Vec<f32> {
        let bytes = self.bytes(name);
        bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
    }

    fn doubles(&self, name: &str) -> Vec<f64> {
        let bytes = self.bytes(name);
        bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    }

    fn wholes(&self, name: &str) -> Vec<u32> {
        let bytes = self.bytes(name);
        bytes.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
    }

    fn right(&self, name: &str) -> Vec<bool> {
        self.bytes(name).iter().map(|byte| *byte == 1).collect()
    }
}

fn for_each_case(check: impl Fn(&Golden, &str, &LabelledFeatures)) {
    let golden = Golden::load();
    for case in CASES {
        let values = golden.floats(&format!("{case}.values"));
        let labels = golden.wholes(&format!("{case}.labels"));
        let classes = *labels.iter().max().unwrap() as usize + 1;
        check(&golden, case, &LabelledFeatures::new(&values, &labels, classes).unwrap());
    }
}

fn close(found: f64, expected: f64, what: &str) {
    assert!(
        (found - expected).abs() < 1e-7 * expected.abs().max(1.0),
        "{what}: {found} {expected}"
    );
}

#[test]
fn logme_is_the_largest_log_density_of_the_labels() {
    for_each_case(|golden, case, features| {
        close(logme(features).unwrap(), golden.doubles(&format!("{case}.logme"))[0], case);
    });
}

#[test]
fn the_h_score_is_that_of_pseudo_inverses_and_its_shrinkage_that_of_scikit_learn() {
    for_each_case(|golden, case, features| {
        let expected = golden.doubles(&format!("{case}.h_score"));
        let found = h_score(features).unwrap();
        close(found.plain, expected[0], case);
        close(found.shrunk, expected[1], case);
        close(found.shrinkage, expected[2], case);
    });
}

#[test]
fn leep_is_what_counting_gives() {
    for_each_case(|golden, case, features| {
        let probabilities = golden.floats(&format!("{case}.probabilities"));
        let features =
            LabelledFeatures::new(&probabilities, features.labels(), features.classes()).unwrap();
        close(leep(&features).unwrap(), golden.doubles(&format!("{case}.leep"))[0], case);
    });
}

#[test]
fn the_nearest_centroid_is_right_on_the_same_images_as_one_that_leaves_each_out() {
    for_each_case(|golden, case, features| {
        let expected = golden.right(&format!("{case}.nearest_centroid"));
        assert_eq!(nearest_centroid(features).right(), expected, "{case}");
    });
}

#[test]
fn the_linear_probe_is_right_on_the_same_images_as_scikit_learn() {
    for_each_case(|golden, case, features| {
        let fold = golden.wholes(&format!("{case}.fold"));
        let fold: Vec<usize> = fold.into_iter().map(|fold| fold as usize).collect();
        let expected = golden.right(&format!("{case}.linear"));
        assert_eq!(cross_validate(features, &fold).unwrap().right(), expected, "{case}");
    });
}

#[test]
fn the_solver_reaches_scikit_learns_loss() {
    for_each_case(|golden, case, features| {
        let table = features.standardised();
        let (images, width) = (features.images(), features.width());
        let design =
            Mat::from_fn(images, width + 1, |i, j| if j < width { table.at(i, j) } else { 1.0 });
        let weights = fit(design.as_ref(), features.labels(), features.classes(), 1.0);
        let loss = objective(design.as_ref(), weights.as_ref(), features.labels());
        close(loss, golden.doubles(&format!("{case}.linear_loss"))[0], case);
    });
}

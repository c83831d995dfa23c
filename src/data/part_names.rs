//! What the usual names of parts mean, as folders and columns of tables have them.

use super::dataset::Part;

/// The names of one source.
pub(super) struct PartNames {
    /// What `eval` means: the set to test on where another one is there to choose by, else that.
    evaluation: Part,
}

impl PartNames {
    /// What `names`, all of one source, mean.
    pub(super) fn among<'a>(names: impl IntoIterator<Item = &'a str>) -> PartNames {
        let parts: Vec<Part> = names.into_iter().filter_map(unambiguous).collect();
        let tests = parts.contains(&Part::Validation) && !parts.contains(&Part::Test);
        PartNames { evaluation: if tests { Part::Test } else { Part::Validation } }
    }

    /// The part called `name`, in letters of any case.
    pub(super) fn part(&self, name: &str) -> Option<Part> {
        let is_evaluation = ["eval", "evaluation"].contains(&name.to_lowercase().as_str());
        if is_evaluation { Some(self.evaluation) } else { unambiguous(name) }
    }
}

fn unambiguous(name: &str) -> Option<Part> {
    match name.to_lowercase().as_str() {
        "train" | "training" | "trainset" | "train_set" | "train-set" => Some(Part::Train),
        "val" | "valid" | "validation" | "dev" | "development" | "valset" | "val_set"
        | "val-set" => Some(Part::Validation),
        "test" | "testing" | "testset" | "test_set" | "test-set" | "holdout" => Some(Part::Test),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eval_is_chosen_by_unless_something_else_is() {
        let of = |names: &[&str]| {
            let parts = PartNames::among(names.iter().copied());
            names.iter().map(|name| parts.part(name)).collect::<Vec<_>>()
        };
        let [train, validation, test] = [Part::Train, Part::Validation, Part::Test].map(Some);
        assert_eq!(of(&["train", "dev"]), [train, validation]);
        assert_eq!(of(&["Train", "Eval"]), [train, validation]);
        assert_eq!(of(&["train", "dev", "eval"]), [train, validation, test]);
        assert_eq!(of(&["train", "eval", "test"]), [train, validation, test]);
        assert_eq!(of(&["training", "valid", "holdout", "extra"]), [train, validation, test, None]);
    }
}

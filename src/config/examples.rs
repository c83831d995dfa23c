//! The files of `experiments/`, built into the program. `wick examples` prints them for users without the sources.

macro_rules! examples {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../experiments/", $name, ".toml")))),*]
    };
}

/// Name and text of every example: the first one to try comes first, the others by what they are about.
pub const EXAMPLES: [(&str, &str); 21] = examples![
    "quickstart",
    "plain-cnn",
    "dropout-x-batchnorm",
    "optimizers",
    "augmentation",
    "small-data",
    "multi-label",
    "larger-than-memory",
    "architectures",
    "vgg-by-hand",
    "residual-or-plain",
    "modern",
    "recipes",
    "fashion-mnist",
    "when-to-drop",
    "pruning",
    "search",
    "pretrain-fashion",
    "unfreeze",
    "transfer-four-cases",
    "transfer-squeezenet-clipart",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::EXAMPLES;

    #[test]
    fn every_file_of_the_folder_is_built_in() {
        let files: BTreeSet<String> = fs::read_dir("experiments")
            .unwrap()
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        let built_in: BTreeSet<String> =
            EXAMPLES.iter().map(|(name, _)| format!("{name}.toml")).collect();
        assert_eq!(built_in, files);
    }
}

//! Names that a user says belong together.

/// One line of a table of renames: what a tensor is called in the file, and which parameter it is.
///
/// A `*` stands for any part of the name, dots included, and for the same part in the other name:
/// `backbone.*` to `*` takes a prefix away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    from: String,
    to: String,
}

/// A rename that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rename of `{from}` to `{to}` {problem}")]
pub struct RenameError {
    from: String,
    to: String,
    problem: &'static str,
}

impl Rename {
    /// From a name in the file to one in the network, each with at most one `*`.
    pub fn new(from: impl Into<String>, to: impl Into<String>) -> Result<Rename, RenameError> {
        let (from, to) = (from.into(), to.into());
        let stars = |name: &str| name.matches('*').count();
        let problem = if from.is_empty() || to.is_empty() {
            "has an empty name; name a tensor of the file and a parameter of the network"
        } else if stars(&from) > 1 || stars(&to) > 1 {
            "has more than one `*` in a name; write a rename for each part"
        } else if stars(&to) > stars(&from) {
            "has a `*` in the second name only, where nothing says what it stands for"
        } else if stars(&from) > stars(&to) {
            "has a `*` in the first name only, which would give many tensors one name"
        } else {
            return Ok(Rename { from, to });
        };
        Err(RenameError { from, to, problem })
    }

    /// What a tensor is called in the file.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// Which parameter it is.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// The parameter that the tensor `name` is, if this rename speaks of it.
    pub(super) fn apply(&self, name: &str) -> Option<String> {
        let Some((before, after)) = self.from.split_once('*') else {
            return (self.from == name).then(|| self.to.clone());
        };
        let part = name.strip_prefix(before)?.strip_suffix(after)?;
        Some(self.to.replacen('*', part, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_carries_its_part_over() {
        let apply = |from, to, name| Rename::new(from, to).unwrap().apply(name);
        assert_eq!(apply("backbone.*", "*", "backbone.conv.weight").unwrap(), "conv.weight");
        assert_eq!(apply("head.*", "fc.*", "head.bias").unwrap(), "fc.bias");
        assert_eq!(apply("a.*.w", "b.*.weight", "a.1.2.w").unwrap(), "b.1.2.weight");
        assert_eq!(apply("head.*", "fc.*", "heads.bias"), None);
        assert_eq!(apply("head.weight", "fc.weight", "head.weight").unwrap(), "fc.weight");
        assert_eq!(apply("head.weight", "fc.weight", "head.weight2"), None);
        // The text before and after may not share letters.
        assert_eq!(apply("aba*ba", "x*", "aba"), None);
    }

    #[test]
    fn a_rename_that_says_too_little_is_refused() {
        for (from, to) in [("", "a"), ("a", ""), ("*.*", "*"), ("a", "*"), ("a.*", "b")] {
            let error = Rename::new(from, to).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("the rename of `{from}` to `{to}` has ")),
                "{error}"
            );
        }
    }
}

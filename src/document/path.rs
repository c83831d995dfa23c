//! Paths to settings: `model.layers[3].kernel`.

use std::fmt;

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A key of a table.
    Key(String),
    /// A place in a list, from 0.
    Index(usize),
}

/// A path from the root of the experiment to a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPath(Vec<Segment>);

impl KeyPath {
    /// The experiment itself.
    pub fn root() -> KeyPath {
        KeyPath::default()
    }

    /// The path of `key` below this one.
    pub fn key(&self, key: &str) -> KeyPath {
        self.with(Segment::Key(key.to_owned()))
    }

    /// The path of element `index` below this one.
    pub fn index(&self, index: usize) -> KeyPath {
        self.with(Segment::Index(index))
    }

    fn with(&self, segment: Segment) -> KeyPath {
        let mut segments = self.0.clone();
        segments.push(segment);
        KeyPath(segments)
    }

    /// The steps in order.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The last step and the path above it.
    pub fn split_last(&self) -> Option<(&Segment, KeyPath)> {
        self.0.split_last().map(|(last, above)| (last, KeyPath(above.to_vec())))
    }

    /// The parts of a path as a user writes it: dots between keys, `[3]` or `3` for elements,
    /// quotes around keys with dots.
    pub fn split(dotted: &str) -> Vec<String> {
        let mut parts = vec![String::new()];
        let mut quote = None;
        for c in dotted.chars() {
            let last = parts.len() - 1;
            match (c, quote) {
                (c, Some(open)) if c == open => quote = None,
                ('"' | '\'', None) => quote = Some(c),
                ('.' | '[', None) => parts.push(String::new()),
                (']', None) => {}
                (c, _) => parts[last].push(c),
            }
        }
        parts
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        for (depth, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    let dot = if depth > 0 { "." } else { "" };
                    if key.contains('.') {
                        write!(f, "{dot}\"{key}\"")?
                    } else {
                        write!(f, "{dot}{key}")?
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_reads_as_it_is_written() {
        let path = KeyPath::root().key("model").key("layers").index(3).key("kernel");
        assert_eq!(path.to_string(), "model.layers[3].kernel");
        assert_eq!(KeyPath::split(&path.to_string()), ["model", "layers", "3", "kernel"]);
        assert_eq!(KeyPath::split("sweep.grid.\"a.b\""), ["sweep", "grid", "a.b"]);
        assert_eq!(KeyPath::split("model..x"), ["model", "", "x"]);
    }
}

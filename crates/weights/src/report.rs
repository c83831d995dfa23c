//! What came of matching a file's tensors with a network's parameters.

use std::fmt;

use super::error::{did_you_mean, shape_text, shown};
use super::rename::Rename;

/// A parameter and the tensor that it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The network's name.
    pub parameter: String,
    /// The file's name.
    pub entry: String,
    /// The parameter's shape; the tensor has the same numbers in the same order.
    pub shape: Vec<usize>,
}

/// A parameter that no tensor is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The network's name.
    pub parameter: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// A tensor left over that may be meant.
    pub nearest: Option<String>,
}

/// A parameter and a tensor of another shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongShape {
    /// The network's name.
    pub parameter: String,
    /// The file's name.
    pub entry: String,
    /// The parameter's shape.
    pub expected: Vec<usize>,
    /// The tensor's shape.
    pub found: Vec<usize>,
}

/// A parameter that more than one tensor would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The network's name.
    pub parameter: String,
    /// The file's names.
    pub entries: Vec<String>,
}

/// A prefix that would find missing parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// With its dot.
    pub prefix: String,
    /// How many it would find.
    pub count: usize,
}

/// Who got what. Whether something may be missing or left over is for the caller to say;
/// [`strict`](Report::strict) is the answer that allows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// How many parameters were looked for.
    pub expected: usize,
    /// Parameters found, by name.
    pub matched: Vec<Match>,
    /// Filters of gray images found as those of colour images: `shape` is the parameter's, and the tensor
    /// has three channels in place of its one.
    pub summed: Vec<Match>,
    /// Parameters not found.
    pub missing: Vec<Missing>,
    /// Parameters found with another shape.
    pub wrong_shape: Vec<WrongShape>,
    /// Parameters found more than once.
    pub clashes: Vec<Clash>,
    /// Tensors that are no parameter.
    pub unexpected: Vec<String>,
    /// Tensors that no network needs once it is trained.
    pub ignored: Vec<String>,
    /// Renames that no tensor has the name of.
    pub unused: Vec<Rename>,
    /// A rename that would help.
    pub prefix: Option<Prefix>,
    /// Whose names were understood, if not torchvision's.
    pub layout: Option<&'static str>,
    /// Where the file keeps these tensors, if it holds several sets of them, and where the others.
    pub state_dict: Option<(String, Vec<String>)>,
}

/// A file that does not fit a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Mismatch(pub Box<Report>);

/// How many names a list shows before it only counts.
const LISTED: usize = 10;

impl Report {
    /// Whether every parameter was found with its shape, whatever else the file holds.
    pub fn complete(&self) -> bool {
        self.matched.len() + self.summed.len() == self.expected
    }

    /// Takes the filters of colour images for those of gray ones, summed over red, green and blue, in
    /// layers that look at the image, as `is_first` says by the parameter's name. A gray image has the same
    /// number in all three.
    pub fn sum_colours(&mut self, is_first: impl Fn(&str) -> bool) {
        let are_coloured = |wrong: &WrongShape| match (&wrong.expected[..], &wrong.found[..]) {
            ([filters, 1, height, width], [of_file, 3, rows, columns]) => {
                (filters, height, width) == (of_file, rows, columns) && is_first(&wrong.parameter)
            }
            _ => false,
        };
        let wrong = std::mem::take(&mut self.wrong_shape).into_iter();
        let (summed, wrong): (Vec<WrongShape>, Vec<WrongShape>) = wrong.partition(are_coloured);
        self.wrong_shape = wrong;
        self.summed = summed
            .into_iter()
            .map(|WrongShape { parameter, entry, expected, .. }| Match {
                parameter,
                entry,
                shape: expected,
            })
            .collect();
    }

    /// What was decided about a file that could be taken otherwise, in sentences.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some((taken, others)) = &self.state_dict {
            notes.push(format!(
                "the tensors under `{}` are used, not {}",
                shown(taken),
                names(others)
            ));
        }
        let summed: Vec<String> = self.summed.iter().map(|found| found.parameter.clone()).collect();
        if !summed.is_empty() {
            notes.push(format!(
                "{}: filters for colours are summed for gray images",
                names(&summed)
            ));
        }
        notes
    }

    /// The parameters for which the file has nothing that fits.
    pub fn absent(&self) -> Vec<String> {
        let missing = self.missing.iter().map(|missing| &missing.parameter);
        let wrong = self.wrong_shape.iter().map(|wrong| &wrong.parameter);
        let clashes = self.clashes.iter().map(|clash| &clash.parameter);
        missing.chain(wrong).chain(clashes).cloned().collect()
    }

    /// The report if every parameter was found and every tensor and rename used, bookkeeping apart.
    pub fn strict(self) -> Result<Report, Mismatch> {
        match self.complete() && self.unexpected.is_empty() && self.unused.is_empty() {
            true => Ok(self),
            false => Err(Mismatch(Box::new(self))),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match (self.complete(), self.expected) {
            (true, all) => write!(f, "all {all} parameters of the network are in the file")?,
            (false, all) => {
                write!(
                    f,
                    "{} of {all} parameters of the network are in the file",
                    self.matched.len() + self.summed.len()
                )?;
            }
        }
        if let Some(layout) = self.layout {
            write!(f, ", under {layout} names")?;
        }
        list(f, "not in the file", &self.missing, |missing| {
            format!(
                "`{}` ({}){}",
                shown(&missing.parameter),
                shape_text(&missing.shape),
                did_you_mean(missing.nearest.as_deref().map(shown).as_deref())
            )
        })?;
        list(f, "of another shape", &self.wrong_shape, |wrong| {
            let file = match wrong.entry == wrong.parameter {
                true => String::new(),
                false => format!(" as `{}`", shown(&wrong.entry)),
            };
            format!(
                "`{}` is {} in the network and {} in the file{file}",
                shown(&wrong.parameter),
                shape_text(&wrong.expected),
                shape_text(&wrong.found)
            )
        })?;
        list(f, "in the file more than once", &self.clashes, |clash| {
            format!("`{}` would be {}", shown(&clash.parameter), names(&clash.entries))
        })?;
        list(f, "in the file only", &self.unexpected, |name| format!("`{}`", shown(name)))?;
        list(f, "renames without a tensor in the file", &self.unused, |rename| {
            format!("`{}` to `{}`", shown(rename.from()), shown(rename.to()))
        })?;
        if let Some(Prefix { prefix, count }) = &self.prefix {
            let prefix = shown(prefix);
            write!(
                f,
                "\n({count} of the missing are in the file under `{prefix}`: rename `{prefix}*` to `*`)"
            )?;
        }
        Ok(())
    }
}

/// `a`, `b` and 3 more.
fn names(names: &[String]) -> String {
    let shown: Vec<String> =
        names.iter().take(LISTED).map(|name| format!("`{}`", shown(name))).collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn list<T>(
    f: &mut fmt::Formatter,
    title: &str,
    items: &[T],
    text: impl Fn(&T) -> String,
) -> fmt::Result {
    if items.is_empty() {
        return Ok(());
    }
    write!(f, "\n  {title}, {}:", items.len())?;
    for item in items.iter().take(LISTED) {
        write!(f, "\n    {}", text(item))?;
    }
    match items.len().saturating_sub(LISTED) {
        0 => Ok(()),
        more => write!(f, "\n    and {more} more"),
    }
}

//! What is wrong with an experiment: where, what was found, what is allowed, and the way out.

use std::collections::{HashMap, HashSet};
use std::fmt;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::path::KeyPath;
use super::suggest;
use super::tree::{Node, Place, SourceFile};
use crate::basis::fault::Fault;
use crate::basis::printable;

/// One mistake in an experiment.
#[derive(Clone, Debug)]
pub struct Problem {
    path: KeyPath,
    on_key: bool,
    is_missing: bool,
    place: Option<Place>,
    message: String,
    label: String,
    help: Option<String>,
    notes: Vec<String>,
    /// The word that is none of those that may stand there.
    unknown: Option<String>,
}

impl Problem {
    /// Something wrong with the value at `path`.
    pub fn value(path: KeyPath, message: impl Into<String>) -> Problem {
        Problem {
            path,
            on_key: false,
            is_missing: false,
            place: None,
            message: message.into(),
            label: String::new(),
            help: None,
            notes: Vec::new(),
            unknown: None,
        }
    }

    /// Something wrong with the key at the end of `path`.
    pub fn key(path: KeyPath, message: impl Into<String>) -> Problem {
        Problem { on_key: true, ..Problem::value(path, message) }
    }

    /// The key at the end of `path` is missing.
    pub fn missing(path: KeyPath, message: impl Into<String>) -> Problem {
        Problem { is_missing: true, ..Problem::value(path, message) }
    }

    /// The key at the end of `path` is none of the `known` ones.
    pub fn unknown_key(path: KeyPath, key: &str, known: &[&str]) -> Problem {
        Problem::key(path, format!("unknown key \"{key}\""))
            .did_you_mean(key, known, "unknown")
            .help(format!("the keys here are {}", known.join(", ")))
    }

    /// Something wrong at a known place.
    pub fn at(place: Place, message: impl Into<String>) -> Problem {
        Problem { place: Some(place), ..Problem::value(KeyPath::root(), message) }
    }

    /// A few words under the marked text.
    pub fn label(self, label: impl Into<String>) -> Problem {
        Problem { label: label.into(), ..self }
    }

    /// Labels it with the name most like `found` among `names`, or with `otherwise` if none is like it.
    pub fn did_you_mean(self, found: &str, names: &[&str], otherwise: &str) -> Problem {
        self.unknown(found).label(suggest::did_you_mean(found, names, otherwise))
    }

    /// Says that the word `found` is none of those that may stand there.
    pub(super) fn unknown(self, found: &str) -> Problem {
        Problem { unknown: Some(found.to_owned()), ..self }
    }

    /// The way out.
    pub fn help(self, help: impl Into<String>) -> Problem {
        Problem { help: Some(help.into()), ..self }
    }

    /// Names further keys that are allowed, where the help lists keys.
    pub fn also_allowed(mut self, keys: &str) -> Problem {
        if let Some(help) = self.help.as_mut().filter(|help| help.starts_with("the keys here are"))
        {
            help.push_str(", ");
            help.push_str(keys);
        }
        self
    }

    /// Further facts.
    pub fn note(mut self, note: impl Into<String>) -> Problem {
        self.notes.push(note.into());
        self
    }

    /// The path that the problem is about.
    pub fn path(&self) -> &KeyPath {
        &self.path
    }

    /// What is wrong, in one sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Finds the place of the path in `root`, unless the place is known.
    pub fn locate(mut self, root: &Node) -> Problem {
        if self.place.is_none() {
            let place = if self.on_key {
                root.place_of_key(&self.path)
            } else {
                root.place_of_value(&self.path)
            };
            // What nobody wrote is missed in the user's file, not in the built-in defaults.
            let place = match place {
                Place::File(file, _) if self.is_missing && file.is_built_in() => &root.place,
                place => place,
            };
            self.place = Some(place.clone());
        }
        self
    }

    /// What it says and where: the same for problems that are the same.
    pub fn identity(&self) -> String {
        let place = match &self.place {
            Some(Place::File(file, at)) => format!("file {} {} {}", file.path, at.start, at.end),
            Some(Place::Set(text)) => format!("set {text}"),
            Some(Place::Environment(text)) => format!("environment {text}"),
            None => format!("path {}", self.path),
        };
        format!("{}\n{place}", self.message)
    }

    /// Whether it is about what is written at `place`.
    pub fn is_at(&self, place: &Place) -> bool {
        self.place.as_ref().is_some_and(|own| own.same(place))
    }

    fn render(&self, renderer: &Renderer, lines: &mut Lines) -> String {
        let title = Level::ERROR.primary_title(self.message.as_str());
        let mut group = match &self.place {
            None => annotate_snippets::Group::with_title(title),
            Some(Place::File(file, span)) => {
                let text = &file.text;
                let start = span.start.min(text.len());
                // An empty mark would not be seen: mark the character behind it, if there is one.
                let end = span.end.clamp(start, text.len());
                let end = if end == start {
                    text[start..].chars().next().map_or(start, |c| start + c.len_utf8())
                } else {
                    end
                };
                // A table that spans lines is marked by its first line.
                let end = text[start..end].find('\n').map_or(end, |line| start + line.max(1));
                // The lines of the mark alone: a long file with many problems would be gone through for each.
                let first = text[..start].rfind('\n').map_or(0, |line| line + 1);
                let last = match text[..end].ends_with('\n') {
                    true => end,
                    false => text[end..].find('\n').map_or(text.len(), |line| end + line),
                };
                let number = lines.number(file, first);
                let mark = AnnotationKind::Primary.span(start - first..end - first);
                let snippet = Snippet::source(&text[first..last])
                    .line_start(number)
                    .path(file.path.as_str())
                    .annotation(mark.label(self.label.as_str()));
                title.element(snippet)
            }
            Some(Place::Set(text)) => {
                title.element(argument(&format!("--set {text}"), 6, &self.label))
            }
            Some(Place::Environment(text)) => title.element(argument(text, 0, &self.label)),
        };
        for note in &self.notes {
            group = group.element(Level::NOTE.message(printable::lines(note)));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(printable::lines(help)));
        }
        renderer.render(&[group])
    }
}

/// Where the lines of files begin, found once for each file.
#[derive(Default)]
struct Lines(HashMap<String, Vec<usize>>);

impl Lines {
    /// The number of the line of `file` that begins at the byte `first`.
    fn number(&mut self, file: &SourceFile, first: usize) -> usize {
        if !self.0.contains_key(&file.path) {
            let ends = file.text.match_indices('\n').map(|(end, _)| end + 1);
            self.0.insert(file.path.clone(), std::iter::once(0).chain(ends).collect());
        }
        self.0[&file.path].partition_point(|start| *start <= first)
    }
}

/// A frame around an argument of the command line or a variable of the environment.
fn argument<'a>(
    text: &str,
    start: usize,
    label: &'a str,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let origin = if start > 0 { "command line" } else { "environment" };
    let mark = AnnotationKind::Primary.span(start..text.len()).label(label);
    Snippet::source(text.to_owned()).path(origin).annotation(mark)
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Problem {
        let parts = KeyPath::split(&fault.at).into_iter();
        let path = parts.fold(KeyPath::root(), |path, part| match part.parse() {
            Ok(index) => path.index(index),
            Err(_) => path.key(&part),
        });
        let help = fault.help.map(str::to_owned);
        Problem { help, ..Problem::value(path, fault.message).label(fault.label) }
    }
}

/// Everything that is wrong with an experiment.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    all: Vec<Problem>,
    /// Their [identities](Problem::identity).
    known: HashSet<String>,
}

impl Problems {
    /// The problems with the places that their paths have in `root`, each once.
    pub fn located(problems: Vec<Problem>, root: &Node) -> Problems {
        let mut all = Problems::none();
        for problem in problems {
            all.add(problem.locate(root));
        }
        all
    }

    /// Adds to those about a word that is not understood what `explanation` says of it.
    pub fn explained(self, explanation: &dyn Fn(&KeyPath, &str) -> Option<String>) -> Problems {
        let explain = |problem: Problem| {
            let word = problem.unknown.as_deref();
            match word.and_then(|word| explanation(&problem.path, word)) {
                Some(text) => problem.note(text),
                None => problem,
            }
        };
        Problems { all: self.all.into_iter().map(explain).collect(), known: self.known }
    }

    /// No problem yet.
    pub fn none() -> Problems {
        Problems::default()
    }

    /// Adds a problem, unless it is there already.
    pub fn add(&mut self, problem: Problem) {
        if self.known.insert(problem.identity()) {
            self.all.push(problem);
        }
    }

    /// Adds all problems of `others` that are not there already.
    pub fn extend(&mut self, others: Problems) {
        for problem in others.all {
            self.add(problem);
        }
    }

    /// Whether all is well.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The problems.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.all.iter()
    }

    /// The problems with their code frames, and how many they are.
    pub fn render(&self, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let renderer = renderer.decor_style(DecorStyle::Ascii).term_width(120);
        let mut text = String::new();
        let mut lines = Lines::default();
        for problem in &self.all {
            text.push_str(&problem.render(&renderer, &mut lines));
            text.push_str("\n\n");
        }
        let count = self.all.len();
        text.push_str(&format!(
            "{count} {} found; nothing was run\n",
            if count == 1 { "error" } else { "errors" }
        ));
        text
    }
}

impl From<Problem> for Vec<Problem> {
    fn from(problem: Problem) -> Vec<Problem> {
        vec![problem]
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        let mut all = Problems::none();
        all.add(problem);
        all
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

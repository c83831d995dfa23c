//! `wick advise`: what to do with a pretrained network on an experiment's data, measured and tried.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use crate::config::layering::load;
use crate::config::sweep::Sweep;
use crate::data::Cache;
use crate::document::{Content, KeyPath, Node, Problems};
use crate::plan::resolve::question;
use crate::plan::transfer::Case;
use crate::sweep::advice::{Answer, BUDGET, SEEDS};
use crate::sweep::advised::{AUTO, AXIS};
use crate::sweep::memory::hold_before;
use crate::sweep::survey::Files;
use crate::terminal::advice::advice;

use super::arguments::{Advise, Written};
use super::check::width;
use super::error::{Error, Result};
use super::output::{print, say};

/// Runs the command.
pub(super) fn advise(arguments: &Advise) -> Result {
    let root = load(&arguments.written.request())?;
    let out = arguments.write.as_deref().map(|out| Out::new(out, &root, &arguments.written));
    let out = out.transpose()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let images = Cache::new(cores);
    hold_before(&images, &root, &arguments.written.results);
    let files = Files::new(&images, &arguments.written.results)
        .advising(arguments.budget, Box::new(|line| say(&format!("{line}\n"))));
    let answer = question(&root, &root)
        .and_then(|root| files.answer(&root, None))
        .map_err(|problems| Problems::located(problems, &root))?;
    print(&advice(&answer, width()));
    if let Some(out) = out {
        out.write(&answer, &root)?;
    }
    if let Some(command) = comparison(&root, &arguments.written) {
        let cases = "All four cases and the advice, on this data";
        print(&format!(
            "\nThe folds are only an estimate. {cases}, {SEEDS} seeds:\n\n  {command}\n"
        ));
        if arguments.budget != BUDGET {
            print(&format!(
                "\ncase = \"{AUTO}\" tries with a budget of {BUDGET}; --write FILE writes the strategy for {}\n",
                arguments.budget
            ));
        }
    }
    Ok(())
}

/// The experiment that runs what is advised.
struct Out {
    path: PathBuf,
    /// What it stands on, as it names it.
    base: String,
    name: String,
    /// What `--set` has put in, as tables.
    sets: toml::Table,
}

impl Out {
    /// Looks at everything that might be in the way before anything is tried.
    fn new(path: &Path, root: &Node, written: &Written) -> Result<Out> {
        let request = written.request();
        if path.exists() {
            return Err(Error::wrong(format!("{} already exists", path.display())));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(Error::wrong(format!("there is no folder {}", folder.display())));
        }
        if let Some(axis) = swept(root) {
            return Err(Error::wrong(format!(
                "--write cannot write a strategy if the sweep varies {axis}: ask for advice without this axis"
            )));
        }
        if let Some(profile) = &request.profile {
            return Err(Error::wrong(format!(
                "--write cannot write the profile {profile}: copy its values into the experiment, or use --set"
            )));
        }
        let name = match root.get("name").map(|node| &node.content) {
            Some(Content::String(name)) => name.clone(),
            _ => String::new(),
        };
        let mut sets = toml::Table::new();
        for set in &request.sets {
            let Some((key, _)) = set.split_once('=') else { continue };
            let segments = KeyPath::split(key.trim());
            put(&mut sets, root, &segments).ok_or_else(|| {
                Error::wrong(format!(
                    "--write cannot write --set {set}: it changes an element of a list; change it in the experiment"
                ))
            })?;
        }
        Ok(Out { path: path.to_owned(), base: from(path, &request.file), name, sets })
    }

    fn write(mut self, answer: &Answer, root: &Node) -> Result {
        let strategy = answer.strategy();
        let (laid, recipe) =
            strategy.laid_over(root, &[]).map_err(|problems| Problems::located(problems, root))?;
        let mut keys: Vec<Vec<String>> = strategy
            .transfer()
            .iter()
            .map(|(key, _)| vec!["transfer".to_owned(), (*key).to_owned()])
            .collect();
        if !recipe.is_empty() {
            // A choice is written as a whole.
            keys.push(vec!["train".to_owned(), "optimizer".to_owned()]);
        }
        for key in &keys {
            put(&mut self.sets, &laid, key);
        }
        // An axis that is settled now has one value.
        let is_swept = root.at(&KeyPath::root().key("sweep").key("grid").key(AXIS)).is_some();
        if is_swept {
            let case = toml::Value::Array(vec![strategy.case().name().into()]);
            let mut grid = toml::Table::new();
            grid.insert(AXIS.to_owned(), case);
            let sweep = self.sets.entry("sweep").or_insert_with(|| toml::Table::new().into());
            if let Some(sweep) = sweep.as_table_mut() {
                sweep.insert("grid".to_owned(), grid.into());
            }
        }
        let mut text = format!("# {}, as wick advise recommends it.\n", strategy.words());
        let _ = writeln!(text, "extends = {}", toml::Value::from(self.base));
        self.sets.entry("name").or_insert_with(|| format!("{}-advised", self.name).into());
        text.push_str(&toml::to_string(&self.sets).expect("tables are plain data"));
        let mut open = OpenOptions::new();
        let file = open.write(true).create_new(true).open(&self.path);
        let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => {
                Error::wrong(format!("{} already exists", self.path.display()))
            }
            _ => Error::wrong(format!("failed to write {}: {error}", self.path.display())),
        })?;
        print(&format!("\nwritten: {}; wick run {0} runs it\n", self.path.display()));
        Ok(())
    }
}

/// What the sweep of `root` varies of `[transfer]`, but for an axis of cases in its grid, which can be settled.
fn swept(root: &Node) -> Option<String> {
    // What is wrong with it is told with the trials.
    let sweep = root.get("sweep").and_then(|node| Sweep::read(node).ok()).unwrap_or_default();
    let variants = sweep.list.into_iter().flat_map(|variant| variant.settings);
    let axes = sweep.grid.into_iter().map(|axis| axis.path).filter(|path| path != AXIS);
    let paths = variants.map(|(path, _)| path).chain(axes);
    let paths = paths.chain(sweep.zip.into_iter().map(|axis| axis.path));
    let drawn = sweep.random.into_iter().flat_map(|random| random.axes);
    let sought = sweep.search.into_iter().flat_map(|search| search.axes);
    let mut paths = paths.chain(drawn.chain(sought).map(|axis| axis.path));
    paths.find(|path| path.starts_with("transfer"))
}

/// Puts what stands in `root` at these keys into `tables`; none if they lead into a list, or nowhere.
fn put(tables: &mut toml::Table, root: &Node, keys: &[String]) -> Option<()> {
    let (last, above) = keys.split_last()?;
    let mut node = root;
    let mut table = tables;
    for key in above {
        node = node.entries().and_then(|_| node.get(key))?;
        table =
            table.entry(key.clone()).or_insert_with(|| toml::Table::new().into()).as_table_mut()?;
    }
    let value = node.entries().and_then(|_| node.get(last))?.to_toml();
    table.insert(last.clone(), value);
    Some(())
}

/// How a file at `path` names the file `base`: from its own folder.
fn from(path: &Path, base: &Path) -> String {
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (path, base) = (absolute(path), absolute(base));
    let folder = path.parent().unwrap_or(Path::new(""));
    let shared = folder.components().zip(base.components()).take_while(|(a, b)| a == b).count();
    let mut named = PathBuf::new();
    folder.components().skip(shared).for_each(|_| named.push(".."));
    base.components().skip(shared).for_each(|component| named.push(component));
    named.display().to_string()
}

/// Keys of `[transfer]` that win over what a case says.
const OVER_A_CASE: [&str; 4] = ["cut", "init", "freeze", "unfreeze"];

/// The run that holds advice against training; none where the file settles more than a case, or sweeps
/// something already.
fn comparison(root: &Node, written: &Written) -> Option<String> {
    let entries = |table: &str| match root.get(table).map(|node| &node.content) {
        Some(Content::Table(entries)) => &entries[..],
        _ => &[],
    };
    let settles = entries("transfer").iter().any(|entry| OVER_A_CASE.contains(&&entry.key[..]));
    let sweeps = !entries("sweep").is_empty();
    let Some(Content::String(name)) = root.get("name").map(|node| &node.content) else {
        return None;
    };
    if settles || sweeps {
        return None;
    }
    let request = written.request();
    let names = Case::ALL.map(Case::name).into_iter().chain([AUTO]);
    let cases = names.map(|case| format!("\"{case}\"")).collect::<Vec<_>>().join(", ");
    let mut words = vec!["wick run".to_owned(), quoted(&request.file.display().to_string())];
    words.extend(request.profile.map(|profile| format!("--profile {}", quoted(&profile))));
    let own = [
        format!("name={name}-cases"),
        format!("sweep.seeds={SEEDS}"),
        format!("sweep.grid.\"transfer.case\"=[{cases}]"),
    ];
    words.extend(request.sets.into_iter().chain(own).map(|set| format!("--set {}", quoted(&set))));
    Some(words.join(" "))
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+:,@%".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_reach_a_shell_as_they_are() {
        assert_eq!(quoted("train.epochs=3"), "train.epochs=3");
        assert_eq!(quoted("name=a b"), "'name=a b'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}

//! `wick check`: everything that can be known without training.

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use crate::basis::number::{count, number};
use crate::basis::record::Status;
use crate::config::layering::load;
use crate::data::{Cache, leaks, left_out_as_copies, sizes, split};
use crate::document::{Content, KeyPath, Node, Problem, Problems};
use crate::plan::model::ModelPlan;
use crate::plan::segments::{cuts, more_work};
use crate::plan::stage::StageTree;
use crate::plan::sweep::{Experiment, Trial, expand};
use crate::sweep::advice::BUDGET;
use crate::sweep::changed::unchanged;
use crate::sweep::cost::{Cost, costs, span};
use crate::sweep::counts::Counts;
use crate::sweep::memory::{
    Needs, data_cache, feature_bytes, hold, hold_before, limit_in_bytes, needs,
};
use crate::sweep::notes::notes;
use crate::sweep::slots::Allocation;
use crate::sweep::standing::{Known, Standing, standing};
use crate::sweep::store::Store;
use crate::sweep::survey::Files;
use crate::terminal::data;
use crate::terminal::layers::layers;
use crate::terminal::transfer::transfer;
use crate::terminal::weights::weights;
use crate::transfer::features::free_space;

use super::arguments::{AUGMENT_MEMORY, Check, Written};
use super::error::{Error, Result};
use super::output::{print, say};

/// Trials that are listed before the list is cut.
const LISTED: usize = 40;

/// The experiment that was asked for, its tree and its results. Where it takes advice to know what runs, `tells`
/// says whether people are told how that gets on.
pub(super) fn experiment(
    written: &Written,
    images: &Cache,
    tells: bool,
) -> Result<(Node, Experiment, Store)> {
    let root = load(&written.request())?;
    // A name that is none is told by whoever reads the experiment.
    let name = match root.get("name").map(|name| &name.content) {
        Some(Content::String(name)) => name.as_str(),
        _ => "",
    };
    let store = Store::at(&written.results, name);
    hold_before(images, &root, &written.results);
    let files = Files::new(images, &written.results).advising(
        BUDGET,
        Box::new(move |line| {
            if tells {
                say(&format!("{line}\n"));
            }
        }),
    );
    let experiment = expand(&root, &files, &store)?;
    if let Some(problem) = too_many_features(&experiment, images, &written.results) {
        return Err(Problems::located(vec![problem], &root).into());
    }
    hold(images, &experiment, &written.results);
    Ok((root, experiment, store))
}

/// The problem if what frozen layers make of the images has no room, in memory or on the disk.
fn too_many_features(experiment: &Experiment, images: &Cache, results: &Path) -> Option<Problem> {
    let limit = limit_in_bytes(experiment.run.feature_cache)?;
    let needs = experiment.trials.iter().map(|trial| (trial, feature_bytes(trial, images)));
    let (trial, most) = needs.max_by_key(|(_, bytes)| *bytes).filter(|(_, bytes)| *bytes > 0)?;
    let at = KeyPath::root().key("run").key("feature-cache");
    let mb = |bytes: u64| number(bytes.div_ceil(1_000_000));
    let problem = |room: String| {
        let message = format!(
            "the features that trial {} uses repeatedly need {} MB, {room}",
            trial.number,
            mb(most)
        );
        Problem::value(at.clone(), message)
            .label("no room")
            .help("\"none\" computes them every time; a deeper cut, pooling before it, or fewer images make them smaller")
    };
    if most > limit {
        return Some(problem(format!("and {} MB are allowed", mb(limit))));
    }
    let free = free_space(results).filter(|free| *free < most)?;
    Some(problem(format!("and {} has {} MB left", results.display(), mb(free))))
}

/// Columns of the terminal, or of a page.
pub(super) fn width() -> usize {
    console::Term::stdout().size_checked().map_or(100, |(_, columns)| columns as usize)
}

/// Runs the command.
pub(super) fn check(arguments: &Check) -> Result {
    let images = Cache::new(1);
    let (root, experiment, store) = experiment(&arguments.written, &images, true)?;
    unchanged(&experiment, &store, &images, false).map_err(Error::wrong)?;
    let number = arguments.trial.unwrap_or(1);
    let Some(shown) = number.checked_sub(1).and_then(|index| experiment.trials.get(index)) else {
        let last = experiment.trials.len();
        return Err(Error::wrong(format!(
            "there is no trial {number}: trials are numbered from 1 to {last}"
        )));
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let standing = standing(&experiment, &store);
    let open = standing.known.iter().filter(|known| !known.is_done()).count();
    let allocation = Allocation::new(cores, open, &experiment.run, None, None);
    let stages = match experiment.run.stage_cache {
        Some(_) => StageTree::new(&experiment.trials),
        None => StageTree::default(),
    };
    let summary = Overview {
        experiment: &experiment,
        images: Counts::of(&shown.plan.data, &images).all(),
        needs: needs(&experiment, &images, AUGMENT_MEMORY << 20),
        limit: limit_in_bytes(experiment.run.memory_limit),
        results: &arguments.written.results,
        costs: own_costs(
            costs(&experiment, &store, &images, allocation.threads),
            &experiment,
            &stages,
        ),
        allocation,
        standing,
        stages,
        notes: notes(&root, &experiment, &images),
        data: what_was_listed(shown, &images, if arguments.data { usize::MAX } else { MEASURED })?,
    };
    print(&overview(&summary, shown, width()));
    if arguments.data {
        let plan = &shown.plan;
        let dataset = images.get(&plan.data).map_err(Error::wrong)?;
        let split = split(&dataset, &plan.data, plan.seed).map_err(Error::wrong)?;
        let left_out = left_out_as_copies(&dataset, &plan.data, plan.seed).map_err(Error::wrong)?;
        let copied = leaks(&dataset, &split).map_err(Error::wrong)?;
        print(&data::read(&dataset, &split, &copied, left_out).map_err(Error::wrong)?);
    }
    if let Some(differences) =
        store.other_experiment(&arguments.written.request(), &root, &experiment)
    {
        print(&format!(
            "note: {} contains the results of another experiment, with {}: wick run needs another name, another \
             folder or --replace\n",
            store.root().display(),
            differences.join(" and ")
        ));
    }
    Ok(())
}

/// What is known of all trials together.
struct Overview<'a> {
    experiment: &'a Experiment,
    standing: Standing<'a>,
    /// What trials have in common, if it is shared.
    stages: StageTree,
    /// Images of the trial whose network is shown.
    images: usize,
    needs: Needs,
    limit: Option<u64>,
    /// The folder of all results.
    results: &'a Path,
    allocation: Allocation,
    costs: Vec<Cost>,
    notes: Vec<String>,
    /// What is known of its images.
    data: String,
}

/// Images whose headers are read for the sizes that there are.
pub(super) const MEASURED: usize = 500;

/// What is known of the images of `trial` without decoding them, by the headers of at most `most` of them.
pub(super) fn what_was_listed(trial: &Trial, images: &Cache, most: usize) -> Result<String> {
    let plan = &trial.plan.data;
    let facts = images.survey(plan).map_err(Error::wrong)?;
    let Counts { train, validation, test } = Counts::of(plan, images);
    let sizes = sizes(plan, most).map_err(Error::wrong)?;
    Ok(data::data(plan, &facts, [train, validation, test], sizes.as_ref()))
}

fn overview(overview: &Overview, shown: &Trial, width: usize) -> String {
    let Overview { experiment, standing, needs, allocation, costs, .. } = overview;
    let trials = &experiment.trials;
    let mut text = format!("{}\n", experiment.name);
    if !experiment.description.is_empty() {
        let _ = writeln!(text, "{}", experiment.description.trim());
    }
    let _ = write!(text, "\nthe images of trial {}\n{}", shown.number, overview.data);
    let _ = writeln!(text, "\nthe network of trial {}", shown.number);
    text.push_str(&layers(&shown.plan.model, width));
    text.push_str(&weights(&shown.plan.model));
    text.push_str(&transfer(&shown.plan, overview.images));
    let others = trials
        .iter()
        .map(|trial| &trial.plan.model)
        .filter(|model| !Arc::ptr_eq(model, &shown.plan.model) && **model != shown.plan.model)
        .count();
    if others > 0 {
        let have = if others == 1 { "has another network" } else { "have other networks" };
        let _ = writeln!(text, "{} {have}: see with --trial N", count(others, "trial"));
    }
    let done = standing.known.iter().filter(|known| known.is_done()).count();
    let _ = writeln!(
        text,
        "\n{}, {} done, {} to run",
        count(trials.len(), "trial"),
        number(done as u64),
        number((trials.len() - done) as u64)
    );
    if experiment.unsuggested > 0 {
        let further = number(experiment.unsuggested as u64);
        let _ = writeln!(text, "{further} more will be suggested from their results");
    }
    if experiment.excluded > 0 {
        let _ = writeln!(text, "{} combinations are excluded", experiment.excluded);
    }
    text.push_str(&shared(experiment, &overview.stages));
    for note in &overview.notes {
        let _ = writeln!(text, "{note}");
    }
    text.push_str(&cost(standing, costs, allocation));
    let _ = write!(text, "{}, shared by all trials", held(needs, experiment, overview.results));
    text.push_str(&memory(needs, overview.limit, allocation.workers()));
    text.push_str(&checkpointing(needs, experiment, overview.limit));
    text.push('\n');
    for known in standing.known.iter().take(LISTED) {
        let _ = writeln!(text, "{}", line(experiment, known));
    }
    if trials.len() > LISTED {
        let _ = writeln!(text, "… and {} more", trials.len() - LISTED);
    }
    text
}

/// What trials cost, without the epochs that they have in common with an earlier one.
fn own_costs(costs: Vec<Cost>, experiment: &Experiment, stages: &StageTree) -> Vec<Cost> {
    let own = |(index, cost): (usize, Cost)| {
        let own =
            experiment.trials[index].plan.train.epochs.saturating_sub(stages.in_common(index));
        Cost { to_go: cost.to_go.min(own as f64 * cost.epoch), ..cost }
    };
    costs.into_iter().enumerate().map(own).collect()
}

/// How many epochs trials have in common.
fn shared(experiment: &Experiment, stages: &StageTree) -> String {
    let all = experiment.trials.iter().map(|trial| trial.plan.train.epochs).sum::<usize>();
    if stages.is_empty() {
        return String::new();
    }
    let [shared, all] = [stages.shared(), all].map(|count| number(count as u64));
    format!(
        "{shared} of {all} epochs are shared: trials with the same first epochs train them once\n"
    )
}

/// Time by estimate, for what is still to run.
fn cost(standing: &Standing, costs: &[Cost], allocation: &Allocation) -> String {
    let open: Vec<Cost> = standing
        .known
        .iter()
        .zip(costs)
        .filter(|(known, _)| !known.is_done())
        .map(|(_, cost)| *cost)
        .collect();
    if open.is_empty() {
        return String::new();
    }
    let range = |part: fn(&Cost) -> f64| {
        let least = open.iter().map(part).fold(f64::INFINITY, f64::min);
        let most = open.iter().map(part).fold(0.0, f64::max);
        let (least, most) = (span(least), span(most));
        match (least.split_once(' '), most.split_once(' ')) {
            _ if least == most => most,
            (Some((number, unit)), Some((_, other))) if unit == other => {
                format!("{number} to {most}")
            }
            _ => format!("{least} to {most}"),
        }
    };
    let total: f64 = open.iter().map(|cost| cost.to_go).sum();
    format!(
        "about {} an epoch and {} a trial; {}: {} in all\n",
        range(|cost| cost.epoch),
        range(|cost| cost.to_go),
        allocation.words(),
        span(total / allocation.workers() as f64)
    )
}

/// `images 20 MB`, or where those are that memory has no room for.
pub(super) fn held(needs: &Needs, experiment: &Experiment, results: &Path) -> String {
    let size = |bytes: u64| match bytes {
        0..1_000_000 => format!("{} kB", number(bytes.div_ceil(1000))),
        _ => format!("{} MB", number(bytes.div_ceil(1_000_000))),
    };
    let own = if needs.in_own_sizes { ", and more in their own sizes" } else { "" };
    if needs.images == needs.decoded {
        return format!("images {} MB{own}", number(needs.decoded.div_ceil(1_000_000)));
    }
    let rest = match data_cache(&experiment.run, results) {
        Some((folder, _)) => format!("kept in {}", folder.display()),
        None => "decoded each time".to_owned(),
    };
    let (all, in_memory) = (size(needs.decoded), size(needs.images));
    format!("images {all}{own} decoded, {in_memory} of it in memory and the rest {rest}")
}

fn memory(needs: &Needs, limit: Option<u64>, workers: usize) -> String {
    let mb = |bytes: u64| number(bytes.div_ceil(1_000_000));
    let mut text = String::new();
    if needs.augmented > 0 {
        let _ = write!(text, "; augmented images at most {} MB too", mb(needs.augmented));
    }
    let trial = match (mb(needs.least), mb(needs.most)) {
        (least, most) if least == most => most,
        (least, most) => format!("{least} to {most}"),
    };
    let _ = write!(text, "; a trial takes about {trial} MB");
    let all = needs.images + needs.augmented + workers as u64 * needs.most;
    match limit {
        Some(limit) if needs.left_of(limit).is_none() => {
            _ = writeln!(text, ": that does not fit into {} MB", mb(limit));
        }
        Some(limit) if all > limit => {
            _ = writeln!(text, ", and as many run at once as fit into {} MB", mb(limit));
        }
        _ if workers > 1 => {
            _ = writeln!(text, ", with {workers} at once {} MB in all", mb(all));
        }
        _ => _ = writeln!(text, ", {} MB in all", mb(all)),
    }
    text
}

/// What gradient checkpointing saves and costs, or that it would make trials fit.
fn checkpointing(needs: &Needs, experiment: &Experiment, limit: Option<u64>) -> String {
    let mb = |bytes: u64| number(bytes.div_ceil(1_000_000));
    if experiment.run.gradient_checkpointing {
        let models = experiment.trials.iter().map(|trial| &*trial.plan.model);
        let mut models: Vec<&ModelPlan> = models.collect();
        models.dedup_by_key(|model| std::ptr::from_ref(*model));
        let more = models.into_iter().map(|model| more_work(model, &cuts(model)));
        let percent = 100.0 * more.fold(0.0, f64::max);
        return format!(
            "with gradient checkpointing, for up to {percent:.0} % more FLOPs; without it, a trial takes about {} MB\n",
            mb(needs.otherwise)
        );
    }
    match limit {
        Some(limit) if needs.fit_otherwise(limit) => format!(
            "with run.gradient-checkpointing = true, a trial takes about {} MB\n",
            mb(needs.otherwise)
        ),
        _ => String::new(),
    }
}

fn line(experiment: &Experiment, known: &Known) -> String {
    let trial = known.trial;
    let mut words: Vec<String> = experiment
        .axes
        .iter()
        .zip(trial.settings.iter())
        .filter(|(_, value)| !value.is_empty())
        .map(|(axis, value)| format!("{axis} = {value}"))
        .collect();
    words.push(format!("seed {}", trial.plan.seed));
    words
        .extend(trial.plan.data.fold.map(|fold| format!("fold {} of {}", fold.index + 1, fold.of)));
    let state = match (known.status(), known.records.len()) {
        (Status::Completed, _) => "  done".to_owned(),
        (Status::Unfinished, 0) => String::new(),
        (Status::Unfinished, epochs) => format!("  {epochs} of {} epochs", trial.plan.train.epochs),
        (status, _) => format!("  {}", status.name()),
    };
    format!("{:>5}  {}  {}{state}", trial.number, trial.digest, words.join(", "))
}

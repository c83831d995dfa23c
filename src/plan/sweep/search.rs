//! `[sweep.search]`: settings suggested round by round.
//!
//! What is suggested in a round is a function of the seed and of the finished trials of the rounds
//! before, in plan order. So it does not matter who finished first, and a search that was interrupted
//! comes up with the same settings again.

use std::collections::{BTreeMap, BTreeSet};

use crate::basis::record::{Metric, Status};
use crate::basis::seed::derive;
use crate::config::sweep::search::Search;
use crate::document::{Node, Problem, Problems};
use crate::plan::prune::{History, Progress, PrunePlan, Verdict, judge};
use crate::plan::survey::Survey;

use super::combine::Repeats;
use super::setting::{Setting, Value, below, matches, within};
use super::trials::{Combination, add_epochs, resolve_all};
use super::{Trial, tpe};

/// Suggestions by what is known, before one that is new is drawn at random.
const GUIDED_TRIES: u64 = 8;

/// Draws at random, before one that is new is looked for in order.
const RANDOM_TRIES: u64 = 64;

/// Of spaces that can be counted, so many settings are looked at.
const MOST_COUNTED: u64 = 100_000;

/// The trials that were suggested so far.
pub(super) struct Searched {
    pub(super) trials: Vec<Trial>,
    /// How they are pruned.
    pub(super) prune: Option<PrunePlan>,
    /// Trials still to be suggested.
    pub(super) unsuggested: usize,
    /// That it ended before all were suggested, and why.
    pub(super) told: Option<String>,
}

/// Where a suggestion lies on the lines of the axes; none where an axis is left out.
type Places = Vec<Option<f64>>;

/// The suggestions that are known to be good, and the others, each in plan order.
struct Split {
    good: Vec<Places>,
    others: Vec<Places>,
}

/// A search under way.
pub(super) struct Searcher<'a> {
    search: &'a Search,
    root: &'a Node,
    survey: &'a dyn Survey,
    repeats: &'a Repeats,
    /// The experiment's seed.
    seed: u64,
    /// Settings and digests that were suggested, or cannot be.
    known: BTreeSet<String>,
    /// The settings of an earlier sweep.
    earlier: Earlier,
}

/// What an earlier sweep has tried: where each setting lies, and the value it came to, the mean of its trials.
#[derive(Default)]
struct Earlier {
    metric: Option<Metric>,
    places: Vec<Places>,
    values: Vec<f64>,
}

/// How many settings there are behind the last one that was better than all before by more than `min_delta`.
fn since_best(metric: Metric, values: &[f64], min_delta: f64) -> usize {
    let mut best: Option<(f64, usize)> = None;
    for (index, value) in values.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
        if best.is_none_or(|(best, _)| metric.improves(*value, best, min_delta)) {
            best = Some((*value, index));
        }
    }
    values.len() - best.map_or(0, |(_, index)| index + 1)
}

impl<'a> Searcher<'a> {
    pub(super) fn new(
        search: &'a Search,
        root: &'a Node,
        survey: &'a dyn Survey,
        repeats: &'a Repeats,
        seed: u64,
    ) -> Searcher<'a> {
        let earlier = Earlier::default();
        Searcher { search, root, survey, repeats, seed, known: BTreeSet::new(), earlier }
    }

    /// Round after round, up to the first that has a trial which is not settled. `plan` looks at the
    /// trials of the first round and says by what to search, and how to prune.
    pub(super) fn run(
        mut self,
        history: &dyn History,
        plan: impl Fn(&[Trial]) -> Result<(Metric, Option<PrunePlan>), Problem>,
    ) -> Result<Searched, Problems> {
        self.check()?;
        let located = |problem| Problems::located(vec![problem], self.root);
        self.earlier = Earlier::of(self.search, self.survey).map_err(located)?;
        let mut trials: Vec<Trial> = Vec::new();
        let mut places: Vec<Places> = Vec::new();
        let mut split = self.earlier.metric.map(|metric| self.earlier.split(metric, &[], &[]));
        let mut planned = None;
        let mut round = 0;
        loop {
            let end = self.search.tpe.min(places.len().saturating_add(self.search.round));
            let mut is_exhausted = false;
            while places.len() < end && !is_exhausted {
                match self.suggest(places.len(), round, trials.len(), split.as_ref())? {
                    Some((suggested, place)) => {
                        trials.extend(suggested);
                        places.push(place);
                    }
                    None => is_exhausted = true,
                }
            }
            let left = if is_exhausted { 0 } else { self.search.tpe - places.len() };
            let (metric, prune) = match planned.take() {
                Some(planned) => planned,
                None => {
                    let planned = plan(&trials).map_err(located)?;
                    self.earlier.check(planned.0, self.search).map_err(located)?;
                    planned
                }
            };
            let progress: Vec<Progress> =
                trials.iter().map(|trial| history.progress(trial)).collect();
            let (verdicts, _) = judge(prune.as_ref(), &trials, &progress);
            let mut known = verdicts.iter().zip(&progress);
            if left == 0 || !known.all(|(verdict, progress)| verdict.is_settled(progress)) {
                let unsuggested = left.saturating_mul(self.repeats.count());
                return Ok(Searched { trials, prune, unsuggested, told: None });
            }
            let value = |setting: usize| {
                let own = trials.iter().zip(verdicts.iter().zip(&progress));
                let values: Vec<f64> = own
                    .filter(|(trial, _)| trial.setting == setting)
                    .map(|(_, (verdict, progress))| value(metric, verdict, progress))
                    .collect();
                values.iter().sum::<f64>() / values.len() as f64
            };
            let values: Vec<f64> = (0..places.len()).map(value).collect();
            if let Some(stop) = self.search.early_stop
                && since_best(metric, &self.earlier.with(&values), stop.min_delta).min(values.len())
                    >= stop.patience
            {
                let told = format!(
                    "the search has ended after {} of {} settings: its best {} has not improved by more than {} \
                     in the last {}",
                    places.len(),
                    self.search.tpe,
                    metric.name(),
                    stop.min_delta,
                    stop.patience,
                );
                return Ok(Searched { trials, prune, unsuggested: 0, told: Some(told) });
            }
            split = Some(self.earlier.split(metric, &places, &values));
            planned = Some((metric, prune));
            round += 1;
        }
    }

    /// The trials of the next suggestion and where it lies; none if there is no new one.
    fn suggest(
        &mut self,
        index: usize,
        round: usize,
        trials: usize,
        split: Option<&Split>,
    ) -> Result<Option<(Vec<Trial>, Places)>, Problems> {
        let split = split.filter(|_| self.earlier.places.len() + index >= self.search.startup);
        let search = self.search;
        for attempt in 0..GUIDED_TRIES + RANDOM_TRIES {
            let by = split.filter(|_| attempt < GUIDED_TRIES);
            let setting = self.build(|axis| {
                let purpose = format!("search {}", search.axes[axis].path);
                let mut stream = derive(self.seed, &purpose, &[index as u64, attempt]);
                let values = &search.axes[axis].values;
                match by {
                    None => values.draw(&mut stream),
                    Some(Split { good, others }) => {
                        let on_axis = |all: &[Places]| -> Vec<f64> {
                            all.iter().filter_map(|places| places[axis]).collect()
                        };
                        let (good, others) = (on_axis(good), on_axis(others));
                        values.value_at(tpe::suggest(values.line(), &good, &others, &mut stream))
                    }
                }
            });
            if let Some(found) = self.accept(&setting, index, round, trials)? {
                return Ok(Some(found));
            }
        }
        // What is left of a space that can be counted.
        let sizes: Option<Vec<u64>> = search.axes.iter().map(|axis| axis.values.size()).collect();
        let Some(sizes) = sizes else { return Ok(None) };
        let count = sizes.iter().fold(1u64, |product, size| product.saturating_mul(*size));
        for number in 0..count.min(MOST_COUNTED) {
            let mut rest = number;
            let digits: Vec<u64> = sizes
                .iter()
                .map(|size| {
                    let digit = rest % size;
                    rest /= size;
                    digit
                })
                .collect();
            let setting = self.build(|axis| search.axes[axis].values.nth(digits[axis]));
            if let Some(found) = self.accept(&setting, index, round, trials)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The setting with a value for each axis whose conditions hold.
    fn build(&self, mut value: impl FnMut(usize) -> Node) -> Setting<'a> {
        let mut setting = Setting::of(None);
        for (index, axis) in self.search.axes.iter().enumerate() {
            if setting.meets(self.root, &axis.when) {
                setting.put(&axis.path, &axis.at, Value::Drawn(Box::new(value(index))));
            } else {
                setting.leave_out();
            }
        }
        setting
    }

    /// The trials of a setting that is new.
    fn accept(
        &mut self,
        setting: &Setting,
        index: usize,
        round: usize,
        trials: usize,
    ) -> Result<Option<(Vec<Trial>, Places)>, Problems> {
        if !self.known.insert(setting.key()) {
            return Ok(None);
        }
        let combinations: Vec<Combination> = self
            .repeats
            .iter()
            .enumerate()
            .map(|(offset, (seed, fold))| Combination {
                number: trials + offset + 1,
                index,
                round,
                setting,
                columns: None,
                seed,
                fold,
            })
            .collect();
        let note = |_: usize, _: &Combination| Some(format!("with {}", setting.describe()));
        let resolved = resolve_all(self.root, &combinations, self.survey, &[], &note);
        let mut resolved = match resolved {
            Ok(trials) => trials,
            // The first round is told before anything runs. Later, values that do not go together are
            // no suggestion.
            Err(_) if round > 0 => return Ok(None),
            Err(problems) => return Err(problems),
        };
        if self.search.axes.iter().any(|axis| axis.path == "train.epochs") {
            resolved.iter_mut().for_each(add_epochs);
        }
        // Settings without effect give a digest that is known.
        if resolved.iter().any(|trial| self.known.contains(&trial.digest)) {
            return Ok(None);
        }
        self.known.extend(resolved.iter().map(|trial| trial.digest.clone()));
        let own = |path: &str| setting.replacements.iter().find(|it| it.path == path);
        let places = self.search.axes.iter();
        let places = places.map(|axis| axis.values.position(&own(&axis.path)?.value)).collect();
        Ok(Some((resolved, places)))
    }

    /// Tries both ends of every range and every choice, the other axes at their first sample.
    fn check(&self) -> Result<(), Problems> {
        let mut settings = Vec::new();
        let mut problems = Vec::new();
        for (index, axis) in self.search.axes.iter().enumerate() {
            for end in axis.values.ends() {
                let mut values: Vec<Node> = self
                    .search
                    .axes
                    .iter()
                    .map(|axis| {
                        let purpose = format!("search {}", axis.path);
                        axis.values.draw(&mut derive(self.seed, &purpose, &[0, 0]))
                    })
                    .collect();
                values[index] = end;
                self.bring_in(index, &mut values);
                let setting = self.build(|axis| values[axis].clone());
                if setting.replacements.iter().any(|it| it.path == axis.path) {
                    settings.push((index, setting));
                } else {
                    let message = format!("the axis \"{}\" is never used", axis.path);
                    let problem = Problem::value(axis.at.key("when"), message);
                    problems.push(problem.label("these conditions are never all true"));
                    break;
                }
            }
        }
        if !problems.is_empty() {
            return Err(Problems::located(problems, self.root));
        }
        let first = self.repeats.iter().next();
        let (seed, fold) = first.unwrap_or((None, None));
        let combinations: Vec<Combination> = settings
            .iter()
            .map(|(axis, setting)| Combination {
                number: 1,
                index: *axis,
                round: 0,
                setting,
                columns: None,
                seed,
                fold,
            })
            .collect();
        let count = combinations.len();
        let note = |probes: usize, first: &Combination| {
            (probes < count).then(|| format!("with {}", first.setting.describe()))
        };
        resolve_all(self.root, &combinations, self.survey, &[], &note).map(|_| ())
    }

    /// Changes `values` so that the conditions of an axis hold.
    fn bring_in(&self, axis: usize, values: &mut [Node]) {
        for condition in &self.search.axes[axis].when {
            let setting = self.build(|axis| values[axis].clone());
            if setting.meets(self.root, std::slice::from_ref(condition)) {
                continue;
            }
            let before = &self.search.axes[..axis];
            let found = before.iter().enumerate().rev().find_map(|(other, axis)| {
                let rest = below(&condition.path, &axis.path)?;
                let has = |value: &Node, wanted: &Node| {
                    within(value, rest).is_some_and(|inner| matches(inner, wanted))
                };
                let value = condition.values.iter().find_map(|wanted| match rest {
                    "" => axis.values.find(wanted),
                    _ => axis.values.ends().into_iter().find(|value| has(value, wanted)),
                });
                Some((other, value?))
            });
            if let Some((other, value)) = found {
                values[other] = value;
                self.bring_in(other, values);
            }
        }
    }
}

impl Earlier {
    /// What the sweep that `search` names has tried, if it names one.
    fn of(search: &Search, survey: &dyn Survey) -> Result<Earlier, Problem> {
        let Some(name) = &search.warm_start else { return Ok(Earlier::default()) };
        let problem = |message: String| Problem::value(search.at.key("warm-start"), message);
        let tried = survey
            .tried(name)
            .map_err(|message| problem(message).label("no trials to start from"))?;
        let axes = tried.first().map_or(&[][..], |trial| &trial.settings);
        let is_known = |path: &str| axes.iter().any(|(known, _)| known == path);
        if !search.axes.iter().any(|axis| is_known(&axis.path)) {
            let axes: Vec<&str> = axes.iter().map(|(path, _)| path.as_str()).collect();
            let found = if axes.is_empty() { "none".to_owned() } else { axes.join(", ") };
            return Err(problem(format!("\"{name}\" has no axis of this search"))
                .label("nothing in common")
                .help(format!("its axes: {found}")));
        }
        let metric = search.metric.or(tried.first().map(|trial| trial.metric));
        let Some(metric) = metric else { return Ok(Earlier::default()) };
        let mut values: BTreeMap<Vec<&str>, (usize, Vec<f64>)> = BTreeMap::new();
        for (index, trial) in tried.iter().enumerate() {
            let setting = trial.settings.iter().map(|(_, value)| value.as_str()).collect();
            let value =
                if trial.records.is_empty() { f64::NAN } else { metric.best(&trial.records) };
            values.entry(setting).or_insert((index, Vec::new())).1.push(value);
        }
        let mut settings: Vec<(usize, Vec<f64>)> = values.into_values().collect();
        settings.sort_by_key(|(first, _)| *first);
        let place = |first: usize| -> Places {
            let own = |path: &str| tried[first].settings.iter().find(|(known, _)| known == path);
            let axes = search.axes.iter();
            axes.map(|axis| axis.values.position_of(&own(&axis.path)?.1)).collect()
        };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        Ok(Earlier {
            metric: Some(metric),
            places: settings.iter().map(|(first, _)| place(*first)).collect(),
            values: settings.iter().map(|(_, values)| mean(values)).collect(),
        })
    }

    /// Whether it was judged by the `metric` of the search.
    fn check(&self, metric: Metric, search: &Search) -> Result<(), Problem> {
        match self.metric {
            Some(earlier) if earlier != metric => {
                let message = format!(
                    "the earlier trials were compared by {}, these are by {}",
                    earlier.name(),
                    metric.name()
                );
                Err(Problem::value(search.at.key("warm-start"), message)
                    .label("another metric")
                    .help(format!("metric = \"{}\" compares both by one", metric.name())))
            }
            _ => Ok(()),
        }
    }

    /// The values of these settings, then those of `own` ones.
    fn with(&self, own: &[f64]) -> Vec<f64> {
        [&self.values, own].concat()
    }

    /// These settings and `own` ones, split by what they came to.
    fn split(&self, metric: Metric, places: &[Places], own: &[f64]) -> Split {
        Split::new(metric, &[&self.places, places].concat(), &self.with(own))
    }
}

impl Split {
    /// By the values that the suggestions came to.
    fn new(metric: Metric, places: &[Places], values: &[f64]) -> Split {
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by(|a, b| metric.better_first(values[*a], values[*b]));
        let good: BTreeSet<usize> = order.into_iter().take(tpe::good(places.len())).collect();
        let part = |is_good: bool| {
            let own = places.iter().enumerate();
            own.filter(|(index, _)| good.contains(index) == is_good)
                .map(|(_, places)| places.clone())
                .collect()
        };
        Split { good: part(true), others: part(false) }
    }
}

/// What a trial counts for: its best value so far; one that failed is worst.
fn value(metric: Metric, verdict: &Verdict, progress: &Progress) -> f64 {
    match (verdict, progress.ended) {
        (Verdict::Runs { .. }, Some(Status::Failed)) => f64::NAN,
        _ => metric.best(verdict.counted(progress)),
    }
}

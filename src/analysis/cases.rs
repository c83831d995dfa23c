//! The cases of a transfer beside each other: which one won where everything else was the same, by how
//! much, and whether a textbook would have said so.

mod account;
mod hindsight;

use std::collections::BTreeMap;

use super::statistics::{ALPHA, Estimate, Paired, holm};
use crate::plan::transfer::Case;
use crate::sweep::advised::{AXIS, Advised};

use super::answers::Answers;
use super::measure::Measure;
use super::tables::Trial;

pub use account::{Account, accounts};
pub use hindsight::{Advisor, advisors};

/// The axis by which a data set grows.
const SUBSET: &str = "data.subset";

/// What one case came to.
#[derive(Clone, Debug)]
pub struct Contestant {
    /// As the file writes it.
    pub case: String,
    /// Over the completed trials.
    pub estimate: Option<Estimate>,
    /// Numbers that learn.
    pub trainable: Option<f64>,
    /// Mean wall time of its trials.
    pub seconds: Option<f64>,
    /// The best case's value minus its own, over shared seeds and folds; none for the best itself.
    pub behind: Option<Paired>,
    /// The p-value of that, by Holm's correction over all differences of all contests.
    pub corrected: Option<f64>,
}

/// All cases where everything else was the same.
#[derive(Clone, Debug)]
pub struct Contest {
    /// The levels of the other factors, in words; empty if there are none.
    pub surroundings: String,
    /// The same without the size of the data set.
    pub pair: String,
    /// The size of the data set as it is written; empty if it does not vary.
    pub size: String,
    /// In the order of the plan.
    pub contestants: Vec<Contestant>,
    /// Index of the best one.
    pub best: Option<usize>,
    /// The best of the textbook's cases that freeze minus the best of those that train everything, over shared seeds and
    /// folds.
    pub freezing: Option<Paired>,
    /// The p-value of that, by Holm's correction over all contests.
    pub freezing_corrected: Option<f64>,
    /// What was advised before anything was trained.
    pub advised: Option<Advised>,
}

impl Contest {
    /// The best case.
    pub fn winner(&self) -> Option<&Contestant> {
        self.contestants.get(self.best?)
    }
}

/// The contests of a sweep over cases, in the order of the plan; none if it is not one.
pub fn contests(answers: &Answers) -> Vec<Contest> {
    let Some(axis) = answers.axes.iter().position(|axis| axis == AXIS) else { return Vec::new() };
    let size = answers.axes.iter().position(|axis| axis == SUBSET);
    let of_column =
        |column: usize| answers.factors.iter().position(|f| f.columns.contains(&column));
    let case = of_column(axis);
    let words = |index: usize, with_size: bool| -> String {
        let named = answers.factors.iter().enumerate().filter(|(place, factor)| {
            let is_size = size.is_some_and(|size| factor.columns.contains(&size));
            Some(*place) != case && factor.levels.len() > 1 && (with_size || !is_size)
        });
        let level = |(_, factor): (usize, &super::Factor)| {
            factor.levels[factor.of_trial[index]].name.clone()
        };
        named.map(level).collect::<Vec<_>>().join(", ")
    };
    let mut contests: Vec<(Vec<String>, Contest)> = Vec::new();
    let mut members: Vec<Vec<(String, Vec<usize>)>> = Vec::new();
    for (index, trial) in answers.trials.iter().enumerate() {
        let mut others = trial.values.clone();
        let value = others.remove(axis);
        let place = contests.iter().position(|(known, _)| *known == others).unwrap_or_else(|| {
            let contest = Contest {
                surroundings: words(index, true),
                pair: words(index, false),
                size: size.map_or(String::new(), |size| trial.values[size].clone()),
                contestants: Vec::new(),
                best: None,
                freezing: None,
                freezing_corrected: None,
                advised: None,
            };
            contests.push((others, contest));
            members.push(Vec::new());
            contests.len() - 1
        });
        match members[place].iter_mut().find(|(case, _)| *case == value) {
            Some((_, trials)) => trials.push(index),
            None => members[place].push((value, vec![index])),
        }
    }
    let mut contests: Vec<Contest> = contests.into_iter().map(|(_, contest)| contest).collect();
    for (contest, members) in contests.iter_mut().zip(&members) {
        fill(answers, contest, members);
        let mut numbers = members.iter().flat_map(|(_, trials)| trials);
        contest.advised = numbers.find_map(|index| {
            let number = answers.trials[*index].number;
            answers.advice.iter().find(|advised| advised.trial == number).cloned()
        });
    }
    // A case alone is no contest.
    contests.retain(|contest| contest.contestants.len() > 1);
    let all = || contests.iter().flat_map(|contest| &contest.contestants);
    let p: Vec<Option<f64>> = all().map(|it| it.behind.and_then(|behind| behind.p)).collect();
    let corrected = holm(&p);
    let contestants = contests.iter_mut().flat_map(|contest| &mut contest.contestants);
    contestants.zip(corrected).for_each(|(contestant, p)| contestant.corrected = p);
    let p: Vec<Option<f64>> = contests.iter().map(|it| it.freezing?.p).collect();
    contests.iter_mut().zip(holm(&p)).for_each(|(contest, p)| contest.freezing_corrected = p);
    contests
}

/// The values of trials by seed and fold.
fn values(answers: &Answers, trials: &[usize]) -> BTreeMap<(String, String), f64> {
    let of =
        |trial: &Trial| Some(((trial.seed.clone(), trial.fold.clone()), answers.value(trial)?));
    trials.iter().filter_map(|index| of(&answers.trials[*index])).collect()
}

fn fill(answers: &Answers, contest: &mut Contest, members: &[(String, Vec<usize>)]) {
    let measure: Measure = answers.measure;
    let samples: Vec<_> = members.iter().map(|(_, trials)| values(answers, trials)).collect();
    for ((case, trials), sample) in members.iter().zip(&samples) {
        let sample: Vec<f64> = sample.values().copied().collect();
        let mean = |of: fn(&Trial) -> Option<f64>| {
            let found = trials.iter().filter_map(|index| of(&answers.trials[*index]));
            Estimate::of(&found.collect::<Vec<_>>()).map(|found| found.mean)
        };
        contest.contestants.push(Contestant {
            case: case.clone(),
            estimate: Estimate::of(&sample),
            trainable: mean(|trial| trial.trainable),
            seconds: mean(|trial| trial.seconds),
            behind: None,
            corrected: None,
        });
    }
    let mean = |index: &usize| contest.contestants[*index].estimate.map(|found| found.mean);
    let best_of = |wanted: &dyn Fn(&str) -> bool| {
        let those = (0..members.len()).filter(|index| wanted(&members[*index].0));
        those.filter(|index| mean(index).is_some()).reduce(|best, index| {
            let (a, b) = (mean(&index), mean(&best));
            if a.zip(b).is_some_and(|(a, b)| measure.improves(a, b)) { index } else { best }
        })
    };
    let difference = |one: usize, other: usize| {
        let of = |(run, value): (&_, &f64)| Some(value - samples[other].get(run)?);
        Paired::of(&samples[one].iter().filter_map(of).collect::<Vec<f64>>())
    };
    let (frozen, trained) =
        (best_of(&|case| is_of(FROZEN, case)), best_of(&|case| is_of(TRAINED, case)));
    let freezing = frozen.zip(trained).and_then(|(frozen, trained)| difference(frozen, trained));
    let best = best_of(&|_| true);
    let behind: Vec<Option<Paired>> = (0..members.len())
        .map(|index| best.filter(|best| *best != index).and_then(|best| difference(best, index)))
        .collect();
    (contest.best, contest.freezing) = (best, freezing);
    contest.contestants.iter_mut().zip(behind).for_each(|(it, behind)| it.behind = behind);
}

/// The textbook's cases that freeze what is kept.
const FROZEN: [Case; 2] = [Case::SmallSimilar, Case::SmallDifferent];

/// The textbook's cases that train everything.
const TRAINED: [Case; 2] = [Case::LargeSimilar, Case::LargeDifferent];

fn is_of(cases: [Case; 2], name: &str) -> bool {
    cases.iter().any(|case| case.name() == name)
}

/// Which case won, over which others, and how sure that is.
pub fn verdict(answers: &Answers, contest: &Contest) -> String {
    let measure = answers.measure;
    let Some(winner) = contest.winner() else {
        return "no trial was completed".to_owned();
    };
    let of = |found: &Estimate| {
        let half =
            found.half_width.map_or(String::new(), |half| format!(" ± {}", measure.show(half)));
        format!("{}{half}{} (n = {})", measure.show(found.mean), measure.unit(), found.n)
    };
    let mut text = format!(
        "{} is best with {}",
        winner.case,
        winner.estimate.as_ref().map_or(String::new(), of)
    );
    let sure = |it: &&Contestant| it.corrected.is_some_and(|p| p < ALPHA);
    let others = || contest.contestants.iter().filter(|it| it.behind.is_some());
    let open: Vec<&str> = others().filter(|it| !sure(it)).map(|it| it.case.as_str()).collect();
    if !open.is_empty() {
        text.push_str(&format!(", tied with {}", open.join(" and ")));
    }
    for it in others().filter(sure) {
        let Some(behind) = it.behind else { continue };
        let half = behind.difference.half_width;
        text.push_str(&format!(
            "; {} is {}{}{} behind",
            it.case,
            measure.show(behind.difference.mean.abs()),
            half.map_or(String::new(), |half| format!(" ± {}", measure.show(half))),
            measure.unit_of_difference()
        ));
    }
    text
}

/// Whether the textbook's cases that freeze win (true) or those that train everything (false); none if the best ones of
/// both kinds cannot be told apart.
fn freezing_wins(measure: Measure, contest: &Contest) -> Option<bool> {
    let is_sure = contest.freezing_corrected.is_some_and(|p| p < ALPHA);
    let mean = contest.freezing.filter(|_| is_sure)?.difference.mean;
    Some(measure.improves(mean, 0.0))
}

/// For each pair of network and data its contests, the smallest size first.
pub fn pairs(contests: &[Contest]) -> Vec<(&str, Vec<&Contest>)> {
    let mut pairs: Vec<(&str, Vec<&Contest>)> = Vec::new();
    for contest in contests {
        match pairs.iter_mut().find(|(pair, _)| *pair == contest.pair) {
            Some((_, sizes)) => sizes.push(contest),
            None => pairs.push((&contest.pair, vec![contest])),
        }
    }
    for (_, sizes) in &mut pairs {
        sizes.sort_by(|a, b| number(&a.size).total_cmp(&number(&b.size)));
    }
    pairs
}

/// Where training everything begins to beat frozen layers, as far as the trials tell. Numbers are places among the
/// sizes that were compared, the smallest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Border {
    /// Frozen layers win up to the first of these sizes, training everything from the second one on.
    Between(usize, usize),
    /// Training everything wins at this size already, the smallest one that tells.
    Below(usize),
    /// Frozen layers still win at this size, the largest one that tells.
    Above(usize),
    /// Frozen layers win at this size and not at a smaller one.
    Broken(usize),
    /// No size tells.
    Open,
}

/// The border between small and large of a pair of network and data that was compared at `sizes`, by the textbook's four
/// cases: what was advised may freeze at any size.
pub fn border(measure: Measure, sizes: &[&Contest]) -> Border {
    let told = sizes.iter().enumerate();
    let told: Vec<(usize, bool)> = told
        .filter_map(|(place, contest)| Some((place, freezing_wins(measure, contest)?)))
        .collect();
    let changes: Vec<&[(usize, bool)]> =
        told.windows(2).filter(|two| two[0].1 != two[1].1).collect();
    let broken = changes.iter().find(|two| two[1].1);
    match (broken, changes.first(), told.first(), told.last()) {
        (Some(two), ..) => Border::Broken(two[1].0),
        (_, Some(two), ..) => Border::Between(two[0].0, two[1].0),
        (.., Some((_, true)), Some((last, _))) => Border::Above(*last),
        (.., Some((first, _)), _) => Border::Below(*first),
        _ => Border::Open,
    }
}

/// A size in words for people: "10 per class", "20 %", "all".
pub fn size_in_words(size: &str) -> String {
    let number = number(size);
    match size {
        _ if size.contains("per-class") => format!("{number} per class"),
        _ if size.contains("fraction") => format!("{} %", 100.0 * number),
        _ => "all".to_owned(),
    }
}

/// The number in a size such as `{ per-class = 10 }`; all images are more than any.
fn number(size: &str) -> f64 {
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    let text: String =
        size.chars().skip_while(|c| !digits(*c)).take_while(|c| digits(*c)).collect();
    text.parse().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(in crate::analysis::cases) fn contest(
        pair: &str,
        size: &str,
        winner: &str,
        p: f64,
    ) -> Contest {
        let contestant = |case: &str| Contestant {
            case: case.to_owned(),
            estimate: Estimate::of(&[0.5, 0.6]),
            trainable: None,
            seconds: None,
            behind: None,
            corrected: (case != winner).then_some(p),
        };
        let contestants = vec![contestant("large-similar"), contestant("small-similar")];
        let best = contestants.iter().position(|it| it.case == winner);
        let (pair, size) = (pair.to_owned(), size.to_owned());
        let surroundings = format!("{pair}, {size}");
        let towards = if winner == "small-similar" { 1.0 } else { -1.0 };
        Contest {
            surroundings,
            pair,
            size,
            contestants,
            best,
            freezing: Paired::of(&[0.1 * towards, 0.2 * towards]),
            freezing_corrected: Some(p),
            advised: None,
        }
    }

    #[test]
    fn sizes_are_words_that_fit_below_an_axis() {
        let words = ["{ per-class = 10 }", "{ fraction = 0.2 }", "none"].map(size_in_words);
        assert_eq!(words, ["10 per class", "20 %", "all"]);
    }

    #[test]
    fn the_border_lies_where_the_winner_no_longer_freezes_as_far_as_that_can_be_told() {
        let contests = [
            contest("a", "none", "large-similar", 0.01),
            contest("a", "{ per-class = 20 }", "large-similar", 0.3),
            contest("a", "{ per-class = 5 }", "small-similar", 0.01),
            contest("b", "{ per-class = 5 }", "large-similar", 0.01),
            contest("b", "none", "large-similar", 0.01),
            contest("c", "{ per-class = 5 }", "large-similar", 0.2),
            contest("c", "none", "small-similar", 0.2),
            contest("d", "{ per-class = 5 }", "large-similar", 0.01),
            contest("d", "none", "small-similar", 0.01),
            contest("e", "{ per-class = 5 }", "small-similar", 0.01),
            contest("e", "{ per-class = 9 }", "small-similar", 0.01),
            contest("e", "none", "small-similar", 0.2),
            contest("f", "{ per-class = 5 }", "small-similar", 0.01),
            contest("f", "{ per-class = 9 }", "large-similar", 0.01),
            contest("f", "none", "small-similar", 0.01),
        ];
        let accuracy = "val_accuracy".parse().unwrap();
        let found: Vec<Border> =
            pairs(&contests).iter().map(|(_, sizes)| border(accuracy, sizes)).collect();
        let expected = [
            Border::Between(0, 2),
            Border::Below(0),
            Border::Open,
            Border::Broken(1),
            Border::Above(1),
            Border::Broken(2),
        ];
        assert_eq!(found, expected);
    }
}

//! Strategies against each other: who is tried for how long, who drops out, and what the trying has told.
//!
//! All strategies are tried on the same folds of the same images, so that they are compared image by image.
//! What costs next to nothing, such as a head on features that are kept, is trained whole at once. So are the
//! others, if the budget has room for that. If not, they go through rounds: the last of a sixteenth, an eighth, a
//! quarter, a half and all of the epochs, as few as there is room for; and of those in a round the better half goes
//! on (successive halving: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
//! optimization", 2016). It ends when the paired interval has decided, when all epochs are trained, or when the
//! next round does not fit into the budget.
//!
//! All of this is a function of accuracies: it knows no clock, no threads and no order of arrival.

use std::collections::BTreeSet;

use crate::measures::{Accuracy, Difference};
use crate::plan::strategy::{Learns, Strategy};
use crate::plan::work::Work;

/// Parts of the training images: each is left out once.
pub const FOLDS: usize = 3;

/// What a strategy's whole trying may cost to be tried at once: this part of the budget.
const CHEAP: u64 = 50;

/// Standard errors from which on a difference is decided: about 95 % of chance stays within.
const DECIDED: f64 = 2.0;

/// Rounds: the part of the epochs that is trained at the end of each, as one over this.
const ROUNDS: [usize; 5] = [16, 8, 4, 2, 1];

/// The last round that has to be within reach of a strategy for it to be begun with.
const WITHIN_REACH: usize = 2;

/// A strategy that takes part.
#[derive(Clone, Debug, PartialEq)]
pub struct Entrant {
    /// What it does.
    pub strategy: Strategy,
    /// Its work on one of the folds. What frozen layers make of the images is shared by all folds and by all that
    /// freeze the same layers.
    pub work: Work,
    /// How many leading layers are frozen.
    pub frozen: usize,
}

impl Entrant {
    /// How dear what it does is: strategies of one kind cost about the same.
    fn kind(&self) -> usize {
        match self.strategy.learns {
            Learns::Head => 0,
            Learns::Upper(_) => 1,
            Learns::Everything | Learns::Anew => 2,
        }
    }
}

/// What has become of a strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The budget had no room for it.
    Untried,
    /// Its loss was no number, or something else went wrong.
    Failed,
    /// It dropped out: others were better after as many epochs.
    Dropped,
    /// It is one of those that the answer is chosen from.
    Last,
}

/// How far a strategy has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// Epochs that it was trained.
    pub epochs: usize,
    /// Which images it had right that it had not learned from, after so many.
    pub accuracy: Option<Accuracy>,
    /// The accuracy that is expected after all epochs: what the last doubling of epochs has added, if that is more
    /// than chance, comes again by halves.
    pub expected: f64,
    /// What has become of it.
    pub fate: Fate,
}

/// What a tournament has come to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Of each entrant.
    pub standings: Vec<Standing>,
    /// The entrant that is recommended: of those that cannot be told from the best the cheapest kind, and of that
    /// kind the best.
    pub chosen: usize,
    /// The best by expectation.
    pub best: usize,
    /// Those that cannot be told from the best, without it.
    pub tied: Vec<usize>,
    /// Work that was done.
    pub spent: u64,
    /// Whether a round was left out because the budget had no room.
    pub is_cut_short: bool,
}

/// How many epochs each round ends with.
fn rounds(epochs: usize) -> Vec<usize> {
    let mut rounds: Vec<usize> = ROUNDS.iter().map(|part| epochs.div_ceil(*part)).collect();
    rounds.dedup();
    rounds
}

/// A tournament.
pub struct Tournament<'a> {
    entrants: &'a [Entrant],
    epochs: usize,
    budget: u64,
    standings: Vec<Standing>,
    /// The accuracy one round earlier.
    earlier: Vec<Option<Accuracy>>,
    /// Of which leading layers features are there.
    extracted: BTreeSet<usize>,
    spent: u64,
}

/// Trains entrants, each until so many epochs, on all folds: which images of all each had right that it had not
/// learned from; none for one that failed.
pub type Try<'a, E> = dyn FnMut(&[(usize, usize)]) -> Result<Vec<Option<Accuracy>>, E> + 'a;

impl<'a> Tournament<'a> {
    /// Of `entrants`, the most promising ones first, over `epochs` epochs and within a work of `budget`.
    pub fn new(entrants: &'a [Entrant], epochs: usize, budget: u64) -> Tournament<'a> {
        let begun = Standing { epochs: 0, accuracy: None, expected: 0.0, fate: Fate::Untried };
        Tournament {
            entrants,
            epochs,
            budget,
            standings: vec![begun; entrants.len()],
            earlier: vec![None; entrants.len()],
            extracted: BTreeSet::new(),
            spent: 0,
        }
    }

    /// Holds it. Of no entrants, or where the budget had no room for any, the first one is chosen untried.
    ///
    /// # Errors
    /// Those of `tries`.
    pub fn hold<E>(mut self, tries: &mut Try<E>) -> Result<Outcome, E> {
        let all = 0..self.entrants.len();
        let (cheap, dear): (Vec<usize>, Vec<usize>) = all.partition(|index| {
            let whole = FOLDS as u64 * self.entrants[*index].work.epoch * self.epochs as u64;
            whole <= self.budget / CHEAP
        });
        let mut affordable = Vec::new();
        for index in cheap {
            let with = [&affordable[..], &[index]].concat();
            if self.spent + self.cost(&with, self.epochs) <= self.budget / 2 {
                affordable = with;
            }
        }
        self.train(&affordable, self.epochs, tries)?;
        let (mut going, rounds) = self.begin(&dear);
        let mut is_cut_short = going.len() < dear.len();
        for (round, epochs) in rounds.iter().enumerate() {
            let fitting = (0..=going.len())
                .rev()
                .find(|count| self.spent + self.cost(&going[..*count], *epochs) <= self.budget);
            let fitting = fitting.unwrap_or(0);
            if fitting < going.len() {
                is_cut_short = true;
                if fitting == 0 {
                    break;
                }
                self.drop_out(&going.split_off(fitting));
            }
            self.train(&going, *epochs, tries)?;
            going.retain(|index| self.standings[*index].fate != Fate::Failed);
            // Stable: of equals the more promising one comes first.
            going.sort_by(|a, b| self.value(*b).total_cmp(&self.value(*a)));
            let Some(leader) = going.first().copied() else { break };
            let is_behind = |index: &usize| self.is_decided(leader, *index);
            let stay = going.iter().skip(1).filter(|index| !is_behind(index)).count();
            let stay = stay.min(going.len().div_ceil(2).saturating_sub(1));
            let (mut next, mut out) = (vec![leader], Vec::new());
            for index in going.into_iter().skip(1) {
                match next.len() <= stay && !self.is_decided(leader, index) {
                    true => next.push(index),
                    false => out.push(index),
                }
            }
            self.drop_out(&out);
            going = next;
            if self.has_decided(&going, rounds.len() - 1 - round) {
                break;
            }
        }
        Ok(self.outcome(is_cut_short))
    }

    /// Those of `dear` to begin with, and the epochs at which rounds end: as few rounds as the budget has room for with
    /// all of `dear`; else all rounds, with as many of the first as can come to the round [`WITHIN_REACH`].
    fn begin(&self, dear: &[usize]) -> (Vec<usize>, Vec<usize>) {
        let rounds = rounds(self.epochs);
        let room = self.budget.saturating_sub(self.spent);
        let begun =
            (0..rounds.len()).rev().find(|first| self.planned(dear, &rounds[*first..]) <= room);
        if let Some(first) = begun {
            return (dear.to_vec(), rounds[first..].to_vec());
        }
        let within = self.epochs.div_ceil(1 << WITHIN_REACH);
        let reach: Vec<usize> = rounds.iter().copied().filter(|it| *it <= within).collect();
        let fits = |count: &usize| self.planned(&dear[..*count], &reach) <= room;
        let count = (1..=dear.len()).rev().find(fits).unwrap_or(0);
        (dear[..count].to_vec(), rounds)
    }

    /// The work of these rounds, which begin with all of `some`, if its first half is the better one each time.
    fn planned(&self, some: &[usize], rounds: &[usize]) -> u64 {
        let (mut going, mut before, mut total) = (some.len(), 0, 0);
        for epochs in rounds {
            let each = some[..going].iter().map(|index| self.entrants[*index].work.epoch);
            total += FOLDS as u64 * each.sum::<u64>() * (epochs - before) as u64;
            (going, before) = (going.div_ceil(2), *epochs);
        }
        total
    }

    /// The work of training `some` until `epochs` on all folds.
    fn cost(&self, some: &[usize], epochs: usize) -> u64 {
        let mut extracted = self.extracted.clone();
        let mut total = 0;
        for index in some {
            let Entrant { work, frozen, .. } = &self.entrants[*index];
            let more = epochs.saturating_sub(self.standings[*index].epochs) as u64;
            total += FOLDS as u64 * work.epoch * more;
            if extracted.insert(*frozen) {
                total += work.once;
            }
        }
        total
    }

    fn train<E>(&mut self, some: &[usize], epochs: usize, tries: &mut Try<E>) -> Result<(), E> {
        if some.is_empty() {
            return Ok(());
        }
        self.spent += self.cost(some, epochs);
        let wanted: Vec<(usize, usize)> = some.iter().map(|index| (*index, epochs)).collect();
        for (index, found) in some.iter().zip(tries(&wanted)?) {
            self.extracted.insert(self.entrants[*index].frozen);
            let standing = &mut self.standings[*index];
            standing.epochs = epochs;
            self.earlier[*index] = standing.accuracy.take();
            standing.fate = if found.is_some() { Fate::Last } else { Fate::Failed };
            standing.accuracy = found;
        }
        Ok(())
    }

    fn drop_out(&mut self, some: &[usize]) {
        for index in some {
            let standing = &mut self.standings[*index];
            let is_tried = standing.accuracy.is_some();
            standing.fate = if is_tried { Fate::Dropped } else { Fate::Untried };
        }
    }

    fn value(&self, index: usize) -> f64 {
        self.standings[index].accuracy.as_ref().map_or(0.0, Accuracy::value)
    }

    /// The first above the second.
    fn above(&self, first: usize, second: usize) -> Difference {
        let accuracy = |index: usize| self.standings[index].accuracy.as_ref();
        let difference = accuracy(first).zip(accuracy(second)).and_then(|(a, b)| a.above(b));
        difference.unwrap_or(Difference { mean: 0.0, standard_error: f64::INFINITY })
    }

    fn is_decided(&self, first: usize, second: usize) -> bool {
        let Difference { mean, standard_error } = self.above(first, second);
        mean > DECIDED * standard_error
    }

    /// What the last doubling of epochs has added to `index`, and its standard error.
    fn gain(&self, index: usize) -> Option<Difference> {
        self.standings[index].accuracy.as_ref()?.above(self.earlier[index].as_ref()?)
    }

    /// Whether more epochs would tell nothing new, where so many rounds are left for those that are still going.
    fn has_decided(&self, going: &[usize], left: usize) -> bool {
        let is_complete =
            |index: &usize| self.standings[*index].fate == Fate::Last && !going.contains(index);
        let complete = (0..self.entrants.len()).filter(is_complete);
        let best = complete.max_by(|a, b| self.value(*a).total_cmp(&self.value(*b)));
        let (Some(best), Some(leader)) = (best, going.first().copied()) else { return false };
        // A strategy rarely gets worse by learning more: it is above already.
        if going.len() == 1 && self.is_decided(leader, best) {
            return true;
        }
        // Or its curve, which bends down over doublings of epochs once it has risen, will not get there.
        left <= 1
            && going.iter().all(|index| {
                let Some(gain) = self.gain(*index) else { return false };
                let most = (gain.mean + gain.standard_error).max(0.0);
                let behind = self.above(best, *index);
                behind.mean - DECIDED * behind.standard_error > most
            })
    }

    fn expected(&self, index: usize) -> f64 {
        let mut left = self.epochs as f64 / self.standings[index].epochs.max(1) as f64;
        let gain = self.gain(index).filter(|gain| gain.mean > gain.standard_error);
        let mut gain = gain.map_or(0.0, |gain| gain.mean);
        let mut expected = self.value(index);
        while left >= 2.0 {
            gain /= 2.0;
            left /= 2.0;
            expected += gain;
        }
        expected.min(1.0)
    }

    fn outcome(mut self, is_cut_short: bool) -> Outcome {
        for index in 0..self.entrants.len() {
            self.standings[index].expected = self.expected(index);
        }
        let last = |index: &usize| self.standings[*index].fate == Fate::Last;
        let last: Vec<usize> = (0..self.entrants.len()).filter(last).collect();
        let expected = |index: usize| self.standings[index].expected;
        // Of equals the first: the more promising one.
        let better = |a: usize, b: usize| if expected(b) > expected(a) { b } else { a };
        let best = last.iter().copied().reduce(better).unwrap_or(0);
        let is_tied = |index: &usize| {
            let error = self.above(best, *index).standard_error;
            *index != best && expected(best) - expected(*index) <= error * (1.0 + 1e-9)
        };
        let tied: Vec<usize> = last.into_iter().filter(is_tied).collect();
        let kind = |index: usize| self.entrants.get(index).map_or(0, Entrant::kind);
        let cheaper = |a: usize, b: usize| match kind(a).cmp(&kind(b)) {
            std::cmp::Ordering::Less => a,
            std::cmp::Ordering::Greater => b,
            std::cmp::Ordering::Equal => better(a, b),
        };
        let chosen = tied.iter().copied().fold(best, cheaper);
        let Tournament { standings, spent, .. } = self;
        Outcome { standings, chosen, best, tied, spent, is_cut_short }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::strategy::Head;

    /// Of one kind each, with work like a network's: a head costs a five-hundredth.
    fn entrants(kinds: &[Learns]) -> Vec<Entrant> {
        let entrant = |learns: &Learns| Entrant {
            strategy: Strategy {
                cut: "conv3".to_owned(),
                features: vec![64],
                is_deep: true,
                head: Head::Dense,
                learns: learns.clone(),
                rate: 1.0,
            },
            work: match learns {
                Learns::Head => Work { once: 300, epoch: 2 },
                _ => Work { once: 0, epoch: 1_000 },
            },
            frozen: usize::from(*learns == Learns::Head),
        };
        kinds.iter().map(entrant).collect()
    }

    /// The first `right` of 1,000 images.
    fn right(right: usize) -> Accuracy {
        Accuracy::new((0..1000).map(|image| image < right).collect())
    }

    const EPOCHS: usize = 16;

    /// What each entrant has right after so many epochs, and the tries that were made.
    fn hold(
        entrants: &[Entrant],
        budget: u64,
        curve: impl Fn(usize, usize) -> Option<usize>,
    ) -> (Outcome, Vec<Vec<(usize, usize)>>) {
        let mut made = Vec::new();
        let outcome = Tournament::new(entrants, EPOCHS, budget).hold(&mut |wanted| {
            made.push(wanted.to_vec());
            let of = |(entrant, epochs): &(usize, usize)| curve(*entrant, *epochs).map(right);
            Ok::<_, ()>(wanted.iter().map(of).collect())
        });
        (outcome.unwrap(), made)
    }

    use Learns::{Anew, Everything, Head as Alone};

    #[test]
    fn heads_are_tried_whole_at_once_and_of_the_others_half_go_on_after_each_round() {
        let entrants = entrants(&[Alone, Everything, Everything, Anew, Anew]);
        // They stay apart from each other by less than can be decided.
        let curve = |entrant: usize, epochs: usize| {
            Some(if entrant == 0 { 500 } else { 490 + epochs + entrant })
        };
        let (outcome, made) = hold(&entrants, 3 * 1_000 * 23, curve);
        let expected: [&[(usize, usize)]; 6] = [
            &[(0, 16)],
            &[(1, 1), (2, 1), (3, 1), (4, 1)],
            &[(4, 2), (3, 2)],
            &[(4, 4)],
            &[(4, 8)],
            &[(4, 16)],
        ];
        assert_eq!(made, expected);
        assert_eq!(outcome.standings[3].fate, Fate::Dropped);
        assert_eq!(outcome.standings[4].fate, Fate::Last);
        // Where there is room for more, there are fewer rounds, at last a single one.
        let ends = |budget| -> Vec<usize> {
            hold(&entrants, budget, curve).1.iter().skip(1).map(|round| round[0].1).collect()
        };
        assert_eq!(ends(3 * 1_000 * 33), [4, 8, 16]);
        assert_eq!(ends(3 * 1_000 * 65), [16]);
    }

    /// Room for one that is trained whole in five rounds.
    const ROUNDS_OF_ONE: u64 = 3 * 1_000 * 16 + 400;

    #[test]
    fn what_is_above_all_heads_before_its_end_has_won_and_is_trained_no_further() {
        let entrants = entrants(&[Alone, Everything, Everything]);
        let curve = |entrant: usize, _: usize| Some([500, 600, 300][entrant]);
        let (outcome, made) = hold(&entrants, ROUNDS_OF_ONE + 3_000, curve);
        assert_eq!(made, [vec![(0, 16)], vec![(1, 1), (2, 1)]]);
        assert_eq!((outcome.chosen, outcome.best, &outcome.tied[..]), (1, 1, &[][..]));
        assert!(!outcome.is_cut_short);
    }

    #[test]
    fn what_gains_too_little_by_half_of_its_epochs_to_reach_a_head_is_trained_no_further() {
        let entrants = entrants(&[Alone, Everything, Everything]);
        let hold = |step: usize| {
            hold(&entrants, ROUNDS_OF_ONE + 3_000, |entrant, epochs| {
                Some([900, 300 + step * epochs.ilog2() as usize, 100][entrant])
            })
        };
        let (outcome, made) = hold(5);
        assert_eq!(made.last().unwrap(), &[(1, 8)]);
        assert_eq!(outcome.chosen, 0);
        // One that gains a lot may get there yet.
        let (outcome, made) = hold(160);
        assert_eq!(made.last().unwrap(), &[(1, 16)]);
        assert_eq!(outcome.chosen, 1);
    }

    #[test]
    fn of_those_that_cannot_be_told_from_the_best_the_cheapest_is_recommended() {
        let entrants = entrants(&[Alone, Everything]);
        let (outcome, _) =
            hold(&entrants, 1_000_000, |entrant, _| Some(if entrant == 0 { 600 } else { 601 }));
        assert_eq!((outcome.best, outcome.chosen, &outcome.tied[..]), (1, 0, &[0][..]));
        // By more than a standard error it is another matter.
        let (outcome, _) =
            hold(&entrants, 1_000_000, |entrant, _| Some(if entrant == 0 { 600 } else { 603 }));
        assert_eq!((outcome.best, outcome.chosen, &outcome.tied[..]), (1, 1, &[][..]));
    }

    #[test]
    fn no_more_work_is_done_than_the_budget_has_room_for() {
        let kinds = [vec![Alone], vec![Everything; 6]].concat();
        let entrants = entrants(&kinds);
        let curve =
            |entrant: usize, epochs: usize| Some(500 + 10 * epochs.ilog2() as usize + entrant);
        for budget in (0..200_000).step_by(3_000) {
            let (outcome, made) = hold(&entrants, budget, curve);
            assert!(outcome.spent <= budget, "{} of {budget}", outcome.spent);
            let whole = |(entrant, epochs): &(usize, usize)| {
                let before = made.iter().flatten().filter(|it| it.0 == *entrant && it.1 < *epochs);
                let before = before.map(|it| it.1).max().unwrap_or(0);
                3 * entrants[*entrant].work.epoch * (*epochs - before) as u64
            };
            let counted: u64 = made.iter().flatten().map(whole).sum();
            let features = if made.iter().flatten().any(|it| it.0 == 0) { 300 } else { 0 };
            assert_eq!(outcome.spent, counted + features);
        }
        let (outcome, made) = hold(&entrants, 0, curve);
        assert_eq!((outcome.chosen, made.len()), (0, 0));
        assert!(outcome.standings.iter().all(|standing| standing.fate == Fate::Untried));
        assert!(outcome.is_cut_short);
    }

    #[test]
    fn what_fails_drops_out_and_the_others_go_on() {
        let entrants = entrants(&[Everything, Everything, Anew]);
        let (outcome, _) = hold(&entrants, 1_000_000, |entrant, epochs| {
            (entrant != 0).then_some(500 + 30 * epochs + entrant)
        });
        assert_eq!(outcome.standings[0].fate, Fate::Failed);
        assert_eq!(outcome.chosen, 2);
        let (outcome, _) = hold(&entrants, 1_000_000, |_, _| None);
        assert!(outcome.standings.iter().all(|standing| standing.fate == Fate::Failed));
    }

    #[test]
    fn epochs_that_are_not_trained_are_expected_to_add_half_of_what_the_ones_before_them_did() {
        let entrants = entrants(&[Everything]);
        // Room until the eighth of sixteen epochs.
        let (outcome, made) =
            hold(&entrants, 3 * 1_000 * 8, |_, epochs| Some(500 + 100 * epochs.ilog2() as usize));
        assert_eq!(made.last().unwrap(), &[(0, 8)]);
        assert!((outcome.standings[0].expected - 0.85).abs() < 1e-9);
        assert!(outcome.is_cut_short);
    }
}

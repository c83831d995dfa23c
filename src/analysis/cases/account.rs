//! What a comparison of cases comes to, in one paragraph for each pair of network and data: what won, where the
//! border between small and large lies, what the textbook's rule said, and what was advised beforehand.

use crate::analysis::Answers;
use crate::analysis::measure::Measure;
use crate::analysis::statistics::{ALPHA, Estimate};
use crate::basis::number::count;

use super::hindsight::{Advisor, words};
use super::{Border, Contest, border, pairs, size_in_words};

/// A pair of network and data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// The levels of the factors other than case and size, in words; empty if there are none.
    pub pair: String,
    /// Whole sentences.
    pub sentences: Vec<String>,
}

impl Account {
    /// The sentences as a paragraph.
    pub fn text(&self) -> String {
        self.sentences.join(" ")
    }
}

/// An account of each pair, in the order of the plan.
pub fn accounts(answers: &Answers, contests: &[Contest]) -> Vec<Account> {
    let of = |(pair, sizes): (&str, Vec<&Contest>)| Account {
        pair: pair.to_owned(),
        sentences: sentences(answers.measure, &sizes),
    };
    pairs(contests).into_iter().map(of).collect()
}

fn sentences(measure: Measure, sizes: &[&Contest]) -> Vec<String> {
    let mut found: Vec<String> = sizes.iter().map(|contest| winner(measure, contest)).collect();
    found.extend(border_in_words(measure, sizes));
    found.extend(textbook(measure, sizes));
    found.extend(advice(measure, sizes));
    found
}

/// "With 50 training images"; "Here" where there is one size and nobody counted.
fn with_images(contest: &Contest) -> String {
    match (images(contest), contest.size.is_empty()) {
        (Some(images), _) => format!("With {}", count(images, "training image")),
        (None, true) => "Here".to_owned(),
        (None, false) => format!("With {}", size(contest)),
    }
}

fn images(contest: &Contest) -> Option<usize> {
    contest.advised.as_ref().map(|advised| advised.images).filter(|images| *images > 0)
}

/// "50 training images", or the size as it was written.
fn size(contest: &Contest) -> String {
    match images(contest) {
        Some(images) => count(images, "training image"),
        None => match size_in_words(&contest.size) {
            all if all == "all" => "all training images".to_owned(),
            some => format!("{some} of the training images"),
        },
    }
}

fn value(measure: Measure, found: &Estimate) -> String {
    let half = found.half_width.map(|half| format!(" ± {}", measure.show(half)));
    format!("{}{}{}", measure.show(found.mean), half.unwrap_or_default(), measure.unit())
}

/// Names as a list in words.
fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [some @ .., last] => format!("{} and {last}", some.join(", ")),
    }
}

/// Which case won at one size.
fn winner(measure: Measure, contest: &Contest) -> String {
    let with = with_images(contest);
    let Some((winner, estimate)) = contest.winner().and_then(|it| Some((it, it.estimate?))) else {
        return format!("{with}, no trial was completed.");
    };
    let best = format!("{with}, {} is best ({})", winner.case, value(measure, &estimate));
    let others = || contest.contestants.iter().filter(|it| it.behind.is_some());
    let open = others().filter(|it| it.corrected.is_none_or(|p| p >= ALPHA));
    let open: Vec<&str> = open.map(|it| it.case.as_str()).collect();
    match open.len() {
        0 if others().next().is_some() => format!("{best}; all others are worse."),
        0 => format!("{best}."),
        found if found == others().count() => format!("{best}, but all others are tied with it."),
        _ => format!("{best}; tied with it: {}.", list(&open)),
    }
}

/// From which size on training everything wins; none for a single size.
fn border_in_words(measure: Measure, sizes: &[&Contest]) -> Option<String> {
    let of = |place: usize| size(sizes[place]);
    (sizes.len() > 1).then(|| match border(measure, sizes) {
        Border::Between(below, above) => format!(
            "Of the textbook's cases, those that freeze win with up to {}, and those that train everything win from {} on: the border between small and large lies between them.",
            of(below),
            of(above)
        ),
        Border::Below(first) => format!(
            "Of the textbook's cases, one that trains everything wins with {} already: the border between small and large lies below that.",
            of(first)
        ),
        Border::Above(last) => format!(
            "Of the textbook's cases, one that freezes still wins with {}: the border between small and large lies above that.",
            of(last)
        ),
        Border::Broken(at) => format!(
            "Of the textbook's cases, one that freezes wins with {} but not with fewer: there is no single border between small and large.",
            of(at)
        ),
        Border::Open => {
            "These trials do not show the border between small and large: at every size, the textbook's cases \
             that freeze are tied with those that train everything.".to_owned()
        }
    })
}

/// How far the case `name` is behind the best one.
fn behind(measure: Measure, contest: &Contest, name: &str) -> Option<String> {
    let found = contest.contestants.iter().find(|it| it.case == name)?.behind?.difference;
    let half = found.half_width.map(|half| format!(" ± {}", measure.show(half)));
    let unit = measure.unit_of_difference();
    Some(format!("{}{}{unit}", measure.show(found.mean.abs()), half.unwrap_or_default()))
}

/// How the case `name` came out at one size.
fn came_out(measure: Measure, contest: &Contest, name: &str) -> String {
    let outcome = contest.outcome_of(name);
    match (outcome, behind(measure, contest, name)) {
        (Advisor::Wrong, Some(behind)) => format!("{behind} behind the best"),
        (Advisor::Open, Some(behind)) => format!("{}, {behind} behind", words(outcome)),
        _ => words(outcome).to_owned(),
    }
}

/// What the textbook's rule said of each size, and how that came out.
fn textbook(measure: Measure, sizes: &[&Contest]) -> Option<String> {
    let asked = sizes.iter().filter_map(|contest| Some((contest, contest.advised.as_ref()?)));
    let mut said: Vec<String> = Vec::new();
    for (contest, advised) in asked {
        let alike = if advised.kind == "similar" { "similar to" } else { "different from" };
        let came_out = came_out(measure, contest, &advised.textbook);
        said.push(match said.is_empty() {
            true => format!(
                "The textbook's rule says {} for {} (a {} set, {}; {alike} what the network knows, similarity {:.2}, {}): {came_out}",
                advised.textbook,
                size(contest),
                advised.size,
                advised.size_confidence,
                advised.similarity,
                advised.similarity_confidence,
            ),
            false => format!("{} for {}: {came_out}", advised.textbook, size(contest)),
        });
    }
    (!said.is_empty()).then(|| format!("{}.", said.join("; ")))
}

/// What was advised for each size before anything was trained, and how that came out.
fn advice(measure: Measure, sizes: &[&Contest]) -> Option<String> {
    let mut said: Vec<String> = Vec::new();
    for contest in sizes {
        let Some(advised) = contest.advised.as_ref().filter(|it| !it.strategy.is_empty()) else {
            continue;
        };
        let ran = contest.contestants.iter().find(|it| it.case == advised.as_run);
        let ran = ran.and_then(|ran| ran.estimate).map(|found| value(measure, &found));
        let expected = advised.expected.map(|it| format!("{:.1} % accuracy", 100.0 * it));
        let numbers = match (expected, ran) {
            (Some(expected), Some(ran)) => format!(" (expected {expected}, found {ran})"),
            (Some(expected), None) => format!(" (expected {expected})"),
            _ => String::new(),
        };
        let came_out = came_out(measure, contest, &advised.as_run);
        let what = format!("{}{numbers} for {}: {came_out}", advised.strategy, size(contest));
        said.push(match said.is_empty() {
            true => format!("Before training, wick advise recommended {what}"),
            false => what,
        });
    }
    (!said.is_empty()).then(|| format!("{}.", said.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::cases::tests::contest;
    use crate::analysis::statistics::Paired;
    use crate::sweep::advised::Advised;

    fn accuracy() -> Measure {
        "val_accuracy".parse().unwrap()
    }

    fn advised(images: usize, as_run: &str) -> Option<Advised> {
        Some(Advised {
            trial: 1,
            images,
            textbook: "small-similar".to_owned(),
            size: "small".to_owned(),
            size_confidence: "clear".to_owned(),
            kind: "similar".to_owned(),
            similarity: 0.8125,
            similarity_confidence: "likely".to_owned(),
            strategy: "a dense layer on frozen conv3".to_owned(),
            nearest: "small-similar".to_owned(),
            expected: Some(0.876),
            as_run: as_run.to_owned(),
            ..Advised::default()
        })
    }

    fn behind(contest: &mut Contest) {
        let best = contest.best.unwrap();
        contest.contestants[1 - best].behind = Paired::of(&[0.10, 0.12]);
    }

    #[test]
    fn a_pair_is_told_in_one_paragraph() {
        let mut small = contest("a", "{ per-class = 5 }", "small-similar", 0.01);
        let mut large = contest("a", "none", "large-similar", 0.01);
        small.advised = advised(25, "small-similar");
        large.advised = advised(1500, "large-similar");
        behind(&mut small);
        behind(&mut large);
        insta::assert_snapshot!(sentences(accuracy(), &[&small, &large]).join("\n"));
    }

    #[test]
    fn where_nothing_was_measured_or_told_the_paragraph_says_no_more() {
        let mut only = contest("", "", "large-similar", 0.3);
        behind(&mut only);
        assert_eq!(
            sentences(accuracy(), &[&only]),
            ["Here, large-similar is best (55.00 ± 63.53 %), but all others are tied with it."]
        );
        let (mut first, mut second) = (only.clone(), only);
        first.size = "{ fraction = 0.2 }".to_owned();
        second.contestants.iter_mut().for_each(|it| it.estimate = None);
        second.best = None;
        assert_eq!(
            sentences(accuracy(), &[&first, &second]),
            [
                "With 20 % of the training images, large-similar is best (55.00 ± 63.53 %), but all others are \
                 tied with it.",
                "Here, no trial was completed.",
                "These trials do not show the border between small and large: at every size, the textbook's \
                 cases that freeze are tied with those that train everything.",
            ]
        );
    }
}

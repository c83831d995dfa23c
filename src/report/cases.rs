//! The cases of a transfer beside each other, and what follows in words.

use maud::html;

use crate::analysis::Answers;
use crate::analysis::cases::{
    Border, Contest, Contestant, accounts, advisors, border, contests, pairs, size_in_words,
    verdict,
};
use crate::basis::number::number;
use crate::charts::sizes::{Way, sizes};
use crate::charts::{COLOURS, Chart};

use super::section::{Section, capital, estimate};

/// The cases in the order of the plan.
fn cases(contests: &[Contest]) -> Vec<&str> {
    let mut cases: Vec<&str> = Vec::new();
    for contestant in contests.iter().flat_map(|contest| &contest.contestants) {
        if !cases.contains(&contestant.case.as_str()) {
            cases.push(&contestant.case);
        }
    }
    cases
}

fn find(contest: &Contest, case: &str) -> Option<usize> {
    contest.contestants.iter().position(|contestant| contestant.case == case)
}

/// The cases over the size of the data set, a chart for each pair of network and data; none for sweeps
/// over a single size.
pub(super) fn charts(answers: &Answers) -> Vec<Chart> {
    let contests = contests(answers);
    let cases = cases(&contests);
    let measure = answers.measure;
    let (scale, unit) = if measure.is_loss() { (1.0, "") } else { (100.0, ", %") };
    let said = format!("{}{unit}", capital(&measure.words()));
    let pairs = pairs(&contests).into_iter().filter(|(_, sizes)| sizes.len() > 1).enumerate();
    let chart = |(index, (pair, contests)): (usize, (&str, Vec<&Contest>))| {
        let point = |contest: &Contest, case: &str| {
            let estimate = contest.contestants[find(contest, case)?].estimate?;
            Some((scale * estimate.mean, scale * estimate.half_width.unwrap_or(0.0)))
        };
        let way = |(rank, case): (usize, &&str)| Way {
            label: (*case).to_owned(),
            class: format!("s{rank}"),
            points: contests.iter().map(|contest| point(contest, case)).collect(),
        };
        let ways: Vec<Way> = cases.iter().take(COLOURS).enumerate().map(way).collect();
        let words: Vec<String> = contests.iter().map(|it| size_in_words(&it.size)).collect();
        let title = match pair {
            "" => said.clone(),
            pair => format!("{said}: {pair}"),
        };
        let band = match border(measure, &contests) {
            Border::Between(below, above) => Some((below, above)),
            _ => None,
        };
        sizes(&format!("cases-{}", index + 1), &title, &words, "training images", &ways, band)
    };
    pairs.map(chart).collect()
}

/// The section; none unless cases were compared.
pub(super) fn section(answers: &Answers) -> Option<Section> {
    let contests = contests(answers);
    if contests.is_empty() {
        return None;
    }
    let cases = cases(&contests);
    let charts = charts(answers);
    let cell = |contest: &Contest, case: &str| {
        let place = find(contest, case)?;
        let text = estimate(answers, contest.contestants[place].estimate.as_ref()?);
        Some((text, contest.best == Some(place)))
    };
    let mean = |case: &str, of: fn(&Contestant) -> Option<f64>| {
        let found: Vec<f64> = contests
            .iter()
            .filter_map(|contest| of(&contest.contestants[find(contest, case)?]))
            .collect();
        (!found.is_empty()).then(|| found.iter().sum::<f64>() / found.len() as f64)
    };
    let body = html! {
        div class="scroll" {
            table class="data" {
                thead { tr {
                    th { (if contests.len() > 1 { "where" } else { "" }) }
                    @for case in &cases { th class="number" { (case) } }
                } }
                tbody {
                    @for contest in &contests { tr {
                        td { (contest.surroundings) }
                        @for case in &cases {
                            td class="number" {
                                @match cell(contest, case) {
                                    Some((text, true)) => strong { (text) },
                                    Some((text, false)) => (text),
                                    None => "–",
                                }
                            }
                        }
                    } }
                    tr {
                        td { "parameters that learn" }
                        @for case in &cases {
                            td class="number" { (mean(case, |it| it.trainable).map_or("–".to_owned(), |n| number(n.round() as u64))) }
                        }
                    }
                    tr {
                        td { "seconds for a trial" }
                        @for case in &cases {
                            td class="number" { (mean(case, |it| it.seconds).map_or("–".to_owned(), |n| format!("{n:.1}"))) }
                        }
                    }
                }
            }
        }
        @if !charts.is_empty() {
            div class="charts" { @for chart in &charts { (chart.figure()) } }
        }
        @for account in accounts(answers, &contests) {
            p {
                @if !account.pair.is_empty() { strong { (capital(&account.pair)) "." } " " }
                (account.text())
            }
        }
        details {
            summary { "every comparison" }
            ul {
                @for contest in &contests {
                    li {
                        @if !contest.surroundings.is_empty() { strong { (contest.surroundings) } ": " }
                        (verdict(answers, contest)) "."
                    }
                }
                @if let Some(sentence) = advisors(&contests) { li { (sentence) "." } }
            }
        }
        p class="note" {
            "The textbook's four cases: with few images like those of the pretrained network, a new head on all of its frozen layers "
            "(small-similar); with few and different images, a new head on its first frozen layers (small-different); with many "
            "images, training everything, from the pretrained weights (large-similar) or from scratch (large-different). Differences "
            "are paired by seed and fold; a case is worse if p < 0.05 by the paired t test with Holm's \
             correction over all cases "
            "here. The band in a chart is the border between small and large."
            @if contests.iter().any(|contest| contest.advised.is_some()) {
                " Advice is what " code { "wick advise" } " recommended before the run, from folds of the \
                                                           training images of one seed; "
                code { "auto" } " is the advised strategy. The textbook's case is its rule, applied to measures \
                                 of these images."
            }
        }
    };
    Some(Section { id: "cases", title: "Cases of transfer", body })
}

//! The cases of a transfer beside each other, and what follows in words.

use maud::html;

use crate::report::answers::Answers;
use crate::report::answers::cases::{Contest, borders, contests, verdict};
use crate::report::layers::number;

use super::{Section, estimate};

/// The section; none unless cases were compared.
pub(super) fn section(answers: &Answers) -> Option<Section> {
    let contests = contests(answers);
    if contests.is_empty() {
        return None;
    }
    let mut cases: Vec<&str> = Vec::new();
    for contestant in contests.iter().flat_map(|contest| &contest.contestants) {
        if !cases.contains(&contestant.case.as_str()) {
            cases.push(&contestant.case);
        }
    }
    let find = |contest: &Contest, case: &str| {
        contest.contestants.iter().position(|contestant| contestant.case == case)
    };
    let cell = |contest: &Contest, case: &str| {
        let place = find(contest, case)?;
        let text = estimate(answers, contest.contestants[place].estimate.as_ref()?);
        Some((text, contest.best == Some(place)))
    };
    let mean = |case: &str, of: fn(&crate::report::answers::cases::Contestant) -> Option<f64>| {
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
        ul {
            @for contest in &contests {
                li {
                    @if !contest.surroundings.is_empty() { strong { (contest.surroundings) } ": " }
                    (verdict(answers, contest)) "."
                }
            }
            @for sentence in borders(&contests) { li { (sentence) "." } }
        }
        p class="note" {
            "A textbook says: few images like those of the pretrained network, a new head on all of it (small-similar); few and "
            "different, a new head near the beginning (small-different); many, train everything, from the pretrained weights "
            "(large-similar) or from scratch (large-different). Differences are paired by seed and fold; a case is behind where "
            "p < 0.05 by the paired t test with Holm's correction over all cases here."
        }
    };
    Some(Section { id: "cases", title: "Cases of transfer", body })
}

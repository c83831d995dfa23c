//! Advice held against what the trials came to.

use crate::analysis::statistics::ALPHA;

use super::Contest;

/// How what was advised has come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advisor {
    /// It is the best case.
    Right,
    /// It cannot be told from the best case.
    Open,
    /// It is behind the best case.
    Wrong,
    /// No trial of it was completed.
    Untried,
}

impl Contest {
    /// How what was advised has come out; none if nothing was.
    pub fn advisor(&self) -> Option<Advisor> {
        let advised = self.advised.as_ref()?;
        let place = self.contestants.iter().position(|it| it.case == advised.case);
        Some(match place {
            Some(place) if self.best == Some(place) => Advisor::Right,
            Some(place) if self.contestants[place].estimate.is_some() => {
                match self.contestants[place].corrected {
                    Some(p) if p < ALPHA => Advisor::Wrong,
                    _ => Advisor::Open,
                }
            }
            _ => Advisor::Untried,
        })
    }
}

/// What was advised, why, and how it has come out; none if nothing was.
pub fn hindsight(contest: &Contest) -> Option<String> {
    let advised = contest.advised.as_ref()?;
    let outcome = match contest.advisor()? {
        Advisor::Right => "the best case here",
        Advisor::Open => "which cannot be told from the best case here",
        Advisor::Wrong => "which is behind the best case here",
        Advisor::Untried => "which was not tried to its end here",
    };
    Some(format!(
        "advised was {}, {outcome}: {} images are a {} set ({}), {} what the network knows by a score of {:.2} ({})",
        advised.case,
        advised.images,
        advised.size,
        advised.size_confidence,
        if advised.kind == "similar" { "similar to" } else { "different from" },
        advised.similarity,
        advised.similarity_confidence,
    ))
}

/// How often advice came out well; none if nothing was advised.
pub fn advisors(contests: &[Contest]) -> Option<String> {
    let found: Vec<Advisor> = contests.iter().filter_map(Contest::advisor).collect();
    let count = |wanted: Advisor| found.iter().filter(|it| **it == wanted).count();
    (!found.is_empty()).then(|| {
        format!(
            "advice named the best case in {} of {} comparisons, one that cannot be told from it in {}, and one that is behind it in {}",
            count(Advisor::Right),
            found.len(),
            count(Advisor::Open),
            count(Advisor::Wrong)
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::cases::tests::contest;
    use crate::sweep::advised::Advised;

    #[test]
    fn advice_is_held_against_what_the_trials_came_to() {
        let mut contests = vec![
            contest("a", "none", "large-similar", 0.01),
            contest("b", "none", "large-similar", 0.3),
            contest("c", "none", "small-similar", 0.01),
            contest("d", "none", "small-similar", 0.01),
        ];
        assert_eq!((advisors(&contests), hindsight(&contests[0])), (None, None));
        for (contest, case) in
            contests.iter_mut().zip(["small-similar", "small-similar", "small-similar", "other"])
        {
            contest.advised = Some(Advised {
                trial: 1,
                images: 50,
                case: case.to_owned(),
                cut: "conv3".to_owned(),
                size: "small".to_owned(),
                size_confidence: "clear".to_owned(),
                kind: "similar".to_owned(),
                similarity: 0.8125,
                similarity_confidence: "likely".to_owned(),
            });
        }
        let found: Vec<_> = contests.iter().map(Contest::advisor).collect();
        let expected = [Advisor::Wrong, Advisor::Open, Advisor::Right, Advisor::Untried];
        assert_eq!(found, expected.map(Some));
        assert_eq!(
            hindsight(&contests[0]).unwrap(),
            "advised was small-similar, which is behind the best case here: 50 images are a small set (clear), \
             similar to what the network knows by a score of 0.81 (likely)"
        );
        assert_eq!(
            advisors(&contests).unwrap(),
            "advice named the best case in 1 of 4 comparisons, one that cannot be told from it in 1, \
             and one that is behind it in 1"
        );
    }
}

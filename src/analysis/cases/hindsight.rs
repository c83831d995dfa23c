//! Advice held against what the trials came to.

use crate::analysis::statistics::ALPHA;

use super::Contest;

/// How what was advised has come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advisor {
    /// Nothing here is better.
    Right,
    /// It tied with the best case.
    Open,
    /// It is behind the best case.
    Wrong,
    /// No trial of it was completed.
    Untried,
}

impl Contest {
    /// How the contestant called `name` has come out.
    pub(super) fn outcome_of(&self, name: &str) -> Advisor {
        let place = self.contestants.iter().position(|it| it.case == name);
        match place {
            Some(place) if self.best == Some(place) => Advisor::Right,
            Some(place) if self.contestants[place].estimate.is_some() => {
                match self.contestants[place].corrected {
                    Some(p) if p < ALPHA => Advisor::Wrong,
                    _ => Advisor::Open,
                }
            }
            _ => Advisor::Untried,
        }
    }

    /// How what was advised after trying has come out, as it was advised; none if nothing was.
    pub fn advisor(&self) -> Option<Advisor> {
        let advised = self.advised.as_ref().filter(|advised| !advised.strategy.is_empty())?;
        Some(self.outcome_of(&advised.as_run))
    }

    /// How what the textbook's rule says has come out; none if nothing was measured.
    pub fn textbook(&self) -> Option<Advisor> {
        Some(self.outcome_of(&self.advised.as_ref()?.textbook))
    }
}

/// An outcome in words.
pub(super) fn words(outcome: Advisor) -> &'static str {
    match outcome {
        Advisor::Right => "the best",
        Advisor::Open => "tied with the best",
        Advisor::Wrong => "behind the best",
        Advisor::Untried => "not trained to its end",
    }
}

/// How often advice and the textbook's rule came out well; none if nothing was advised.
pub fn advisors(contests: &[Contest]) -> Option<String> {
    let counted = |who: &str, found: Vec<Advisor>| {
        let count = |wanted: Advisor| found.iter().filter(|it| **it == wanted).count();
        (!found.is_empty()).then(|| {
            format!(
                "{who} named the best in {} of {} comparisons, a tied one in {}, and a worse one in {}",
                count(Advisor::Right),
                found.len(),
                count(Advisor::Open),
                count(Advisor::Wrong)
            )
        })
    };
    let advice = counted("advice", contests.iter().filter_map(Contest::advisor).collect());
    let rule = counted("the textbook", contests.iter().filter_map(Contest::textbook).collect());
    let found: Vec<String> = advice.into_iter().chain(rule).collect();
    (!found.is_empty()).then(|| found.join("; "))
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
        assert_eq!(advisors(&contests), None);
        let names = ["small-similar", "small-similar", "small-similar", "other"];
        for (contest, case) in contests.iter_mut().zip(names) {
            contest.advised = Some(Advised {
                trial: 1,
                images: 50,
                textbook: "large-similar".to_owned(),
                size: "small".to_owned(),
                size_confidence: "clear".to_owned(),
                kind: "similar".to_owned(),
                similarity: 0.8125,
                similarity_confidence: "likely".to_owned(),
                strategy: "a dense layer on frozen conv3".to_owned(),
                nearest: "small-similar".to_owned(),
                expected: Some(0.876),
                as_run: case.to_owned(),
                ..Advised::default()
            });
        }
        let found: Vec<_> = contests.iter().map(Contest::advisor).collect();
        let expected = [Advisor::Wrong, Advisor::Open, Advisor::Right, Advisor::Untried];
        assert_eq!(found, expected.map(Some));
        assert_eq!(
            advisors(&contests).unwrap(),
            "advice named the best in 1 of 4 comparisons, a tied one in 1, and a worse one in 1; the textbook named the best \
             in 2 of 4 comparisons, a tied one in 0, and a worse one in 2"
        );
        // Where nothing was tried beforehand there is the textbook's rule alone.
        let advised = contests[0].advised.as_mut().unwrap();
        advised.strategy = String::new();
        assert_eq!(contests[0].advisor(), None);
    }
}

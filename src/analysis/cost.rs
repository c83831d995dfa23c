//! What settings cost, and which of them are worth it: those that no other one beats in both.

use super::answers::Answers;
use super::setting::Setting;

/// Costs that differ by less than this factor decide nothing.
const WORTH: f64 = 1.1;

/// A cost of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// Parameters of its network.
    Parameters,
    /// Multiplications with addition for one image.
    Flops,
    /// Mean wall time of its trials. It depends on the clock, so it is drawn and stands in no table.
    Time,
}

impl Cost {
    /// Those that do not depend on the clock.
    pub const EXACT: [Cost; 2] = [Cost::Parameters, Cost::Flops];

    /// The name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Cost::Parameters => "parameters",
            Cost::Flops => "flops",
            Cost::Time => "time",
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Cost::Flops => "FLOPs",
            cost => cost.name(),
        }
    }

    /// Of `setting`; none where it is not known.
    pub fn of(self, setting: &Setting) -> Option<f64> {
        match self {
            Cost::Parameters => setting.parameters,
            Cost::Flops => setting.flops,
            Cost::Time => setting.seconds,
        }
    }

    /// Whether it differs enough between `settings` to choose by it.
    pub fn matters<'a>(self, settings: impl Iterator<Item = &'a Setting>) -> bool {
        let ranked = settings.filter(|setting| setting.estimate.is_some());
        let costs: Vec<f64> = ranked.filter_map(|setting| self.of(setting)).collect();
        let least = costs.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = costs.iter().copied().fold(0.0, f64::max);
        costs.len() > 1 && greatest >= WORTH * least
    }

    /// The settings on the [`front`] of this cost, by rank from 0, the cheapest first.
    pub fn front(self, answers: &Answers) -> Vec<usize> {
        let place = |setting: &Setting| Some([self.of(setting)?, setting.estimate?.mean]);
        let places: Vec<Option<[f64; 2]>> = answers.settings.iter().map(place).collect();
        front(&places, answers.measure.is_loss())
    }
}

/// The Pareto front of places of cost and value, as indices, the cheapest first: those that no other place beats,
/// which is to be at least as cheap and at least as good, and better in one of both. Equal places are on it together.
pub fn front(places: &[Option<[f64; 2]>], less_is_better: bool) -> Vec<usize> {
    let key = |value: f64| if less_is_better { value } else { -value };
    let mut order: Vec<(usize, f64, f64)> = places
        .iter()
        .enumerate()
        .filter_map(|(index, place)| (*place).map(|[cost, value]| (index, cost, key(value))))
        .collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.2.total_cmp(&b.2)));
    let mut found: Vec<(usize, f64, f64)> = Vec::new();
    for point in order {
        let is_on = found
            .last()
            .is_none_or(|last| point.2 < last.2 || (point.1 == last.1 && point.2 == last.2));
        if is_on {
            found.push(point);
        }
    }
    found.into_iter().map(|(index, ..)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::front;

    #[test]
    fn the_front_holds_what_no_other_place_beats_in_both() {
        let places = [[1.0, 0.5], [2.0, 0.4], [3.0, 0.9], [3.0, 0.8], [4.0, 0.9]].map(Some);
        assert_eq!(front(&places, false), [0, 2]);
        assert_eq!(front(&places, true), [0, 1]);
    }

    #[test]
    fn equal_places_are_on_it_together_and_those_without_a_place_are_not() {
        let places = [Some([2.0, 0.7]), None, Some([1.0, 0.5]), Some([2.0, 0.7]), Some([2.0, 0.6])];
        assert_eq!(front(&places, false), [2, 0, 3]);
        assert_eq!(front(&[], false), [0; 0]);
        assert_eq!(front(&[None], true), [0; 0]);
    }

    #[test]
    fn nothing_on_the_front_is_beaten_and_everything_else_is() {
        let places: Vec<[f64; 2]> =
            (0..60).map(|k| [((k * 37) % 17) as f64, ((k * 53) % 23) as f64]).collect();
        let on = front(&places.iter().copied().map(Some).collect::<Vec<_>>(), false);
        for (index, [cost, value]) in places.iter().enumerate() {
            let is_beaten =
                places.iter().any(|[c, v]| c <= cost && v >= value && (c < cost || v > value));
            assert_eq!(on.contains(&index), !is_beaten, "{index}");
        }
    }
}

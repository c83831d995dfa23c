//! Which factors of a sweep with drawn axes matter: by how much worse a random forest predicts settings when the
//! values of one factor are shuffled among them (Breiman, "Random forests", 2001).

use std::fmt::{self, Display, Formatter};

use rayon::prelude::*;
use smartcore::ensemble::random_forest_regressor::{
    RandomForestRegressor, RandomForestRegressorParameters,
};
use smartcore::linalg::basic::matrix::DenseMatrix;

use crate::basis::seed::{Stream, derive};

use super::answers::Answers;
use super::factor::{Factor, Kind};

/// Bootstrap samples of settings, each with a forest of its own.
const SAMPLES: u64 = 40;
/// Trees of a forest.
const TREES: usize = 30;
/// Times that a factor is shuffled for each forest.
const SHUFFLES: usize = 5;
/// Settings that a forest learns from and that it predicts, at most.
const MOST: usize = 500;
/// Levels of a factor without numbers from which on each is not looked at by itself.
const CATEGORIES: usize = 32;
/// Fewer settings say nothing.
const LEAST: usize = 20;
/// Nor do fewer settings for each factor.
const PER_FACTOR: usize = 4;
/// Half the width of an interval, in standard deviations.
const NORMAL: f64 = 1.959963984540054;

/// A part of the spread between settings, and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// The mean over bootstrap samples of settings.
    pub mean: f64,
    /// Half the width of its 95 % interval: 1.96 standard deviations over the samples.
    pub half_width: f64,
}

impl Part {
    /// In per cent, without the unit.
    pub fn in_words(self) -> String {
        // A rounded nothing has no sign.
        let mean = (100.0 * self.mean).round() + 0.0;
        format!("{mean:.0} ± {:.0}", 100.0 * self.half_width).replace('-', "−")
    }

    /// Whether it is more than nothing.
    pub fn is_sure(self) -> bool {
        self.mean > self.half_width
    }
}

/// What a factor contributes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Importance {
    /// Its index in [`Answers::factors`].
    pub factor: usize,
    /// What a forest explains less of settings that it has not seen when the factor is shuffled, as a part of their
    /// variance. It has no sign, and includes what the factor does together with others.
    pub lost: Part,
}

/// What a forest says of all factors.
#[derive(Clone, Debug, PartialEq)]
pub struct Importances {
    /// Settings with a value.
    pub settings: usize,
    /// The part of the variance of settings that it has not seen which a forest explains.
    pub explained: Part,
    /// The most important one first.
    pub factors: Vec<Importance>,
}

/// Why importance is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// There are fewer settings with a value than are needed.
    TooFew {
        /// How many there are.
        settings: usize,
        /// How many would be enough.
        needed: usize,
    },
    /// A forest predicts settings no better than their mean does.
    Unexplained {
        /// How many there are.
        settings: usize,
    },
}

impl Display for Untold {
    fn fmt(&self, formatter: &mut Formatter) -> fmt::Result {
        match self {
            Untold::TooFew { settings, needed } => {
                write!(
                    formatter,
                    "the importance of axes needs {needed} settings with a value; there are {settings}"
                )
            }
            Untold::Unexplained { settings } => write!(
                formatter,
                "the importance of axes is not known: a random forest of some of the {settings} settings \
                 predicts the others no better than their mean"
            ),
        }
    }
}

/// What is told of a folder; none where fewer than two factors vary, or all were written down: then
/// [`effects`](super::effects::effects) say more.
pub type Told = Option<Result<Importances, Untold>>;

/// The importances of all that varies, or why there is nothing to tell.
pub fn importances(answers: &Answers) -> Option<Result<&Importances, Untold>> {
    let told = answers.importances.get_or_init(|| compute(answers));
    told.as_ref().map(|told| told.as_ref().map_err(|untold| *untold))
}

fn compute(answers: &Answers) -> Told {
    let varied: Vec<usize> = (0..answers.factors.len())
        .filter(|factor| answers.factors[*factor].levels.len() > 1)
        .collect();
    let is_drawn = |factor: &usize| answers.factors[*factor].kind == Kind::Drawn;
    if varied.len() < 2 || !varied.iter().any(is_drawn) {
        return None;
    }
    // In plan order, which knows nothing of values.
    let mut settings: Vec<(usize, f64)> = answers
        .settings
        .iter()
        .filter_map(|setting| Some((setting.trials[0], setting.estimate?.mean)))
        .collect();
    settings.sort_by_key(|(trial, _)| *trial);
    let columns: Vec<Vec<Vec<f64>>> = varied
        .iter()
        .map(|factor| columns(&answers.factors[*factor], settings.iter().map(|(trial, _)| *trial)))
        .collect();
    let values: Vec<f64> = settings.iter().map(|(_, value)| *value).collect();
    Some(told(&columns, &values).map(|(explained, lost)| {
        let mut factors: Vec<Importance> = varied
            .iter()
            .zip(lost)
            .map(|(factor, lost)| Importance { factor: *factor, lost })
            .collect();
        factors.sort_by(|a, b| b.lost.mean.total_cmp(&a.lost.mean));
        Importances { settings: values.len(), explained, factors }
    }))
}

/// A factor in numbers, for each of `trials`: its values if they are numbers, where one that has none comes below
/// all; else one column for each level.
fn columns(factor: &Factor, trials: impl Iterator<Item = usize> + Clone) -> Vec<Vec<f64>> {
    let number = |values: &[String]| match values {
        [value] if value.is_empty() => Some(None),
        [value] => value.parse().ok().filter(|number: &f64| number.is_finite()).map(Some),
        _ => None,
    };
    let levels = || trials.clone().map(|trial| factor.of_trial[trial]);
    let numbers: Option<Vec<Option<f64>>> =
        factor.levels.iter().map(|level| number(&level.values)).collect();
    match numbers {
        Some(numbers) => {
            let least = numbers.iter().flatten().copied().fold(f64::INFINITY, f64::min);
            let below = least - least.abs() - 1.0;
            vec![levels().map(|level| numbers[level].unwrap_or(below)).collect()]
        }
        None if factor.levels.len() <= CATEGORIES => (0..factor.levels.len())
            .map(|own| levels().map(|level| f64::from(u8::from(level == own))).collect())
            .collect(),
        None => vec![levels().map(|level| level as f64).collect()],
    }
}

/// What is explained, and lost without each factor; `columns` are the factors' columns over settings.
fn told(columns: &[Vec<Vec<f64>>], values: &[f64]) -> Result<(Part, Vec<Part>), Untold> {
    let settings = values.len();
    let needed = LEAST.max(PER_FACTOR * columns.len());
    if settings < needed {
        return Err(Untold::TooFew { settings, needed });
    }
    // In the order of the samples, whatever thread is done first.
    let samples: Vec<Option<Vec<f64>>> =
        (0..SAMPLES).into_par_iter().map(|index| sample(columns, values, index)).collect();
    let samples: Vec<Vec<f64>> = samples.into_iter().flatten().collect();
    let part = |place: usize| {
        let of: Vec<f64> = samples.iter().map(|sample| sample[place]).collect();
        let mean = of.iter().sum::<f64>() / of.len() as f64;
        let squares: f64 = of.iter().map(|value| (value - mean).powi(2)).sum();
        Part { mean, half_width: NORMAL * (squares / (of.len() - 1) as f64).sqrt() }
    };
    if samples.len() < 2 || part(0).mean <= 0.0 {
        return Err(Untold::Unexplained { settings });
    }
    Ok((part(0), (1..=columns.len()).map(part).collect()))
}

/// What a forest that learns from a bootstrap sample explains of the other settings, and what of that is lost when
/// each factor is shuffled among them; none where these do not differ.
fn sample(columns: &[Vec<Vec<f64>>], values: &[f64], index: u64) -> Option<Vec<f64>> {
    let mut stream = derive(0, "importance", &[index]);
    let settings = values.len();
    let drawn: Vec<usize> =
        (0..settings.min(MOST)).map(|_| stream.below(settings as u64) as usize).collect();
    let mut is_drawn = vec![false; settings];
    drawn.iter().for_each(|setting| is_drawn[*setting] = true);
    let others: Vec<usize> = (0..settings).filter(|setting| !is_drawn[*setting]).collect();
    let others: Vec<usize> =
        others.iter().copied().step_by(others.len().div_ceil(MOST).max(1)).collect();
    let row = |setting: usize| -> Vec<f64> {
        columns.iter().flatten().map(|column| column[setting]).collect()
    };
    let rows =
        |settings: &[usize]| settings.iter().map(|setting| row(*setting)).collect::<Vec<_>>();
    let of =
        |settings: &[usize]| settings.iter().map(|setting| values[*setting]).collect::<Vec<_>>();
    let parameters = RandomForestRegressorParameters::default()
        .with_n_trees(TREES)
        .with_min_samples_leaf(2)
        // A third of them, as Breiman has it for regression, and not so few that most splits are of noise.
        .with_m(columns.iter().flatten().count().div_ceil(3).max(2))
        .with_seed(stream.next_u64());
    let learnt = DenseMatrix::from_2d_vec(&rows(&drawn)).ok()?;
    let forest = RandomForestRegressor::fit(&learnt, &of(&drawn), parameters).ok()?;
    let expected = of(&others);
    let mean = expected.iter().sum::<f64>() / expected.len() as f64;
    let spread: f64 = expected.iter().map(|value| (value - mean).powi(2)).sum();
    if spread <= 0.0 {
        return None;
    }
    let error = |rows: &Vec<Vec<f64>>| -> Option<f64> {
        let found = forest.predict(&DenseMatrix::from_2d_vec(rows).ok()?).ok()?;
        Some(found.iter().zip(&expected).map(|(found, value)| (found - value).powi(2)).sum::<f64>())
    };
    let plain = rows(&others);
    let whole = error(&plain)?;
    let mut parts = vec![1.0 - whole / spread];
    let mut first = 0;
    for factor in columns {
        let mut lost = 0.0;
        for _ in 0..SHUFFLES {
            lost += error(&shuffled(&plain, first..first + factor.len(), &mut stream))? - whole;
        }
        parts.push(lost / SHUFFLES as f64 / spread);
        first += factor.len();
    }
    Some(parts)
}

/// `rows` with what stands in `columns` exchanged among them.
fn shuffled(
    rows: &[Vec<f64>],
    columns: std::ops::Range<usize>,
    stream: &mut Stream,
) -> Vec<Vec<f64>> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    stream.shuffle(&mut order);
    let mut found = rows.to_vec();
    for (row, from) in found.iter_mut().zip(order) {
        row[columns.clone()].copy_from_slice(&rows[from][columns.clone()]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three factors of `count` settings, of which the first decides most, the second something, the last nothing.
    fn made(count: usize) -> (Vec<Vec<Vec<f64>>>, Vec<f64>) {
        let mut stream = derive(1, "test", &[]);
        let mut column = || -> Vec<f64> { (0..count).map(|_| stream.uniform()).collect() };
        let [a, b, c] = [column(), column(), column()];
        let values = a.iter().zip(&b).map(|(a, b)| 0.5 + 0.4 * a * a + 0.1 * b).collect();
        (vec![vec![a], vec![b], vec![c]], values)
    }

    #[test]
    fn what_decides_is_important_and_what_does_not_is_not() {
        let (columns, values) = made(80);
        let (explained, lost) = told(&columns, &values).unwrap();
        assert!(explained.mean > 0.7, "{explained:?}");
        assert!(lost[0].mean - lost[0].half_width > 0.5, "{lost:?}");
        assert!(
            lost[0].mean > 5.0 * lost[1].mean && lost[1].mean > 2.0 * lost[2].mean.abs(),
            "{lost:?}"
        );
        assert!(lost[2].mean.abs() < lost[2].half_width + 0.02, "{lost:?}");
        assert_eq!(told(&columns, &values).unwrap(), (explained, lost), "the same again");
    }

    #[test]
    fn too_few_settings_and_noise_say_nothing() {
        let (columns, values) = made(19);
        assert_eq!(told(&columns, &values), Err(Untold::TooFew { settings: 19, needed: 20 }));
        let (columns, values) = made(40);
        assert_eq!(told(&columns, &[0.5; 40]), Err(Untold::Unexplained { settings: 40 }));
        let mut stream = derive(2, "test", &[]);
        let noise: Vec<f64> = values.iter().map(|_| stream.uniform()).collect();
        assert_eq!(told(&columns, &noise), Err(Untold::Unexplained { settings: 40 }));
    }

    #[test]
    fn words_are_categories_and_a_missing_number_is_below_all() {
        let level = |value: &str| super::super::factor::Level {
            name: value.to_owned(),
            values: vec![value.to_owned()],
        };
        let factor = |values: &[&str]| Factor {
            name: "x".to_owned(),
            columns: vec![0],
            kind: Kind::Drawn,
            levels: values.iter().map(|value| level(value)).collect(),
            of_trial: (0..values.len()).collect(),
        };
        assert_eq!(columns(&factor(&["1e-3", "", "2"]), 0..3), [[0.001, -1.0, 2.0]]);
        assert_eq!(columns(&factor(&["sgd", "adam"]), 0..2), [[1.0, 0.0], [0.0, 1.0]]);
    }
}

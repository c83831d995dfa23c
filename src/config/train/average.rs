//! `train.average`: means of the weights over training, which are evaluated and kept in the place of the weights.
//!
//! ```toml
//! average = "none"
//! average = { ema = 0.999 }                                   # or { ema = { decay = 0.999, from-epoch = 3 } }
//! average = { swa = { from-epoch = 8 } }
//! ```

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::basis::fault::Faults;
use crate::basis::written::written;

/// Which mean of the weights is evaluated and kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Average {
    /// The weights themselves.
    #[default]
    None,
    /// The exponential moving average over steps (Polyak and Juditsky, 1992), of parameters and running statistics.
    #[serde(deserialize_with = "Ema::read")]
    Ema(#[schemars(with = "WrittenEma")] Ema),
    /// Stochastic weight averaging (Izmailov et al., 2018): the mean over ends of epochs. Running statistics are
    /// those of the mean on the training images.
    Swa(Swa),
}

/// The numbers of an exponential moving average.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Ema {
    /// What remains of the mean in each step.
    #[schemars(range(min = 0, max = 1))]
    pub decay: f64,
    /// The epoch with which it begins, counted from 1, as a copy of the weights after a step; 1 if not given.
    #[serde(default = "first")]
    #[schemars(range(min = 1))]
    pub from_epoch: usize,
    /// Has the decay rise: it is at most (1 + t) / (10 + t) after t steps; false if not given.
    #[serde(default)]
    pub warmup: bool,
}

/// The numbers of stochastic weight averaging.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Swa {
    /// The first epoch whose last weights count, counted from 1.
    #[schemars(range(min = 1))]
    pub from_epoch: usize,
}

fn first() -> usize {
    1
}

/// How [`Ema::read`] reads it.
struct WrittenEma;

written!(WrittenEma, "WrittenEma", |types| {
    "anyOf": [
        { "type": "number", "minimum": 0, "maximum": 1, "description": "The decay." },
        types.subschema_for::<Ema>(),
    ],
});

impl Ema {
    /// Reads the decay alone, or a table.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ema, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Ema;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a decay such as 0.999, or a table")
            }
            fn visit_f64<E: Error>(self, decay: f64) -> Result<Ema, E> {
                Ok(Ema { decay, from_epoch: first(), warmup: false })
            }
            fn visit_i64<E: Error>(self, decay: i64) -> Result<Ema, E> {
                self.visit_f64(decay as f64)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Ema, A::Error> {
                Ema::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(Reader)
    }

    /// What remains of the mean at its update number `update`, counted from 1.
    pub fn decay_at(&self, update: u64) -> f64 {
        let risen = (1.0 + update as f64) / (10.0 + update as f64);
        if self.warmup { self.decay.min(risen) } else { self.decay }
    }
}

impl Average {
    /// Whether the weights themselves are kept.
    pub fn is_none(&self) -> bool {
        *self == Average::None
    }

    /// The first epoch in which there is a mean, counted from 1; none if there never is.
    pub fn from_epoch(&self) -> Option<usize> {
        match self {
            Average::None => None,
            Average::Ema(ema) => Some(ema.from_epoch),
            Average::Swa(swa) => Some(swa.from_epoch),
        }
    }

    /// Says what is wrong with it, which stands at `at` in the file.
    pub fn check(&self, at: &str, faults: &mut Faults) {
        let key = match self {
            Average::None => return,
            Average::Ema(ema) => {
                faults.within(ema.decay, 0.0, 1.0, format!("{at}.ema.decay"));
                "ema"
            }
            Average::Swa(_) => "swa",
        };
        let sound = self.from_epoch() != Some(0);
        let message = "epochs are counted from 1";
        faults.that(sound, format!("{at}.{key}.from-epoch"), message, "0");
    }
}

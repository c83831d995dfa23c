//! `[launcher]`: where trials are run when one machine is not enough. Nothing in here changes a
//! number, so none of it is part of what is computed.
//!
//! ```toml
//! [launcher.slurm]
//! partition = "short"
//! time = "2h"
//! cpus-per-task = 4
//! mem = "8GB"
//! max-parallel = 32
//! sbatch-args = ["--account=vision"]
//! ```

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use super::run::{Limit, Memory, Seconds, Slots};
use crate::basis::written::written;

/// The table `[launcher]`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Launcher {
    /// Job arrays of Slurm.
    pub slurm: Slurm,
}

/// The table `[launcher.slurm]`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Slurm {
    /// The partition, or `"none"` for the cluster's own choice.
    pub partition: String,
    /// How long a task may take before Slurm ends it.
    pub time: Limit<WallTime>,
    /// Cores of a task.
    pub cpus_per_task: usize,
    /// Memory of a task.
    pub mem: Memory,
    /// Tasks at once.
    pub max_parallel: usize,
    /// Trials that one task runs.
    pub trials_per_task: Slots,
    /// How long before the end of `time` a task is told to store where it is, and to queue again.
    pub signal: Limit<Seconds>,
    /// How often a task that comes to the end of its `time` queues again.
    pub max_requeues: u32,
    /// Further arguments of `sbatch`.
    pub sbatch_args: Vec<String>,
}

/// The time limit of a job in whole minutes, as Slurm keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallTime {
    /// At least 1.
    pub minutes: u64,
}

impl WallTime {
    /// Reads `"2h"`, `"1h 30m"`, and what Slurm reads: minutes, `MM:SS`, `HH:MM:SS`, `D-HH`,
    /// `D-HH:MM`, `D-HH:MM:SS`.
    fn read(text: &str) -> Option<WallTime> {
        if let Ok(span) = humantime::parse_duration(text) {
            return WallTime::of_seconds(span.as_secs());
        }
        let numbers = |text: &str| -> Option<Vec<u64>> {
            text.split(':').map(|part| part.parse().ok()).collect()
        };
        let seconds = match text.split_once('-') {
            Some((days, rest)) => {
                let (hours, minutes, seconds) = match numbers(rest)?[..] {
                    [hours] => (hours, 0, 0),
                    [hours, minutes] => (hours, minutes, 0),
                    [hours, minutes, seconds] => (hours, minutes, seconds),
                    _ => return None,
                };
                let days = days.parse::<u64>().ok()?.checked_mul(86_400)?;
                days.checked_add(hours.checked_mul(3600)?)?
                    .checked_add(minutes.checked_mul(60)?)?
                    .checked_add(seconds)?
            }
            None => match numbers(text)?[..] {
                [minutes] => minutes.checked_mul(60)?,
                [minutes, seconds] => minutes.checked_mul(60)?.checked_add(seconds)?,
                [hours, minutes, seconds] => hours
                    .checked_mul(3600)?
                    .checked_add(minutes.checked_mul(60)?)?
                    .checked_add(seconds)?,
                _ => return None,
            },
        };
        WallTime::of_seconds(seconds)
    }

    fn of_seconds(seconds: u64) -> Option<WallTime> {
        // A year is more than any cluster gives.
        (1..=366 * 86_400).contains(&seconds).then_some(WallTime { minutes: seconds.div_ceil(60) })
    }
}

impl fmt::Display for WallTime {
    /// As Slurm writes it.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let (days, hours, minutes) =
            (self.minutes / 1440, self.minutes / 60 % 24, self.minutes % 60);
        match days {
            0 => write!(f, "{hours:02}:{minutes:02}:00"),
            _ => write!(f, "{days}-{hours:02}:{minutes:02}:00"),
        }
    }
}

written!(Limit<WallTime>, "WallTime", {
    "description": "A span of time such as `\"2h\"`, Slurm's `\"1-12:00:00\"`, minutes, or `\"none\"`.",
    "anyOf": [
        { "const": "none" },
        { "type": "integer", "minimum": 1 },
        { "type": "string", "pattern": "^ *[0-9]+( *[a-zA-Zµ]|[-:0-9]*$)" },
    ],
});

impl<'de> Deserialize<'de> for Limit<WallTime> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Limit<WallTime>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("\"none\", a span of time as \"2h\", or Slurm's \"1-12:00:00\"")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                if text == "none" {
                    return Ok(Limit::None);
                }
                let read = WallTime::read(text.trim()).map(Limit::At);
                read.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
            }
            fn visit_i64<E: Error>(self, minutes: i64) -> Result<Self::Value, E> {
                // A number alone is minutes, as for `sbatch --time`.
                let seconds = u64::try_from(minutes).ok().and_then(|it| it.checked_mul(60));
                let read = seconds.and_then(WallTime::of_seconds).map(Limit::At);
                read.ok_or_else(|| E::invalid_value(Unexpected::Signed(minutes), &self))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

#[cfg(test)]
mod tests {
    use super::WallTime;

    #[test]
    fn a_time_limit_is_read_as_people_and_as_slurm_write_it() {
        for (text, written) in [
            ("90s", "00:02:00"),
            ("2h", "02:00:00"),
            ("1h 30m", "01:30:00"),
            ("60", "01:00:00"),
            ("10:30", "00:11:00"),
            ("01:30:00", "01:30:00"),
            ("1-12", "1-12:00:00"),
            ("2-00:30", "2-00:30:00"),
            ("1-00:00:30", "1-00:01:00"),
        ] {
            assert_eq!(WallTime::read(text).unwrap().to_string(), written, "{text}");
        }
        for text in ["", "0", "none at all", "1:2:3:4", "-1", "99999999999999999999", "1-1-1"] {
            assert_eq!(WallTime::read(text), None, "{text}");
        }
    }
}

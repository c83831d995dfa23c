//! Which vector instructions the program computes with: the widest that the processor has, or those that
//! the environment names.

use std::ffi::OsStr;
use std::sync::OnceLock;

/// The variable of the environment. It is no key of an experiment: those begin with `WICK_`.
pub const VARIABLE: &str = "CANDLEWICK_INSTRUCTIONS";

/// A set of vector instructions that there is code for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// AVX-512: F, VL, DQ and BW.
    Avx512,
    /// AVX2 with FMA.
    Avx2,
    /// NEON, which every 64-bit ARM has.
    Neon,
    /// What the target always has, such as SSE2.
    Portable,
}

/// All sets, the widest first.
const SETS: [Set; 4] = [Set::Avx512, Set::Avx2, Set::Neon, Set::Portable];

impl Set {
    /// As the environment names it.
    pub fn name(self) -> &'static str {
        match self {
            Set::Avx512 => "avx512",
            Set::Avx2 => "avx2",
            Set::Neon => "neon",
            Set::Portable => "portable",
        }
    }

    fn is_here(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => {
                Set::Avx2.is_here()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("bmi2")
            }
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Set::Avx512 | Set::Avx2 => false,
            Set::Neon => cfg!(target_arch = "aarch64"),
            Set::Portable => true,
        }
    }
}

/// A set that this processor has. Only detection creates a value of this type, so a value proves that code
/// compiled for the set may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Available(Set);

impl Available {
    /// The sets of this processor, the widest first.
    pub fn all() -> impl Iterator<Item = Available> {
        SETS.into_iter().filter(|set| set.is_here()).map(Available)
    }

    /// Which set it is.
    pub fn set(self) -> Set {
        self.0
    }
}

/// What is wrong with the variable of the environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// It names no set.
    #[error("{VARIABLE} is {word:?}, but the instruction sets are {}", names(SETS.into_iter()))]
    Unknown {
        /// What it says.
        word: String,
    },
    /// It names a set of other processors.
    #[error(
        "{VARIABLE} is {:?}, which this processor does not have; it has {}",
        set.name(),
        names(Available::all().map(Available::set))
    )]
    Missing {
        /// The set.
        set: Set,
    },
}

fn names(sets: impl Iterator<Item = Set>) -> String {
    sets.map(|set| format!("{:?}", set.name())).collect::<Vec<_>>().join(", ")
}

/// The set that the program computes with. The environment is read once.
///
/// # Errors
/// If the environment names a set that does not exist or that this processor does not have.
pub fn chosen() -> Result<Available, &'static SettingError> {
    static CHOSEN: OnceLock<Result<Available, SettingError>> = OnceLock::new();
    CHOSEN.get_or_init(|| choose(std::env::var_os(VARIABLE).as_deref())).as_ref().copied()
}

/// The [chosen] set, for code that cannot fail.
///
/// # Panics
/// If there is none. The program asks for [`chosen`] before it does anything else.
#[inline]
pub fn used() -> Available {
    chosen().unwrap_or_else(|error| panic!("{error}"))
}

fn choose(setting: Option<&OsStr>) -> Result<Available, SettingError> {
    let Some(word) = setting else {
        return Ok(Available::all().next().unwrap_or(Available(Set::Portable)));
    };
    let Some(set) = SETS.into_iter().find(|set| word == set.name()) else {
        return Err(SettingError::Unknown { word: word.to_string_lossy().into_owned() });
    };
    if set.is_here() { Ok(Available(set)) } else { Err(SettingError::Missing { set }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_set_is_used_unless_the_environment_names_another_one() {
        assert_eq!(choose(None).ok(), Available::all().next());
        for available in Available::all() {
            assert_eq!(choose(Some(available.set().name().as_ref())), Ok(available));
        }
        assert_eq!(Available::all().last().map(Available::set), Some(Set::Portable));
    }

    #[test]
    fn a_set_that_is_unknown_or_of_another_processor_is_refused_with_those_that_there_are() {
        let error = |word: &str| choose(Some(word.as_ref())).unwrap_err().to_string();
        assert_eq!(
            error("AVX2"),
            "CANDLEWICK_INSTRUCTIONS is \"AVX2\", but the instruction sets are \"avx512\", \"avx2\", \
             \"neon\", \"portable\""
        );
        let missing = if Set::Neon.is_here() { "avx2" } else { "neon" };
        let error = error(missing);
        assert!(error.contains(&format!("{missing:?}, which this processor does not have")));
        assert!(error.ends_with("\"portable\""), "{error}");
    }
}

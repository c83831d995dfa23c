//! What is wrong with settings, as the types say that hold them.

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The path of the setting in the file: `train.optimizer.adam.betas[1]`.
    pub at: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// A few words at the place.
    pub label: &'static str,
    /// The way out.
    pub help: Option<&'static str>,
}

/// All that is wrong, in the order in which it was found.
#[derive(Debug, Default)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// A fault at `at` unless the setting is `sound`.
    pub fn that(&mut self, sound: bool, at: String, message: &str, label: &'static str) {
        if !sound {
            self.0.push(Fault { at, message: message.to_owned(), label, help: None });
        }
    }

    fn number(&mut self, sound: bool, at: String, number: f64, is: &str, label: &'static str) {
        let message = format!("{at} = {number} is {is}");
        self.that(sound, at, &message, label);
    }

    /// `from` ≤ `number` < `below`.
    pub fn within(&mut self, number: f64, from: f64, below: f64, at: String) {
        let sound = (from..below).contains(&number);
        self.number(sound, at, number, &format!("not in [{from}, {below})"), "out of range");
    }

    /// 0 < `number` ≤ 1.
    pub fn fraction(&mut self, number: f64, at: String) {
        let sound = number > 0.0 && number <= 1.0;
        self.number(sound, at, number, "not in (0, 1]", "out of range");
    }

    /// `number` > 0.
    pub fn positive(&mut self, number: f64, at: String) {
        self.number(number > 0.0, at, number, "not positive", "must be > 0");
    }

    /// `number` ≥ 0.
    pub fn not_negative(&mut self, number: f64, at: String) {
        self.number(number >= 0.0, at, number, "negative", "must be ≥ 0");
    }
}

//! Trials that are written down as if they had run.

use std::fmt::Write;
use std::fs;

use super::bench::Bench;

/// Trials to be written down as if they had run.
pub(super) struct Synthetic {
    pub(super) axes: Vec<&'static str>,
    pub(super) settings: Vec<Vec<String>>,
    pub(super) seeds: usize,
    pub(super) epochs: usize,
    pub(super) status: &'static str,
    pub(super) reason: &'static str,
}

impl Synthetic {
    pub(super) fn new(axes: &[&'static str], settings: &[&[&str]], seeds: usize) -> Synthetic {
        let settings =
            settings.iter().map(|values| values.iter().map(|v| v.to_string()).collect()).collect();
        let (epochs, status, reason) = (3, "completed", "");
        Synthetic { axes: axes.to_vec(), settings, seeds, epochs, status, reason }
    }

    /// Validation accuracy of a setting and a seed at the best epoch, which is the last but one.
    pub(super) fn value(setting: usize, seed: usize) -> f64 {
        // Without a pattern that would make differences equal.
        let noise = ((setting * 31 + seed * 17) % 23) as f64 / 1000.0;
        0.7 + 0.05 * (setting % 4) as f64 + 0.01 * seed as f64 + noise
    }

    /// Writes the tables to `results/made` of `bench`.
    pub(super) fn write(&self, bench: &Bench) {
        let root = bench.path().join("results/made");
        fs::create_dir_all(root.join("trials")).unwrap();
        let mut trials = csv::Writer::from_path(root.join("trials.csv")).unwrap();
        let scores = |part: &'static str| {
            ["loss", "accuracy", "top_k", "precision", "recall", "f1"]
                .map(|s| format!("{part}_{s}"))
        };
        let mut header = vec!["trial".to_owned(), "digest".to_owned()];
        header.extend(self.axes.iter().map(|axis| axis.to_string()));
        header.extend(["seed", "fold", "status", "reason", "best_epoch"].map(str::to_owned));
        header.extend(scores("val").into_iter().chain(scores("test")));
        header.extend(["parameters", "flops"].map(str::to_owned));
        trials.write_record(&header).unwrap();
        let mut metrics = format!(
            "trial,digest,epoch,steps,lr,{},{}\n",
            scores("train").join(","),
            scores("val").join(",")
        );
        let mut timings = "trial,digest,epoch,seconds\n".to_owned();
        let mut number = 0;
        for (setting, values) in self.settings.iter().enumerate() {
            for seed in 0..self.seeds {
                number += 1;
                let digest = format!("d{number}");
                let is_done = self.status == "completed";
                let best = if is_done { (self.epochs - 1).max(1) } else { 0 };
                let of = |accuracy: f64| {
                    [1.0 - accuracy, accuracy, accuracy, accuracy, accuracy, accuracy]
                        .map(|x| x.to_string())
                };
                let value = Self::value(setting, seed);
                let mut row = vec![number.to_string(), digest.clone()];
                row.extend(values.iter().cloned());
                row.extend([(123 + seed).to_string(), String::new()]);
                row.extend([self.status.to_owned(), self.reason.to_owned()]);
                row.push(if best > 0 { best.to_string() } else { String::new() });
                for part in [value, value - 0.01] {
                    row.extend(if is_done { of(part) } else { [const { String::new() }; 6] });
                }
                row.extend([(1000 * (setting + 1)).to_string(), "5000".to_owned()]);
                trials.write_record(&row).unwrap();
                for epoch in 1..=if is_done { self.epochs } else { 0 } {
                    let accuracy = value - 0.02 * epoch.abs_diff(best) as f64;
                    let (train, val) = (of(accuracy + 0.02).join(","), of(accuracy).join(","));
                    let _ =
                        writeln!(metrics, "{number},{digest},{epoch},{epoch},0.1,{train},{val}");
                    let _ = writeln!(timings, "{number},{digest},{epoch},0.5");
                }
            }
        }
        trials.flush().unwrap();
        fs::write(root.join("metrics.csv"), metrics).unwrap();
        fs::write(root.join("timings.csv"), timings).unwrap();
        fs::write(root.join("environment.toml"), "version = \"0.1.0\"\n").unwrap();
    }
}

/// A folder with `synthetic` in `results/made`.
pub(super) fn made(synthetic: &Synthetic) -> Bench {
    let bench = Bench::new("");
    synthetic.write(&bench);
    bench
}

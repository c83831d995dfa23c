//! The loss of a student against its teacher, forward and backward in one.

use candle_core::Result;

use super::loss::{Loss, mean_of};
use super::tape::{Tape, Value, values};

/// Knowledge distillation (Hinton et al., 2015): T² · KL(softmax(teacher / T) ‖ softmax(logits / T)), with the
/// temperature T, as a mean over images.
///
/// # Shapes
/// logits and teacher `[batch, classes]`.
///
/// # Errors
/// If the teacher has not as many numbers as the student.
pub fn distillation(
    tape: &mut Tape,
    logits: &Value,
    teacher: &[f32],
    temperature: f64,
) -> Result<Loss> {
    let (batch, classes) = logits.tensor().dims2()?;
    if teacher.len() != batch * classes {
        candle_core::bail!("{} logits of a teacher do not fit {:?}", teacher.len(), logits.dims());
    }
    let mut sum = 0.0;
    let mut slopes = vec![0.0f32; batch * classes];
    {
        let logits = values(logits.tensor())?;
        let rows = logits.chunks(classes).zip(teacher.chunks(classes));
        for ((student, teacher), slopes) in rows.zip(slopes.chunks_mut(classes)) {
            let log_q = log_softmax(student, temperature);
            let log_p = log_softmax(teacher, temperature);
            for ((log_q, log_p), slope) in log_q.iter().zip(&log_p).zip(slopes) {
                let p = libm::exp(*log_p);
                // A class that the teacher rules out has no part.
                if p > 0.0 {
                    sum += temperature * temperature * p * (log_p - log_q);
                }
                *slope = (temperature * (libm::exp(*log_q) - p)) as f32;
            }
        }
    }
    let weight = batch as f64;
    mean_of(tape, logits, sum, weight, slopes)
}

fn log_softmax(row: &[f32], temperature: f64) -> Vec<f64> {
    let highest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let scaled = row.iter().map(|x| f64::from(x - highest) / temperature);
    let scaled: Vec<f64> = scaled.collect();
    let total = libm::log(scaled.iter().map(|x| libm::exp(*x)).sum());
    scaled.into_iter().map(|x| x - total).collect()
}

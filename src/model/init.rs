//! How parameters start. Every parameter draws from a stream of its own, named by the seed and the
//! parameter's name, so that adding a layer does not change how the others start.

use crate::basis::seed::derive;
use crate::config::layer_settings::Init;
use crate::plan::parameters::ParameterPlan;

/// The first numbers of a parameter.
pub fn initial(plan: &ParameterPlan, seed: u64) -> Vec<f32> {
    let count = plan.shape.iter().product();
    let mut stream = derive(seed, &format!("init {}", plan.name), &[]);
    let (fan_in, fan_out) = (plan.fan_in.max(1) as f64, plan.fan_out.max(1) as f64);
    let mut uniform = |bound: f64| {
        (0..count).map(|_| ((2.0 * stream.uniform() - 1.0) * bound) as f32).collect::<Vec<f32>>()
    };
    // A uniform distribution within ± √(3 v) has the variance v.
    match plan.init {
        Init::Constant(value) => vec![value as f32; count],
        Init::Normal(deviation) => {
            (0..count).map(|_| (stream.normal() * deviation) as f32).collect()
        }
        Init::Pytorch => uniform(1.0 / fan_in.sqrt()),
        Init::KaimingUniform => uniform((6.0 / fan_in).sqrt()),
        Init::XavierUniform => uniform((6.0 / (fan_in + fan_out)).sqrt()),
        Init::LecunUniform => uniform((3.0 / fan_in).sqrt()),
        Init::KaimingNormal | Init::XavierNormal | Init::LecunNormal => {
            let deviation = match plan.init {
                Init::KaimingNormal => (2.0 / fan_in).sqrt(),
                Init::XavierNormal => (2.0 / (fan_in + fan_out)).sqrt(),
                _ => (1.0 / fan_in).sqrt(),
            };
            (0..count).map(|_| (stream.normal() * deviation) as f32).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(name: &str, init: Init) -> ParameterPlan {
        ParameterPlan {
            name: name.to_owned(),
            shape: vec![64, 50, 3, 3],
            init,
            fan_in: 450,
            fan_out: 576,
        }
    }

    #[test]
    fn variances_are_those_of_the_papers() {
        let cases: [(Init, f64); 8] = [
            (Init::Normal(0.02), 0.0004),
            (Init::Pytorch, 1.0 / 450.0 / 3.0),
            (Init::KaimingNormal, 2.0 / 450.0),
            (Init::KaimingUniform, 2.0 / 450.0),
            (Init::XavierNormal, 2.0 / 1026.0),
            (Init::XavierUniform, 2.0 / 1026.0),
            (Init::LecunNormal, 1.0 / 450.0),
            (Init::LecunUniform, 1.0 / 450.0),
        ];
        for (init, variance) in cases {
            let values = initial(&parameter("w", init), 1);
            let count = values.len() as f64;
            let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / count;
            let found = values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>() / count;
            assert!(mean.abs() < 0.02 * variance.sqrt(), "{init:?} has the mean {mean}");
            assert!((found / variance - 1.0).abs() < 0.03, "{init:?}: {found} is not {variance}");
        }
    }

    #[test]
    fn a_parameter_starts_by_seed_and_name_alone() {
        let init = Init::KaimingNormal;
        assert_eq!(initial(&parameter("a", init), 1), initial(&parameter("a", init), 1));
        assert_ne!(initial(&parameter("a", init), 1), initial(&parameter("b", init), 1));
        assert_ne!(initial(&parameter("a", init), 1), initial(&parameter("a", init), 2));
    }
}

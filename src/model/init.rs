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
    if plan.init == Init::Dirac {
        return dirac(plan, seed);
    }
    let mut uniform = |bound: f64| {
        (0..count).map(|_| ((2.0 * stream.uniform() - 1.0) * bound) as f32).collect::<Vec<f32>>()
    };
    // A uniform distribution within ± √(3 v) has the variance v.
    match plan.init {
        Init::Constant(value) => vec![value as f32; count],
        // Said above.
        Init::Dirac => Vec::new(),
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

/// Filter i of a group passes channel i on, as far as there are channels; others start as with `pytorch`.
fn dirac(plan: &ParameterPlan, seed: u64) -> Vec<f32> {
    let mut values = initial(&ParameterPlan { init: Init::Pytorch, ..plan.clone() }, seed);
    let (channels, window) = (plan.shape[1], &plan.shape[2..]);
    let taps: usize = window.iter().product();
    let middle = window.iter().fold(0, |at, side| at * side + side / 2);
    // Of a group.
    let filters = (plan.fan_out / taps.max(1)).max(1);
    for (index, values) in values.chunks_mut((channels * taps).max(1)).enumerate() {
        let channel = index % filters;
        if channel < channels {
            values.fill(0.0);
            values[channel * taps + middle] = 1.0;
        }
    }
    values
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
            fixed: false,
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
    fn the_first_filters_of_dirac_pass_one_channel_on_each_and_the_others_are_pytorchs() {
        // What torch.nn.init.dirac_ makes of a window of 3×2 in groups of three filters for two channels.
        let plan = |init| ParameterPlan {
            shape: vec![6, 2, 3, 2],
            fan_in: 12,
            fan_out: 18,
            ..parameter("w", init)
        };
        let (found, others) = (initial(&plan(Init::Dirac), 1), initial(&plan(Init::Pytorch), 1));
        for (filter, (found, others)) in found.chunks(12).zip(others.chunks(12)).enumerate() {
            let one = match filter % 3 {
                2 => None,
                channel => Some(channel * 6 + 3),
            };
            let expected: Vec<f32> = (0..12)
                .map(|at| one.map_or(others[at], |one| f32::from(u8::from(at == one))))
                .collect();
            assert_eq!(found, expected, "filter {filter}");
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

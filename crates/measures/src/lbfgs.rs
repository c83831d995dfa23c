//! L-BFGS for smooth convex functions (Nocedal and Wright, "Numerical optimization", algorithm 7.4).

use std::collections::VecDeque;

/// Pairs of steps and changes of the gradient that are remembered.
const MEMORY: usize = 10;

/// Armijo's condition: a step must bring this part of what the slope promises.
const SUFFICIENT: f64 = 1e-4;

/// Where `function` is least, starting from `point`: until no component of the gradient is above
/// `tolerance`, or after `limit` steps, or where rounding lets it fall no further. `function` writes
/// its gradient and returns its value; `curvature` is a guess at the Hessian's diagonal, positive.
pub(super) fn minimise(
    mut point: Vec<f64>,
    curvature: &[f64],
    tolerance: f64,
    limit: usize,
    mut function: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> Vec<f64> {
    let mut gradient = vec![0.0; point.len()];
    let mut value = function(&point, &mut gradient);
    let mut memory: VecDeque<Pair> = VecDeque::new();
    let (mut next, mut next_gradient) = (point.clone(), gradient.clone());
    for _ in 0..limit {
        if gradient.iter().all(|g| g.abs() <= tolerance) {
            break;
        }
        let direction = direction(&gradient, &memory, curvature);
        let slope = dot(&direction, &gradient);
        let mut step = 1.0;
        let moved = loop {
            for ((next, from), along) in next.iter_mut().zip(&point).zip(&direction) {
                *next = from + step * along;
            }
            let next_value = function(&next, &mut next_gradient);
            if next_value <= value + SUFFICIENT * step * slope {
                value = next_value;
                break true;
            }
            step *= 0.5;
            if step < 1e-10 {
                break false;
            }
        };
        if !moved {
            break;
        }
        let pair = Pair::new(&point, &next, &gradient, &next_gradient);
        // Convexity makes the product positive; rounding may not.
        if pair.product > 0.0 {
            memory.push_back(pair);
            if memory.len() > MEMORY {
                memory.pop_front();
            }
        }
        std::mem::swap(&mut point, &mut next);
        std::mem::swap(&mut gradient, &mut next_gradient);
    }
    point
}

/// A step and what it did to the gradient.
struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    product: f64,
}

impl Pair {
    fn new(from: &[f64], to: &[f64], gradient: &[f64], next: &[f64]) -> Pair {
        let less = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>();
        let (step, change) = (less(to, from), less(next, gradient));
        let product = dot(&step, &change);
        Pair { step, change, product }
    }
}

/// The two-loop recursion: minus the inverse Hessian, as far as it is known, times the gradient.
fn direction(gradient: &[f64], memory: &VecDeque<Pair>, curvature: &[f64]) -> Vec<f64> {
    let mut direction: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut parts = Vec::with_capacity(memory.len());
    for pair in memory.iter().rev() {
        let part = dot(&pair.step, &direction) / pair.product;
        add(&mut direction, -part, &pair.change);
        parts.push(part);
    }
    // The guess, scaled to what the last step has found.
    let scale = memory.back().map_or(1.0, |pair| {
        let squares = pair.change.iter().zip(curvature).map(|(change, c)| change * change / c);
        pair.product / squares.sum::<f64>()
    });
    for (value, curvature) in direction.iter_mut().zip(curvature) {
        *value *= scale / curvature;
    }
    for (pair, part) in memory.iter().zip(parts.into_iter().rev()) {
        let back = dot(&pair.change, &direction) / pair.product;
        add(&mut direction, part - back, &pair.step);
    }
    direction
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(to: &mut [f64], factor: f64, what: &[f64]) {
    for (to, what) in to.iter_mut().zip(what) {
        *to += factor * what;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_of_a_badly_scaled_bowl_is_found() {
        let scales = [1.0, 1e3, 1e-2, 50.0];
        let target = [1.0, -2.0, 3.0, 0.5];
        let found = minimise(vec![0.0; 4], &[1.0; 4], 1e-10, 500, |x, gradient| {
            let mut value = 0.0;
            for place in 0..4 {
                let off = x[place] - target[place];
                // Convex and not quadratic.
                value += scales[place] * (off * off + off.powi(4));
                gradient[place] = scales[place] * (2.0 * off + 4.0 * off.powi(3));
            }
            value
        });
        for (found, target) in found.iter().zip(target) {
            assert!((found - target).abs() < 1e-7, "{found} {target}");
        }
    }
}

//! The transforms of Winograd's minimal filtering F(4×4, 3×3) with the points 0, ±1, ±2, ∞
//! (Lavin and Gray, "Fast algorithms for convolutional neural networks", 2016): 36 products for 16
//! outputs of a 3×3 filter instead of 144.

use super::simd::Simd;

/// Numbers of a transformed tile.
pub(super) const COMPONENTS: usize = 36;
/// Outputs of a tile along one axis.
pub(super) const OUT: usize = 4;
/// Inputs of a tile along one axis.
pub(super) const IN: usize = 6;

/// Bᵀ d: of six pixels.
#[inline(always)]
pub(super) fn input<V: Simd>(d: [V; IN]) -> [V; IN] {
    let [two, four, five] = [V::splat(2.0), V::splat(-4.0), V::splat(-5.0)];
    let plus = V::splat(4.0);
    let (a, b) = (d[2].fma(four, d[4]), d[1].fma(four, d[3]));
    let (c, e) = (d[4].sub(d[2]), d[3].sub(d[1]));
    let minus_two = V::splat(-2.0);
    [
        d[0].fma(plus, d[2].fma(five, d[4])),
        a.add(b),
        a.sub(b),
        e.fma(two, c),
        e.fma(minus_two, c),
        d[1].fma(plus, d[3].fma(five, d[5])),
    ]
}

/// Aᵀ m: four outputs.
#[inline(always)]
pub(super) fn output<V: Simd>(m: [V; IN]) -> [V; OUT] {
    let (even, odd) = (m[1].add(m[2]), m[1].sub(m[2]));
    let (even_2, odd_2) = (m[3].add(m[4]), m[3].sub(m[4]));
    [
        m[0].add(even).add(even_2),
        odd_2.fma(V::splat(2.0), odd),
        even_2.fma(V::splat(4.0), even),
        odd_2.fma(V::splat(8.0), odd).add(m[5]),
    ]
}

/// A y: from the gradients of four outputs.
#[inline(always)]
pub(super) fn gradient<V: Simd>(y: [V; OUT]) -> [V; IN] {
    let (even, odd) = (y[0].add(y[2]), y[1].add(y[3]));
    let even_2 = y[2].fma(V::splat(4.0), y[0]);
    let half = y[3].fma(V::splat(4.0), y[1]);
    [
        y[0],
        even.add(odd),
        even.sub(odd),
        half.fma(V::splat(2.0), even_2),
        half.fma(V::splat(-2.0), even_2),
        y[3],
    ]
}

/// G g: of three weights, for several filters.
#[inline(always)]
pub(super) fn weights<const N: usize>(g: [[f32; N]; 3]) -> [[f32; N]; IN] {
    let mut into = [[0.0; N]; IN];
    for n in 0..N {
        let [a, b, c] = [g[0][n], g[1][n], g[2][n]];
        let (sum, far) = ((a + c) * (-1.0 / 6.0), a * (1.0 / 24.0) + c * (1.0 / 6.0));
        into[0][n] = a * 0.25;
        into[1][n] = sum - b * (1.0 / 6.0);
        into[2][n] = sum + b * (1.0 / 6.0);
        into[3][n] = far + b * (1.0 / 12.0);
        into[4][n] = far - b * (1.0 / 12.0);
        into[5][n] = c;
    }
    into
}

/// Gᵀ u: the gradients of three weights.
#[inline(always)]
pub(super) fn weights_back<const N: usize>(u: [[f32; N]; IN]) -> [[f32; N]; 3] {
    let mut into = [[0.0; N]; 3];
    for n in 0..N {
        let near = (u[1][n] + u[2][n]) * (-1.0 / 6.0);
        let far = u[3][n] + u[4][n];
        into[0][n] = u[0][n] * 0.25 + near + far * (1.0 / 24.0);
        into[1][n] = (u[2][n] - u[1][n]) * (1.0 / 6.0) + (u[3][n] - u[4][n]) * (1.0 / 12.0);
        into[2][n] = near + far * (1.0 / 6.0) + u[5][n];
    }
    into
}

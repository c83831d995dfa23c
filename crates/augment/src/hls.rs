//! Hue, lightness and saturation, as OpenCV's `RGB2HLS` for floats.

/// Hue in degrees, lightness and saturation, of red, green and blue (all but the hue in 0..=1).
#[inline(always)]
pub(super) fn of_rgb([r, g, b]: [f32; 3]) -> [f32; 3] {
    let (most, least) = (r.max(g).max(b), r.min(g).min(b));
    let (sum, chroma) = (most + least, most - least);
    let lightness = sum * 0.5;
    // Nothing is divided by 0; the chroma of gray makes 0 of it. Branches would be slower.
    const LEAST: f32 = 1e-6;
    let span = if lightness < 0.5 { sum } else { 2.0 - sum };
    let saturation = chroma / span.max(LEAST);
    let step = 60.0 / chroma.max(LEAST);
    let from_blue = if most == g { (b - r) * step + 120.0 } else { (r - g) * step + 240.0 };
    let hue = if most == r { (g - b) * step } else { from_blue };
    [if hue < 0.0 { hue + 360.0 } else { hue }, lightness, saturation]
}

/// Red, green and blue, of a hue of −360 to 720 degrees, lightness and saturation.
#[inline(always)]
pub(super) fn to_rgb([hue, lightness, saturation]: [f32; 3]) -> [f32; 3] {
    let reach = saturation * lightness.min(1.0 - lightness);
    let sixths = hue * (1.0 / 30.0) + 12.0;
    // The same hexagon for each channel, turned by a third.
    let channel = |turn: f32| {
        let at = sixths + turn;
        let at = at - (at * (1.0 / 12.0)).floor() * 12.0;
        lightness - reach * (at - 3.0).min(9.0 - at).clamp(-1.0, 1.0)
    };
    [channel(0.0), channel(8.0), channel(4.0)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_back() {
        for value in 0..4096 {
            let rgb = [value % 16, value / 16 % 16, value / 256].map(|level| level as f32 / 15.0);
            let back = to_rgb(of_rgb(rgb));
            for (a, b) in rgb.into_iter().zip(back) {
                assert!((a - b).abs() < 1e-4, "{rgb:?} {back:?}");
            }
        }
        assert_eq!(of_rgb([1.0, 0.0, 0.0]), [0.0, 0.5, 1.0]);
        assert_eq!(of_rgb([0.0, 0.5, 0.0]), [120.0, 0.25, 1.0]);
        assert_eq!(of_rgb([0.5, 0.5, 1.0]), [240.0, 0.75, 1.0]);
    }
}

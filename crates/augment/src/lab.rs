//! CIELAB (CIE 1976, white D65) in whole numbers, as OpenCV converts bytes: tables for the powers,
//! and fixed-point numbers between them.

use std::sync::LazyLock;

use super::colour::{LANES, Plane};

/// A power of two that stands for 1 in light and in its cube root on the way back.
const ONE: i32 = 1 << 14;

/// sRGB to XYZ, and back.
const TO_XYZ: [[f64; 3]; 3] = [
    [0.412453, 0.357580, 0.180423],
    [0.212671, 0.715160, 0.072169],
    [0.019334, 0.119193, 0.950227],
];
const FROM_XYZ: [[f64; 3]; 3] = [
    [3.240479, -1.53715, -0.498535],
    [-0.969256, 1.875991, 0.041556],
    [0.055648, -0.204043, 1.057311],
];

/// XYZ of white.
const WHITE: [f64; 3] = [0.950456, 1.0, 1.088754];

/// What the conversions look up.
pub(super) struct Tables {
    /// Light in 0..=2040 of a byte.
    linear: [i32; 256],
    /// The cube root that stands in Lab, at 2^15, of light in 0..2048.
    root: [i32; 2048],
    /// Y of lightness, and its root.
    y: [i32; 256],
    y_root: [i32; 256],
    /// The byte of light in 0..4096.
    byte: [i32; 4096],
    to_xyz: [[i32; 3]; 3],
    from_xyz: [[i32; 3]; 3],
}

/// The tables, made when they are first asked for.
pub(super) fn tables() -> &'static Tables {
    static TABLES: LazyLock<Tables> = LazyLock::new(Tables::new);
    &TABLES
}

/// A number rounded to the nearest whole one, halves to even.
fn whole(number: f64) -> i32 {
    number.round_ties_even() as i32
}

/// A fixed-point number without its last `bits`, rounded.
#[inline(always)]
fn descale(number: i32, bits: u32) -> i32 {
    (number + (1 << (bits - 1))) >> bits
}

impl Tables {
    fn new() -> Tables {
        let linear =
            |x: f64| if x <= 0.04045 { x / 12.92 } else { libm::pow((x + 0.055) / 1.055, 2.4) };
        let root = |x: f64| {
            let linear = x * 841.0 / 108.0 + 16.0 / 116.0;
            if x < 216.0 / 24389.0 { linear } else { libm::cbrt(x) }
        };
        let byte = |x: f64| {
            let encoded = 1.055 * libm::pow(x, 1.0 / 2.4) - 0.055;
            if x <= 0.003_130_8 { x * 12.92 } else { encoded }
        };
        let one = f64::from(ONE);
        let lightness = |i: usize| {
            let lightness = i as f64 * 100.0 / 255.0;
            if i <= 20 {
                let y = lightness * 27.0 / 24389.0;
                (whole(y * one), whole(one * (y * 841.0 / 108.0 + 16.0 / 116.0)))
            } else {
                let root = (lightness + 16.0) / 116.0;
                (whole(root.powi(3) * one), whole(root * one))
            }
        };
        Tables {
            linear: std::array::from_fn(|i| whole(2040.0 * linear(i as f64 / 255.0))),
            root: std::array::from_fn(|i| whole(32768.0 * root(i as f64 / 2040.0))),
            y: std::array::from_fn(|i| lightness(i).0),
            y_root: std::array::from_fn(|i| lightness(i).1),
            byte: std::array::from_fn(|i| whole(255.0 * byte(i as f64 / 4096.0))),
            to_xyz: std::array::from_fn(|i| TO_XYZ[i].map(|x| whole(4096.0 * x / WHITE[i]))),
            from_xyz: FROM_XYZ
                .map(|row| std::array::from_fn(|i| whole(4096.0 * row[i] * WHITE[i]))),
        }
    }

    /// Lightness, a and b.
    #[inline(always)]
    pub(super) fn to_lab(&self, [red, green, blue]: &mut [Plane; 3]) {
        for i in 0..LANES {
            let [r, g, b] =
                [red[i], green[i], blue[i]].map(|value| self.linear[usize::from(value)]);
            let [x, y, z] = self.to_xyz.map(|[from_r, from_g, from_b]| {
                let light = descale(r * from_r + g * from_g + b * from_b, 12);
                self.root[light as usize & 2047]
            });
            let lightness = descale(296 * y - (16 * 255 * (1 << 15) + 50) / 100, 15);
            let a = descale(500 * (x - y) + (128 << 15), 15);
            let b = descale(200 * (y - z) + (128 << 15), 15);
            [red[i], green[i], blue[i]] = [lightness, a, b].map(|value| value.clamp(0, 255) as u8);
        }
    }

    /// Red, green and blue.
    #[inline(always)]
    pub(super) fn to_rgb(&self, [lightness, a, b]: &mut [Plane; 3]) {
        for i in 0..LANES {
            let at = usize::from(lightness[i]);
            let (y, root) = (self.y[at], self.y_root[at]);
            // a / 500 and b / 200, from 128 on.
            let from_a = ((5 * i32::from(a[i]) * 53687 + (1 << 7)) >> 13) - 128 * ONE / 500;
            let from_b = ((i32::from(b[i]) * 41943 + (1 << 4)) >> 9) - 128 * ONE / 200 + 1;
            let light = [cubed(root + from_a), y, cubed(root - from_b)];
            [lightness[i], a[i], b[i]] = self.from_xyz.map(|[from_x, from_y, from_z]| {
                let sum = from_x * light[0] + from_y * light[1] + from_z * light[2];
                self.byte[descale(sum, 14).clamp(0, 4095) as usize & 4095] as u8
            });
        }
    }
}

/// The light of a root.
#[inline(always)]
fn cubed(root: i32) -> i32 {
    if root <= 3390 {
        root * 108 / 841 - ONE * 16 / 116 * 108 / 841
    } else {
        root * root / ONE * root / ONE
    }
}

//! Histograms equalised within tiles, with a limit to contrast: Albumentations' `CLAHE`, OpenCV's
//! `createCLAHE` (Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV,
//! 1994).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::colour::{LANES, change_colours};
use super::image::{Frame, Image};
use super::lab;
use super::lut::Lut;
use super::parameters::{Border, UpTo};
use super::transform::{Fault, Scene, Transform};
use candlewick_basis::seed::Stream;

/// Histograms equalised within tiles, with a limit to contrast: `{ clahe = 4.0, tile-grid-size =
/// [8, 8] }`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Clahe {
    /// How far above the mean a count may lie: the greatest factor, or the least and the greatest.
    clahe: UpTo<1>,
    /// Tiles side by side, and above each other.
    #[serde(default = "tile_grid_size")]
    tile_grid_size: [usize; 2],
}

fn tile_grid_size() -> [usize; 2] {
    [8, 8]
}

/// What [`Clahe`] draws.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Drawn {
    clip_limit: f64,
}

impl Transform for Clahe {
    type Drawn = Drawn;

    fn check(&self, frame: Frame) -> Result<Frame, Fault> {
        self.clahe.check("clahe", 1e6)?;
        let [columns, rows] = self.tile_grid_size;
        if !(1..=64).contains(&columns) || !(1..=64).contains(&rows) {
            let message = format!("tile-grid-size = [{columns}, {rows}] is not between 1 and 64");
            return Err(Fault::new("tile-grid-size", message, "from 1 to 64 tiles each way"));
        }
        Ok(frame)
    }

    fn draw(&self, _: &Scene, stream: &mut Stream) -> Drawn {
        Drawn { clip_limit: self.clahe.0.draw(stream) }
    }

    fn pixels(&self, drawn: &Drawn, image: &mut Image) {
        let frame = image.frame();
        let grid = self.tile_grid_size;
        if frame.channels == 1 {
            equalize(image.pixels_mut(), frame, grid, drawn.clip_limit);
            return;
        }
        // Colours keep a and b of CIELAB; lightness is equalised.
        let tables = lab::tables();
        let mut lightness = Vec::with_capacity(frame.height * frame.width + LANES);
        change_colours(
            image,
            #[inline(always)]
            |planes| {
                tables.to_lab(planes);
                lightness.extend_from_slice(&planes[0]);
            },
        );
        equalize(&mut lightness[..frame.height * frame.width], frame, grid, drawn.clip_limit);
        let (mut blocks, _) = lightness.as_chunks::<LANES>();
        change_colours(
            image,
            #[inline(always)]
            |planes| {
                if let Some((first, rest)) = blocks.split_first() {
                    planes[0] = *first;
                    blocks = rest;
                }
                tables.to_rgb(planes);
            },
        );
    }
}

/// Where a row or column of pixels lies between the middles of tiles.
struct Between {
    tiles: [usize; 2],
    /// How near the second middle is.
    part: f32,
}

fn between(length: usize, tile: usize, tiles: usize) -> Vec<Between> {
    let inverse = 1.0 / tile as f32;
    let places = (0..length).map(|at| {
        let place = at as f32 * inverse - 0.5;
        let first = place.floor();
        let part = place - first;
        let second = (first + 1.0) as usize;
        Between { tiles: [first.max(0.0) as usize, second.min(tiles - 1)], part }
    });
    places.collect()
}

/// Equalises one channel in tiles.
fn equalize(values: &mut [u8], frame: Frame, [columns, rows]: [usize; 2], clip_limit: f64) {
    let Frame { height, width, .. } = frame;
    // An image that tiles do not fill is continued, in both directions if in one.
    let even = height % rows == 0 && width % columns == 0;
    let tile = |length: usize, tiles: usize| length / tiles + usize::from(!even);
    let (tile_height, tile_width) = (tile(height, rows), tile(width, columns));
    let inside = |at, length| Border::Reflect101.place(at as isize, length).unwrap_or(0);
    let ys: Vec<usize> = (0..tile_height * rows).map(|y| inside(y, height) * width).collect();
    let xs: Vec<usize> = (0..tile_width * columns).map(|x| inside(x, width)).collect();
    let mut tables = Vec::with_capacity(rows * columns);
    for ys in ys.chunks_exact(tile_height) {
        for xs in xs.chunks_exact(tile_width) {
            let mut counts = [0u32; 256];
            for y in ys {
                for x in xs {
                    counts[usize::from(values[y + x])] += 1;
                }
            }
            tables.push(table(counts, (tile_height * tile_width) as u32, clip_limit));
        }
    }
    let across = between(width, tile_width, columns);
    for (row, y) in values.chunks_exact_mut(width).zip(between(height, tile_height, rows)) {
        let [above, below] = y.tiles.map(|tile| &tables[tile * columns..][..columns]);
        let mut rest = row;
        for xs in across.chunk_by(|a, b| a.tiles == b.tiles) {
            let (values, after) = rest.split_at_mut(xs.len());
            rest = after;
            let [left, right] = xs[0].tiles;
            let tables = [&above[left], &above[right], &below[left], &below[right]];
            for (value, x) in values.iter_mut().zip(xs) {
                let [a, b, c, d] = tables.map(|table| f32::from(table[usize::from(*value)]));
                let mix = |left: f32, right: f32| left * (1.0 - x.part) + right * x.part;
                let mixed = mix(a, b) * (1.0 - y.part) + mix(c, d) * y.part;
                *value = (mixed + 8_388_608.0).to_bits() as u8;
            }
        }
    }
}

/// The table of a tile: counts above the limit are spread over all values, and then added up.
fn table(mut counts: [u32; 256], area: u32, clip_limit: f64) -> Lut {
    let limit = ((clip_limit * f64::from(area) / 256.0) as u32).max(1);
    let mut excess = 0;
    for count in &mut counts {
        excess += count.saturating_sub(limit);
        *count = (*count).min(limit);
    }
    counts.iter_mut().for_each(|count| *count += excess / 256);
    let rest = excess as usize % 256;
    if let Some(every) = 256usize.checked_div(rest) {
        counts.iter_mut().step_by(every).take(rest).for_each(|count| *count += 1);
    }
    let scale = 255.0 / area as f32;
    let mut sum = 0;
    counts.map(|count| {
        sum += count;
        (sum as f32 * scale).round_ties_even() as u8
    })
}

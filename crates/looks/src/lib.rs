//! How images look, in so few numbers that copies of an image are found among many: the same pixels, or
//! the same picture encoded again, a little larger or smaller, or mirrored.
//!
//! An image is a *near copy* of another one if
//! 1. their difference hashes (Krawetz, "Kind of like that", 2013) differ in at most [`MOST_BITS`] of 64 bits.
//!    A bit says whether a cell of 9×8 is darker than the one to its right, by more than 4 grey levels:
//!    smaller steps are noise of an encoder;
//! 2. and the means of their 8×8 cells differ by at most [`MOST_LEVELS`] grey levels, each of them;
//!
//! as it is or mirrored from left to right.

use std::collections::HashMap;

use rayon::prelude::*;

/// Bits of the hashes of near copies that may differ.
pub const MOST_BITS: u32 = 7;

/// Grey levels by which a mean of near copies may differ.
pub const MOST_LEVELS: u8 = 12;

/// Grey levels by which neighbours in a hash have to differ.
const STEP: i16 = 4;

/// Of the 64 pairs of neighbours in an image, so many have to differ for a near copy.
const LEAST_BITS: u32 = 4;

/// Parts of a hash by which near ones are found, of 16 bits each.
const BANDS: usize = 4;

/// Rows and columns of the means.
const CELLS: usize = 8;

/// How an image looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// Of its pixels.
    exact: [u8; 16],
    hash: u64,
    mirrored: u64,
    cells: [u8; CELLS * CELLS],
}

/// How much one image is like another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// They have the same pixels.
    Exact,
    /// One is a near copy of the other.
    Near {
        /// The greatest difference between the means of two cells at the same place, in grey levels.
        levels: u8,
        /// Whether one of them is mirrored.
        mirrored: bool,
    },
}

/// An image and the one that is most like it among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The image.
    pub image: u32,
    /// The other one.
    pub of: u32,
    /// How much it is like that.
    pub likeness: Likeness,
}

impl Look {
    /// That of an image.
    ///
    /// # Shapes
    /// `pixels`: [height, width, channels], at least one of each, with 1 channel (gray) or 3 (RGB)
    pub fn new([height, width, channels]: [usize; 3], pixels: &[u8]) -> Look {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&(width as u64).to_le_bytes());
        hasher.update(pixels);
        let exact = *hasher.finalize().as_bytes().first_chunk().expect("32 bytes");
        // ITU-R BT.601 in 8 bits.
        let luma = |[r, g, b]: &[u8; 3]| {
            ((u32::from(*r) * 77 + u32::from(*g) * 150 + u32::from(*b) * 29 + 128) >> 8) as u8
        };
        let gray: Vec<u8> = match channels {
            3 => pixels.as_chunks().0.iter().map(luma).collect(),
            _ => pixels.to_vec(),
        };
        let steps = means(&gray, [height, width], CELLS + 1);
        let (mut hash, mut mirrored) = (0_u64, 0_u64);
        // Each band takes bits from all over the image: a row at its edge is the same in many images.
        let mut next = [0; BANDS];
        for (y, row) in steps.chunks_exact(CELLS + 1).enumerate() {
            for x in 0..CELLS {
                let band = (y + 3 * x) % BANDS;
                let bit = |left: u8, right: u8| {
                    let is_lighter = i16::from(right) - i16::from(left) > STEP;
                    u64::from(is_lighter) << (16 * band + next[band])
                };
                hash |= bit(row[x], row[x + 1]);
                mirrored |= bit(row[CELLS - x], row[CELLS - x - 1]);
                next[band] += 1;
            }
        }
        let cells = means(&gray, [height, width], CELLS);
        Look { exact, hash, mirrored, cells: cells.try_into().expect("8×8 cells") }
    }

    /// Whether hardly any neighbours differ: such images are alike, and no copies of each other.
    fn is_flat(&self) -> bool {
        (self.hash | self.mirrored).count_ones() < LEAST_BITS
    }

    /// How much it is like another one, if it is a copy.
    pub fn likeness(&self, other: &Look) -> Option<Likeness> {
        if self.exact == other.exact {
            return Some(Likeness::Exact);
        }
        if self.is_flat() || other.is_flat() {
            return None;
        }
        let is_near = |one: u64, other: u64| (one ^ other).count_ones() <= MOST_BITS;
        let levels = |place: fn(usize) -> usize| {
            let differences = self.cells.iter().enumerate();
            let differences = differences.map(|(at, mean)| mean.abs_diff(other.cells[place(at)]));
            differences.max().filter(|levels| *levels <= MOST_LEVELS)
        };
        // Both ways, so that who is compared with whom makes no difference.
        let is_mirrored = is_near(self.mirrored, other.hash) && is_near(self.hash, other.mirrored);
        let plain = is_near(self.hash, other.hash).then(|| levels(|at| at)).flatten();
        let turned = |at: usize| at - at % CELLS + (CELLS - 1 - at % CELLS);
        let mirrored = is_mirrored.then(|| levels(turned)).flatten();
        let plain = plain.map(|levels| Likeness::Near { levels, mirrored: false });
        let mirrored = mirrored.map(|levels| Likeness::Near { levels, mirrored: true });
        plain.into_iter().chain(mirrored).min()
    }
}

/// The mean grey level of each cell, in 8 rows of `columns` cells. Two neighbours share the pixels on their edge, so
/// that a mirrored image has mirrored cells.
fn means(gray: &[u8], [height, width]: [usize; 2], columns: usize) -> Vec<u8> {
    let edges = |cell: usize, cells: usize, side: usize| {
        cell * side / cells..((cell + 1) * side).div_ceil(cells)
    };
    let mut means = Vec::with_capacity(CELLS * columns);
    for y in 0..CELLS {
        let rows = edges(y, CELLS, height);
        for x in 0..columns {
            let places = edges(x, columns, width);
            let row = |y: usize| &gray[y * width..][places.clone()];
            let count = (rows.len() * places.len()) as u64;
            let sum: u64 = rows.clone().flat_map(row).map(|value| u64::from(*value)).sum();
            means.push(((sum + count / 2) / count) as u8);
        }
    }
    means
}

/// Each of `images` that is a copy of one of `others` which is `wanted` for it, with the one that it is most
/// like; of equals, the first. Both are indices into `looks`.
pub fn copies(
    looks: &[Look],
    images: &[u32],
    others: &[u32],
    // Not generic: it is compiled here, where it is optimised in development too.
    wanted: &(dyn Fn(u32, u32) -> bool + Sync),
) -> Vec<Pair> {
    // It is looked into and never iterated over.
    let mut exact: HashMap<[u8; 16], Vec<u32>> = HashMap::new();
    let mut by_band: Vec<Vec<(u64, u32)>> = vec![Vec::new(); BANDS << 16];
    for other in others {
        let look = &looks[*other as usize];
        exact.entry(look.exact).or_default().push(*other);
        if look.is_flat() {
            continue;
        }
        for band in 0..BANDS {
            by_band[(band << 16) | usize::from(part(look.hash, band))].push((look.hash, *other));
        }
    }
    let copy = |image: &u32| -> Option<Pair> {
        let look = &looks[*image as usize];
        let is_wanted = |other: &u32| other != image && wanted(*image, *other);
        let same = exact.get(&look.exact).into_iter().flatten().copied().find(&is_wanted);
        if let Some(of) = same {
            return Some(Pair { image: *image, of, likeness: Likeness::Exact });
        }
        if look.is_flat() {
            return None;
        }
        let mut best: Option<(Likeness, u32)> = None;
        for hash in [look.hash, look.mirrored] {
            // If two hashes differ in at most 7 bits, one of their 4 parts differs in at most one.
            let is_met = |other: u64, band: usize| part(hash ^ other, band).count_ones() <= 1;
            for band in 0..BANDS {
                let own = part(hash, band);
                for code in std::iter::once(own).chain((0..16).map(|bit| own ^ (1 << bit))) {
                    for (found, other) in &by_band[(band << 16) | usize::from(code)] {
                        if (hash ^ found).count_ones() > MOST_BITS
                            || (0..band).any(|earlier| is_met(*found, earlier))
                            || !is_wanted(other)
                        {
                            continue;
                        }
                        if let Some(likeness) = look.likeness(&looks[*other as usize])
                            && best.is_none_or(|best| (likeness, *other) < best)
                        {
                            best = Some((likeness, *other));
                        }
                    }
                }
            }
        }
        best.map(|(likeness, of)| Pair { image: *image, of, likeness })
    };
    images.par_iter().filter_map(copy).collect()
}

/// The bits of `hash` in one of its bands.
fn part(hash: u64, band: usize) -> u16 {
    (hash >> (16 * band)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(width: usize, height: usize, value: impl Fn(usize, usize) -> u8) -> Look {
        let pixels: Vec<u8> =
            (0..width * height).map(|place| value(place % width, place / width)).collect();
        Look::new([height, width, 1], &pixels)
    }

    #[test]
    fn a_mirrored_image_has_mirrored_cells_whatever_its_width() {
        for width in [3, 8, 9, 13, 31, 64] {
            let value = |x: usize, y: usize| ((x * 37 + y * 11) % 251) as u8;
            let plain = look(width, 20, value);
            let other = look(width, 20, |x, y| value(width - 1 - x, y));
            assert_eq!((plain.hash, plain.mirrored), (other.mirrored, other.hash), "{width}");
            let likeness = plain.likeness(&other).unwrap();
            assert_eq!(likeness, Likeness::Near { levels: 0, mirrored: true }, "{width}");
        }
    }

    #[test]
    fn a_lighter_cell_is_a_copy_up_to_the_limit() {
        let with = |more: u8| {
            let cells = |x: usize, y: usize| (x / 4 * 37 + y / 4 * 11) % 120;
            look(32, 32, |x, y| cells(x, y) as u8 + if x < 4 && y < 4 { more } else { 0 })
        };
        let levels = |more: u8| with(0).likeness(&with(more));
        assert_eq!(levels(0), Some(Likeness::Exact));
        assert_eq!(levels(12), Some(Likeness::Near { levels: 12, mirrored: false }));
        assert_eq!(levels(13), None);
    }

    #[test]
    fn flat_images_are_copies_only_if_they_have_the_same_pixels() {
        let flat = |level: u8| look(32, 32, |x, _| level + u8::from(x > 16));
        assert_eq!(flat(100).likeness(&flat(101)), None);
        assert_eq!(flat(100).likeness(&flat(100)), Some(Likeness::Exact));
        let looks = [flat(100), flat(101), flat(100)];
        let found = copies(&looks, &[0, 1, 2], &[0, 1, 2], &|image, other| other < image);
        let exact = Pair { image: 2, of: 0, likeness: Likeness::Exact };
        assert_eq!(found, [exact]);
    }

    #[test]
    fn every_copy_is_found_that_comparing_all_pairs_finds() {
        // Gradients that differ a little: many of them are near copies of others.
        let looks: Vec<Look> = (0..150_usize)
            .map(|number| {
                let (slope, bend) = (number % 15, number / 15);
                look(24, 24, move |x, y| (x * slope / 2 + (y * bend * x) / 40) as u8)
            })
            .collect();
        let all: Vec<u32> = (0..150).collect();
        let wanted = |image: u32, other: u32| other < image;
        let found = copies(&looks, &all, &all, &wanted);
        let expected: Vec<Pair> = all
            .iter()
            .filter_map(|image| {
                let like = |of: &u32| {
                    let likeness = looks[*image as usize].likeness(&looks[*of as usize])?;
                    Some((likeness, *of))
                };
                let best = all[..*image as usize].iter().filter_map(like).min()?;
                Some(Pair { image: *image, of: best.1, likeness: best.0 })
            })
            .collect();
        assert!((20..140).contains(&expected.len()), "{}", expected.len());
        assert_eq!(found, expected);
    }
}

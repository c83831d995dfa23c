//! Whole batches mixed with themselves: mixup and CutMix.

use serde::{Deserialize, Serialize};

use super::image::Frame;
use candlewick_basis::seed::Stream;

/// How the images of a batch are mixed, two by two.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", untagged)]
pub enum Mixing {
    /// A weighted mean of two images (Zhang et al., "mixup: beyond empirical risk minimization",
    /// ICLR 2018).
    Mixup {
        /// The part λ of an image's own is drawn from Beta(α, α), α > 0.
        mixup: f64,
        /// The probability that a batch is mixed; inside of `one-of` its weight.
        p: f64,
    },
    /// A window of one image in the other (Yun et al., "CutMix", ICCV 2019).
    Cutmix {
        /// The part λ of an image's own is drawn from Beta(α, α), α > 0, before the window is cut
        /// at the edges.
        cutmix: f64,
        /// The probability that a batch is mixed; inside of `one-of` its weight.
        p: f64,
    },
    /// One of them for each batch, chosen in proportion to their `p`.
    OneOf {
        /// What is chosen from.
        one_of: Vec<Mixing>,
        /// The probability that one is chosen.
        p: f64,
    },
}

/// How one batch is mixed.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixed {
    /// Each image's partner, as its place in the batch.
    pub partners: Vec<u32>,
    /// The part of an image that is its own.
    pub own: f64,
    /// The rows and columns that are the partner's; none where all pixels are weighted means.
    pub window: Option<[std::ops::Range<usize>; 2]>,
}

impl Mixing {
    /// Its probability, or its weight inside of `one-of`.
    pub fn p(&self) -> f64 {
        match self {
            Mixing::Mixup { p, .. } | Mixing::Cutmix { p, .. } | Mixing::OneOf { p, .. } => *p,
        }
    }

    /// Draws for a batch of `images` of `frame`; none if it is not mixed.
    pub fn draw(&self, images: usize, frame: Frame, stream: &mut Stream) -> Option<Mixed> {
        if self.p() < 1.0 && stream.uniform() >= self.p() {
            return None;
        }
        self.draw_surely(images, frame, stream)
    }

    fn draw_surely(&self, images: usize, frame: Frame, stream: &mut Stream) -> Option<Mixed> {
        let alpha = match self {
            Mixing::Mixup { mixup, .. } => mixup,
            Mixing::Cutmix { cutmix, .. } => cutmix,
            Mixing::OneOf { one_of, .. } => {
                let total: f64 = one_of.iter().map(Mixing::p).sum();
                let mut at = stream.uniform() * total;
                let chosen = one_of.iter().find(|mixing| {
                    at -= mixing.p();
                    at < 0.0
                });
                return chosen.or(one_of.last())?.draw_surely(images, frame, stream);
            }
        };
        let own = stream.beta(*alpha);
        let mut partners: Vec<u32> = (0..images as u32).collect();
        stream.shuffle(&mut partners);
        if matches!(self, Mixing::Mixup { .. }) {
            return Some(Mixed { partners, own, window: None });
        }
        let part = (1.0 - own).sqrt();
        let mut side = |length: usize| {
            let half = (length as f64 * part) as usize / 2;
            let centre = stream.below(length as u64) as usize;
            centre.saturating_sub(half)..(centre + half).min(length)
        };
        let window = [side(frame.height), side(frame.width)];
        let area = window[0].len() * window[1].len();
        let own = 1.0 - area as f64 / (frame.height * frame.width) as f64;
        Some(Mixed { partners, own, window: Some(window) })
    }
}

impl Mixed {
    /// Mixes the pixels of a batch.
    ///
    /// # Shapes
    /// `pixels`: [images, channels, height, width]
    pub fn apply(&self, pixels: &mut [f32], frame: Frame) {
        let unmixed = pixels.to_vec();
        let image = frame.bytes();
        let own = self.own as f32;
        for (pixels, partner) in pixels.chunks_exact_mut(image).zip(&self.partners) {
            let partner = &unmixed[*partner as usize * image..][..image];
            match &self.window {
                None => {
                    for (value, other) in pixels.iter_mut().zip(partner) {
                        *value = own * *value + (1.0 - own) * other;
                    }
                }
                Some([rows, columns]) => {
                    let planes = pixels.chunks_exact_mut(frame.height * frame.width);
                    for (plane, other) in
                        planes.zip(partner.chunks_exact(frame.height * frame.width))
                    {
                        for row in rows.clone() {
                            let run =
                                row * frame.width + columns.start..row * frame.width + columns.end;
                            plane[run.clone()].copy_from_slice(&other[run]);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candlewick_basis::seed::derive;

    const FRAME: Frame = Frame { height: 6, width: 5, channels: 3 };

    /// Images of one value each, its place in the batch.
    fn batch(images: usize) -> Vec<f32> {
        (0..images).flat_map(|image| vec![image as f32; FRAME.bytes()]).collect()
    }

    #[test]
    fn mixup_is_the_weighted_mean_of_an_image_and_its_partner() {
        let mixing = Mixing::Mixup { mixup: 0.4, p: 1.0 };
        let mixed = mixing.draw(8, FRAME, &mut derive(1, "mixing", &[])).unwrap();
        let mut pixels = batch(8);
        mixed.apply(&mut pixels, FRAME);
        for (image, values) in pixels.chunks(FRAME.bytes()).enumerate() {
            let expected =
                mixed.own * image as f64 + (1.0 - mixed.own) * f64::from(mixed.partners[image]);
            assert!(values.iter().all(|value| (f64::from(*value) - expected).abs() < 1e-5));
        }
    }

    #[test]
    fn cutmix_puts_a_window_of_the_partner_into_the_image_and_weighs_by_its_area() {
        let mixing = Mixing::Cutmix { cutmix: 1.0, p: 1.0 };
        for draw in 0..50 {
            let mixed = mixing.draw(4, FRAME, &mut derive(1, "mixing", &[draw])).unwrap();
            let mut pixels = batch(4);
            mixed.apply(&mut pixels, FRAME);
            for (image, values) in pixels.chunks(FRAME.bytes()).enumerate() {
                if mixed.partners[image] as usize != image {
                    let own = values.iter().filter(|value| **value == image as f32).count();
                    let part = own as f64 / FRAME.bytes() as f64;
                    assert!((part - mixed.own).abs() < 1e-9, "{mixed:?}");
                }
            }
        }
    }

    #[test]
    fn one_of_them_is_chosen_by_weight_and_a_batch_is_mixed_with_its_probability() {
        let one_of =
            vec![Mixing::Mixup { mixup: 1.0, p: 1.0 }, Mixing::Cutmix { cutmix: 1.0, p: 3.0 }];
        let mixing = Mixing::OneOf { one_of, p: 0.5 };
        let draws: Vec<Option<Mixed>> =
            (0..4000).map(|n| mixing.draw(2, FRAME, &mut derive(1, "mixing", &[n]))).collect();
        let mixed = draws.iter().flatten().count() as f64;
        let cut = draws.iter().flatten().filter(|mixed| mixed.window.is_some()).count() as f64;
        assert!((mixed / 4000.0 - 0.5).abs() < 0.03, "{mixed}");
        assert!((cut / mixed - 0.75).abs() < 0.03, "{cut}");
    }
}

//! What distortions have in common: a map for every pixel, and boxes that follow it.

use super::boxes::BBox;
use super::image::Frame;

/// Moves boxes with the pixels of an image that `map` distorts, as [`warp`](super::warp::warp) takes
/// it. As Albumentations does: the pixels of a box are marked, the marks distorted, and a box put
/// around them, from the first marked column and row to the last; a box that is lost stays where
/// it was.
pub(super) fn distort_boxes(
    boxes: &mut [BBox],
    frame: Frame,
    map: impl Fn(usize, &mut [f32], &mut [f32]),
) {
    if boxes.is_empty() {
        return;
    }
    let (height, width) = (frame.height as f64, frame.width as f64);
    let marked = |bbox: &BBox| {
        let whole = |at: f64, length: f64| at.round_ties_even().min(length - 1.0).max(0.0) as f32;
        [
            whole(bbox.x_min, width),
            whole(bbox.y_min, height),
            whole(bbox.x_max, width),
            whole(bbox.y_max, height),
        ]
    };
    let marked: Vec<[f32; 4]> = boxes.iter().map(marked).collect();
    let mut found: Vec<Option<BBox>> = vec![None; boxes.len()];
    let (mut xs, mut ys) = (vec![0.0; frame.width], vec![0.0; frame.width]);
    for row in 0..frame.height {
        map(row, &mut xs, &mut ys);
        for (column, (x, y)) in xs.iter().zip(&ys).enumerate() {
            let (x, y) = (x.round_ties_even(), y.round_ties_even());
            for (found, [x_min, y_min, x_max, y_max]) in found.iter_mut().zip(&marked) {
                if (*x_min..=*x_max).contains(&x) && (*y_min..=*y_max).contains(&y) {
                    let (x, y) = (column as f64, row as f64);
                    let one = BBox { x_min: x, y_min: y, x_max: x, y_max: y, label: 0 };
                    let all = found.unwrap_or(one);
                    *found = Some(BBox {
                        x_min: all.x_min.min(x),
                        x_max: all.x_max.max(x),
                        y_max: y,
                        ..all
                    });
                }
            }
        }
    }
    for (bbox, found) in boxes.iter_mut().zip(found) {
        if let Some(found) = found {
            *bbox = BBox { label: bbox.label, ..found };
        }
    }
}

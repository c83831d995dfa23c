//! Lines, circles and polygons of whole pixels, as OpenCV draws them.

/// For each row from the middle of a disc on, how far it reaches to both sides.
pub(super) fn disc(radius: usize) -> Vec<usize> {
    let mut reach = vec![0; radius + 1];
    let (mut error, mut x, mut y) = (0_i64, radius, 0);
    while x >= y {
        reach[y] = reach[y].max(x);
        reach[x] = reach[x].max(y);
        error += 2 * y as i64 + 1;
        y += 1;
        if error > 0 {
            if x == 0 {
                break;
            }
            error -= 2 * x as i64 - 1;
            x -= 1;
        }
    }
    reach
}

/// The part in an image of `height`×`width` of each row of the disc of `radius` around (x, y): row,
/// first column, column behind the last.
pub(super) fn disc_rows(
    [x, y]: [i64; 2],
    reach: &[usize],
    [height, width]: [usize; 2],
) -> impl Iterator<Item = (usize, usize, usize)> {
    let radius = reach.len() as i64 - 1;
    ((y - radius).max(0)..(y + radius + 1).min(height as i64)).filter_map(move |row| {
        let reach = reach[(row - y).unsigned_abs() as usize] as i64;
        let (left, right) = ((x - reach).max(0), (x + reach + 1).min(width as i64));
        (left < right).then_some((row as usize, left as usize, right as usize))
    })
}

/// The pixels of a line between two points (Bresenham); neighbours share an edge if `edges`, else an
/// edge or a corner.
pub(super) fn line(from: [i64; 2], to: [i64; 2], edges: bool, mut draw: impl FnMut(i64, i64)) {
    // From left to right.
    let ([mut x, mut y], to) = if to[0] < from[0] { (to, from) } else { (from, to) };
    let (width, height) = (to[0] - x, (to[1] - y).abs());
    let down = if to[1] < y { -1 } else { 1 };
    let steep = height > width;
    let (long, short) = if steep { (height, width) } else { (width, height) };
    let steps = if edges { long + short } else { long };
    let mut error = if edges { 0 } else { long - 2 * short };
    for _ in 0..=steps {
        draw(x, y);
        let aside = error < 0;
        let along = !(edges && aside);
        error -= 2 * short;
        if aside {
            error += if edges { 2 * long + 2 * short } else { 2 * long };
        }
        if if steep { aside } else { along } {
            x += 1;
        }
        if if steep { along } else { aside } {
            y += down;
        }
    }
}

/// Marks the pixels of a polygon whose corners lie in a mask of `width` columns: what is inside (by
/// the even-odd rule) and its edges.
pub(super) fn polygon(corners: &[[i64; 2]], mask: &mut [bool], width: usize) {
    let edges = || corners.iter().zip(corners.iter().cycle().skip(1));
    let height = mask.len() / width;
    let mut crossings = Vec::new();
    for (row, mask) in mask.chunks_exact_mut(width).enumerate() {
        crossings.clear();
        for (a, b) in edges() {
            let ([x, top], [to_x, bottom]) = if a[1] < b[1] { (*a, *b) } else { (*b, *a) };
            if (top..bottom).contains(&(row as i64)) {
                // In parts of 2^16, the slope cut towards zero.
                let slope = ((to_x - x) << 16) / (bottom - top);
                crossings.push((x << 16) + slope * (row as i64 - top));
            }
        }
        crossings.sort_unstable();
        for pair in crossings.as_chunks::<2>().0 {
            let left = ((pair[0] + 0xffff) >> 16).max(0);
            let right = ((pair[1] >> 16) + 1).min(width as i64);
            if left < right {
                mask[left as usize..right as usize].fill(true);
            }
        }
    }
    for (a, b) in edges() {
        line(*a, *b, false, |x, y| {
            if (0..width as i64).contains(&x) && (0..height as i64).contains(&y) {
                mask[y as usize * width + x as usize] = true;
            }
        });
    }
}

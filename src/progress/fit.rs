//! Which parts of a line fit into a width, and how wide they become.

use console::{measure_text_width, truncate_str};

/// A part of a line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// The width that it would have with room for everything.
    pub(super) natural: usize,
    /// The width below which it is rather left out.
    pub(super) least: usize,
    /// Parts of lower rank come first where there is not room for all; one of rank 0 always stays.
    pub(super) rank: usize,
}

/// The width of each part, so that together they fit into `room`; none for those left out.
pub(super) fn fit(parts: &[Part], room: usize) -> Vec<Option<usize>> {
    let mut by_rank: Vec<usize> = (0..parts.len()).collect();
    by_rank.sort_by_key(|index| parts[*index].rank);
    let mut widths = vec![None; parts.len()];
    let mut left = room;
    for &index in &by_rank {
        let Part { least, rank, .. } = parts[index];
        if least <= left || rank == 0 {
            widths[index] = Some(least);
            left = left.saturating_sub(least);
        }
    }
    for index in by_rank {
        if let Some(width) = &mut widths[index] {
            let more = left.min(parts[index].natural - parts[index].least);
            *width += more;
            left -= more;
        }
    }
    widths
}

/// `text` in at most `width` columns; what is cut off ends with an ellipsis.
pub(super) fn cut(text: &str, width: usize) -> String {
    if width == 0 { String::new() } else { truncate_str(text, width, "…").into_owned() }
}

/// The columns that `text` takes.
pub(super) fn columns(text: &str) -> usize {
    measure_text_width(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_goes_to_the_lowest_rank_first() {
        let part = |natural, least, rank| Part { natural, least, rank };
        let parts = [part(10, 10, 0), part(20, 4, 2), part(6, 6, 1), part(9, 3, 3)];
        for (room, expected) in [
            (100, [Some(10), Some(20), Some(6), Some(9)]),
            (40, [Some(10), Some(20), Some(6), Some(4)]),
            (30, [Some(10), Some(11), Some(6), Some(3)]),
            (23, [Some(10), Some(4), Some(6), Some(3)]),
            (22, [Some(10), Some(6), Some(6), None]),
            (19, [Some(10), None, Some(6), Some(3)]),
            (18, [Some(10), None, Some(6), None]),
            (12, [Some(10), None, None, None]),
            (5, [Some(10), None, None, None]),
        ] {
            assert_eq!(fit(&parts, room), expected, "{room} columns");
        }
    }

    #[test]
    fn text_is_cut_to_columns_and_says_so() {
        for (text, width, expected) in [
            ("dropout = 0.25", 14, "dropout = 0.25"),
            ("dropout = 0.25", 13, "dropout = 0.…"),
            ("dropout", 1, "…"),
            ("dropout", 0, ""),
            ("größe = 3", 6, "größe…"),
            ("画像画像", 5, "画像…"),
            ("画像画像", 4, "画…"),
        ] {
            let cut = cut(text, width);
            assert_eq!(cut, expected, "{text} in {width} columns");
            assert!(columns(&cut) <= width);
        }
    }
}

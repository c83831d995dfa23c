//! Colours for numbers in pictures: the same for all who see colours differently, and in grey.

/// Colours at equal distances from 0 to 1.
type Stops<const COUNT: usize> = [[u8; 3]; COUNT];

/// From white to dark brown, for numbers above 0, and to dark blue for those below (ColorBrewer's Oranges and Blues).
const ABOVE: Stops<4> = [[255, 255, 255], [253, 190, 133], [230, 85, 13], [102, 37, 6]];
const BELOW: Stops<4> = [[255, 255, 255], [158, 202, 225], [49, 130, 189], [8, 48, 107]];

/// matplotlib's inferno, whose lightness rises evenly.
const INFERNO: Stops<11> = [
    [0, 0, 4],
    [22, 11, 57],
    [66, 10, 104],
    [106, 23, 110],
    [147, 38, 103],
    [188, 55, 84],
    [221, 81, 58],
    [243, 120, 25],
    [252, 165, 10],
    [246, 215, 70],
    [252, 255, 164],
];

/// The colour of a number from −1 (dark blue) over 0 (white) to 1 (dark brown).
pub fn around_zero(number: f32) -> [u8; 3] {
    if number < 0.0 { between(&BELOW, -number) } else { between(&ABOVE, number) }
}

/// The colour of a number from 0 (black) over red to 1 (light yellow).
pub fn heat(number: f32) -> [u8; 3] {
    between(&INFERNO, number)
}

/// A number from −1 (black) over 0 (middle grey) to 1 (white), as a level of grey or of a colour.
pub fn level(number: f32) -> u8 {
    (127.5 * (1.0 + number.clamp(-1.0, 1.0))).round() as u8
}

fn between<const COUNT: usize>(stops: &Stops<COUNT>, number: f32) -> [u8; 3] {
    // What is no number has no colour of its own.
    let number = if number.is_finite() { number.clamp(0.0, 1.0) } else { 0.0 };
    let place = number * (COUNT - 1) as f32;
    let first = (place as usize).min(COUNT - 2);
    let part = place - first as f32;
    std::array::from_fn(|c| {
        let [from, to] = [stops[first][c], stops[first + 1][c]].map(f32::from);
        (from + part * (to - from)).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_and_the_middle_have_their_colours() {
        assert_eq!(around_zero(0.0), [255; 3]);
        assert_eq!([around_zero(1.0), around_zero(-1.0)], [ABOVE[3], BELOW[3]]);
        assert_eq!([heat(0.0), heat(0.5), heat(7.0)], [[0, 0, 4], [188, 55, 84], [252, 255, 164]]);
        assert_eq!(heat(f32::NAN), heat(0.0));
        assert_eq!([level(-1.0), level(0.0), level(1.0)], [0, 128, 255]);
    }
}

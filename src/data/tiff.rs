//! What the decoder does not tell of a TIFF file: whether its colours have been multiplied by alpha.

/// The tag of what further samples a pixel has (TIFF 6.0, page 31), and the first of them that alpha multiplied the
/// others by.
const EXTRA_SAMPLES: u64 = 338;
const ASSOCIATED_ALPHA: u64 = 1;

/// Whether the colours of the first image in a file have been multiplied by alpha, which is then called associated.
pub(super) fn is_premultiplied(bytes: &[u8]) -> bool {
    first_extra_sample(bytes) == Some(ASSOCIATED_ALPHA)
}

fn first_extra_sample(bytes: &[u8]) -> Option<u64> {
    let is_little = bytes.starts_with(b"II");
    let number = |at: usize, length: usize| -> Option<u64> {
        let field = bytes.get(at..at.checked_add(length)?)?;
        let join = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(match is_little {
            true => field.iter().rev().fold(0, join),
            false => field.iter().fold(0, join),
        })
    };
    let place = |at: usize, length: usize| usize::try_from(number(at, length)?).ok();
    // Of BigTIFF, counts and offsets are longer.
    let (start, counted, long, entry) = match number(2, 2)? {
        43 => (place(8, 8)?, 8, 8, 20),
        _ => (place(4, 4)?, 2, 4, 12),
    };
    let first = start.checked_add(counted)?;
    let entries = bytes.get(first..)?.len() / entry;
    let entries = entries.min(place(start, counted)?);
    let at = (0..entries).map(|index| first + index * entry);
    let at = at.clone().find(|at| number(*at, 2) == Some(EXTRA_SAMPLES))?;
    // Bytes, or numbers of 16 bits.
    let length = if number(at + 2, 2)? == 1 { 1 } else { 2 };
    let is_inside = place(at + 4, long)?.checked_mul(length)? <= long;
    let value = at + 4 + long;
    number(if is_inside { value } else { place(value, long)? }, length)
}

#[cfg(test)]
mod tests {
    use super::super::decode::decode;
    use super::*;

    /// A file of one pixel of red, green, blue and alpha, which is of this kind.
    fn rgba(is_little: bool, kind: u16, pixel: [u8; 4]) -> Vec<u8> {
        let short = |number: u16| match is_little {
            true => number.to_le_bytes(),
            false => number.to_be_bytes(),
        };
        let long = |number: u32| match is_little {
            true => number.to_le_bytes(),
            false => number.to_be_bytes(),
        };
        // Width, height, bits (behind the pixel), no compression, RGB, offset, samples, rows, bytes, and what is extra.
        let entries: [(u16, u16, u32, u32); 10] = [
            (256, 3, 1, 1),
            (257, 3, 1, 1),
            (258, 3, 4, 12),
            (259, 3, 1, 1),
            (262, 3, 1, 2),
            (273, 4, 1, 8),
            (277, 3, 1, 4),
            (278, 3, 1, 1),
            (279, 4, 1, 4),
            (338, 3, 1, kind.into()),
        ];
        let mut bytes = if is_little { b"II".to_vec() } else { b"MM".to_vec() };
        bytes.extend([short(42), [0; 2], [0; 2]].concat());
        bytes[4..8].copy_from_slice(&long(20));
        bytes.extend(pixel);
        bytes.extend([short(8); 4].concat());
        bytes.extend(short(entries.len() as u16));
        for (tag, kind, count, value) in entries {
            bytes.extend([short(tag), short(kind)].concat());
            bytes.extend(long(count));
            match kind == 3 && count == 1 {
                true => bytes.extend([short(value as u16), [0; 2]].concat()),
                false => bytes.extend(long(value)),
            }
        }
        bytes.extend([0; 4]);
        bytes
    }

    #[test]
    fn colours_that_alpha_has_multiplied_are_not_multiplied_again() {
        for is_little in [true, false] {
            // Half of red on white, which the file holds as red or as half of it.
            for (kind, red) in [(2, 255), (1, 128)] {
                let file = rgba(is_little, kind, [red, 0, 0, 128]);
                assert_eq!(is_premultiplied(&file), kind == 1);
                let picture = decode(&file, 1 << 20).unwrap();
                assert_eq!(*picture.pixels, [255, 127, 127], "{kind} {is_little}");
            }
        }
    }

    #[test]
    fn no_damage_to_a_file_panics() {
        let whole = rgba(true, 1, [1, 2, 3, 4]);
        for place in 0..whole.len() {
            for damage in [0, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[place] = damage;
                let _ = is_premultiplied(&damaged);
            }
            assert!(!is_premultiplied(&whole[..place]) || place > whole.len() - 12);
        }
    }
}

//! Whether a JPEG file is complete.
//!
//! The decoder forgives a file that breaks off and fills the rest with gray. Learning from half an
//! image without a word is worse than an error, so the markers are walked until the end of image.

/// Says so if the file ends before its end-of-image marker.
pub(super) fn check_complete(bytes: &[u8]) -> Result<(), String> {
    if ends(bytes) { Ok(()) } else { Err("a JPEG file that ends too early".to_owned()) }
}

/// Walks the segments (ITU-T T.81, B.1): a marker is 0xFF and a byte. Markers 0x01 and 0xD0 to 0xD8
/// stand alone; 0xD9 is the end; every other one is followed by its segment's length. After a scan
/// header (0xDA) come entropy-coded bytes, in which 0xFF is always followed by 0x00 or a restart
/// marker, so the next other marker ends them. Thumbnails lie inside segments and are stepped over.
fn ends(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(offset) = bytes.get(at..).and_then(|rest| rest.iter().position(|b| *b == 0xff)) {
        at += offset;
        let Some(marker) = bytes.get(at + 1) else { return false };
        match marker {
            0xd9 => return true,
            // A fill byte: the marker may begin at the next one.
            0xff => at += 1,
            0x00 | 0x01 | 0xd0..=0xd8 => at += 2,
            _ => match bytes.get(at + 2..at + 4) {
                Some(length) => at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]])),
                None => return false,
            },
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_complete_if_and_only_if_its_end_marker_was_reached() {
        let whole = [
            &[0xff, 0xd8][..],
            // A segment that holds an end marker of its own, as a thumbnail does.
            &[0xff, 0xe1, 0x00, 0x06, 0xff, 0xd8, 0xff, 0xd9],
            &[0xff, 0xda, 0x00, 0x03, 0x01],
            &[1, 2, 0xff, 0x00, 3, 0xff, 0xd0, 4],
            &[0xff, 0xff, 0xd9],
        ]
        .concat();
        assert!(check_complete(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(check_complete(&whole[..length]).is_err(), "{length} bytes");
        }
    }
}

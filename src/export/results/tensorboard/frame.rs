//! Records of a TFRecord file: length, its checksum, bytes, their checksum.
//!
//! The format is that of `tensorflow/core/lib/io/record_writer.h`; checksums are CRC-32C, masked so that the
//! checksum of bytes that hold checksums does not come out special.

/// CRC-32C, rotated by 15 bits, plus a constant.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Writes one record.
pub(super) fn write(bytes: &[u8], into: &mut Vec<u8>) {
    let length = (bytes.len() as u64).to_le_bytes();
    into.extend(length);
    into.extend(masked(&length).to_le_bytes());
    into.extend(bytes);
    into.extend(masked(bytes).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_framed_as_tensorflow_frames_them() {
        // with tf.io.TFRecordWriter(path) as writer: writer.write(b"123456789")
        let mut bytes = Vec::new();
        write(b"123456789", &mut bytes);
        assert_eq!(bytes.len(), 8 + 4 + 9 + 4);
        // The check value of CRC-32C is e3069283.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        let mask = 0xe306_9283_u32.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(bytes[21..], mask.to_le_bytes());
    }
}

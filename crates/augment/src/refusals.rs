//! Parameters of geometric transforms that are refused, and why.

use super::image::Frame;
use super::registry::AnyTransform;

/// The key and the message with which `table` is refused for images of 24×31.
fn refused(table: &str) -> (&'static str, String) {
    let transform: AnyTransform = serde_json::from_str(table).unwrap();
    let frame = Frame { height: 24, width: 31, channels: 3 };
    let fault = transform.check(frame).expect_err(table);
    (fault.key, fault.message)
}

#[test]
fn what_cannot_be_is_refused_with_what_was_found() {
    let cases = [
        (r#"{ "rotate-90": true }"#, "rotate-90", "24×31"),
        (r#"{ "transpose": true }"#, "transpose", "24×31"),
        (r#"{ "rotate": [30, -20] }"#, "rotate", "wrong order"),
        (r#"{ "rotate": -30 }"#, "rotate", "must not be negative"),
        (r#"{ "affine": true, "scale": 0 }"#, "scale", "0.01"),
        (r#"{ "affine": true, "shear": 90 }"#, "shear", "80"),
        (r#"{ "affine": true, "translate-px": 0.5 }"#, "translate-px", "whole pixels"),
        (
            r#"{ "affine": true, "translate-px": 1, "translate-percent": 0.1 }"#,
            "translate-px",
            "both set",
        ),
        (
            r#"{ "affine": true, "keep-ratio": true, "scale": { "x": 1, "y": 2 } }"#,
            "keep-ratio",
            "different",
        ),
        (r#"{ "shift-scale-rotate": true, "scale-limit": 1 }"#, "scale-limit", "-0.99"),
        (r#"{ "perspective": [0.1, 1.5] }"#, "perspective", "between 0 and 1"),
        (r#"{ "elastic": -1 }"#, "elastic", "-1"),
        (r#"{ "elastic": 1, "sigma": 0.5 }"#, "sigma", "0.5"),
        (r#"{ "grid-distortion": 0.3, "num-steps": 25 }"#, "num-steps", "24×31"),
        (r#"{ "optical-distortion": 100 }"#, "optical-distortion", "100"),
        (r#"{ "resize": 0 }"#, "resize", "0×0"),
        (r#"{ "resize": [10, 5000] }"#, "resize", "10×5000"),
        (r#"{ "smallest-max-size": 4096 }"#, "smallest-max-size", "4096×5291"),
        (r#"{ "center-crop": 25 }"#, "center-crop", "24×31"),
        (r#"{ "random-crop": [1, 32] }"#, "random-crop", "1×32"),
        (r#"{ "crop": [5, 5, 5, 9] }"#, "crop", "no pixel"),
        (r#"{ "crop": [0, 0, 32, 9] }"#, "crop", "31 columns"),
        (r#"{ "random-resized-crop": 8, "scale": [0.5, 1.5] }"#, "scale", "1.5"),
        (r#"{ "random-sized-bbox-safe-crop": 8, "erosion-rate": 2 }"#, "erosion-rate", "2"),
        (r#"{ "crop-and-pad": true }"#, "", "neither"),
        (r#"{ "crop-and-pad": true, "px": 1, "percent": 0.1 }"#, "", "both"),
        (r#"{ "crop-and-pad": true, "px": 4096 }"#, "crop-and-pad", "8216×8223"),
        (
            r#"{ "crop-and-pad": true, "px": [0, 4], "keep-size": false }"#,
            "keep-size",
            "differ in size",
        ),
        (r#"{ "pad-if-needed": [10, 9999] }"#, "pad-if-needed", "9999"),
    ];
    for (table, key, words) in cases {
        let (found, message) = refused(table);
        assert_eq!(found, key, "{table}: {message}");
        assert!(message.contains(words), "{table}: {message}");
    }
}

#[test]
fn evaluation_images_get_the_size_with_nothing_left_to_chance() {
    let cases = [
        (r#"{ "random-crop": [8, 9] }"#, Some(r#"{ "center-crop": [8, 9] }"#)),
        (
            r#"{ "random-resized-crop": 8, "interpolation": "cubic" }"#,
            Some(r#"{ "resize": 8, "interpolation": "cubic" }"#),
        ),
        (r#"{ "random-sized-bbox-safe-crop": 8 }"#, Some(r#"{ "resize": 8 }"#)),
        (
            r#"{ "pad-if-needed": 40, "position": "random" }"#,
            Some(r#"{ "pad-if-needed": 40, "position": "center" }"#),
        ),
        (r#"{ "crop-and-pad": true, "px": [-2, 2] }"#, None),
        (
            r#"{ "crop-and-pad": true, "px": -2, "keep-size": false }"#,
            Some(r#"{ "crop-and-pad": true, "px": -2, "keep-size": false }"#),
        ),
        (r#"{ "rotate": 20 }"#, None),
        (r#"{ "resize": 8 }"#, Some(r#"{ "resize": 8 }"#)),
    ];
    let read = |table: &str| serde_json::from_str::<AnyTransform>(table).unwrap();
    for (table, expected) in cases {
        let frame = Frame { height: 24, width: 31, channels: 3 };
        assert_eq!(read(table).at_evaluation(frame), expected.map(read), "{table}");
    }
}

//! Odd and corrupt images: what is read is what PIL reads, and nothing ever panics.

use std::fs;
use std::path::{Path, PathBuf};

use candlewick::data::{decode_centre, decode_image, load};
use candlewick::plan::data::{
    BoxPlan, Columns, DataPlan, Duplicates, Fit, Group, Image, MOST_PIXELS, Normalise, OnBadImage,
    Sampling, Source, Subset, TestSet,
};
use image::{DynamicImage, ImageBuffer, ImageFormat, Rgb};
use tempfile::TempDir;

fn images() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/images")
}

fn plan(folder: &Path, on_bad_image: OnBadImage) -> DataPlan {
    DataPlan {
        source: Source::Folder(folder.to_owned()),
        test: TestSet::Declared,
        validation: 0.0,
        fold: None,
        task: Default::default(),
        class_attributes: Default::default(),
        classes: Vec::new(),
        subset: Subset::All,
        image: Image { size: [8, 8], channels: 3 },
        fit: Fit::Stretch,
        own_size: None,
        normalise: Normalise::None,
        on_bad_image,
        max_pixels: MOST_PIXELS,
        boxes: BoxPlan::default(),
        columns: Columns::default(),
        group: Group::None,
        duplicates: Duplicates::Keep,
        sampling: Sampling::Shuffle,
    }
}

/// The reason why the content is no image.
fn refusal(name: &str, content: &[u8]) -> String {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    let error =
        decode_image(&path, &Image { size: [8, 8], channels: 3 }, &Fit::Stretch, MOST_PIXELS)
            .unwrap_err();
    let message = error.to_string();
    message.strip_prefix(&format!("{}: ", path.display())).expect("names the file").to_owned()
}

fn encoded(format: ImageFormat) -> Vec<u8> {
    let pixels = ImageBuffer::from_fn(11, 9, |x, y| {
        Rgb([(x * 20) as u8, (y * 25) as u8, (x * y * 3) as u8])
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    DynamicImage::ImageRgb8(pixels).write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

const FORMATS: [ImageFormat; 7] = [
    ImageFormat::Png,
    ImageFormat::Jpeg,
    ImageFormat::Bmp,
    ImageFormat::Gif,
    ImageFormat::WebP,
    ImageFormat::Pnm,
    ImageFormat::Tiff,
];

#[test]
fn images_are_read_and_resized_as_pil_reads_and_resizes_them() {
    // They are written by make.py and make_tiff.py beside them.
    let expected = |name: &str| fs::read_to_string(images().join(name)).unwrap();
    for line in (expected("expected.txt") + &expected("expected-tiff.txt")).lines() {
        let [name, size, channels, hex] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let (height, width) = size.split_once('x').unwrap();
        let size = [height.parse().unwrap(), width.parse().unwrap()];
        let plan = Image { size, channels: channels.parse().unwrap() };
        let found = decode_image(&images().join(name), &plan, &Fit::Stretch, MOST_PIXELS).unwrap();
        let expected: Vec<u8> = (0..hex.len() / 2)
            .map(|i| u8::from_str_radix(&hex[2 * i..][..2], 16).unwrap())
            .collect();
        // Decoders of JPEG may differ in how they round the transform and scale up the colours;
        // resizing rounds once in each direction.
        let tolerance = if name.ends_with("jpg") { 4 } else { 1 };
        assert_eq!(found.len(), expected.len(), "{name} {size:?}");
        let worst = found.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= tolerance, "{name} {size:?} ×{channels}: differs by {worst}");
    }
}

#[test]
fn one_pixel_becomes_an_even_image() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("one.png");
    image::RgbImage::from_pixel(1, 1, Rgb([10, 200, 30])).save(&path).unwrap();
    let pixels =
        decode_image(&path, &Image { size: [4, 5], channels: 3 }, &Fit::Stretch, MOST_PIXELS)
            .unwrap();
    assert_eq!(pixels, [10, 200, 30].repeat(20));
}

#[test]
fn sixteen_bits_of_colour_are_rounded_to_eight() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("deep.png");
    let pixel: Rgb<u16> = Rgb([0, 257 * 100 + 128, 65_535]);
    ImageBuffer::from_pixel(2, 2, pixel).save(&path).unwrap();
    let pixels =
        decode_image(&path, &Image { size: [2, 2], channels: 3 }, &Fit::Stretch, MOST_PIXELS)
            .unwrap();
    assert_eq!(pixels[..3], [0, 100, 255]);
}

#[test]
fn the_content_decides_about_the_format_and_not_the_name() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a jpeg.png");
    fs::write(&path, encoded(ImageFormat::Jpeg)).unwrap();
    assert!(
        decode_image(&path, &Image { size: [8, 8], channels: 1 }, &Fit::Stretch, MOST_PIXELS)
            .is_ok()
    );
}

#[test]
fn what_is_no_image_is_refused_with_its_reason() {
    let read = "PNG, JPEG, BMP, GIF, WebP, PNM and TIFF are read";
    assert_eq!(refusal("empty.png", b""), "an empty file of 0 bytes");
    assert_eq!(refusal("text.png", b"no image\n"), format!("text, not an image; {read}"));
    assert_eq!(refusal("noise.png", &[1, 2, 3, 4]), format!("not an image; {read}"));
    assert_eq!(refusal("scan.tif", b"II*\0\x08\0\0\0"), "a TIFF file that ends too early");
    assert_eq!(refusal("icon.ico", b"\0\0\x01\0\x01\0"), format!("a ICO file; {read}"));
    let avif = refusal("photo.avif", b"\0\0\0\x1cftypavif\0\0\0\0");
    assert_eq!(avif, format!("an AVIF file; {read}: make it one of these, as with avifdec"));
    for (name, problem) in
        [("float.tif", "an unsupported TIFF file"), ("float-rgb.tif", "numbers with a fraction")]
    {
        let said = refusal(name, &fs::read(images().join(name)).unwrap());
        assert!(said.contains(problem) && said.ends_with("8 or 16 bits"), "{said}");
    }
}

#[test]
fn a_decompression_bomb_is_refused_before_it_is_unpacked() {
    let mut bomb = encoded(ImageFormat::Bmp);
    bomb[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
    bomb[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
    assert!(refusal("bomb.bmp", &bomb).contains("60000×60000 pixels, more than"));
    let pnm = refusal("bomb.ppm", b"P6\n100000 100000\n255\n");
    assert!(pnm.contains("pixels, more than"), "{pnm}");
    let gif = refusal("bomb.gif", b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02");
    assert!(gif.contains("pixels, more than"), "{gif}");
    // 35 bytes that claim 10,000 × 10,000 pixels, of which they hold one.
    let gif =
        b"GIF89a\x10\x27\x10\x27\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
    let gif = refusal("canvas.gif", gif);
    assert_eq!(gif, "35 bytes are too few for 10000×10000 pixels");
}

#[test]
fn a_long_side_is_refused_and_so_is_what_would_become_too_long() {
    let encoded = |width: u32| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let image = DynamicImage::ImageLuma8(ImageBuffer::new(width, 1));
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let long = refusal("long.png", &encoded(70_000));
    assert_eq!(long, "70000×1 pixels, a side of more than 65,535");
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("narrow.png");
    fs::write(&path, encoded(3_000)).unwrap();
    let plan = Image { size: [224, 224], channels: 3 };
    assert!(decode_image(&path, &plan, &Fit::Stretch, MOST_PIXELS).is_ok());
    let narrow = decode_centre(&path, &plan, MOST_PIXELS).unwrap_err().to_string();
    assert!(
        narrow.contains("3000×1 pixels are too narrow") || narrow.contains("1×3000"),
        "{narrow}"
    );
    assert!(narrow.contains("256×768000") || narrow.contains("768000×256"), "{narrow}");
}

#[test]
fn the_limit_of_pixels_can_be_set() {
    let folder = TempDir::new().unwrap();
    for (class, width) in [("a", 4), ("b", 4), ("b", 8)] {
        fs::create_dir_all(folder.path().join(class)).unwrap();
        let image = image::RgbImage::new(width, 4);
        image.save(folder.path().join(class).join(format!("{width}.png"))).unwrap();
    }
    let limited = DataPlan { max_pixels: 31, ..plan(folder.path(), OnBadImage::Error) };
    let said = load(&limited).unwrap_err().to_string();
    assert!(said.contains("b/8.png: 8×4 pixels, more than max-pixels = 31"), "{said}");
    let skipping = DataPlan { on_bad_image: OnBadImage::Skip, ..limited.clone() };
    assert_eq!(load(&skipping).unwrap().len(), 2);
    assert_eq!(load(&DataPlan { max_pixels: 32, ..limited }).unwrap().len(), 3);
}

/// A PNG file whose profile of colours is 64 MB of zeros, which 64 KB hold.
#[test]
fn a_profile_of_colours_that_swells_is_left_out() {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1 << 20];
    (0..64).for_each(|_| std::io::Write::write_all(&mut encoder, &zeros).unwrap());
    let content = [&b"iCCPswollen\0\0"[..], &encoder.finish().unwrap()].concat();
    let mut crc = flate2::Crc::new();
    crc.update(&content);
    let length = (content.len() - 4) as u32;
    let chunk = [&length.to_be_bytes()[..], &content, &crc.sum().to_be_bytes()].concat();
    let plain = encoded(ImageFormat::Png);
    // Behind the signature and the header.
    let swollen = [&plain[..33], &chunk, &plain[33..]].concat();
    let folder = TempDir::new().unwrap();
    let decode = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        decode_image(&path, &Image { size: [8, 8], channels: 3 }, &Fit::Stretch, MOST_PIXELS)
            .unwrap()
    };
    assert_eq!(decode("swollen.png", &swollen), decode("plain.png", &plain));
}

#[test]
fn an_image_that_breaks_off_is_refused_in_every_format() {
    for format in FORMATS {
        let whole = encoded(format);
        for part in [2, 4, 8] {
            let kept = whole.len() - whole.len() / part;
            let reason = refusal("part.img", &whole[..kept]);
            assert!(!reason.is_empty(), "{format:?} without its last 1/{part}");
        }
    }
}

#[test]
fn flipped_and_missing_bytes_never_cause_a_panic() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("damaged");
    let plan = Image { size: [4, 4], channels: 3 };
    let mut files: Vec<Vec<u8>> = FORMATS.map(encoded).to_vec();
    for name in [
        "cmyk.jpg",
        "progressive.jpg",
        "animated.gif",
        "animated.webp",
        "palette-alpha.png",
        "lzw.tif",
        "tiles.tif",
        "planes.tif",
        "deflate.tiff",
        "packbits.tif",
        "one-bit.tif",
        "cmyk.tif",
    ] {
        files.push(fs::read(images().join(name)).unwrap());
    }
    for whole in files {
        // Headers are tried byte by byte and bit by bit, what follows at intervals.
        for place in (0..64).chain((64..whole.len()).step_by(7)).filter(|at| *at < whole.len()) {
            let changes: &[u8] = if place < 64 { &[0x01, 0x80, 0xff] } else { &[0x55] };
            for change in changes {
                let mut damaged = whole.clone();
                damaged[place] ^= change;
                fs::write(&path, &damaged).unwrap();
                // Whether it can still be read does not matter: that this returns does.
                let _ = decode_image(&path, &plan, &Fit::Stretch, MOST_PIXELS);
            }
            fs::write(&path, &whole[..place]).unwrap();
            let _ = decode_image(&path, &plan, &Fit::Stretch, MOST_PIXELS);
        }
    }
}

/// Two classes of three images; in each, the files of `bad` as well.
fn classes_with(bad: &[(&str, &[u8])]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for class in ["left", "right"] {
        let class = folder.path().join(class);
        fs::create_dir(&class).unwrap();
        for name in ["a.png", "m.png", "z.png"] {
            fs::write(class.join(name), encoded(ImageFormat::Png)).unwrap();
        }
        for (name, content) in bad {
            fs::write(class.join(name), content).unwrap();
        }
    }
    folder
}

#[test]
fn all_bad_images_are_reported_at_once() {
    let folder = classes_with(&[("b.png", b""), ("n.jpg", b"text")]);
    let error = load(&plan(folder.path(), OnBadImage::Error)).unwrap_err().to_string();
    let root = folder.path().display();
    assert_eq!(
        error.replace(&root.to_string(), "SIGNS"),
        "4 of 10 images in SIGNS cannot be read:
  SIGNS/left/b.png: an empty file of 0 bytes
  SIGNS/left/n.jpg: text, not an image; PNG, JPEG, BMP, GIF, WebP, PNM and TIFF are read
  SIGNS/right/b.png: an empty file of 0 bytes
  SIGNS/right/n.jpg: text, not an image; PNG, JPEG, BMP, GIF, WebP, PNM and TIFF are read
(repair or remove them, or leave them out with data.on-bad-image = \"skip\")"
    );
}

#[test]
fn bad_images_can_be_skipped_and_are_counted_and_the_others_are_untouched() {
    let bad = classes_with(&[("b.png", b""), ("zz.tiff", b"II*\0")]);
    let skipped = load(&plan(bad.path(), OnBadImage::Skip)).unwrap();
    let clean = load(&plan(classes_with(&[]).path(), OnBadImage::Error)).unwrap();
    assert_eq!(skipped.skipped().len(), 4);
    assert!(skipped.skipped()[1].file.ends_with("left/zz.tiff"));
    assert_eq!(skipped.fingerprint(), clean.fingerprint());
    assert_eq!(skipped.names(), clean.names());
    assert_eq!(skipped.image(5), clean.image(5));
}

#[test]
fn a_class_that_skipping_empties_is_an_error() {
    let folder = classes_with(&[]);
    for name in ["a.png", "m.png", "z.png"] {
        fs::write(folder.path().join("right").join(name), b"").unwrap();
    }
    let error = load(&plan(folder.path(), OnBadImage::Skip)).unwrap_err().to_string();
    assert!(error.ends_with(
        "has no training image of `right`; all of its images were left out because they cannot be read"
    ), "{error}");
}

//! Tables of images in CSV.

use std::fs;

use candlewick::data::{Part, load};
use candlewick::plan::data::{DataPlan, Source};
use image::Rgb;
use tempfile::TempDir;

use super::{complaint, counts, plan, survive_damage};

/// A table beside four images of 4×4 pixels whose red is 10 x + y.
fn table(text: &str) -> (TempDir, DataPlan) {
    let root = TempDir::new().unwrap();
    let ramp = image::RgbImage::from_fn(4, 4, |x, y| Rgb([(10 * x + y) as u8, 0, 0]));
    for name in ["a.png", "b.png", "c.png", "d.png"] {
        ramp.save(root.path().join(name)).unwrap();
    }
    let path = root.path().join("signs.csv");
    fs::write(&path, text).unwrap();
    let plan = plan(Source::Csv(path));
    (root, plan)
}

#[test]
fn a_table_gives_labels_parts_and_boxes() {
    let (_root, plan) = table(
        "\u{feff}Path, label ,split,x1,y1,x2,y2,author\n\
         a.png,stop,train,1,2,3,4,me\n\
         b.png,go,,,,,,\n\
         \"c.png\", go ,Validation,0,0,2,2,\n\
         d.png,stop,test,,,,,you\n",
    );
    assert_eq!(counts(&plan), (4, 1, 1));
    let dataset = load(&plan).unwrap();
    assert_eq!(
        (dataset.classes(), dataset.labels()),
        (&["go", "stop"].map(String::from)[..], &[1, 0, 0, 1][..])
    );
    assert_eq!(dataset.parts(), [Part::Train, Part::Undeclared, Part::Validation, Part::Test]);
    // The box is cropped to: columns 1 and 2 of rows 2 and 3.
    let reds: Vec<u8> = dataset.image(0).iter().step_by(3).copied().collect();
    assert_eq!(reds, [12, 22, 13, 23]);
}

#[test]
fn labels_of_a_table_that_are_numbers_are_in_order_of_number() {
    let (_root, plan) = table("label,path\n10,a.png\n9,b.png\n0,c.png\n");
    let dataset = load(&plan).unwrap();
    assert_eq!(dataset.classes(), ["0", "9", "10"]);
    assert_eq!(dataset.names(), ["a.png", "b.png", "c.png"]);
}

#[test]
fn broken_tables_are_explained_with_their_lines() {
    for (text, message) in [
        (
            "file,label\na.png,1\n",
            "DATA/signs.csv: has no column `path`; its first line names file, label; `path` and `label` are needed",
        ),
        (
            "path,label,spilt\na.png,1,test\n",
            "DATA/signs.csv: has a column `spilt`; did you mean `split`? (rename it)",
        ),
        (
            "path,label,x1,y1\na.png,1,0,0\n",
            "DATA/signs.csv: has some of the columns x1, y1, x2, y2; a box needs all four",
        ),
        (
            "path,label,split\na.png,1,train\nb.png,2,eval\n",
            "DATA/signs.csv:3: the split `eval` is not one of train, validation and test",
        ),
        (
            "path,label,x1,y1,x2,y2\na.png,1,3,0,3,4\n",
            "DATA/signs.csv:2: the box 3,0,3,4 is not four whole numbers with x1 < x2 and y1 < y2",
        ),
        (
            "path,label\na.png,\n",
            "DATA/signs.csv:2: the label is empty; every row needs a path and a label",
        ),
        (
            "path,label\na.png,1,2\n",
            "DATA/signs.csv: line 2 has 3 cells where the first line names 2 columns",
        ),
        ("path,label\n", "DATA/signs.csv: lists no images; every row names one"),
        (
            "path,label\na.png,1\nb.png,1\n",
            "DATA/signs.csv has one class only, `1`; at least two classes are needed",
        ),
        (
            "path,label,split\na.png,1,train\nb.png,2,test\n",
            "DATA/signs.csv has no training image of `2`; add some, or remove the class",
        ),
    ] {
        let (root, plan) = table(text);
        assert_eq!(complaint(&plan, root.path()), message);
    }
}

#[test]
fn a_missing_image_or_a_box_outside_of_it_is_a_bad_image() {
    let (root, plan) =
        table("path,label,x1,y1,x2,y2\na.png,1,0,0,5,4\nno.png,2,,,,\nb.png,2,,,,\n");
    let error = load(&plan).unwrap_err().to_string();
    assert_eq!(
        error
            .replace(&root.path().display().to_string(), "DATA")
            .lines()
            .take(3)
            .collect::<Vec<_>>(),
        [
            "2 of 3 images in DATA/signs.csv cannot be read:",
            "  DATA/a.png: the box 0,0,5,4 reaches beyond the image's 4×4 pixels",
            "  DATA/no.png: there is no such file or folder",
        ]
    );
}

#[test]
fn damaged_tables_never_cause_a_panic() {
    let (root, plan) = table("path,label,split,x1,y1,x2,y2\na.png,1,train,0,0,2,2\nb.png,2,,,,,\n");
    survive_damage(&root.path().join("signs.csv"), &plan);
}

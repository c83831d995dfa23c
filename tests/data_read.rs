//! What is said of the images that were listed and read.

use std::fs;

use super::augment::{SHAPES, shapes};
use super::bench::Bench;

#[test]
fn check_and_run_say_what_was_listed_and_how_images_come_to_their_size() {
    let bench = Bench::new(SHAPES);
    shapes(&bench);
    let said = bench.done(&["check", "experiment.toml"]);
    let lines = [
        "the images of trial 1\n20 images of 2 classes: bright 10, dim 10\n",
        "11 for training, 3 for validation, 6 for testing\n",
        "20 to 60 (median 20) pixels high and 30 to 80 (median 30) wide, aspect ratios 0.50 to 4.00; the chains of \
         [augment] give them 16×16\n",
    ];
    for line in lines {
        assert!(said.contains(line), "{line}: {said}");
    }
    let none = "augment.train=\"none\"";
    let said = bench.done(&["check", "experiment.toml", "--set", none]);
    let bent = "; stretched to 16×16, which changes their aspect ratio: data.fit = \"pad\" or \"crop\" keeps it\n";
    assert!(said.contains(bent), "{said}");
    let pad = ["--set", none, "--set", "data.fit=\"pad\""];
    let said = bench.done(&[&["check", "experiment.toml"][..], &pad].concat());
    assert!(said.contains("0.50 to 4.00; padded to 16×16\n"), "{said}");
    let output = bench.wick(&[&["run", "experiment.toml"][..], &pad].concat());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("20 images of 2 classes: bright 10, dim 10\n"), "{said}");
    assert!(said.contains("padded to 16×16"), "{said}");
}

#[test]
fn what_cannot_be_read_is_told_with_the_reason() {
    let bench = Bench::new(SHAPES);
    shapes(&bench);
    let folder = bench.path().join("shapes/dim");
    fs::write(folder.join("broken.png"), "no image").unwrap();
    fs::write(folder.join("scan.tiff"), "II*\0").unwrap();
    let skip = ["--set", "data.on-bad-image=\"skip\"", "--set", "augment.train=\"none\""];
    let said = bench.done(&[&["check", "experiment.toml"][..], &skip].concat());
    assert!(said.contains("about 11 for training") || said.contains("about 12"), "{said}");
    let said = bench.done(&[&["check", "experiment.toml", "--data"][..], &skip].concat());
    assert!(said.contains("dim/broken.png: "), "{said}");
    assert!(said.contains("when read\n"), "{said}");
    let rows: Vec<&str> = said.lines().skip_while(|line| *line != "when read").collect();
    let numbers = |line: &str| {
        line.split_whitespace().skip(1).map(|n| n.parse().unwrap()).collect::<Vec<u32>>()
    };
    assert_eq!(rows[1].split_whitespace().next(), Some("learn"), "{said}");
    let [bright, dim, all] = [2, 3, 4].map(|row| numbers(rows[row]));
    assert_eq!(all.iter().sum::<u32>(), 20, "{said}");
    assert_eq!((0..3).map(|part| bright[part] + dim[part]).collect::<Vec<_>>(), all);
}

#[test]
fn of_many_classes_the_first_are_named() {
    let bench = Bench::new(
        r#"
name = "many"
[data]
source = { folder = "shades" }
image = { size = [4, 4], channels = 1 }
[model]
layers = ["flatten", { dense = "classes" }]
"#,
    );
    for class in 0..30_u32 {
        let folder = bench.path().join(format!("shades/c{class:02}"));
        fs::create_dir_all(&folder).unwrap();
        for number in 0..4 + class % 3 {
            let image =
                image::GrayImage::from_pixel(4, 4, image::Luma([(class * 7 + number) as u8]));
            image.save(folder.join(format!("{number}.png"))).unwrap();
        }
    }
    let said = bench.done(&["check", "experiment.toml"]);
    let line = "150 images of 30 classes: c00 4, c01 5, c02 6, c03 4, c04 5, c05 6, c06 4, c07 5, c08 6, c09 4, c10 5, \
                c11 6, and 18 more, 4 to 6 of each\n";
    assert!(said.contains(line), "{said}");
    assert!(said.contains("4×4 pixels each; as they are\n"), "{said}");
}

#[test]
fn columns_name_those_of_a_test_table_where_the_source_has_none() {
    let bench = Bench::new(SHAPES);
    shapes(&bench);
    let table = "file,shade\nshapes/bright/0.png,bright\nshapes/dim/0.png,dim\n";
    fs::write(bench.path().join("held-out.csv"), table).unwrap();
    let sets = ["--set", "data.test={ csv = \"held-out.csv\" }"];
    let check = [&["check", "experiment.toml"][..], &sets].concat();
    let output = bench.wick(&check);
    assert_eq!(output.status.code(), Some(2), "the usual names are not there");
    let named = ["--set", "data.columns={ path = \"file\", label = \"shade\" }"];
    let said = bench.done(&[&check[..], &named].concat());
    assert!(said.contains("2 for testing"), "{said}");
}

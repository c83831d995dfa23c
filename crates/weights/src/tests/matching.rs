//! Names that differ in the usual ways.

use super::super::{Dtype, Entry, Match, Rename, match_names};

type Parameters = Vec<(String, Vec<usize>)>;

/// The tensors that `source` has in `network`, in its order.
fn tensors(source: &str, network: &str) -> Parameters {
    include_str!("../../../../tests/goldens/weights/names.csv")
        .lines()
        .filter_map(|line| {
            let rest = line.strip_prefix(source)?.strip_prefix(',')?;
            let (name, shape) = rest.strip_prefix(network)?.strip_prefix(',')?.split_once(',')?;
            let sides = shape.split('x').filter(|side| !side.is_empty());
            Some((name.to_owned(), sides.map(|side| side.parse().unwrap()).collect()))
        })
        .collect()
}

/// What a network of ours has of them.
fn parameters(tensors: &Parameters) -> Parameters {
    tensors.iter().filter(|(name, _)| !name.ends_with("num_batches_tracked")).cloned().collect()
}

fn entries(tensors: &Parameters, prefix: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = tensors
        .iter()
        .map(|(name, shape)| Entry {
            name: format!("{prefix}{name}"),
            dtype: Dtype::F32,
            shape: shape.clone(),
        })
        .collect();
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    entries
}

fn of(pairs: &[(&str, &[usize])]) -> Parameters {
    pairs.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect()
}

#[test]
fn torchvision_names_match_themselves_and_bookkeeping_is_ignored() {
    for network in ["vgg11", "resnet18", "mobilenet_v2", "googlenet"] {
        let tensors = tensors("torchvision", network);
        let ours: Parameters =
            parameters(&tensors).into_iter().filter(|(name, _)| !name.starts_with("aux")).collect();
        let report = match_names(&ours, &entries(&tensors, ""), &[]).strict().unwrap();
        assert_eq!(report.matched.len() + report.ignored.len(), tensors.len());
        assert!(report.matched.iter().all(|found| found.parameter == found.entry));
        assert_eq!(
            report.to_string(),
            format!("all {} parameters of the network are in the file", ours.len())
        );
    }
}

#[test]
fn an_auxiliary_classifier_that_the_network_has_is_a_parameter() {
    let tensors = tensors("torchvision", "googlenet");
    let report = match_names(&parameters(&tensors), &entries(&tensors, ""), &[]).strict().unwrap();
    assert!(report.matched.iter().any(|found| found.entry == "aux1.fc1.weight"));
}

#[test]
fn timm_names_are_understood_tensor_by_tensor() {
    for (network, layout) in [
        ("vgg11", Some("timm's VGG")),
        ("resnet18", None),
        ("mobilenet_v2", Some("timm's MobileNetV2")),
    ] {
        let (ours, theirs) = (tensors("torchvision", network), tensors("timm", network));
        let report = match_names(&parameters(&ours), &entries(&theirs, ""), &[]).strict().unwrap();
        assert_eq!(report.layout, layout);
        // Both have their tensors in the same order; the script that wrote them has run both.
        for (our, their) in ours.iter().zip(&theirs) {
            let found = report.matched.iter().find(|found| found.entry == their.0);
            let due =
                Match { parameter: our.0.clone(), entry: their.0.clone(), shape: our.1.clone() };
            match our.0.ends_with("num_batches_tracked") {
                true => assert_eq!(found, None),
                false => assert_eq!(found, Some(&due)),
            }
        }
    }
}

#[test]
fn prefixes_of_wrappers_are_taken_off_if_all_names_have_them() {
    let tensors = tensors("torchvision", "resnet18");
    let ours = parameters(&tensors);
    for prefix in ["module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."] {
        let mut entries = entries(&tensors, prefix);
        entries.push(Entry { name: "n_averaged".into(), dtype: Dtype::I64, shape: vec![] });
        let report = match_names(&ours, &entries, &[]).strict().unwrap();
        assert_eq!(report.matched[0].entry, format!("{prefix}{}", report.matched[0].parameter));
    }
    let mixed = of(&[("module.a", &[1]), ("b", &[1])]);
    let report = match_names(&of(&[("a", &[1]), ("b", &[1])]), &entries(&mixed, ""), &[]);
    assert_eq!((report.matched.len(), report.missing.len()), (1, 1));
}

#[test]
fn a_new_head_is_told_as_another_shape() {
    let ours = of(&[("conv.weight", &[8, 3, 3, 3]), ("fc.weight", &[10, 8]), ("fc.bias", &[10])]);
    let theirs =
        of(&[("conv.weight", &[8, 3, 3, 3]), ("fc.weight", &[1000, 8]), ("fc.bias", &[1000])]);
    let report = match_names(&ours, &entries(&theirs, ""), &[]);
    assert!(!report.complete());
    insta::assert_snapshot!(report, @r"
    1 of 3 parameters of the network are in the file
      of another shape, 2:
        `fc.bias` is 10 in the network and 1000 in the file
        `fc.weight` is 10×8 in the network and 1000×8 in the file
    ");
}

#[test]
fn what_does_not_fit_is_told_with_what_may_be_meant() {
    let ours = of(&[
        ("layer1.0.conv.weight", &[8, 3, 3, 3]),
        ("layer1.0.bn.weight", &[8]),
        ("fc.weight", &[10, 8]),
        ("fc.bias", &[10]),
    ]);
    let theirs = of(&[
        ("layer1.0.cnov.weight", &[8, 3, 3, 3]),
        ("layer1.0.bn.weight", &[9]),
        ("last_layer.weight", &[10, 8]),
        ("ema_decay", &[]),
    ]);
    let unused = Rename::new("head.*", "fc.*").unwrap();
    let report = match_names(&ours, &entries(&theirs, ""), &[unused]);
    insta::assert_snapshot!(report.strict().unwrap_err(), @r"
    0 of 4 parameters of the network are in the file
      not in the file, 3:
        `fc.bias` (10)
        `fc.weight` (10×8); did you mean `last_layer.weight`?
        `layer1.0.conv.weight` (8×3×3×3); did you mean `layer1.0.cnov.weight`?
      of another shape, 1:
        `layer1.0.bn.weight` is 8 in the network and 9 in the file
      in the file only, 3:
        `ema_decay`
        `last_layer.weight`
        `layer1.0.cnov.weight`
      renames without a tensor in the file, 1:
        `head.*` to `fc.*`
    ");
}

#[test]
fn a_common_prefix_is_pointed_at_and_its_rename_works() {
    let tensors = tensors("torchvision", "resnet18");
    let (ours, theirs) = (parameters(&tensors), entries(&tensors, "net.backbone."));
    let report = match_names(&ours, &theirs, &[]);
    let text = report.to_string();
    assert!(text.contains("`bn1.bias` (64); did you mean `net.backbone.bn1.bias`?"), "{text}");
    assert!(
        text.ends_with(
            "(102 of the missing are in the file under `net.backbone.`: rename `net.backbone.*` to `*`)"
        ),
        "{text}"
    );
    let rename = Rename::new("net.backbone.*", "*").unwrap();
    assert!(match_names(&ours, &theirs, &[rename]).strict().is_ok());
}

#[test]
fn a_rename_comes_before_a_tensors_own_name() {
    let ours = of(&[("fc.weight", &[10, 8])]);
    let theirs = of(&[("fc.weight", &[10, 8]), ("head.weight", &[10, 8])]);
    let rename = Rename::new("head.*", "fc.*").unwrap();
    let report = match_names(&ours, &entries(&theirs, ""), &[rename]);
    assert_eq!(report.matched[0].entry, "head.weight");
    assert_eq!(report.unexpected, ["fc.weight"]);
    assert!(report.complete() && report.strict().is_err());
}

#[test]
fn two_tensors_for_one_parameter_are_told_and_none_is_taken() {
    let ours = of(&[("fc.weight", &[10, 8])]);
    let theirs = of(&[("a.weight", &[10, 8]), ("b.weight", &[10, 8])]);
    let renames = ["a.*", "b.*"].map(|from| Rename::new(from, "fc.*").unwrap());
    let report = match_names(&ours, &entries(&theirs, ""), &renames);
    assert!(!report.complete());
    let text = report.to_string();
    assert!(text.contains("`fc.weight` would be `a.weight`, `b.weight`"), "{text}");
}

#[test]
fn a_convolution_over_the_whole_map_fits_a_dense_layer_of_the_same_numbers() {
    let ours = of(&[("a", &[4, 18]), ("b", &[4, 2, 3, 3]), ("c", &[4, 18])]);
    let theirs = of(&[("a", &[4, 2, 3, 3]), ("b", &[4, 18]), ("c", &[4, 3, 3, 3])]);
    let report = match_names(&ours, &entries(&theirs, ""), &[]);
    assert_eq!(report.matched.len(), 2);
    assert_eq!(report.matched[0].shape, [4, 18]);
    assert_eq!(report.wrong_shape[0].parameter, "c");
}

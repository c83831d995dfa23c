//! `wick look`: what a trained network sees, as pictures in a folder.

mod survey;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::augment::Image;
use crate::charts::plate::{Group, Plate, Row};
use crate::charts::{Chart, PlotFormat};
use crate::data::Cache;
use crate::document::suggest::nearest;
use crate::look::filters::Filters;
use crate::look::maps::{self, Strengths};
use crate::look::patches;
use crate::look::pictures;
use crate::look::saliency::{Method, heated};
use crate::plan::model::ModelPlan;
use crate::sweep::memory::hold_usually;
use crate::sweep::store::write_whole;
use crate::train::card::Card;
use crate::train::said::{Said, probabilities};

use super::arguments::{Look, Looking, Part, Trained};
use super::error::{Error, Result};
use super::exit::Exit;
use super::labelled::{Asked, Labelled};
use super::output::{print, say};
use super::predict::images;
use super::trained::Ready;
use survey::Survey;

/// More would make a sheet that nobody can look at.
const MOST_IMAGES: usize = 48;

/// Filters of the first layer that are shown.
const MOST_FILTERS: usize = 240;

/// Of images that were not named, so many have a sheet of maps.
const MOST_UNNAMED_MAPS: usize = 4;

/// Pixels of an image's longer side beside its saliency, about.
const SIDE: usize = 192;

/// Names in a message.
const MOST_NAMES: usize = 24;

/// Charts have so many pixels per inch.
const DPI: u16 = 240;

/// Runs the command.
pub(super) fn look(arguments: &Look) -> Result {
    let (trained, named) = network_and_images(arguments);
    let files = images(&named)?;
    if files.len() > MOST_IMAGES {
        return Err(Error::wrong(format!(
            "{} images are too many (at most {MOST_IMAGES}): name fewer, or name their folder with --data",
            files.len()
        )));
    }
    let looking =
        Looking { test_time: None, max_pixels: arguments.max_pixels, device: arguments.device };
    let ready = Ready::new(&trained, &looking)?;
    let layers = layers(&ready.card.model, &arguments.layers)?;
    let class = arguments.class.as_deref().map(|name| class(&ready.card, name)).transpose()?;
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("failed to make {}", arguments.out.display()))?;
    let mut sight = Sight {
        whose: whose(arguments, &trained),
        saliency: match arguments.layers.is_empty() {
            true => layers.last().copied().into_iter().collect(),
            false => layers.clone(),
        },
        layers,
        class,
        channels: arguments.channels.into(),
        folder: arguments.out.clone(),
        ready,
    };
    sight.filters()?;
    let asks = arguments.data.is_some() || arguments.part.is_some();
    let survey = match asks || files.is_empty() {
        false => None,
        true => match survey(arguments, &mut sight) {
            Ok(survey) => Some(survey),
            Err(error) if asks => return Err(error),
            Err(error) => {
                say(&format!("note: only filters are shown: {}\n", error.message()));
                None
            }
        },
    };
    let (shown, bad) = match (&survey, files.is_empty()) {
        (Some(survey), true) => (survey.some(&sight)?, 0),
        _ => read(&sight.ready, &files),
    };
    if !shown.is_empty() {
        let most = if files.is_empty() { MOST_UNNAMED_MAPS } else { shown.len() };
        sight.images(&shown, most, survey.as_ref())?;
    }
    if let Some(survey) = &survey {
        sight.survey(survey)?;
    }
    match bad {
        0 => Ok(()),
        _ => Err(Exit::Wrong.into()),
    }
}

/// The network that is asked for. Where an option names it, the first word is an image.
fn network_and_images(arguments: &Look) -> (Trained, Vec<PathBuf>) {
    let mut trained = arguments.trained.clone();
    let mut named = arguments.images.clone();
    if trained.model.is_some() || trained.preset.is_some() || trained.experiment.is_some() {
        named.splice(0..0, arguments.checkpoint.clone());
    } else {
        trained.model.clone_from(&arguments.checkpoint);
    }
    (trained, named)
}

/// What the network is called in titles.
fn whose(arguments: &Look, trained: &Trained) -> String {
    match (&trained.model, &trained.preset, &trained.experiment) {
        (Some(model), ..) => model.display().to_string(),
        (None, Some(preset), _) => preset.clone(),
        (None, None, Some(experiment)) => experiment.display().to_string(),
        (None, None, None) => arguments.out.display().to_string(),
    }
}

/// Numbers of the layers with these names, counted from 1, or of one for each stage.
fn layers(model: &ModelPlan, named: &[String]) -> Result<Vec<usize>> {
    if named.is_empty() {
        return Ok(model.stages());
    }
    let there = model.map_layers();
    let names: Vec<&str> = there.iter().map(|place| &*model.layers[place - 1].name).collect();
    let mut found = Vec::new();
    for name in named {
        if let Some(at) = names.iter().position(|other| other == name) {
            found.push(there[at]);
            continue;
        }
        let what = match model.layers.iter().any(|layer| layer.name == *name) {
            true => format!("the layer {name} has no maps in evaluation"),
            false => format!("the network has no layer {name}"),
        };
        let near = nearest(name, &names).map(|near| format!("; did you mean {near}?"));
        let all = match names.is_empty() {
            true => "no layer of this network has maps".to_owned(),
            false => format!("layers with maps are {}", some(&names)),
        };
        return Err(Error::wrong(format!("--layers: {what}{}\n{all}", near.unwrap_or_default())));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The number of the class `name`.
fn class(card: &Card, name: &str) -> Result<usize> {
    let names: Vec<&str> = card.classes.iter().map(String::as_str).collect();
    names.iter().position(|other| *other == name).ok_or_else(|| {
        let near = nearest(name, &names).map(|near| format!("; did you mean {near}?"));
        Error::wrong(format!(
            "--class: the network does not know the class {name}{}\nits classes are {}",
            near.unwrap_or_default(),
            some(&names)
        ))
    })
}

/// Some names, and how many more there are.
fn some(names: &[&str]) -> String {
    let shown = names.iter().take(MOST_NAMES).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(MOST_NAMES) {
        0 => shown,
        more => format!("{shown}, and {more} more"),
    }
}

/// The labelled images, and what the network makes of them.
fn survey(arguments: &Look, sight: &mut Sight) -> Result<Survey> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cache = Cache::new(cores);
    hold_usually(&cache, None);
    let asked = Asked {
        data: arguments.data.as_deref(),
        part: arguments.part,
        preferred: [Part::Validation, Part::Test],
        max_pixels: arguments.max_pixels,
    };
    let labelled = Labelled::of(&asked, &sight.ready, &cache)?;
    Survey::of(&mut sight.ready, &sight.layers, labelled)
}

/// An image that is looked at.
struct Shown {
    name: String,
    /// Its class or labels, if they are known.
    truth: Option<String>,
    /// As the network sees it.
    view: Image,
}

/// The images that can be read, and how many cannot.
fn read(ready: &Ready, files: &[PathBuf]) -> (Vec<Shown>, usize) {
    let decoder = ready.decoder();
    let mut shown = Vec::new();
    for file in files {
        match decoder.decode(file) {
            Ok(image) => shown.push(Shown {
                name: file.display().to_string(),
                truth: None,
                view: ready.card.plain_view(&image),
            }),
            Err(message) => say(&format!("error: {message}\n")),
        }
    }
    let bad = files.len() - shown.len();
    (shown, bad)
}

/// A network, what of it is looked at, and where pictures go.
struct Sight {
    ready: Ready,
    whose: String,
    /// Numbers of the layers whose maps and patches are shown, counted from 1, rising.
    layers: Vec<usize>,
    /// Of those whose saliency is shown.
    saliency: Vec<usize>,
    class: Option<usize>,
    channels: usize,
    folder: PathBuf,
}

impl Sight {
    fn write(&self, name: &str, bytes: &[u8], what: &str) -> Result {
        let path = self.folder.join(name);
        write_whole(&path, bytes)?;
        print(&format!("{}: {what}\n", path.display()));
        Ok(())
    }

    fn plate(&self, name: &str, plate: &Plate, what: &str) -> Result {
        self.write(name, &plate.png().map_err(Error::wrong)?, what)
    }

    fn chart(&self, chart: &Chart, what: &str) -> Result {
        for format in [PlotFormat::Svg, PlotFormat::Png] {
            let name = format!("{}.{}", chart.name, format.ending());
            self.write(&name, &chart.file(format, DPI).map_err(Error::wrong)?, what)?;
        }
        Ok(())
    }

    /// The filters of the first layer.
    fn filters(&mut self) -> Result {
        let weights = self.ready.network().weights_called(|name| name.ends_with(".weight"))?;
        let Some(filters) = Filters::of(&self.ready.card.model, &weights, MOST_FILTERS) else {
            say(
                "note: the first layer with weights does not see pixels, so its filters are no pictures\n",
            );
            return Ok(());
        };
        let plate = Plate {
            title: format!("{}: filters of the first layer", self.whose),
            note: filters.what.clone(),
            groups: vec![filters.group()],
        };
        self.plate("filters.png", &plate, &format!("the filters of {}", filters.layer))
    }

    /// Maps and saliency of images.
    fn images(&mut self, shown: &[Shown], most_maps: usize, survey: Option<&Survey>) -> Result {
        if self.layers.is_empty() {
            say(
                "note: no layer of this network has maps, so there is nothing to show of an image\n",
            );
            return Ok(());
        }
        let model = self.ready.card.model.clone();
        let classes = self.ready.card.classes.len();
        let mut strengths: Vec<Strengths> = self
            .layers
            .iter()
            .map(|place| Strengths::new(model.layers[place - 1].output[0]))
            .collect();
        let mut of_images = Vec::new();
        let mut logits = Vec::new();
        for image in shown {
            let batch = self.ready.batch(std::slice::from_ref(&image.view))?;
            let last = model.layers.len();
            let wanted: Vec<_> =
                self.layers.iter().chain([&last]).map(|place| (*place, None)).collect();
            let mut found = self.ready.network().features_at(&batch, &wanted)?;
            logits.extend(found.pop().context("a network gives logits")?);
            strengths.iter_mut().zip(&found).for_each(|(sum, maps)| sum.add(maps));
            of_images.push(found);
        }
        let says: Vec<Said> =
            logits.chunks(classes.max(1)).map(|row| Said::of(&self.ready.card, row)).collect();
        for (number, (image, maps)) in shown.iter().zip(&of_images).take(most_maps).enumerate() {
            let strengths = survey.map_or(&strengths, |survey| &survey.strengths);
            let own = Group { side: SIDE, ..Group::default() };
            let tile = pictures::plain(&image.view);
            let mut groups = vec![own.in_rows(vec![tile], 1)];
            for ((place, maps), strengths) in self.layers.iter().zip(maps).zip(strengths) {
                let channels = strengths.strongest(self.channels);
                groups.push(maps::group(&model.layers[place - 1], maps, &channels));
            }
            let plate = Plate {
                title: format!("{}: maps of {}", self.whose, image.name),
                note: format!(
                    "{}. {} Channels are those with the largest values over all images.",
                    sentence(&self.ready.card, says[number], image),
                    maps::COLOURS
                ),
                groups,
            };
            self.plate(
                &format!("maps-{}.png", number + 1),
                &plate,
                &format!("maps of {}", image.name),
            )?;
        }
        self.saliency(shown, &says, &logits)
    }

    /// Where the network looks for a class in each image.
    fn saliency(&mut self, shown: &[Shown], says: &[Said], logits: &[f32]) -> Result {
        let card = self.ready.card.clone();
        let mut rows = Vec::new();
        for (number, image) in shown.iter().enumerate() {
            let row = &logits[number * card.classes.len()..][..card.classes.len()];
            let class = self.class.unwrap_or(says[number].class);
            let probability = probabilities(&card, row)[class];
            let batch = self.ready.batch(std::slice::from_ref(&image.view))?;
            let truth = image.truth.as_ref().map(|truth| format!("is {truth}"));
            let own = pictures::plain(&image.view)
                .saying([short_name(&image.name)].into_iter().chain(truth));
            let mut tiles = vec![own];
            for place in &self.saliency {
                let [_, rows, columns] = card.model.layers[place - 1].output[..] else { continue };
                let found = self.ready.network().sensitivity(&batch, *place, &[class])?;
                for method in Method::ALL {
                    let maps = [&found.outputs[..], &found.gradients[..]];
                    let tile = heated(method, &image.view, maps, [rows, columns]);
                    let words =
                        [card.classes[class].clone(), format!("{:.1} %", 100.0 * probability)];
                    tiles.push(tile.saying(words));
                }
            }
            print(&format!("{}\n", sentence(&card, says[number], image)));
            rows.push(Row { label: String::new(), tiles });
        }
        let layer = |place: &usize| card.model.layers[place - 1].name.clone();
        let headings = self.saliency.iter().flat_map(|place| {
            Method::ALL.map(|method| format!("{}, {}", method.name(), layer(place)))
        });
        let group = Group {
            side: SIDE,
            columns: std::iter::once("as the network sees it".to_owned()).chain(headings).collect(),
            rows,
            ..Group::default()
        };
        let plate = Plate {
            title: format!("{}: where it looks", self.whose),
            note: "How much each place supports the class below: dark not at all, light yellow most. Each \
                   picture has its own scale."
                .to_owned(),
            groups: vec![group],
        };
        self.plate("saliency.png", &plate, "where the network looks for a class")
    }

    /// What excites channels, and the map of features.
    fn survey(&self, survey: &Survey) -> Result {
        let model = &self.ready.card.model;
        let mut groups = Vec::new();
        for ((place, peaks), strengths) in
            self.layers.iter().zip(&survey.peaks).zip(&survey.strengths)
        {
            let field = model.receptive_field(*place);
            let mut channels = Vec::new();
            for channel in strengths.strongest(self.channels) {
                let mut tiles = Vec::new();
                for peak in peaks.of(channel) {
                    let view = survey.view(&self.ready.card, peak.image)?;
                    tiles.push(patches::patch(&view, field, peak.at));
                }
                channels.push(patches::mosaic(&tiles).saying([(channel + 1).to_string()]));
            }
            groups.push(patches::group(&model.layers[place - 1], field, channels));
        }
        if !groups.is_empty() {
            let plate = Plate {
                title: format!("{}: what excites its channels", self.whose),
                note: format!(
                    "For each channel the nine patches with its largest values, of {}, at most one of an image. The number \
                     is that of the channel. Channels are those with the largest values over all images.",
                    survey.which()
                ),
                groups,
            };
            self.plate("patches.png", &plate, "the patches that excite each channel most")?;
        }
        match survey.embedding(&self.ready.card) {
            Some(chart) => self.chart(&chart, "images by their features, in two dimensions"),
            None => Ok(()),
        }
    }
}

/// `photo.png: cat 98.2 %, is dog`.
fn sentence(card: &Card, said: Said, image: &Shown) -> String {
    let truth = image.truth.as_ref().map(|truth| format!(", is {truth}")).unwrap_or_default();
    let class = &card.classes[said.class];
    format!("{}: {class} {:.1} %{truth}", image.name, 100.0 * said.probability)
}

/// The last part of a path.
fn short_name(name: &str) -> String {
    Path::new(name).file_name().map_or(name.to_owned(), |name| name.to_string_lossy().into_owned())
}

//! What goes into the part of a network that learns: images, or what its frozen leading layers have
//! made of them.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::data::{Batch, Order, View, Views};
use crate::plan::model::ModelPlan;
use crate::transfer::extractor::Extractor;
use crate::transfer::features::{Features, Table};

use super::teacher::TeacherExtractor;
use super::trainer::TrainError;

/// The inputs of a trial.
pub(super) struct Inputs {
    views: Arc<Views>,
    frozen: Option<Frozen>,
    teacher: Option<Arc<Rows<TeacherExtractor>>>,
    /// Images that a trial asks for in all.
    images: usize,
}

/// Leading layers that do not learn.
struct Frozen {
    rows: Rows<Extractor>,
    /// Augmented variants that go round; 0: each epoch has its own.
    variants: u64,
}

/// What a network makes of images, and where it is kept.
struct Rows<E> {
    extractor: E,
    features: Arc<Features>,
    /// Where the rows of each view are that was asked for; none: nowhere.
    tables: Mutex<Vec<(View, Option<Arc<Table>>)>>,
}

/// Makes a row of numbers of each image.
trait Extract {
    /// Numbers of a row.
    fn width(&self) -> usize;

    /// Equal for those that make the same of every image.
    fn identity(&self) -> Vec<u8>;

    /// What computes the rows: each device rounds in its own way.
    fn computed_by(&self) -> String;

    /// The rows of images `[images, channels, height, width]`.
    fn rows(&self, pixels: &[f32]) -> candle_core::Result<Vec<f32>>;
}

impl Extract for Extractor {
    fn width(&self) -> usize {
        self.width()
    }

    fn identity(&self) -> Vec<u8> {
        self.identity().to_vec()
    }

    fn computed_by(&self) -> String {
        self.computed_by()
    }

    fn rows(&self, pixels: &[f32]) -> candle_core::Result<Vec<f32>> {
        self.features(pixels)
    }
}

impl Extract for TeacherExtractor {
    fn width(&self) -> usize {
        self.width()
    }

    fn identity(&self) -> Vec<u8> {
        self.identity()
    }

    fn computed_by(&self) -> String {
        self.computed_by()
    }

    fn rows(&self, pixels: &[f32]) -> candle_core::Result<Vec<f32>> {
        self.logits(pixels)
    }
}

impl Inputs {
    /// Images as they are, for a trial that asks for so many, and what `teacher` says of them.
    pub(super) fn new(
        views: Arc<Views>,
        images: usize,
        teacher: Option<TeacherExtractor>,
        features: Arc<Features>,
    ) -> Inputs {
        let teacher = teacher.map(|extractor| Arc::new(Rows::new(extractor, features)));
        Inputs { views, frozen: None, teacher, images }
    }

    /// What `extractor` makes of the images.
    pub(super) fn behind(
        &self,
        extractor: Option<Extractor>,
        features: Arc<Features>,
        plan: &ModelPlan,
    ) -> Inputs {
        let variants = plan.transfer.map_or(0, |transfer| transfer.feature_variants as u64);
        let frozen = extractor.map(|extractor| {
            let rows = Rows::new(extractor, features);
            Frozen { rows, variants }
        });
        let (views, teacher) = (self.views.clone(), self.teacher.clone());
        Inputs { views, frozen, teacher, images: self.images }
    }

    /// The number of the layer whose results these are, counted from 1; 0: images.
    pub(super) fn from(&self) -> usize {
        self.frozen.as_ref().map_or(0, |frozen| frozen.rows.extractor.layers())
    }

    /// The shape of one input, if it is not an image.
    pub(super) fn shape(&self) -> Option<&[usize]> {
        self.frozen.as_ref().map(|frozen| frozen.rows.extractor.output())
    }

    /// How images reach the network.
    pub(super) fn views(&self) -> &Arc<Views> {
        &self.views
    }

    /// Has everything computed of `images` that epoch `epoch` will ask for again and again: whether
    /// nothing is left to compute.
    pub(super) fn prepare_training(&self, epoch: u64, images: &[u32]) -> Result<bool, TrainError> {
        let Some(view) = self.training_view(epoch) else { return Ok(false) };
        if let Some(teacher) = &self.teacher {
            self.prepare(teacher, view, images)?;
        }
        match &self.frozen {
            Some(frozen) => self.prepare(&frozen.rows, view, images),
            None => Ok(false),
        }
    }

    /// Has the features of validation or test images computed: whether nothing is left to compute.
    pub(super) fn prepare_evaluation(
        &self,
        images: &[u32],
        views: usize,
    ) -> Result<bool, TrainError> {
        let Some(Frozen { rows, .. }) = &self.frozen else { return Ok(false) };
        let mut is_made = self.prepare(rows, self.views.at_evaluation(), images)?;
        for view in 0..views {
            is_made &= self.prepare(rows, View::TestTime(view), images)?;
        }
        Ok(is_made)
    }

    fn prepare<E: Extract>(
        &self,
        rows: &Rows<E>,
        view: View,
        images: &[u32],
    ) -> Result<bool, TrainError> {
        let Some(table) = self.table(rows, view)? else { return Ok(false) };
        let make = |images: &[u32]| -> Result<_, TrainError> {
            Ok(rows.extractor.rows(&self.views.pixels(view, images)?)?)
        };
        table.prepare(images, make)?;
        Ok(true)
    }

    fn table<E: Extract>(
        &self,
        rows: &Rows<E>,
        view: View,
    ) -> Result<Option<Arc<Table>>, TrainError> {
        let mut tables = rows.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, table)) = tables.iter().find(|(known, _)| *known == view) {
            return Ok(table.clone());
        }
        let table = self.find(rows, view)?;
        tables.push((view, table.clone()));
        Ok(table)
    }

    fn find<E: Extract>(
        &self,
        rows: &Rows<E>,
        view: View,
    ) -> Result<Option<Arc<Table>>, TrainError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&rows.extractor.identity());
        hasher.update(&self.views.identity(view)?);
        // Processors differ in their last bits.
        hasher.update(rows.extractor.computed_by().as_bytes());
        let name = *hasher.finalize().as_bytes();
        let images = self.views.dataset().len();
        Ok(rows.features.table(&name, images, self.images, rows.extractor.width()))
    }

    /// The images of an epoch that stand at `places` of its `order`, as batch number `batch`.
    pub(super) fn training(
        &self,
        epoch: u64,
        order: &Order,
        places: Range<usize>,
        batch: usize,
    ) -> Result<Batch, TrainError> {
        let view = self.training_view(epoch);
        let images = &order.images()[places.clone()];
        let mut made = match (&self.frozen, view) {
            (Some(frozen), Some(view)) => self.seen(&frozen.rows, view, images)?,
            _ => self.views.training(epoch, order, places, batch)?,
        };
        if let Some(teacher) = &self.teacher {
            made.taught = Some(match view {
                Some(view) => self.rows(teacher, view, images)?,
                None => teacher.extractor.rows(&made.pixels)?,
            });
        }
        if let (Some(frozen), None) = (&self.frozen, view) {
            made.pixels = frozen.rows.extractor.rows(&made.pixels)?;
        }
        Ok(made)
    }

    /// Validation or test `images`.
    pub(super) fn evaluation(&self, images: &[u32]) -> Result<Batch, TrainError> {
        match &self.frozen {
            None => Ok(self.views.evaluation(images)?),
            Some(frozen) => self.seen(&frozen.rows, self.views.at_evaluation(), images),
        }
    }

    /// View `view` of test `images`.
    pub(super) fn test_view(&self, images: &[u32], view: usize) -> Result<Batch, TrainError> {
        match &self.frozen {
            None => Ok(self.views.test_view(images, view)?),
            Some(frozen) => self.seen(&frozen.rows, View::TestTime(view), images),
        }
    }

    fn seen(
        &self,
        rows: &Rows<Extractor>,
        view: View,
        images: &[u32],
    ) -> Result<Batch, TrainError> {
        let labels = self.views.dataset().labels_at(images);
        let pixels = self.rows(rows, view, images)?;
        Ok(Batch { pixels, labels, partners: None, taught: None })
    }

    /// What `rows` makes of `images`, seen through `view`.
    fn rows<E: Extract>(
        &self,
        rows: &Rows<E>,
        view: View,
        images: &[u32],
    ) -> Result<Vec<f32>, TrainError> {
        let table = self.table(rows, view)?;
        let known: Option<Vec<&[f32]>> =
            table.as_ref().and_then(|table| images.iter().map(|image| table.row(*image)).collect());
        Ok(match known {
            Some(known) => known.concat(),
            None => rows.extractor.rows(&self.views.pixels(view, images)?)?,
        })
    }

    /// How training images are seen in `epoch`, if it is a way that comes again.
    fn training_view(&self, epoch: u64) -> Option<View> {
        let views = &self.views;
        let settled = views.settled_in(epoch);
        match self.frozen.as_ref().map_or(0, |frozen| frozen.variants) {
            _ if settled.is_some() => settled,
            0 => None,
            _ if views.mixes() => None,
            variants => Some(views.variant((epoch - 1) % variants + 1)),
        }
    }
}

impl<E> Rows<E> {
    fn new(extractor: E, features: Arc<Features>) -> Rows<E> {
        Rows { extractor, features, tables: Mutex::default() }
    }
}

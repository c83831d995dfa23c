//! What goes into the part of a network that learns: images, or what its frozen leading layers have
//! made of them.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use crate::data::{Batch, Order, View, Views};
use crate::plan::model::ModelPlan;
use crate::transfer::extractor::Extractor;
use crate::transfer::features::{Features, Table};

use super::trainer::TrainError;

/// The inputs of a trial.
pub(super) struct Inputs {
    views: Arc<Views>,
    frozen: Option<Frozen>,
    /// Images that a trial asks for in all.
    images: usize,
}

/// Leading layers that do not learn, and where their features are kept.
struct Frozen {
    extractor: Extractor,
    features: Arc<Features>,
    /// Augmented variants that go round; 0: each epoch has its own.
    variants: u64,
    /// Where the features of each view are that was asked for; none: nowhere.
    tables: Mutex<Vec<(View, Option<Arc<Table>>)>>,
}

impl Inputs {
    /// Images as they are, for a trial that asks for so many.
    pub(super) fn new(views: Arc<Views>, images: usize) -> Inputs {
        Inputs { views, frozen: None, images }
    }

    /// From now on what `extractor` makes of them.
    pub(super) fn freeze(
        &mut self,
        extractor: Option<Extractor>,
        features: Arc<Features>,
        plan: &ModelPlan,
    ) {
        let variants = plan.transfer.map_or(0, |transfer| transfer.feature_variants as u64);
        let tables = Mutex::default();
        self.frozen = extractor.map(|extractor| Frozen { extractor, features, variants, tables });
    }

    /// The number of the layer whose results these are, counted from 1; 0: images.
    pub(super) fn from(&self) -> usize {
        self.frozen.as_ref().map_or(0, |frozen| frozen.extractor.layers())
    }

    /// The shape of one input, if it is not an image.
    pub(super) fn shape(&self) -> Option<&[usize]> {
        self.frozen.as_ref().map(|frozen| frozen.extractor.output())
    }

    /// How images reach the network.
    pub(super) fn views(&self) -> &Arc<Views> {
        &self.views
    }

    /// Has the features of `images` computed that epoch `epoch` will ask for again and again: whether
    /// nothing is left to compute.
    pub(super) fn prepare_training(&self, epoch: u64, images: &[u32]) -> Result<bool, TrainError> {
        let Some(frozen) = &self.frozen else { return Ok(false) };
        match frozen.training_view(&self.views, epoch) {
            Some(view) => self.prepare(frozen, view, images),
            None => Ok(false),
        }
    }

    /// Has the features of validation or test images computed: whether nothing is left to compute.
    pub(super) fn prepare_evaluation(
        &self,
        images: &[u32],
        views: usize,
    ) -> Result<bool, TrainError> {
        let Some(frozen) = &self.frozen else { return Ok(false) };
        let mut is_made = self.prepare(frozen, self.views.at_evaluation(), images)?;
        for view in 0..views {
            is_made &= self.prepare(frozen, View::TestTime(view), images)?;
        }
        Ok(is_made)
    }

    fn prepare(&self, frozen: &Frozen, view: View, images: &[u32]) -> Result<bool, TrainError> {
        let Some(table) = self.table(frozen, view)? else { return Ok(false) };
        let make = |images: &[u32]| -> Result<_, TrainError> {
            Ok(frozen.extractor.features(&self.views.pixels(view, images)?)?)
        };
        table.prepare(images, make)?;
        Ok(true)
    }

    fn table(&self, frozen: &Frozen, view: View) -> Result<Option<Arc<Table>>, TrainError> {
        let mut tables = frozen.tables.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, table)) = tables.iter().find(|(known, _)| *known == view) {
            return Ok(table.clone());
        }
        let table = self.find(frozen, view)?;
        tables.push((view, table.clone()));
        Ok(table)
    }

    fn find(&self, frozen: &Frozen, view: View) -> Result<Option<Arc<Table>>, TrainError> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&frozen.extractor.identity());
        hasher.update(&self.views.identity(view)?);
        // Processors differ in their last bits.
        hasher.update(frozen.extractor.computed_by().as_bytes());
        let name = *hasher.finalize().as_bytes();
        let images = self.views.dataset().len();
        Ok(frozen.features.table(&name, images, self.images, frozen.extractor.width()))
    }

    /// The images of an epoch that stand at `places` of its `order`, as batch number `batch`.
    pub(super) fn training(
        &self,
        epoch: u64,
        order: &Order,
        places: Range<usize>,
        batch: usize,
    ) -> Result<Batch, TrainError> {
        let Some(frozen) = &self.frozen else {
            return Ok(self.views.training(epoch, order, places, batch)?);
        };
        match frozen.training_view(&self.views, epoch) {
            Some(view) => self.seen(frozen, view, &order.images()[places]),
            None => {
                let mut made = self.views.training(epoch, order, places, batch)?;
                made.pixels = frozen.extractor.features(&made.pixels)?;
                Ok(made)
            }
        }
    }

    /// Validation or test `images`.
    pub(super) fn evaluation(&self, images: &[u32]) -> Result<Batch, TrainError> {
        match &self.frozen {
            None => Ok(self.views.evaluation(images)?),
            Some(frozen) => self.seen(frozen, self.views.at_evaluation(), images),
        }
    }

    /// View `view` of test `images`.
    pub(super) fn test_view(&self, images: &[u32], view: usize) -> Result<Batch, TrainError> {
        match &self.frozen {
            None => Ok(self.views.test_view(images, view)?),
            Some(frozen) => self.seen(frozen, View::TestTime(view), images),
        }
    }

    fn seen(&self, frozen: &Frozen, view: View, images: &[u32]) -> Result<Batch, TrainError> {
        let dataset = self.views.dataset();
        let labels = images.iter().map(|image| dataset.label(*image)).collect();
        let table = self.table(frozen, view)?;
        let rows: Option<Vec<&[f32]>> =
            table.as_ref().and_then(|table| images.iter().map(|image| table.row(*image)).collect());
        let pixels = match rows {
            Some(rows) => rows.concat(),
            None => frozen.extractor.features(&self.views.pixels(view, images)?)?,
        };
        Ok(Batch { pixels, labels, partners: None })
    }
}

impl Frozen {
    /// How training images are seen in `epoch`, if it is a way that comes again.
    fn training_view(&self, views: &Views, epoch: u64) -> Option<View> {
        match self.variants {
            _ if views.is_the_same_every_epoch() => Some(View::Plain),
            0 => None,
            _ if views.mixes() => None,
            variants => Some(views.variant((epoch - 1) % variants + 1)),
        }
    }
}

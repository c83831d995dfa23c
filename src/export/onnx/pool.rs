//! Pools as ONNX operators.
//!
//! Whether and how a pool that rounds up counts what lies beyond the padding differs between versions
//! of the standard and of its runtimes. Sizes are known here, so such a pool is written as one that
//! rounds down, with as much more padding behind as its last window needs.

use crate::basis::shape::Window;
use crate::kernels::blur_pool::binomial;
use crate::plan::model::{AvgPoolPlan, BlurPoolPlan, LayerPlan, PoolPlan};

use super::graph::Graph;
use super::messages::Attribute;

impl Graph<'_> {
    /// The maximum over windows; what is padded never wins, in ONNX neither.
    pub(super) fn max_pool(&mut self, layer: &LayerPlan, pool: &PoolPlan, x: &str) -> String {
        let beyond = beyond(layer, pool);
        let behind = [0, 1].map(|axis| pool.padding[axis] + beyond[axis]);
        self.node(&layer.name, "MaxPool", &[x], windows(pool, pool.padding, behind))
    }

    /// The mean over windows.
    pub(super) fn avg_pool(&mut self, layer: &LayerPlan, plan: &AvgPoolPlan, x: &str) -> String {
        let AvgPoolPlan { pool, count_padding } = plan;
        let beyond = beyond(layer, pool);
        let behind = [0, 1].map(|axis| pool.padding[axis] + beyond[axis]);
        let counts = |counts: bool| Attribute::int("count_include_pad", usize::from(counts));
        let is_beyond = beyond != [0, 0];
        if !*count_padding || pool.padding == [0, 0] {
            let attributes = windows(pool, pool.padding, behind);
            return self.node(&layer.name, "AveragePool", &[x], attributes.chain([counts(false)]));
        }
        if !is_beyond {
            let attributes = windows(pool, pool.padding, behind);
            return self.node(&layer.name, "AveragePool", &[x], attributes.chain([counts(true)]));
        }
        // The padding counts, what lies beyond it does not: padded first, it is part of the map.
        let [rows, columns] = pool.padding;
        let pads = [0, 0, rows, columns, 0, 0, rows, columns];
        let pads = self.whole_numbers(&format!("{}/padding", layer.name), &pads);
        let padded = self.node(&layer.name, "Pad", &[x, &pads], []);
        let attributes = windows(pool, [0, 0], beyond);
        self.node(&layer.name, "AveragePool", &[&padded], attributes.chain([counts(false)]))
    }

    /// The mean over windows with binomial weights: a convolution of each channel whose borders are mirrored before.
    pub(super) fn blur_pool(&mut self, layer: &LayerPlan, blur: BlurPoolPlan, x: &str) -> String {
        let (name, channels) = (layer.name.as_str(), layer.input[0]);
        let [rows, columns] = blur.windows().map(|window| window.padding[0]);
        let mut x = x.to_owned();
        if [rows, columns] != [0, 0] {
            let pads = [0, 0, rows, columns, 0, 0, rows, columns];
            let pads = self.whole_numbers(&format!("{name}/pads"), &pads);
            x = self.node(name, "Pad", &[&x, &pads], [Attribute::string("mode", "reflect")]);
        }
        let [down, across] = blur.window.map(binomial);
        let filter: Vec<f32> =
            down.iter().flat_map(|down| across.iter().map(move |across| down * across)).collect();
        let shape = [channels, 1, blur.window[0], blur.window[1]];
        let filters = self.constant(&format!("{name}/filters"), &shape, &filter.repeat(channels));
        let attributes = [
            Attribute::ints("kernel_shape", blur.window),
            Attribute::ints("strides", blur.stride),
            Attribute::int("group", channels),
        ];
        self.node(name, "Conv", &[&x, &filters], attributes)
    }

    /// The mean over bins. ONNX has an operator for one bin; equal ones are windows, and others, as
    /// means over rows and then columns, two products.
    pub(super) fn adaptive_avg_pool(&mut self, layer: &LayerPlan, x: &str) -> String {
        let name = layer.name.as_str();
        let sides = [1, 2].map(|axis| (layer.input[axis], layer.output[axis]));
        if sides.iter().all(|(size, bins)| size == bins) {
            return x.to_owned();
        }
        if sides.iter().all(|(_, bins)| *bins == 1) {
            return self.node(name, "GlobalAveragePool", &[x], []);
        }
        if sides.iter().all(|(size, bins)| size % bins == 0) {
            let window = sides.map(|(size, bins)| size / bins);
            let pool = PoolPlan { window, stride: window, padding: [0, 0], ceil: false };
            return self.node(name, "AveragePool", &[x], windows(&pool, [0, 0], [0, 0]));
        }
        let [(height, rows), (width, columns)] = sides;
        let down = self.constant(&format!("{name}/rows"), &[rows, height], &bins(height, rows));
        // The same from the right: its columns are bins.
        let across = bins(width, columns);
        let across: Vec<f32> = (0..width)
            .flat_map(|pixel| (0..columns).map(move |bin| (bin, pixel)))
            .map(|(bin, pixel)| across[bin * width + pixel])
            .collect();
        let across = self.constant(&format!("{name}/columns"), &[width, columns], &across);
        let narrow = self.node(name, "MatMul", &[x, &across], []);
        self.node(name, "MatMul", &[&down, &narrow], [])
    }

    /// The maximum over bins. Where bins are of unequal sizes, it is taken over rows, then over columns, and a
    /// shorter bin sees its first pixel more than once.
    pub(super) fn adaptive_max_pool(&mut self, layer: &LayerPlan, x: &str) -> String {
        let name = layer.name.as_str();
        let sides = [1, 2].map(|axis| (layer.input[axis], layer.output[axis]));
        if sides.iter().all(|(size, bins)| size == bins) {
            return x.to_owned();
        }
        if sides.iter().all(|(_, bins)| *bins == 1) {
            return self.node(name, "GlobalMaxPool", &[x], []);
        }
        let [(height, rows), (width, columns)] = sides;
        let rows = self.maxima(name, x, 2, (height, rows), &[width]);
        self.maxima(name, &rows, 3, (width, columns), &[])
    }

    /// The maximum of the bins along one axis, behind which those of sizes `rest` come.
    fn maxima(
        &mut self,
        name: &str,
        x: &str,
        axis: usize,
        (size, bins): (usize, usize),
        rest: &[usize],
    ) -> String {
        let ranges = (0..bins).map(|bin| bin * size / bins..((bin + 1) * size).div_ceil(bins));
        let most = ranges.clone().map(|range| range.len()).max().unwrap_or(1);
        let pixels: Vec<usize> = ranges
            .flat_map(|range| {
                (0..most)
                    .map(move |at| if at < range.len() { range.start + at } else { range.start })
            })
            .collect();
        let pixels = self.whole_numbers(&format!("{name}/pixels"), &pixels);
        let seen = self.node(name, "Gather", &[x, &pixels], [Attribute::int("axis", axis)]);
        let shape = [&vec![0; axis], &[bins, most][..], rest].concat();
        let shape = self.whole_numbers(&format!("{name}/bins"), &shape);
        let seen = self.node(name, "Reshape", &[&seen, &shape], []);
        let axes = self.whole_numbers(&format!("{name}/axes"), &[axis + 1]);
        self.node(name, "ReduceMax", &[&seen, &axes], [Attribute::int("keepdims", 0)])
    }
}

/// What each of `bins` takes of `size` pixels: `[bins, size]`.
fn bins(size: usize, bins: usize) -> Vec<f32> {
    let mut shares = vec![0.0; bins * size];
    for (bin, row) in shares.chunks_mut(size).enumerate() {
        let range = bin * size / bins..((bin + 1) * size).div_ceil(bins);
        let share = 1.0 / range.len() as f32;
        row[range].fill(share);
    }
    shares
}

/// How far the last windows reach beyond the padding, per axis; 0 where sizes round down.
fn beyond(layer: &LayerPlan, pool: &PoolPlan) -> [usize; 2] {
    [0, 1].map(|axis| {
        let Window { kernel, stride, padding: [before, after], .. } = pool.windows()[axis];
        let reach = (layer.output[axis + 1] - 1) * stride + kernel;
        reach.saturating_sub(layer.input[axis + 1] + before + after)
    })
}

fn windows(
    pool: &PoolPlan,
    before: [usize; 2],
    behind: [usize; 2],
) -> impl Iterator<Item = Attribute> + use<> {
    [
        Attribute::ints("kernel_shape", pool.window),
        Attribute::ints("strides", pool.stride),
        Attribute::ints("pads", before.into_iter().chain(behind)),
    ]
    .into_iter()
}

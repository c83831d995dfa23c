//! The learning curve of a trial, with no more points than a screen can show.

/// An epoch: the scores of [`CURVES`](crate::analysis::curves::CURVES), NaN where there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) epoch: usize,
    pub(super) values: [f32; 4],
    /// The version that it came with.
    version: u64,
}

/// The points of a trial. Of more epochs than it has room for, every second one stays, again and again.
#[derive(Clone, Debug)]
pub(super) struct Curve {
    points: Vec<Point>,
    most: usize,
    /// One of so many epochs has a point.
    every: usize,
    /// The version since which all points are others.
    anew: u64,
}

impl Curve {
    /// With room for `most` points.
    pub(super) fn new(most: usize) -> Curve {
        Curve { points: Vec::new(), most: most.max(2), every: 1, anew: 0 }
    }

    /// Takes an epoch, which comes behind those that are there.
    pub(super) fn push(&mut self, epoch: usize, values: [f64; 4], version: u64) {
        if !(epoch - 1).is_multiple_of(self.every) {
            return;
        }
        if self.points.len() == self.most {
            self.every *= 2;
            let every = self.every;
            self.points.retain(|point| (point.epoch - 1).is_multiple_of(every));
            self.anew = version;
            return self.push(epoch, values, version);
        }
        self.points.push(Point { epoch, values: values.map(|value| value as f32), version });
    }

    /// Forgets all.
    pub(super) fn clear(&mut self, version: u64) {
        *self = Curve { anew: version, ..Curve::new(self.most) };
    }

    /// What is new since a version: whether these are all points there are, and the points.
    pub(super) fn since(&self, version: u64) -> (bool, &[Point]) {
        if self.anew > version || version == 0 {
            return (true, &self.points);
        }
        let first = self.points.partition_point(|point| point.version <= version);
        (false, &self.points[first..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(points: &[Point]) -> Vec<usize> {
        points.iter().map(|point| point.epoch).collect()
    }

    #[test]
    fn only_new_points_are_told() {
        let mut curve = Curve::new(100);
        for epoch in 1..=3 {
            curve.push(epoch, [0.5; 4], epoch as u64);
        }
        let (is_all, points) = curve.since(2);
        assert_eq!((is_all, epochs(points)), (false, vec![3]));
        assert!(curve.since(3).1.is_empty());
        assert!(curve.since(0).0);
        curve.clear(4);
        curve.push(1, [0.5; 4], 4);
        assert_eq!((curve.since(3).0, epochs(curve.since(3).1)), (true, vec![1]));
        assert!(!curve.since(4).0);
    }

    #[test]
    fn a_long_curve_keeps_evenly_spaced_points() {
        let mut curve = Curve::new(4);
        for epoch in 1..=17 {
            curve.push(epoch, [0.5; 4], 1);
        }
        assert_eq!(epochs(curve.since(0).1), [1, 9, 17]);
        for epoch in 18..=1_000_000 {
            curve.push(epoch, [0.5; 4], 2);
        }
        let found = epochs(curve.since(0).1);
        assert!(found.len() <= 4 && found.len() >= 2, "{found:?}");
    }
}

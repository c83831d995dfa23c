//! Which parts of a range are free.

use std::collections::BTreeMap;

/// The free parts of a range, as offsets. No two of them touch.
pub(super) struct Gaps {
    /// Their lengths by their offsets.
    gaps: BTreeMap<usize, usize>,
    /// Everything from here on is free.
    end: usize,
    len: usize,
}

impl Gaps {
    /// A range of `len` without any block.
    pub(super) fn new(len: usize) -> Gaps {
        Gaps { gaps: BTreeMap::new(), end: 0, len }
    }

    /// Free parts between blocks.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, usize)> {
        self.gaps.iter().map(|(offset, len)| (*offset, *len))
    }

    /// Where the last block ends.
    pub(super) fn end(&self) -> usize {
        self.end
    }

    /// The offset of a block of `size` in the smallest gap that it fits into, the first of several;
    /// none if there is no room.
    pub(super) fn take(&mut self, size: usize) -> Option<usize> {
        let fitting = self.iter().filter(|(_, len)| *len >= size);
        let Some((offset, len)) = fitting.min_by_key(|(_, len)| *len) else {
            let offset = self.end;
            self.end = offset.checked_add(size).filter(|end| *end <= self.len)?;
            return Some(offset);
        };
        self.gaps.remove(&offset);
        if len > size {
            self.gaps.insert(offset + size, len - size);
        }
        Some(offset)
    }

    /// Frees the block of `size` at `offset`.
    pub(super) fn give(&mut self, mut offset: usize, size: usize) {
        let mut end = offset + size;
        if let Some((before, len)) = self.gaps.range(..offset).next_back().map(|(o, l)| (*o, *l))
            && before + len == offset
        {
            self.gaps.remove(&before);
            offset = before;
        }
        if let Some(len) = self.gaps.remove(&end) {
            end += len;
        }
        if end == self.end {
            self.end = offset;
        } else {
            self.gaps.insert(offset, end - offset);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_freed_is_taken_again_from_the_smallest_gap_that_fits() {
        let mut gaps = Gaps::new(100);
        let offsets: Vec<usize> = [10, 30, 10, 20, 10].map(|size| gaps.take(size).unwrap()).into();
        assert_eq!(offsets, [0, 10, 40, 50, 70]);
        gaps.give(10, 30);
        gaps.give(50, 20);
        assert_eq!(gaps.take(15), Some(50), "20 are a tighter fit than 30");
        assert_eq!(gaps.take(31), None, "there are gaps of 30, 5 and 20");
        assert_eq!(gaps.take(30), Some(10));
    }

    #[test]
    fn gaps_that_touch_are_one_and_the_last_one_is_none() {
        let mut gaps = Gaps::new(100);
        (0..5).for_each(|_| assert!(gaps.take(10).is_some()));
        for offset in [10, 30, 20] {
            gaps.give(offset, 10);
        }
        assert_eq!(gaps.iter().collect::<Vec<_>>(), [(10, 30)]);
        gaps.give(40, 10);
        assert_eq!((gaps.iter().count(), gaps.end()), (0, 10));
        assert_eq!(gaps.take(90), Some(10));
    }

    proptest! {
        #[test]
        fn blocks_never_overlap_and_all_room_comes_back(
            steps in prop::collection::vec((any::<bool>(), 1usize..40, any::<prop::sample::Index>()), 1..200)
        ) {
            let mut gaps = Gaps::new(400);
            let mut blocks: Vec<(usize, usize)> = Vec::new();
            for (takes, size, which) in steps {
                if takes || blocks.is_empty() {
                    let Some(offset) = gaps.take(size) else { continue };
                    prop_assert!(offset + size <= 400);
                    let is_apart = |(other, len): &(usize, usize)| offset + size <= *other || other + len <= offset;
                    prop_assert!(blocks.iter().all(is_apart), "{offset} {size} {blocks:?}");
                    blocks.push((offset, size));
                } else {
                    let (offset, size) = blocks.swap_remove(which.index(blocks.len()));
                    gaps.give(offset, size);
                }
                let held: usize = blocks.iter().map(|(_, size)| size).sum();
                let free: usize = gaps.iter().map(|(_, len)| len).sum();
                prop_assert_eq!(held + free, gaps.end());
            }
            blocks.into_iter().for_each(|(offset, size)| gaps.give(offset, size));
            prop_assert_eq!((gaps.end(), gaps.iter().count()), (0, 0));
        }
    }
}

//! Keeping things apart on a line with the least total movement.

/// New positions for items wanted at `(position, weight)`, given in their final order, such that neighbours
/// `i` and `i + 1` are at least `gap(i)` apart, moving by the least weighted squared distance.
///
/// All of it is shifted into `low..=high` if it fits there; if it does not, it starts at `low`. Pool-adjacent-
/// violators: exact and linear in time.
pub(crate) fn spread(wanted: &[(f64, f64)], gap: impl Fn(usize) -> f64, low: f64, high: f64) -> Vec<f64> {
    // Subtracting the gaps before an item turns "apart" into "not decreasing".
    let mut offset = 0.0;
    let offsets: Vec<f64> = (0..wanted.len())
        .map(|i| {
            if i > 0 {
                offset += gap(i - 1);
            }
            offset
        })
        .collect();
    let mut blocks: Vec<(f64, f64, usize)> = Vec::with_capacity(wanted.len());
    for (&(position, weight), offset) in wanted.iter().zip(&offsets) {
        let mut block = (position - offset, weight.max(1e-9), 1);
        while let Some(last) = blocks.last().filter(|last| last.0 > block.0) {
            let weight = last.1 + block.1;
            block = ((last.0 * last.1 + block.0 * block.1) / weight, weight, last.2 + block.2);
            blocks.pop();
        }
        blocks.push(block);
    }
    let top = (high - offset).max(low);
    let flat = blocks.iter().flat_map(|b| std::iter::repeat_n(b.0.clamp(low, top), b.2));
    flat.zip(&offsets).map(|(p, offset)| p + offset).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_wishes_share_the_room() {
        let at = |wish: &[f64]| spread(&wish.iter().map(|p| (*p, 1.0)).collect::<Vec<_>>(), |_| 10.0, 0.0, 100.0);
        assert_eq!(at(&[50.0, 50.0]), [45.0, 55.0]);
        assert_eq!(at(&[98.0, 99.0]), [90.0, 100.0]);
        assert_eq!(at(&[10.0, 90.0]), [10.0, 90.0]);
    }

    proptest! {
        #[test]
        fn always_apart(wish in prop::collection::vec((-1e3..1e3f64, 0.1..9.0f64), 0..40)) {
            let out = spread(&wish, |i| 5.0 + (i % 3) as f64, f64::MIN, f64::MAX);
            prop_assert!(out.windows(2).enumerate().all(|(i, w)| w[1] - w[0] >= 5.0 + (i % 3) as f64 - 1e-6));
        }
    }
}

//! How the spans of a trace lie within each other, and what time is a span's own: one meaning for whoever adds traces up
//! and whoever draws them.

/// No parent.
pub const NO_PARENT: u32 = u32::MAX;

/// Takes the parent from the earliest span of every cycle, so that each span hangs below some root. `parents` holds
/// indices, [`NO_PARENT`] for none; of spans that start together the one with the lower index counts as earlier.
pub fn open_cycles(parents: &mut [u32], start: impl Fn(usize) -> i64) {
    // Most traces have every span after its parent: there is no cycle in them.
    if parents.iter().enumerate().all(|(at, parent)| *parent == NO_PARENT || (*parent as usize) < at) {
        return;
    }
    // 0 unknown, 1 on the way up just now, 2 known to end at a root.
    let mut state = vec![0_u8; parents.len()];
    let mut way = Vec::new();
    for first in 0..parents.len() as u32 {
        let mut at = first;
        while at != NO_PARENT && state[at as usize] == 0 {
            state[at as usize] = 1;
            way.push(at);
            at = parents[at as usize];
        }
        if at != NO_PARENT && state[at as usize] == 1 {
            let cycle = way.iter().skip_while(|span| **span != at).copied();
            let first = cycle.min_by_key(|span| (start(*span as usize), *span)).unwrap_or(at);
            parents[first as usize] = NO_PARENT;
        }
        way.drain(..).for_each(|span| state[span as usize] = 2);
    }
}

/// Time of a span in which none of its children ran, nanoseconds: its duration without the union of their times, as far
/// as these lie within it. So what ran side by side is taken away once, and what outlives its parent only until that ends.
///
/// `children` are (start, end), in order of their starts; a duration below 0 counts as 0.
pub fn self_nanos(start: i64, duration: i64, children: impl IntoIterator<Item = (i64, i64)>) -> i64 {
    let duration = duration.max(0);
    let end = start.saturating_add(duration);
    let (mut covered, mut until) = (0_i64, start);
    for (from, to) in children {
        let (from, to) = (from.max(until), to.min(end));
        if to > from {
            covered = covered.saturating_add(to - from);
            until = to;
        }
    }
    (duration - covered).max(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_side_by_side_is_taken_away_once() {
        assert_eq!(self_nanos(0, 100, []), 100);
        assert_eq!(self_nanos(0, 100, [(10, 40), (20, 30), (35, 60)]), 50);
        assert_eq!(self_nanos(0, 100, [(-20, 10), (90, 300)]), 80, "only what lies within counts");
        assert_eq!(self_nanos(0, 100, [(-20, 300), (10, 20)]), 0);
        assert_eq!(self_nanos(0, -5, [(0, 10)]), 0);
        assert_eq!(self_nanos(i64::MAX - 10, 100, [(i64::MAX - 5, i64::MAX)]), 95);
    }

    #[test]
    fn a_cycle_is_opened_at_its_earliest_span() {
        let starts = [5, 3, 9, 1];
        let mut parents = [1, 2, 0, 0];
        open_cycles(&mut parents, |span| starts[span]);
        assert_eq!(parents, [1, NO_PARENT, 0, 0]);
        let mut own = [0];
        open_cycles(&mut own, |_| 0);
        assert_eq!(own, [NO_PARENT]);
    }
}

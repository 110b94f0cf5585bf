//! The order of nodes within their columns, with few crossings.

use super::{Net, Seed};

/// Orders every column: afresh by median sweeps, or around a seed by fitting the new between the known.
pub(crate) fn order(net: &mut Net, seed: &Seed) {
    if seed.is_empty() {
        sweep(net);
    } else {
        insert(net);
    }
}

fn sweep(net: &mut Net) {
    let rounds = if net.layer.len() > 1_500 { 6 } else { 24 };
    let mut best = net.columns.clone();
    let mut fewest = crossings(net);
    for round in 0..rounds {
        if fewest == 0 {
            break;
        }
        let rightwards = round % 2 == 0;
        let count = net.columns.len();
        for step in 1..count {
            let column = if rightwards { step } else { count - 1 - step };
            sort_by_medians(net, column, rightwards);
        }
        transpose(net, |_| true);
        let now = crossings(net);
        if now < fewest {
            fewest = now;
            best.clone_from(&net.columns);
        }
    }
    net.columns = best;
}

/// Sorts one column by the median position of the neighbours on one side; nodes without any keep their place.
fn sort_by_medians(net: &mut Net, column: usize, from_left: bool) {
    let other = if from_left { column - 1 } else { column + 1 };
    let position = positions(net, other);
    let sides = if from_left { &net.left } else { &net.right };
    let mut keyed: Vec<(f64, usize)> = Vec::new();
    let mut fixed: Vec<(usize, usize)> = Vec::new();
    for (i, &node) in net.columns[column].iter().enumerate() {
        match median(sides[node].iter().map(|n| position[*n])) {
            Some(m) => keyed.push((m, node)),
            None => fixed.push((i, node)),
        }
    }
    keyed.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut sorted: Vec<usize> = keyed.into_iter().map(|k| k.1).collect();
    for (i, node) in fixed {
        sorted.insert(i.min(sorted.len()), node);
    }
    net.columns[column] = sorted;
}

fn median(values: impl Iterator<Item = usize>) -> Option<f64> {
    let mut values: Vec<usize> = values.collect();
    values.sort_unstable();
    let n = values.len();
    match n {
        0 => None,
        n if n % 2 == 1 => Some(values[n / 2] as f64),
        n => Some((values[n / 2 - 1] + values[n / 2]) as f64 / 2.0),
    }
}

fn positions(net: &Net, column: usize) -> Vec<usize> {
    let mut position = vec![0; net.layer.len()];
    for (i, node) in net.columns[column].iter().enumerate() {
        position[*node] = i;
    }
    position
}

/// Swaps neighbours while that removes crossings; only pairs of which `may_move` one.
fn transpose(net: &mut Net, may_move: impl Fn(usize) -> bool) {
    let mut position = vec![0; net.layer.len()];
    for column in &net.columns {
        column.iter().enumerate().for_each(|(i, n)| position[*n] = i);
    }
    for _ in 0..4 {
        let mut improved = false;
        for c in 0..net.columns.len() {
            for i in 1..net.columns[c].len() {
                let (a, b) = (net.columns[c][i - 1], net.columns[c][i]);
                if (may_move(a) || may_move(b)) && gain(net, &position, a, b) > 0 {
                    net.columns[c].swap(i - 1, i);
                    position.swap(a, b);
                    improved = true;
                }
            }
        }
        if !improved {
            break;
        }
    }
}

/// Crossings saved by putting `b` above `a`, which is just above it now.
fn gain(net: &Net, position: &[usize], a: usize, b: usize) -> i64 {
    let side = |na: &[usize], nb: &[usize]| {
        let mut saved = 0i64;
        for x in na {
            for y in nb {
                saved += (position[*x] > position[*y]) as i64 - (position[*x] < position[*y]) as i64;
            }
        }
        saved
    };
    side(&net.left[a], &net.left[b]) + side(&net.right[a], &net.right[b])
}

/// All crossings, by counting inversions between neighbouring columns.
fn crossings(net: &Net) -> usize {
    (1..net.columns.len()).map(|c| crossings_before(net, c)).sum()
}

/// How hard a map is to follow: crossings, the ups and downs of its edges, and the columns they pass.
pub(crate) fn strain(net: &Net, y: &[f64]) -> f64 {
    const CROSSING: f64 = 60.0;
    const COLUMN: f64 = 40.0;
    let links = || net.columns.iter().flatten().flat_map(|n| net.right[*n].iter().map(|m| (*n, *m)));
    let climb: f64 = links().map(|(a, b)| (y[a] - y[b]).abs() + COLUMN).sum();
    crossings(net) as f64 * CROSSING + climb
}

fn crossings_before(net: &Net, column: usize) -> usize {
    let position = positions(net, column);
    let mut tree = vec![0usize; net.columns[column].len() + 1];
    let (mut total, mut placed) = (0, 0);
    for node in &net.columns[column - 1] {
        let ends = || net.right[*node].iter().map(|n| position[*n]);
        for end in ends() {
            total += placed - prefix(&tree, end + 1);
        }
        for end in ends() {
            add(&mut tree, end + 1);
            placed += 1;
        }
    }
    total
}

fn prefix(tree: &[usize], mut i: usize) -> usize {
    let mut sum = 0;
    while i > 0 {
        sum += tree[i];
        i &= i - 1;
    }
    sum
}

fn add(tree: &mut [usize], mut i: usize) {
    while i < tree.len() {
        tree[i] += 1;
        i += i & i.wrapping_neg();
    }
}

/// Known nodes by their old height, new ones where their neighbours are; then only new ones may swap.
fn insert(net: &mut Net) {
    let wish = wishes(net);
    for column in &mut net.columns {
        column.sort_by(|a, b| wish[*a].total_cmp(&wish[*b]));
    }
    let known: Vec<bool> = net.anchor.iter().map(Option::is_some).collect();
    transpose(net, |n| !known[n]);
}

/// The remembered y, or the mean of the neighbours', spreading out from what is known.
pub(crate) fn wishes(net: &Net) -> Vec<f64> {
    let mut wish = net.anchor.clone();
    for _ in 0..net.columns.len().max(2) {
        let mut found = Vec::new();
        for node in 0..wish.len() {
            if wish[node].is_some() {
                continue;
            }
            let near: Vec<f64> = net.left[node].iter().chain(&net.right[node]).filter_map(|n| wish[*n]).collect();
            if !near.is_empty() {
                found.push((node, near.iter().sum::<f64>() / near.len() as f64));
            }
        }
        if found.is_empty() {
            break;
        }
        found.into_iter().for_each(|(node, y)| wish[node] = Some(y));
    }
    let below = wish.iter().flatten().copied().fold(0.0, f64::max) + 100.0;
    wish.into_iter().map(|y| y.unwrap_or(below)).collect()
}

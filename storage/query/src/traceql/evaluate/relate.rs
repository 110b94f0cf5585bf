//! Which spans are children, descendants, siblings … of others. Spans are ascending numbers; work grows with how many
//! there are on both sides, never with their product.

use super::super::ast::{Relate, Relation, Structural};
use super::structure::{NONE, Structure, Trace};

/// What a structural operator returns.
pub(super) fn relate(trace: &Trace<'_>, operator: Structural, left: &[u32], right: &[u32]) -> Vec<u32> {
    let structure = trace.structure();
    let related = |relation, of: &[u32], to: &[u32]| -> Vec<u32> {
        let holds = holds(structure, relation, to, of);
        of.iter().copied().zip(holds).filter(|(_, holds)| *holds).map(|(span, _)| span).collect()
    };
    match operator.sides {
        Relate::Right => related(operator.relation, right, left),
        Relate::Not => {
            let holds = holds(structure, operator.relation, left, right);
            right.iter().copied().zip(holds).filter(|(_, holds)| !*holds).map(|(span, _)| span).collect()
        }
        Relate::Both => {
            union(related(operator.relation, right, left), related(inverse(operator.relation), left, right))
        }
    }
}

fn inverse(relation: Relation) -> Relation {
    match relation {
        Relation::Child => Relation::Parent,
        Relation::Parent => Relation::Child,
        Relation::Descendant => Relation::Ancestor,
        Relation::Ancestor => Relation::Descendant,
        Relation::Sibling => Relation::Sibling,
    }
}

/// Both, ascending, without duplicates.
pub(super) fn union(mut left: Vec<u32>, right: Vec<u32>) -> Vec<u32> {
    left.extend(right);
    left.sort_unstable();
    left.dedup();
    left
}

/// For each span of `of`, whether it has the relation to one of `to`.
fn holds(structure: &Structure, relation: Relation, to: &[u32], of: &[u32]) -> Vec<bool> {
    let parent = |span: u32| structure.parent[span as usize];
    let (left, right) = (|span: u32| structure.left[span as usize], |span: u32| structure.right[span as usize]);
    match relation {
        Relation::Child => of.iter().map(|span| to.binary_search(&parent(*span)).is_ok()).collect(),
        Relation::Parent => {
            let parents = parents(structure, to);
            of.iter().map(|span| parents.binary_search(span).is_ok()).collect()
        }
        Relation::Sibling => {
            let parents = parents(structure, to);
            let with = |wanted: u32| {
                parents.partition_point(|parent| *parent <= wanted) - parents.partition_point(|parent| *parent < wanted)
            };
            let is_sibling = |span: &u32| {
                let itself = usize::from(to.binary_search(span).is_ok());
                parent(*span) != NONE && with(parent(*span)) > itself
            };
            of.iter().map(is_sibling).collect()
        }
        Relation::Descendant => {
            // Intervals lie within each other or apart. So, of those that begin before a span, the one that ends last
            // is around it or none is.
            let mut around: Vec<(u32, u32)> = to.iter().map(|span| (left(*span), right(*span))).collect();
            around.sort_unstable();
            let mut last = 0;
            for (_, end) in &mut around {
                last = last.max(*end);
                *end = last;
            }
            let is_within = |span: &u32| {
                let before = around.partition_point(|(begin, _)| *begin < left(*span));
                before > 0 && around[before - 1].1 > left(*span)
            };
            of.iter().map(is_within).collect()
        }
        Relation::Ancestor => {
            let mut begins: Vec<u32> = to.iter().map(|span| left(*span)).collect();
            begins.sort_unstable();
            let is_around = |span: &u32| {
                let next = begins.partition_point(|begin| *begin <= left(*span));
                begins.get(next).is_some_and(|begin| *begin < right(*span))
            };
            of.iter().map(is_around).collect()
        }
    }
}

/// Parents of spans, ascending, with duplicates.
fn parents(structure: &Structure, of: &[u32]) -> Vec<u32> {
    let mut parents: Vec<u32> =
        of.iter().map(|span| structure.parent[*span as usize]).filter(|parent| *parent != NONE).collect();
    parents.sort_unstable();
    parents
}

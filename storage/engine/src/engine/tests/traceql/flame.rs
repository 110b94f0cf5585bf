//! Flame graphs are what a plain recursion over whole traces adds up to, wherever the spans lie.

use super::*;
use orrery_query::answer::{FlameTime, TraceFlame};
use orrery_query::plan::FlameFrom;

/// Path, in plain words, to count, errors, own and total nanoseconds.
type Paths = BTreeMap<Vec<String>, [i64; 4]>;

fn plan_of(query: &str, range: TimeRange, from: FlameFrom) -> plan::TraceFlame {
    plan::TraceFlame { range, compared: None, query: parse(query).unwrap(), from, traces: 10_000, paths: 10_000 }
}

fn flame(rig: &Rig, plan: &plan::TraceFlame) -> TraceFlame {
    let answer = rig.engine().trace_flame(plan, &control()).unwrap();
    assert_eq!(answer.partial, None);
    answer.value
}

fn paths(flame: &TraceFlame, time: fn(&orrery_query::answer::FlameNode) -> FlameTime) -> Paths {
    let mut named: Vec<Vec<String>> = Vec::new();
    let mut paths = Paths::new();
    for node in &flame.nodes {
        let mut path = node.parent.map(|parent| named[parent as usize].clone()).unwrap_or_default();
        path.push(match &node.what {
            Some(step) => format!("{} {} {:?}", step.service.name, step.name, step.kind),
            None => format!("{} others", node.paths),
        });
        named.push(path.clone());
        let time = time(node);
        let numbers = [time.count, time.errors, time.self_nanos, time.total_nanos].map(|number| number.round() as i64);
        if numbers != [0; 4] {
            assert!(paths.insert(path, numbers).is_none(), "a path is there once");
        }
    }
    paths
}

/// The parent of a span, unless it is the earliest of a cycle.
fn parent(trace: &PlainTrace, span: usize) -> Option<usize> {
    let parent = |span: usize| trace.0.iter().position(|other| other.id == trace.0[span].parent);
    let (mut cycle, mut at) = (vec![span], parent(span)?);
    while at != span {
        if cycle.contains(&at) {
            return parent(span);
        }
        cycle.push(at);
        match parent(at) {
            Some(above) => at = above,
            None => return parent(span),
        }
    }
    let first = cycle.iter().min_by_key(|span| (trace.0[**span].time.0, **span));
    if first == Some(&span) { None } else { parent(span) }
}

/// Milliseconds of a span in which no child runs, counted one by one.
fn own_nanos(trace: &PlainTrace, span: usize) -> i64 {
    let children: Vec<(i64, i64)> = (0..trace.0.len())
        .filter(|child| parent(trace, *child) == Some(span))
        .map(|child| trace.0[child].time)
        .collect();
    let (start, duration) = trace.0[span].time;
    let runs = |at: i64| children.iter().any(|(from, nanos)| (*from..from + nanos).contains(&at));
    (0..duration / MS).filter(|ms| !runs(start + ms * MS)).count() as i64 * MS
}

/// Adds a span and what is below it; answers what all of that took.
fn add(trace: &PlainTrace, span: usize, above: &[String], weight: i64, paths: &mut Paths) -> i64 {
    let here = &trace.0[span];
    let mut path = above.to_vec();
    path.push(format!("{} {} {:?}", here.resource[0].1.as_str().unwrap(), here.name, here.kind));
    let own = own_nanos(trace, span) * weight;
    let children = (0..trace.0.len()).filter(|child| parent(trace, *child) == Some(span));
    let total = own + children.map(|child| add(trace, child, &path, weight, paths)).sum::<i64>();
    let sum = paths.entry(path).or_default();
    let failed = i64::from(here.status.0 == StatusCode::Error) * weight;
    sum.iter_mut().zip([weight, failed, own, total]).for_each(|(sum, one)| *sum += one);
    total
}

fn reference(
    query: &str,
    range: TimeRange,
    from: FlameFrom,
    traces: &[PlainTrace],
    weight: fn(u128) -> i64,
) -> (u64, Paths) {
    let found = expected(query, range, traces);
    let mut paths = Paths::new();
    for trace in traces.iter().filter(|trace| found.contains_key(&trace.0[0].trace)) {
        let matched = |span: usize| found[&trace.0[0].trace].1.iter().flatten().any(|id| trace.0[span].id == *id);
        let above = |span: usize| std::iter::successors(parent(trace, span), |span| parent(trace, *span));
        let begins = |span: &usize| match from {
            FlameFrom::Root => parent(trace, *span).is_none(),
            FlameFrom::Match => matched(*span) && !above(*span).any(matched),
        };
        for span in (0..trace.0.len()).filter(begins) {
            add(trace, span, &[], weight(trace.0[0].trace), &mut paths);
        }
    }
    (found.len() as u64, paths)
}

#[test]
fn paths_are_what_a_plain_recursion_adds_up() {
    let mut dice = Dice(SEED + 7);
    let rig = Rig::new();
    let mut spans = traces(&mut dice, 120);
    // Siblings that overlap, and children that outlive their parents.
    spans.iter_mut().flatten().for_each(|span| span.time.0 += dice.below(200) as i64 * MS);
    scatter(&rig, &mut dice, &spans, true);
    let traces: Vec<PlainTrace> = spans.into_iter().map(PlainTrace::new).collect();
    let part = TimeRange { from: T0 + 100 * SECOND, to: T0 + 300 * SECOND };
    let rest = TimeRange { from: T0 + 300 * SECOND, to: T0 + 700 * SECOND };
    let (mut asked, mut some) = (0, 0);
    while asked < 60 {
        let query = if asked == 0 { "{ }".to_owned() } else { search(&mut dice) };
        if parse(&query).is_err() {
            continue;
        }
        asked += 1;
        let from = if dice.chance(2) { FlameFrom::Root } else { FlameFrom::Match };
        let plan = plan::TraceFlame { compared: Some(rest), ..plan_of(&query, part, from) };
        let found = flame(&rig, &plan);
        let (now, before) = (found.now, found.before.unwrap());
        for (traces_of, range, time) in [
            (now, part, (|node| node.now) as fn(&orrery_query::answer::FlameNode) -> FlameTime),
            (before, rest, |node| node.before),
        ] {
            let (count, expected) = reference(&query, range, from, &traces, |_| 1);
            assert_eq!(paths(&found, time), expected, "{query} from {from:?}");
            assert_eq!((traces_of.traces, traces_of.weight), (count, count as f64), "{query}");
            some += usize::from(count > 0);
        }
    }
    assert!(some > 50, "{some} found something");
}

#[test]
fn sampled_traces_count_for_those_they_stand_for() {
    let mut dice = Dice(SEED + 8);
    let rig = Rig::new();
    let mut spans = traces(&mut dice, 40);
    let is_sampled = |trace: u128| trace.is_multiple_of(3);
    for span in spans.iter_mut().flatten() {
        span.state = if is_sampled(span.trace) { "ot=th:c" } else { "" };
    }
    scatter(&rig, &mut dice, &spans, false);
    let traces: Vec<PlainTrace> = spans.into_iter().map(PlainTrace::new).collect();
    let found = flame(&rig, &plan_of("{ }", TimeRange::ALL, FlameFrom::Root));
    let weight = |trace: u128| if trace.is_multiple_of(3) { 4 } else { 1 };
    let (count, expected) = reference("{ }", TimeRange::ALL, FlameFrom::Root, &traces, weight);
    assert_eq!(paths(&found, |node| node.now), expected);
    let sampled = (1..=40).filter(|trace| is_sampled(*trace)).count();
    assert_eq!((found.now.traces, found.now.weight), (count, (40 + 3 * sampled) as f64));
}

#[test]
fn of_many_traces_the_same_part_is_taken_in_memory_and_sealed() {
    let mut dice = Dice(SEED + 9);
    let rig = Rig::new();
    let spans = traces(&mut dice, 120);
    spans.iter().for_each(|spans| rig.put_spans(spans));
    let plan = plan::TraceFlame { traces: 25, ..plan_of("{ } | count() > 1", TimeRange::ALL, FlameFrom::Root) };
    let in_memory = flame(&rig, &plan);
    assert!((1..=25).contains(&in_memory.now.traces), "{:?}", in_memory.now);
    assert!((40..=300).contains(&in_memory.now.candidates), "about 120: {:?}", in_memory.now);
    rig.seal();
    assert_eq!(flame(&rig, &plan), in_memory);
    let all = flame(&rig, &plan::TraceFlame { traces: 120, ..plan });
    assert_eq!(all.now.candidates, 120);
}

#[test]
fn small_paths_are_added_up_where_they_belong() {
    let mut dice = Dice(SEED + 10);
    let rig = Rig::new();
    let spans = traces(&mut dice, 120);
    spans.iter().for_each(|spans| rig.put_spans(spans));
    let plan = plan_of("{ }", TimeRange::ALL, FlameFrom::Root);
    let all = flame(&rig, &plan);
    for paths in [1, 7, 40] {
        let few = flame(&rig, &plan::TraceFlame { paths, ..plan.clone() });
        assert_eq!(few.nodes.iter().filter(|node| node.what.is_some()).count(), paths as usize);
        let sum =
            |flame: &TraceFlame, of: fn(&FlameTime) -> f64| flame.nodes.iter().map(|node| of(&node.now)).sum::<f64>();
        let parts: [fn(&FlameTime) -> f64; 3] = [|time| time.count, |time| time.errors, |time| time.self_nanos];
        for of in parts {
            assert!((sum(&few, of) - sum(&all, of)).abs() < 1.0);
        }
        assert_eq!(few.nodes.iter().map(|node| node.paths).sum::<u64>(), all.nodes.len() as u64);
        // A path is as long as its own time and that of what is below it.
        for (at, node) in few.nodes.iter().enumerate() {
            let below = few.nodes.iter().filter(|child| child.parent == Some(at as u32));
            let total = node.now.self_nanos + below.map(|child| child.now.total_nanos).sum::<f64>();
            assert!((total - node.now.total_nanos).abs() < 1.0, "{node:?}");
        }
    }
}

#[test]
fn what_cannot_be_merged_is_refused_or_stops() {
    let rig = Rig::new();
    rig.put_spans(&checkout());
    rig.seal();
    let plan = plan_of("{ }", TimeRange { from: 0, to: SECOND }, FlameFrom::Root);
    let over = Control::within(Duration::ZERO);
    assert!(matches!(rig.engine().trace_flame(&plan, &over), Err(QueryError::Deadline)));
    let cancelled = control();
    cancelled.cancel();
    assert!(matches!(rig.engine().trace_flame(&plan, &cancelled), Err(QueryError::Cancelled)));
    let metrics = plan::TraceFlame { query: parse("{ } | rate()").unwrap(), ..plan.clone() };
    assert!(matches!(rig.engine().trace_flame(&metrics, &control()), Err(QueryError::Query(_))));
    let nothing = plan_of("{ name = \"no such\" }", plan.range, FlameFrom::Match);
    assert_eq!(flame(&rig, &nothing), TraceFlame::default());
}

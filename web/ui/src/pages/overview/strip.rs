//! The numbers above the map.

use crate::client::Load;
use crate::components::figure::{duration, figure, steps};
use crate::components::flags::{About, sparkline};
use crate::nav::nav;
use crate::words::{say, t};
use leptos::prelude::*;
use orrery_api::{FindingList, Health, Red, ServiceList, ServiceSummary, Topology};
use orrery_chart::{Token, Unit};

/// Of its charts.
const SIZE: (f64, f64) = (96.0, 24.0);

/// Failing, degraded, requests, errors, slowest.
pub(super) fn strip(topology: Load<Topology>, services: Load<ServiceList>, findings: Load<FindingList>) -> AnyView {
    let nodes = move |health: Health| {
        topology.data.with(|map| map.as_ref().map(|map| map.nodes.iter().filter(|node| node.health == health).count()))
    };
    let total = Memo::new(move |_| {
        services
            .data
            .with(|list| list.as_ref().filter(|list| !list.services.is_empty()).map(|list| Total::of(&list.services)))
    });
    let seen = move || topology.data.with(|map| map.as_ref().is_some_and(|map| !map.nodes.is_empty()));
    let count = |count: Option<usize>| count.map_or_else(|| "–".to_owned(), |count| count.to_string());
    // What is slow or silent does not fail, and is not fine either.
    let wrong = move || {
        findings.data.with(|list| {
            let lasting = |list: &std::sync::Arc<FindingList>| {
                list.findings.iter().filter(|found| found.until_unix_nano.is_none()).count()
            };
            list.as_ref().map_or(0, lasting)
        })
    };
    let state = move || {
        match (nodes(Health::Failing), nodes(Health::Degraded)) {
            _ if !seen() => view! { <span class="strip-state"><span class="is-unknown" aria-hidden="true">"○"</span>{t(say::HEALTH_UNKNOWN)}</span> }.into_any(),
        (Some(0), Some(0)) if wrong() > 0 => view! { <span class="strip-state"><span class="is-warn" aria-hidden="true">"▲"</span><b>{wrong()}</b>{t(say::TO_LOOK_AT)}</span> }.into_any(),
        (Some(0), Some(0)) => view! { <span class="strip-state"><span class="is-ok" aria-hidden="true">"●"</span>{t(say::ALL_FINE)}</span> }.into_any(),
        (failing, degraded) => view! {
            <span class="strip-state"><span class="is-err" aria-hidden="true">"◆"</span><b>{count(failing)}</b>{t(say::HEALTH_FAILING)}</span>
            <span class="strip-state"><span class="is-warn" aria-hidden="true">"▲"</span><b>{count(degraded)}</b>{t(say::HEALTH_DEGRADED)}</span>
        }.into_any(),
    }
    };
    let rate =
        move || total.with(|total| figure(&Unit::PerSecond, total.as_ref().map_or(f64::NAN, |total| total.red.rate)));
    let errors = move || {
        total.with(|total| {
            figure(
                &Unit::Ratio,
                total.as_ref().filter(|total| total.red.count > 0.0).map_or(f64::NAN, |total| total.red.error_ratio()),
            )
        })
    };
    let trend = move |error: bool| {
        total.with(|total| {
            total.as_ref().map(|total| {
                if error {
                    sparkline(total.errors.clone(), total.times, Token::Err, SIZE, About::Everything, true)
                } else {
                    sparkline(total.rates.clone(), total.times, Token::Series1, SIZE, About::Everything, false)
                }
            })
        })
    };
    let nav = nav();
    let slowest = move || {
        total.with(|total| {
            total.as_ref().and_then(|total| total.slowest.clone()).map(|(id, name, nanos)| {
                let path = crate::pages::service_path(&id);
                view! { {duration(Some(nanos))}<a class="strip-of" href=move || nav.href(&path, &[])>{name}</a> }
            })
        })
    };
    view! {
        <section class="strip" aria-label=t(say::SUMMARY) aria-busy=move || services.data.with(Option::is_none).to_string()>
            <div class="strip-item strip-first" role="status">{state}</div>
            <div class="strip-item"><span class="strip-name">{t(say::REQUESTS)}</span><span class="strip-value">{rate}</span>{move || trend(false)}</div>
            <div class="strip-item"><span class="strip-name">{t(say::ERRORS)}</span><span class="strip-value">{errors}</span>{move || trend(true)}</div>
            <div class="strip-item"><span class="strip-name">{t(say::SLOWEST_P99)}</span><span class="strip-value">{slowest}</span></div>
        </section>
    }
    .into_any()
}

/// All services together.
#[derive(Clone, PartialEq)]
struct Total {
    red: Red,
    rates: Vec<Option<f64>>,
    errors: Vec<Option<f64>>,
    /// Of the first and the last value.
    times: (i64, i64),
    slowest: Option<(String, String, orrery_api::Nanos)>,
}

impl Total {
    fn of(services: &[ServiceSummary]) -> Total {
        let mut red = Red::default();
        let (mut counts, mut errors): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for line in services {
            red.count += line.red.count;
            red.errors += line.red.errors;
            red.rate += line.red.rate;
            add(&mut counts, &steps(&line.series, |red| Some(red.count)));
            add(&mut errors, &steps(&line.series, |red| Some(red.errors)));
        }
        let ratios = counts.iter().zip(&errors).map(|(count, errors)| (*count > 0.0).then(|| errors / count)).collect();
        let times = services.iter().flat_map(|line| &line.series).map(|point| point.time_unix_nano.0);
        let times = (times.clone().min().unwrap_or_default(), times.max().unwrap_or_default());
        let slowest =
            services.iter().filter_map(|line| Some((line, line.red.p99_nanos?))).max_by_key(|(_, nanos)| *nanos);
        Total {
            red,
            rates: counts.into_iter().map(Some).collect(),
            errors: ratios,
            times,
            slowest: slowest.map(|(line, nanos)| (line.service.id.clone(), line.service.name.clone(), nanos)),
        }
    }
}

/// Adds from the end: series end at the same moment.
fn add(total: &mut Vec<f64>, values: &[Option<f64>]) {
    while total.len() < values.len() {
        total.insert(0, 0.0);
    }
    let offset = total.len() - values.len();
    for (slot, value) in total[offset..].iter_mut().zip(values) {
        *slot += value.unwrap_or(0.0);
    }
}

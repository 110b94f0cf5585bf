//! What a service says, by level and template.

use crate::client::{ask, load};
use crate::components::figure::figure;
use crate::components::open_in_sql::open_in_sql;
use crate::components::panel::panel;
use crate::components::state::empty;
use crate::figures::ago;
use crate::nav::nav;
use crate::pages::logs::level;
use crate::patterns::{Pattern, patterns};
use crate::scope::{now_nanos, scope};
use crate::words::{say, t, tf};
use leptos::prelude::*;
use orrery_api::{LogList, paths};
use orrery_chart::Unit;

/// Records looked at.
const LOOKED_AT: usize = 500;
/// Patterns listed, at most.
const MOST: usize = 12;

/// Warnings and worse of a service, grouped.
pub(super) fn panel_of(service: String) -> AnyView {
    let (nav, scope) = (nav(), scope());
    let wanted = service.clone();
    let list = load::<LogList>(move || {
        let window = scope.window.get();
        let query = [
            ("from", window.from.to_string()),
            ("to", window.to.to_string()),
            ("service", wanted.clone()),
            ("severity", "warn".to_owned()),
            ("limit", LOOKED_AT.to_string()),
        ];
        Some(ask(paths::LOGS, &query).chosen(scope.range.get()))
    });
    let all = {
        let service = service.clone();
        let statement = crate::sql::warnings(&service);
        view! { <a href=move || nav.href("/logs", &[("service", &service)])>{t(say::ALL_LOGS)}</a>{open_in_sql(move || statement.clone())} }.into_any()
    };
    let rows = move |list: Signal<std::sync::Arc<LogList>>| {
        let service = service.clone();
        let row = move |pattern: &Pattern| row(pattern, &service);
        let rows = move || list.with(|list| patterns(&list.logs, MOST).iter().map(&row).collect_view());
        let cut = move || {
            list.with(|list| list.next_cursor.is_some()).then(
                || view! { <p class="hint panel-note">{tf(say::NEWEST_RECORDS, &[("n", &LOOKED_AT.to_string())])}</p> },
            )
        };
        view! {
            <div class="table-wrap" tabindex="0" role="group" aria-label=t(say::RELATED_LOGS)><table class="table">
                <thead><tr><th scope="col">{t(say::LEVEL)}</th><th scope="col">{t(say::MESSAGE)}</th><th scope="col" class="num">{t(say::COUNT)}</th><th scope="col" class="col-wide">{t(say::LAST_SEEN)}</th><th scope="col">{t(say::EXAMPLE)}</th></tr></thead>
                <tbody>{rows}</tbody>
            </table></div>
            {cut}
        }
        .into_any()
    };
    panel(
        t(say::RELATED_LOGS),
        Some(all),
        list,
        |list: &LogList| list.logs.is_empty(),
        |_| empty(t(say::NO_WARNINGS), None),
        rows,
    )
}

fn row(pattern: &Pattern, service: &str) -> AnyView {
    let nav = nav();
    let newest = &pattern.newest;
    let trace = newest.trace_id.clone().map(|id| {
        let (path, span) = (format!("/traces/{id}"), newest.span_id.clone().unwrap_or_default());
        let label = format!("{}: {}", t(say::OPEN_EXAMPLE), pattern.template);
        view! { <a class="nowrap" href=move || nav.href(&path, &[("span", &span)]) aria-label=label>{t(say::OPEN_EXAMPLE)}</a> }
    });
    // The longest run of what is the same in all of them finds them again.
    let same =
        pattern.template.split(['#', '…']).map(str::trim).max_by_key(|part| part.len()).unwrap_or_default().to_owned();
    let (service, severity) = (service.to_owned(), newest.severity.clone());
    let href = move || nav.href("/logs", &[("service", &service), ("severity", &severity), ("text", &same)]);
    view! {
        <tr><td>{level(newest)}</td><th scope="row" class="mono cell-log"><a class="clamp" href=href>{pattern.template.clone()}</a></th>
            <td class="num">{figure(&Unit::Number, pattern.count as f64)}</td><td class="col-wide hint">{ago(newest.time_unix_nano.0, now_nanos())}</td><td>{trace}</td></tr>
    }
    .into_any()
}

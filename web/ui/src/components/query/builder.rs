//! The query as rows: field, operator, value. It writes TraceQL into the bar and reads it back.

use super::{Query, menu};
use crate::components::icon::icon;
use crate::query::literal;
use crate::traceql::{Row, query_of, type_of};
use crate::words::{Phrase, say, t, tf};
use leptos::prelude::*;
use orrery_api::{TraceKeyList, TraceValueList};
use serde_json::Value;
use std::sync::Arc;

/// Fields every span has, and what they are called: a duration is the span's or the trace's.
const INTRINSICS: [(&str, Phrase); 8] = [
    ("span:name", say::MEANS_SPAN_NAME),
    ("span:duration", say::MEANS_SPAN_DURATION),
    ("span:status", say::MEANS_STATUS),
    ("span:kind", say::MEANS_KIND),
    ("span:statusMessage", say::MEANS_STATUS_MESSAGE),
    ("trace:duration", say::MEANS_TRACE_DURATION),
    ("trace:rootName", say::MEANS_ROOT_NAME),
    ("trace:rootService", say::MEANS_ROOT_SERVICE),
];
/// Conditions to begin with.
const BEGINNINGS: [(&str, &str, &str, Phrase); 5] = [
    ("resource.service.name", "=", "", say::SERVICE),
    ("span:status", "=", "error", say::ERROR),
    ("span:duration", ">", "", say::SPAN_DURATION),
    ("trace:duration", ">", "", say::TRACE_DURATION),
    ("", "=", "", say::ATTRIBUTE),
];
const ORDERED: &[&str] = &["=", "!=", ">", ">=", "<", "<="];
const WORDS: &[&str] = &["=", "!="];
const TEXT: &[&str] = &["=", "!=", "=~", "!~"];
const ANY: &[&str] = &["=", "!=", ">", ">=", "<", "<=", "=~", "!~", "!= nil", "= nil"];

fn operators(of: &str) -> &'static [&'static str] {
    match of {
        "text" => TEXT,
        "status" | "kind" | "bool" => WORDS,
        "int" | "float" | "duration" => ORDERED,
        _ => ANY,
    }
}

fn constants(of: &str) -> &'static [&'static str] {
    match of {
        "status" => &["error", "ok", "unset"],
        "kind" => &["server", "client", "producer", "consumer", "internal", "unspecified"],
        _ => &[],
    }
}

/// What is built, and what it is built with.
#[derive(Clone, Copy)]
struct Draft {
    query: Query,
    rows: RwSignal<Vec<Row>>,
    keys: RwSignal<Option<Arc<TraceKeyList>>>,
    values: RwSignal<Option<Arc<TraceValueList>>>,
    /// Whose values are wanted.
    field: RwSignal<Option<String>>,
}

impl Draft {
    fn start(query: Query) -> Draft {
        let field = RwSignal::new(None::<String>);
        let keys = menu::keys(|| true);
        let values =
            menu::values(move || field.get().filter(|field| !field.is_empty()).map(|field| (field, String::new())));
        let draft = Draft { query, rows: RwSignal::new(Vec::new()), keys: keys.data, values: values.data, field };
        // What is written elsewhere comes into the rows; what the rows wrote is there already, with rows not finished yet.
        Effect::new(move |_| {
            let read = query.reading.with(|reading| reading.rows.clone());
            let read = if query.typed.with(|typed| typed.trim().is_empty()) { Some(Vec::new()) } else { read };
            let Some(read) = read else { return };
            if draft.rows.with_untracked(|rows| query_of(rows)) != query_of(&read) {
                draft.rows.set(read);
            }
        });
        draft
    }

    fn change(self, change: impl FnOnce(&mut Vec<Row>)) {
        self.rows.update(change);
        let text = self.rows.with_untracked(|rows| query_of(rows));
        let text = if text == "{ }" { String::new() } else { text };
        if text != self.query.typed.get_untracked().trim() {
            self.query.ask(&text);
        }
    }

    fn set(self, at: usize, change: impl FnOnce(&mut Row)) {
        self.change(|rows| {
            if let Some(row) = rows.get_mut(at) {
                change(row);
            }
        });
    }

    fn type_of(self, at: usize) -> &'static str {
        self.rows.with(|rows| rows.get(at).map(|row| type_of(&row.field))).unwrap_or_default()
    }
}

/// The builder.
pub(super) fn builder(query: Query) -> AnyView {
    let draft = Draft::start(query);
    let is_flat = Memo::new(move |_| {
        query.typed.with(|typed| typed.trim().is_empty())
            || query.reading.with(|reading| reading.rows.is_some() || reading.problem.is_some())
    });
    let count = Memo::new(move |_| draft.rows.with(Vec::len));
    let rows = move || (0..count.get()).map(|at| row(draft, at)).collect_view();
    let begin = move |(field, operator, value, name): (&'static str, &'static str, &'static str, Phrase)| {
        let add = move |_| {
            draft.change(|rows| {
                rows.push(Row {
                    field: field.to_owned(),
                    operator: operator.to_owned(),
                    value: value.to_owned(),
                    text: false,
                });
            });
        };
        view! { <button type="button" class="button" on:click=add>{icon("plus")}{t(name)}</button> }
    };
    let body = move || {
        if !is_flat.get() {
            return view! { <p class="panel-note builder-note">{icon("info")}{t(say::NOT_FLAT)}</p> }.into_any();
        }
        view! {
            <div class="builder-rows">{rows}</div>
            <div class="actions"><span class="hint">{t(say::ADD_CONDITION)}</span>{BEGINNINGS.map(begin).collect_view()}</div>
        }
        .into_any()
    };
    view! {
        <section class="panel builder" aria-label=t(say::BUILDER)>
            {body}
            <datalist id="builder-fields">{move || fields(draft)}</datalist>
            <datalist id="builder-values">{move || values(draft)}</datalist>
        </section>
    }
    .into_any()
}

fn row(draft: Draft, at: usize) -> AnyView {
    let of = Memo::new(move |_| draft.type_of(at));
    let field =
        Memo::new(move |_| draft.rows.with(|rows| rows.get(at).map(|row| row.field.clone())).unwrap_or_default());
    let operator =
        Memo::new(move |_| draft.rows.with(|rows| rows.get(at).map(|row| row.operator.clone())).unwrap_or_default());
    let value =
        Memo::new(move |_| draft.rows.with(|rows| rows.get(at).map(|row| row.value.clone())).unwrap_or_default());
    let number = (at + 1).to_string();
    let label = |what: Phrase| tf(what, &[("n", &number)]);
    let named = move |event: web_sys::Event| {
        let name = event_target_value(&event).trim().to_owned();
        let of = type_of(&name);
        draft.set(at, |row| {
            if !operators(&of).contains(&row.operator.as_str()) {
                row.operator = "=".to_owned();
            }
            (row.field, row.text) = (name, false);
            if !constants(&of).is_empty() && !constants(&of).contains(&row.value.as_str()) {
                row.value.clear();
            }
        });
    };
    let compared = move |event: web_sys::Event| draft.set(at, |row| row.operator = event_target_value(&event));
    // What was text stays text only while it cannot be anything else.
    let valued = move |event: web_sys::Event| {
        let text = draft.keys.with_untracked(|keys| is_text(keys.as_deref(), &field.get_untracked()));
        draft.set(at, |row| (row.value, row.text) = (event_target_value(&event), text));
    };
    let options = move || {
        let now = operator.get();
        operators(&of.get())
            .iter()
            .map(|one| view! { <option value=*one selected=*one == now>{operator_name(one)}</option> })
            .collect_view()
    };
    let labels = (label(say::FIELD_N), label(say::OPERATOR_N), label(say::VALUE_N), label(say::REMOVE_N));
    let value_label = labels.2.clone();
    let entry = move || {
        let (of, label) = (of.get(), value_label.clone());
        if operator.get().ends_with("nil") {
            return ().into_any();
        }
        let known = constants(&of);
        if !known.is_empty() {
            let option = move |one: &&'static str| {
                let one = *one;
                view! { <option value=one selected=move || value.get() == one>{one}</option> }
            };
            return view! {
                <select class="select" aria-label=label on:change=valued><option value="" selected=move || value.with(String::is_empty)>"…"</option>{known.iter().map(option).collect_view()}</select>
            }
            .into_any();
        }
        let hint = if of == "duration" { "250ms" } else { "" };
        view! {
            <input class="input builder-value" type="text" list="builder-values" autocomplete="off" spellcheck="false" aria-label=label placeholder=hint prop:value=move || value.get()
                on:focus=move |_| draft.field.set(Some(field.get_untracked())) on:change=valued />
        }
        .into_any()
    };
    let means = move || INTRINSICS.iter().find(|(name, _)| field.with(|field| field == name)).map(|(_, what)| t(*what));
    view! {
        <div class="builder-row">
            <span class="builder-and hint">{if at == 0 { t(say::WHERE) } else { t(say::AND) }}</span>
            <input class="input builder-field" type="text" list="builder-fields" autocomplete="off" spellcheck="false" aria-label=labels.0 placeholder="span.http.route" prop:value=move || field.get() on:change=named />
            <select class="select" aria-label=labels.1 on:change=compared>{options}</select>
            {entry}
            <button type="button" class="icon-button" aria-label=labels.3.clone() title=labels.3 on:click=move |_| draft.change(|rows| drop((at < rows.len()).then(|| rows.remove(at))))>{icon("x")}</button>
            <span class="hint builder-means">{means}</span>
        </div>
    }
    .into_any()
}

fn operator_name(operator: &'static str) -> &'static str {
    match operator {
        "!= nil" => t(say::EXISTS),
        "= nil" => t(say::MISSING),
        "=~" => t(say::MATCHES),
        "!~" => t(say::MATCHES_NOT),
        other => other,
    }
}

/// Whether stored values of a field are text first of all.
fn is_text(keys: Option<&TraceKeyList>, field: &str) -> bool {
    let known = keys.and_then(|keys| keys.keys.iter().find(|key| key.key == field));
    known.is_some_and(|key| key.types.first().is_some_and(|of| of == "text"))
}

fn fields(draft: Draft) -> Vec<AnyView> {
    let option = |name: String, hint: String| view! { <option value=name>{hint}</option> }.into_any();
    let known = INTRINSICS.iter().map(|(name, what)| option((*name).to_owned(), t(*what).to_owned()));
    let mut all: Vec<AnyView> = known.collect();
    draft.keys.with(|keys| {
        let stored = keys.iter().flat_map(|keys| &keys.keys);
        all.extend(
            stored.map(|key| option(key.key.clone(), tf(say::ON_N_SPANS, &[("n", &key.span_count.to_string())]))),
        );
    });
    all
}

fn values(draft: Draft) -> Vec<AnyView> {
    let wanted = draft.field.get();
    draft.values.with(|list| {
        let Some(list) = list.as_ref().filter(|list| Some(&list.key) == wanted.as_ref()) else { return Vec::new() };
        let plain = |value: &Value| match value {
            Value::String(text) => Some(text.clone()),
            other => literal(&list.key, other),
        };
        let option = |value: &orrery_api::TraceValue| {
            let (text, count) = (plain(&value.value)?, tf(say::ON_N_SPANS, &[("n", &value.span_count.to_string())]));
            Some(view! { <option value=text>{count}</option> }.into_any())
        };
        list.values.iter().filter_map(option).collect()
    })
}

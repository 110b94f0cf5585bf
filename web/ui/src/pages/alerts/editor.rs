//! A rule, field by field; beside it what it would have said, the document, and the message it would send.

use super::api;
use super::fields::{Draft, Faults, delete, field, fields, known};
use super::machine::machine;
use super::rules::is_on;
use crate::alerting::answers::{RuleList, RuleStatus};
use crate::alerting::document::{at, put, text, toml};
use crate::alerting::form::{self, ABSENCES, CONDITIONS, Input, SEVERITIES, SIGNALS, tidy};
use crate::alerting::says::{origin_word, severity};
use crate::alerting::values::{number, unit_of};
use crate::client::{Failure, Load, ask, change, load, post};
use crate::components::copy::Copy;
use crate::components::icon::icon;
use crate::components::panel::frame;
use crate::components::state::{failed, loaded, skeleton};
use crate::nav::nav;
use crate::pages::part;
use crate::words::{Phrase, say, t, tell, tf};
use leptos::prelude::*;
use orrery_api::alerting::{AlertSeverity, MAX_LEVELS, Message, RuleOrigin, ValueUnit};
use orrery_api::paths;
use serde_json::{Value, json};
use std::sync::Arc;
use wasm_bindgen::JsCast;
use wasm_bindgen_futures::spawn_local;

/// Guards of each kind, at most.
const MOST_GUARDS: usize = 4;

/// What is edited.
#[derive(Clone, Copy)]
pub(super) struct Model {
    pub(super) draft: Draft,
    /// As it is kept, if it is.
    pub(super) saved: RwSignal<Option<Value>>,
    pub(super) faults: Faults,
    wrong: RwSignal<Option<Failure>>,
    busy: RwSignal<bool>,
}

/// `/alerts/rules/new/{signal}`, which no rule's name can be.
pub(super) fn create(signal: &str) -> AnyView {
    let signal = form::signal(signal).unwrap_or(&SIGNALS[0]);
    edit(form::rule(signal.name), None, RuleOrigin::User)
}

/// `/alerts/rules/{name}`.
pub(super) fn editor(name: String) -> AnyView {
    let list = load::<RuleList>(move || Some(ask(paths::ALERT_RULES, &[])));
    let found = move || {
        let list = list.data.get()?;
        list.rules.iter().find(|status| text(&status.rule, "name") == name).cloned().map(Some).or(Some(None))
    };
    let view = move || match (found(), list.progress.failure.get()) {
        (Some(Some(status)), _) => edit(status.rule.clone(), Some(status.rule), status.origin),
        (Some(None), _) => super::super::not_found(),
        (None, Some(failure)) => failed(&failure, move || list.progress.retry()),
        (None, None) => skeleton(),
    };
    view! { {view} }.into_any()
}

fn edit(rule: Value, saved: Option<Value>, origin: RuleOrigin) -> AnyView {
    let model = Model {
        draft: RwSignal::new(rule),
        saved: RwSignal::new(saved),
        faults: Faults::provide(),
        wrong: RwSignal::new(None),
        busy: RwSignal::new(false),
    };
    let nav = nav();
    // A quarter of an hour says little of a rule.
    if nav.range().get_untracked() == crate::range::TimeRange::default() {
        nav.replace(&[("range", Some("24h".to_owned()))]);
    }
    let is_made = origin == RuleOrigin::Slo;
    let made = is_made.then(|| view! { <p class="warnings">{t(tell::MADE_BY_SLO)}" "<a href=move || nav.href("/alerts/slos", &[])>{t(tell::SLOS)}</a></p> });
    view! {
        {known()}{made}
        <div class="rule-editor">
            <form class="rule-form" on:submit=move |event| { event.prevent_default(); save(model); }>
                {head(model, origin)}
                {measured(model, "measure.")}
                {when(model)}
                {guards(model)}
                {rest(model)}
            </form>
            <div class="rule-beside">{machine(model)}{preview(model)}{document(model)}</div>
        </div>
    }
    .into_any()
}

fn save(model: Model) {
    let rule = tidy(&model.draft.get_untracked());
    let name = model.saved.with_untracked(|saved| saved.as_ref().map(|saved| text(saved, "name")));
    let (method, url) = match &name {
        Some(name) => ("PUT", api(paths::ALERT_RULE, name)),
        None => ("POST", paths::ALERT_RULES.to_owned()),
    };
    let nav = nav();
    model.busy.set(true);
    spawn_local(async move {
        let answer = change::<RuleStatus>(method, &url, Some(&rule)).await;
        model.busy.try_set(false);
        match answer {
            Ok(_) => nav.go(&nav.href_now("/alerts/rules", &[])),
            Err(failure) => {
                if model.wrong.try_set(Some(failure.clone())).is_none() {
                    model.faults.tried.set(true);
                    model.faults.put(Some(failure), "");
                    to_what_is_wrong();
                }
            }
        }
    });
}

/// Puts the cursor into the first field at fault, once it is marked.
fn to_what_is_wrong() {
    request_animation_frame(|| {
        let wrong = leptos::prelude::document().query_selector(".rule-form [aria-invalid=true]").ok().flatten();
        if let Some(wrong) = wrong.and_then(|wrong| wrong.dyn_into::<web_sys::HtmlElement>().ok()) {
            let _ = wrong.focus();
        }
    });
}

fn remove(model: Model) {
    let Some(name) = model.saved.with_untracked(|saved| saved.as_ref().map(|saved| text(saved, "name"))) else {
        return;
    };
    let nav = nav();
    spawn_local(async move {
        match change::<RuleStatus>("DELETE", &api(paths::ALERT_RULE, &name), None::<&()>).await {
            Ok(_) => nav.go(&nav.href_now("/alerts/rules", &[])),
            Err(failure) => drop(model.wrong.try_set(Some(failure))),
        }
    });
}

/// Name, whether it is on, and what can be done with it.
fn head(model: Model, origin: RuleOrigin) -> AnyView {
    let draft = model.draft;
    let is_kept = model.saved.with_untracked(Option::is_some);
    let toggle = move |_| {
        draft.update(|draft| {
            let off = is_on(draft).then_some(Value::Bool(false));
            put(draft, "enabled", off);
        })
    };
    let on = move || draft.with(is_on);
    // What an objective made is changed there.
    let is_made = origin == RuleOrigin::Slo;
    let remove = (is_kept && !is_made).then(|| delete(move || remove(model)));
    let wrong =
        move || model.wrong.get().map(|failure| view! { <p class="field-error" role="alert">{failure.detail}</p> });
    let title = if is_kept { tell::RULE } else { tell::NEW_RULE };
    let tools = view! {
        {is_kept.then(|| view! { <span class="badge">{origin_word(origin)}</span> })}
        <button type="button" class="toggle" role="switch" aria-checked=move || on().to_string() aria-label=t(tell::ON_OR_OFF) title=t(tell::ON_OR_OFF) disabled=is_made on:click=toggle><span class="toggle-dot"></span></button>
        {remove}
        <button type="submit" class="button button-primary" disabled=move || is_made || model.busy.get()>{icon("check")}{t(say::SAVE)}</button>
    };
    let body = view! {
        <div class="panel-body form-body">
            {wrong}
            {field(draft, "", form::plain("name", tell::NAME, Input::Text).needed())}
            {field(draft, "", form::plain("description", tell::DESCRIPTION, Input::Lines))}
        </div>
    };
    frame(t(title), Some(tools.into_any()), body.into_any())
}

/// What is measured: the signal first, then what it has to say.
fn measured(model: Model, prefix: &'static str) -> AnyView {
    let draft = model.draft;
    let chosen = Memo::new(move |_| draft.with(|draft| text(draft, &format!("{prefix}signal"))));
    let choose = move |name: &'static str| {
        if chosen.get_untracked() == name {
            return;
        }
        draft.update(|draft| {
            let measure = form::measure(name);
            let unit_before = unit_of(&draft["measure"]);
            let is_other = unit_of(&measure) != unit_before;
            let threshold = form::threshold(&measure);
            put(draft, "measure", Some(measure));
            // A threshold in another unit means nothing.
            if is_other {
                put(draft, "level", Some(json!([{ "severity": "warning", "when": { "above": threshold } }])));
            }
        });
    };
    let tile = move |signal: &'static form::Signal| {
        let pressed = move || chosen.with(|chosen| chosen == signal.name).to_string();
        view! { <button type="button" class="signal" aria-pressed=pressed title=t(signal.about) on:click=move |_| choose(signal.name)>{icon(signal.icon)}<span>{t(signal.title)}</span></button> }
    };
    let inner = move || {
        let name = chosen.get();
        match (name.as_str(), form::signal(&name)) {
            ("traces", Some(signal)) => {
                view! { <p class="hint">{t(signal.about)}</p>{part(super::IN_TRACEQL, draft)} }.into_any()
            }
            ("sql", Some(signal)) => {
                view! { <p class="hint">{t(signal.about)}</p>{part(super::IN_SQL, draft)} }.into_any()
            }
            (_, Some(signal)) => {
                let id = signal.name;
                view! { <p class="hint">{t(signal.about)}</p><div class="field-grid">{fields(draft, prefix, signal.fields)}</div>{(id == "heartbeat").then(|| heartbeat(draft))} }.into_any()
            }
            _ => view! { <p class="hint">{t(tell::MADE_BY_SLO)}</p> }.into_any(),
        }
    };
    let body = view! {
        <div class="panel-body form-body">
            <div class="signals" role="group" aria-label=t(tell::SIGNAL)>{SIGNALS.iter().map(tile).collect_view()}</div>
            {inner}
            <div class="field-grid">
                {field(draft, "", form::plain("window", tell::WINDOW, Input::Period))}
                {field(draft, "", form::plain("every", tell::EVERY, Input::Period))}
            </div>
        </div>
    };
    frame(t(tell::WHAT_IS_MEASURED), None, body.into_any())
}

/// Where something has to call to say that it is alive.
fn heartbeat(draft: Draft) -> AnyView {
    let command = move || {
        let name = draft.with(|draft| text(draft, "measure.name"));
        let origin = window().location().origin().unwrap_or_default();
        let name = if name.is_empty() { "name".to_owned() } else { name };
        format!("curl -X POST {origin}{}", api(paths::HEARTBEAT, &name))
    };
    view! { <p class="code-line"><code class="code-inline">{command}</code>{move || view! { <Copy text=command() what=t(tell::COMMAND) /> }}</p> }.into_any()
}

/// When it is bad: a level for each severity.
fn when(model: Model) -> AnyView {
    let draft = model.draft;
    let count =
        Memo::new(move |_| draft.with(|draft| at(draft, "level").and_then(Value::as_array).map_or(0, Vec::len)));
    let add = move |_| {
        draft.update(|draft| {
            let used: Vec<AlertSeverity> = draft["level"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|level| severity(&text(level, "severity")))
                .collect();
            let free = [AlertSeverity::Critical, AlertSeverity::Warning, AlertSeverity::Info];
            let Some(free) = free.into_iter().find(|severity| !used.contains(severity)) else { return };
            let mut when = draft["level"].get(0).map_or_else(|| json!({ "above": 0.0 }), |level| level["when"].clone());
            // Critical is worse than what there is.
            if let Some(value) = number(&when, "above").filter(|_| free == AlertSeverity::Critical) {
                when = json!({ "above": value * 2.0 });
            }
            let place = draft["level"].as_array().map_or(0, Vec::len);
            put(draft, &format!("level.{place}"), Some(json!({ "severity": free.name(), "when": when })));
        })
    };
    let can_add = Memo::new(move |_| count.get() < MAX_LEVELS);
    let levels = move || (0..count.get()).map(|place| level(model, place)).collect_view();
    let body = view! {
        <div class="panel-body form-body">
            {levels}
            <Show when=move || can_add.get()><div class="actions"><button type="button" class="button" on:click=add>{icon("plus")}{t(tell::ADD_LEVEL)}</button></div></Show>
            <div class="field-grid">
                {field(draft, "", form::plain("for", tell::FOR, Input::Period))}
                {field(draft, "", form::plain("keep_firing_for", tell::KEEP_FIRING_FOR, Input::Period))}
                {field(draft, "", form::plain("least.times", tell::LEAST_TIMES, Input::Whole))}
                {field(draft, "", form::plain("least.of", tell::LEAST_OF, Input::Whole))}
            </div>
            <p class="hint">{t(tell::FOR_HINT)}</p>
        </div>
    };
    frame(t(tell::WHEN_BAD), None, body.into_any())
}

fn kind_of(draft: Draft, path: &str) -> &'static str {
    let path = format!("{path}when");
    draft.with(|draft| {
        CONDITIONS
            .iter()
            .map(|(kind, _)| *kind)
            .find(|kind| at(draft, &format!("{path}.{kind}")).is_some())
            .unwrap_or("above")
    })
}

/// One condition: which kind, and its numbers in the unit of what is measured.
fn condition(draft: Draft, prefix: String, measure: String) -> AnyView {
    let (inner, own) = (prefix.clone(), prefix.clone());
    let kind = Memo::new(move |_| kind_of(draft, &own));
    let unit = Memo::new(move |_| draft.with(|draft| unit_of(at(draft, &measure).unwrap_or(&Value::Null))));
    let choose = move |event: web_sys::Event| {
        let wanted = event_target_value(&event);
        draft.update(|draft| {
            let value = [".above", ".below"].iter().find_map(|end| number(draft, &format!("{prefix}when{end}")));
            put(draft, &format!("{prefix}when"), Some(form::condition_of(&wanted, value.unwrap_or(0.0))));
        });
    };
    let options = CONDITIONS.iter().map(|(name, phrase)| {
        view! { <option value=*name selected=move || kind.get() == *name>{t(*phrase)}</option> }
    });
    view! {
        <label class="field">{t(tell::BAD_WHEN)}<select class="select" on:change=choose prop:value=move || kind.get()>{options.collect_view()}</select></label>
        {move || fields(draft, &inner, &form::condition(kind.get(), unit.get()))}
    }
    .into_any()
}

fn level(model: Model, place: usize) -> AnyView {
    let draft = model.draft;
    let prefix = format!("level.{place}.");
    let (path, own) = (format!("level.{place}"), prefix.clone());
    let word = Memo::new(move |_| draft.with(|draft| severity(&text(draft, &format!("{own}severity")))));
    let symbol = move || {
        let (symbol, class) = crate::alerting::says::severity_glyph(word.get());
        view! { <span class=class aria-hidden="true">{symbol}</span> }
    };
    let own = prefix.clone();
    // Against what is usual it is a share of the way back.
    let unit = Memo::new(move |_| match kind_of(draft, &own) {
        "above" | "below" => draft.with(|draft| unit_of(&draft["measure"])),
        _ => ValueUnit::Ratio,
    });
    let own = prefix.clone();
    let recover = move || field(draft, &own, form::plain("recover", tell::RECOVER, Input::Number(unit.get())));
    let remove = move |_| draft.update(|draft| put(draft, &path, None));
    let is_only = move || draft.with(|draft| draft["level"].as_array().is_none_or(|levels| levels.len() < 2));
    view! {
        <fieldset class="rule-level">
            <legend>{symbol}" "{move || crate::alerting::says::severity_word(word.get())}</legend>
            <div class="field-grid">
                {field(draft, &prefix, form::plain("severity", tell::SEVERITY, SEVERITIES))}
                {condition(draft, prefix.clone(), "measure".to_owned())}
                {recover}
                {field(draft, &prefix, form::plain("for", tell::INSTEAD_FOR, Input::Period))}
            </div>
            <Show when=move || !is_only()><button type="button" class="icon-button icon-button-small level-remove" aria-label=t(tell::REMOVE_LEVEL) title=t(tell::REMOVE_LEVEL) on:click=remove.clone()>{icon("x")}</button></Show>
        </fieldset>
    }
    .into_any()
}

/// Other conditions that must hold, or must not.
fn guards(model: Model) -> AnyView {
    let draft = model.draft;
    let list = move |name: &'static str, title: Phrase| {
        let count =
            Memo::new(move |_| draft.with(|draft| at(draft, name).and_then(Value::as_array).map_or(0, Vec::len)));
        let can_add = Memo::new(move |_| count.get() < MOST_GUARDS);
        let add = move |_| {
            draft.update(|draft| {
                if !draft[name].is_array() {
                    put(draft, name, Some(json!([])));
                }
                let place = draft[name].as_array().map_or(0, Vec::len);
                let guard = json!({ "measure": { "signal": "requests", "figure": "rate", "by": "service" }, "when": { "above": 1.0 } });
                put(draft, &format!("{name}.{place}"), Some(guard));
            });
        };
        view! {
            <div class="guards"><h3>{t(title)}</h3>
                {move || (0..count.get()).map(|place| guard(draft, name, place)).collect_view()}
                <Show when=move || can_add.get()><div class="actions"><button type="button" class="button" on:click=add>{icon("plus")}{t(tell::ADD_CONDITION)}</button></div></Show>
            </div>
        }
    };
    let any = draft.with_untracked(|draft| at(draft, "only_if").is_some() || at(draft, "unless").is_some());
    folded(tell::GUARDS, any, view! { {list("only_if", tell::ONLY_IF)}{list("unless", tell::UNLESS)} }.into_any())
}

fn guard(draft: Draft, name: &'static str, place: usize) -> AnyView {
    let prefix = format!("{name}.{place}.");
    let own = format!("{prefix}measure.signal");
    let signal = Memo::new(move |_| draft.with(|draft| text(draft, &own)));
    let measure = format!("{prefix}measure");
    let choose = {
        let measure = measure.clone();
        move |event: web_sys::Event| {
            let chosen = form::measure(&event_target_value(&event));
            draft.update(|draft| put(draft, &measure, Some(chosen)));
        }
    };
    let options = SIGNALS
        .iter()
        .map(|one| view! { <option value=one.name selected=move || signal.get() == one.name>{t(one.title)}</option> });
    let inner = format!("{prefix}measure.");
    let of_signal = move || match signal.get().as_str() {
        "traces" => field(draft, &inner, form::plain("q", tell::TRACES, Input::Code)),
        name => form::signal(name).map(|signal| fields(draft, &inner, signal.fields)).into_any(),
    };
    let path = format!("{name}.{place}");
    // The last one takes the list with it.
    let remove = move |_| {
        draft.update(|draft| {
            put(draft, &path, None);
            if draft[name].as_array().is_some_and(Vec::is_empty) {
                put(draft, name, None);
            }
        })
    };
    view! {
        <fieldset class="rule-level">
            <div class="field-grid">
                <label class="field">{t(tell::SIGNAL)}<select class="select" on:change=choose>{options.collect_view()}</select></label>
                {of_signal}
                {condition(draft, prefix.clone(), measure)}
                {field(draft, &prefix, form::plain("window", tell::WINDOW, Input::Period))}
                {field(draft, &prefix, form::plain("on", tell::SAME_LABELS, Input::Words))}
            </div>
            <button type="button" class="icon-button icon-button-small level-remove" aria-label=t(tell::REMOVE_CONDITION) title=t(tell::REMOVE_CONDITION) on:click=remove>{icon("x")}</button>
        </fieldset>
    }
    .into_any()
}

/// What is rarely changed.
fn rest(model: Model) -> AnyView {
    let draft = model.draft;
    let any = draft.with_untracked(|draft| {
        ["no_data", "error", "labels", "max_wait"].iter().any(|path| at(draft, path).is_some())
    });
    let body = view! {
        <div class="field-grid">
            {field(draft, "", form::plain("no_data.then", tell::WITHOUT_DATA, ABSENCES))}
            {field(draft, "", form::plain("no_data.after", tell::AFTER, Input::Period))}
            {field(draft, "", form::plain("error.then", tell::WHEN_FAILED, ABSENCES))}
            {field(draft, "", form::plain("error.after", tell::AFTER, Input::Period))}
            {field(draft, "", form::plain("max_wait", tell::MAX_WAIT, Input::Period))}
            {labels(draft)}
        </div>
        <p class="hint">{t(tell::REST_HINT)}</p>
    };
    folded(tell::REST, any, body.into_any())
}

fn folded(title: Phrase, open: bool, body: AnyView) -> AnyView {
    view! { <details class="panel section" open=open><summary class="panel-head">{icon("chevron-right")}<h2>{t(title)}</h2></summary><div class="panel-body form-body">{body}</div></details> }
        .into_any()
}

/// Labels that alerts get: `team=payments, tier=1`.
pub(super) fn labels(draft: Draft) -> AnyView {
    let written = draft.with_untracked(|draft| {
        let labels = draft.get("labels").and_then(Value::as_object).into_iter().flatten();
        labels
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default()))
            .collect::<Vec<_>>()
            .join(", ")
    });
    let change = move |event: web_sys::Event| {
        let text = event_target_value(&event);
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        let labels: serde_json::Map<String, Value> = pairs
            .map(|(name, value)| (name.trim().to_owned(), json!(value.trim())))
            .filter(|(name, _)| !name.is_empty())
            .collect();
        draft.update(|draft| put(draft, "labels", (!labels.is_empty()).then_some(Value::Object(labels))));
    };
    view! { <label class="field field-wide">{t(tell::LABELS)}<input class="input" type="text" spellcheck="false" autocomplete="off" placeholder="team=payments, tier=1" value=written on:input=change /></label> }
        .into_any()
}

/// The message it would send now, once somebody wants to see it.
fn preview(model: Model) -> AnyView {
    let open = RwSignal::new(false);
    let wanted = super::fields::settled(move || open.get().then(|| tidy(&model.draft.get())), 500);
    let message: Load<Message> = load(move || {
        let rule = wanted.get()?;
        Some(post(paths::ALERT_PREVIEW, rule.to_string(), "preview".to_owned()))
    });
    let toggle = move |event: web_sys::Event| {
        let details: web_sys::Element = event_target(&event);
        open.set(details.has_attribute("open"));
    };
    let body =
        move |message: Signal<Arc<Message>>| view! { {move || message.with(|message| shown(message))} }.into_any();
    view! {
        <details class="panel section" on:toggle=toggle><summary class="panel-head">{icon("chevron-right")}<h2>{t(tell::MESSAGE)}</h2></summary>
            <Show when=move || open.get()>{loaded(message, |_| false, |_| ().into_any(), body)}</Show>
        </details>
    }
    .into_any()
}

fn shown(message: &Message) -> AnyView {
    let picture = message.chart_png.as_ref().map(|png| {
        view! { <img class="message-chart" alt=t(tell::MESSAGE_CHART) src=format!("data:image/png;base64,{png}") /> }
    });
    let case = &message.evidence;
    let line = |line: &String| view! { <li>{line.clone()}</li> };
    let alerts = message.alerts.iter().take(10).map(|alert| view! { <li>{alert.summary.clone()}</li> }).collect_view();
    let description = (!message.description.is_empty()).then(|| view! { <p>{message.description.clone()}</p> });
    view! {
        <article class="message">
            <h3>{message.title.clone()}</h3>{description}
            <ul class="evidence-list">{alerts}</ul>{picture}
            <ul class="evidence-list">{case.findings.iter().map(line).collect_view()}{case.hottest_edge.iter().map(line).collect_view()}</ul>
            {(!case.normal.is_empty()).then(|| view! { <p class="hint">{t(tell::AS_USUAL)}": "{case.normal.join(", ")}</p> })}
        </article>
    }
    .into_any()
}

/// The document, as it is kept and as files have it.
fn document(model: Model) -> AnyView {
    let as_json = RwSignal::new(false);
    let written = Memo::new(move |_| {
        let rule = tidy(&model.draft.get());
        if as_json.get() { serde_json::to_string_pretty(&rule).unwrap_or_default() } else { toml("rule", &rule) }
    });
    let button = move |json: bool, name: &'static str| {
        view! { <button type="button" class="button button-quiet" aria-pressed=move || (as_json.get() == json).to_string() on:click=move |_| as_json.set(json)>{name}</button> }
    };
    let tools = view! { <div class="switch" role="group" aria-label=t(tell::DOCUMENT)>{button(false, "TOML")}{button(true, "JSON")}</div>{move || view! { <Copy text=written.get() what=t(tell::DOCUMENT) /> }} };
    let body = view! { <pre class="code document" tabindex="0" role="group" aria-label=t(tell::DOCUMENT)>{move || written.get()}</pre> };
    frame(
        tf(tell::DOCUMENT_OF, &[("command", "orrery alerts apply")]),
        Some(tools.into_any()),
        view! { <div class="panel-body">{body}</div> }.into_any(),
    )
}

//! Fields of a document, as tables of `alerting::form` say.

use crate::alerting::document::{at, put, text};
use crate::alerting::form::{Field, Input, Known, read, write};
use crate::client::{Failure, ask, load};
use crate::components::icon::icon;
use crate::scope::scope;
use crate::words::{say, t, tell};
use leptos::prelude::*;
use orrery_api::paths;
use serde_json::Value;
use std::time::Duration;

/// A document being edited.
pub(in crate::pages) type Draft = RwSignal<Value>;

/// What the server says is wrong with a document, for the fields at fault.
#[derive(Clone, Copy)]
pub(super) struct Faults {
    now: RwSignal<Option<Failure>>,
    /// It was tried to keep the document: what is blank is at fault, too.
    pub(super) tried: RwSignal<bool>,
}

impl Faults {
    /// For the fields below.
    pub(super) fn provide() -> Faults {
        let faults = Faults { now: RwSignal::new(None), tried: RwSignal::new(false) };
        provide_context(faults);
        faults
    }

    /// Of the form around, if it tells.
    pub(super) fn here() -> Option<Faults> {
        use_context()
    }

    /// What is wrong now. The names of fields begin with `prefix`, or say nothing of the document.
    pub(super) fn put(self, failure: Option<Failure>, prefix: &str) {
        let known = failure.and_then(|failure| {
            let field = failure.field.as_ref()?.replace('[', ".").replace(']', "");
            Some(Failure { field: Some(field.strip_prefix(prefix)?.to_owned()), ..failure })
        });
        if self.now.with_untracked(|now| *now != known) {
            self.now.set(known);
        }
    }

    /// What is wrong with a field or a part of it; tracked.
    pub(super) fn of(self, path: &str) -> Option<Failure> {
        let is_here = |failure: &&Failure| {
            let rest = failure.field.as_deref().and_then(|field| field.strip_prefix(path));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.now.with(|failure| failure.as_ref().filter(is_here).cloned())
    }
}

/// Several fields, one after the other.
pub(super) fn fields(draft: Draft, prefix: &str, fields: &[Field]) -> AnyView {
    fields.iter().map(|one| field(draft, prefix, *one)).collect_view().into_any()
}

/// One field. What is not a value yet changes nothing, and is marked.
pub(super) fn field(draft: Draft, prefix: &str, field: Field) -> AnyView {
    let path = StoredValue::new(format!("{prefix}{}", field.path));
    let value = Memo::new(move |_| draft.with(|draft| path.with_value(|path| at(draft, path).cloned())));
    let typed = RwSignal::new(write(field.input, value.get_untracked().as_ref()));
    let wrong = RwSignal::new(false);
    let touched = RwSignal::new(false);
    let faults = Faults::here();
    let fault = Memo::new(move |_| {
        let faults = faults?;
        let failure = path.with_value(|path| faults.of(path))?;
        // What nobody has come to yet is not wrong.
        let is_due = touched.get() || faults.tried.get() || typed.with(|typed| !typed.is_empty());
        is_due.then_some(failure.detail)
    });
    Effect::new(move |_| {
        let now = value.get();
        if typed.with_untracked(|typed| read(field.input, typed)) != Ok(now.clone()) && !wrong.get_untracked() {
            typed.set(write(field.input, now.as_ref()));
        }
    });
    let change = move |written: String| {
        let found = read(field.input, &written);
        typed.set(written);
        touched.set(true);
        wrong.set(found.is_err());
        let Ok(found) = found else { return };
        let found = found.or_else(|| field.needed.then(|| Value::from("")));
        draft.update(|draft| path.with_value(|path| put(draft, path, found)));
    };
    let input = move |event: web_sys::Event| change(event_target_value(&event));
    let invalid = move || (wrong.get() || fault.with(Option::is_some)).then_some("true");
    let name = t(field.name);
    let is_mono = matches!(field.input, Input::Code | Input::Matchers);
    let list = match field.from {
        Known::Nothing => None,
        Known::Services => Some("known-services"),
        Known::Environments => Some("known-environments"),
        Known::Metrics => Some("known-metrics"),
        Known::Hosts => Some("known-hosts"),
    };
    let inner = match field.input {
        Input::Flag => {
            let checked = move || value.with(|value| value == &Some(Value::Bool(true)));
            return view! {
                <label class="check"><input type="checkbox" prop:checked=checked on:change=move |event| change(event_target_checked(&event).to_string()) />{name}</label>
            }
            .into_any();
        }
        Input::Choice(choices) => {
            // What is absent is the first choice.
            let now = move || typed.with(|typed| if typed.is_empty() { choices[0].0.to_owned() } else { typed.clone() });
            let options = choices.iter().map(|(value, phrase)| {
                view! { <option value=*value selected=move || now() == *value>{t(*phrase)}</option> }
            });
            view! { <select class="select" aria-invalid=invalid on:change=input prop:value=now>{options.collect_view()}</select> }.into_any()
        }
        Input::Lines | Input::Code | Input::Matchers => {
            let rows = if field.input == Input::Code { "5" } else { "3" };
            view! {
                <textarea class="input area" class:mono=is_mono rows=rows spellcheck="false" autocomplete="off" placeholder=field.hint aria-invalid=invalid
                    prop:value=move || typed.get() on:input=input></textarea>
            }
            .into_any()
        }
        Input::Secret => view! {
            <input class="input" type="password" autocomplete="new-password" placeholder=field.hint prop:value=move || typed.get() on:input=input />
        }
        .into_any(),
        Input::Whole => view! {
            <input class="input" type="number" min="0" placeholder=field.hint aria-invalid=invalid prop:value=move || typed.get() on:input=input />
        }
        .into_any(),
        _ => view! {
            <input class="input" type="text" spellcheck="false" autocomplete="off" placeholder=field.hint list=list aria-invalid=invalid
                prop:value=move || typed.get() on:input=input />
        }
        .into_any(),
    };
    let help = move || {
        let how = match field.input {
            _ if !wrong.get() => fault.get()?,
            Input::Period => t(tell::HOW_PERIOD).to_owned(),
            Input::Matchers => t(tell::HOW_MATCHERS).to_owned(),
            Input::Whole => t(tell::HOW_WHOLE).to_owned(),
            _ => t(tell::HOW_NUMBER).to_owned(),
        };
        Some(view! { <span class="field-error" role="alert">{how}</span> })
    };
    view! { <label class="field" class:field-wide=matches!(field.input, Input::Lines | Input::Code | Input::Matchers)>{name}{inner}{help}</label> }
        .into_any()
}

/// What fields complete from: what was seen during the last day.
pub(super) fn known() -> AnyView {
    let window = crate::range::TimeRange::Last(86_400).window(scope().window.get_untracked().to / 1_000_000);
    let range = [("from", window.from.to_string()), ("to", window.to.to_string())];
    let asked = move |path: &'static str| {
        let range = range.clone();
        load::<Value>(move || {
            let mut params = range.to_vec();
            if path != paths::METRIC_NAMES {
                params.push(("points", "0".to_owned()));
            }
            Some(ask(path, &params))
        })
    };
    let (services, metrics, hosts) = (asked(paths::SERVICES), asked(paths::METRIC_NAMES), asked(paths::HOSTS));
    let list = |id: &'static str, from: crate::client::Load<Value>, items: &'static str, name: &'static str| {
        let options = move || {
            let mut names: Vec<String> = from.data.with(|data| {
                let found = data.as_ref().and_then(|data| data.get(items)?.as_array());
                found.into_iter().flatten().map(|item| text(item, name)).filter(|name| !name.is_empty()).collect()
            });
            names.sort_unstable();
            names.dedup();
            names.into_iter().map(|name| view! { <option value=name></option> }).collect_view()
        };
        view! { <datalist id=id>{options}</datalist> }
    };
    view! {
        {list("known-services", services, "services", "service.name")}
        {list("known-environments", services, "services", "service.environment")}
        {list("known-metrics", metrics, "metrics", "name")}
        {list("known-hosts", hosts, "hosts", "name")}
    }
    .into_any()
}

/// Follows something once it has stood still for a moment.
pub(super) fn settled<T: Clone + PartialEq + Send + Sync + 'static>(
    source: impl Fn() -> T + Send + Sync + 'static,
    millis: u64,
) -> RwSignal<T> {
    let source = Memo::new(move |_| source());
    let settled = RwSignal::new(source.get_untracked());
    Effect::new(move |last: Option<u32>| {
        let now = source.get();
        let turn = last.map_or(0, |last| last + 1);
        let arrive = move || {
            let is_still = source.try_with_untracked(|source| *source == now).unwrap_or(false);
            if is_still && settled.try_with_untracked(|settled| *settled != now).unwrap_or(false) {
                settled.set(now);
            }
        };
        set_timeout(arrive, Duration::from_millis(if turn == 0 { 0 } else { millis }));
        turn
    });
    settled
}

/// Why the server did not do it, if it did not.
pub(super) fn refused(wrong: RwSignal<String>) -> AnyView {
    view! { <Show when=move || wrong.with(|wrong| !wrong.is_empty())><p class="field-error" role="alert">{move || wrong.get()}</p></Show> }.into_any()
}

/// Deletes something on the second click.
pub(super) fn delete(run: impl Fn() + Send + Sync + 'static) -> AnyView {
    let sure = RwSignal::new(false);
    let click = move |_| if sure.get_untracked() { run() } else { sure.set(true) };
    let text = move || t(if sure.get() { tell::REALLY_DELETE } else { tell::DELETE });
    view! { <button type="button" class="button" class:button-danger=move || sure.get() on:click=click on:blur=move |_| sure.set(false)>{icon("trash-2")}{text}</button> }
        .into_any()
}

/// The end of a form: its button, what went wrong, another way out.
pub(super) fn end(
    submit: &'static str,
    busy: RwSignal<bool>,
    wrong: RwSignal<String>,
    cancel: impl Fn() + Send + Sync + 'static,
) -> AnyView {
    view! {
        {refused(wrong)}
        <div class="actions"><button type="submit" class="button button-primary" disabled=move || busy.get()>{submit}</button>
            <button type="button" class="button" on:click=move |_| cancel()>{t(say::CANCEL)}</button></div>
    }
    .into_any()
}

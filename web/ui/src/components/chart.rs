//! Time charts: canvas below, cursor above, keyboard and a table for those who see neither.

use super::flags::{About, Flags};
use crate::canvas::{Canvas, CanvasSurface, watch_size};
use crate::figures::time;
use crate::nav::nav;
use crate::range::TimeRange;
use crate::words::{say, t};
use leptos::html;
use leptos::prelude::*;
use orrery_chart::{ChartSpec, Plot, draw_brush, draw_cursor};
use wasm_bindgen::JsCast;

/// Steps in the hidden table, at most.
const TABLE_ROWS: usize = 40;

/// The moment under the pointer, shared by all charts of a page. Unix nanoseconds.
#[derive(Clone, Copy)]
pub(crate) struct Cursor(RwSignal<Option<i64>>);

impl Cursor {
    /// Gives the charts of a page one cursor.
    pub(crate) fn provide() {
        provide_context(Cursor(RwSignal::new(None)));
    }
}

#[derive(Clone, Copy)]
struct Chart {
    spec: Memo<ChartSpec>,
    plot: StoredValue<Option<Plot>>,
    flags: Option<Flags>,
    cursor: RwSignal<Option<i64>>,
    brush: RwSignal<Option<(i64, i64)>>,
    hovered: RwSignal<bool>,
}

/// A chart of time. Dragging chooses a range, double-click goes back, arrow keys move the cursor.
#[component]
pub(crate) fn TimeChart(
    /// What it shows.
    spec: Memo<ChartSpec>,
    /// Height in CSS pixels.
    #[prop(default = 160.0)]
    height: f64,
    /// What it is about: alerts of that are marked.
    #[prop(optional)]
    about: Option<Signal<About>>,
    /// Those marks, if they are not of the range of the page.
    #[prop(optional)]
    flags: Option<Flags>,
) -> impl IntoView {
    let flags = flags.or_else(|| about.map(Flags::of));
    let cursor = use_context::<Cursor>().map_or_else(|| RwSignal::new(None), |cursor| cursor.0);
    let chart = Chart {
        spec,
        plot: StoredValue::new(None),
        flags,
        cursor,
        brush: RwSignal::new(None),
        hovered: RwSignal::new(false),
    };
    let root = NodeRef::<html::Div>::new();
    let size = watch_size(root);
    let draw = move |surface: &mut CanvasSurface| {
        chart.spec.with(|spec| {
            let plot = match chart.flags {
                Some(flags) => flags.lay(spec, surface),
                None => Plot::new(spec, surface),
            };
            plot.draw(spec, surface);
            if let Some(flags) = chart.flags {
                flags.draw(&plot, surface);
            }
            chart.plot.set_value(Some(plot));
        })
    };
    let style = format!("height:{height}px");
    let nav = nav();
    let down = move |event: web_sys::PointerEvent| {
        if event.button() == 0 {
            chart.brush.set(chart.time_of(&event).map(|at| (at, at)));
            if let Some(node) = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok()) {
                let _ = node.set_pointer_capture(event.pointer_id());
            }
        }
    };
    let moved = move |event: web_sys::PointerEvent| {
        let at = chart.time_of(&event);
        chart.hovered.set(true);
        chart.cursor.set(at);
        if let (Some((from, _)), Some(at)) = (chart.brush.get_untracked(), at) {
            chart.brush.set(Some((from, at)));
        }
    };
    let up = move |_: web_sys::PointerEvent| {
        let Some((a, b)) = chart.brush.get_untracked() else { return };
        chart.brush.set(None);
        if chart.is_wide(a, b) {
            nav.set_range(TimeRange::Between(a.min(b) / 1_000_000, a.max(b) / 1_000_000));
        }
    };
    let leave = move |_: web_sys::PointerEvent| {
        chart.hovered.set(false);
        chart.cursor.set(None);
    };
    let key = move |event: web_sys::KeyboardEvent| chart.key(&event);
    let back = move |_| {
        if let Ok(history) = window().history() {
            let _ = history.back();
        }
    };
    view! {
        <div class="chart-box">
        <div
            class="chart-root" style=style node_ref=root tabindex="0" role="application" aria-roledescription=t(say::CHART)
            aria-label=move || chart.spec.with(|spec| spec.title.clone()) on:pointerdown=down on:pointermove=moved on:pointerup=up
            on:pointerleave=leave on:keydown=key on:dblclick=back on:blur=move |_| chart.cursor.set(None)
        >
            <Canvas draw=draw />
            <Canvas draw=move |surface: &mut CanvasSurface| chart.draw_overlay(surface) />
            {move || chart.tooltip(size.get().0)}
            <span class="sr-only" role="status">{move || chart.reading()}</span>
        </div>
        {chart.flags.map(Flags::links)}
        </div>
        {move || chart.spec.with(twin)}
    }
}

impl Chart {
    fn time_of(self, event: &web_sys::PointerEvent) -> Option<i64> {
        let node: web_sys::Element = event.current_target()?.dyn_into().ok()?;
        let x = f64::from(event.client_x()) - node.get_bounding_client_rect().left();
        self.plot.with_value(|plot| plot.as_ref().map(|plot| plot.time_at(x)))
    }

    /// Wide enough to be meant: four pixels.
    fn is_wide(self, a: i64, b: i64) -> bool {
        self.plot.with_value(|plot| plot.as_ref().is_some_and(|plot| (plot.x(a) - plot.x(b)).abs() >= 4.0))
    }

    fn draw_overlay(self, surface: &mut CanvasSurface) {
        let (cursor, brush) = (self.cursor.get(), self.brush.get());
        self.spec.with(|spec| {
            self.plot.with_value(|plot| {
                let Some(plot) = plot else { return };
                if let Some((a, b)) = brush.filter(|(a, b)| a != b) {
                    draw_brush(plot, a, b, surface);
                }
                if let Some(at) = cursor {
                    draw_cursor(plot, spec, at, surface);
                }
            });
        });
    }

    fn key(self, event: &web_sys::KeyboardEvent) {
        let step = match event.key().as_str() {
            "ArrowLeft" => -1,
            "ArrowRight" => 1,
            _ => return,
        };
        event.prevent_default();
        let (from, to, width) =
            self.spec.with_untracked(|spec| (spec.from, spec.to, spec.step.unwrap_or((spec.to - spec.from) / 60)));
        let now = self.cursor.get_untracked().unwrap_or(if step > 0 { from } else { to });
        self.cursor.set(Some((now + step * width.max(1)).clamp(from, to)));
        self.hovered.set(true);
    }

    /// What stands at the cursor, in words.
    fn reading(self) -> Option<String> {
        let at = self.cursor.get().filter(|_| self.hovered.get())?;
        self.spec.with(|spec| {
            let values = self.plot.with_value(|plot| plot.as_ref().map(|plot| plot.nearest(spec, at)))?;
            let mut text = time(at);
            for near in values {
                text += &format!(", {} {}", spec.series[near.series].name, spec.unit.format(near.value));
            }
            text += &self.flags.and_then(|flags| flags.said(at)).unwrap_or_default();
            Some(text)
        })
    }

    fn tooltip(self, width: f64) -> Option<AnyView> {
        let at = self.cursor.get().filter(|_| self.hovered.get())?;
        self.spec.with(|spec| {
            let (x, values) = self.plot.with_value(|plot| plot.as_ref().map(|plot| (plot.x(at), plot.nearest(spec, at))))?;
            let moment = values.iter().map(|near| near.at).min().unwrap_or(at);
            let rows: Vec<_> = values.iter().map(|near| {
                let series = &spec.series[near.series];
                let style = format!("background:{}", series.ink.token.css_var());
                let value = spec.unit.format(near.value);
                view! { <div class="tip-row"><span class="swatch" style=style></span><span class="tip-name">{series.name.clone()}</span><span>{crate::components::figure::quantity(value)}</span></div> }
            }).collect();
            let fired = self.flags.and_then(|flags| flags.tip(at));
            let style = if x > width / 2.0 { format!("right:{}px", (width - x + 12.0).max(0.0)) } else { format!("left:{}px", x + 12.0) };
            Some(view! { <div class="tip" style=style aria-hidden="true"><div class="tip-time">{time(moment)}</div>{rows}{fired}</div> }.into_any())
        })
    }
}

/// The chart as a table that only screen readers see.
fn twin(spec: &ChartSpec) -> AnyView {
    let mut times: Vec<i64> = spec.series.iter().flat_map(|series| series.points.iter().map(|point| point.0)).collect();
    times.sort_unstable();
    times.dedup();
    let every = times.len().div_ceil(TABLE_ROWS).max(1);
    let head: Vec<_> = spec.series.iter().map(|series| view! { <th scope="col">{series.name.clone()}</th> }).collect();
    let rows: Vec<_> = times
        .iter()
        .step_by(every)
        .map(|at| {
            let cells: Vec<_> = spec
                .series
                .iter()
                .map(|series| {
                    let value = series.points.iter().find(|point| point.0 == *at).and_then(|point| point.1);
                    view! { <td>{value.map(|value| spec.unit.format(value).to_string())}</td> }
                })
                .collect();
            view! { <tr><th scope="row">{time(*at)}</th>{cells}</tr> }
        })
        .collect();
    view! {
        <div class="sr-only"><table><caption>{spec.title.clone()}</caption><thead><tr><th scope="col">{t(say::TIME)}</th>{head}</tr></thead><tbody>{rows}</tbody></table></div>
    }
    .into_any()
}

/// Names and colours of the series, for charts that do not write them at the lines' ends.
pub(crate) fn legend(spec: Memo<ChartSpec>) -> AnyView {
    let items = move || {
        spec.with(|spec| {
            spec.series
                .iter()
                .map(|series| {
                    let style = format!("background:{};opacity:{}", series.ink.token.css_var(), series.ink.opacity());
                    view! { <li><span class="swatch" style=style></span>{series.name.clone()}</li> }
                })
                .collect_view()
        })
    };
    view! { <ul class="legend">{items}</ul> }.into_any()
}

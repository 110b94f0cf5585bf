//! [`Surface`] on a canvas, and the component that keeps one sharp.

use crate::preferences::preferences;
use leptos::html;
use leptos::prelude::*;
use orrery_chart::{Align, Face, Ink, Stroke, Surface, TextStyle, Theme};
use std::cell::RefCell;
use std::collections::HashMap;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::prelude::JsValue;
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ResizeObserver};

const UI_FONT: &str = "\"Orrery Sans\", Pretendard, Inter, system-ui, sans-serif";
const MONO_FONT: &str = "\"JetBrains Mono\", ui-monospace, \"Orrery Sans\", monospace";
/// Widths kept before the cache starts over.
const WIDTHS: usize = 20_000;

thread_local! {
    static MEASURED: RefCell<HashMap<(String, u64), f64>> = RefCell::default();
}

/// Widths measured before the fonts had loaded are wrong.
pub(crate) fn forget_widths() {
    MEASURED.with_borrow_mut(HashMap::clear);
}

/// A canvas of one size in one theme.
pub(crate) struct CanvasSurface {
    context: CanvasRenderingContext2d,
    size: (f64, f64),
    theme: Theme,
    dashed: bool,
}

impl CanvasSurface {
    fn font(style: &TextStyle) -> String {
        let family = if style.face == Face::Mono { MONO_FONT } else { UI_FONT };
        format!("{} {}px {family}", style.weight, style.size)
    }
}

impl Surface for CanvasSurface {
    fn size(&self) -> (f64, f64) {
        self.size
    }

    fn begin(&mut self) {
        self.context.begin_path();
    }

    fn move_to(&mut self, x: f64, y: f64) {
        self.context.move_to(x, y);
    }

    fn line_to(&mut self, x: f64, y: f64) {
        self.context.line_to(x, y);
    }

    fn curve_to(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, x: f64, y: f64) {
        self.context.bezier_curve_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.context.close_path();
    }

    fn stroke(&mut self, stroke: &Stroke) {
        self.context.set_stroke_style_str(&stroke.ink.css(self.theme));
        self.context.set_line_width(stroke.width);
        self.context.set_line_join("round");
        let lengths = stroke.dash.lengths();
        if self.dashed || !lengths.is_empty() {
            let pattern: js_sys::Array = lengths.iter().map(|length| JsValue::from_f64(*length)).collect();
            let _ = self.context.set_line_dash(&pattern);
            self.dashed = !lengths.is_empty();
        }
        self.context.stroke();
    }

    fn fill(&mut self, ink: Ink) {
        self.context.set_fill_style_str(&ink.css(self.theme));
        self.context.fill();
    }

    fn text(&mut self, text: &str, x: f64, y: f64, style: &TextStyle) {
        self.context.set_font(&CanvasSurface::font(style));
        self.context.set_fill_style_str(&style.ink.css(self.theme));
        self.context.set_text_align(match style.align {
            Align::Left => "left",
            Align::Center => "center",
            Align::Right => "right",
        });
        let _ = self.context.fill_text(text, x, y);
    }

    fn measure(&self, text: &str, style: &TextStyle) -> f64 {
        let key =
            u64::from(style.weight) << 40 | ((style.size * 16.0) as u64) << 8 | u64::from(style.face == Face::Mono);
        MEASURED.with_borrow_mut(|measured| {
            if measured.len() > WIDTHS {
                measured.clear();
            }
            *measured.entry((text.to_owned(), key)).or_insert_with(|| {
                self.context.set_font(&CanvasSurface::font(style));
                self.context.measure_text(text).map_or(0.0, |metrics| metrics.width())
            })
        })
    }

    fn push_clip(&mut self, x: f64, y: f64, width: f64, height: f64) {
        self.context.save();
        self.context.begin_path();
        self.context.rect(x, y, width, height);
        self.context.clip();
    }

    fn pop_clip(&mut self) {
        self.context.restore();
        // The saved state's dash pattern is back, whichever it was.
        self.dashed = true;
    }
}

/// The surface of a canvas, cleared and scaled to the screen's pixels. `None` before it is laid out.
pub(crate) fn surface(canvas: &HtmlCanvasElement, size: (f64, f64), theme: Theme) -> Option<CanvasSurface> {
    let ratio = window().device_pixel_ratio().max(1.0);
    let pixels = ((size.0 * ratio).round() as u32, (size.1 * ratio).round() as u32);
    if pixels.0 == 0 || pixels.1 == 0 {
        return None;
    }
    if (canvas.width(), canvas.height()) != pixels {
        canvas.set_width(pixels.0);
        canvas.set_height(pixels.1);
    }
    let context: CanvasRenderingContext2d = canvas.get_context("2d").ok()??.dyn_into().ok()?;
    let _ = context.set_transform(ratio, 0.0, 0.0, ratio, 0.0, 0.0);
    context.clear_rect(0.0, 0.0, size.0, size.1);
    Some(CanvasSurface { context, size, theme, dashed: true })
}

type Watch = (ResizeObserver, Closure<dyn Fn()>);

/// The size of an element in CSS pixels, as it changes.
pub(crate) fn watch_size<E>(element: NodeRef<E>) -> RwSignal<(f64, f64)>
where
    E: leptos::tachys::html::element::ElementType,
    E::Output: JsCast + Clone + 'static,
{
    let size = RwSignal::new((0.0, 0.0));
    let observer = StoredValue::new_local(None::<Watch>);
    Effect::new(move |_| {
        let Some(node) = element.get() else { return };
        let node: web_sys::Element = node.unchecked_into();
        let measure = {
            let node = node.clone();
            move || {
                let now = (f64::from(node.client_width()), f64::from(node.client_height()));
                if size.try_get_untracked().is_some_and(|last| last != now) {
                    size.set(now);
                }
            }
        };
        measure();
        let changed = Closure::<dyn Fn()>::new(measure);
        if let Ok(watch) = ResizeObserver::new(changed.as_ref().unchecked_ref()) {
            watch.observe(&node);
            observer.set_value(Some((watch, changed)));
        }
    });
    on_cleanup(move || {
        observer.try_update_value(|observer| {
            if let Some((watch, _)) = observer.take() {
                watch.disconnect();
            }
        });
    });
    size
}

/// A canvas that fills its parent and draws again when what `draw` reads, its size, the theme or the fonts change.
/// It is hidden from assistive technology: whoever uses it offers a twin.
#[component]
pub(crate) fn Canvas(
    /// Draws everything; tracked.
    draw: impl Fn(&mut CanvasSurface) + 'static,
    /// For its owner's own use.
    #[prop(optional)]
    node: NodeRef<html::Canvas>,
) -> impl IntoView {
    let size = watch_size(node);
    let preferences = preferences();
    Effect::new(move |_| {
        let (size, theme) = (size.get(), preferences.drawn_theme.get());
        preferences.fonts.track();
        let Some(canvas) = node.get() else { return };
        if let Some(mut surface) = surface(&canvas, size, theme) {
            draw(&mut surface);
        }
    });
    view! { <canvas node_ref=node class="canvas" aria-hidden="true"></canvas> }
}

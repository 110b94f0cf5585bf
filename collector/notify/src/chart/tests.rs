use super::*;
use orrery_api::time::Nanos;
use proptest::prelude::*;

const SECOND: i64 = 1_000_000_000;
const NOON: i64 = 1_763_640_000 * SECOND;

fn point(at: i64, value: Option<f64>, low: Option<f64>, high: Option<f64>) -> AlertPoint {
    AlertPoint { time_unix_nano: Nanos(at), value, low, high }
}

/// An hour in which a share of errors rises over its bound, is pending, then fires.
fn failing() -> ChartInput {
    let share = |i: i64| match i {
        0..150 => 0.004 + 0.003 * ((i * 7) % 11) as f64 / 11.0,
        150..165 => 0.03 * (i - 149) as f64,
        _ => 0.48 + 0.06 * ((i * 5) % 13) as f64 / 13.0,
    };
    let points = (0..200).map(|i| {
        let value = (!(60..70).contains(&i)).then(|| share(i));
        point(NOON + i * 18 * SECOND, value, None, Some(0.05))
    });
    ChartInput {
        title: "52 % of the requests to payments fail (more than 5 %)".into(),
        unit: ValueUnit::Ratio,
        points: points.collect(),
        marks: vec![
            Mark { at_unix_nano: NOON + 120 * 18 * SECOND, what: MarkKind::Deploy },
            Mark { at_unix_nano: NOON + 152 * 18 * SECOND, what: MarkKind::Pending },
            Mark { at_unix_nano: NOON + 160 * 18 * SECOND, what: MarkKind::Firing },
        ],
    }
}

/// Latency that leaves its usual band and comes back.
fn slow() -> ChartInput {
    let points = (0..180).map(|i| {
        let usual = 0.12 + 0.04 * (f64::from(i) / 28.0).sin();
        let value = usual + 0.01 * f64::from((i * 7) % 5 - 2) + if (90..140).contains(&i) { 0.35 } else { 0.0 };
        point(NOON + i64::from(i) * 20 * SECOND, Some(value), Some(usual * 0.6), Some(usual * 1.5))
    });
    let mark = |i: i64, what| Mark { at_unix_nano: NOON + i * 20 * SECOND, what };
    ChartInput {
        title: "p95 of checkout is 470 ms, usually 90 ms to 210 ms".into(),
        unit: ValueUnit::Seconds,
        points: points.collect(),
        marks: vec![mark(91, MarkKind::Pending), mark(97, MarkKind::Firing), mark(143, MarkKind::Resolved)],
    }
}

fn size(png: &[u8]) -> (u32, u32) {
    let pixels = tiny_skia::Pixmap::decode_png(png).unwrap();
    (pixels.width(), pixels.height())
}

#[test]
fn pictures_are_small_pngs_and_the_same_each_time() {
    for input in [failing(), slow()] {
        let png = draw(&input).unwrap();
        assert_eq!(size(&png), (1200, 560));
        assert!(png.len() < 90_000, "{}", png.len());
        assert_eq!(draw(&input).unwrap(), png);
        if let Ok(folder) = std::env::var("ORRERY_KEEP_PICTURES") {
            std::fs::write(format!("{folder}/{:?}.png", input.unit), &png).unwrap();
        }
    }
}

#[test]
fn colours_of_the_states_are_in_the_picture() {
    let pixels = tiny_skia::Pixmap::decode_png(&draw(&failing()).unwrap()).unwrap();
    let has = |token: Token| {
        let rgb = token.rgb(Theme::Light);
        pixels.pixels().iter().any(|pixel| (pixel.red(), pixel.green(), pixel.blue()) == (rgb.0, rgb.1, rgb.2))
    };
    assert!([Token::Accent, Token::Err, Token::Warn, Token::Text1].into_iter().all(has));
    assert!(!has(Token::Ok));
}

#[test]
fn the_picture_says_what_it_should() {
    let svg = svg(&failing()).unwrap();
    for text in ["52 % of the requests to payments fail (more than 5 %)", "bound 5 %", "firing", "deploy", "UTC"] {
        assert!(svg.contains(text), "{text}: {svg}");
    }
    // Between the name of the deploy and the next line there is no room for it; without a deploy it is left of its line.
    assert!(!svg.contains(">pending<"), "{svg}");
    let slow = super::svg(&slow()).unwrap();
    let pending = slow.lines().find(|line| line.contains(">pending<")).unwrap();
    assert!(pending.contains("text-anchor=\"end\""), "{pending}");
    assert!(!svg.contains("var(--"));
}

/// A letter alone, as pixels.
fn pixels(letter: char) -> Vec<u8> {
    let svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' width='30' height='30'>\
         <text x='5' y='20' font-family='{FAMILY}' font-size='16' font-weight='600'>&#{};</text></svg>",
        letter as u32
    );
    let options = usvg::Options { fontdb: fonts(), ..usvg::Options::default() };
    let tree = usvg::Tree::from_str(&svg, &options).unwrap();
    let mut pixels = tiny_skia::Pixmap::new(30, 30).unwrap();
    resvg::render(&tree, tiny_skia::Transform::identity(), &mut pixels.as_mut());
    pixels.take()
}

#[test]
fn every_letter_we_say_the_font_has_it_has() {
    let (nothing, missing) = (vec![0; 30 * 30 * 4], pixels('결'));
    let all = ('!'..='~').chain('¡'..='ÿ').chain("Δμ‐–—‘’“”•…′″₩€←↑→↓−√∞≈≠≤≥▲▶▼◆◇○●".chars());
    let drawn = |letter: &char| ![&nothing, &missing].contains(&&pixels(*letter));
    let wrong: String = all.filter(|letter| *letter != '\u{ad}' && has_letter(*letter) != drawn(letter)).collect();
    assert_eq!(wrong, "");
}

#[test]
fn titles_without_letters_are_left_out() {
    let input = ChartInput { title: "결제 오류율 52 %".into(), ..failing() };
    assert!(!svg(&input).unwrap().contains("오류율"));
    assert!(draw(&input).is_some());
}

#[test]
fn nothing_to_draw_is_no_picture() {
    assert_eq!(draw(&ChartInput::default()), None);
    let nothing = vec![point(NOON, None, None, Some(1.0)), point(NOON, Some(f64::NAN), None, None)];
    assert_eq!(draw(&ChartInput { points: nothing, ..ChartInput::default() }), None);
    let one = vec![point(NOON, Some(3.0), None, Some(1.0))];
    assert!(draw(&ChartInput { points: one, ..ChartInput::default() }).is_some());
}

fn any_unit() -> impl Strategy<Value = ValueUnit> {
    use ValueUnit::{Count, None, PerSecond, Ratio, Seconds, Times};
    proptest::sample::select(vec![None, Ratio, Seconds, PerSecond, Count, Times])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn anything_is_drawn_or_not(
        title in any::<String>(),
        unit in any_unit(),
        points in proptest::collection::vec(any::<(i64, Option<f64>, Option<f64>, Option<f64>)>(), 0..20),
        times in proptest::collection::vec(any::<i64>(), 0..8),
    ) {
        use MarkKind::{Deploy, Firing, Pending, Resolved};
        let kinds = [Pending, Firing, Resolved, Deploy].into_iter().cycle();
        let input = ChartInput {
            title,
            unit,
            points: points.into_iter().map(|(at, value, low, high)| point(at, value, low, high)).collect(),
            marks: times.into_iter().zip(kinds).map(|(at_unix_nano, what)| Mark { at_unix_nano, what }).collect(),
        };
        if let Some(png) = draw(&input) {
            prop_assert_eq!(size(&png), (1200, 560));
        }
    }
}

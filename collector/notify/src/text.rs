//! Text that others wrote, made fit to be shown: attribute values, names and messages may hold anything.

use orrery_api::alerting::ValueUnit;
use orrery_chart::Unit;

const NANOS: i64 = 1_000_000_000;

/// One line of at most `most` characters, the last of them `…` if something is cut off.
///
/// White space and line ends become one space; terminal sequences, control characters, direction marks, invisible
/// characters and tags go. Long text is only read as far as needed.
pub(crate) fn line(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut left = most;
    let mut gap = false;
    for letter in visible(text) {
        if letter.is_whitespace() {
            gap = !out.is_empty();
            continue;
        }
        let needed = 1 + usize::from(gap);
        if left < needed {
            return cut(out, most);
        }
        if std::mem::take(&mut gap) {
            out.push(' ');
        }
        out.push(letter);
        left -= needed;
    }
    out
}

/// Like [`line()`], but line ends stay, as many as `lines` lines need; runs of empty lines are one.
pub(crate) fn block(text: &str, most: usize, lines: usize) -> String {
    // What is cut away costs nothing: a line is at most `most` long, and there is a bound on what is looked at.
    let end = text.char_indices().nth(most.saturating_mul(4)).map_or(text.len(), |(at, _)| at);
    let mut out = String::new();
    let mut empty = false;
    let mut count = 0;
    for one in text[..end].lines().map(|one| line(one, most)) {
        if one.is_empty() {
            empty = !out.is_empty();
            continue;
        }
        if count == lines {
            out += "\n…";
            break;
        }
        if !out.is_empty() {
            out += if empty { "\n\n" } else { "\n" };
        }
        (empty, count) = (false, count + 1);
        out += &one;
    }
    if out.chars().count() > most { cut(out, most) } else { out }
}

/// `text` cut to `most` characters with `…` for the last.
pub(crate) fn cut(text: String, most: usize) -> String {
    if most == 0 {
        return String::new();
    }
    let mut out: String = text.chars().take(most.saturating_sub(1)).collect();
    out.truncate(out.trim_end().len());
    out.push('…');
    out
}

/// `text` in at most `most` bytes of UTF-8, ending with `…` if something is cut off.
pub(crate) fn cut_bytes(text: &str, most: usize) -> String {
    if text.len() <= most {
        return text.to_owned();
    }
    let mut end = most.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text[..end].trim_end())
}

/// The characters of a text that show, and white space.
fn visible(text: &str) -> impl Iterator<Item = char> + '_ {
    let mut letters = text.chars().peekable();
    std::iter::from_fn(move || {
        loop {
            match letters.next()? {
                '\u{1b}' => skip_sequence(&mut letters),
                // CSI as one character.
                '\u{9b}' => skip_parameters(&mut letters),
                letter if letter.is_whitespace() || letter == '\u{85}' => return Some(' '),
                letter if letter.is_control() || is_hidden(letter) => {}
                letter => return Some(letter),
            }
        }
    })
}

/// What follows an escape character: `[` and parameters, `]` or `P` and text up to its end, or one character.
fn skip_sequence(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match letters.peek() {
        Some('[') => {
            letters.next();
            skip_parameters(letters);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            // Its end may be missing, or be text that somebody wants to hide: only what is no text is skipped.
            letters.next();
        }
        Some(letter) if letter.is_ascii_graphic() => {
            letters.next();
        }
        _ => {}
    }
}

fn skip_parameters(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    while letters.next_if(|letter| ('\u{20}'..='\u{3f}').contains(letter)).is_some() {}
    letters.next_if(|letter| ('\u{40}'..='\u{7e}').contains(letter));
}

/// Changes what is seen without being seen: direction, joining, tags, interlinear annotation, variation.
fn is_hidden(letter: char) -> bool {
    matches!(letter as u32,
        0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f
        | 0x202a..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb
        | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
}

/// `@name` with an invisible character between, so that nobody is called: `@everyone`, `@here`. Addresses of e-mail stay
/// as they are.
pub(crate) fn without_mentions(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        out.push(letter);
        if letter == '@' && calls(before, &text[at + 1..]) {
            out.push('\u{2060}');
        }
        before = letter;
    }
    out
}

/// Whether an `@` between these calls somebody.
fn calls(before: char, after: &str) -> bool {
    let end = after.find(|letter: char| !letter.is_alphanumeric() && !"._-".contains(letter)).unwrap_or(after.len());
    let word = &after[..end];
    let is_all = ["everyone", "here", "channel", "all"].into_iter().any(|all| word.starts_with(all));
    let is_address = before.is_alphanumeric() && word.trim_end_matches('.').contains('.');
    !word.is_empty() && (is_all || !is_address)
}

/// For HTML, in text and in attributes.
pub(crate) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            '\'' => out += "&#39;",
            letter => out.push(letter),
        }
    }
    out
}

/// A link that is safe to make clickable: http or https, without what could end an attribute or a header.
pub(crate) fn link(url: &str) -> Option<String> {
    const LONGEST: usize = 2_000;
    if url.len() > LONGEST {
        return None;
    }
    let url = url::Url::parse(url).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.host().is_some();
    // `Url` encodes spaces, quotes in paths and control characters; these few it leaves.
    let text = url.as_str().replace('\'', "%27").replace('|', "%7C").replace('>', "%3E").replace('<', "%3C");
    (is_web && text.len() <= LONGEST).then_some(text)
}

/// A value as people read it: `52 %`, `1.84 s`, `14.2/s`.
pub(crate) fn value(value: f64, unit: ValueUnit) -> String {
    match unit {
        ValueUnit::Times => format!("{}×", Unit::Number.format(value)),
        unit => chart_unit(unit).format(value).to_string(),
    }
    // Thin spaces are missing in many fonts of phones' notifications.
    .replace('\u{2009}', " ")
}

/// The unit of charts that is written the same.
pub(crate) fn chart_unit(unit: ValueUnit) -> Unit {
    match unit {
        ValueUnit::None | ValueUnit::Count => Unit::Number,
        ValueUnit::Ratio => Unit::Ratio,
        ValueUnit::Seconds => Unit::Seconds,
        ValueUnit::PerSecond => Unit::PerSecond,
        ValueUnit::Times => Unit::Other("×".into()),
    }
}

/// A share as people read it: `94 %`.
pub(crate) fn share(share: f64) -> String {
    if share.is_finite() { format!("{:.0} %", share * 100.0) } else { "–".to_owned() }
}

/// A length of time as people say it: `45 s`, `6 min`, `3 h 20 min`, `2 d 4 h`.
pub(crate) fn lasted(nanos: i64) -> String {
    let seconds = nanos.max(0) / NANOS;
    let two = |big: i64, name: &str, small: i64, less: &str| match small {
        0 => format!("{big} {name}"),
        _ => format!("{big} {name} {small} {less}"),
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..86_400 => two(seconds / 3_600, "h", seconds % 3_600 / 60, "min"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h"),
    }
}

/// Parts of a moment in UTC: year, month, day, hour, minute, second.
fn civil(nanos: i64) -> (i64, u32, u32, u32, u32, u32) {
    let seconds = nanos.div_euclid(NANOS);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400) as u32);
    // Days since 0000-03-01, in eras of 400 years. Source: Hinnant, "chrono-compatible low-level date algorithms".
    let day = days + 719_468;
    let (era, of_era) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = (of_year - (153 * month + 2) / 5 + 1) as u32;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + i64::from(month <= 2), month as u32, date, rest / 3_600, rest % 3_600 / 60, rest % 60)
}

/// A moment near another: `10:42 UTC`, with the date if it was on another day.
pub(crate) fn moment(nanos: i64, near: i64) -> String {
    let (year, month, day, hour, minute, _) = civil(nanos);
    let (other_year, other_month, other_day, ..) = civil(near);
    if (year, month, day) == (other_year, other_month, other_day) {
        return format!("{hour:02}:{minute:02} UTC");
    }
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// RFC 3339 with milliseconds, UTC.
pub(crate) fn rfc3339(nanos: i64) -> String {
    let (year, month, day, hour, minute, second) = civil(nanos);
    let millis = nanos.rem_euclid(NANOS) / 1_000_000;
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Values as a line of blocks, the newest last, at most 30 of them; absent ones are a space. Empty without values.
///
/// Drawn from zero, unless there are negative ones.
pub(crate) fn sparkline(values: &[Option<f64>]) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const MOST: usize = 30;
    // Of neighbours that share a block, the highest: a peak is what matters.
    let wide = values.len().div_ceil(MOST).max(1);
    let peaks: Vec<Option<f64>> = values
        .chunks(wide)
        .map(|few| few.iter().flatten().copied().filter(|it| it.is_finite()).reduce(f64::max))
        .collect();
    let present = || peaks.iter().flatten().copied();
    let (Some(low), Some(high)) = (present().reduce(f64::min), present().reduce(f64::max)) else {
        return String::new();
    };
    let (low, high) = (low.min(0.0), high.max(0.0));
    let block = |it: f64| {
        let share = if high > low { (it / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0) } else { 0.0 };
        BLOCKS[((share * 7.0).round() as usize).min(7)]
    };
    peaks.iter().map(|it| it.map_or(' ', block)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use proptest::prelude::*;

    #[test]
    fn what_cannot_be_seen_is_left_out() {
        let check = |text: &str, shown: &str| assert_eq!(line(text, 40), shown, "{text:?}");
        check("\u{1b}[31mred\u{1b}[0m", "red");
        check("\u{1b}]8;;http://evil\u{7}text", "8;;http://eviltext");
        check("a\r\nBcc: b@c\n", "a Bcc: b@c");
        check("invoice\u{202e}fdp.exe", "invoicefdp.exe");
        check("  a \u{200b}\u{feff} b\u{0}c\t", "a bc");
        check("결제 지연", "결제 지연");
        check(&"x".repeat(1 << 20), &format!("{}…", "x".repeat(39)));
        check("", "");
    }

    #[test]
    fn blocks_keep_their_lines() {
        assert_eq!(block("\n\na\n\n\n\nb\r\nc\n", 100, 9), "a\n\nb\nc");
        assert_eq!(block("a\nb\nc", 100, 2), "a\nb\n…");
        assert_eq!(block(&"ab ".repeat(1000), 10, 5), "ab ab ab…");
    }

    #[test]
    fn nobody_is_called() {
        let shown = |text: &str| without_mentions(text).replace('\u{2060}', "^");
        assert_eq!(
            shown("@everyone and @here, a@b.com, @ x, (@channel)"),
            "@^everyone and @^here, a@b.com, @ x, (@^channel)"
        );
    }

    #[test]
    fn only_web_links_are_links() {
        assert_eq!(link("https://o.example/a b?q='|<x>").as_deref(), Some("https://o.example/a%20b?q=%27%7C%3Cx%3E"));
        for bad in ["javascript:alert(1)", "//x", "ftp://x/", "data:text/html,x", "", "https://"] {
            assert_eq!(link(bad), None, "{bad}");
        }
        assert_eq!(link(&format!("https://x/{}", "a".repeat(3_000))), None);
    }

    #[test]
    fn times_and_values_as_people_say_them() {
        let second = NANOS;
        assert_eq!(rfc3339(1_763_600_000 * second + 7_000_000), "2025-11-20T00:53:20.007Z");
        assert_eq!(rfc3339(951_782_400 * second), "2000-02-29T00:00:00.000Z");
        assert_eq!(rfc3339(-second), "1969-12-31T23:59:59.000Z");
        let at = 1_763_600_000 * second;
        assert_eq!(moment(at, at + 60 * second), "00:53 UTC");
        assert_eq!(moment(at - 3_600 * second, at), "2025-11-19 23:53 UTC");
        let said: Vec<String> = [0, 45, 360, 3_600, 12_000, 90_000, 187_200].map(|s| lasted(s * second)).into();
        expect!["0 s, 45 s, 6 min, 1 h, 3 h 20 min, 1 d 1 h, 2 d 4 h"].assert_eq(&said.join(", "));
        let all = [ValueUnit::None, ValueUnit::Ratio, ValueUnit::Seconds, ValueUnit::PerSecond, ValueUnit::Times];
        expect!["0.52, 52 %, 520 ms, 0.52 /s, 0.52×"].assert_eq(&all.map(|unit| value(0.52, unit)).join(", "));
    }

    #[test]
    fn peaks_stay_in_a_sparkline() {
        let values: Vec<Option<f64>> =
            (0..120).map(|i| (i % 50 != 49).then_some(if i == 70 { 8.0 } else { 1.0 })).collect();
        expect!["▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂█▂▂▂▂▂▂▂▂▂▂▂▂"].assert_eq(&sparkline(&values));
        assert_eq!(sparkline(&[Some(0.0), None, Some(0.0)]), "▁ ▁");
        assert_eq!(sparkline(&[None, Some(f64::NAN)]), "");
    }

    proptest! {
        #[test]
        fn lines_are_short_and_clean(text in any::<String>(), most in 1_usize..60) {
            let shown = line(&text, most);
            prop_assert!(shown.chars().count() <= most);
            prop_assert!(shown.chars().all(|letter| !letter.is_control() && !is_hidden(letter)));
            prop_assert_eq!(line(&shown, most), shown);
            let shown = block(&text, most, 5);
            prop_assert!(shown.chars().count() <= most && shown.lines().count() <= 10, "{shown:?}");
            prop_assert!(cut_bytes(&text, most + 3).len() <= most + 3);
        }

        #[test]
        fn any_values_have_a_sparkline(values in proptest::collection::vec(any::<Option<f64>>(), 0..100)) {
            prop_assert!(sparkline(&values).chars().count() <= 30);
        }

        #[test]
        fn html_has_no_markup_of_others(text in any::<String>()) {
            prop_assert!(!html(&text).contains(['<', '>', '"', '\'']));
        }
    }
}

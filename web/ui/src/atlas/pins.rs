//! Where the reader put nodes: by id, left upper corners. Kept by the browser, a line per node: `x y id`.

use std::collections::HashMap;

/// Reads what was kept; lines that make no sense are left out.
pub fn parse(text: &str) -> HashMap<String, (f64, f64)> {
    let line = |line: &str| {
        let mut parts = line.splitn(3, ' ');
        let (x, y) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let is_sane = |value: f64| value.is_finite() && value.abs() < 1e6;
        parts.next().filter(|id| !id.is_empty() && is_sane(x) && is_sane(y)).map(|id| (id.to_owned(), (x, y)))
    };
    text.lines().filter_map(line).collect()
}

/// Writes it to be kept.
pub fn write(pins: &HashMap<String, (f64, f64)>) -> String {
    let mut lines: Vec<String> = pins.iter().map(|(id, (x, y))| format!("{x:.0} {y:.0} {id}")).collect();
    lines.sort_unstable();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_survive_and_nonsense_does_not() {
        let pins = HashMap::from([("shop/a b@prod".to_owned(), (12.0, -7.0)), ("user:".to_owned(), (0.0, 900.0))]);
        assert_eq!(parse(&write(&pins)), pins);
        assert_eq!(parse("1 2\nx y z\n1 NaN a\n1e9 1 a\n\n3 4 ok"), HashMap::from([("ok".to_owned(), (3.0, 4.0))]));
    }
}
